#include "config.h"

#include "base/field.h"

#include <stdlib.h>

/* RFC 6901 section 3: '~' stands before 0 or 1 alone. Without '=', so that a claim's "pointer=value" and an absent field's
 * "pointer" are never the same text for two fields; without control characters, since it stands in logs. */
static bool is_pointer(struct span s)
{
    if (s.n == 0 || s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == '=')
            return false;
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    }
    return true;
}

static result pointer_read(const json_t *o, const struct fields *before, struct field *f)
{
    const char *text;
    TRY(json_text(o, "pointer", POINTER_MAX, &text));
    struct span s = span_text(text);
    if (!is_pointer(s))
        return fail(E_bad_value);
    for (unsigned i = 0; i < before->n; i++)
        if (span_is(s, before->field[i].pointer))
            return fail(E_bad_value);
    return span_dup_text(s, &f->pointer);
}

static result value_read(const json_t *value, struct field *f)
{
    AUTO_BUF text = BUF(FIELD_VALUE_MAX);
    TRY(json_canonical(value, &text));
    f->sha256 = sha256(buf_span(&text));
    return span_dup_text(buf_span(&text), &f->value);
}

/* Exactly one of value, sha256 and absent. */
static result rest_read(const json_t *o, struct field *f)
{
    const bool has_value = json_has(o, "value"), has_digest = json_has(o, "sha256");
    f->absent = json_has(o, "absent");
    if (has_value + has_digest + f->absent != 1)
        return fail(has_value || has_digest || f->absent ? E_bad_value : E_missing_member);
    if (has_value)
        return value_read(json_object_get(o, "value"), f);
    if (has_digest)
        return json_digest_at(o, "sha256", &f->sha256);
    bool absent;
    TRY(json_flag(o, "absent", &absent));
    return absent ? OK : fail(E_bad_value);
}

static result list_read(const json_t *list, struct fields *f)
{
    const json_t *one;
    size_t i;
    json_array_foreach (list, i, one) {
        struct field *to = &f->field[i];
        TRY(json_closed(one, (const char *const[]){ "absent", "pointer", "sha256", "value", NULL }));
        TRY(pointer_read(one, f, to));
        f->n++; /* what is half read is freed with the list */
        TRY(rest_read(one, to));
    }
    return OK;
}

result fields_read(const json_t *list, struct fields *ret)
{
    if (!json_is_array(list))
        return fail(E_bad_type);
    const size_t n = json_array_size(list);
    if (n < 1 || n > FIELDS_MAX)
        return fail(n < 1 ? E_bad_value : E_too_long);
    struct fields f = { .field = calloc(n, sizeof *f.field) };
    if (!f.field)
        return fail(E_no_memory);
    result r = list_read(list, &f);
    if (is_ok(r))
        *ret = f;
    else
        fields_free(&f);
    return r;
}

void fields_free(struct fields *f)
{
    for (unsigned i = 0; i < f->n; i++) {
        free(f->field[i].pointer);
        free(f->field[i].value);
    }
    free(f->field);
    *f = (struct fields){ 0 };
}

bool field_holds(const struct field *f, const struct live_field *live)
{
    return f->absent ? !live->exists : live->exists && digest_equal(&f->sha256, &live->sha256);
}

bool fields_hold(const struct fields *f, const struct live_field *live)
{
    for (unsigned i = 0; i < f->n; i++)
        if (!field_holds(&f->field[i], &live[i]))
            return false;
    return true;
}

/* RFC 6901 section 4: "0", or digits that don't begin with 0; "-" names the element behind the last, which isn't there. */
static const json_t *element_at(const json_t *array, struct span token)
{
    size_t at = 0;
    if (token.n == 0 || token.n > 9 || (token.n > 1 && token.p[0] == '0'))
        return NULL;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9')
            return NULL;
        at = at * 10 + (size_t)(token.p[i] - '0');
    }
    return json_array_get(array, at);
}

/* ~1 is '/', ~0 is '~' (RFC 6901 section 4). */
static result unescape(struct span token, struct buf *out)
{
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] != '~') {
            TRY(buf_u8(out, token.p[i]));
            continue;
        }
        if (++i == token.n || (token.p[i] != '0' && token.p[i] != '1'))
            return fail(E_bad_value);
        TRY(buf_u8(out, token.p[i] == '1' ? '/' : '~'));
    }
    return OK;
}

static const json_t *member_at(const json_t *object, struct span token)
{
    AUTO_BUF name = BUF(POINTER_MAX);
    if (!is_ok(unescape(token, &name)))
        return NULL;
    return json_object_getn(object, name.n ? (const char *)name.p : "", name.n);
}

const json_t *json_pointer(const json_t *o, const char *pointer)
{
    struct span s = span_text(pointer);
    if (s.n > POINTER_MAX || (s.n && s.p[0] != '/'))
        return NULL;
    for (size_t at = 0; at < s.n && o;) {
        size_t end = span_find(s, at + 1, '/');
        struct span token = span_part(s, at + 1, end - at - 1);
        o = json_is_object(o) ? member_at(o, token) : json_is_array(o) ? element_at(o, token) : NULL;
        at = end;
    }
    return o;
}
