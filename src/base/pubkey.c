#include "config.h"

#include "base/point.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct pubkey {
    atomic_uint owners;
    struct point point;
    struct digest thumbprint;
    EVP_PKEY *evp;
};

static void pkey_ctx_free_pointer(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}
#define AUTO_PKEY_CTX __attribute__((cleanup(pkey_ctx_free_pointer))) EVP_PKEY_CTX

static void md_ctx_free_pointer(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}
#define AUTO_MD_CTX __attribute__((cleanup(md_ctx_free_pointer))) EVP_MD_CTX

/* OpenSSL's refusals of peers' values stay out of its error queue, where the next caller would find them. */
static result refuse(enum seb_code code)
{
    uint32_t foreign = (uint32_t)ERR_peek_error();
    ERR_clear_error();
    return foreign ? fail_foreign(code, FOREIGN_OPENSSL, foreign) : fail(code);
}

const char *alg_name(enum alg a)
{
    return a == ALG_ES256 ? "ES256" : "EdDSA";
}

void pubkey_free(struct pubkey *k)
{
    if (!k || atomic_fetch_sub(&k->owners, 1) > 1)
        return;
    EVP_PKEY_free(k->evp);
    free(k);
}

void pubkey_free_pointer(struct pubkey **k)
{
    pubkey_free(*k);
    *k = NULL;
}

struct pubkey *pubkey_hold(struct pubkey *k)
{
    atomic_fetch_add(&k->owners, 1);
    return k;
}

/* OpenSSL refuses a P-256 point that isn't on the curve or whose coordinates aren't reduced; with cofactor 1 no more is to be
 * checked (SP 800-56A section 5.6.2.3.4). */
static EVP_PKEY *evp_from_parts(const struct point *p)
{
    static char group[] = "prime256v1";
    uint8_t octets[1 + 64] = { 0x04 }; /* SEC 1 section 2.3.3, uncompressed */
    bool p256 = p->alg == ALG_ES256;
    for (unsigned i = 0; i < 32; i++) {
        octets[1 + i] = p->x[i];
        octets[33 + i] = p->y[i];
    }
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, p256 ? octets : octets + 1, p256 ? 65 : 32),
        p256 ? OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0) : OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *evp = NULL;
    AUTO_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, p256 ? "EC" : "ED25519", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 || EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        return NULL;
    return evp;
}

result pubkey_from_parts(const struct point *p, struct pubkey **ret)
{
    if (p->alg == ALG_EDDSA && !ed25519_is_good_point(p->x))
        return fail(E_bad_key);
    AUTO_PUBKEY *k = calloc(1, sizeof *k);
    if (!k)
        return fail(E_no_memory);
    atomic_init(&k->owners, 1);
    k->point = *p;
    TRY(point_thumbprint(p, &k->thumbprint));
    k->evp = evp_from_parts(p);
    if (!k->evp)
        return refuse(E_bad_key);
    *ret = k;
    k = NULL;
    return OK;
}

enum alg pubkey_alg(const struct pubkey *k)
{
    return k->point.alg;
}

const struct digest *pubkey_thumbprint(const struct pubkey *k)
{
    return &k->thumbprint;
}

const struct point *pubkey_point(const struct pubkey *k)
{
    return &k->point;
}

bool pubkey_equal(const struct pubkey *a, const struct pubkey *b)
{
    return digest_equal(&a->thumbprint, &b->thumbprint);
}

static result verify_es256(const struct pubkey *k, struct span message, struct span signature)
{
    AUTO_BUF der = BUF(SIGNATURE_SIZE + 8);
    TRY(ecdsa_to_der(signature, &der));
    struct digest d = sha256(message);
    AUTO_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    if (!ctx || EVP_PKEY_verify_init(ctx) <= 0)
        return refuse(E_crypto);
    return EVP_PKEY_verify(ctx, der.p, der.n, d.b, sizeof d.b) == 1 ? OK : refuse(E_bad_signature);
}

static result verify_eddsa(const struct pubkey *k, struct span message, struct span signature)
{
    AUTO_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, k->evp, NULL) <= 0)
        return refuse(E_crypto);
    return EVP_DigestVerify(ctx, signature.p, signature.n, message.p, message.n) == 1 ? OK : refuse(E_bad_signature);
}

result pubkey_verify(const struct pubkey *k, struct span message, struct span signature)
{
    if (signature.n != SIGNATURE_SIZE)
        return fail(E_bad_signature);
    return k->point.alg == ALG_ES256 ? verify_es256(k, message, signature) : verify_eddsa(k, message, signature);
}

result pubkey_verify_der(const struct pubkey *k, struct span message, struct span der)
{
    uint8_t raw[SIGNATURE_SIZE];
    if (k->point.alg != ALG_ES256)
        return fail(E_bad_signature);
    TRY(ecdsa_from_der(der, raw));
    return verify_es256(k, message, SPAN(raw));
}
