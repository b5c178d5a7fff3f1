#include "config.h"

#include "hsm/pkcs11.h"
#include "hsm/tpm.h"
#include "tools/sab_signer.h"

#include <errno.h>
#include <stdlib.h>

/* sebd.json(5) has the same: one attestation key serves what is on the TPM. */
#define ATTESTATION_HANDLE UINT32_C(0x81000a01)

struct sab_signer {
    struct p11_token *token;
    struct tpm *tpm;
    struct hsm_key *attestation, *key;
};

void sab_signer_close(struct sab_signer *s)
{
    if (!s)
        return;
    hsm_close(s->key);
    hsm_close(s->attestation);
    p11_close(s->token);
    tpm_close(s->tpm);
    free(s);
}

void sab_signer_close_pointer(struct sab_signer **s)
{
    sab_signer_close(*s);
    *s = NULL;
}

static bool is_given(const struct sab_args *a, enum sab_option o)
{
    return a->value[o] != NULL;
}

/* A persistent handle of the owner's range (TPM 2.0 Part 2, section 7.5), as 0x81… */
static result handle_read(struct sab_args *a, enum sab_option o, uint32_t missing, uint32_t *ret)
{
    if (!is_given(a, o)) {
        *ret = missing;
        return OK;
    }
    char *end;
    errno = 0;
    unsigned long long n = strtoull(a->value[o], &end, 16);
    a->about = a->value[o];
    if (*end || errno || !span_is(span_part(span_text(a->value[o]), 0, 2), "0x") || n < 0x81000000 || n > 0x817fffff)
        return fail(E_usage);
    a->about = NULL;
    *ret = (uint32_t)n;
    return OK;
}

/* Exactly one place: all of --module --token --pin-file --key, or --tpm and --handle. */
static result place_check(struct sab_args *a)
{
    bool pkcs11 = is_given(a, OPT_MODULE) && is_given(a, OPT_TOKEN) && is_given(a, OPT_PIN_FILE) && is_given(a, OPT_KEY);
    bool any_pkcs11 = is_given(a, OPT_MODULE) || is_given(a, OPT_TOKEN) || is_given(a, OPT_PIN_FILE) || is_given(a, OPT_KEY);
    bool tpm = is_given(a, OPT_TPM) && is_given(a, OPT_HANDLE);
    bool any_tpm = is_given(a, OPT_TPM) || is_given(a, OPT_HANDLE) || is_given(a, OPT_ATTESTATION);
    a->about = "the key: --module --token --pin-file --key, or --tpm --handle";
    if ((pkcs11 && !any_tpm) || (tpm && !any_pkcs11)) {
        a->about = NULL;
        return OK;
    }
    return fail(E_usage);
}

static result token_open(const struct sab_args *a, struct sab_signer *s)
{
    const struct p11_args where = {
        .module = a->value[OPT_MODULE], .token = a->value[OPT_TOKEN], .pin_file = a->value[OPT_PIN_FILE]
    };
    return p11_open(&where, &s->token);
}

static result chip_open(const struct sab_args *a, struct sab_signer *s)
{
    int fd;
    enum tpm_transport transport;
    TRY(tpm_connect(a->value[OPT_TPM], &fd, &transport));
    return tpm_open(fd, transport, &s->tpm);
}

static result chip_key_open(struct sab_args *a, struct sab_signer *s)
{
    uint32_t attestation, handle;
    TRY(handle_read(a, OPT_ATTESTATION, ATTESTATION_HANDLE, &attestation));
    TRY(handle_read(a, OPT_HANDLE, 0, &handle));
    TRY(chip_open(a, s));
    TRY(tpm_attestation_key(s->tpm, attestation, &s->attestation));
    return tpm_signing_key(s->tpm, handle, s->attestation, &s->key);
}

static result key_open(struct sab_args *a, struct sab_signer *s)
{
    if (is_given(a, OPT_TPM))
        return chip_key_open(a, s);
    TRY(token_open(a, s));
    return p11_key(s->token, a->value[OPT_KEY], &s->key);
}

static result signer_new(struct sab_signer **ret)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? OK : fail(E_no_memory);
}

result sab_signer_open(struct sab_args *a, struct sab_signer **ret)
{
    AUTO_SIGNER *s = NULL;
    TRY(place_check(a));
    TRY(signer_new(&s));
    TRY(key_open(a, s));
    *ret = s;
    s = NULL;
    return OK;
}

static result chip_provision(struct sab_args *a, struct sab_signer *s, bool *ret_made)
{
    uint32_t attestation, handle;
    bool made_attestation;
    AUTO_BUF attestation_pem = BUF(4096), pem = BUF(4096);
    if (!is_given(a, OPT_FOLDER)) {
        a->about = "--folder: where the keys' blobs are to be kept";
        return fail(E_usage);
    }
    TRY(handle_read(a, OPT_ATTESTATION, ATTESTATION_HANDLE, &attestation));
    TRY(handle_read(a, OPT_HANDLE, 0, &handle));
    TRY(buf_printf(&attestation_pem, "%s/attestation.pem", a->value[OPT_FOLDER]));
    TRY(buf_printf(&pem, "%s/authority-%08x.pem", a->value[OPT_FOLDER], (unsigned)handle));
    TRY(buf_u8(&attestation_pem, 0));
    TRY(buf_u8(&pem, 0));
    TRY(chip_open(a, s));
    TRY(tpm_provision(s->tpm, TPM_ATTESTATION, attestation, (const char *)attestation_pem.p, &made_attestation));
    /* An ordinary signing key like the mint key, which the role says how to make. */
    return tpm_provision(s->tpm, TPM_MINT, handle, (const char *)pem.p, ret_made);
}

result sab_signer_provision(struct sab_args *a, bool *ret_made)
{
    AUTO_SIGNER *s = NULL;
    TRY(place_check(a));
    TRY(signer_new(&s));
    if (is_given(a, OPT_TPM))
        return chip_provision(a, s, ret_made);
    TRY(token_open(a, s));
    return p11_provision(s->token, a->value[OPT_KEY], ret_made);
}

struct pubkey *sab_signer_public(const struct sab_signer *s)
{
    return hsm_public(s->key);
}

const char *sab_signer_backend(const struct sab_signer *s)
{
    return hsm_backend(s->key);
}

result sab_sign_too(struct sab_signer *s, const char *typ, const struct jws *j, struct buf *ret_text)
{
    struct jws with = *j;
    uint8_t raw[SIGNATURE_SIZE];
    AUTO_BUF header = BUF(JWS_HEADER_MAX), input = BUF(JWS_TEXT_MAX);
    const struct pubkey *key = sab_signer_public(s);
    for (unsigned i = 0; i < j->n; i++)
        if (digest_equal(&j->sig[i].kid, pubkey_thumbprint(key)))
            return fail(E_exists);
    if (j->n >= JWS_SIGNATURES_MAX)
        return fail(E_bad_jws);
    TRY(jws_header(key, typ, &header));
    TRY(jws_signing_input(key, typ, j->payload, &input));
    struct digest d = sha256(buf_span(&input));
    TRY(hsm_sign(s->key, &d, raw));
    with.sig[with.n++] =
        (struct jws_signature){ .kid = *pubkey_thumbprint(key), .protected_ = buf_span(&header), .signature = SPAN(raw) };
    /* A token that signs something else is found here, not by whoever is given the document. */
    TRY(jws_verify(key, typ, j->payload, &with.sig[with.n - 1]));
    return jws_write(&with, ret_text);
}

result sab_sign(struct sab_signer *s, const char *typ, struct span payload, struct buf *ret_text)
{
    const struct jws unsigned_ = { .payload = payload };
    return sab_sign_too(s, typ, &unsigned_, ret_text);
}
