/* Bytes that must not leak: on locked pages that are left out of core dumps, wiped on free, compared in constant time. There
 * is no copy function and no print function. */
#ifndef SEB_BASE_SECRET_H
#define SEB_BASE_SECRET_H

#include "base/bytes.h"

struct secret; /* opaque */
#define SECRET_MAX 131072
#define SECRET_FILE_MAX 65536

/* Room for n bytes, zeroed. The caller frees it. no_memory where the pages can't be locked: there is no unlocked fallback. */
MUST_USE result secret_new(size_t n, struct secret **ret);
void secret_free(struct secret *s); /* wipes; accepts NULL */
void secret_free_pointer(struct secret **s);
#define AUTO_SECRET __attribute__((cleanup(secret_free_pointer))) struct secret
uint8_t *secret_bytes(struct secret *s);
size_t secret_size(const struct secret *s);
void secret_shrink(struct secret *s, size_t n); /* to n bytes, wiping the rest */
bool secret_equal(const struct secret *a, struct span b);
/* A file's content without one trailing newline. */
MUST_USE result secret_from_file(const char *path, struct secret **ret);
void wipe(void *p, size_t n);
/* No core dumps, not dumpable, no new privileges: each main of the broker calls it first. */
MUST_USE result process_harden(void);

#endif
