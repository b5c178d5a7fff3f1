#include "config.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span span_text(const char *text)
{
    return (struct span){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

bool span_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_text(text));
}

size_t span_find(struct span s, size_t from, uint8_t c)
{
    if (from >= s.n)
        return s.n;
    const uint8_t *hit = memchr(s.p + from, c, s.n - from);
    return hit ? (size_t)(hit - s.p) : s.n;
}

struct span span_part(struct span s, size_t from, size_t n)
{
    if (from >= s.n)
        return (struct span){ NULL, 0 };
    size_t left = s.n - from;
    return (struct span){ s.p + from, n < left ? n : left };
}

result span_copy(struct span s, void *to, size_t n)
{
    if (s.n != n)
        return fail(E_bad_value);
    if (n)
        memcpy(to, s.p, n);
    return OK;
}

result span_copy_text(struct span s, char *to, size_t room)
{
    if (s.n >= room)
        return fail(E_too_long);
    if (s.n && memchr(s.p, 0, s.n))
        return fail(E_bad_value);
    memset(to, 0, room);
    if (s.n)
        memcpy(to, s.p, s.n);
    return OK;
}

result span_dup_text(struct span s, char **ret_text)
{
    if (span_find(s, 0, 0) < s.n)
        return fail(E_bad_value);
    char *text = malloc(s.n + 1);
    if (!text)
        return fail(E_no_memory);
    if (s.n)
        memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *ret_text = text;
    return OK;
}

void free_pointer(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    free(*p);
    *p = NULL;
}

void buf_free(struct buf *b)
{
    free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

/* Makes room for n more bytes. Bounds by subtraction, so that no sum can wrap. */
static result reserve(struct buf *b, size_t n)
{
    if (b->n > b->max || n > b->max - b->n)
        return fail(E_too_long);
    size_t want = b->n + n;
    if (b->p && want <= b->cap)
        return OK;
    size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
    if (cap < 64)
        cap = b->max < 64 ? b->max : 64;
    if (cap < want)
        cap = want;
    uint8_t *p = realloc(b->p, cap ? cap : 1);
    if (!p)
        return fail(E_no_memory);
    b->p = p;
    b->cap = cap;
    return OK;
}

result buf_room(struct buf *b, size_t n, uint8_t **ret_p)
{
    TRY(reserve(b, n));
    memset(b->p + b->n, 0, n);
    *ret_p = b->p + b->n;
    b->n += n;
    return OK;
}

result buf_put(struct buf *b, struct span s)
{
    TRY(reserve(b, s.n));
    if (s.n)
        memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
    return OK;
}

result buf_text(struct buf *b, const char *text)
{
    return buf_put(b, span_text(text));
}

result buf_printf(struct buf *b, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        text = NULL; /* vasprintf(3): undefined on failure */
        return fail(E_no_memory);
    }
    return buf_put(b, (struct span){ (const uint8_t *)text, (size_t)n });
}

static result put_integer(struct buf *b, uint64_t v, unsigned n)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    return buf_put(b, (struct span){ bytes, n });
}

result buf_u8(struct buf *b, uint8_t v)
{
    return put_integer(b, v, 1);
}

result buf_u16(struct buf *b, uint16_t v)
{
    return put_integer(b, v, 2);
}

result buf_u32(struct buf *b, uint32_t v)
{
    return put_integer(b, v, 4);
}

result buf_u64(struct buf *b, uint64_t v)
{
    return put_integer(b, v, 8);
}

static result put_blob(struct buf *b, struct span s, unsigned length_size, uint64_t length_max)
{
    if (s.n > length_max || s.n > SIZE_MAX - length_size)
        return fail(E_too_long);
    TRY(reserve(b, length_size + s.n)); /* both or neither */
    TRY(put_integer(b, s.n, length_size));
    return buf_put(b, s);
}

result buf_blob16(struct buf *b, struct span s)
{
    return put_blob(b, s, 2, UINT16_MAX);
}

result buf_blob32(struct buf *b, struct span s)
{
    return put_blob(b, s, 4, UINT32_MAX);
}

result read_bytes(struct reader *r, size_t n, struct span *ret)
{
    if (r->at > r->s.n || n > r->s.n - r->at)
        return fail(E_truncated);
    *ret = n ? (struct span){ r->s.p + r->at, n } : (struct span){ NULL, 0 };
    r->at += n;
    return OK;
}

static result read_integer(struct reader *r, unsigned n, uint64_t *ret)
{
    struct span s;
    TRY(read_bytes(r, n, &s));
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | s.p[i];
    *ret = v;
    return OK;
}

result read_u8(struct reader *r, uint8_t *ret)
{
    uint64_t v;
    TRY(read_integer(r, 1, &v));
    *ret = (uint8_t)v;
    return OK;
}

result read_u16(struct reader *r, uint16_t *ret)
{
    uint64_t v;
    TRY(read_integer(r, 2, &v));
    *ret = (uint16_t)v;
    return OK;
}

result read_u32(struct reader *r, uint32_t *ret)
{
    uint64_t v;
    TRY(read_integer(r, 4, &v));
    *ret = (uint32_t)v;
    return OK;
}

result read_u64(struct reader *r, uint64_t *ret)
{
    return read_integer(r, 8, ret);
}

result read_copy(struct reader *r, void *to, size_t n)
{
    struct span s;
    TRY(read_bytes(r, n, &s));
    return span_copy(s, to, n);
}

static result read_blob(struct reader *r, unsigned length_size, size_t max, struct span *ret)
{
    struct reader ahead = *r;
    uint64_t n;
    struct span s;
    TRY(read_integer(&ahead, length_size, &n));
    if (n > max)
        return fail(E_too_long);
    TRY(read_bytes(&ahead, (size_t)n, &s));
    *r = ahead;
    *ret = s;
    return OK;
}

result read_blob16(struct reader *r, size_t max, struct span *ret)
{
    return read_blob(r, 2, max, ret);
}

result read_blob32(struct reader *r, size_t max, struct span *ret)
{
    return read_blob(r, 4, max, ret);
}

result read_end(const struct reader *r)
{
    return r->at == r->s.n ? OK : fail(E_trailing_bytes);
}
