#include "config.h"

#include "attest/verdict.h"

static bool is_kid(const struct evidence_key *k, const struct pubkey *key)
{
    return digest_equal(&k->kid, pubkey_thumbprint(key));
}

/* The enrolled key, by its own evidence and by the kid that it is called. */
static result judge_ak(const struct appraisal_case *c)
{
    const struct evidence_key *k = &c->a->evidence->key[EVIDENCE_ATTESTATION];
    AUTO_PUBKEY *key = NULL;
    uint8_t name[TPM_NAME_SIZE];
    result r = ak_proof(buf_span(&k->evidence), name, &key);
    TRY(verdict_own(c->v, r));
    bool enrolled =
        is_kid(k, c->a->identity->ak) && (!is_ok(r) || (span_equal(SPAN(name), SPAN(c->a->identity->ak_name)) && is_kid(k, key)));
    if (!enrolled)
        verdict_say(c->v, E_key_other);
    return OK;
}

static result judge_record(const struct appraisal_case *c, const struct digest *policy)
{
    const struct evidence_key *k = &c->a->evidence->key[EVIDENCE_RECORD];
    AUTO_PUBKEY *key = NULL;
    result r = tpm_key_proof(buf_span(&k->evidence), c->a->identity->ak, policy, &key);
    TRY(verdict_own(c->v, r));
    if (!is_kid(k, c->a->identity->record) || (is_ok(r) && !is_kid(k, key)))
        verdict_say(c->v, E_key_other);
    return OK;
}

static bool text_is(const char *a, const char *b)
{
    return span_is(span_text(a), b);
}

/* Where the signed policy wants the mint key. What a token says of itself is the statement's word, for which the record key stands.
 */
static bool is_approved_place(const struct appraisal_policy *p, bool in_tpm, const struct token_identity *t)
{
    if (in_tpm || !p->hsm_manufacturer)
        return in_tpm && !p->hsm_manufacturer;
    return text_is(p->hsm_manufacturer, t->manufacturer) && text_is(p->hsm_model, t->model) && text_is(p->hsm_serial, t->serial);
}

/* It may be another than before: each revocation epoch has its own. What makes it the instance's is its proof. */
static result judge_mint(const struct appraisal_case *c, const struct digest *policy)
{
    const struct appraisal_identity *id = c->a->identity;
    const struct evidence_key *k = &c->a->evidence->key[EVIDENCE_MINT];
    AUTO_PUBKEY *key = NULL;
    struct token_identity token = { 0 };
    bool in_tpm = span_is(span_text(k->backend), "tpm");
    result r = in_tpm ? tpm_key_proof(buf_span(&k->evidence), id->ak, policy, &key)
                      : hsm_key_proof(buf_span(&k->evidence), id->record, id->domain, id->instance, &token, &key);
    TRY(verdict_own(c->v, r));
    if (!is_ok(r))
        return OK;
    if (c->a->policy && !is_approved_place(c->a->policy, in_tpm, &token))
        verdict_say(c->v, E_hsm_not_approved);
    if (!is_kid(k, key) || is_kid(k, id->ak) || is_kid(k, id->record)) {
        verdict_say(c->v, E_key_other);
        return OK;
    }
    c->v->mint_key = key;
    key = NULL;
    return OK;
}

result case_keys(struct appraisal_case *c)
{
    const struct appraisal_identity *id = c->a->identity;
    struct digest ref, policy;
    TRY(instance_policy_ref(id->domain, id->instance, id->ak_name, &ref));
    TRY(key_policy(c->a->policy_key, &ref, &policy));
    TRY(judge_ak(c));
    TRY(judge_record(c, &policy));
    return judge_mint(c, &policy);
}

static result judge_policy(const struct appraisal_case *c)
{
    const struct evidence *e = c->a->evidence;
    const struct appraisal_policy *p = c->a->policy;
    if (!p) {
        verdict_say(c->v, E_policy_missing);
        return OK;
    }
    bool in_force = e->has_policy && digest_equal(&e->policy, &p->digest);
    if (!in_force || (c->fresh && c->bound.policy_epoch != p->epoch))
        verdict_say(c->v, E_policy_other);
    return OK;
}

/* An approval fits one TPM and one log: by its policyRef, which the chip checks, and by what it says. */
static result is_for_this(const struct appraisal_case *c, const struct approval *p)
{
    const struct appraisal_identity *id = c->a->identity;
    struct digest ref;
    TRY(instance_policy_ref(id->domain, id->instance, id->ak_name, &ref));
    bool fits = text_is(p->domain, id->domain) && text_is(p->instance, id->instance) && digest_equal(&p->ref, &ref) &&
                digest_equal(&p->ak, pubkey_thumbprint(id->ak));
    return fits ? OK : fail(E_approval_other_tpm);
}

static result open_approval(struct appraisal_case *c)
{
    const struct evidence *e = c->a->evidence;
    if (!e->has_approval || c->a->documents->approval.n == 0) {
        verdict_say(c->v, E_approval_missing);
        return OK;
    }
    const struct appraisal_documents *d = c->a->documents;
    result r = d->approval_is_stored ? approval_open_stored(d->approval, c->a->policy_key, &c->approval)
                                     : approval_open(d->approval, c->a->policy_key, &c->approval);
    TRY(verdict_of(c->v, r, E_approval_invalid));
    if (!is_ok(r))
        return OK;
    if (!digest_equal(&c->approval.approval.digest, &e->approval))
        verdict_say(c->v, E_approval_invalid);
    r = is_for_this(c, &c->approval.approval);
    TRY(verdict_own(c->v, r));
    c->approved = is_ok(r) && !verdict_has(c->v, E_approval_invalid);
    return OK;
}

static result judge_countersigners(const struct appraisal_case *c)
{
    const struct appraisal_policy *p = c->a->policy;
    unsigned distinct = 0;
    if (!p)
        return OK;
    result r = approval_countersigned(&c->approval, c->a->policy_key, p->countersigners, p->countersigners_n, &distinct);
    TRY(verdict_of(c->v, r, E_approval_invalid));
    if (is_ok(r) && distinct < p->needed)
        verdict_say(c->v, E_countersignatures_too_few);
    return OK;
}

result case_approval(struct appraisal_case *c)
{
    const struct evidence *e = c->a->evidence;
    const struct approval *p = &c->approval.approval;
    TRY(judge_policy(c));
    TRY(open_approval(c));
    if (!c->approved)
        return OK;
    TRY(judge_countersigners(c));
    if (!(e->pcr_mask >> p->pcr & 1) || !digest_equal(&e->pcr[p->pcr], &p->pcr_value))
        verdict_say(c->v, E_state_not_approved);
    if (c->fresh && (uint64_t)p->epoch != c->bound.epoch)
        verdict_say(c->v, E_epoch_not_approved);
    return OK;
}
