#include "config.h"

#include "attest/evidence.h"

#include <stdlib.h>

static const char *const role_names[EVIDENCE_ROLES] = {
    [EVIDENCE_ATTESTATION] = "attestation",
    [EVIDENCE_RECORD] = "record",
    [EVIDENCE_MINT] = "mint",
};
static const char *const whole_members[] = { "approval", "attest", "cel", "firmware", "ima", "keys", "lease_nonce", "note", "pcrs",
    "policy", "preimage", "proof", "run", "signature", NULL };
static const char *const part_members[] = { "approval", "attest", "cel", "firmware", "ima", "keys", "lease_nonce", "note", "pcrs",
    "preimage", "run", "signature", NULL };

const char *evidence_role_name(enum evidence_role r)
{
    return r < EVIDENCE_ROLES ? role_names[r] : "?";
}

result evidence_new(struct evidence **ret)
{
    struct evidence *e = calloc(1, sizeof *e);
    if (!e)
        return fail(E_no_memory);
    e->attest = e->signature = e->preimage = BUF(EVIDENCE_PART_MAX);
    e->note = BUF(NOTE_MAX);
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++)
        e->key[i].evidence = BUF(KEY_EVIDENCE_MAX);
    *ret = e;
    return OK;
}

void evidence_free(struct evidence *e)
{
    if (!e)
        return;
    buf_free(&e->attest);
    buf_free(&e->signature);
    buf_free(&e->preimage);
    buf_free(&e->note);
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++)
        buf_free(&e->key[i].evidence);
    free(e);
}

void evidence_free_pointer(struct evidence **e)
{
    evidence_free(*e);
    *e = NULL;
}

result evidence_keys_read(const json_t *o, struct evidence_key key[EVIDENCE_ROLES])
{
    const json_t *keys, *k;
    const char *backend;
    TRY(json_object_at(o, "keys", &keys));
    TRY(json_closed(keys, (const char *const[]){ "attestation", "mint", "record", NULL }));
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        TRY(json_object_at(keys, role_names[i], &k));
        TRY(json_closed(k, (const char *const[]){ "backend", "evidence", "kid", NULL }));
        TRY(json_text(k, "backend", sizeof key[i].backend - 1, &backend));
        /* Checkpoints and quotes come from the TPM alone. */
        bool tpm = span_is(span_text(backend), "tpm");
        if (!tpm && !(i == EVIDENCE_MINT && span_is(span_text(backend), "pkcs11")))
            return fail(E_bad_value);
        TRY(span_copy_text(span_text(backend), key[i].backend, sizeof key[i].backend));
        TRY(json_bytes_at(k, "evidence", KEY_EVIDENCE_MAX, &key[i].evidence));
        TRY(json_digest_at(k, "kid", &key[i].kid));
    }
    return OK;
}

result evidence_keys_put(json_t *o, const struct evidence_key key[EVIDENCE_ROLES])
{
    AUTO_JSON *keys = json_object();
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        AUTO_JSON *k = json_object();
        if (!keys || !k)
            return fail(E_no_memory);
        TRY(json_put_text(k, "backend", key[i].backend));
        TRY(json_put_b64url(k, "evidence", buf_span(&key[i].evidence)));
        TRY(json_put_digest(k, "kid", &key[i].kid));
        TRY(json_put_new(keys, role_names[i], json_incref(k)));
    }
    return json_put_new(o, "keys", json_incref(keys));
}

/* "0" to "23", the one way to write each. */
static result pcr_number(const char *text, unsigned *ret)
{
    struct span s = span_text(text);
    unsigned v = 0;
    if (s.n == 0 || s.n > 2 || (s.n == 2 && s.p[0] == '0'))
        return fail(E_bad_value);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return fail(E_bad_value);
        v = v * 10 + (s.p[i] - '0');
    }
    if (v >= TPM_PCRS)
        return fail(E_bad_value);
    *ret = v;
    return OK;
}

/* 64 lower-case hex digits. */
static result pcr_value(const json_t *v, struct digest *ret)
{
    AUTO_BUF bytes = BUF(DIGEST_SIZE), again = BUF(2 * DIGEST_SIZE);
    if (!json_is_string(v))
        return fail(E_bad_type);
    struct span text = { (const uint8_t *)json_string_value(v), json_string_length(v) };
    if (text.n != 2 * DIGEST_SIZE)
        return fail(E_bad_value);
    TRY(hex_read(text, &bytes));
    TRY(hex_put(&again, buf_span(&bytes)));
    if (!span_equal(text, buf_span(&again)))
        return fail(E_bad_value);
    return span_copy(buf_span(&bytes), ret->b, DIGEST_SIZE);
}

static result read_pcrs(const json_t *o, struct evidence *e)
{
    const json_t *pcrs;
    const char *name;
    json_t *value;
    unsigned n;
    TRY(json_object_at(o, "pcrs", &pcrs));
    json_object_foreach ((json_t *)pcrs, name, value) {
        TRY(pcr_number(name, &n));
        TRY(pcr_value(value, &e->pcr[n]));
        e->pcr_mask |= UINT32_C(1) << n;
    }
    return OK;
}

static result put_pcrs(json_t *o, const struct evidence *e)
{
    AUTO_JSON *pcrs = json_object();
    if (!pcrs)
        return fail(E_no_memory);
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        AUTO_BUF name = BUF(4), value = BUF(2 * DIGEST_SIZE);
        AUTO_FREE char *text = NULL;
        if (!(e->pcr_mask >> i & 1))
            continue;
        TRY(buf_printf(&name, "%u", i));
        TRY(span_dup_text(buf_span(&name), &text));
        TRY(hex_put(&value, digest_span(&e->pcr[i])));
        TRY(json_put_span(pcrs, text, buf_span(&value)));
    }
    return json_put_new(o, "pcrs", json_incref(pcrs));
}

/* Null, or {"length"}. */
static result read_ima(const json_t *o, struct evidence *e)
{
    const json_t *ima = json_object_get(o, "ima");
    if (!ima)
        return fail(E_missing_member);
    e->has_ima = !json_is_null(ima);
    if (!e->has_ima)
        return OK;
    TRY(json_closed(ima, (const char *const[]){ "length", NULL }));
    return member_count(ima, "length", &e->ima_length);
}

static result put_ima(json_t *o, const struct evidence *e)
{
    AUTO_JSON *ima = e->has_ima ? json_object() : json_null();
    if (!ima)
        return fail(E_no_memory);
    if (e->has_ima)
        TRY(put_count(ima, "length", e->ima_length));
    return json_put_new(o, "ima", json_incref(ima));
}

/* A text that may be empty. */
static result read_note(const json_t *o, struct evidence *e)
{
    const json_t *note = json_object_get(o, "note");
    if (!note)
        return fail(E_missing_member);
    if (!json_is_string(note))
        return fail(E_bad_type);
    return buf_put(&e->note, (struct span){ (const uint8_t *)json_string_value(note), json_string_length(note) });
}

static result read_proof(const json_t *o, struct merkle_proof *ret)
{
    const json_t *list;
    TRY(json_array_at(o, "proof", 0, sizeof ret->hash / sizeof *ret->hash, &list));
    ret->n = (unsigned)json_array_size(list);
    for (unsigned i = 0; i < ret->n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_string(v))
            return fail(E_bad_type);
        TRY(digest_read((struct span){ (const uint8_t *)json_string_value(v), json_string_length(v) }, &ret->hash[i]));
    }
    return OK;
}

static result put_proof(json_t *o, const struct merkle_proof *p)
{
    AUTO_JSON *list = json_array();
    if (!list)
        return fail(E_no_memory);
    for (unsigned i = 0; i < p->n; i++) {
        char text[DIGEST_TEXT + 1];
        if (json_array_append_new(list, json_string(digest_text(&p->hash[i], text))) != 0)
            return fail(E_no_memory);
    }
    return json_put_new(o, "proof", json_incref(list));
}

static result put_part(json_t *o, const struct evidence *e)
{
    TRY(put_digest_or_null(o, "approval", e->has_approval, &e->approval));
    TRY(json_put_b64url(o, "attest", buf_span(&e->attest)));
    TRY(json_put_digest(o, "cel", &e->cel));
    TRY(put_digest_or_null(o, "firmware", e->has_firmware, &e->firmware));
    TRY(put_ima(o, e));
    TRY(evidence_keys_put(o, e->key));
    TRY(json_put_b64url(o, "lease_nonce", SPAN(e->lease_nonce)));
    TRY(json_put_span(o, "note", buf_span(&e->note)));
    TRY(put_pcrs(o, e));
    TRY(json_put_b64url(o, "preimage", buf_span(&e->preimage)));
    TRY(json_put_b64url(o, "run", SPAN(e->run)));
    return json_put_b64url(o, "signature", buf_span(&e->signature));
}

static result read_part(const json_t *o, struct evidence *e)
{
    TRY(member_digest_or_null(o, "approval", &e->has_approval, &e->approval));
    TRY(json_bytes_at(o, "attest", EVIDENCE_PART_MAX, &e->attest));
    TRY(json_digest_at(o, "cel", &e->cel));
    TRY(member_digest_or_null(o, "firmware", &e->has_firmware, &e->firmware));
    TRY(read_ima(o, e));
    TRY(evidence_keys_read(o, e->key));
    TRY(member_fixed(o, "lease_nonce", e->lease_nonce, sizeof e->lease_nonce));
    TRY(read_note(o, e));
    TRY(read_pcrs(o, e));
    TRY(json_bytes_at(o, "preimage", EVIDENCE_PART_MAX, &e->preimage));
    TRY(member_fixed(o, "run", e->run, sizeof e->run));
    return json_bytes_at(o, "signature", EVIDENCE_PART_MAX, &e->signature);
}

result evidence_parse(struct span text, struct evidence **ret)
{
    AUTO_JSON *o = NULL;
    AUTO_EVIDENCE *e = NULL;
    TRY(json_strict(text, EVIDENCE_TEXT_MAX, &o));
    TRY(json_is_canonical(o, text));
    TRY(json_closed(o, whole_members));
    TRY(evidence_new(&e));
    TRY(read_part(o, e));
    TRY(member_digest_or_null(o, "policy", &e->has_policy, &e->policy));
    TRY(read_proof(o, &e->proof));
    e->digest = sha256(text);
    *ret = e;
    e = NULL;
    return OK;
}

static result canonical_within(const json_t *o, struct buf *out)
{
    AUTO_BUF text = BUF(EVIDENCE_TEXT_MAX);
    TRY(json_canonical(o, &text));
    return buf_put(out, buf_span(&text));
}

result evidence_write_part(const struct evidence *e, struct buf *out)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    TRY(put_part(o, e));
    return canonical_within(o, out);
}

static result add_rest(json_t *o, const struct digest *policy, const struct merkle_proof *proof)
{
    TRY(put_digest_or_null(o, "policy", policy != NULL, policy));
    return put_proof(o, proof);
}

result evidence_write(const struct evidence *e, struct buf *out)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    TRY(put_part(o, e));
    TRY(add_rest(o, e->has_policy ? &e->policy : NULL, &e->proof));
    return canonical_within(o, out);
}

result evidence_complete(struct span part, const struct digest *policy, const struct merkle_proof *proof, struct buf *out)
{
    AUTO_JSON *o = NULL;
    TRY(json_strict(part, EVIDENCE_TEXT_MAX, &o));
    TRY(json_closed(o, part_members));
    TRY(add_rest(o, policy, proof));
    return canonical_within(o, out);
}
