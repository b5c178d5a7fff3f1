/* Bytes: a view (span), a bounded reader over a view, and a buffer that grows up to a maximum. No other folder calls memcpy,
 * memcmp or strlen. */
#ifndef SEB_BASE_BYTES_H
#define SEB_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/* A view of bytes that somebody else owns. */
struct span {
    const uint8_t *p;
    size_t n;
};
#define SPAN(array) ((struct span){ (const uint8_t *)(array), sizeof(array) })
struct span span_text(const char *text); /* without the NUL; NULL gives an empty span */
bool span_equal(struct span a, struct span b); /* not constant time: never for secrets */
bool span_is(struct span a, const char *text);
/* Position of the first byte c at or after `from`; s.n where there is none. */
size_t span_find(struct span s, size_t from, uint8_t c);
struct span span_part(struct span s, size_t from, size_t n); /* cut to what is there */

/* An owned buffer. Start with BUF(max); it never grows beyond max bytes: a put that would is refused with too_long and
 * leaves it as it was. Integers are big-endian. buf_free accepts a zeroed or freed one. */
struct buf {
    uint8_t *p;
    size_t n, cap, max;
};
#define BUF(maximum) ((struct buf){ .max = (maximum) })
void buf_free(struct buf *b);
#define AUTO_BUF __attribute__((cleanup(buf_free))) struct buf
static inline struct span buf_span(const struct buf *b)
{
    return (struct span){ b->p, b->n };
}
void buf_clear(struct buf *b); /* keeps the memory */
MUST_USE result buf_put(struct buf *b, struct span s);
MUST_USE result buf_text(struct buf *b, const char *text);
MUST_USE result buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
MUST_USE result buf_u8(struct buf *b, uint8_t v);
MUST_USE result buf_u16(struct buf *b, uint16_t v);
MUST_USE result buf_u32(struct buf *b, uint32_t v);
MUST_USE result buf_u64(struct buf *b, uint64_t v);
MUST_USE result buf_blob16(struct buf *b, struct span s); /* u16 length, then the bytes */
MUST_USE result buf_blob32(struct buf *b, struct span s); /* u32 length, then the bytes */
/* Appends n bytes of room, zeroed, and returns where they are (valid until the next put). */
MUST_USE result buf_room(struct buf *b, size_t n, uint8_t **ret_p);
/* A NUL-terminated copy that the caller frees. Refuses bytes with a NUL inside (bad_value). */
MUST_USE result span_dup_text(struct span s, char **ret_text);

/* A cursor over a span. A read that doesn't fit is refused with truncated and moves nothing. Returned spans view the input. */
struct reader {
    struct span s;
    size_t at;
};
static inline struct reader reader_of(struct span s)
{
    return (struct reader){ s, 0 };
}
MUST_USE result read_u8(struct reader *r, uint8_t *ret);
MUST_USE result read_u16(struct reader *r, uint16_t *ret);
MUST_USE result read_u32(struct reader *r, uint32_t *ret);
MUST_USE result read_u64(struct reader *r, uint64_t *ret);
MUST_USE result read_bytes(struct reader *r, size_t n, struct span *ret);
MUST_USE result read_copy(struct reader *r, void *to, size_t n);
MUST_USE result read_blob16(struct reader *r, size_t max, struct span *ret); /* longer than max: too_long */
MUST_USE result read_blob32(struct reader *r, size_t max, struct span *ret);
MUST_USE result read_end(const struct reader *r); /* trailing_bytes where anything is left */

/* Copies whole or not at all: s.n must be n (else bad_value). */
MUST_USE result span_copy(struct span s, void *to, size_t n);

/* Text with its NUL into to[room], zero-filled behind. too_long where it doesn't fit, bad_value where a NUL is inside. */
MUST_USE result span_copy_text(struct span s, char *to, size_t room);

/* base64url without padding (RFC 4648 section 5), canonical only; base64 with padding (section 4); lower-case hex. */
#define B64URL_LEN(n) (((n)*4 + 2) / 3)
MUST_USE result b64url_put(struct buf *out, struct span s);
/* Into B64URL_LEN(s.n) characters at `to`, without a NUL. */
void b64url_chars(struct span s, char *to);
MUST_USE result b64url_read(struct span text, struct buf *out); /* appends */
MUST_USE result b64url_fixed(struct span text, void *to, size_t n); /* exactly n bytes */
MUST_USE result b64_put(struct buf *out, struct span s);
MUST_USE result b64_read(struct span text, struct buf *out);
MUST_USE result hex_put(struct buf *out, struct span s);
MUST_USE result hex_read(struct span text, struct buf *out); /* even length, either case */

/* free() for a cleanup attribute: AUTO_FREE char *text = NULL; */
void free_pointer(void *pointer_to_pointer);
#define AUTO_FREE __attribute__((cleanup(free_pointer)))

/* A file's whole content, at most max bytes (too_long beyond). fail io with errno beside it. */
MUST_USE result file_read(const char *path, size_t max, struct buf *out);
/* Writes a new file with the mode, or replaces it at once (write beside, fsync, rename) where `replace`; else exists. */
MUST_USE result file_write(const char *path, struct span content, unsigned mode, bool replace);

#endif
