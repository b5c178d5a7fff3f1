/* SHA-256 (FIPS 180-4), the only digest in seb's own formats. */
#ifndef SEB_BASE_DIGEST_H
#define SEB_BASE_DIGEST_H

#include "base/bytes.h"

#define DIGEST_SIZE 32
#define DIGEST_TEXT 43 /* in base64url */
struct digest {
    uint8_t b[DIGEST_SIZE];
};
/* Digests of what is at hand; can't fail short of a broken crypto library, which aborts. */
struct digest sha256(struct span s);
/* Over the spans one after another. */
struct digest sha256_parts(const struct span *parts, unsigned n);
/* Over what comes piece by piece. */
struct hasher; /* opaque */
MUST_USE result hasher_new(struct hasher **ret);
void hasher_free(struct hasher *h); /* accepts NULL */
void hasher_put(struct hasher *h, struct span s);
struct digest hasher_end(struct hasher *h); /* and begins anew */
/* Of an open executable, as it is measured wherever it is: all of a regular file that isn't empty. io. */
MUST_USE result digest_program(int fd, struct digest *ret);
bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);
/* Base64url text with NUL, into text of at least DIGEST_TEXT + 1 bytes, which it returns. */
const char *digest_text(const struct digest *d, char text[DIGEST_TEXT + 1]);
MUST_USE result digest_read(struct span text, struct digest *ret);
static inline struct span digest_span(const struct digest *d)
{
    return (struct span){ d->b, DIGEST_SIZE };
}

#endif
