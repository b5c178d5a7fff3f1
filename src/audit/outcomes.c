/* Each permit has exactly one final outcome, and what an outcome says rests on what it names. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "audit/audit.h"

/* A run that goes on has some outcome for each of its permits this long after: the longest timeout of a target (sebd.json(5)), what
 * keeper and runner may take, and the time of a write that has to be tried again. */
#define OUTCOME_WITHIN_MS INT64_C(120000)
/* The look at the target begins just behind the read's record. */
#define LOOK_BEHIND_MS 1000

struct permitted {
    uint64_t index, run;
    int64_t time;
    int64_t over; /* seconds: from when on no cache of the target takes the credential */
    struct digest leaf, signed_;
    char kind[16];
    bool any; /* an outcome that isn't final */
    bool closed; /* the place is free */
};
struct outcomes {
    struct table places; /* of a permit's index: its place, or DONE */
    struct permitted *list;
    size_t n, room;
    size_t *free_places;
    size_t free_n;
    uint64_t run; /* the start of the run whose records come */
    int64_t time; /* of its newest */
};
#define DONE UINT64_MAX

static result outcomes_begin(struct audit *a)
{
    a->outcomes = calloc(1, sizeof *a->outcomes);
    return a->outcomes ? OK : fail(E_no_memory);
}

static void outcomes_free(struct audit *a)
{
    if (!a->outcomes)
        return;
    table_free(&a->outcomes->places);
    free(a->outcomes->list);
    free(a->outcomes->free_places);
    free(a->outcomes);
    a->outcomes = NULL;
}

static result grow(struct outcomes *o)
{
    size_t room = o->room ? o->room * 2 : 64;
    struct permitted *list = reallocarray(o->list, room, sizeof *list);
    if (list)
        o->list = list;
    size_t *places = list ? reallocarray(o->free_places, room, sizeof *places) : NULL;
    if (!places)
        return fail(E_no_memory);
    o->free_places = places;
    o->room = room;
    return OK;
}

result outcome_expect(struct audit *a, const struct record *r)
{
    struct outcomes *o = a->outcomes;
    const struct decision_entry *d = &r->e.decision;
    uint64_t *before;
    if (!o->free_n && o->n == o->room)
        TRY(grow(o));
    size_t at = o->free_n ? o->free_places[--o->free_n] : o->n++;
    struct permitted *p = &o->list[at];
    *p = (struct permitted){ .index = r->index,
        .run = run_now(a) ? run_now(a)->start : NO_INDEX,
        .time = r->e.time,
        .over = d->accepted_until > d->exp ? d->accepted_until : d->exp,
        .leaf = r->leaf,
        .signed_ = d->signed_ };
    TRY(span_copy_text(span_text(d->target_kind), p->kind, sizeof p->kind));
    return table_put(&o->places, key_of_number(r->index), at, &before);
}

static struct permitted *permit_of(const struct audit *a, uint64_t decision, bool *ret_done)
{
    const uint64_t *place = table_find(&a->outcomes->places, key_of_number(decision));
    *ret_done = place && *place == DONE;
    return place && !*ret_done ? &a->outcomes->list[*place] : NULL;
}

bool outcome_is_open(const struct audit *a, uint64_t decision, const struct digest *signed_)
{
    bool done;
    const struct permitted *p = permit_of(a, decision, &done);
    return p && digest_equal(&p->signed_, signed_);
}

/* Which evidence serves which result (docs/formats.md, "Outcome"). */
static const struct fit {
    enum outcome_result result;
    enum outcome_evidence evidence;
    bool final, status, code, read;
} fits[] = {
    { RESULT_APPLIED, EVIDENCE_RESPONSE, .final = true, .status = true },
    { RESULT_REJECTED, EVIDENCE_RESPONSE, .final = true, .status = true },
    { RESULT_OPEN, EVIDENCE_RESPONSE, .final = false, .status = true },
    { RESULT_OPEN, EVIDENCE_NONE, .final = false, .code = true },
    { RESULT_FAILED, EVIDENCE_NEVER_SENT, .final = true, .code = true },
    { RESULT_FAILED, EVIDENCE_MINT_REFUSED, .final = true, .code = true },
    { RESULT_APPLIED, EVIDENCE_STATE, .final = true, .read = true },
    { RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED, .final = true, .read = true },
    { RESULT_OPEN, EVIDENCE_STATE_OTHER, .final = true, .read = true },
};

static const struct fit *fit_of(const struct outcome_entry *e)
{
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++)
        if (fits[i].result == e->result && fits[i].evidence == e->evidence && fits[i].final == e->final)
            return &fits[i];
    return NULL;
}

static enum call_meaning meaning_of(enum outcome_result r)
{
    return r == RESULT_APPLIED ? MEANS_APPLIED : r == RESULT_REJECTED ? MEANS_REJECTED : MEANS_OPEN;
}

/* Only an answer has a status. What was never sent has one where a rehearsal was answered, and it fits what is said of that. */
static bool has_its_status(const struct outcome_entry *e, const struct fit *fit, const char *kind)
{
    const enum seb_code code = code_named(e->code);
    const bool rehearsed = code == E_dry_run_refused || code == E_postcondition_failed;
    if (e->evidence != EVIDENCE_NEVER_SENT)
        return fit->status == (e->http_status != 0);
    if (!e->http_status || !target_keeps_body(kind))
        return !e->http_status && !rehearsed;
    const bool done = target_meaning(kind, (uint32_t)e->http_status) == MEANS_APPLIED;
    return !rehearsed || done == (code == E_postcondition_failed);
}

/* A refusal by the target may have a name of ours, by its kind and status, and no other. */
static bool is_named(const struct outcome_entry *e, const struct permitted *p)
{
    const enum seb_code code = target_rejection(p->kind, (uint32_t)e->http_status, e->causes);
    return e->code[0] ? span_is(span_text(e->code), code_name(code)) && code != E_ok : code == E_ok;
}

/* What the target itself said is part of an answer, and an object's version of an answer or a read. */
static bool is_said(const struct outcome_entry *e, const char *kind)
{
    const bool told = e->reason[0] || e->causes[0] || e->version[0];
    if (!told)
        return true;
    return target_keeps_body(kind) && (e->http_status || (e->read != NO_INDEX && !e->reason[0] && !e->causes[0]));
}

static bool is_sound(const struct outcome_entry *e, const struct permitted *p)
{
    const struct fit *fit = fit_of(e);
    if (!fit || !has_its_status(e, fit, p->kind) || fit->read != (e->read != NO_INDEX))
        return false;
    if (fit->status ? !is_named(e, p) : fit->code != (e->code[0] != 0))
        return false;
    if (fit->code && code_named(e->code) == E_CODES)
        return false;
    return is_said(e, p->kind) && (!fit->status || target_meaning(p->kind, (uint32_t)e->http_status) == meaning_of(e->result));
}

/* "Not applied" and "something else is there now" can be told only when the call can't land any more. */
static bool is_early(const struct record *r, const struct permitted *p, const struct known_read *read)
{
    const struct outcome_entry *e = &r->e.outcome;
    if (e->evidence != EVIDENCE_STATE_UNCHANGED && e->evidence != EVIDENCE_STATE_OTHER)
        return false;
    return r->e.time < p->over * 1000 || (read && read->time + LOOK_BEHIND_MS < p->over * 1000);
}

static void check_outcome(struct audit *a, const struct record *r, const struct permitted *p)
{
    const struct outcome_entry *e = &r->e.outcome;
    const struct known_read *read = e->read != NO_INDEX ? read_use(a, r, e->read, &p->signed_) : NULL;
    if (!digest_equal(&e->leaf, &p->leaf))
        report_found(&a->report, FOUND_outcome_leaf, at_record(r->index), "record %" PRIu64, p->index);
    if (!is_sound(e, p))
        report_found(
            &a->report, FOUND_outcome_evidence, at_record(r->index), "%s, %s", outcome_name(e->result), evidence_name(e->evidence));
    if (read && (read->purpose != READ_RECONCILE || read->decision != p->index))
        report_found(&a->report, FOUND_read_unknown, at_record(r->index), "record %" PRIu64 " is for another", read->index);
    if (is_early(r, p, read))
        report_found(&a->report, FOUND_outcome_early, at_record(r->index), "%s", "");
}

static result close_permit(struct outcomes *o, struct permitted *p)
{
    uint64_t *place = table_find(&o->places, key_of_number(p->index));
    if (!place)
        return fail(E_invariant);
    o->free_places[o->free_n++] = (size_t)*place;
    *place = DONE;
    p->closed = true;
    return OK;
}

static result take_outcome(struct audit *a, const struct record *r)
{
    const struct outcome_entry *e = &r->e.outcome;
    bool done;
    struct permitted *p = permit_of(a, e->decision, &done);
    a->summary.outcomes++;
    if (!p) {
        report_found(
            &a->report, done ? FOUND_outcome_again : FOUND_outcome_unknown, at_record(r->index), "record %" PRIu64, e->decision);
        return OK;
    }
    check_outcome(a, r, p);
    p->any = true;
    if (!e->final)
        return OK;
    a->summary.finals++;
    return close_permit(a->outcomes, p);
}

/* The run is over: none of its permits may lack every outcome, but those of its last moments. */
static void run_over(struct audit *a)
{
    const struct outcomes *o = a->outcomes;
    for (size_t i = 0; i < o->n; i++) {
        const struct permitted *p = &o->list[i];
        if (!p->closed && !p->any && p->run == o->run && o->time - p->time > OUTCOME_WITHIN_MS)
            report_found(&a->report, FOUND_outcome_missing, at_record(p->index), "%s", "");
    }
}

static result outcomes_record(struct audit *a, const struct record *r)
{
    if (r->e.type == ENTRY_START) {
        run_over(a);
        a->outcomes->run = r->index;
    }
    a->outcomes->time = r->e.time;
    return r->e.type == ENTRY_OUTCOME ? take_outcome(a, r) : OK;
}

static int by_index(const void *x, const void *y)
{
    const struct permitted *a = x, *b = y;
    return (a->index > b->index) - (a->index < b->index);
}

static result outcomes_end(struct audit *a)
{
    struct outcomes *o = a->outcomes;
    run_over(a);
    if (o->n)
        qsort(o->list, o->n, sizeof *o->list, by_index);
    for (size_t i = 0; i < o->n; i++)
        if (!o->list[i].closed) {
            a->summary.open++;
            report_remark(&a->report, REMARK_open, at_record(o->list[i].index), "%s", "");
        }
    return OK;
}

const struct audit_check check_outcomes = { .name = "outcomes",
    .judges = true,
    .begin = outcomes_begin,
    .record = outcomes_record,
    .end = outcomes_end,
    .free = outcomes_free };
