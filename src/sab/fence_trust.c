#include "config.h"

#include "attest/evidence.h"
#include "attest/result.h"
#include "sab/fence_trust.h"

#define JWK_MAX 1024
#define CLOCK_SLACK_S 30 /* docs/attestation.md, "Attestation result" */

static result jwk_read(const char *path, struct pubkey **ret)
{
    AUTO_BUF text = BUF(JWK_MAX);
    AUTO_JSON *v = NULL;
    TRY(file_read(path, JWK_MAX, &text));
    TRY(json_strict(buf_span(&text), JWK_MAX, &v));
    return pubkey_from_jwk(v, ret);
}

static struct span trimmed(struct span text)
{
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    return text;
}

static result result_read(const struct fence_trust_args *a, struct result_claims *ret, const char **ret_about)
{
    AUTO_PUBKEY *verifier = NULL;
    AUTO_BUF text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
    struct jws j;
    *ret_about = a->verifier;
    TRY(jwk_read(a->verifier, &verifier));
    *ret_about = a->result;
    TRY(file_read(a->result, JWS_TEXT_MAX, &text));
    TRY(jws_parse_compact(trimmed(buf_span(&text)), &arena, &j));
    return result_open(&j, verifier, ret);
}

static result result_judge(const struct fence_trust_args *a, const struct result_claims *c)
{
    if (c->status != EAR_AFFIRMING)
        return fail(E_attestation_failed);
    if (a->now < c->iat - CLOCK_SLACK_S || a->now >= c->exp)
        return fail(E_attestation_expired);
    return digest_equal(&c->mint, a->kid) ? OK : fail(E_attestation_other_keys);
}

static struct span evidence_of(const struct evidence *e, enum evidence_role role)
{
    return buf_span(&e->key[role].evidence);
}

/* The attestation key that somebody else vouches for is the one that the evidence is of. */
static result ak_of(const struct fence_trust_args *a, const struct evidence *e, const struct result_claims *c,
    uint8_t ret_name[TPM_NAME_SIZE], struct pubkey **ret_ak)
{
    AUTO_PUBKEY *given = NULL, *ak = NULL;
    TRY(jwk_read(a->attestation, &given));
    TRY(ak_proof(evidence_of(e, EVIDENCE_ATTESTATION), ret_name, &ak));
    if (!pubkey_equal(given, ak) || !digest_equal(&c->attestation, pubkey_thumbprint(ak)))
        return fail(E_key_not_certified);
    *ret_ak = ak;
    ak = NULL;
    return OK;
}

/* The authPolicy that approvals of this instance satisfy. */
static result wanted_policy(
    const struct fence_trust_args *a, const struct result_claims *c, const uint8_t ak_name[TPM_NAME_SIZE], struct digest *ret)
{
    AUTO_PUBKEY *policy_key = NULL;
    AUTO_BUF origin = BUF(256);
    struct digest ref;
    TRY(jwk_read(a->policy, &policy_key));
    TRY(buf_printf(&origin, "%s/%s", c->domain, c->instance));
    TRY(buf_u8(&origin, 0));
    TRY(policy_ref((const char *)origin.p, ak_name, &ref));
    return key_policy(policy_key, &ref, ret);
}

static bool is_backend(const struct evidence_key *k, const char *name)
{
    return span_is(span_text(name), k->backend);
}

static result mint_of(const struct evidence *e, const struct result_claims *c, const struct pubkey *ak, const struct digest *policy,
    struct pubkey **ret)
{
    AUTO_PUBKEY *record = NULL;
    struct token_identity token;
    if (is_backend(&e->key[EVIDENCE_MINT], "tpm"))
        return tpm_key_proof(evidence_of(e, EVIDENCE_MINT), ak, policy, ret);
    TRY(tpm_key_proof(evidence_of(e, EVIDENCE_RECORD), ak, policy, &record));
    if (!digest_equal(&c->record, pubkey_thumbprint(record)))
        return fail(E_key_not_certified);
    return hsm_key_proof(evidence_of(e, EVIDENCE_MINT), record, c->domain, c->instance, &token, ret);
}

static result evidence_judge(const struct fence_trust_args *a, const struct result_claims *c, struct pubkey **ret_key)
{
    AUTO_BUF text = BUF(EVIDENCE_TEXT_MAX + 1);
    AUTO_EVIDENCE *e = NULL;
    AUTO_PUBKEY *ak = NULL, *mint = NULL;
    uint8_t ak_name[TPM_NAME_SIZE];
    struct digest policy;
    TRY(file_read(a->evidence, EVIDENCE_TEXT_MAX + 1, &text));
    struct span whole = trimmed(buf_span(&text));
    struct digest d = sha256(whole);
    if (!digest_equal(&d, &c->evidence))
        return fail(E_evidence_mismatch);
    TRY(evidence_parse(whole, &e));
    TRY(ak_of(a, e, c, ak_name, &ak));
    if (a->policy)
        TRY(wanted_policy(a, c, ak_name, &policy));
    TRY(mint_of(e, c, ak, a->policy ? &policy : NULL, &mint));
    if (!digest_equal(pubkey_thumbprint(mint), a->kid))
        return fail(E_key_not_certified);
    *ret_key = mint;
    mint = NULL;
    return OK;
}

result fence_trust(const struct fence_trust_args *a, struct fence_trusted *ret, const char **ret_about)
{
    struct result_claims claims;
    struct fence_trusted trusted = { .key = NULL };
    TRY(result_read(a, &claims, ret_about));
    TRY(result_judge(a, &claims));
    TRY(span_copy_text(span_text(claims.domain), trusted.domain, sizeof trusted.domain));
    TRY(span_copy_text(span_text(claims.instance), trusted.instance, sizeof trusted.instance));
    if (a->evidence) {
        *ret_about = a->evidence;
        TRY(evidence_judge(a, &claims, &trusted.key));
    }
    *ret = trusted;
    return OK;
}
