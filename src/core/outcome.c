/* What became of a call, and on what evidence. An open outcome is reconciled by looking at the target; nothing is retried, and "not
 * applied" is concluded only from a look that began when the call could no longer land. */
#include "config.h"

#include "base/clock.h"
#include "core/core.h"

#define LOOK_FIRST_MS 250
#define LOOK_SLOWEST_MS 5000
#define HORIZON_SLACK_MS 10

static void conclude(struct work *w, enum outcome_result result_, enum outcome_evidence evidence, bool final)
{
    w->outcome.result = result_;
    w->outcome.evidence = evidence;
    w->outcome.final = final;
}

static result code_set(struct work *w, enum seb_code code)
{
    return span_copy_text(span_text(code_name(code)), w->outcome.code, sizeof w->outcome.code);
}

/* The call's own answer. */
static result from_answer(struct work *w)
{
    const struct answer_message *a = &w->answer;
    w->outcome = (struct outcome_entry){ .decision = w->decision_index, .leaf = w->leaf, .read = NO_INDEX };
    if (w->mint_code != E_ok) {
        conclude(w, RESULT_FAILED, EVIDENCE_MINT_REFUSED, true);
        return code_set(w, w->mint_code);
    }
    if (a->phase == ANSWER_NEVER_SENT) {
        conclude(w, RESULT_FAILED, EVIDENCE_NEVER_SENT, true);
        return code_set(w, a->code != E_ok ? (enum seb_code)a->code : E_not_sent);
    }
    if (a->phase == ANSWER_NONE) {
        conclude(w, RESULT_OPEN, EVIDENCE_NONE, false);
        return code_set(w, a->code != E_ok ? (enum seb_code)a->code : E_no_answer);
    }
    w->outcome.http_status = a->http_status;
    w->outcome.has_etag = a->has_etag;
    TRY(span_copy_text(span_text(w->answer_etag), w->outcome.etag, sizeof w->outcome.etag));
    switch (target_meaning(w->target->kind, a->http_status)) {
    case MEANS_APPLIED:
        conclude(w, RESULT_APPLIED, EVIDENCE_RESPONSE, true);
        break;
    case MEANS_REJECTED:
        conclude(w, RESULT_REJECTED, EVIDENCE_RESPONSE, true);
        break;
    case MEANS_OPEN:
        conclude(w, RESULT_OPEN, EVIDENCE_RESPONSE, false);
        break;
    }
    return OK;
}

static result outcome_write(struct core *c, struct work *w)
{
    struct store_batch *batch = journal_batch(c->journal);
    struct store_mark mark = store_batch_mark(batch);
    struct entry e = { .type = ENTRY_OUTCOME, .time = journal_now(c->journal), .outcome = w->outcome };
    struct placed placed;
    result r = journal_add(c->journal, &e, NULL, &placed);
    if (is_ok(r))
        r = store_batch_outcome(batch, w->decision_index, placed.index, w->outcome.final);
    if (is_ok(r))
        w->outcome_index = placed.index;
    else
        store_batch_rewind(batch, mark);
    return r;
}

enum stage_id stage_outcome(struct core *c, struct work *w)
{
    result r = w->outcome.result ? OK : from_answer(w);
    if (is_ok(r))
        r = outcome_write(c, w);
    if (!is_ok(r)) { /* the batch is full, or memory is short: the outcome is known, and is written as soon as it can be */
        work_due_in(c, w, LOOK_FIRST_MS);
        w->resume = STAGE_OUTCOME;
        return STAGE_WAIT;
    }
    return wait_until(
        c, w, &(struct ticket){ .index = w->outcome_index, .until = UNTIL_SIGNED }, w->outcome.final ? STAGE_CLOSE : STAGE_SETTLE);
}

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

/* Whether the target holds what was asked for, and didn't before. */
static bool is_as_asked(const struct work *w, const struct live_state *before)
{
    const struct body_ref *body = &w->certificate.contract.mutation.body;
    if (!body->present)
        return !w->live.exists;
    return w->live.exists && digest_equal(&w->live.sha256, &body->sha256) &&
           (!before->exists || !span_equal(span_text(before->etag), span_text(w->live.etag)));
}

static bool is_as_before(const struct work *w, const struct live_state *before)
{
    if (w->live.exists != before->exists)
        return false;
    return !before->exists ||
           (span_equal(span_text(before->etag), span_text(w->live.etag)) && digest_equal(&before->sha256, &w->live.sha256));
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
    if (!is_ok(span_copy_text(span_text(w->live.etag), o.etag, sizeof o.etag)))
        return STAGE_SETTLE;
    w->outcome = o;
    if (is_as_asked(w, before))
        conclude(w, RESULT_APPLIED, EVIDENCE_STATE, true);
    else if (over && is_as_before(w, before))
        conclude(w, RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED, true);
    else if (over)
        conclude(w, RESULT_OPEN, EVIDENCE_STATE_OTHER, true);
    else
        return STAGE_SETTLE;
    return STAGE_OUTCOME;
}

enum stage_id stage_close(struct core *c, struct work *w)
{
    struct known_request known = { .core = w->request.core,
        .certificate = w->certificate.digest,
        .decision = w->decision_index,
        .permitted = w->permit != NULL || w->decision.permitted,
        .outcome = w->outcome_index };
    for (struct waiter *one = w->waiters; one; one = one->next)
        reply_known(c, one->slot, &known);
    return STAGE_END;
}
