/* RFC 8785 form. Our own formats have it without its numbers beyond integers. */
#include "config.h"

#include "base/json.h"

#include <math.h>
#include <stdlib.h>

/* Far above every message and record; only a bound. */
#define CANONICAL_MAX ((size_t)1 << 24)

/* How much of it: our own formats', or what others write. */
struct form {
    unsigned depth_max;
    bool reals;
};
static const struct form own = { JSON_DEPTH_MAX, false }, foreign = { JSON_FOREIGN_DEPTH_MAX, true };

static result put_value(const struct form *f, const json_t *v, unsigned depth, struct buf *out);

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

static result put_object(const struct form *f, const json_t *o, unsigned depth, struct buf *out)
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
        TRY(put_value(f, members[i].value, depth, out));
    }
    return buf_u8(out, '}');
}

static result put_array(const struct form *f, const json_t *a, unsigned depth, struct buf *out)
{
    size_t i;
    json_t *v;
    TRY(buf_u8(out, '['));
    json_array_foreach (a, i, v) {
        if (i)
            TRY(buf_u8(out, ','));
        TRY(put_value(f, v, depth, out));
    }
    return buf_u8(out, ']');
}

static result put_integer(json_int_t n, struct buf *out)
{
    if (n < -JSON_INT_MAX || n > JSON_INT_MAX)
        return fail(E_not_integer);
    return buf_printf(out, "%" JSON_INTEGER_FORMAT, n);
}

/* A decimal of one digit before the point, as "%e" writes it: its digits into digits, and the exponent of the first. */
static struct span decimal_read(const char *text, char digits[18], int *ret_exponent)
{
    size_t n = 0;
    for (; *text != 'e'; text++)
        if (*text != '.' && n < 18)
            digits[n++] = *text;
    *ret_exponent = (int)strtol(text + 1, NULL, 10);
    return (struct span){ (const uint8_t *)digits, n };
}

static result put_zeros(int n, struct buf *out)
{
    for (int i = 0; i < n; i++)
        TRY(buf_u8(out, '0'));
    return OK;
}

/* ECMA-262, Number::toString, from the digits and the place n of the decimal point behind the first of them. */
static result put_decimal(struct span digits, int n, struct buf *out)
{
    int k = (int)digits.n;
    if (n > 21 || n <= -6) {
        TRY(buf_put(out, span_part(digits, 0, 1)));
        if (k > 1)
            TRY(buf_u8(out, '.'));
        TRY(buf_put(out, span_part(digits, 1, digits.n)));
        return buf_printf(out, "e%+d", n - 1);
    }
    if (n <= 0) {
        TRY(buf_text(out, "0."));
        TRY(put_zeros(-n, out));
        return buf_put(out, digits);
    }
    TRY(buf_put(out, span_part(digits, 0, (size_t)n)));
    if (k > n)
        TRY(buf_u8(out, '.'));
    TRY(buf_put(out, span_part(digits, (size_t)n, digits.n)));
    return put_zeros(n - k, out);
}

/* RFC 8785 section 3.2.2.3: the fewest digits that read back as the same double. */
static result put_real(double v, struct buf *out)
{
    char text[32], digits[18];
    int exponent, precision = 0;
    if (!isfinite(v))
        return fail(E_not_integer);
    if (v == 0)
        return buf_u8(out, '0');
    if (v < 0)
        TRY(buf_u8(out, '-'));
    do
        snprintf(text, sizeof text, "%.*e", precision, fabs(v));
    while (strtod(text, NULL) != fabs(v) && ++precision < 17);
    struct span s = decimal_read(text, digits, &exponent);
    return put_decimal(s, exponent + 1, out);
}

/* depth: how many objects and arrays hold v. */
static result put_value(const struct form *f, const json_t *v, unsigned depth, struct buf *out)
{
    if (!v)
        return fail(E_bad_type);
    if (depth == f->depth_max && (json_is_object(v) || json_is_array(v)))
        return fail(E_too_deep);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return put_object(f, v, depth + 1, out);
    case JSON_ARRAY:
        return put_array(f, v, depth + 1, out);
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
        return f->reals ? put_real(json_real_value(v), out) : fail(E_not_integer);
    }
}

result json_canonical(const json_t *v, struct buf *out)
{
    size_t before = out->n;
    result r = put_value(&own, v, 0, out);
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

result json_foreign_digest(const json_t *v, struct digest *ret)
{
    AUTO_BUF text = BUF(CANONICAL_MAX);
    TRY(put_value(&foreign, v, 0, &text));
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
