/* The written forms of a public key: JWK, SubjectPublicKeyInfo, PEM. Each key has exactly one in each, and no other is read. */
#include "config.h"

#include "base/point.h"

/* RFC 5480 section 2.1.1 with prime256v1 named, the point uncompressed. */
static const uint8_t p256_spki[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };
/* RFC 8410 section 4. */
static const uint8_t ed25519_spki[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
#define SPKI_MAX 128
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----\n"
#define PEM_END "-----END PUBLIC KEY-----\n"
#define PEM_MAX 1024

/* A JWK member that must be this text. */
static bool member_is(const json_t *jwk, const char *name, const char *want)
{
    const char *text;
    return is_ok(json_text(jwk, name, 16, &text)) && span_is(span_text(text), want);
}

static bool coordinate(const json_t *jwk, const char *name, uint8_t to[32])
{
    const char *text;
    return is_ok(json_text(jwk, name, B64URL_LEN(32), &text)) && is_ok(b64url_fixed(span_text(text), to, 32));
}

result point_from_jwk(const json_t *jwk, struct point *ret)
{
    struct point p = { 0 };
    bool p256 = member_is(jwk, "kty", "EC") && member_is(jwk, "crv", "P-256") && coordinate(jwk, "x", p.x) &&
                coordinate(jwk, "y", p.y) && json_object_size(jwk) == 4;
    bool ed25519 =
        member_is(jwk, "kty", "OKP") && member_is(jwk, "crv", "Ed25519") && coordinate(jwk, "x", p.x) && json_object_size(jwk) == 3;
    if (!p256 && !ed25519)
        return fail(E_bad_key);
    p.alg = p256 ? ALG_ES256 : ALG_EDDSA;
    *ret = p;
    return OK;
}

result point_jwk_text(const struct point *p, struct buf *out)
{
    char x[DIGEST_TEXT + 1] = "", y[DIGEST_TEXT + 1] = "";
    b64url_chars(SPAN(p->x), x);
    b64url_chars(SPAN(p->y), y);
    if (p->alg == ALG_ES256)
        return buf_printf(out, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
    return buf_printf(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
}

result point_thumbprint(const struct point *p, struct digest *ret)
{
    AUTO_BUF text = BUF(256);
    TRY(point_jwk_text(p, &text));
    *ret = sha256(buf_span(&text));
    return OK;
}

result pubkey_from_jwk(const json_t *jwk, struct pubkey **ret)
{
    struct point p;
    TRY(point_from_jwk(jwk, &p));
    return pubkey_from_parts(&p, ret);
}

result pubkey_from_point(const uint8_t x[32], const uint8_t y[32], struct pubkey **ret)
{
    struct point p = { .alg = ALG_ES256 };
    TRY(span_copy((struct span){ x, 32 }, p.x, 32));
    TRY(span_copy((struct span){ y, 32 }, p.y, 32));
    return pubkey_from_parts(&p, ret);
}

result pubkey_jwk(const struct pubkey *k, json_t **ret)
{
    AUTO_BUF text = BUF(256);
    TRY(point_jwk_text(pubkey_point(k), &text));
    return json_strict(buf_span(&text), 256, ret);
}

result pubkey_spki(const struct pubkey *k, struct buf *out)
{
    const struct point *p = pubkey_point(k);
    AUTO_BUF der = BUF(SPKI_MAX);
    TRY(buf_put(&der, p->alg == ALG_ES256 ? SPAN(p256_spki) : SPAN(ed25519_spki)));
    TRY(buf_put(&der, SPAN(p->x)));
    if (p->alg == ALG_ES256)
        TRY(buf_put(&der, SPAN(p->y)));
    return buf_put(out, buf_span(&der));
}

static bool skip(struct reader *r, struct span want)
{
    struct reader ahead = *r;
    struct span got;
    if (!is_ok(read_bytes(&ahead, want.n, &got)) || !span_equal(got, want))
        return false;
    *r = ahead;
    return true;
}

result pubkey_from_spki(struct span der, struct pubkey **ret)
{
    struct reader r = reader_of(der);
    struct point p = { 0 };
    if (skip(&r, SPAN(p256_spki)))
        p.alg = ALG_ES256;
    else if (skip(&r, SPAN(ed25519_spki)))
        p.alg = ALG_EDDSA;
    else
        return fail(E_bad_key);
    if (!is_ok(read_copy(&r, p.x, 32)) || (p.alg == ALG_ES256 && !is_ok(read_copy(&r, p.y, 32))) || !is_ok(read_end(&r)))
        return fail(E_bad_key);
    return pubkey_from_parts(&p, ret);
}

result pubkey_pem(const struct pubkey *k, struct buf *out)
{
    AUTO_BUF der = BUF(SPKI_MAX);
    AUTO_BUF base64 = BUF(PEM_MAX);
    AUTO_BUF pem = BUF(PEM_MAX);
    TRY(pubkey_spki(k, &der));
    TRY(b64_put(&base64, buf_span(&der)));
    TRY(buf_text(&pem, PEM_BEGIN));
    for (size_t at = 0; at < base64.n; at += 64) {
        TRY(buf_put(&pem, span_part(buf_span(&base64), at, 64)));
        TRY(buf_u8(&pem, '\n'));
    }
    TRY(buf_text(&pem, PEM_END));
    return buf_put(out, buf_span(&pem));
}

/* RFC 7468 section 3, lax in line lengths and line ends alone: what openssl pkey -pubout writes. */
result pubkey_from_pem(struct span pem, struct pubkey **ret)
{
    AUTO_BUF text = BUF(PEM_MAX);
    AUTO_BUF base64 = BUF(PEM_MAX);
    AUTO_BUF der = BUF(SPKI_MAX);
    for (size_t i = 0; i < pem.n; i++)
        if (pem.p[i] != '\r' && !is_ok(buf_u8(&text, pem.p[i])))
            return fail(E_bad_key);
    if (text.n && text.p[text.n - 1] != '\n')
        TRY(buf_u8(&text, '\n'));
    struct reader r = reader_of(buf_span(&text));
    if (!skip(&r, span_text(PEM_BEGIN)))
        return fail(E_bad_key);
    while (r.at < text.n && !skip(&r, span_text(PEM_END))) {
        size_t end = span_find(r.s, r.at, '\n');
        TRY(buf_put(&base64, span_part(r.s, r.at, end - r.at)));
        r.at = end + 1;
        if (r.at >= text.n)
            return fail(E_bad_key); /* no end line */
    }
    if (!is_ok(read_end(&r)) || !is_ok(b64_read(buf_span(&base64), &der)))
        return fail(E_bad_key);
    return pubkey_from_spki(buf_span(&der), ret);
}
