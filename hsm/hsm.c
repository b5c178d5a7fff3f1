#include "config.h"

#include "hsm/hsm.h"

#include "hsm/key.h"

struct backend {
    const char *name;
    result (*sign)(struct hsm_key *k, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE]);
    result (*evidence)(struct hsm_key *k, struct buf *out);
    void (*close)(struct hsm_key *k);
};

static const struct backend backends[] = {
    [HSM_TPM] = { .name = "tpm", .sign = tpm_key_sign, .evidence = tpm_key_evidence, .close = tpm_key_close },
    [HSM_PKCS11] = { .name = "pkcs11", .sign = p11_key_sign, .evidence = p11_key_evidence, .close = p11_key_close },
};

result hsm_sign(struct hsm_key *k, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE])
{
    return backends[k->kind].sign(k, d, ret_raw);
}

struct pubkey *hsm_public(struct hsm_key *k)
{
    return k->public;
}

const char *hsm_backend(const struct hsm_key *k)
{
    return backends[k->kind].name;
}

result hsm_evidence(struct hsm_key *k, struct buf *out)
{
    return backends[k->kind].evidence(k, out);
}

void hsm_close(struct hsm_key *k)
{
    if (!k)
        return;
    pubkey_free(k->public);
    k->public = NULL;
    backends[k->kind].close(k);
}

result raw_signature(struct span r, struct span s, uint8_t ret_raw[SIGNATURE_SIZE])
{
    const size_t half = SIGNATURE_SIZE / 2;
    if (r.n > half || s.n > half)
        return fail(E_bad_signature);
    for (size_t i = 0; i < SIGNATURE_SIZE; i++)
        ret_raw[i] = 0;
    TRY(span_copy(r, ret_raw + half - r.n, r.n));
    return span_copy(s, ret_raw + SIGNATURE_SIZE - s.n, s.n);
}
