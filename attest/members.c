#include "config.h"

#include "attest/members.h"

struct log_state log_state_empty(void)
{
    return (struct log_state){ .size = 0, .root = sha256((struct span){ NULL, 0 }) };
}

result member_text(const json_t *o, const char *name, size_t max, char *ret)
{
    const char *text;
    TRY(json_text(o, name, max, &text));
    struct span s = span_text(text);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            return fail(E_bad_value);
    return span_copy_text(s, ret, max + 1);
}

result member_count(const json_t *o, const char *name, uint64_t *ret)
{
    int64_t v;
    TRY(json_int(o, name, 0, JSON_INT_MAX, &v));
    *ret = (uint64_t)v;
    return OK;
}

result put_count(json_t *o, const char *name, uint64_t v)
{
    if (v > (uint64_t)JSON_INT_MAX)
        return fail(E_bad_value);
    return json_put_int(o, name, (int64_t)v);
}

result member_fixed(const json_t *o, const char *name, void *ret, size_t n)
{
    const char *text;
    TRY(json_text(o, name, B64URL_LEN(n), &text));
    return b64url_fixed(span_text(text), ret, n);
}

result member_digest_or_null(const json_t *o, const char *name, bool *ret_has, struct digest *ret)
{
    if (json_is_null(json_object_get(o, name))) {
        *ret_has = false;
        return OK;
    }
    TRY(json_digest_at(o, name, ret));
    *ret_has = true;
    return OK;
}

result put_digest_or_null(json_t *o, const char *name, bool has, const struct digest *d)
{
    return has ? json_put_digest(o, name, d) : json_put_new(o, name, json_null());
}

result member_log_state(const json_t *v, struct log_state *ret)
{
    struct log_state s;
    TRY(json_closed(v, (const char *const[]){ "root", "size", NULL }));
    TRY(member_count(v, "size", &s.size));
    TRY(json_digest_at(v, "root", &s.root));
    /* A size of 0 has one root, RFC 9162 section 2.1.1. */
    struct log_state empty = log_state_empty();
    if (s.size == 0 && !digest_equal(&s.root, &empty.root))
        return fail(E_bad_value);
    *ret = s;
    return OK;
}

result put_log_state(json_t *o, const char *name, const struct log_state *s)
{
    AUTO_JSON *v = json_object();
    if (!v)
        return fail(E_no_memory);
    TRY(put_count(v, "size", s->size));
    TRY(json_put_digest(v, "root", &s->root));
    return json_put_new(o, name, json_incref(v));
}
