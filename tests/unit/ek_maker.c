#include "config.h"

#include "tests/unit/ek_maker.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY 86400

struct test_ek {
    struct buf root, certificate, public;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_ok(result r)
{
    must(is_ok(r));
}

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    must(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

/* The TPM's manufacturer, model and version as a directoryName. */
static void add_tpm_name(X509 *x)
{
    static const char *const attributes[][2] = { { "2.23.133.2.1", "id:00001014" }, { "2.23.133.2.2", "test" },
        { "2.23.133.2.3", "id:1" } };
    X509_NAME *name = X509_NAME_new();
    GENERAL_NAME *general = GENERAL_NAME_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    must(name && general && names);
    for (unsigned i = 0; i < 3; i++) {
        ASN1_OBJECT *oid = OBJ_txt2obj(attributes[i][0], 1);
        must(oid && X509_NAME_add_entry_by_OBJ(name, oid, MBSTRING_UTF8, (const unsigned char *)attributes[i][1], -1, -1, 0) == 1);
        ASN1_OBJECT_free(oid);
    }
    GENERAL_NAME_set0_value(general, GEN_DIRNAME, name);
    must(sk_GENERAL_NAME_push(names, general) > 0 && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, 0) == 1);
    GENERAL_NAMES_free(names);
}

static X509 *certificate(EVP_PKEY *subject, const char *name, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *x = X509_new();
    must(x && X509_set_version(x, X509_VERSION_3) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1) == 1);
    X509_NAME *n = X509_get_subject_name(x);
    must(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1);
    must(X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : n) == 1 && X509_set_pubkey(x, subject) == 1);
    must(ASN1_TIME_set(X509_getm_notBefore(x), TEST_EK_NOW - DAY) && ASN1_TIME_set(X509_getm_notAfter(x), TEST_EK_NOW + DAY));
    add_extension(x, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    add_extension(x, NID_key_usage, issuer ? "critical,keyAgreement" : "critical,keyCertSign");
    if (issuer)
        add_tpm_name(x);
    must(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    return x;
}

static void put_public(const EVP_PKEY *k, struct buf *out)
{
    static const uint8_t policy_a[] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7,
        0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
    static const char *const names[] = { OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y };
    must_ok(buf_u16(out, 0x0023));
    must_ok(buf_u16(out, 0x000b));
    must_ok(buf_u32(out, 0x000300b2));
    must_ok(buf_blob16(out, SPAN(policy_a)));
    static const uint8_t parameters[] = { 0, 0x06, 0, 0x80, 0, 0x43, 0, 0x10, 0, 0x03, 0, 0x10 };
    must_ok(buf_put(out, SPAN(parameters)));
    for (unsigned i = 0; i < 2; i++) {
        BIGNUM *v = NULL;
        uint8_t bytes[32];
        must(EVP_PKEY_get_bn_param(k, names[i], &v) == 1 && BN_bn2binpad(v, bytes, sizeof bytes) == sizeof bytes);
        must_ok(buf_blob16(out, SPAN(bytes)));
        BN_free(v);
    }
}

struct test_ek *test_ek_new(void)
{
    struct test_ek *k = calloc(1, sizeof *k);
    must(k != NULL);
    k->root = k->certificate = k->public = BUF(65536);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *ek = EVP_EC_gen("P-256");
    must(ca_key && ek);
    X509 *ca = certificate(ca_key, "manufacturer", NULL, ca_key), *x = certificate(ek, "ek", ca, ca_key);
    BIO *pem = BIO_new(BIO_s_mem());
    char *text = NULL;
    unsigned char *der = NULL;
    must(pem && PEM_write_bio_X509(pem, ca) == 1);
    long n = BIO_get_mem_data(pem, &text);
    must_ok(buf_put(&k->root, (struct span){ (const uint8_t *)text, (size_t)n }));
    int der_n = i2d_X509(x, &der);
    must(der_n > 0);
    must_ok(buf_put(&k->certificate, (struct span){ der, (size_t)der_n }));
    put_public(ek, &k->public);
    OPENSSL_free(der);
    BIO_free(pem);
    X509_free(x);
    X509_free(ca);
    EVP_PKEY_free(ek);
    EVP_PKEY_free(ca_key);
    return k;
}

void test_ek_free(struct test_ek *k)
{
    buf_free(&k->root);
    buf_free(&k->certificate);
    buf_free(&k->public);
    free(k);
}

struct span test_ek_root(const struct test_ek *k)
{
    return buf_span(&k->root);
}

struct span test_ek_certificate(const struct test_ek *k)
{
    return buf_span(&k->certificate);
}

struct span test_ek_public(const struct test_ek *k)
{
    return buf_span(&k->public);
}
