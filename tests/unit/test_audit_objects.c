/* Records of changes to a cluster's objects: what the broker says of versions, fields, caches and the target's own words, each time
 * with one lie. */
#include "config.h"

#include "tests/unit/cover_world.h"

/* Ends the story: this was found, there, and nothing else. */
static void expect(struct checks *c, struct cover_world *w, enum finding f, uint64_t n, const char *name)
{
    aw_sign(&w->s.w);
    aw_quote(&w->s.w);
    check_lie(c, &w->s.w, f, n, FINDINGS, name);
    cover_world_free(w);
}

static void clean(struct checks *c, struct cover_world *w, const char *name)
{
    aw_sign(&w->s.w);
    aw_quote(&w->s.w);
    aw_export(&w->s.w, "out", NULL);
    check_clean(c, &w->s.w, "out", name);
    cover_world_free(w);
}

static void text(const char *s, char *to, size_t room)
{
    must(is_ok(span_copy_text(span_text(s), to, room)), s);
}

/* Records 5 (read) and 6, changed, and its outcome. */
static void decided(struct checks *c, void (*lie)(struct entry *e), enum finding f, const char *name)
{
    struct cover_world w;
    cover_world_new(&w, "extra");
    struct entry e = cover_permit(&w, &cover_scale);
    lie(&e);
    e = cover_outcome(&w, &e, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_put(&w.s.w, &e);
    expect(c, &w, f, 6, name);
}

static void other_version(struct entry *e)
{
    text("42", e->decision.live.version, sizeof e->decision.live.version);
}

static void other_uid(struct entry *e)
{
    text("u-2", e->decision.live.uid, sizeof e->decision.live.uid);
}

static void no_version(struct entry *e)
{
    e->decision.live.version[0] = 0;
}

static void no_fields(struct entry *e)
{
    e->decision.live.fields_n = 0;
}

static void a_field_more(struct entry *e)
{
    e->decision.live.field[e->decision.live.fields_n++] = (struct live_field){ .exists = true, .sha256 = sha256(span_text("3")) };
}

static void accepted_longer(struct entry *e)
{
    e->decision.accepted_until += 1;
}

static void not_cached(struct entry *e)
{
    e->decision.accepted_until = 0;
}

static void decisions(struct checks *c)
{
    decided(c, other_version, FOUND_decision_verdict, "a permit at another resourceVersion than the contract's");
    decided(c, other_uid, FOUND_decision_verdict, "a permit for another object of that name");
    decided(c, no_version, FOUND_decision_verdict, "a permit where there was no resourceVersion");
    decided(c, no_fields, FOUND_decision_facts, "fields of the contract that weren't looked at");
    decided(c, a_field_more, FOUND_decision_facts, "a field that the contract doesn't name");
    decided(c, accepted_longer, FOUND_decision_lifetime, "caches that hold it longer than the target's");
    decided(c, not_cached, FOUND_decision_lifetime, "a target without caches, which has them");
}

/* A contract at a field's value, below the level from which it must name a version. */
static void drifted_field(struct checks *c)
{
    struct cover_contract at_one = cover_scale;
    struct cover_world w;
    cover_world_new(&w, "extra");
    at_one.preconditions = "\"fields\":[{\"pointer\":\"/spec/replicas\",\"value\":1}]";
    w.target.field[0] = (struct live_field){ .exists = true, .sha256 = sha256(span_text("1")) };
    struct entry e = cover_permit(&w, &at_one);
    e = cover_outcome(&w, &e, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_put(&w.s.w, &e);
    clean(c, &w, "a permit at the field's value");

    cover_world_new(&w, "extra");
    w.target.field[0] = (struct live_field){ .exists = true, .sha256 = sha256(span_text("1")) };
    e = cover_permit(&w, &at_one);
    e.decision.live.field[0].sha256 = sha256(span_text("2"));
    e = cover_outcome(&w, &e, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_put(&w.s.w, &e);
    expect(c, &w, FOUND_decision_verdict, 6, "a permit at another value than the contract's");
}

/* Record 7, changed; f FINDINGS: that is honest. */
static void concluded(struct checks *c, enum outcome_result r, enum outcome_evidence ev, void (*change)(struct outcome_entry *o),
    enum finding f, const char *name)
{
    struct cover_world w;
    cover_world_new(&w, "extra");
    struct entry e = cover_permit(&w, &cover_scale);
    e = cover_outcome(&w, &e, r, ev);
    change(&e.outcome);
    aw_put(&w.s.w, &e);
    if (f == FINDINGS)
        clean(c, &w, name);
    else
        expect(c, &w, f, 7, name);
}

static void new_version(struct outcome_entry *o)
{
    text("43", o->version, sizeof o->version);
}

static void why(struct outcome_entry *o)
{
    text("Invalid", o->reason, sizeof o->reason);
    text("[{\"field\":\"spec.replicas\",\"message\":\"too many\"}]", o->causes, sizeof o->causes);
}

static void conflict(struct outcome_entry *o)
{
    o->http_status = 409;
    text("Conflict", o->reason, sizeof o->reason);
    text("state_drifted", o->code, sizeof o->code);
}

static void nameless_conflict(struct outcome_entry *o)
{
    o->http_status = 409;
}

static void no_conflict(struct outcome_entry *o)
{
    text("state_drifted", o->code, sizeof o->code);
}

static void rehearsed(struct outcome_entry *o)
{
    why(o);
    o->http_status = 422;
    text("dry_run_refused", o->code, sizeof o->code);
}

static void rehearsed_in_vain(struct outcome_entry *o)
{
    o->http_status = 200;
    text("dry_run_refused", o->code, sizeof o->code);
}

static void other_result(struct outcome_entry *o)
{
    o->http_status = 200;
    text("postcondition_failed", o->code, sizeof o->code);
}

static void no_result(struct outcome_entry *o)
{
    text("postcondition_failed", o->code, sizeof o->code);
}

static void said_by_nobody(struct outcome_entry *o)
{
    text("Invalid", o->reason, sizeof o->reason);
}

static void outcomes(struct checks *c)
{
    concluded(c, RESULT_APPLIED, EVIDENCE_RESPONSE, new_version, FINDINGS, "applied, with the version that came of it");
    concluded(c, RESULT_REJECTED, EVIDENCE_RESPONSE, why, FINDINGS, "refused, with reason and causes");
    concluded(c, RESULT_REJECTED, EVIDENCE_RESPONSE, conflict, FINDINGS, "refused by the API server since the object moved");
    concluded(c, RESULT_REJECTED, EVIDENCE_RESPONSE, nameless_conflict, FOUND_outcome_evidence, "drift that isn't called so");
    concluded(c, RESULT_REJECTED, EVIDENCE_RESPONSE, no_conflict, FOUND_outcome_evidence, "called drift, and isn't");
    concluded(c, RESULT_APPLIED, EVIDENCE_RESPONSE, no_conflict, FOUND_outcome_evidence, "applied, and called drift");
    concluded(c, RESULT_FAILED, EVIDENCE_NEVER_SENT, rehearsed, FINDINGS, "held back by the dry run's refusal");
    concluded(c, RESULT_FAILED, EVIDENCE_NEVER_SENT, rehearsed_in_vain, FOUND_outcome_evidence, "a refusal that was none");
    concluded(c, RESULT_FAILED, EVIDENCE_NEVER_SENT, other_result, FINDINGS, "held back by the dry run's result");
    concluded(c, RESULT_FAILED, EVIDENCE_NEVER_SENT, no_result, FOUND_outcome_evidence, "a result that never came");
    concluded(c, RESULT_OPEN, EVIDENCE_NONE, said_by_nobody, FOUND_outcome_evidence, "a reason without an answer");
}

/* Not applied: concluded from a look that began when no cache takes the credential any more, and not from one that began when the
 * credential alone was over. */
static void settled(struct checks *c, int64_t wait_ms, enum finding f, const char *name)
{
    struct cover_world w;
    cover_world_new(&w, "extra");
    struct entry e = cover_permit(&w, &cover_scale);
    e = cover_outcome(&w, &e, RESULT_OPEN, EVIDENCE_NONE);
    aw_put(&w.s.w, &e); /* 7 */
    aw_sign(&w.s.w);
    aw_quote(&w.s.w);
    aw_wait(&w.s.w, &w.s.tpm, wait_ms);
    struct entry read = aw_read(&w.s.w, &w.last, 6); /* 8 */
    aw_put(&w.s.w, &read);
    e = aw_outcome(&w.s.w, 6, &w.leaf[0], RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED);
    e.outcome.read = 8;
    aw_put(&w.s.w, &e); /* 9 */
    if (f == FINDINGS)
        clean(c, &w, name);
    else
        expect(c, &w, f, 9, name);
}

int main(void)
{
    struct checks c = { 0 };
    decisions(&c);
    drifted_field(&c);
    outcomes(&c);
    settled(&c, 21000, FINDINGS, "not applied, when caches are over too");
    settled(&c, 12000, FOUND_outcome_early, "not applied, while a cache may still take the credential");
    return checks_end(&c);
}
