/* What the stages wait for: entries on their way into the log, credentials from the keeper, answers of the runner. */
#include "config.h"

#include "core/core.h"

#include "base/clock.h"

/* Beyond the target's own timeout, for the keeper's and runner's part; then the call is taken as one without an answer. */
#define ANSWER_SLACK_MS 10000
#define OUTCOME_AGAIN_MS 1000

/* The record isn't in the log: nothing was minted on it, and nobody may believe it. What a call has led to is written again. */
static void lost(struct core *c, struct work *w, result r)
{
    if (w->stage == STAGE_OUTCOME) {
        work_due_in(c, w, OUTCOME_AGAIN_MS);
        w->resume = STAGE_OUTCOME;
    } else if (w->stage == STAGE_LOOK) {
        work_go(c, w, STAGE_SETTLE);
    } else {
        reply_to_all(c, w, "unavailable", NULL, code_of(r));
        work_free(c, w);
    }
}

static void ticket_resumes(struct ticket *t, result r)
{
    struct work *w = (struct work *)((char *)t - offsetof(struct work, ticket));
    struct core *c = t->context;
    if (is_ok(r))
        work_go(c, w, w->resume);
    else
        lost(c, w, r);
}

enum stage_id wait_until(struct core *c, struct work *w, const struct ticket *t, enum stage_id then)
{
    w->ticket = *t;
    w->ticket.context = c;
    w->ticket.done = ticket_resumes;
    w->resume = then;
    journal_wait(c->journal, &w->ticket);
    return STAGE_WAIT;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum stage_id read_entry_add(struct core *c, struct work *w, enum read_purpose purpose, enum stage_id then)
{
    const struct contract *contract = &w->certificate.contract;
    const struct attested_facts *attested = attested_facts_now(c);
    if (attested_code(c) != E_ok) /* it was, when the rules were asked */
        return purpose == READ_RECONCILE ? STAGE_SETTLE : work_unavailable(c, w, attested_code(c));
    result r = attested_record(c);
    int64_t now = journal_now(c->journal);
    struct entry e = { .type = ENTRY_READ,
        .time = now,
        .read = { .purpose = purpose,
            .certificate = w->certificate.digest,
            .signed_ = w->signed_,
            .iat = now / 1000,
            .exp = least(now / 1000 + least(contract->credential_s, policy_credential_s(c->policy)), attested->exp),
            .has_attestation = true,
            .attestation = attested->result,
            .mint_key = c->key[ROLE_MINT].kid,
            .decision = purpose == READ_RECONCILE ? w->decision_index : NO_INDEX } };
    if (is_ok(r))
        r = span_copy(SPAN(c->run), e.read.run, sizeof e.read.run);
    if (is_ok(r))
        r = span_copy_text(span_text(contract->mutation.target), e.read.target, sizeof e.read.target);
    if (is_ok(r))
        r = span_copy_text(span_text(contract->mutation.resource), e.read.resource, sizeof e.read.resource);
    struct placed placed = { .index = NO_INDEX };
    struct store_mark mark = store_batch_mark(journal_batch(c->journal));
    if (is_ok(r))
        r = journal_add(c->journal, &e, NULL, &placed);
    if (is_ok(r))
        r = blob_jws(c, BLOB_CERTIFICATE, &w->signed_, &w->certificate_parts);
    if (!is_ok(r)) {
        store_batch_rewind(journal_batch(c->journal), mark);
        return purpose == READ_RECONCILE ? STAGE_SETTLE : work_unavailable(c, w, code_of(r));
    }
    w->read_index = placed.index;
    return wait_until(c, w, &(struct ticket){ .index = placed.index, .until = UNTIL_APPENDED }, then);
}

/* Each call has a number of its own, so that an answer that comes too late is nobody's. */
enum stage_id mint_ask(struct core *c, struct work *w, uint64_t index, enum stage_id then)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    struct mint_message m = { .index = index, .certificate = w->certificate_parts, .body = { NULL, 0 } };
    int64_t calls = 1;
    if (index == w->decision_index) {
        m.body = w->body;
        calls += w->certificate.contract.dry_run;
    }
    work_renumber(c, w);
    w->mint_code = E_ok;
    w->answer = (struct answer_message){ .phase = ANSWER_NONE, .code = E_no_answer };
    w->resume = then;
    work_due_in(c, w, calls * (w->target ? w->target->timeout_ms : 0) + ANSWER_SLACK_MS);
    result r = mint_put(&fields, &m);
    if (is_ok(r))
        r = link_send(c->keeper, MESSAGE_MINT, w->id, buf_span(&fields));
    if (!is_ok(r))
        child_abort("the keeper can't be asked", r);
    return STAGE_WAIT;
}

enum stage_id stage_read(struct core *c, struct work *w)
{
    return read_entry_add(c, w, READ_DRIFT, STAGE_READ_CALL);
}

enum stage_id stage_read_call(struct core *c, struct work *w)
{
    return mint_ask(c, w, w->read_index, STAGE_DECIDE);
}
