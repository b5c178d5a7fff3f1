/* Public keys: P-256 (ES256) and Ed25519 (EdDSA). Private keys have no type in this folder: they are in hardware (hsm/), or not
 * ours. */
#ifndef SEB_BASE_PUBKEY_H
#define SEB_BASE_PUBKEY_H

#include "base/digest.h"
#include "base/json.h"

enum alg { ALG_ES256 = 1, ALG_EDDSA = 2 };
#define SIGNATURE_SIZE 64 /* both: r and s of 32 bytes, or RFC 8032's */
const char *alg_name(enum alg a); /* "ES256", "EdDSA" (RFC 7518, RFC 8037) */

struct pubkey; /* opaque, immutable, counted; usable by several threads */
void pubkey_free(struct pubkey *k); /* accepts NULL */
void pubkey_free_pointer(struct pubkey **k);
#define AUTO_PUBKEY __attribute__((cleanup(pubkey_free_pointer))) struct pubkey
struct pubkey *pubkey_hold(struct pubkey *k); /* one more owner */

/* Exactly the members of RFC 7638's canonical JWK (kty, crv, x, and y for P-256), points on the curve. bad_key. */
MUST_USE result pubkey_from_jwk(const json_t *jwk, struct pubkey **ret);
MUST_USE result pubkey_from_point(const uint8_t x[32], const uint8_t y[32], struct pubkey **ret); /* P-256 */
MUST_USE result pubkey_from_spki(struct span der, struct pubkey **ret);
MUST_USE result pubkey_from_pem(struct span pem, struct pubkey **ret);
enum alg pubkey_alg(const struct pubkey *k);
const struct digest *pubkey_thumbprint(const struct pubkey *k); /* RFC 7638, SHA-256 */
bool pubkey_equal(const struct pubkey *a, const struct pubkey *b);
MUST_USE result pubkey_jwk(const struct pubkey *k, json_t **ret);
MUST_USE result pubkey_spki(const struct pubkey *k, struct buf *out); /* DER SubjectPublicKeyInfo */
MUST_USE result pubkey_pem(const struct pubkey *k, struct buf *out);
/* Over the message (ES256 hashes it with SHA-256); signature raw, 64 bytes. bad_signature. */
MUST_USE result pubkey_verify(const struct pubkey *k, struct span message, struct span signature);
/* The same with an ASN.1 DER ECDSA signature (P-256 only), as signed notes and TPM tools have it. */
MUST_USE result pubkey_verify_der(const struct pubkey *k, struct span message, struct span der);
/* Raw r and s to ASN.1 DER ECDSA-Sig-Value, and back. */
MUST_USE result ecdsa_to_der(struct span raw, struct buf *out);
MUST_USE result ecdsa_from_der(struct span der, uint8_t raw[SIGNATURE_SIZE]);

/* A bounded cache of parsed keys by thumbprint, for the hot path (parsing a P-256 point costs twice a verification). Owned by
 * one thread. */
struct keycache;
MUST_USE result keycache_new(unsigned keys_max, struct keycache **ret);
void keycache_free(struct keycache *c);
/* The key of this canonical JWK text, parsed or from the cache; *ret is held for the caller, who frees it. */
MUST_USE result keycache_get(struct keycache *c, const json_t *jwk, struct pubkey **ret);

#endif
