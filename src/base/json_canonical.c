/* RFC 8785 form, without its numbers beyond integers. */
#include "config.h"

#include "base/json.h"

#include <stdlib.h>

/* Far above every message and record; only a bound. */
#define CANONICAL_MAX ((size_t)1 << 24)

static result put_value(const json_t *v, unsigned depth, struct buf *out);

/* RFC 8785 section 3.2.2.2: two-character escapes where JSON has one, else \u00xx in lower case, for control characters, quote
 * and backslash; everything else as it is. */
static result put_string(struct span s, struct buf *out)
{
    static const char short_escapes[0x20] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
    size_t plain_from = 0;
    TRY(buf_u8(out, '"'));
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        if (c == 0)
            return fail(E_bad_value); /* json_strict would refuse what we wrote */
        TRY(buf_put(out, span_part(s, plain_from, i - plain_from)));
        plain_from = i + 1;
        if (c >= 0x20)
            TRY(buf_printf(out, "\\%c", c));
        else if (short_escapes[c])
            TRY(buf_printf(out, "\\%c", short_escapes[c]));
        else
            TRY(buf_printf(out, "\\u%04x", c));
    }
    TRY(buf_put(out, span_part(s, plain_from, s.n)));
    return buf_u8(out, '"');
}

/* A lead byte's place in the order of UTF-16 code units (RFC 8785 section 3.2.3). That is the order of UTF-8 bytes, but that
 * U+10000 and above (lead bytes from 0xf0) are written with surrogates, which lie below U+E000 (lead bytes 0xee and 0xef). Bytes
 * that follow a lead byte are below 0xc0, and so out of the question. */
static unsigned utf16_place(uint8_t c)
{
    return c == 0xee || c == 0xef ? c + 0x100u : c;
}

struct member {
    struct span name;
    const json_t *value;
};

static int compare_members(const void *a, const void *b)
{
    struct span x = ((const struct member *)a)->name, y = ((const struct member *)b)->name;
    for (size_t i = 0; i < x.n && i < y.n; i++)
        if (x.p[i] != y.p[i])
            return utf16_place(x.p[i]) < utf16_place(y.p[i]) ? -1 : 1;
    return (x.n > y.n) - (x.n < y.n);
}

static result put_object(const json_t *o, unsigned depth, struct buf *out)
{
    size_t n = json_object_size(o), at = 0;
    AUTO_FREE struct member *members = calloc(n ? n : 1, sizeof *members);
    if (!members)
        return fail(E_no_memory);
    json_t *walked = (json_t *)o; /* Jansson's iterators are not const-correct; nothing is changed */
    for (void *it = json_object_iter(walked); it && at < n; it = json_object_iter_next(walked, it)) {
        members[at].name = (struct span){ (const uint8_t *)json_object_iter_key(it), json_object_iter_key_len(it) };
        members[at++].value = json_object_iter_value(it);
    }
    qsort(members, at, sizeof *members, compare_members);
    TRY(buf_u8(out, '{'));
    for (size_t i = 0; i < at; i++) {
        if (i)
            TRY(buf_u8(out, ','));
        TRY(put_string(members[i].name, out));
        TRY(buf_u8(out, ':'));
        TRY(put_value(members[i].value, depth, out));
    }
    return buf_u8(out, '}');
}

static result put_array(const json_t *a, unsigned depth, struct buf *out)
{
    size_t i;
    json_t *v;
    TRY(buf_u8(out, '['));
    json_array_foreach (a, i, v) {
        if (i)
            TRY(buf_u8(out, ','));
        TRY(put_value(v, depth, out));
    }
    return buf_u8(out, ']');
}

static result put_integer(json_int_t n, struct buf *out)
{
    if (n < -JSON_INT_MAX || n > JSON_INT_MAX)
        return fail(E_not_integer);
    return buf_printf(out, "%" JSON_INTEGER_FORMAT, n);
}

/* depth: how many objects and arrays hold v. */
static result put_value(const json_t *v, unsigned depth, struct buf *out)
{
    if (!v)
        return fail(E_bad_type);
    if (depth == JSON_DEPTH_MAX && (json_is_object(v) || json_is_array(v)))
        return fail(E_too_deep);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return put_object(v, depth + 1, out);
    case JSON_ARRAY:
        return put_array(v, depth + 1, out);
    case JSON_STRING:
        return put_string((struct span){ (const uint8_t *)json_string_value(v), json_string_length(v) }, out);
    case JSON_INTEGER:
        return put_integer(json_integer_value(v), out);
    case JSON_TRUE:
        return buf_text(out, "true");
    case JSON_FALSE:
        return buf_text(out, "false");
    case JSON_NULL:
        return buf_text(out, "null");
    default:
        return fail(E_not_integer); /* a real */
    }
}

result json_canonical(const json_t *v, struct buf *out)
{
    size_t before = out->n;
    result r = put_value(v, 0, out);
    if (!is_ok(r))
        out->n = before;
    return r;
}

result json_digest(const json_t *v, struct digest *ret)
{
    AUTO_BUF text = BUF(CANONICAL_MAX);
    TRY(json_canonical(v, &text));
    *ret = sha256(buf_span(&text));
    return OK;
}

result json_is_canonical(const json_t *v, struct span text)
{
    AUTO_BUF form = BUF(text.n);
    result r = json_canonical(v, &form);
    if (code_of(r) == E_too_long)
        return fail(E_bad_value); /* longer than text, so not equal to it */
    TRY(r);
    return span_equal(buf_span(&form), text) ? OK : fail(E_bad_value);
}
