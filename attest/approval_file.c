#include "config.h"

#include "attest/approval.h"

static result file_read_forms(struct span text, struct approval_file *f)
{
    AUTO_JSON *v = NULL;
    const json_t *jws;
    AUTO_BUF signature = BUF(SIGNATURE_SIZE);
    TRY(json_strict(text, APPROVAL_TEXT_MAX, &v));
    TRY(json_closed(v, (const char *const[]){ "approval", "signature", NULL }));
    TRY(json_object_at(v, "approval", &jws));
    TRY(json_bytes_at(v, "signature", SIGNATURE_SIZE, &signature));
    TRY(span_copy(buf_span(&signature), f->signature, SIGNATURE_SIZE));
    return jws_parse(jws, &f->arena, &f->jws);
}

/* The JWS is the policy key's first, whoever else signed too. */
static result jws_is_by(const struct pubkey *policy_key, const struct jws *j)
{
    for (unsigned i = 0; i < j->n; i++)
        if (digest_equal(&j->sig[i].kid, pubkey_thumbprint(policy_key)))
            return is_ok(jws_verify(policy_key, TYP_APPROVAL, j->payload, &j->sig[i])) ? OK : fail(E_approval_invalid);
    return fail(E_approval_invalid);
}

/* TPM2_VerifySignature hashes nothing: the digest that it is given is approval_hash(), of the 64 bytes that ES256 hashes here. */
static result raw_is_by(const struct pubkey *policy_key, const struct approval_file *f)
{
    AUTO_BUF message = BUF(2 * DIGEST_SIZE);
    TRY(buf_put(&message, digest_span(&f->approval.policy)));
    TRY(buf_put(&message, digest_span(&f->approval.ref)));
    return is_ok(pubkey_verify(policy_key, buf_span(&message), SPAN(f->signature))) ? OK : fail(E_approval_invalid);
}

static result open_into(struct span text, const struct pubkey *policy_key, struct approval_file *f)
{
    if (pubkey_alg(policy_key) != ALG_ES256) /* a TPM verifies no other */
        return fail(E_approval_invalid);
    TRY(file_read_forms(text, f));
    TRY(jws_is_by(policy_key, &f->jws));
    TRY(approval_parse(f->jws.payload, &f->approval));
    return raw_is_by(policy_key, f);
}

result approval_open(struct span file_text, const struct pubkey *policy_key, struct approval_file *ret)
{
    struct approval_file f = { .arena = BUF(JWS_TEXT_MAX) };
    result r = open_into(file_text, policy_key, &f);
    if (!is_ok(r)) {
        approval_file_free(&f);
        return r;
    }
    *ret = f;
    return OK;
}

static result open_stored_into(struct span text, const struct pubkey *policy_key, struct approval_file *f)
{
    TRY(jws_parse_text(text, &f->arena, &f->jws));
    TRY(jws_is_by(policy_key, &f->jws));
    return approval_parse(f->jws.payload, &f->approval);
}

result approval_open_stored(struct span jws_text, const struct pubkey *policy_key, struct approval_file *ret)
{
    struct approval_file f = { .arena = BUF(JWS_TEXT_MAX) };
    result r = open_stored_into(jws_text, policy_key, &f);
    if (!is_ok(r)) {
        approval_file_free(&f);
        return r;
    }
    *ret = f;
    return OK;
}

static result parse_into(struct span text, struct approval_file *f)
{
    TRY(file_read_forms(text, f));
    return approval_parse(f->jws.payload, &f->approval);
}

result approval_file_parse(struct span file_text, struct approval_file *ret)
{
    struct approval_file f = { .arena = BUF(JWS_TEXT_MAX) };
    result r = parse_into(file_text, &f);
    if (!is_ok(r)) {
        approval_file_free(&f);
        return r;
    }
    *ret = f;
    return OK;
}

result approval_write(const struct jws *j, const uint8_t signature[SIGNATURE_SIZE], struct buf *out)
{
    AUTO_JSON *v = json_object(), *jws = NULL;
    if (!v)
        return fail(E_no_memory);
    TRY(jws_json(j, &jws));
    TRY(json_put_new(v, "approval", json_incref(jws)));
    TRY(json_put_b64url(v, "signature", (struct span){ signature, SIGNATURE_SIZE }));
    return json_canonical(v, out);
}

/* One key given twice is one person. */
static bool is_first(const struct pubkey *const *keys, unsigned i)
{
    for (unsigned before = 0; before < i; before++)
        if (pubkey_equal(keys[before], keys[i]))
            return false;
    return true;
}

/* Signatures are malleable: keys are counted, not signatures. */
static result signed_by(const struct jws *j, const struct pubkey *key, bool *ret)
{
    bool found = false;
    for (unsigned i = 0; i < j->n; i++) {
        if (!digest_equal(&j->sig[i].kid, pubkey_thumbprint(key)))
            continue;
        if (!is_ok(jws_verify(key, TYP_APPROVAL, j->payload, &j->sig[i])))
            return fail(E_approval_invalid);
        found = true;
    }
    *ret = found;
    return OK;
}

result approval_countersigned(const struct approval_file *f, const struct pubkey *policy_key, const struct pubkey *const *keys,
    unsigned n, unsigned *ret_distinct)
{
    unsigned distinct = 0;
    for (unsigned i = 0; i < n; i++) {
        bool found = false;
        if (pubkey_equal(keys[i], policy_key) || !is_first(keys, i))
            continue;
        TRY(signed_by(&f->jws, keys[i], &found));
        distinct += found;
    }
    *ret_distinct = distinct;
    return OK;
}
