/* Private keys in software, for tests alone: agents' and authorities' signatures. Made anew at each run. What fails here aborts the
 * test. */
#ifndef SEB_TESTS_TESTKEY_H
#define SEB_TESTS_TESTKEY_H

#include "base/jws.h"

struct testkey;
struct testkey *testkey_new(enum alg alg);
void testkey_free(struct testkey *k); /* accepts NULL */
struct pubkey *testkey_public(const struct testkey *k); /* lives as long as k */
void testkey_sign(const struct testkey *k, struct span message, uint8_t raw[SIGNATURE_SIZE]);
/* Appends the JWS, general serialization, with the signatures of n keys (1 to 8) over payload. */
void testkey_jws(struct testkey *const *keys, unsigned n, const char *typ, struct span payload, struct buf *out);

#endif
