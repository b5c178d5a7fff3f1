#include "config.h"

#include "tests/unit/testkey.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

struct testkey {
    EVP_PKEY *evp;
    struct pubkey *public;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct testkey *testkey_new(enum alg alg)
{
    struct testkey *k = calloc(1, sizeof *k);
    must(k != NULL);
    k->evp = alg == ALG_ES256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    must(k->evp != NULL);
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->evp, &der);
    must(n > 0 && is_ok(pubkey_from_spki((struct span){ der, (size_t)n }, &k->public)));
    OPENSSL_free(der);
    return k;
}

void testkey_free(struct testkey *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->evp);
    pubkey_free(k->public);
    free(k);
}

struct pubkey *testkey_public(const struct testkey *k)
{
    return k->public;
}

void testkey_sign(const struct testkey *k, struct span message, uint8_t raw[SIGNATURE_SIZE])
{
    bool es256 = pubkey_alg(k->public) == ALG_ES256;
    uint8_t der[128];
    size_t n = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx && EVP_DigestSignInit_ex(ctx, NULL, es256 ? "SHA256" : NULL, NULL, NULL, k->evp, NULL) == 1);
    must(EVP_DigestSign(ctx, der, &n, message.p, message.n) == 1);
    EVP_MD_CTX_free(ctx);
    if (es256)
        must(is_ok(ecdsa_from_der((struct span){ der, n }, raw)));
    else
        must(is_ok(span_copy((struct span){ der, n }, raw, SIGNATURE_SIZE)));
}

void testkey_jws(struct testkey *const *keys, unsigned n, const char *typ, struct span payload, struct buf *out)
{
    struct buf headers[JWS_SIGNATURES_MAX];
    uint8_t signatures[JWS_SIGNATURES_MAX][SIGNATURE_SIZE];
    struct jws jws = { .payload = payload, .n = n };
    must(n <= JWS_SIGNATURES_MAX);
    for (unsigned i = 0; i < n; i++) {
        AUTO_BUF input = BUF(JWS_TEXT_MAX);
        headers[i] = BUF(JWS_HEADER_MAX);
        must(is_ok(jws_header(keys[i]->public, typ, &headers[i])));
        must(is_ok(jws_signing_input(keys[i]->public, typ, payload, &input)));
        testkey_sign(keys[i], buf_span(&input), signatures[i]);
        jws.sig[i].protected_ = buf_span(&headers[i]);
        jws.sig[i].signature = SPAN(signatures[i]);
    }
    must(is_ok(jws_write(&jws, out)));
    for (unsigned i = 0; i < n; i++)
        buf_free(&headers[i]);
}
