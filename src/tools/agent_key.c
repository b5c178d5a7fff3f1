#include "config.h"

#include "tools/agent_key.h"

#include "base/secret.h"
#include "hsm/pkcs11.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

struct agent_key {
    EVP_PKEY *file; /* or: */
    struct p11_token *token;
    struct hsm_key *hardware;
    struct pubkey *public;
};

static void bio_free_pointer(BIO **b)
{
    BIO_free(*b);
}
#define AUTO_BIO __attribute__((cleanup(bio_free_pointer))) BIO

static void md_ctx_free_pointer(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}
#define AUTO_MD_CTX __attribute__((cleanup(md_ctx_free_pointer))) EVP_MD_CTX

static void evp_free_pointer(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}
#define AUTO_EVP __attribute__((cleanup(evp_free_pointer))) EVP_PKEY

static result fail_crypto(enum seb_code code)
{
    return fail_foreign(code, FOREIGN_OPENSSL, (uint32_t)ERR_peek_last_error());
}

void agent_key_free(struct agent_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->file);
    if (k->hardware)
        hsm_close(k->hardware);
    else
        pubkey_free(k->public);
    p11_close(k->token);
    free(k);
}

void agent_key_free_pointer(struct agent_key **k)
{
    agent_key_free(*k);
    *k = NULL;
}

static result check_private(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return S_ISREG(st.st_mode) && !(st.st_mode & 077) ? OK : fail(E_bad_value);
}

/* A tool asks nobody: a key under a passphrase can't be used. */
static int no_passphrase(char *to, int n, int writing, void *ctx)
{
    return -1;
}

static result public_of(EVP_PKEY *k, struct pubkey **ret)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(k, &der);
    if (n <= 0)
        return fail_crypto(E_bad_key);
    result r = pubkey_from_spki((struct span){ der, (size_t)n }, ret);
    OPENSSL_free(der);
    return r;
}

static result open_file(const char *path, struct agent_key *k)
{
    AUTO_SECRET *pem = NULL;
    TRY(check_private(path));
    TRY(secret_from_file(path, &pem));
    AUTO_BIO *bio = BIO_new_mem_buf(secret_bytes(pem), (int)secret_size(pem));
    if (!bio)
        return fail(E_no_memory);
    k->file = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    return k->file ? public_of(k->file, &k->public) : fail_crypto(E_bad_key);
}

static result open_hardware(const struct agent_key_args *args, struct agent_key *k)
{
    TRY(p11_open(&(struct p11_args){ .module = args->module, .token = args->token, .pin_file = args->pin_file }, &k->token));
    TRY(p11_key(k->token, args->key, &k->hardware));
    k->public = hsm_public(k->hardware);
    return OK;
}

result agent_key_open(const struct agent_key_args *args, struct agent_key **ret)
{
    AUTO_AGENT_KEY *k = calloc(1, sizeof *k);
    if (!k)
        return fail(E_no_memory);
    TRY(args->module ? open_hardware(args, k) : open_file(args->key, k));
    *ret = k;
    k = NULL;
    return OK;
}

struct pubkey *agent_key_public(const struct agent_key *k)
{
    return k->public;
}

static result sign_in_file(const struct agent_key *k, struct span message, uint8_t ret_raw[SIGNATURE_SIZE])
{
    bool p256 = pubkey_alg(k->public) == ALG_ES256;
    uint8_t signature[SIGNATURE_SIZE + 16];
    size_t n = sizeof signature;
    AUTO_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, p256 ? "SHA256" : NULL, NULL, NULL, k->file, NULL) <= 0 ||
        EVP_DigestSign(ctx, signature, &n, message.p, message.n) <= 0)
        return fail_crypto(E_crypto);
    struct span s = { signature, n };
    return p256 ? ecdsa_from_der(s, ret_raw) : span_copy(s, ret_raw, SIGNATURE_SIZE);
}

result agent_key_sign(const struct agent_key *k, struct span message, uint8_t ret_raw[SIGNATURE_SIZE])
{
    if (k->file)
        return sign_in_file(k, message, ret_raw);
    struct digest d = sha256(message);
    return hsm_sign(k->hardware, &d, ret_raw);
}

result agent_key_make(enum alg alg, const char *path)
{
    char *pem = NULL;
    AUTO_EVP *k = alg == ALG_ES256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    AUTO_BIO *bio = BIO_new(BIO_s_secmem());
    if (!k || !bio || PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL) != 1)
        return fail_crypto(E_crypto);
    long n = BIO_get_mem_data(bio, &pem);
    return n > 0 ? file_write(path, (struct span){ (const uint8_t *)pem, (size_t)n }, 0600, false) : fail(E_crypto);
}
