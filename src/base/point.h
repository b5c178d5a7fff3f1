/* Public keys as bare coordinates, for the files of pubkey alone: their written forms (key_forms.c), their check (ed25519.c). */
#ifndef SEB_BASE_POINT_H
#define SEB_BASE_POINT_H

#include "base/pubkey.h"

struct point {
    enum alg alg;
    uint8_t x[32]; /* Ed25519: RFC 8032's encoding of the point */
    uint8_t y[32]; /* P-256 only */
};

/* Closed JWK to point; coordinates are not yet known to be on the curve. bad_key. */
MUST_USE result point_from_jwk(const json_t *jwk, struct point *ret);
/* RFC 7638 section 3.2: the required members in lexical order, without white space. Also RFC 8785 form. */
MUST_USE result point_jwk_text(const struct point *p, struct buf *out);
MUST_USE result point_thumbprint(const struct point *p, struct digest *ret);
const struct point *pubkey_point(const struct pubkey *k);
MUST_USE result pubkey_from_parts(const struct point *p, struct pubkey **ret);

/* Whether these 32 bytes are the canonical encoding of a point of edwards25519 that isn't of small order. */
bool ed25519_is_good_point(const uint8_t encoded[32]);

#endif
