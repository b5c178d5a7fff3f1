/* Quotes: what the TPM attests of the log, and when by its own clock. They come in order of the size that they cover, in step with
 * the records (pass_signed_at). docs/auditing.md says why the tolerances are what they are. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "attest/quote.h"
#include "audit/audit.h"

/* A quote is at most a second behind a signed checkpoint; before that a record waits to be stored and signed. */
#define QUOTE_LATE_MS 3000
#define PART_MAX 4096

struct quote_line {
    uint64_t size;
    struct buf attest, preimage, signature;
};
/* A quote with other epochs than those in force: said unless a record behind it explains them. */
struct suspect {
    bool policy, epoch;
    uint64_t size, policy_epoch, revocation;
};
struct quotes {
    struct lines *lines;
    bool waiting;
    struct quote_line next;
    uint64_t last_size;
    struct clock_watch *clock;
    struct state_watch *states;
    uint64_t policy_epoch, epoch; /* as the records say */
    bool early; /* a run started, and nothing was decided in it */
    struct suspect suspect;
    bool uncovered; /* a checkpoint that no quote covers yet, */
    int64_t uncovered_ms; /* and how long the broker had run by then */
    bool first_waits; /* a quote of size 0 isn't by the attestation key of that place: a rekey must come before anything else */
    bool late; /* a permit came too late behind it */
};

static result quotes_begin(struct audit *a)
{
    struct quotes *q = calloc(1, sizeof *q);
    if (!q)
        return fail(E_no_memory);
    a->quotes = q;
    q->next.attest = q->next.preimage = q->next.signature = BUF(PART_MAX);
    TRY(clock_new(&q->clock));
    TRY(states_new(&q->states));
    result r = lines_open(&a->export, "quotes.jsonl", &q->lines);
    if (is_ok(r) || !is_exports_fault(r))
        return r;
    report_found(&a->report, code_of(r) == E_not_found ? FOUND_file_missing : FOUND_file_malformed, at_file(), "quotes.jsonl");
    return OK;
}

static void quotes_free(struct audit *a)
{
    struct quotes *q = a->quotes;
    if (!q)
        return;
    lines_close(q->lines);
    clock_free(q->clock);
    states_free(q->states);
    buf_free(&q->next.attest);
    buf_free(&q->next.preimage);
    buf_free(&q->next.signature);
    free(q);
    a->quotes = NULL;
}

static result read_line(struct span line, struct quote_line *ret)
{
    AUTO_JSON *o = NULL;
    int64_t size;
    buf_clear(&ret->attest);
    buf_clear(&ret->preimage);
    buf_clear(&ret->signature);
    TRY(json_strict(line, LINE_MAX_, &o));
    TRY(json_is_canonical(o, line));
    TRY(json_closed(o, (const char *const[]){ "attest", "preimage", "signature", "size", NULL }));
    TRY(json_int(o, "size", 0, JSON_INT_MAX, &size));
    ret->size = (uint64_t)size;
    TRY(json_bytes_at(o, "attest", PART_MAX, &ret->attest));
    TRY(json_bytes_at(o, "preimage", PART_MAX, &ret->preimage));
    return json_bytes_at(o, "signature", PART_MAX, &ret->signature);
}

static result next_quote(struct audit *a)
{
    struct quotes *q = a->quotes;
    struct span line;
    bool there = true;
    while (q->lines && !q->waiting && there) {
        result r = lines_next(q->lines, &line, &there);
        if (!is_ok(r) && code_of(r) != E_truncated && code_of(r) != E_too_long)
            return r;
        if (is_ok(r) && !there)
            return OK;
        if (is_ok(r))
            r = read_line(line, &q->next);
        if (is_ok(r)) {
            q->waiting = true;
            a->summary.quotes++;
        } else if (is_exports_fault(r))
            report_found(
                &a->report, FOUND_quote_malformed, at_size(q->last_size), "the line behind this size: %s", code_name(code_of(r)));
        else
            return r;
    }
    return OK;
}

struct state_watch *states_now(const struct audit *a)
{
    return a->quotes->states;
}

/* Signature, and that the quote is of this note; the epochs that it names. */
static bool is_bound(
    struct audit *a, const struct signed_size *s, struct attest *ret, uint64_t *ret_policy_epoch, uint64_t *ret_epoch)
{
    const struct quote_line *l = &a->quotes->next;
    struct digest preimage = sha256(buf_span(&l->preimage)), note;
    const bool is_signed =
        is_ok(attest_open(buf_span(&l->attest), buf_span(&l->signature), key_now(a, ROLE_ATTESTATION), ret)) && ret->is_quote;
    if (!is_signed && l->size == 0) /* as with its checkpoint, keys may have been replaced before anything was signed */
        a->quotes->first_waits = true;
    else if (!is_signed)
        report_found(&a->report, FOUND_quote_signature, at_size(l->size), "%s", "");
    else if (!span_equal(ret->extra, digest_span(&preimage)))
        report_found(&a->report, FOUND_quote_binding, at_size(l->size), "%s", "");
    else if (!is_ok(quote_preimage_read(buf_span(&l->preimage), &note, ret_policy_epoch, ret_epoch)))
        report_found(&a->report, FOUND_quote_malformed, at_size(l->size), "its preimage");
    else if (!digest_equal(&note, &s->text))
        report_found(&a->report, FOUND_quote_note, at_size(l->size), "%s", "");
    else
        return true;
    return false;
}

static void settle_epochs(struct audit *a)
{
    struct suspect *s = &a->quotes->suspect;
    if (s->policy || s->epoch)
        report_found(&a->report, FOUND_quote_epochs, at_size(s->size), "policy %" PRIu64 ", revocation %" PRIu64, s->policy_epoch,
            s->revocation);
    *s = (struct suspect){ 0 };
}

/* The keeper quotes what it holds: what is in force, or a statement that it took and whose record follows, or in a run's first
 * moments none yet. */
static void check_epochs(struct audit *a, uint64_t size, uint64_t policy_epoch, uint64_t epoch)
{
    struct quotes *q = a->quotes;
    struct suspect now = { .size = size, .policy_epoch = policy_epoch, .revocation = epoch };
    now.policy = policy_epoch != q->policy_epoch && !(q->early && policy_epoch == 0);
    now.epoch = epoch != q->epoch && !(q->early && epoch == 0);
    bool same = now.policy == q->suspect.policy && now.epoch == q->suspect.epoch && policy_epoch == q->suspect.policy_epoch &&
                epoch == q->suspect.revocation;
    if (same)
        return;
    settle_epochs(a);
    q->suspect = now;
}

/* All checkpoints up to here are covered. */
static void cover(struct audit *a, uint64_t size)
{
    struct quotes *q = a->quotes;
    int64_t gap = a->running.active_ms - q->uncovered_ms;
    if (q->uncovered && !q->late && gap > QUOTE_LATE_MS)
        report_remark(&a->report, REMARK_quote_gap, at_size(size), "%" PRId64 " ms", gap);
    q->uncovered = q->late = false;
}

static void take_quote(struct audit *a, const struct signed_size *s)
{
    struct quotes *q = a->quotes;
    struct attest attest;
    struct quoted_state state;
    uint64_t policy_epoch, epoch;
    if (!is_bound(a, s, &attest, &policy_epoch, &epoch))
        return;
    clock_quoted(a, q->clock, s->size, &attest.clock);
    if (quoted_state_of(&attest, epoch, &state))
        states_quoted(q->states, s->size, &state);
    check_epochs(a, s->size, policy_epoch, epoch);
    cover(a, s->size);
    a->summary.has_quote = true;
    a->summary.quoted_size = s->size;
    a->summary.clock_ms = attest.clock.clock_ms;
    a->summary.reset_count = attest.clock.reset_count;
    a->summary.restart_count = attest.clock.restart_count;
}

static void settle_first(struct audit *a)
{
    if (a->quotes->first_waits)
        report_found(&a->report, FOUND_quote_signature, at_size(0), "%s", "");
    a->quotes->first_waits = false;
}

static result quotes_signed_at(struct audit *a, const struct signed_size *s)
{
    struct quotes *q = a->quotes;
    if (s->size > 0)
        settle_first(a);
    if (!q->uncovered) {
        q->uncovered = true;
        q->uncovered_ms = a->running.active_ms;
    }
    for (;;) {
        TRY(next_quote(a));
        if (!q->waiting || q->next.size > s->size)
            return OK;
        q->waiting = false;
        if (q->next.size < q->last_size)
            report_found(&a->report, FOUND_quote_order, at_size(q->next.size), "behind size %" PRIu64, q->last_size);
        else if (q->next.size < s->size)
            report_found(&a->report, FOUND_quote_note, at_size(q->next.size), "no checkpoint of this size");
        else
            take_quote(a, s);
        q->last_size = q->next.size > q->last_size ? q->next.size : q->last_size;
    }
}

/* A permit is judged by the quotes before it: the checkpoint that no quote covers yet must not be too old. */
static void check_permit(struct audit *a, const struct record *r)
{
    struct quotes *q = a->quotes;
    int64_t behind = a->running.active_ms - q->uncovered_ms;
    if (!q->uncovered || behind <= QUOTE_LATE_MS)
        return;
    report_found(&a->report, FOUND_quote_late, at_record(r->index), "%" PRId64 " ms", behind);
    q->late = true;
}

/* A start right behind a quote: the new run quoted what the last one left before it had its statements. Or the statement that the
 * keeper had taken is recorded now. */
static void explain_suspect(struct quotes *q, const struct record *r)
{
    struct suspect *s = &q->suspect;
    if (r->e.type == ENTRY_START && r->index == s->size)
        *s = (struct suspect){ 0 };
    if (r->e.type == ENTRY_POLICY && s->policy_epoch == (uint64_t)r->e.policy.policy_epoch)
        s->policy = false;
    if (r->e.type == ENTRY_EPOCH && s->revocation == (uint64_t)r->e.epoch.epoch)
        s->epoch = false;
}

static result quotes_record(struct audit *a, const struct record *r)
{
    struct quotes *q = a->quotes;
    clock_record(q->clock, r);
    states_record(a, q->states, r);
    explain_suspect(q, r);
    if (r->e.type == ENTRY_POLICY)
        q->policy_epoch = (uint64_t)r->e.policy.policy_epoch;
    if (r->e.type == ENTRY_EPOCH)
        q->epoch = (uint64_t)r->e.epoch.epoch;
    if (r->e.type == ENTRY_START)
        q->early = true;
    if (r->e.type == ENTRY_REKEY && !digest_equal(&r->e.rekey.old_kid[ROLE_ATTESTATION], &r->e.rekey.new_kid[ROLE_ATTESTATION])) {
        clock_replaced(q->clock);
        q->first_waits = false;
    }
    if (r->e.type == ENTRY_DECISION || r->e.type == ENTRY_READ)
        q->early = false;
    if (r->e.type == ENTRY_DECISION && r->e.decision.permitted)
        check_permit(a, r);
    return OK;
}

static result quotes_end(struct audit *a)
{
    struct quotes *q = a->quotes;
    settle_epochs(a);
    settle_first(a);
    clock_end(a, q->clock);
    states_end(a, q->states);
    TRY(next_quote(a));
    if (q->waiting && a->frontier.size == a->size)
        report_found(&a->report, FOUND_quote_note, at_size(q->next.size), "no checkpoint of this size");
    if (!a->summary.has_quote && a->size > 0)
        report_found(&a->report, FOUND_quote_missing, at_file(), "%s", "");
    else if (q->uncovered)
        report_remark(&a->report, REMARK_unquoted, at_size(a->summary.quoted_size), "up to size %" PRIu64, a->size);
    return OK;
}

const struct audit_check check_quotes = { .name = "quotes",
    .begin = quotes_begin,
    .record = quotes_record,
    .signed_at = quotes_signed_at,
    .end = quotes_end,
    .free = quotes_free };
