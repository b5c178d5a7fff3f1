/* The verifier's two keys, in a token or a TPM: one signs challenges, enrolment statements and results, the other nothing but
 * leases. */
#ifndef SEB_VERIFIER_KEYS_H
#define SEB_VERIFIER_KEYS_H

#include "base/jws.h"
#include "verifier/settings.h"

struct keys; /* opaque; of one thread */
/* The codes of hsm/; bad_value where both are one key. */
MUST_USE result keys_open(const struct settings *s, struct keys **ret);
void keys_close(struct keys *k); /* accepts NULL */
void keys_close_pointer(struct keys **k);
#define AUTO_KEYS __attribute__((cleanup(keys_close_pointer))) struct keys
const struct pubkey *keys_result(const struct keys *k); /* live as long as k */
const struct pubkey *keys_lease(const struct keys *k);
/* The JWS of the result key over payload, appended as JSON text; as a compact serialization. After a TPM or token that went away
 * the next call opens it anew. */
MUST_USE result keys_sign(struct keys *k, const char *typ, struct span payload, struct buf *out);
MUST_USE result keys_sign_compact(struct keys *k, const char *typ, struct span payload, struct buf *out);
/* TPM2_PolicySigned's aHash for this session's nonce and this instance's policyRef (attest/policy_digest.h), by the lease key: raw.
 */
MUST_USE result keys_sign_lease(
    struct keys *k, const uint8_t nonce[32], uint32_t seconds, const struct digest *ref, uint8_t ret_raw[SIGNATURE_SIZE]);

#endif
