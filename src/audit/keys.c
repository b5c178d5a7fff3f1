/* The keys of a run: those that the trust file pins, or that lead to them or were led to; proved to be in hardware; and useless
 * without what the policy authority approved. */
#include "config.h"

#include "audit/audit.h"

static const char *const role_names[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };

result key_policy_of(const char *origin, const struct pubkey *policy_key, const uint8_t ak_name[TPM_NAME_SIZE], struct digest *ret)
{
    struct digest ref;
    TRY(policy_ref(origin, ak_name, &ref));
    return key_policy(policy_key, &ref, ret);
}

/* The attestation key comes first: its Name is what the others' policy is for. */
static result prove_attestation(struct audit *a, const struct key_identity *k, struct span evidence, struct pubkey **ret)
{
    uint8_t name[TPM_NAME_SIZE];
    TRY(ak_proof(evidence, name, ret));
    if (!digest_equal(pubkey_thumbprint(*ret), &k->kid))
        return fail(E_key_mismatch);
    ak_name_set(a, name);
    return OK;
}

static result prove_in_tpm(struct audit *a, struct span evidence, struct pubkey **ret)
{
    uint8_t name[TPM_NAME_SIZE];
    struct digest policy;
    if (!ak_name_now(a, name)) /* which was said of the attestation key */
        return tpm_key_proof(evidence, key_now(a, ROLE_ATTESTATION), NULL, ret);
    TRY(key_policy_of(a->trust.origin, a->trust.policy, name, &policy));
    return tpm_key_proof(evidence, key_now(a, ROLE_ATTESTATION), &policy, ret);
}

static result prove(
    struct audit *a, enum key_role role, const struct key_identity *k, struct span evidence, struct run *run, struct pubkey **ret)
{
    const bool in_tpm = span_is(span_text(k->backend), "tpm");
    if (role == ROLE_MINT && span_is(span_text(k->backend), "pkcs11"))
        return hsm_key_proof(evidence, key_now(a, ROLE_RECORD), a->trust.domain, a->trust.instance, &run->token, ret);
    /* Checkpoints and quotes come from the TPM alone. */
    if (!in_tpm)
        return fail(E_unsupported);
    return role == ROLE_ATTESTATION ? prove_attestation(a, k, evidence, ret) : prove_in_tpm(a, evidence, ret);
}

static void report_evidence(struct audit *a, const struct record *r, enum key_role role, result why)
{
    const bool policy = code_of(why) == E_key_without_policy || code_of(why) == E_key_other_policy;
    report_found(&a->report, policy ? FOUND_key_policy : FOUND_key_evidence, at_record(r->index), "%s: %s", role_names[role],
        code_name(code_of(why)));
}

static result key_check(struct audit *a, const struct record *r, enum key_role role, const struct key_identity *k, struct run *run)
{
    AUTO_BUF text = BUF(BLOB_MAX);
    AUTO_PUBKEY *key = NULL;
    bool there;
    if (role == ROLE_MINT) {
        run->token = (struct token_identity){ 0 };
        run->unstated = false;
        pubkey_free(run->mint);
        run->mint = NULL;
    } else if (!digest_equal(&k->kid, pubkey_thumbprint(key_now(a, role))))
        report_found(&a->report, FOUND_key_unknown, at_record(r->index), "%s", role_names[role]);
    TRY(document_raw(a, DOCUMENT_NEEDED, &k->evidence, r->index, &text, &there));
    if (!there)
        return OK;
    result proved = prove(a, role, k, buf_span(&text), run, &key);
    if (is_ok(proved) && !digest_equal(pubkey_thumbprint(key), &k->kid))
        proved = fail(E_key_mismatch);
    if (!is_ok(proved) && !is_exports_fault(proved))
        return proved;
    if (is_ok(proved) && role == ROLE_MINT)
        run->mint = pubkey_hold(key);
    if (is_ok(proved))
        return OK;
    /* What an honest instance has before the first lease; and no credential. */
    if (role == ROLE_MINT && code_of(proved) == E_key_not_stated) {
        run->unstated = true;
        return OK;
    }
    report_evidence(a, r, role, proved);
    /* A mint key need not be pinned, for it is proved: this one isn't. */
    if (role == ROLE_MINT && !trust_mints(&a->trust, &k->kid))
        report_found(&a->report, FOUND_key_unknown, at_record(r->index), "%s", role_names[role]);
    return OK;
}

result keys_check(struct audit *a, const struct record *r, const struct key_identity key[ROLES], struct run *run)
{
    for (enum key_role role = 0; role < ROLES; role++) {
        TRY(key_check(a, r, role, &key[role], run));
        run->key[role] = key[role];
    }
    return OK;
}

void keys_mint(struct audit *a, const struct record *r)
{
    const struct run *run = run_now(a);
    if (run && run->unstated)
        report_evidence(a, r, ROLE_MINT, fail(E_key_not_stated));
}
