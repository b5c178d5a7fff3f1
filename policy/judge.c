#include "config.h"

#include "policy/rules.h"
#include "policy/terms.h"

#include <stdlib.h>

const struct rule rules[] = {
    { .name = "sig", .holds = rule_sig, .at_mint = true },
    { .name = "pop", .holds = rule_pop },
    { .name = "time", .holds = rule_time, .at_mint = true },
    { .name = "policy", .holds = rule_policy, .at_mint = true },
    { .name = "rev", .holds = rule_rev, .at_mint = true },
    { .name = "match", .holds = rule_match },
    { .name = "scope", .holds = rule_scope },
    { .name = "attest", .holds = rule_attest, .at_mint = true },
    { .name = "replay", .holds = rule_replay },
    { .name = "drift", .holds = rule_drift, .after_read = true },
};
const unsigned rules_n = sizeof rules / sizeof *rules;

struct permit {
    int64_t iat, exp;
    char if_match[ETAG_LEN + 1];
};

static bool holds(const struct rule *rule, const struct facts *f, struct refusal *ret)
{
    enum seb_code code = rule->holds(f);
    if (code == E_ok)
        return true;
    *ret = (struct refusal){ .rule = rule->name, .code = code };
    return false;
}

bool judge_before_read(const struct facts *f, struct refusal *ret)
{
    for (unsigned i = 0; i < rules_n; i++)
        if (!rules[i].after_read && !holds(&rules[i], f, ret))
            return false;
    return true;
}

bool judge_at_mint(const struct facts *f, struct refusal *ret)
{
    for (unsigned i = 0; i < rules_n; i++)
        if (rules[i].at_mint && !holds(&rules[i], f, ret))
            return false;
    return true;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Facts that every rule took: only judge() calls it. */
static result build(const struct facts *f, struct permit **ret)
{
    const struct contract *c = &f->certificate->contract;
    struct permit *p = calloc(1, sizeof *p);
    if (!p)
        return fail(E_no_memory);
    p->iat = f->now_ms / 1000;
    p->exp = least(p->iat + least(c->credential_s, f->policy->credential_s), f->certificate->exp);
    p->exp = least(p->exp, f->attested->exp); /* no credential outlives its attestation */
    struct span etag = span_text(c->pre.absent ? NULL : c->pre.has_etag ? c->pre.etag : f->live->etag);
    result r = p->exp > p->iat ? span_copy(etag, p->if_match, etag.n) : fail(E_expired);
    if (is_ok(r))
        *ret = p;
    else
        permit_free(p);
    return r;
}

struct permit *judge(const struct facts *f, struct refusal *ret)
{
    struct permit *p = NULL;
    for (unsigned i = 0; i < rules_n; i++)
        if (!holds(&rules[i], f, ret))
            return NULL;
    result r = build(f, &p);
    if (!is_ok(r))
        *ret = (struct refusal){ .rule = code_of(r) == E_expired ? "time" : NULL, .code = code_of(r) };
    return p;
}

int64_t permit_iat(const struct permit *p)
{
    return p->iat;
}

int64_t permit_exp(const struct permit *p)
{
    return p->exp;
}

const char *permit_if_match(const struct permit *p)
{
    return p->if_match;
}

void permit_free(struct permit *p)
{
    free(p);
}

void permit_free_pointer(struct permit **p)
{
    permit_free(*p);
    *p = NULL;
}
