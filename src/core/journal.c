#include "config.h"

#include "core/journal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/worker.h"
#include "link/messages.h"
#include "merkle/checkpoint.h"

/* Notes and quotes alone make no commit of their own until this long after they came: they go with the next entry. */
#define NOTES_WAIT_MS 50
/* A signature that nobody waits for (over reads alone) is asked for this long after; sooner it comes with the next record's. A TPM
 * may make five a second: a decision's must not stand behind that of its own read. */
#define SIGN_WAIT_MS 50
/* After a failed commit the next try waits. */
#define DISK_WAIT_MS 500
#define NOTE_NOWHERE UINT64_MAX

struct commit {
    struct job job;
    struct store *store;
    struct store_batch *batch;
    uint64_t group;
    result r;
};

struct waiting {
    struct ticket *first, **last;
};

struct journal {
    struct store *store;
    struct link *keeper;
    struct worker *worker;
    void *thread_context[1];
    struct store_batch *open;
    struct commit commit;
    bool committing;
    result health;
    int64_t last_time, due_ms;
    int64_t not_before_ms; /* after a failed commit: no sooner, whatever is due */
    int64_t sign_due_ms; /* of what is appended and no signature was asked for; INT64_MAX: nothing is */
    struct waiting waiting;
    uint64_t signed_size, quoted_size, appended_size;
    uint64_t group, stored_group; /* of the open batch; the last one that is stored */
    struct buf note;
    uint64_t note_group; /* that it is in; 0: it was stored when the journal was opened, or there is none;
                            NOTE_NOWHERE: a full batch had no room for it */
    uint64_t quotes_from; /* notes of smaller sizes may have been lost with a commit: a quote of one has nothing to stand on */
    int64_t unquoted_since;
};

static void waiting_init(struct waiting *w)
{
    w->first = NULL;
    w->last = &w->first;
}

static void waiting_put(struct waiting *w, struct ticket *t)
{
    t->next = NULL;
    *w->last = t;
    w->last = &t->next;
}

result journal_new(const struct journal_args *args, struct journal **ret)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return fail(E_no_memory);
    j->store = args->store;
    j->keeper = args->keeper;
    j->last_time = args->last_time_ms;
    j->signed_size = args->signed_size;
    j->due_ms = j->sign_due_ms = INT64_MAX;
    j->note = BUF(NOTE_MAX);
    j->health = OK;
    j->group = 1;
    waiting_init(&j->waiting);
    j->appended_size = store_frontier(args->store)->size;
    result r = buf_put(&j->note, args->note);
    if (is_ok(r))
        r = store_batch_new(j->appended_size, &j->open);
    if (is_ok(r))
        r = worker_start(j->thread_context, 1, &j->worker);
    if (!is_ok(r)) {
        journal_free(j);
        return r;
    }
    *ret = j;
    return OK;
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    worker_stop(j->worker);
    store_batch_free(j->open);
    if (j->committing)
        store_batch_free(j->commit.batch);
    buf_free(&j->note);
    free(j);
}

int64_t journal_now(struct journal *j)
{
    int64_t now = clock_utc_ms();
    return now > j->last_time ? now : j->last_time;
}

struct store_batch *journal_batch(struct journal *j)
{
    return j->open;
}

result journal_add(struct journal *j, const struct entry *e, const struct permit *permit, struct placed *ret)
{
    AUTO_BUF text = BUF(ENTRY_MAX);
    struct placed placed;
    TRY(permit ? entry_write_permit(e, permit, &text) : entry_write(e, &text));
    TRY(store_batch_entry(j->open, buf_span(&text), &placed.index));
    placed.leaf = merkle_leaf(buf_span(&text));
    j->due_ms = 0;
    j->last_time = e->time;
    *ret = placed;
    return OK;
}

void journal_wait(struct journal *j, struct ticket *t)
{
    waiting_put(&j->waiting, t);
}

uint64_t journal_group(struct journal *j)
{
    j->due_ms = 0;
    return j->group;
}

static void commit_run(struct job *job, void *context)
{
    struct commit *c = (struct commit *)job;
    c->r = store_commit(c->store, c->batch);
}

/* All that was appended. */
static result sign_ask(struct journal *j)
{
    j->sign_due_ms = INT64_MAX;
    return link_send(j->keeper, MESSAGE_SIGN, 0, (struct span){ NULL, 0 });
}

static int64_t commit_due(const struct journal *j)
{
    return j->due_ms > j->not_before_ms ? j->due_ms : j->not_before_ms;
}

result journal_kick(struct journal *j)
{
    if (clock_mono_ms() >= j->sign_due_ms)
        TRY(sign_ask(j));
    if (j->committing || store_batch_empty(j->open) || clock_mono_ms() < commit_due(j))
        return OK;
    struct store_batch *next;
    TRY(store_batch_new(store_batch_end(j->open), &next));
    j->commit = (struct commit){ .job.run = commit_run, .store = j->store, .batch = j->open, .group = j->group++, .r = OK };
    j->open = next;
    j->committing = true;
    j->due_ms = INT64_MAX;
    worker_post(j->worker, &j->commit.job);
    return OK;
}

/* Takes out the tickets that `reached` lets through, and calls them; their callbacks may add tickets, which come behind the rest.
 */
static void tickets_done(struct journal *j, bool (*reached)(const struct journal *, const struct ticket *), result r)
{
    struct waiting ready;
    struct ticket *t = j->waiting.first, *next;
    waiting_init(&ready);
    waiting_init(&j->waiting);
    for (; t; t = next) {
        next = t->next;
        waiting_put(reached(j, t) ? &ready : &j->waiting, t);
    }
    for (t = ready.first; t; t = next) {
        next = t->next;
        t->done(t, r);
    }
}

static bool is_reached(const struct journal *j, const struct ticket *t)
{
    if (t->until == UNTIL_STORED)
        return t->index <= j->stored_group;
    return t->index < (t->until == UNTIL_SIGNED ? j->signed_size : j->appended_size);
}

static bool is_lost(const struct journal *j, const struct ticket *t)
{
    return t->until == UNTIL_STORED ? t->index > j->stored_group : t->index >= j->appended_size;
}

/* One APPEND holds as many entries as fit a packet. */
struct appending {
    struct journal *journal;
    struct buf fields;
};

static result appending_flush(struct appending *a)
{
    if (a->fields.n)
        TRY(link_send(a->journal->keeper, MESSAGE_APPEND, 0, buf_span(&a->fields)));
    buf_clear(&a->fields);
    return OK;
}

static result appending_add(void *context, uint64_t index, struct span entry)
{
    struct appending *a = context;
    if (a->fields.n && a->fields.n + 4 + entry.n > a->fields.max)
        TRY(appending_flush(a));
    if (!a->fields.n)
        TRY(append_begin(&a->fields, index));
    return append_add(&a->fields, entry);
}

/* Flushes, and lets go of the memory. */
static result appending_end(struct appending *a, result r)
{
    if (is_ok(r))
        r = appending_flush(a);
    buf_free(&a->fields);
    TRY(r);
    if (!a->journal->unquoted_since)
        a->journal->unquoted_since = clock_mono_ms();
    return OK;
}

static result append_batch(struct journal *j, const struct store_batch *batch)
{
    struct appending a = { .journal = j, .fields = BUF(LINK_PACKET_MAX - 64) };
    uint64_t index = store_batch_first(batch);
    size_t at = 0;
    struct span entry;
    result r = OK;
    while (is_ok(r) && store_batch_next_entry(batch, &at, &entry))
        r = appending_add(&a, index++, entry);
    return appending_end(&a, r);
}

static bool is_signature_awaited(const struct journal *j)
{
    for (const struct ticket *t = j->waiting.first; t; t = t->next)
        if (t->until == UNTIL_SIGNED && t->index < j->appended_size)
            return true;
    return false;
}

static result sign_now_or_later(struct journal *j)
{
    if (is_signature_awaited(j))
        return sign_ask(j);
    if (j->sign_due_ms == INT64_MAX)
        j->sign_due_ms = clock_mono_ms() + SIGN_WAIT_MS;
    return OK;
}

/* Nothing of the batch is in the log, and what was built on it hangs in the air: both are void, and those who wait are told. */
static result start_over(struct journal *j)
{
    store_batch_free(j->open);
    j->open = NULL;
    TRY(store_batch_new(store_frontier(j->store)->size, &j->open));
    if (j->note.n)
        TRY(store_batch_checkpoint(j->open, buf_span(&j->note)));
    j->quotes_from = j->signed_size;
    j->group++;
    j->note_group = j->note.n ? j->group : 0;
    j->due_ms = j->not_before_ms = clock_mono_ms() + DISK_WAIT_MS;
    tickets_done(j, is_lost, j->health);
    return OK;
}

result journal_collect(struct journal *j)
{
    while (worker_take(j->worker)) {
        struct store_batch *batch = j->commit.batch;
        j->committing = false;
        j->health = j->commit.r;
        result r = j->health;
        if (is_ok(r))
            j->stored_group = j->commit.group;
        if (is_ok(r) && store_batch_entries(batch)) {
            r = append_batch(j, batch);
            j->appended_size = store_batch_end(batch);
            if (is_ok(r))
                r = sign_now_or_later(j);
        }
        store_batch_free(batch);
        if (!is_ok(j->health)) {
            if (code_of(j->health) != E_disk)
                return j->health;
            TRY(start_over(j));
            continue;
        }
        TRY(r);
        tickets_done(j, is_reached, OK);
    }
    return OK;
}

int journal_fd(const struct journal *j)
{
    return worker_fd(j->worker);
}

int64_t journal_due_ms(const struct journal *j)
{
    int64_t due = j->committing || store_batch_empty(j->open) ? INT64_MAX : commit_due(j);
    return due < j->sign_due_ms ? due : j->sign_due_ms;
}

static void notes_due(struct journal *j)
{
    int64_t due = clock_mono_ms() + NOTES_WAIT_MS;
    if (due < j->due_ms)
        j->due_ms = due;
}

result journal_checkpoint(struct journal *j, uint64_t size, struct span note)
{
    if (size > j->appended_size || size < j->signed_size)
        return fail(E_illegal_message);
    struct store_mark mark = store_batch_mark(j->open);
    result r = store_batch_checkpoint(j->open, note);
    bool full = code_of(r) == E_busy; /* a later note covers it */
    if (full) {
        store_batch_rewind(j->open, mark);
        j->quotes_from = size + 1;
    } else
        TRY(r);
    buf_clear(&j->note);
    TRY(buf_put(&j->note, note));
    j->note_group = full ? NOTE_NOWHERE : j->group;
    j->signed_size = size;
    notes_due(j);
    tickets_done(j, is_reached, OK);
    return OK;
}

result journal_quote(struct journal *j, const struct stored_quote *q)
{
    if (q->size > j->signed_size)
        return fail(E_illegal_message);
    struct store_mark mark = store_batch_mark(j->open);
    result r = q->size >= j->quotes_from ? store_batch_quote(j->open, q) : OK;
    if (code_of(r) == E_busy)
        store_batch_rewind(j->open, mark);
    else
        TRY(r);
    j->quoted_size = q->size;
    j->unquoted_since = q->size == j->appended_size ? 0 : clock_mono_ms();
    notes_due(j);
    return OK;
}

result journal_note_group(struct journal *j, uint64_t *ret)
{
    if (j->note_group == NOTE_NOWHERE) {
        struct store_mark mark = store_batch_mark(j->open);
        result r = store_batch_checkpoint(j->open, buf_span(&j->note));
        if (!is_ok(r)) {
            store_batch_rewind(j->open, mark);
            return r;
        }
        j->note_group = j->group;
    }
    if (j->note_group == j->group)
        journal_group(j); /* its commit is due now */
    *ret = j->note_group > j->stored_group ? j->note_group : 0;
    return OK;
}

uint64_t journal_signed_size(const struct journal *j)
{
    return j->signed_size;
}

struct span journal_note(const struct journal *j)
{
    return buf_span(&j->note);
}

int64_t journal_unquoted_ms(const struct journal *j)
{
    return j->unquoted_since ? clock_mono_ms() - j->unquoted_since : 0;
}

uint64_t journal_quoted_size(const struct journal *j)
{
    return j->quoted_size;
}

uint64_t journal_end(const struct journal *j)
{
    return store_batch_end(j->open);
}

result journal_health(const struct journal *j)
{
    return j->health;
}

bool journal_stored(const struct journal *j)
{
    return !j->committing && store_batch_empty(j->open);
}

bool journal_idle(const struct journal *j)
{
    return journal_stored(j) && j->signed_size == j->appended_size;
}

result journal_replay(struct journal *j, struct store_reader *reader)
{
    struct appending a = { .journal = j, .fields = BUF(LINK_PACKET_MAX - 64) };
    if (j->signed_size == j->appended_size)
        return OK;
    TRY(appending_end(&a, store_each_entry(reader, j->signed_size, j->appended_size, appending_add, &a)));
    return sign_ask(j);
}
