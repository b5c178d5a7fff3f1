#include "config.h"

#include "verifier/trusted.h"

#include "policy/verify.h"

result reference_load(const char *path, const struct pubkey *policy_key, const char *domain, struct reference *ret)
{
    struct jws j;
    struct reference reference;
    AUTO_BUF text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
    TRY(file_read(path, JWS_TEXT_MAX, &text));
    TRY(jws_parse_text(buf_span(&text), &arena, &j));
    TRY(verify_statement(policy_key, TYP_REFERENCE, &j));
    TRY(reference_parse(j.payload, &reference));
    if (!span_is(span_text(reference.domain), domain))
        return fail(E_domain_mismatch);
    *ret = reference;
    return OK;
}

static void view(struct held_policy *p)
{
    unsigned n = policy_countersigners(p->policy);
    p->terms = (struct appraisal_policy){ .digest = *policy_digest(p->policy),
        .epoch = (uint64_t)policy_epoch_of(p->policy),
        .countersigners = p->countersigner,
        .needed = policy_countersigners_needed(p->policy) };
    /* Where the policy names no token, they stay NULL. */
    (void)policy_hsm(p->policy, &p->terms.hsm_manufacturer, &p->terms.hsm_model, &p->terms.hsm_serial);
    for (unsigned i = 0; i < n && i < COUNTERSIGNERS_MAX; i++)
        p->countersigner[p->terms.countersigners_n++] = policy_countersigner(p->policy, i);
}

static result policy_fits(const struct policy *p, const char *domain, uint64_t least)
{
    if (!span_is(span_text(policy_domain(p)), domain))
        return fail(E_domain_mismatch);
    return (uint64_t)policy_epoch_of(p) >= least ? OK : fail(E_not_newer);
}

result held_policy_read(
    struct span text, const struct pubkey *policy_key, const char *domain, uint64_t least, struct held_policy *ret)
{
    struct jws j;
    struct policy *policy = NULL;
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    TRY(jws_parse_text(text, &arena, &j));
    TRY(verify_statement(policy_key, TYP_POLICY, &j));
    TRY(policy_parse(j.payload, &policy));
    result r = policy_fits(policy, domain, least);
    if (!is_ok(r)) {
        policy_free(policy);
        return r;
    }
    policy_free(ret->policy);
    ret->policy = policy;
    view(ret);
    return OK;
}

void held_policy_free(struct held_policy *p)
{
    policy_free(p->policy);
    *p = (struct held_policy){ 0 };
}

const struct appraisal_policy *held_policy_terms(const struct held_policy *p)
{
    return p->policy ? &p->terms : NULL;
}
