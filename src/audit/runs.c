/* Runs, from start to stop: each has a name of its own, and its records name it. */
#include "config.h"

#include <stdlib.h>

#include "audit/audit.h"

/* Records of this start that come before it: a rekey, and what a core was about to write. */
#define BEFORE_START 4
/* From when certificates are refused is asked before the start's record is made. */
#define RESTART_S 60

struct runs {
    bool going;
    bool replaced; /* a rekey to another TPM came, and no start since */
    struct run now;
    struct table known; /* by the run's name */
};

static result runs_begin(struct audit *a)
{
    a->runs = calloc(1, sizeof *a->runs);
    return a->runs ? OK : fail(E_no_memory);
}

static void runs_free(struct audit *a)
{
    if (!a->runs)
        return;
    table_free(&a->runs->known);
    pubkey_free(a->runs->now.mint);
    free(a->runs);
    a->runs = NULL;
}

const struct run *run_now(const struct audit *a)
{
    return a->runs->going ? &a->runs->now : NULL;
}

bool run_is_now(struct audit *a, const struct record *r, const uint8_t id[RUN_SIZE])
{
    const struct run *now = run_now(a);
    bool same = now && span_equal((struct span){ id, RUN_SIZE }, SPAN(now->id));
    if (!same)
        report_found(&a->report, now ? FOUND_run_other : FOUND_run_missing, at_record(r->index), "%s", "");
    return same;
}

static result take_measured(const struct start_entry *s, struct cel_state *ret)
{
    for (unsigned i = 0; i < s->measured_n; i++)
        TRY(cel_put(ret, s->measured[i].name, &s->measured[i].digest));
    return OK;
}

/* What stands before a start is what it says it found; certificates are refused from the start's own second or not at all. */
static void check_restart(struct audit *a, const struct record *r)
{
    const struct start_entry *s = &r->e.start;
    const int64_t late = r->e.time / 1000 - s->certificates_from;
    if (s->head > r->index || r->index - s->head > BEFORE_START)
        report_found(&a->report, FOUND_start_head, at_record(r->index), "%llu", (unsigned long long)s->head);
    /* From the second after that in which the broker came up: one issued in that very second may have been used before. */
    if (s->certificates_from && (late < -1 || late > RESTART_S))
        report_found(&a->report, FOUND_start_restart, at_record(r->index), "%lld s before its record", (long long)late);
    if (s->certificates_from)
        report_remark(&a->report, REMARK_unclean, at_record(r->index), "%s", "");
}

static result take_start(struct audit *a, const struct record *r)
{
    const struct start_entry *s = &r->e.start;
    struct runs *runs = a->runs;
    struct digest name = sha256(SPAN(s->run));
    uint64_t *before;
    TRY(table_put(&runs->known, key_of_digest(&name), r->index, &before));
    if (before)
        report_found(&a->report, FOUND_run_reused, at_record(r->index), "record %llu", (unsigned long long)*before);
    if (!span_is(span_text(s->domain), a->trust.domain) || !span_is(span_text(s->instance), a->trust.instance))
        report_found(&a->report, FOUND_start_identity, at_record(r->index), "%s/%s", s->domain, s->instance);
    if (runs->going && !runs->now.stopped)
        report_remark(&a->report, REMARK_crashed, at_record(r->index), "%s", "");
    check_restart(a, r);
    pubkey_free(runs->now.mint);
    runs->now = (struct run){ .start = r->index,
        .resumed = a->noted,
        .head = s->head,
        .mint_epoch = -1,
        .certificates_from = s->certificates_from,
        .counter_from = (uint64_t)s->counter,
        .counter_to = (uint64_t)s->counter + runs->replaced };
    runs->replaced = false;
    runs->going = true;
    a->summary.runs++;
    TRY(span_copy(SPAN(s->run), runs->now.id, RUN_SIZE));
    TRY(take_measured(s, &runs->now.measured));
    return keys_check(a, r, s->key, &runs->now);
}

/* Keys that changed while the run went on: a new mint key, for a new revocation epoch. */
static result take_keys(struct audit *a, const struct record *r)
{
    struct run *run = &a->runs->now;
    if (!run_is_now(a, r, r->e.keys.run))
        return OK;
    a->summary.keys++;
    run->mint_epoch = r->e.keys.epoch;
    return keys_check(a, r, r->e.keys.key, run);
}

void run_lifted(struct audit *a)
{
    if (a->runs->going)
        a->runs->now.certificates_from = a->runs->now.refused_from = 0;
}

void run_covered(struct audit *a)
{
    struct run *now = &a->runs->now;
    if (!a->runs->going || !now->certificates_from)
        return;
    now->refused_from = now->certificates_from;
    now->certificates_from = 0;
}

/* The revocation epoch in force moves a new TPM's counter once, without a record of its own. */
static void take_rekey(struct runs *runs, const struct rekey_entry *e)
{
    runs->replaced |= !digest_equal(&e->old_kid[ROLE_ATTESTATION], &e->new_kid[ROLE_ATTESTATION]);
}

/* After a stop an outcome may still come, and a refusal; nothing that a credential is minted for. */
static bool is_mintable(const struct entry *e)
{
    return e->type == ENTRY_READ || (e->type == ENTRY_DECISION && e->decision.permitted);
}

static result runs_record(struct audit *a, const struct record *r)
{
    struct runs *runs = a->runs;
    if (r->e.type == ENTRY_START)
        return take_start(a, r);
    if (r->e.type == ENTRY_REKEY)
        take_rekey(runs, &r->e.rekey);
    if (!runs->going && r->e.type != ENTRY_REKEY && r->e.type != ENTRY_STOP && r->e.type != ENTRY_READ &&
        r->e.type != ENTRY_DECISION)
        report_found(&a->report, FOUND_run_missing, at_record(r->index), "%s", "");
    else if (runs->going && runs->now.stopped && (is_mintable(&r->e) || r->e.type == ENTRY_STOP))
        report_found(&a->report, FOUND_run_ended, at_record(r->index), "%s", "");
    else if (r->e.type == ENTRY_STOP)
        runs->now.stopped = run_is_now(a, r, r->e.stop.run);
    else if (r->e.type == ENTRY_KEYS)
        return take_keys(a, r);
    else if (r->e.type == ENTRY_EPOCH)
        runs->now.counter_to++; /* what moves the epoch moves the counter */
    return OK;
}

const struct audit_check check_runs = { .name = "runs", .begin = runs_begin, .record = runs_record, .free = runs_free };
