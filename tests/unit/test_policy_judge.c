/* The table as a whole: order, what is held when, and what a permit says. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/policy_world.h"

static bool is_text(const char *a, const char *b)
{
    return span_equal(span_text(a), span_text(b));
}

/* One way to break each rule and no other, in the table's order. */
static void break_rule(struct world *w, unsigned rule)
{
    switch (rule) {
    case 0:
        w->facts.signers.code = E_certificate_forged;
        break;
    case 1:
        w->facts.pop = E_request_forged;
        break;
    case 2:
        w->request.iat = 0;
        break;
    case 3:
        w->certificate.policy_epoch++;
        break;
    case 4:
        w->epoch.epoch++;
        break;
    case 5:
        w->request.mutation.target[0] = 'x';
        break;
    case 6:
        w->facts.target = NULL;
        break;
    case 7:
        w->facts.attested = NULL;
        break;
    case 8:
        w->facts.used = true;
        break;
    default:
        w->facts.live = NULL;
        break;
    }
}

static const struct {
    const char *name;
    enum seb_code code;
} order[] = {
    { "sig", E_certificate_forged },
    { "pop", E_request_forged },
    { "time", E_request_stale },
    { "policy", E_policy_epoch_mismatch },
    { "rev", E_epoch_mismatch },
    { "match", E_target_mismatch },
    { "scope", E_target_unknown },
    { "attest", E_attestation_missing },
    { "replay", E_certificate_used },
    { "drift", E_read_failed },
};

static bool is_refused_by(const struct refusal *why, unsigned rule)
{
    return why->rule && is_text(why->rule, order[rule].name) && why->code == order[rule].code;
}

static void check_order(struct checks *c)
{
    check_that(c, rules_n == 10, "ten rules");
    for (unsigned i = 0; i < rules_n && i < 10; i++)
        check_that(c, is_text(rules[i].name, order[i].name), rules[i].name);
    for (unsigned first = 0; first < 10; first++)
        for (unsigned later = first; later < 10; later++) {
            struct world w;
            struct refusal why = { 0 };
            char name[64];
            world_new(&w);
            world_build(&w);
            break_rule(&w, later);
            break_rule(&w, first);
            snprintf(name, sizeof name, "%s wins over %s", order[first].name, order[later].name);
            check_that(c, !judge(&w.facts, &why) && is_refused_by(&why, first), name);
            world_free(&w);
        }
}

static void check_before_read(struct checks *c, unsigned rule)
{
    struct world w;
    struct refusal why = { 0 };
    world_new(&w);
    world_build(&w);
    w.facts.live = NULL;
    break_rule(&w, rule);
    bool holds = judge_before_read(&w.facts, &why);
    check_that(c, rule == 9 ? holds : !holds && is_refused_by(&why, rule), "before the read, all but drift");
    world_free(&w);
}

/* The keeper's facts: no request, no target, no live state. */
static void check_at_mint(struct checks *c, unsigned rule)
{
    struct world w;
    struct refusal why = { 0 };
    world_new(&w);
    world_build(&w);
    w.facts = (struct facts){ .now_ms = w.facts.now_ms,
        .domain = w.facts.domain,
        .policy = w.policy,
        .epoch = &w.epoch,
        .certificate = &w.certificate,
        .signers = w.facts.signers,
        .attested = &w.attested };
    if (rule == 2)
        w.facts.now_ms = w.certificate.exp * 1000;
    else
        break_rule(&w, rule);
    bool holds = judge_at_mint(&w.facts, &why), asked = rule == 0 || (rule >= 2 && rule <= 4) || rule == 7;
    check_that(c, asked ? !holds && is_text(why.rule, order[rule].name) : holds, "at mint: sig, time, policy, rev, attest");
    world_free(&w);
}

struct lifetime {
    const char *name;
    int64_t contract_s, policy_s, left_s, attested_s, wanted_s;
};
static const struct lifetime lifetimes[] = {
    { "the contract's lifetime", 10, 30, 600, 60, 10 },
    { "the policy's lifetime", 60, 30, 600, 60, 30 },
    { "what is left of the certificate", 60, 60, 7, 60, 7 },
    { "one second is left", 60, 60, 1, 60, 1 },
    { "a lifetime of one second", 1, 60, 600, 60, 1 },
    { "what is left of the attestation", 60, 60, 600, 9, 9 },
    { "one second is left of the attestation", 60, 60, 600, 1, 1 },
};

static void check_lifetime(struct checks *c, const struct lifetime *l)
{
    struct world w;
    struct refusal why = { 0 };
    char number[24];
    world_new(&w);
    snprintf(number, sizeof number, "%d", (int)l->contract_s);
    edit(w.certificate_json, "contract.constraints.credential_s", number);
    snprintf(number, sizeof number, "%d", (int)l->policy_s);
    edit(w.policy_json, "credential_s", number);
    snprintf(number, sizeof number, "%lld", (long long)(NOW_S + l->left_s));
    edit(w.certificate_json, "exp", number);
    world_build(&w);
    w.attested.exp = NOW_S + l->attested_s;
    AUTO_PERMIT *p = judge(&w.facts, &why);
    check_that(c, p && permit_iat(p) == NOW_S && permit_exp(p) == NOW_S + l->wanted_s, l->name);
    world_free(&w);
}

static void check_if_match(struct checks *c, const char *preconditions, const char *live_etag, const char *wanted, const char *name)
{
    struct world w;
    struct refusal why = { 0 };
    world_new(&w);
    edit(w.certificate_json, "contract.preconditions", preconditions);
    world_build(&w);
    w.live.exists = w.live.has_etag = live_etag != NULL;
    w.live.etag = live_etag;
    AUTO_PERMIT *p = judge(&w.facts, &why);
    check_that(c, p && is_text(permit_if_match(p), wanted), name);
    world_free(&w);
}

int main(void)
{
    struct checks c = { 0 };
    check_order(&c);
    for (unsigned rule = 0; rule < 10; rule++) {
        check_before_read(&c, rule);
        check_at_mint(&c, rule);
    }
    for (unsigned i = 0; i < sizeof lifetimes / sizeof *lifetimes; i++)
        check_lifetime(&c, &lifetimes[i]);
    check_if_match(&c, "{\"etag\":\"\\\"v1\\\"\"}", "\"v1\"", "\"v1\"", "If-Match from the contract");
    check_if_match(
        &c, "{\"sha256\":\"y6BrVzb69n5UsHtWHq6UOV53TFF6fZEKVDaeEmPM-9Q\"}", "\"v9\"", "\"v9\"", "If-Match from what was read");
    check_if_match(&c, "{\"absent\":true}", NULL, "", "no If-Match where it creates");
    permit_free(NULL);
    return checks_end(&c);
}
