#include "config.h"

#include "tests/int/keeper_plays.h"

#include <stdio.h>
#include <stdlib.h>

static void from_another_run(struct entry *e)
{
    e->decision.run[0] ^= 1;
}
static void refusing(struct entry *e)
{
    e->decision.permitted = false;
    snprintf(e->decision.rule, sizeof e->decision.rule, "drift");
    snprintf(e->decision.code, sizeof e->decision.code, "state_drifted");
}
static void no_decision_at_all(struct entry *e)
{
    *e = (struct entry){ .type = ENTRY_OUTCOME, .time = e->time };
    e->outcome.result = RESULT_APPLIED;
    e->outcome.final = true;
    e->outcome.evidence = EVIDENCE_RESPONSE;
    e->outcome.read = NO_INDEX;
}
static void of_another_certificate(struct entry *e)
{
    e->decision.certificate.b[0] ^= 1;
}
static void with_other_signatures(struct entry *e)
{
    e->decision.signed_.b[0] ^= 1;
}
static void read_with_other_signatures(struct entry *e)
{
    e->read.signed_.b[0] ^= 1;
}
static void of_another_name(struct entry *e)
{
    snprintf(e->decision.cid, sizeof e->decision.cid, "other");
}
static void of_another_agent(struct entry *e)
{
    e->decision.agent.b[0] ^= 1;
}
static void under_another_policy(struct entry *e)
{
    e->decision.policy.b[0] ^= 1;
}
static void under_another_version(struct entry *e)
{
    e->decision.policy_epoch++;
}
static void in_another_epoch(struct entry *e)
{
    e->decision.epoch++;
}
static void for_another_target(struct entry *e)
{
    snprintf(e->decision.target_prefix, sizeof e->decision.target_prefix, "https://docs.example/pages/");
}
static void for_no_target(struct entry *e)
{
    e->decision.has_target = false;
}
static void with_another_mint_key(struct entry *e)
{
    e->decision.mint_key.b[0] ^= 1;
}
static void with_another_body(struct entry *e)
{
    e->decision.body.b[0] ^= 1;
}
static void a_second_longer(struct entry *e)
{
    e->decision.exp++;
}
static void over(struct entry *e)
{
    e->decision.iat -= 11;
    e->decision.exp -= 11;
}
static void begun_later(struct entry *e)
{
    e->decision.iat += 30;
    e->decision.exp += 30;
}
static void without_an_etag(struct entry *e)
{
    e->decision.live.has_etag = false;
}
static void with_a_weak_etag(struct entry *e)
{
    snprintf(e->decision.live.etag, sizeof e->decision.live.etag, "W/\"v1\"");
}
static void of_another_resource(struct entry *e)
{
    snprintf(e->read.resource, sizeof e->read.resource, "https://docs.example/pages/other");
}
static void of_another_target(struct entry *e)
{
    snprintf(e->read.target, sizeof e->read.target, "others");
}
static void read_for_a_minute(struct entry *e)
{
    e->read.exp += 50;
}
static void of_an_earlier_run(struct entry *e)
{
    e->read.run[15] ^= 1;
}
static void reconciling(struct entry *e)
{
    e->read.purpose = READ_RECONCILE;
    e->read.decision = 0;
}
static void reconciling_what_comes(struct entry *e)
{
    e->read.purpose = READ_RECONCILE;
    e->read.decision = 1u << 20;
}

static const struct play plays[] = {
    { .name = "no certificate", .want = E_certificate_mismatch, .sends = NONE },
    { .name = "another's certificate", .want = E_certificate_mismatch, .sends = ANOTHERS },
    { .name = "a decision of another certificate", .want = E_certificate_mismatch, .spoil = of_another_certificate },
    { .name = "a decision on other signatures", .want = E_decision_mismatch, .spoil = with_other_signatures },
    { .name = "a decision of another cid", .want = E_certificate_mismatch, .spoil = of_another_name },
    { .name = "a decision for another agent", .want = E_certificate_mismatch, .spoil = of_another_agent },
    { .name = "a forged certificate", .want = E_certificate_forged, .signs = BY_NOBODY },
    { .name = "a stranger's certificate", .want = E_authority_unknown, .signs = BY_STRANGER },
    { .name = "an expired certificate", .want = E_expired, .shift_s = -600 },
    { .name = "a certificate whose window hasn't begun", .want = E_not_yet_valid, .shift_s = 300 },
    { .name = "a certificate for another domain", .want = E_domain_mismatch, .path = "aud", .value = "\"other.example\"" },
    { .name = "a certificate under an older policy", .want = E_policy_epoch_mismatch, .path = "policy_epoch", .value = "6" },
    { .name = "a certificate of an older revocation epoch", .want = E_epoch_mismatch, .path = "epoch", .value = "2" },
    { .name = "a certificate of a later revocation epoch", .want = E_epoch_mismatch, .path = "epoch", .value = "4" },
    { .name = "a resource that the authority may not admit",
        .want = E_not_admissible,
        .path = "contract.resource",
        .value = "\"https://docs.example/secret\"" },
    { .name = "too few signatures for the risk",
        .want = E_signatures_too_few,
        .path = "risk",
        .value = "\"L2\"",
        .path2 = "contract.risk",
        .value2 = "\"L2\"" },
    { .name = "a resource with dots in it",
        .want = E_resource_invalid,
        .path = "contract.resource",
        .value = "\"https://docs.example/pages/../secret\"" },
    { .name = "a contract without a precondition",
        .want = E_precondition_missing,
        .path = "contract.preconditions",
        .value = "{}" },
    { .name = "no decision", .want = E_no_decision, .not_there = true },
    { .name = "a decision of an earlier run", .want = E_no_decision, .spoil = from_another_run },
    { .name = "a refusing decision", .want = E_no_decision, .spoil = refusing },
    { .name = "an outcome for a decision", .want = E_no_decision, .spoil = no_decision_at_all },
    { .name = "a decision whose group isn't signed yet", .want = E_decision_unsigned, .unsigned_group = true },
    { .name = "a decision under another policy", .want = E_decision_mismatch, .spoil = under_another_policy },
    { .name = "a decision under another policy's version", .want = E_decision_mismatch, .spoil = under_another_version },
    { .name = "a decision in another epoch", .want = E_decision_mismatch, .spoil = in_another_epoch },
    { .name = "a decision for another target", .want = E_decision_mismatch, .spoil = for_another_target },
    { .name = "a decision for no target", .want = E_decision_mismatch, .spoil = for_no_target },
    { .name = "a decision with another mint key", .want = E_decision_mismatch, .spoil = with_another_mint_key },
    { .name = "a decision over another body", .want = E_decision_mismatch, .spoil = with_another_body },
    { .name = "a body swapped", .want = E_body_mismatch, .body = "hellO" },
    { .name = "a body with a tail", .want = E_body_mismatch, .body = "hello!" },
    { .name = "no body", .want = E_body_mismatch, .body = "" },
    { .name = "a credential longer than the contract's", .want = E_credential_too_long, .spoil = a_second_longer },
    { .name = "a credential whose seconds are over", .want = E_decision_stale, .spoil = over },
    { .name = "a credential of later seconds", .want = E_decision_stale, .spoil = begun_later },
    { .name = "no ETag in contract and state",
        .want = E_precondition_unusable,
        .path = "contract.preconditions.etag",
        .spoil = without_an_etag },
    { .name = "a weak ETag in the state",
        .want = E_precondition_unusable,
        .path = "contract.preconditions.etag",
        .spoil = with_a_weak_etag },
    { .name = "a read for a mutation", .want = E_body_mismatch, .reads = true, .body = "hello" },
    { .name = "a read of another resource", .want = E_decision_mismatch, .reads = true, .spoil = of_another_resource },
    { .name = "a read of another target", .want = E_decision_mismatch, .reads = true, .spoil = of_another_target },
    { .name = "a read for too long", .want = E_credential_too_long, .reads = true, .spoil = read_for_a_minute },
    { .name = "a read of an earlier run", .want = E_no_decision, .reads = true, .spoil = of_an_earlier_run },
    { .name = "a read with no certificate", .want = E_certificate_mismatch, .reads = true, .sends = NONE },
    { .name = "a read for other signatures", .want = E_decision_mismatch, .reads = true, .spoil = read_with_other_signatures },
    { .name = "a read for a stranger's certificate", .want = E_authority_unknown, .reads = true, .signs = BY_STRANGER },
    { .name = "a drift read for an expired certificate", .want = E_expired, .reads = true, .shift_s = -600 },
    { .name = "a reconciling read for a stranger's certificate",
        .want = E_authority_unknown,
        .reads = true,
        .signs = BY_STRANGER,
        .spoil = reconciling },
    { .name = "a reconciling read of a decision to come",
        .want = E_decision_mismatch,
        .reads = true,
        .spoil = reconciling_what_comes },
};

static void shift(struct room *r, const char *member, int64_t by)
{
    json_t *c = r->w.certificate_json;
    must_ok(json_put_int(c, member, json_integer_value(json_object_get(c, member)) + by), member);
}

struct document certificate_of(struct room *r, const struct play *p)
{
    room_fresh_certificate(r);
    shift(r, "iat", p->shift_s);
    shift(r, "nbf", p->shift_s);
    shift(r, "exp", p->shift_s - (p->shift_s < 0 ? 1 : 0));
    struct document d = room_certificate(r, p->signs == BY_STRANGER ? r->w.stranger : r->w.authority[0]);
    if (p->signs == BY_NOBODY)
        ((uint8_t *)(uintptr_t)d.jws.sig[0].signature.p)[40] ^= 1;
    return d;
}

/* What the certificate carried before the play is put back, so that the plays are independent of one another. */
void edit_for(struct room *r, const char *path, const char *value, char **ret_before)
{
    json_t *v = at_path(r->w.certificate_json, path);
    *ret_before = json_dumps(v, JSON_ENCODE_ANY);
    must(*ret_before != NULL, path);
    edit(r->w.certificate_json, path, value);
}

static void run(struct room *r, const struct play *p)
{
    char *before = NULL, *before2 = NULL;
    unsigned calls = r->calls;
    if (p->path)
        edit_for(r, p->path, p->value, &before);
    if (p->path2)
        edit_for(r, p->path2, p->value2, &before2);
    struct document other = certificate_of(r, &(struct play){ .want = E_ok }), d = certificate_of(r, p);
    struct entry e = p->reads ? room_read(r, &d) : room_decision(r, &d);
    if (p->spoil)
        p->spoil(&e);
    uint64_t index = p->not_there ? r->frontier.size : room_append_entry(r, &e);
    if (!p->unsigned_group && !p->reads && !p->not_there)
        room_sign(r);
    const struct jws none = { .n = 0 };
    const struct jws *sent = p->sends == NONE ? &none : p->sends == ANOTHERS ? &other.jws : &d.jws;
    struct span body = p->body ? span_text(p->body) : p->reads ? (struct span){ NULL, 0 } : ROOM_BODY;
    check_code(r->c, fail(room_mint(r, index, sent, body)), p->want, p->name);
    room_pump(r, clock_mono_ms());
    if (r->calls != calls)
        check_that(r->c, false, "and no credential");
    document_free(&d);
    document_free(&other);
    if (before2)
        edit(r->w.certificate_json, p->path2, before2);
    if (before)
        edit(r->w.certificate_json, p->path, before);
    free(before);
    free(before2);
}

void plays_run(struct room *r)
{
    for (unsigned i = 0; i < sizeof plays / sizeof plays[0]; i++)
        run(r, &plays[i]);
}
