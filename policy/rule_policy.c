#include "config.h"

#include "policy/rules.h"
#include "policy/fields.h"
#include "policy/terms.h"

static bool covers_operation(const struct admit *a, const char *operation)
{
    for (unsigned i = 0; i < a->operations_n; i++)
        if (text_equal(a->operations[i], operation))
            return true;
    return false;
}

/* A prefix ends at a '/', which policy_parse saw to. That the resource is a plain path, in which nothing climbs out of the
 * prefix again, is Phi_scope's. */
static bool covers_resource(const struct admit *a, const char *resource)
{
    struct span s = span_text(resource);
    for (unsigned i = 0; i < a->resources_n; i++) {
        struct span terms = span_text(a->resources[i].text);
        if (span_equal(a->resources[i].is_prefix ? span_part(s, 0, terms.n) : s, terms))
            return true;
    }
    return false;
}

static bool may_admit(const struct authority *authority, const struct contract *c)
{
    for (unsigned i = 0; i < authority->admits_n; i++) {
        const struct admit *a = &authority->admits[i];
        if (text_equal(a->target, c->mutation.target) && c->risk <= a->risk && covers_operation(a, c->mutation.operation) &&
            covers_resource(a, c->mutation.resource))
            return true;
    }
    return false;
}

/* Only signatures of authorities that may admit this very contract count toward the threshold: otherwise one authority of another
 * field could fill up the number for everybody. */
static bool is_admitted(const struct facts *f)
{
    const struct policy *p = f->policy;
    int64_t n = 0;
    for (unsigned i = 0; i < p->authorities_n; i++)
        n += (f->signers.authorities >> i & 1) && may_admit(&p->authorities[i], &f->certificate->contract);
    return n >= p->signatures[f->certificate->risk];
}

static bool is_frozen(const struct policy *p, const char *target, int64_t now_s)
{
    for (unsigned i = 0; i < p->freezes_n; i++) {
        const struct freeze *z = &p->freezes[i];
        bool covers = z->targets_n == 0;
        for (unsigned t = 0; t < z->targets_n && !covers; t++)
            covers = text_equal(z->targets[t], target);
        if (covers && z->from <= now_s && now_s < z->until)
            return true;
    }
    return false;
}

/* An ETag or a resourceVersion, or that nothing is there: what the target itself compares, so that the runner's word about live
 * state isn't needed. */
static bool carries_version(const struct precondition *pre)
{
    return pre->has_etag || pre->has_version || pre->absent;
}

enum seb_code rule_policy(const struct facts *f)
{
    const struct policy *p = f->policy;
    const struct certificate *c = f->certificate;
    if (!text_equal(c->aud, p->domain) || !text_equal(p->domain, f->domain))
        return E_domain_mismatch;
    if (c->policy_epoch != p->policy_epoch)
        return E_policy_epoch_mismatch;
    if (c->exp - c->nbf > p->validity_s)
        return E_validity_too_long;
    if (!is_admitted(f))
        return E_not_admissible;
    if (c->contract.mutation.body.length > p->body_bytes)
        return E_body_too_large;
    if (is_frozen(p, c->contract.mutation.target, f->now_ms / 1000))
        return E_frozen;
    if (p->has_version_from && c->risk >= p->version_from && !carries_version(&c->contract.pre))
        return E_version_required;
    if (f->target && f->target->secret && !p->secrets_unfenced)
        return E_secret_unfenced;
    return E_ok;
}
