#include "config.h"

#include "attest/credential.h"
#include "attest/tpmt_public.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/random.h"

#define SEED_MAX 48
#define LABEL_MAX 16
#define NONCES_MAX 128 /* both context parts of a KDF */

/* What an EK's nameAlg and cipher mean. */
struct suite {
    const EVP_MD *md;
    const EVP_CIPHER *cipher;
    unsigned digest_n, key_n;
};

static struct suite suite_of(const struct storage_public *p)
{
    return (struct suite){
        .md = p->name_alg == TPM_SHA384 ? EVP_sha384() : EVP_sha256(),
        .cipher = p->aes_bits == 256 ? EVP_aes_256_cfb128() : EVP_aes_128_cfb128(),
        .digest_n = p->name_alg == TPM_SHA384 ? 48 : 32,
        .key_n = p->aes_bits / 8u,
    };
}

static result done(bool worked)
{
    ERR_clear_error();
    return worked ? OK : fail(E_crypto);
}

static result hmac(const struct suite *s, struct span key, struct span data, uint8_t ret[SEED_MAX])
{
    size_t n = 0;
    const char *name = EVP_MD_get0_name(s->md);
    return done(EVP_Q_mac(NULL, "HMAC", NULL, name, NULL, key.p, key.n, data.p, data.n, ret, SEED_MAX, &n) && n == s->digest_n);
}

/* Part 1, section 11.4.10.2: KDFa, one block, for no key here is longer than a digest. Labels end with a zero byte. */
static result kdfa(
    const struct suite *s, struct span key, const char *label, struct span context, unsigned bits, uint8_t ret[SEED_MAX])
{
    AUTO_BUF input = BUF(LABEL_MAX + NONCES_MAX + 8);
    TRY(buf_u32(&input, 1));
    TRY(buf_text(&input, label));
    TRY(buf_u8(&input, 0));
    TRY(buf_put(&input, context));
    TRY(buf_u32(&input, bits));
    return hmac(s, key, buf_span(&input), ret);
}

/* Part 1, section 11.4.10.3: KDFe, one block. */
static result kdfe(const struct suite *s, struct span z, const char *label, struct span u, struct span v, uint8_t ret[SEED_MAX])
{
    AUTO_BUF input = BUF(LABEL_MAX + NONCES_MAX + 64);
    unsigned n = 0;
    TRY(buf_u32(&input, 1));
    TRY(buf_put(&input, z));
    TRY(buf_text(&input, label));
    TRY(buf_u8(&input, 0));
    TRY(buf_put(&input, u));
    TRY(buf_put(&input, v));
    bool worked = EVP_Digest(input.p, input.n, ret, &n, s->md, NULL) == 1 && n == s->digest_n;
    wipe(input.p, input.n);
    return done(worked);
}

/* A coordinate at its whole length (Part 1, annex C.8: leading zeros count). */
static result put_coordinate(struct span s, unsigned n, struct buf *out)
{
    while (n > s.n) {
        TRY(buf_u8(out, 0));
        n--;
    }
    return buf_put(out, s);
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(const struct storage_public *p)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(p->modulus.p, (int)p->modulus.n, NULL);
    EVP_PKEY *key = NULL;
    if (build && n && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, 65537) == 1)
        key = from_parameters("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    return key;
}

static const char *group_name(const struct storage_public *p)
{
    return p->curve == TPM_P384 ? "P-384" : "P-256";
}

static EVP_PKEY *ec_key(const struct storage_public *p)
{
    const unsigned n = storage_coordinate_size(p);
    AUTO_BUF point = BUF(1 + 2 * COORDINATE_MAX);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    bool put = is_ok(buf_u8(&point, 0x04)) && is_ok(put_coordinate(p->x, n, &point)) && is_ok(put_coordinate(p->y, n, &point));
    if (build && put && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group_name(p), 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) == 1)
        key = from_parameters("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/* Part 1, annex B.4: OAEP with the nameAlg and the label, whose zero byte is a part of it. The library frees its copy of the label.
 */
static bool oaep(EVP_PKEY_CTX *ctx, const struct suite *s, struct span seed, uint8_t *to, size_t *n)
{
    static const char label[] = "IDENTITY";
    char *copy = OPENSSL_memdup(label, sizeof label);
    if (!copy)
        return false;
    bool ready = EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_rsa_oaep_md(ctx, s->md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, s->md) == 1;
    if (!ready || EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, sizeof label) != 1) {
        OPENSSL_free(copy);
        return false;
    }
    return EVP_PKEY_encrypt(ctx, to, n, seed.p, seed.n) == 1;
}

static result seed_for_rsa(const struct storage_public *p, const struct suite *s, uint8_t seed[SEED_MAX], struct buf *out)
{
    uint8_t encrypted[CREDENTIAL_SEED_MAX];
    size_t n = sizeof encrypted;
    TRY(random_bytes(seed, s->digest_n));
    EVP_PKEY *key = rsa_key(p);
    EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    bool worked = ctx && oaep(ctx, s, (struct span){ seed, s->digest_n }, encrypted, &n);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    TRY(done(worked));
    return buf_put(out, (struct span){ encrypted, n });
}

static bool coordinate_of(const EVP_PKEY *k, const char *name, unsigned n, uint8_t to[COORDINATE_MAX])
{
    BIGNUM *v = NULL;
    bool got = EVP_PKEY_get_bn_param(k, name, &v) == 1 && BN_bn2binpad(v, to, (int)n) == (int)n;
    BN_free(v);
    return got;
}

static bool agree(EVP_PKEY *mine, EVP_PKEY *theirs, uint8_t z[COORDINATE_MAX], size_t n)
{
    size_t got = COORDINATE_MAX;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
    bool agreed = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
                  EVP_PKEY_derive(ctx, z, &got) == 1 && got == n;
    EVP_PKEY_CTX_free(ctx);
    return agreed;
}

/* Part 1, annex C.6.1: one-pass ECDH with a key of this one use; the seed is KDFe over the shared x and both keys' x. The encrypted
 * secret is that key's point (TPMS_ECC_POINT). */
static result seed_for_ecc(const struct storage_public *p, const struct suite *s, uint8_t seed[SEED_MAX], struct buf *out)
{
    const unsigned n = storage_coordinate_size(p);
    uint8_t x[COORDINATE_MAX], y[COORDINATE_MAX], z[COORDINATE_MAX];
    AUTO_BUF ek_x = BUF(COORDINATE_MAX);
    TRY(put_coordinate(p->x, n, &ek_x));
    EVP_PKEY *theirs = ec_key(p), *mine = EVP_EC_gen(group_name(p));
    bool worked = theirs && mine && agree(mine, theirs, z, n) && coordinate_of(mine, OSSL_PKEY_PARAM_EC_PUB_X, n, x) &&
                  coordinate_of(mine, OSSL_PKEY_PARAM_EC_PUB_Y, n, y);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    result r = done(worked);
    if (is_ok(r))
        r = kdfe(s, (struct span){ z, n }, "IDENTITY", (struct span){ x, n }, buf_span(&ek_x), seed);
    wipe(z, sizeof z);
    TRY(r);
    TRY(buf_blob16(out, (struct span){ x, n }));
    return buf_blob16(out, (struct span){ y, n });
}

/* Part 1, section 24.4: the identity, TPM2B_DIGEST of the secret, in CFB with a zero IV under KDFa(seed, "STORAGE", Name). */
static result encrypt_identity(const struct suite *s, struct span seed, struct span name, struct span secret, struct buf *out)
{
    static const uint8_t iv[16] = { 0 };
    uint8_t key[SEED_MAX], *to;
    int n = 0;
    AUTO_BUF identity = BUF(2 + CREDENTIAL_SECRET_SIZE);
    TRY(buf_blob16(&identity, secret));
    TRY(kdfa(s, seed, "STORAGE", name, s->key_n * 8, key));
    TRY(buf_room(out, identity.n, &to));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool worked = ctx && EVP_EncryptInit_ex2(ctx, s->cipher, key, iv, NULL) == 1 &&
                  EVP_EncryptUpdate(ctx, to, &n, identity.p, (int)identity.n) == 1 && (size_t)n == identity.n;
    EVP_CIPHER_CTX_free(ctx);
    wipe(key, sizeof key);
    wipe(identity.p, identity.n);
    return done(worked);
}

/* Part 1, section 24.5: HMAC under KDFa(seed, "INTEGRITY") over the encrypted identity and the Name, before the identity. */
static result wrap(const struct suite *s, struct span seed, struct span name, struct span secret, struct buf *out)
{
    AUTO_BUF identity = BUF(CREDENTIAL_MAX), authenticated = BUF(CREDENTIAL_MAX);
    uint8_t key[SEED_MAX], mac[SEED_MAX];
    TRY(encrypt_identity(s, seed, name, secret, &identity));
    TRY(buf_put(&authenticated, buf_span(&identity)));
    TRY(buf_put(&authenticated, name));
    TRY(kdfa(s, seed, "INTEGRITY", (struct span){ NULL, 0 }, s->digest_n * 8, key));
    TRY(hmac(s, (struct span){ key, s->digest_n }, buf_span(&authenticated), mac));
    wipe(key, sizeof key);
    TRY(buf_blob16(out, (struct span){ mac, s->digest_n }));
    return buf_put(out, buf_span(&identity));
}

result make_credential(struct span ek_public, const uint8_t ak_name[TPM_NAME_SIZE], struct span secret, struct buf *ret_credential,
    struct buf *ret_encrypted_secret)
{
    struct storage_public p;
    uint8_t seed[SEED_MAX];
    AUTO_BUF credential = BUF(CREDENTIAL_MAX), encrypted = BUF(CREDENTIAL_SEED_MAX);
    TRY(storage_public_read(ek_public, &p));
    const struct suite s = suite_of(&p);
    if (secret.n == 0 || secret.n > CREDENTIAL_SECRET_SIZE)
        return fail(E_bad_value);
    TRY(p.type == TPM_RSA ? seed_for_rsa(&p, &s, seed, &encrypted) : seed_for_ecc(&p, &s, seed, &encrypted));
    result r = wrap(&s, (struct span){ seed, s.digest_n }, (struct span){ ak_name, TPM_NAME_SIZE }, secret, &credential);
    wipe(seed, sizeof seed);
    TRY(r);
    TRY(buf_put(ret_credential, buf_span(&credential)));
    return buf_put(ret_encrypted_secret, buf_span(&encrypted));
}
