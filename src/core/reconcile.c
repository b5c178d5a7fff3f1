/* An open outcome is reconciled by looking at the target; nothing is retried, and "not applied" is concluded only from a look that
 * began when the call could no longer land. */
#include "config.h"

#include "base/clock.h"
#include "core/core.h"

#define LOOK_FIRST_MS 250
#define LOOK_SLOWEST_MS 5000
#define HORIZON_SLACK_MS 10

enum stage_id stage_settle(struct core *c, struct work *w)
{
    int64_t wait = (int64_t)LOOK_FIRST_MS << (w->tries < 5 ? w->tries : 5);
    int64_t rest = w->horizon_ms - clock_utc_ms() + HORIZON_SLACK_MS;
    if (wait > LOOK_SLOWEST_MS)
        wait = LOOK_SLOWEST_MS;
    if (rest > 0 && rest < wait)
        wait = rest;
    w->tries++;
    w->resume = STAGE_LOOK;
    work_due_in(c, w, wait);
    return STAGE_WAIT;
}

enum stage_id stage_look(struct core *c, struct work *w)
{
    enum seb_code obstacle = core_obstacle(c);
    if (!w->target || (obstacle != E_ok && obstacle != E_quote_stale))
        return STAGE_SETTLE;
    return read_entry_add(c, w, READ_RECONCILE, STAGE_LOOK_CALL);
}

enum stage_id stage_look_call(struct core *c, struct work *w)
{
    w->look_ms = clock_utc_ms();
    return mint_ask(c, w, w->read_index, STAGE_CONCLUDE);
}

static bool same_text(const char *a, const char *b)
{
    return span_equal(span_text(a), span_text(b));
}

/* Under a name that was used again stands another object: it has another uid. */
static bool is_other_object(const struct live_state *a, const struct live_state *b)
{
    return a->exists && b->exists && a->uid[0] && b->uid[0] && !same_text(a->uid, b->uid);
}

/* The contract's own fields of the object, which come after its preconditions' (base/field.h). */
static bool fields_are(const struct work *w, const struct live_state *live)
{
    const struct contract *c = &w->certificate.contract;
    return live->exists && live->fields_n == c->pre.fields.n + c->fields.n &&
           fields_hold(&c->fields, live->field + c->pre.fields.n);
}

/* Of a kind of objects: a contract that says nothing of what it makes of the object can't be recognized in it. */
static bool is_made(const struct work *w, const struct live_state *before)
{
    return w->certificate.contract.fields.n && fields_are(w, &w->live) && !fields_are(w, before) &&
           !is_other_object(&w->live, before);
}

/* Whether the target holds what was asked for, and didn't before. */
static bool is_as_asked(const struct work *w, const struct live_state *before)
{
    const struct target_mutation m = scope_mutation(&w->certificate.contract, NULL);
    if (target_removes(w->target->kind, &m))
        return !w->live.exists || is_other_object(&w->live, before);
    if (target_keeps_body(w->target->kind))
        return is_made(w, before);
    return w->live.exists && digest_equal(&w->live.sha256, &m.body_sha256) &&
           (!before->exists || !same_text(before->etag, w->live.etag));
}

static bool is_as_before(const struct work *w, const struct live_state *before)
{
    if (!w->live.exists || !before->exists)
        return w->live.exists == before->exists;
    if (target_keeps_body(w->target->kind)) /* any write to an object moves its version */
        return before->version[0] && same_text(before->version, w->live.version) && !is_other_object(&w->live, before);
    return same_text(before->etag, w->live.etag) && digest_equal(&before->sha256, &w->live.sha256);
}

enum stage_id stage_conclude(struct core *c, struct work *w)
{
    const struct live_state *before = &w->decision.live;
    if (live_state_take(w) != E_ok)
        return STAGE_SETTLE;
    bool over = w->look_ms >= w->horizon_ms;
    struct outcome_entry o = {
        .decision = w->decision_index, .leaf = w->leaf, .read = w->read_index, .has_etag = w->live.has_etag
    };
    if (!is_ok(span_copy(SPAN(w->live.etag), o.etag, sizeof o.etag)) ||
        !is_ok(span_copy(SPAN(w->live.version), o.version, sizeof o.version)))
        return STAGE_SETTLE;
    w->outcome = o;
    if (is_as_asked(w, before))
        outcome_conclude(w, RESULT_APPLIED, EVIDENCE_STATE, true);
    else if (over && is_as_before(w, before))
        outcome_conclude(w, RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED, true);
    else if (over)
        outcome_conclude(w, RESULT_OPEN, EVIDENCE_STATE_OTHER, true);
    else
        return STAGE_SETTLE;
    return STAGE_OUTCOME;
}
