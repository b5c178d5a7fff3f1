#include "config.h"

#include "attest/ek.h"
#include "attest/tpmt_public.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define ROOTS_MAX 256
#define CHAIN_DEPTH 6
/* RFC 5280 calls for SHA-256 and 2,048 bits or their like by now; the root's own signature isn't looked at. */
#define SECURITY_LEVEL 2
#define PEM_LABEL "CERTIFICATE"

/* TCG EK Credential Profile, sections 3.2.9 and 3.2.16, OIDs under tcg (2.23.133), as DER contents. */
static const uint8_t oid_manufacturer[] = { 0x67, 0x81, 0x05, 0x02, 0x01 };
static const uint8_t oid_model[] = { 0x67, 0x81, 0x05, 0x02, 0x02 };
static const uint8_t oid_version[] = { 0x67, 0x81, 0x05, 0x02, 0x03 };
static const uint8_t oid_kp_ek[] = { 0x67, 0x81, 0x05, 0x08, 0x01 };

/* TPM 2.0 Part 2, TPMA_OBJECT: what all EK templates have (EK Credential Profile, annex B). */
#define TEMPLATE_ATTRIBUTES UINT32_C(0x000300b2) /* fixedTPM fixedParent sensitiveDataOrigin adminWithPolicy restricted decrypt */
#define USER_WITH_AUTH UINT32_C(0x00000040) /* in the high range (annex B.4) */

/* PolicyA, TPM2_PolicySecret(endorsement) (annex B.6.2), and PolicyB, which is PolicyOR of that and a PolicyAuthorizeNV (B.6.4,
 * B.6.5). */
static const uint8_t policy_a_sha256[] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7,
    0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
static const uint8_t policy_b_sha256[] = { 0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34, 0x24, 0x14, 0xef, 0xcf,
    0xb3, 0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0 };
static const uint8_t policy_b_sha384[] = { 0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a,
    0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09,
    0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12 };

struct ek_roots {
    X509_STORE *store; /* anchors */
    STACK_OF(X509) * others; /* intermediates; owned */
    unsigned n, anchors;
};

static void x509_drop(X509 **x)
{
    X509_free(*x);
}
#define AUTO_X509 __attribute__((cleanup(x509_drop))) X509

void ek_roots_free(struct ek_roots *r)
{
    if (!r)
        return;
    X509_STORE_free(r->store);
    sk_X509_pop_free(r->others, X509_free);
    free(r);
}

void ek_roots_free_pointer(struct ek_roots **r)
{
    ek_roots_free(*r);
    *r = NULL;
}

/* One certificate and nothing behind it; NULL otherwise. */
static X509 *x509_whole(struct span der)
{
    const unsigned char *p = der.p;
    if (der.n == 0 || der.n > LONG_MAX)
        return NULL;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    ERR_clear_error();
    if (x && p == der.p + der.n)
        return x;
    X509_free(x);
    return NULL;
}

static result roots_add(struct ek_roots *r, struct span der)
{
    AUTO_X509 *x = x509_whole(der);
    if (!x || ++r->n > ROOTS_MAX)
        return fail(E_ek_roots_bad);
    if (X509_self_signed(x, 1) == 1) {
        r->anchors++;
        return X509_STORE_add_cert(r->store, x) == 1 ? OK : fail(E_no_memory);
    }
    ERR_clear_error();
    if (sk_X509_push(r->others, x) == 0)
        return fail(E_no_memory);
    x = NULL;
    return OK;
}

/* Each PEM block must be a certificate: a bundle with anything else in it isn't what somebody meant to configure. */
static result roots_add_all(struct ek_roots *r, BIO *bio)
{
    for (;;) {
        char *label = NULL, *header = NULL;
        unsigned char *data = NULL;
        long n = 0;
        int more = PEM_read_bio(bio, &label, &header, &data, &n);
        if (more != 1) {
            bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            ERR_clear_error();
            return ended ? OK : fail(E_ek_roots_bad);
        }
        bool is_certificate = span_is(span_text(label), PEM_LABEL) && header[0] == 0 && n > 0;
        result added = is_certificate ? roots_add(r, (struct span){ data, (size_t)n }) : fail(E_ek_roots_bad);
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(data);
        TRY(added);
    }
}

result ek_roots_read(struct span pem, struct ek_roots **ret)
{
    if (pem.n == 0 || pem.n > EK_ROOTS_MAX)
        return fail(E_ek_roots_bad);
    AUTO_EK_ROOTS *r = calloc(1, sizeof *r);
    if (!r)
        return fail(E_no_memory);
    r->store = X509_STORE_new();
    r->others = sk_X509_new_null();
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!r->store || !r->others || !bio) {
        BIO_free(bio);
        return fail(E_no_memory);
    }
    result added = roots_add_all(r, bio);
    BIO_free(bio);
    TRY(added);
    if (r->anchors == 0)
        return fail(E_ek_roots_bad);
    *ret = r;
    r = NULL;
    return OK;
}

static bool oid_is(const ASN1_OBJECT *o, struct span want)
{
    return span_equal((struct span){ OBJ_get0_data(o), OBJ_length(o) }, want);
}

/* An attribute with a value, anywhere in the name: manufacturers put the three into one relative name or into three. */
static bool name_has(const X509_NAME *name, struct span oid)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
        if (oid_is(X509_NAME_ENTRY_get_object(e), oid) && ASN1_STRING_length(X509_NAME_ENTRY_get_data(e)) > 0)
            return true;
    }
    return false;
}

/* Section 3.2.9: the subject's alternative name holds a directoryName with the TPM's manufacturer, model and version. */
static bool names_a_tpm(const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        found = g->type == GEN_DIRNAME && name_has(g->d.directoryName, SPAN(oid_manufacturer)) &&
                name_has(g->d.directoryName, SPAN(oid_model)) && name_has(g->d.directoryName, SPAN(oid_version));
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* Section 3.2.16: where extended key usage is there, it includes tcg-kp-EKCertificate. */
static bool usage_allows_ek(const X509 *x)
{
    int critical = 0;
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
    if (!usage)
        return critical == -1; /* not there; else there and unreadable, or there twice */
    bool found = false;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage) && !found; i++)
        found = oid_is(sk_ASN1_OBJECT_value(usage, i), SPAN(oid_kp_ek));
    sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
    return found;
}

static bool group_is(const EVP_PKEY *k, const char *want)
{
    char group[32] = "";
    size_t n = 0;
    return EVP_PKEY_get_utf8_string_param(k, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, &n) == 1 &&
           span_is(span_text(group), want);
}

/* The key's kind, and its usage by section 3.2.13: an RSA EK enciphers keys, an ECC one agrees on them; neither signs. */
static bool key_is_good(X509 *x)
{
    const EVP_PKEY *k = X509_get0_pubkey(x);
    uint32_t usage = X509_get_key_usage(x);
    if (!k || usage == UINT32_MAX || (usage & (KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN)))
        return false;
    if (EVP_PKEY_is_a(k, "RSA"))
        return (EVP_PKEY_get_bits(k) == 2048 || EVP_PKEY_get_bits(k) == 3072) && (usage & KU_KEY_ENCIPHERMENT);
    return EVP_PKEY_is_a(k, "EC") && (group_is(k, "prime256v1") || group_is(k, "secp384r1")) && (usage & KU_KEY_AGREEMENT);
}

static bool is_ek_certificate(X509 *x)
{
    bool plain = !(X509_get_extension_flags(x) & (EXFLAG_INVALID | EXFLAG_CA)) && X509_check_ca(x) == 0;
    return plain && X509_get_version(x) == X509_VERSION_3 && key_is_good(x) && names_a_tpm(x) && usage_allows_ek(x);
}

/* What the profile lets be critical and OpenSSL doesn't judge: the subject's alternative name, which is_ek_certificate reads
 * (OpenSSL counts it as handled already), and the subject directory attributes with the TPM's specification (section 3.2.10). */
static bool only_profile_is_critical(const X509 *x)
{
    for (int i = 0; i < X509_get_ext_count(x); i++) {
        X509_EXTENSION *e = X509_get_ext(x, i);
        if (X509_EXTENSION_get_critical(e) && !X509_supported_extension(e) &&
            OBJ_obj2nid(X509_EXTENSION_get_object(e)) != NID_subject_directory_attributes)
            return false;
    }
    return true;
}

static int judge_error(int holds, X509_STORE_CTX *ctx)
{
    bool of_ek =
        X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION && X509_STORE_CTX_get_error_depth(ctx) == 0;
    if (holds || !of_ek || !only_profile_is_critical(X509_STORE_CTX_get_current_cert(ctx)))
        return holds;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static enum seb_code code_of_chain(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return E_ek_certificate_expired;
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
        return E_ek_certificate_bad;
    case X509_V_ERR_OUT_OF_MEM:
        return E_no_memory;
    default:
        return E_ek_chain_unknown;
    }
}

static result chain_check(const struct ek_roots *roots, X509 *x, int64_t now)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (!ctx || X509_STORE_CTX_init(ctx, roots->store, x, roots->others) != 1) {
        X509_STORE_CTX_free(ctx);
        return fail(E_no_memory);
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    X509_VERIFY_PARAM_set_time(param, (time_t)now);
    X509_STORE_CTX_set_verify_cb(ctx, judge_error);
    bool good = X509_verify_cert(ctx) == 1;
    int error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return good && error == X509_V_OK ? OK : fail(code_of_chain(error));
}

static result spki_digest(const X509 *x, struct digest *ret)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    if (n <= 0)
        return fail(E_crypto);
    *ret = sha256((struct span){ der, (size_t)n });
    OPENSSL_free(der);
    return OK;
}

result ek_certificate_check(const struct ek_roots *roots, struct span der, int64_t now, struct ek *ret)
{
    if (der.n > EK_CERTIFICATE_MAX)
        return fail(E_ek_certificate_bad);
    AUTO_X509 *x = x509_whole(der);
    struct ek ek;
    bool good = x && is_ek_certificate(x);
    ERR_clear_error();
    if (!good)
        return fail(E_ek_certificate_bad);
    TRY(chain_check(roots, x, now));
    TRY(spki_digest(x, &ek.spki));
    ek.certificate = sha256(der);
    *ret = ek;
    return OK;
}

/* Annex B: which hash and cipher go with which key, and under what policy. */
static bool is_of_template(const struct storage_public *p)
{
    bool wide = p->rsa_bits == 3072 || p->curve == TPM_P384;
    if ((p->attributes & ~USER_WITH_AUTH) != TEMPLATE_ATTRIBUTES)
        return false;
    if (p->name_alg != (wide ? TPM_SHA384 : TPM_SHA256) || p->aes_bits != (wide ? 256 : 128))
        return false;
    if (wide)
        return (p->attributes & USER_WITH_AUTH) && span_equal(p->auth_policy, SPAN(policy_b_sha384));
    return span_equal(p->auth_policy, p->attributes & USER_WITH_AUTH ? SPAN(policy_b_sha256) : SPAN(policy_a_sha256));
}

static bool number_is(const EVP_PKEY *k, const char *name, struct span want)
{
    BIGNUM *mine = NULL, *theirs = BN_bin2bn(want.p, (int)want.n, NULL);
    bool equal = theirs && EVP_PKEY_get_bn_param(k, name, &mine) == 1 && BN_cmp(mine, theirs) == 0;
    BN_free(mine);
    BN_free(theirs);
    return equal;
}

static bool is_same_key(const EVP_PKEY *k, const struct storage_public *p)
{
    static const uint8_t exponent[] = { 1, 0, 1 };
    if (p->type == TPM_RSA)
        return EVP_PKEY_is_a(k, "RSA") && number_is(k, OSSL_PKEY_PARAM_RSA_N, p->modulus) &&
               number_is(k, OSSL_PKEY_PARAM_RSA_E, SPAN(exponent));
    return EVP_PKEY_is_a(k, "EC") && group_is(k, p->curve == TPM_P384 ? "secp384r1" : "prime256v1") &&
           number_is(k, OSSL_PKEY_PARAM_EC_PUB_X, p->x) && number_is(k, OSSL_PKEY_PARAM_EC_PUB_Y, p->y);
}

result ek_public_check(struct span der, struct span tpmt_public)
{
    AUTO_X509 *x = x509_whole(der);
    struct storage_public p;
    if (!x || !X509_get0_pubkey(x))
        return fail(E_ek_certificate_bad);
    TRY(storage_public_read(tpmt_public, &p));
    if (!is_of_template(&p))
        return fail(E_ek_attributes);
    bool same = is_same_key(X509_get0_pubkey(x), &p);
    ERR_clear_error();
    return same ? OK : fail(E_ek_mismatch);
}
