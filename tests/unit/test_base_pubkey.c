#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/testkey.h"

#include <openssl/bn.h>
#include <openssl/pem.h>

/* RFC 7515 appendix A.3 */
#define A3_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define A3_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define A3_JWK "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y "\"}"
#define A3_INPUT \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define A3_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
/* RFC 8037 appendix A.2, A.3; the key of RFC 8032 section 7.1, TEST 1 */
#define OKP_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define OKP_JWK "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" OKP_X "\"}"
#define OKP_THUMBPRINT "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ONES "__________________________________________8"

static struct pubkey *key_of(const char *jwk)
{
    AUTO_JSON *v = NULL;
    struct pubkey *k = NULL;
    if (!is_ok(json_strict(span_text(jwk), 1024, &v)) || !is_ok(pubkey_from_jwk(v, &k)))
        return NULL;
    return k;
}

static const char *const bad_jwks[] = {
    "[]",
    "{}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_X "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y "\",\"kid\":\"1\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y "\",\"d\":\"" A3_X "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y "\"}",
    "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y "\"}",
    "{\"kty\":\"RSA\",\"crv\":\"P-256\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,\"y\":\"" A3_Y "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_X "=\",\"y\":\"" A3_Y "\"}",
    /* pad bits set; 31 bytes; 33 bytes */
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV\",\"y\":\"" A3_Y "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA\",\"y\":\"" A3_Y "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_X "A\",\"y\":\"" A3_Y "\"}",
    /* not on the curve: exchanged, zero, beyond the field */
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_Y "\",\"y\":\"" A3_X "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZEROS "\",\"y\":\"" ZEROS "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ONES "\",\"y\":\"" ONES "\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" OKP_X "\",\"y\":\"" OKP_X "\"}",
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" OKP_X "\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" OKP_X "\"}",
    "{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" OKP_X "\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"\"}",
    /* no point: y = 2; of small order: y = 0, also with a sign; y = 1; of order 8 */
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ZEROS "\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o\"}",
    /* p - 1, of order 2; p and p + 3, which encode 0 and 3 a second time; 2^255 - 1 */
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7P________________________________________38\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7f________________________________________38\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"8P________________________________________38\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ONES "\"}",
};

static void jwks(struct checks *c)
{
    AUTO_PUBKEY *ec = key_of(A3_JWK);
    AUTO_PUBKEY *okp = key_of(OKP_JWK);
    AUTO_PUBKEY *three = key_of("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}");
    char text[DIGEST_TEXT + 1];
    check_that(c, ec && pubkey_alg(ec) == ALG_ES256, "a P-256 JWK");
    check_that(c, okp && pubkey_alg(okp) == ALG_EDDSA, "an Ed25519 JWK");
    check_that(c, three != NULL, "y = 3 is a point");
    check_that(c, okp && span_is(span_text(digest_text(pubkey_thumbprint(okp), text)), OKP_THUMBPRINT), "RFC 8037's thumbprint");
    check_that(c, ec && okp && pubkey_equal(ec, ec) && !pubkey_equal(ec, okp), "keys compare");
    for (unsigned i = 0; i < sizeof bad_jwks / sizeof *bad_jwks; i++) {
        AUTO_JSON *v = NULL;
        struct pubkey *k = NULL;
        check_that(c, is_ok(json_strict(span_text(bad_jwks[i]), 1024, &v)), "JSON");
        check_code(c, pubkey_from_jwk(v, &k), E_bad_key, bad_jwks[i]);
        pubkey_free(k);
    }
    AUTO_JSON *jwk = NULL;
    AUTO_PUBKEY *back = NULL;
    check_that(
        c, ec && is_ok(pubkey_jwk(ec, &jwk)) && is_ok(pubkey_from_jwk(jwk, &back)) && pubkey_equal(ec, back), "JWK and back");
}

/* A key's written forms are OpenSSL's own, and read back; each truncation, trailing byte or flipped bit is refused. */
static void written(struct checks *c, enum alg alg)
{
    struct testkey *made = testkey_new(alg);
    const struct pubkey *k = testkey_public(made);
    AUTO_BUF der = BUF(256);
    AUTO_BUF pem = BUF(1024);
    AUTO_PUBKEY *back = NULL;
    check_that(c, is_ok(pubkey_spki(k, &der)) && is_ok(pubkey_pem(k, &pem)), "a key is written");
    check_that(c, is_ok(pubkey_from_pem(buf_span(&pem), &back)) && pubkey_equal(back, k), "PEM reads back");
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *openssls = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool same = openssls && PEM_write_bio_PUBKEY(out, openssls) == 1;
    long n = same ? BIO_get_mem_data(out, &text) : 0;
    check_that(
        c, same && span_equal(buf_span(&pem), (struct span){ (uint8_t *)text, (size_t)n }), "PEM is OpenSSL's, byte for byte");
    BIO_free(out);
    BIO_free(bio);
    EVP_PKEY_free(openssls);

    bool refused = true, named = true;
    for (size_t i = 0; i < der.n; i++) {
        AUTO_PUBKEY *cut = NULL;
        refused = refused && code_of(pubkey_from_spki(span_part(buf_span(&der), 0, i), &cut)) == E_bad_key;
    }
    for (size_t i = 0; i < pem.n - 1; i++) {
        AUTO_PUBKEY *cut = NULL;
        refused = refused && code_of(pubkey_from_pem(span_part(buf_span(&pem), 0, i), &cut)) == E_bad_key;
    }
    check_that(c, refused, "each truncation is refused");
    for (size_t bit = 0; bit < der.n * 8; bit++) {
        AUTO_PUBKEY *other = NULL;
        der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        result r = pubkey_from_spki(buf_span(&der), &other);
        der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* An Ed25519 key's flipped bits may make another point, one P-256 coordinate's can't. */
        bool may = alg == ALG_EDDSA && bit / 8 >= der.n - 32;
        named = named && (code_of(r) == E_bad_key || (may && is_ok(r) && !pubkey_equal(other, k)));
    }
    check_that(c, named, "each flipped bit is refused, or makes another key");
    AUTO_PUBKEY *more = NULL;
    check_that(c, is_ok(buf_u8(&der, 0)), "a byte more");
    check_code(c, pubkey_from_spki(buf_span(&der), &more), E_bad_key, "behind an SPKI is refused");
    check_that(c, is_ok(buf_text(&pem, "x\n")), "a line more");
    check_code(c, pubkey_from_pem(buf_span(&pem), &more), E_bad_key, "behind a PEM is refused");
    testkey_free(made);
}

static void known_signatures(struct checks *c)
{
    AUTO_PUBKEY *ec = key_of(A3_JWK);
    AUTO_PUBKEY *okp = key_of(OKP_JWK);
    AUTO_BUF es256 = BUF(64);
    AUTO_BUF eddsa = BUF(64);
    /* RFC 8032 section 7.1, TEST 1: the empty message */
    static const char test1[] =
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
        "be24655141438e7a100b";
    bool read = is_ok(b64url_read(span_text(A3_SIGNATURE), &es256)) && is_ok(hex_read(span_text(test1), &eddsa));
    check_that(c, ec && okp && read, "keys and signatures of the RFCs");
    check_code(c, pubkey_verify(ec, span_text(A3_INPUT), buf_span(&es256)), E_ok, "RFC 7515 A.3 verifies");
    check_code(c, pubkey_verify(okp, span_text(""), buf_span(&eddsa)), E_ok, "RFC 8032 TEST 1 verifies");
    check_code(c, pubkey_verify(okp, span_text("x"), buf_span(&eddsa)), E_bad_signature, "over another message it doesn't");
    check_code(c, pubkey_verify(ec, span_text(""), buf_span(&eddsa)), E_bad_signature, "nor with another key");

    /* RFC 8032 section 5.1.7, step 1: S + L is another text of the same number, and refused. L little-endian. */
    static const uint8_t l[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, [31] = 0x10 };
    unsigned carry = 0;
    for (unsigned i = 0; i < 32; i++) {
        carry += eddsa.p[32 + i] + l[i];
        eddsa.p[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    check_code(c, pubkey_verify(okp, span_text(""), buf_span(&eddsa)), E_bad_signature, "S + L is refused");

    /* RFC 8032 section 7.1, TEST 3 */
    AUTO_BUF key = BUF(64);
    AUTO_PUBKEY *okp3 = NULL;
    buf_clear(&eddsa);
    read =
        is_ok(hex_read(
            span_text("302a300506032b6570032100fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"), &key)) &&
        is_ok(hex_read(span_text("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                                 "4a7c15e9716ed28dc027beceea1ec40a"),
            &eddsa));
    check_that(c, read && is_ok(pubkey_from_spki(buf_span(&key), &okp3)), "an Ed25519 SPKI");
    check_code(c, pubkey_verify(okp3, span_text("\xaf\x82"), buf_span(&eddsa)), E_ok, "RFC 8032 TEST 3 verifies");
}

static void flips(struct checks *c, enum alg alg)
{
    struct testkey *k = testkey_new(alg);
    const struct span message = span_text("message");
    uint8_t raw[SIGNATURE_SIZE + 1] = { 0 };
    testkey_sign(k, message, raw);
    const struct span signature = { raw, SIGNATURE_SIZE };
    check_code(c, pubkey_verify(testkey_public(k), message, signature), E_ok, "a fresh signature verifies");
    bool refused = true;
    for (size_t n = 0; n <= sizeof raw; n++)
        refused = refused && (n == SIGNATURE_SIZE ||
                                 code_of(pubkey_verify(testkey_public(k), message, (struct span){ raw, n })) == E_bad_signature);
    check_that(c, refused, "of another length it doesn't");
    for (unsigned bit = 0; bit < SIGNATURE_SIZE * 8; bit++) {
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused = refused && code_of(pubkey_verify(testkey_public(k), message, signature)) == E_bad_signature;
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_that(c, refused, "with any bit flipped it doesn't");
    testkey_free(k);
}

/* The order of P-256, FIPS 186-4 D.1.2.3 */
static const char order_hex[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

static void ecdsa_edges(struct checks *c)
{
    struct testkey *k = testkey_new(ALG_ES256);
    const struct span message = span_text("message");
    uint8_t raw[64], bad[64];
    testkey_sign(k, message, raw);
    AUTO_BUF order = BUF(32);
    check_that(c, is_ok(hex_read(span_text(order_hex), &order)), "the order");

    /* ECDSA's malleability: n - s is as good. Nothing may take a signature for the name of what it signs. */
    BIGNUM *n = BN_bin2bn(order.p, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
    BN_sub(s, n, s);
    BN_bn2binpad(s, raw + 32, 32);
    BN_free(s);
    BN_free(n);
    check_code(c, pubkey_verify(testkey_public(k), message, SPAN(raw)), E_ok, "n - s verifies as well as s");

    static const char *const names[] = { "r = 0", "s = 0", "r = n", "s = n", "r = 2^256 - 1", "s = 2^256 - 1" };
    for (unsigned i = 0; i < 6; i++) {
        check_that(c, is_ok(span_copy(SPAN(raw), bad, 64)), "a signature");
        for (unsigned j = 0; j < 32; j++)
            bad[i % 2 * 32 + j] = i < 2 ? 0 : i < 4 ? order.p[j] : 0xff;
        check_code(c, pubkey_verify(testkey_public(k), message, SPAN(bad)), E_bad_signature, names[i]);
    }

    AUTO_BUF der = BUF(80);
    uint8_t back[64];
    check_that(c, is_ok(ecdsa_to_der(SPAN(raw), &der)) && is_ok(ecdsa_from_der(buf_span(&der), back)), "raw to DER and back");
    check_that(c, span_equal(SPAN(raw), SPAN(back)), "is the same");
    check_code(c, pubkey_verify_der(testkey_public(k), message, buf_span(&der)), E_ok, "the DER signature verifies");
    bool refused = true, one_form = true;
    for (size_t i = 0; i < der.n; i++)
        refused = refused && code_of(ecdsa_from_der(span_part(buf_span(&der), 0, i), back)) == E_bad_signature;
    check_that(c, refused, "its truncations are refused");
    for (size_t bit = 0; bit < der.n * 8; bit++) {
        AUTO_BUF again = BUF(80);
        der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (is_ok(ecdsa_from_der(buf_span(&der), back)))
            one_form = one_form && is_ok(ecdsa_to_der(SPAN(back), &again)) && span_equal(buf_span(&again), buf_span(&der));
        refused = refused && code_of(pubkey_verify_der(testkey_public(k), message, buf_span(&der))) == E_bad_signature;
        der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_that(c, one_form, "a signature has one DER form");
    check_that(c, refused, "with any bit flipped it doesn't verify");

    static const char *const not_der[] = { "3000", "3006020100020101", "3006020101020100", "3006020181020101", "300702020001020101",
        "3008020101020101 00", "30060201010201010000", "308106020101020101", "30800201010201010000", "3006030101020101",
        "3106020101020101", "3003020101", "3026022200ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff020101" };
    for (unsigned i = 0; i < sizeof not_der / sizeof *not_der; i++) {
        AUTO_BUF bytes = BUF(80);
        if (is_ok(hex_read(span_text(not_der[i]), &bytes)))
            check_code(c, ecdsa_from_der(buf_span(&bytes), back), E_bad_signature, not_der[i]);
    }
    check_code(
        c, ecdsa_from_der((struct span){ (const uint8_t *)"\x30\x06\x02\x01\x01\x02\x01\x01", 8 }, back), E_ok, "1 and 1 in DER");
    check_that(c, back[31] == 1 && back[63] == 1 && back[0] == 0, "are padded to 32 bytes each");

    struct testkey *ed = testkey_new(ALG_EDDSA);
    check_code(c, pubkey_verify_der(testkey_public(ed), message, buf_span(&der)), E_bad_signature, "Ed25519 has no DER signature");
    testkey_free(ed);
    testkey_free(k);
}

static void caches(struct checks *c)
{
    enum { KEYS = 40 };
    struct keycache *cache = NULL;
    struct testkey *keys[KEYS];
    json_t *jwks[KEYS];
    check_code(c, keycache_new(8, &cache), E_ok, "a cache of eight keys");
    bool right = true;
    for (unsigned i = 0; i < KEYS; i++) {
        keys[i] = testkey_new(i % 2 ? ALG_EDDSA : ALG_ES256);
        right = right && is_ok(pubkey_jwk(testkey_public(keys[i]), &jwks[i]));
    }
    for (unsigned i = 0; right && i < 400; i++) {
        AUTO_PUBKEY *got = NULL;
        unsigned which = i * 7 % KEYS;
        right = is_ok(keycache_get(cache, jwks[which], &got)) && pubkey_equal(got, testkey_public(keys[which]));
    }
    check_that(c, right, "gives the right one of forty, each time");
    AUTO_PUBKEY *a = NULL;
    AUTO_PUBKEY *b = NULL;
    check_that(
        c, is_ok(keycache_get(cache, jwks[0], &a)) && is_ok(keycache_get(cache, jwks[0], &b)) && a == b, "and the same again");
    AUTO_JSON *bad = NULL;
    AUTO_PUBKEY *none = NULL;
    check_that(c, is_ok(json_strict(span_text(bad_jwks[13]), 1024, &bad)), "a point off the curve");
    check_code(c, keycache_get(cache, bad, &none), E_bad_key, "isn't cached");
    check_code(c, keycache_get(cache, bad, &none), E_bad_key, "nor the second time");
    keycache_free(cache);
    uint8_t raw[SIGNATURE_SIZE];
    testkey_sign(keys[0], span_text("m"), raw);
    check_code(c, pubkey_verify(a, span_text("m"), SPAN(raw)), E_ok, "a held key outlives the cache");
    for (unsigned i = 0; i < KEYS; i++) {
        json_decref(jwks[i]);
        testkey_free(keys[i]);
    }
    keycache_free(NULL);
    pubkey_free(NULL);
}

int main(void)
{
    struct checks c = { 0 };
    jwks(&c);
    written(&c, ALG_ES256);
    written(&c, ALG_EDDSA);
    known_signatures(&c);
    flips(&c, ALG_ES256);
    flips(&c, ALG_EDDSA);
    ecdsa_edges(&c);
    caches(&c);
    return checks_end(&c);
}
