#include "config.h"

#include "policy/fields.h"

static const char *const risk_names[RISK_LEVELS] = { "L0", "L1", "L2", "L3", "L4", "L5" };

const char *risk_name(enum risk r)
{
    return r < RISK_LEVELS ? risk_names[r] : "?";
}

bool text_equal(const char *a, const char *b)
{
    return span_equal(span_text(a), span_text(b));
}

bool is_name_character(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static result name_copy(struct span s, size_t max, char *ret)
{
    if (s.n == 0)
        return fail(E_bad_value);
    if (s.n > max)
        return fail(E_too_long);
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_character(s.p[i]))
            return fail(E_bad_value);
    ret[s.n] = 0;
    return span_copy(s, ret, s.n);
}

result field_name(const json_t *o, const char *name, size_t max, char *ret)
{
    const char *text;
    TRY(json_text(o, name, max, &text));
    return name_copy(span_text(text), max, ret);
}

result element_name(const json_t *v, size_t max, char *ret)
{
    if (!json_is_string(v))
        return fail(E_bad_type);
    return name_copy(span_text(json_string_value(v)), max, ret);
}

result field_text(const json_t *o, const char *name, size_t max, char *ret)
{
    const char *text;
    TRY(json_text(o, name, max, &text));
    struct span s = span_text(text);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            return fail(E_bad_value);
    ret[s.n] = 0;
    return span_copy(s, ret, s.n);
}

result field_time(const json_t *o, const char *name, int64_t *ret)
{
    return json_int(o, name, 0, JSON_INT_MAX, ret);
}

result field_risk(const json_t *o, const char *name, enum risk *ret)
{
    const char *text;
    TRY(json_text(o, name, 2, &text));
    for (enum risk r = RISK_L0; r < RISK_LEVELS; r++)
        if (text_equal(text, risk_names[r])) {
            *ret = r;
            return OK;
        }
    return fail(E_bad_value);
}

bool etag_is_strong(struct span etag)
{
    if (etag.n < 3 || etag.n > ETAG_LEN || etag.p[0] != '"' || etag.p[etag.n - 1] != '"')
        return false;
    /* etagc without obs-text: what isn't ASCII is not the same bytes to everybody on the way. */
    for (size_t i = 1; i < etag.n - 1; i++)
        if (etag.p[i] < 0x21 || etag.p[i] > 0x7e || etag.p[i] == '"')
            return false;
    return true;
}
