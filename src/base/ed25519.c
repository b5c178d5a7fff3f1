/* OpenSSL takes any 32 bytes for an Ed25519 key and finds out at each verification. A key that isn't a point, has a second
 * encoding, or is of small order (for which one can make signatures that fit many messages) is refused at the door instead. */
#include "config.h"

#include "base/point.h"

#include <openssl/bn.h>

static void bn_ctx_free_pointer(BN_CTX **ctx)
{
    if (*ctx)
        BN_CTX_end(*ctx);
    BN_CTX_free(*ctx);
}
#define AUTO_BN_CTX __attribute__((cleanup(bn_ctx_free_pointer))) BN_CTX

/* y of the points of order 4, 1, 8, 8 and 2 (both signs of x), little-endian; p is refused before as not canonical. */
static const uint8_t small_order[][32] = {
    { 0 },
    { 1 },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3,
        0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c,
        0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

static const char p_hex[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
static const char d_hex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

/* RFC 8032 section 5.1.3: y < p, and x^2 = u/v = (y^2 - 1) / (d y^2 + 1) has a root. u/v is a square exactly where u v is. */
static bool is_on_curve(const uint8_t y_bytes[32])
{
    AUTO_BN_CTX *ctx = BN_CTX_new();
    if (!ctx)
        return false;
    BN_CTX_start(ctx);
    BIGNUM *p = BN_CTX_get(ctx), *d = BN_CTX_get(ctx), *y = BN_CTX_get(ctx), *u = BN_CTX_get(ctx), *v = BN_CTX_get(ctx);
    if (!v || !BN_hex2bn(&p, p_hex) || !BN_hex2bn(&d, d_hex) || !BN_lebin2bn(y_bytes, 32, y))
        return false;
    if (BN_cmp(y, p) >= 0)
        return false;
    if (!BN_mod_sqr(u, y, p, ctx) || !BN_mod_mul(v, d, u, p, ctx) || !BN_sub_word(u, 1) || !BN_add_word(v, 1) ||
        !BN_mod_mul(v, u, v, p, ctx))
        return false;
    return BN_kronecker(v, p, ctx) == 1;
}

bool ed25519_is_good_point(const uint8_t encoded[32])
{
    uint8_t y[32];
    for (unsigned i = 0; i < 32; i++)
        y[i] = encoded[i];
    y[31] &= 0x7f; /* the sign of x */
    for (unsigned i = 0; i < sizeof small_order / sizeof *small_order; i++)
        if (span_equal(SPAN(y), SPAN(small_order[i])))
            return false;
    return is_on_curve(y);
}
