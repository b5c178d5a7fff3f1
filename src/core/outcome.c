/* What became of a call, and on what evidence. Nothing is retried. */
#include "config.h"

#include "core/core.h"

#define AGAIN_MS 250

void outcome_conclude(struct work *w, enum outcome_result result_, enum outcome_evidence evidence, bool final)
{
    w->outcome.result = result_;
    w->outcome.evidence = evidence;
    w->outcome.final = final;
}

static result code_set(struct work *w, enum seb_code code)
{
    return span_copy_text(span_text(code_name(code)), w->outcome.code, sizeof w->outcome.code);
}

/* What an answer says in the target's own words; of a dry run that held the call back too. */
static result say(struct work *w)
{
    struct outcome_entry *o = &w->outcome;
    o->http_status = w->answer.http_status;
    o->has_etag = w->answer.has_etag;
    TRY(span_copy(SPAN(w->said.etag), o->etag, sizeof o->etag));
    TRY(span_copy(SPAN(w->said.version), o->version, sizeof o->version));
    TRY(span_copy(SPAN(w->said.reason), o->reason, sizeof o->reason));
    return span_copy(SPAN(w->said.causes), o->causes, sizeof o->causes);
}

static result from_response(struct work *w)
{
    TRY(say(w));
    enum seb_code why = target_rejection(w->target->kind, w->answer.http_status, w->outcome.causes);
    switch (target_meaning(w->target->kind, w->answer.http_status)) {
    case MEANS_APPLIED:
        outcome_conclude(w, RESULT_APPLIED, EVIDENCE_RESPONSE, true);
        break;
    case MEANS_REJECTED:
        outcome_conclude(w, RESULT_REJECTED, EVIDENCE_RESPONSE, true);
        break;
    case MEANS_OPEN:
        outcome_conclude(w, RESULT_OPEN, EVIDENCE_RESPONSE, false);
        break;
    }
    return why != E_ok ? code_set(w, why) : OK;
}

/* The call's own answer. */
static result from_answer(struct work *w)
{
    const struct answer_message *a = &w->answer;
    w->outcome = (struct outcome_entry){ .decision = w->decision_index, .leaf = w->leaf, .read = NO_INDEX };
    if (w->mint_code != E_ok) {
        outcome_conclude(w, RESULT_FAILED, EVIDENCE_MINT_REFUSED, true);
        return code_set(w, w->mint_code);
    }
    if (a->phase == ANSWER_NEVER_SENT) {
        outcome_conclude(w, RESULT_FAILED, EVIDENCE_NEVER_SENT, true);
        TRY(say(w));
        return code_set(w, a->code != E_ok ? (enum seb_code)a->code : E_not_sent);
    }
    if (a->phase == ANSWER_NONE) {
        outcome_conclude(w, RESULT_OPEN, EVIDENCE_NONE, false);
        return code_set(w, a->code != E_ok ? (enum seb_code)a->code : E_no_answer);
    }
    return from_response(w);
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
        work_due_in(c, w, AGAIN_MS);
        w->resume = STAGE_OUTCOME;
        return STAGE_WAIT;
    }
    return wait_until(
        c, w, &(struct ticket){ .index = w->outcome_index, .until = UNTIL_SIGNED }, w->outcome.final ? STAGE_CLOSE : STAGE_SETTLE);
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
