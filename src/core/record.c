#include "config.h"

#include "core/record.h"

#include "core/core.h"

#include <stdlib.h>

#define BLOBS_MAX 8

struct record {
    struct core *core;
    bool has_entry;
    struct entry entry;
    unsigned blobs;
    struct {
        enum blob_kind kind;
        struct digest digest;
        struct buf data;
    } blob[BLOBS_MAX];
    bool has_state;
    enum state_kind state;
    struct buf state_text;
    struct ticket ticket;
    void (*done)(struct core *c, uint64_t about, uint64_t index);
    uint64_t about;
    struct record *next, **at; /* of those that wait */
};

result record_new(struct core *c, const struct entry *e, struct record **ret)
{
    struct record *r = calloc(1, sizeof *r);
    if (!r)
        return fail(E_no_memory);
    r->core = c;
    r->has_entry = e != NULL;
    if (e)
        r->entry = *e;
    r->state_text = BUF(STORE_BLOB_MAX);
    *ret = r;
    return OK;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->blobs; i++)
        buf_free(&r->blob[i].data);
    buf_free(&r->state_text);
    free(r);
}

void record_free_pointer(struct record **r)
{
    record_free(*r);
    *r = NULL;
}

result record_blob(struct record *r, enum blob_kind kind, const struct digest *d, struct span data)
{
    if (r->blobs == BLOBS_MAX)
        return fail(E_invariant);
    r->blob[r->blobs].kind = kind;
    r->blob[r->blobs].digest = *d;
    r->blob[r->blobs].data = BUF(STORE_BLOB_MAX);
    return buf_put(&r->blob[r->blobs++].data, data);
}

result record_state(struct record *r, enum state_kind kind, struct span text)
{
    r->has_state = true;
    r->state = kind;
    return buf_put(&r->state_text, text);
}

static result add(struct record *r, struct placed *ret)
{
    struct store_batch *batch = journal_batch(r->core->journal);
    if (r->has_entry) {
        r->entry.time = journal_now(r->core->journal);
        TRY(journal_add(r->core->journal, &r->entry, NULL, ret));
    }
    for (unsigned i = 0; i < r->blobs; i++)
        TRY(store_batch_blob(batch, r->blob[i].kind, &r->blob[i].digest, buf_span(&r->blob[i].data)));
    return r->has_state ? store_batch_state(batch, r->state, buf_span(&r->state_text)) : OK;
}

static void finished(struct ticket *t, result why);

static result put(struct record *r)
{
    struct journal *j = r->core->journal;
    struct store_mark mark = store_batch_mark(journal_batch(j));
    struct placed placed = { .index = NO_INDEX };
    result added = add(r, &placed);
    if (!is_ok(added)) {
        store_batch_rewind(journal_batch(j), mark);
        return added;
    }
    r->ticket = (struct ticket){ .index = placed.index, .until = UNTIL_APPENDED, .context = r, .done = finished };
    if (!r->has_entry) {
        r->ticket.until = UNTIL_STORED;
        r->ticket.index = journal_group(j);
    }
    journal_wait(j, &r->ticket);
    return OK;
}

static void leave(struct record *r)
{
    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
}

static void finished(struct ticket *t, result why)
{
    struct record *r = t->context;
    if (!is_ok(why)) {
        result again = put(r);
        if (!is_ok(again))
            child_abort("what is in force can't be recorded", again);
        return;
    }
    leave(r);
    if (r->done)
        r->done(r->core, r->about, r->has_entry ? t->index : NO_INDEX);
    record_free(r);
}

result record_put(struct record **r, void (*done)(struct core *c, uint64_t about, uint64_t index), uint64_t about)
{
    struct record *mine = *r;
    mine->done = done;
    mine->about = about;
    TRY(put(mine));
    mine->at = &mine->core->records;
    mine->next = mine->core->records;
    if (mine->next)
        mine->next->at = &mine->next;
    mine->core->records = mine;
    *r = NULL;
    return OK;
}

void records_free(struct core *c)
{
    while (c->records) {
        struct record *first = c->records;
        leave(first);
        record_free(first);
    }
}
