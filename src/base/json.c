#include "config.h"

#include "base/json.h"

#include <string.h>

void json_free_pointer(json_t **v)
{
    json_decref(*v);
    *v = NULL;
}

/* What one look at the text, before any parser recurses into it, says: how deep it nests, and whether a number is -0, which
 * Jansson turns into 0. Only as good as the text's syntax, which Jansson judges. */
struct look {
    unsigned depth;
    bool minus_zero;
};

static struct look look_at(struct span text)
{
    struct look look = { 0 };
    unsigned depth = 0;
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '"':
            for (i++; i < text.n && text.p[i] != '"'; i++)
                if (text.p[i] == '\\')
                    i++;
            break;
        case '[':
        case '{':
            if (++depth > look.depth)
                look.depth = depth;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case '-':
            look.minus_zero |= i + 1 < text.n && text.p[i + 1] == '0';
            break;
        default:
            break;
        }
    }
    return look;
}

/* RFC 8785 takes numbers as IEEE 754 doubles: beyond 2^53 - 1 two integers may have one form. */
static bool is_integers_only(const json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    switch (json_typeof(v)) {
    case JSON_REAL:
        return false;
    case JSON_INTEGER:
        return json_integer_value(v) >= -JSON_INT_MAX && json_integer_value(v) <= JSON_INT_MAX;
    case JSON_ARRAY:
        json_array_foreach (v, i, member)
            if (!is_integers_only(member))
                return false;
        return true;
    case JSON_OBJECT:
        json_object_foreach ((json_t *)v, key, member)
            if (!is_integers_only(member))
                return false;
        return true;
    default:
        return true;
    }
}

static enum seb_code code_of_jansson(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return E_no_memory;
    case json_error_stack_overflow:
        return E_too_deep;
    case json_error_invalid_utf8:
        return E_bad_utf8;
    case json_error_end_of_input_expected:
        return E_trailing_bytes;
    case json_error_duplicate_key:
        return E_duplicate_member;
    case json_error_numeric_overflow:
        return E_not_integer;
    default:
        return E_bad_json;
    }
}

result json_strict(struct span text, size_t max, json_t **ret)
{
    json_error_t error;
    if (text.n > max)
        return fail(E_too_long);
    if (span_find(text, 0, 0) < text.n)
        return fail(E_bad_json); /* Jansson 2.14 passes over a NUL behind a number */
    struct look look = look_at(text);
    if (look.depth > JSON_DEPTH_MAX)
        return fail(E_too_deep);
    AUTO_JSON *v = json_loadb(text.n ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES, &error);
    if (!v)
        return fail(code_of_jansson(&error));
    if (look.minus_zero || !is_integers_only(v))
        return fail(E_not_integer);
    *ret = v;
    v = NULL;
    return OK;
}

result json_foreign(struct span text, size_t max, json_t **ret)
{
    json_error_t error;
    if (text.n > max)
        return fail(E_too_long);
    if (span_find(text, 0, 0) < text.n)
        return fail(E_bad_json);
    if (look_at(text).depth > JSON_FOREIGN_DEPTH_MAX)
        return fail(E_too_deep);
    AUTO_JSON *v = json_loadb(
        text.n ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
    if (!v)
        return fail(code_of_jansson(&error));
    *ret = v;
    v = NULL;
    return OK;
}

static bool is_named(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(name, *names))
            return true;
    return false;
}

result json_closed(const json_t *v, const char *const *names)
{
    const char *key;
    json_t *member;
    if (!json_is_object(v))
        return fail(E_bad_type);
    json_object_foreach ((json_t *)v, key, member)
        if (!is_named(key, names))
            return fail(E_unknown_member);
    return OK;
}

static result member_of(const json_t *o, const char *name, json_type type, const json_t **ret)
{
    if (!json_is_object(o))
        return fail(E_bad_type);
    const json_t *v = json_object_get(o, name);
    if (!v)
        return fail(E_missing_member);
    if (json_typeof(v) != type)
        return fail(E_bad_type);
    *ret = v;
    return OK;
}

static struct span string_span(const json_t *v)
{
    return (struct span){ (const uint8_t *)json_string_value(v), json_string_length(v) };
}

result json_text(const json_t *o, const char *name, size_t max, const char **ret)
{
    const json_t *v;
    TRY(member_of(o, name, JSON_STRING, &v));
    struct span s = string_span(v);
    if (s.n == 0 || span_find(s, 0, 0) < s.n)
        return fail(E_bad_value);
    if (s.n > max)
        return fail(E_too_long);
    *ret = json_string_value(v);
    return OK;
}

result json_int(const json_t *o, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const json_t *v;
    TRY(member_of(o, name, JSON_INTEGER, &v));
    int64_t n = json_integer_value(v);
    if (n < min || n > max)
        return fail(E_bad_value);
    *ret = n;
    return OK;
}

result json_flag(const json_t *o, const char *name, bool *ret)
{
    if (!json_is_object(o))
        return fail(E_bad_type);
    const json_t *v = json_object_get(o, name);
    if (!v)
        return fail(E_missing_member);
    if (!json_is_boolean(v))
        return fail(E_bad_type);
    *ret = json_is_true(v);
    return OK;
}

result json_object_at(const json_t *o, const char *name, const json_t **ret)
{
    return member_of(o, name, JSON_OBJECT, ret);
}

result json_array_at(const json_t *o, const char *name, size_t min, size_t max, const json_t **ret)
{
    const json_t *v;
    TRY(member_of(o, name, JSON_ARRAY, &v));
    if (json_array_size(v) < min)
        return fail(E_bad_value);
    if (json_array_size(v) > max)
        return fail(E_too_long);
    *ret = v;
    return OK;
}

result json_digest_at(const json_t *o, const char *name, struct digest *ret)
{
    const json_t *v;
    TRY(member_of(o, name, JSON_STRING, &v));
    return digest_read(string_span(v), ret);
}

result json_bytes_at(const json_t *o, const char *name, size_t max, struct buf *out)
{
    const json_t *v;
    TRY(member_of(o, name, JSON_STRING, &v));
    struct span text = string_span(v);
    if (text.n / 4 > max / 3 || text.n > B64URL_LEN(max))
        return fail(E_too_long);
    return b64url_read(text, out);
}

bool json_has(const json_t *o, const char *name)
{
    return json_object_get(o, name) != NULL;
}

result json_put_new(json_t *o, const char *name, json_t *v)
{
    return json_object_set_new(o, name, v) == 0 ? OK : fail(E_no_memory);
}

result json_put_text(json_t *o, const char *name, const char *text)
{
    return json_put_span(o, name, span_text(text));
}

result json_put_span(json_t *o, const char *name, struct span utf8)
{
    if (span_find(utf8, 0, 0) < utf8.n)
        return fail(E_bad_value);
    const char *text = utf8.n ? (const char *)utf8.p : "";
    json_t *v = json_stringn(text, utf8.n);
    if (v)
        return json_put_new(o, name, v);
    /* Jansson says no more than NULL: what it takes unchecked was only ill-encoded. */
    AUTO_JSON *unchecked = json_stringn_nocheck(text, utf8.n);
    return fail(unchecked ? E_bad_utf8 : E_no_memory);
}

result json_put_int(json_t *o, const char *name, int64_t v)
{
    if (v < -JSON_INT_MAX || v > JSON_INT_MAX)
        return fail(E_not_integer);
    return json_put_new(o, name, json_integer(v));
}

result json_put_flag(json_t *o, const char *name, bool v)
{
    return json_put_new(o, name, json_boolean(v));
}

result json_put_digest(json_t *o, const char *name, const struct digest *d)
{
    char text[DIGEST_TEXT + 1];
    return json_put_text(o, name, digest_text(d, text));
}

result json_put_b64url(json_t *o, const char *name, struct span s)
{
    AUTO_BUF text = BUF(SIZE_MAX);
    TRY(b64url_put(&text, s));
    return json_put_span(o, name, buf_span(&text));
}
