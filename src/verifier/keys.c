#include "config.h"

#include "verifier/keys.h"

#include <stdlib.h>

#include "attest/policy_digest.h"

struct keys {
    const struct settings *settings; /* borrowed */
    struct signer *result, *lease; /* NULL after the hardware went away */
    struct pubkey *result_public, *lease_public;
    bool refused; /* a PIN, maybe: tokens count, and lock; nobody is asked again before somebody starts this anew */
};

static void hang_up(struct keys *k)
{
    /* The second may use the first one's TPM. */
    signer_close(k->lease);
    signer_close(k->result);
    k->lease = k->result = NULL;
}

static result connect_keys(struct keys *k)
{
    struct signer_place result_place = settings_place(&k->settings->result_key),
                        lease_place = settings_place(&k->settings->lease_key);
    bool one_chip = result_place.tpm && lease_place.tpm && span_is(span_text(result_place.tpm), lease_place.tpm);
    TRY(signer_open(&result_place, &k->result));
    return one_chip ? signer_open_beside(&lease_place, k->result, &k->lease) : signer_open(&lease_place, &k->lease);
}

/* Another key than at first under a label or handle that the operator changed meanwhile is no key of this process. */
static result same_as_before(struct keys *k)
{
    if (k->result_public &&
        (!pubkey_equal(k->result_public, signer_public(k->result)) || !pubkey_equal(k->lease_public, signer_public(k->lease))))
        return fail(E_key_mismatch);
    return OK;
}

static result ready(struct keys *k)
{
    if (k->result && k->lease)
        return OK;
    if (k->refused)
        return fail(E_hsm_refused);
    result r = connect_keys(k);
    if (is_ok(r))
        r = same_as_before(k);
    k->refused = code_of(r) == E_hsm_refused;
    if (!is_ok(r))
        hang_up(k);
    return r;
}

result keys_open(const struct settings *s, struct keys **ret)
{
    AUTO_KEYS *k = calloc(1, sizeof *k);
    if (!k)
        return fail(E_no_memory);
    k->settings = s;
    TRY(ready(k));
    k->result_public = pubkey_hold(signer_public(k->result));
    k->lease_public = pubkey_hold(signer_public(k->lease));
    /* A lease is a signature over a bare digest: a key that signs leases must never sign anything else. */
    if (pubkey_equal(k->result_public, k->lease_public))
        return fail(E_bad_value);
    *ret = k;
    k = NULL;
    return OK;
}

void keys_close(struct keys *k)
{
    if (!k)
        return;
    hang_up(k);
    pubkey_free(k->result_public);
    pubkey_free(k->lease_public);
    free(k);
}

void keys_close_pointer(struct keys **k)
{
    keys_close(*k);
    *k = NULL;
}

const struct pubkey *keys_result(const struct keys *k)
{
    return k->result_public;
}

const struct pubkey *keys_lease(const struct keys *k)
{
    return k->lease_public;
}

static result seen_to(struct keys *k, result r)
{
    if (code_of(r) == E_tpm_unavailable || code_of(r) == E_hsm_unavailable)
        hang_up(k);
    return r;
}

result keys_sign(struct keys *k, const char *typ, struct span payload, struct buf *out)
{
    TRY(ready(k));
    return seen_to(k, signer_sign(k->result, typ, payload, out));
}

result keys_sign_compact(struct keys *k, const char *typ, struct span payload, struct buf *out)
{
    struct jws j;
    AUTO_BUF text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
    TRY(keys_sign(k, typ, payload, &text));
    TRY(jws_parse_text(buf_span(&text), &arena, &j));
    return jws_compact(&j, out);
}

result keys_sign_lease(
    struct keys *k, const uint8_t nonce[32], uint32_t seconds, const struct digest *ref, uint8_t ret_raw[SIGNATURE_SIZE])
{
    struct digest d;
    TRY(lease_hash(nonce, seconds, ref, &d));
    TRY(ready(k));
    return seen_to(k, signer_sign_digest(k->lease, &d, ret_raw));
}
