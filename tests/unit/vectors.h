/* Reads the JSON files of tests/vectors, which another program made (generate.py there). What fails here ends the test. */
#ifndef SEB_TESTS_VECTORS_H
#define SEB_TESTS_VECTORS_H

#include "base/jws.h"

json_t *vectors_load(const char *name); /* owned by the caller */
/* Members that are there. */
const char *vector_text(const json_t *v, const char *name);
int64_t vector_int(const json_t *v, const char *name);
struct digest vector_digest(const json_t *v, const char *name);
void vector_bytes(const json_t *v, const char *name, struct buf *out); /* base64url, appended */
/* The key of this name in keys.json, held for the caller. */
struct pubkey *vector_key(const char *name);

#endif
