#include "config.h"

#include "attest/challenge.h"

static const char *const op_names[CHALLENGE_OPS] = {
    [CHALLENGE_APPRAISE] = "appraise",
    [CHALLENGE_DOCUMENT] = "document",
    [CHALLENGE_ENROL] = "enrol",
    [CHALLENGE_ACTIVATE] = "activate",
};
static const char *const document_names[DOCUMENTS] = {
    [DOCUMENT_CEL] = "cel",
    [DOCUMENT_FIRMWARE] = "firmware",
    [DOCUMENT_IMA] = "ima",
    [DOCUMENT_POLICY] = "policy",
    [DOCUMENT_APPROVAL] = "approval",
};
#define WORD_MAX 16

/* Which of the words a member is; bad_value where it is none. */
static result member_word(const json_t *o, const char *name, const char *const *words, unsigned n, unsigned *ret)
{
    const char *text;
    TRY(json_text(o, name, WORD_MAX, &text));
    for (unsigned i = 0; i < n; i++)
        if (span_is(span_text(text), words[i])) {
            *ret = i;
            return OK;
        }
    return fail(E_bad_value);
}

static result put_operands(json_t *o, const struct challenge *c)
{
    if (c->op == CHALLENGE_DOCUMENT) {
        if (c->document >= DOCUMENTS)
            return fail(E_bad_value);
        TRY(json_put_text(o, "name", document_names[c->document]));
        return put_count(o, "offset", c->offset);
    }
    if (c->op != CHALLENGE_ACTIVATE)
        return OK;
    if (c->credential_n == 0 || c->credential_n > CREDENTIAL_MAX || c->secret_n == 0 || c->secret_n > CREDENTIAL_SEED_MAX)
        return fail(E_bad_value);
    TRY(json_put_b64url(o, "credential", (struct span){ c->credential, c->credential_n }));
    return json_put_b64url(o, "secret", (struct span){ c->secret, c->secret_n });
}

result challenge_write(const struct challenge *c, struct buf *out)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    if (c->op >= CHALLENGE_OPS)
        return fail(E_bad_value);
    TRY(json_put_text(o, "domain", c->domain));
    TRY(json_put_text(o, "instance", c->instance));
    TRY(json_put_int(o, "iat", c->iat));
    TRY(json_put_b64url(o, "nonce", SPAN(c->nonce)));
    TRY(json_put_text(o, "op", op_names[c->op]));
    TRY(c->has_seen ? put_log_state(o, "seen", &c->seen) : json_put_new(o, "seen", json_null()));
    TRY(put_operands(o, c));
    return json_canonical(o, out);
}

static result read_bytes_of(const json_t *o, const char *name, size_t max, uint8_t *ret, uint16_t *ret_n)
{
    AUTO_BUF b = BUF(max);
    TRY(json_bytes_at(o, name, max, &b));
    if (b.n == 0)
        return fail(E_bad_value);
    TRY(span_copy(buf_span(&b), ret, b.n));
    *ret_n = (uint16_t)b.n;
    return OK;
}

/* Each op has its own members and no others. */
static result read_operands(const json_t *o, struct challenge *c)
{
    static const char *const common[] = { "domain", "instance", "iat", "nonce", "op", "seen", NULL };
    static const char *const of_document[] = { "domain", "instance", "iat", "name", "nonce", "offset", "op", "seen", NULL };
    static const char *const of_activate[] = { "credential", "domain", "instance", "iat", "nonce", "op", "secret", "seen", NULL };
    unsigned document;
    switch (c->op) {
    case CHALLENGE_DOCUMENT:
        TRY(json_closed(o, of_document));
        TRY(member_word(o, "name", document_names, DOCUMENTS, &document));
        c->document = (enum challenge_document)document;
        return member_count(o, "offset", &c->offset);
    case CHALLENGE_ACTIVATE:
        TRY(json_closed(o, of_activate));
        TRY(read_bytes_of(o, "credential", CREDENTIAL_MAX, c->credential, &c->credential_n));
        return read_bytes_of(o, "secret", CREDENTIAL_SEED_MAX, c->secret, &c->secret_n);
    default:
        return json_closed(o, common);
    }
}

static result read_seen(const json_t *o, struct challenge *c)
{
    const json_t *seen = json_object_get(o, "seen");
    if (!seen)
        return fail(E_missing_member);
    c->has_seen = !json_is_null(seen);
    return c->has_seen ? member_log_state(seen, &c->seen) : OK;
}

result challenge_parse(struct span payload, struct challenge *ret)
{
    AUTO_JSON *o = NULL;
    struct challenge c = { 0 };
    unsigned op;
    TRY(json_strict(payload, CHALLENGE_MAX, &o));
    TRY(json_is_canonical(o, payload));
    TRY(member_word(o, "op", op_names, CHALLENGE_OPS, &op));
    c.op = (enum challenge_op)op;
    TRY(name_at(o, "domain", c.domain, sizeof c.domain));
    TRY(name_at(o, "instance", c.instance, sizeof c.instance));
    TRY(json_int(o, "iat", 0, JSON_INT_MAX, &c.iat));
    TRY(member_fixed(o, "nonce", c.nonce, sizeof c.nonce));
    TRY(read_seen(o, &c));
    TRY(read_operands(o, &c));
    *ret = c;
    return OK;
}

result challenge_check(const struct challenge *c, const char *domain, const char *instance, int64_t now)
{
    if (!span_is(span_text(c->domain), domain))
        return fail(E_domain_mismatch);
    if (!span_is(span_text(c->instance), instance))
        return fail(E_instance_mismatch);
    if (c->iat < now - CHALLENGE_WINDOW_S || c->iat > now + CHALLENGE_WINDOW_S)
        return fail(E_challenge_stale);
    return OK;
}
