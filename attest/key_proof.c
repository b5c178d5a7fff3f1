#include "config.h"

#include "attest/key_proof.h"

#include "base/jws.h"

/* TPM 2.0 Part 2, TPMA_OBJECT. */
#define FIXED_TPM (UINT32_C(1) << 1)
#define FIXED_PARENT (UINT32_C(1) << 4)
#define SENSITIVE_DATA_ORIGIN (UINT32_C(1) << 5)
#define USER_WITH_AUTH (UINT32_C(1) << 6)
#define ADMIN_WITH_POLICY (UINT32_C(1) << 7)
#define NO_DA (UINT32_C(1) << 10)
#define RESTRICTED (UINT32_C(1) << 16)
#define SIGN (UINT32_C(1) << 18)
#define IN_TPM (FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | SIGN)
/* How a key's own authorization is given, and whether failures count: says nothing about where it is and what it does. */
#define ANY (USER_WITH_AUTH | ADMIN_WITH_POLICY | NO_DA)

#define PART_MAX 1024
#define NAME_ALG_SHA256 0x000b /* Part 1, section 16: a name is its algorithm and the digest */

struct tpm_evidence {
    struct buf attest, signature, public;
};
static void tpm_evidence_free(struct tpm_evidence *e)
{
    buf_free(&e->attest);
    buf_free(&e->signature);
    buf_free(&e->public);
}
#define AUTO_TPM_EVIDENCE __attribute__((cleanup(tpm_evidence_free))) struct tpm_evidence

static void tpm_public_free(struct tpm_public *p)
{
    pubkey_free(p->key);
}
#define AUTO_TPM_PUBLIC __attribute__((cleanup(tpm_public_free))) struct tpm_public

static result evidence_read(struct span text, struct tpm_evidence *ret)
{
    AUTO_JSON *o = NULL;
    TRY(json_strict(text, KEY_EVIDENCE_MAX, &o));
    TRY(json_is_canonical(o, text));
    TRY(json_closed(o, (const char *const[]){ "attest", "public", "signature", NULL }));
    TRY(json_bytes_at(o, "attest", PART_MAX, &ret->attest));
    TRY(json_bytes_at(o, "public", PART_MAX, &ret->public));
    return json_bytes_at(o, "signature", PART_MAX, &ret->signature);
}

static result put_name(const struct digest *name, uint8_t ret[TPM_NAME_SIZE])
{
    AUTO_BUF b = BUF(TPM_NAME_SIZE);
    TRY(buf_u16(&b, NAME_ALG_SHA256));
    TRY(buf_put(&b, digest_span(name)));
    return span_copy(buf_span(&b), ret, TPM_NAME_SIZE);
}

/* TPM2_Certify by ak of just this public area. */
static result is_certified(const struct tpm_evidence *e, const struct digest *name, const struct pubkey *ak)
{
    struct attest a;
    uint8_t want[TPM_NAME_SIZE];
    TRY(attest_open(buf_span(&e->attest), buf_span(&e->signature), ak, &a));
    TRY(put_name(name, want));
    return !a.is_quote && span_equal(a.name, SPAN(want)) ? OK : fail(E_key_not_certified);
}

static bool is_ours_to_say(result r)
{
    return code_of(r) == E_no_memory || code_of(r) == E_crypto;
}

/* Whatever was wrong with it has the one name; but what failed here is no word about the key. */
static result named(result r, enum seb_code code)
{
    return is_ok(r) || is_ours_to_say(r) ? r : fail(code);
}

result ak_public_check(struct span tpmt_public, uint8_t ret_name[TPM_NAME_SIZE], struct pubkey **ret_key)
{
    AUTO_TPM_PUBLIC p = { 0 };
    TRY(named(tpm_public_open(tpmt_public, &p), E_ak_attributes));
    if ((p.attributes & ~ANY) != (IN_TPM | RESTRICTED))
        return fail(E_ak_attributes);
    TRY(put_name(&p.name, ret_name));
    *ret_key = p.key;
    p.key = NULL;
    return OK;
}

result ak_proof(struct span evidence, uint8_t ret_name[TPM_NAME_SIZE], struct pubkey **ret_key)
{
    AUTO_TPM_EVIDENCE e = { .attest = BUF(PART_MAX), .signature = BUF(PART_MAX), .public = BUF(PART_MAX) };
    AUTO_PUBKEY *key = NULL;
    uint8_t name[TPM_NAME_SIZE];
    TRY(named(evidence_read(evidence, &e), E_key_not_certified));
    TRY(ak_public_check(buf_span(&e.public), name, &key));
    struct digest d = sha256(buf_span(&e.public));
    TRY(named(is_certified(&e, &d, key), E_key_not_certified));
    TRY(span_copy(SPAN(name), ret_name, TPM_NAME_SIZE));
    *ret_key = key;
    key = NULL;
    return OK;
}

result tpm_key_proof(struct span evidence, const struct pubkey *ak, const struct digest *key_policy_, struct pubkey **ret_key)
{
    AUTO_TPM_EVIDENCE e = { .attest = BUF(PART_MAX), .signature = BUF(PART_MAX), .public = BUF(PART_MAX) };
    AUTO_TPM_PUBLIC p = { 0 };
    TRY(named(evidence_read(evidence, &e), E_key_not_certified));
    TRY(named(tpm_public_open(buf_span(&e.public), &p), E_key_not_certified));
    TRY(named(is_certified(&e, &p.name, ak), E_key_not_certified));
    /* Part 1, section 27.3: unrestricted, it can't be made to sign what looks like the TPM's own statements but by the TPM. */
    if ((p.attributes & ~ANY) != IN_TPM)
        return fail(E_key_not_certified);
    /* Part 1, section 19.7: with userWithAuth set, whoever has the (empty) auth value needs no policy. */
    bool bound = !key_policy_ || (span_equal(p.auth_policy, digest_span(key_policy_)) && !(p.attributes & USER_WITH_AUTH));
    if (!bound)
        return fail(E_key_without_policy);
    *ret_key = p.key;
    p.key = NULL;
    return OK;
}

/* A token's statement of a key's attributes: its word, and the broker's, who tried to read the value (docs/attestation.md). */
static result attributes_check(const json_t *o)
{
    static const struct {
        const char *name;
        bool want;
    } stated[] = { { "always_sensitive", true }, { "extractable", false }, { "local", true }, { "never_extractable", true },
        { "sensitive", true } };
    bool value;
    if (json_object_size(o) != sizeof stated / sizeof *stated)
        return fail(E_key_not_certified);
    for (unsigned i = 0; i < sizeof stated / sizeof *stated; i++) {
        TRY(json_flag(o, stated[i].name, &value));
        if (value != stated[i].want)
            return fail(E_key_not_certified);
    }
    return OK;
}

/* hsm_evidence() of a PKCS#11 key: the same key as the statement's jwk. */
static result p11_check(const json_t *o, const struct pubkey *key, struct token_identity *ret)
{
    const json_t *attributes;
    AUTO_BUF spki = BUF(PART_MAX);
    AUTO_PUBKEY *held = NULL;
    TRY(json_closed(o, (const char *const[]){ "attributes", "label", "manufacturer", "model", "serial", "spki", NULL }));
    TRY(json_object_at(o, "attributes", &attributes));
    TRY(attributes_check(attributes));
    TRY(json_bytes_at(o, "spki", PART_MAX, &spki));
    TRY(pubkey_from_spki(buf_span(&spki), &held));
    if (!pubkey_equal(held, key))
        return fail(E_key_not_certified);
    TRY(member_text(o, "manufacturer", sizeof ret->manufacturer - 1, ret->manufacturer));
    TRY(member_text(o, "model", sizeof ret->model - 1, ret->model));
    return member_text(o, "serial", sizeof ret->serial - 1, ret->serial);
}

static bool text_is(const json_t *o, const char *name, const char *want)
{
    const char *text;
    return is_ok(json_text(o, name, DOMAIN_NAME_MAX, &text)) && span_is(span_text(text), want);
}

static result statement_read(
    struct span payload, const char *domain, const char *instance, struct token_identity *ret_token, struct pubkey **ret_key)
{
    AUTO_JSON *o = NULL;
    AUTO_PUBKEY *key = NULL;
    const json_t *jwk, *attributes;
    TRY(json_strict(payload, KEY_EVIDENCE_MAX, &o));
    TRY(json_is_canonical(o, payload));
    TRY(json_closed(o, (const char *const[]){ "attributes", "domain", "instance", "jwk", "use", NULL }));
    if (!text_is(o, "domain", domain) || !text_is(o, "instance", instance) || !text_is(o, "use", "mint"))
        return fail(E_key_not_certified);
    TRY(json_object_at(o, "jwk", &jwk));
    TRY(pubkey_from_jwk(jwk, &key));
    if (pubkey_alg(key) != ALG_ES256)
        return fail(E_key_not_certified);
    TRY(json_object_at(o, "attributes", &attributes));
    TRY(p11_check(attributes, key, ret_token));
    *ret_key = key;
    key = NULL;
    return OK;
}

static result statement_open(struct span text, const struct pubkey *record, const char *domain, const char *instance,
    struct token_identity *ret_token, struct pubkey **ret_key)
{
    AUTO_BUF arena = BUF(KEY_EVIDENCE_MAX);
    struct jws j;
    TRY(jws_parse_text(text, &arena, &j));
    if (j.n != 1)
        return fail(E_key_not_certified);
    TRY(jws_verify(record, TYP_KEY_STATEMENT, j.payload, &j.sig[0]));
    return statement_read(j.payload, domain, instance, ret_token, ret_key);
}

result hsm_key_proof(struct span evidence, const struct pubkey *record, const char *domain, const char *instance,
    struct token_identity *ret_token, struct pubkey **ret_key)
{
    struct token_identity token = { 0 };
    if (span_is(evidence, "{}"))
        return fail(E_key_not_stated);
    TRY(named(statement_open(evidence, record, domain, instance, &token, ret_key), E_key_not_certified));
    *ret_token = token;
    return OK;
}
