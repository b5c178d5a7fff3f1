/* The writer. */
#include "config.h"

#include "store/store.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "merkle/checkpoint.h"
#include "store/batch.h"
#include "store/sql.h"
#include "store/tidy.h"

enum statement {
    PUT_ENTRY,
    PUT_NODE,
    PUT_BLOB,
    PUT_USED,
    PUT_REQUEST,
    PUT_DECISION,
    SET_OPEN,
    SET_FINAL,
    PUT_CHECKPOINT,
    GET_CHECKPOINT,
    PUT_QUOTE,
    PUT_STATE,
    GET_NODE,
    BEGIN,
    COMMIT,
    STATEMENTS
};
static const char *const texts[STATEMENTS] = {
    [PUT_ENTRY] = "INSERT INTO entry(idx, data) VALUES(?, ?)",
    [PUT_NODE] = "INSERT INTO node(id, hash) VALUES(?, ?)",
    [PUT_BLOB] = "INSERT INTO blob(kind, digest, data) VALUES(?, ?, ?) ON CONFLICT(digest, kind) DO NOTHING",
    [PUT_USED] = "INSERT INTO used(certificate, decision, cid) VALUES(?, ?, ?)",
    [PUT_REQUEST] = "INSERT INTO request(agent, core, certificate, decision, id) VALUES(?, ?, ?, ?, ?)",
    [PUT_DECISION] = "INSERT INTO decision(idx, certificate, core, horizon, target, resource) VALUES(?, ?, ?, ?, ?, ?)",
    [SET_OPEN] = "UPDATE decision SET open = ?2 WHERE idx = ?1 AND final IS NULL",
    [SET_FINAL] = "UPDATE decision SET final = ?2 WHERE idx = ?1 AND final IS NULL",
    [PUT_CHECKPOINT] = "INSERT INTO checkpoint(size, note) VALUES(?, ?) ON CONFLICT(size) DO NOTHING",
    [GET_CHECKPOINT] = "SELECT note FROM checkpoint WHERE size = ?",
    [PUT_QUOTE] = "INSERT INTO quote(size, attest, signature, preimage) VALUES(?, ?, ?, ?)",
    [PUT_STATE] = "INSERT INTO state(kind, jws) VALUES(?, ?) ON CONFLICT(kind) DO UPDATE SET jws = excluded.jws",
    [GET_NODE] = "SELECT hash FROM node WHERE id = ?",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
};

struct store {
    struct sql sql;
    struct tidy *tidy;
    struct frontier frontier;
    _Atomic uint64_t size; /* the frontier's, for other threads */
    int log_pages; /* in the write-ahead log after the last commit */
};

static int note_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct store *s = ctx;
    s->log_pages = pages;
    return SQLITE_OK;
}

static result node_of(void *ctx, unsigned level, uint64_t index, struct digest *ret)
{
    struct sql *s = ctx;
    bool row;
    TRY(sql_first(s, GET_NODE, SQL_VALUES(sql_node(level, index)), &row));
    if (!row)
        return fail(E_frontier_mismatch);
    result r = sql_column_digest(s, GET_NODE, 0, ret);
    sql_done(s, GET_NODE);
    return r;
}

static result open_at(const char *path, struct store *s)
{
    int64_t size;
    struct merkle_source source = { node_of, &s->sql };
    TRY(sql_open(&s->sql, path, true));
    TRY(sql_prepare(&s->sql, texts, STATEMENTS));
    TRY(sql_ask(&s->sql, "SELECT coalesce(max(idx) + 1, 0) FROM entry", &size));
    TRY(merkle_frontier(&source, (uint64_t)size, &s->frontier));
    TRY(frontier_check(&s->frontier));
    s->size = s->frontier.size;
    (void)sqlite3_wal_hook(s->sql.db, note_pages, s); /* takes the place of SQLite's own checkpoints within commits */
    return tidy_start(path, &s->tidy);
}

result store_open(const char *path, struct store **ret)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return fail(E_no_memory);
    result r = open_at(path, s);
    if (!is_ok(r)) {
        store_close(s);
        return r;
    }
    *ret = s;
    return OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    tidy_stop(s->tidy);
    sql_close(&s->sql);
    free(s);
}

void store_close_pointer(struct store **s)
{
    store_close(*s);
    *s = NULL;
}

const struct frontier *store_frontier(const struct store *s)
{
    return &s->frontier;
}

uint64_t store_size(const struct store *s)
{
    return s->size;
}

/* What one transaction works on: the frontier moves with the entries, and becomes the store's when all is committed. */
struct group {
    struct sql *sql;
    struct frontier frontier;
};

static result write_entry(struct group *g, struct span entry)
{
    struct merkle_subtree done[MERKLE_LEVELS];
    struct digest leaf = merkle_leaf(entry);
    unsigned n;
    TRY(sql_run(g->sql, PUT_ENTRY, SQL_VALUES(sql_number(g->frontier.size), sql_bytes(entry)), NULL));
    frontier_append(&g->frontier, &leaf, done, &n);
    for (unsigned i = 0; i < n; i++)
        TRY(sql_run(g->sql, PUT_NODE, SQL_VALUES(sql_node(done[i].level, done[i].index), sql_digest(&done[i].hash)), NULL));
    return OK;
}

static struct span rest_of(const struct reader *r)
{
    return span_part(r->s, r->at, r->s.n);
}

static result write_blob(struct group *g, struct reader *r)
{
    uint8_t kind;
    struct digest d;
    TRY(read_u8(r, &kind));
    TRY(read_copy(r, d.b, DIGEST_SIZE));
    return sql_run(g->sql, PUT_BLOB, SQL_VALUES(sql_number(kind), sql_digest(&d), sql_bytes(rest_of(r))), NULL);
}

static result write_use(struct group *g, struct reader *r)
{
    struct digest certificate;
    uint64_t decision;
    TRY(read_copy(r, certificate.b, DIGEST_SIZE));
    TRY(read_u64(r, &decision));
    return sql_run(g->sql, PUT_USED, SQL_VALUES(sql_digest(&certificate), sql_number(decision), sql_text(rest_of(r))), NULL);
}

static result write_request(struct group *g, struct reader *r)
{
    struct digest agent, core, certificate;
    uint64_t decision;
    TRY(read_copy(r, agent.b, DIGEST_SIZE));
    TRY(read_copy(r, core.b, DIGEST_SIZE));
    TRY(read_copy(r, certificate.b, DIGEST_SIZE));
    TRY(read_u64(r, &decision));
    return sql_run(g->sql, PUT_REQUEST,
        SQL_VALUES(sql_digest(&agent), sql_digest(&core), sql_digest(&certificate), sql_number(decision), sql_text(rest_of(r))),
        NULL);
}

static result write_permit(struct group *g, struct reader *r)
{
    uint64_t decision, horizon;
    struct digest certificate, core;
    struct span target, resource;
    TRY(read_u64(r, &decision));
    TRY(read_copy(r, certificate.b, DIGEST_SIZE));
    TRY(read_copy(r, core.b, DIGEST_SIZE));
    TRY(read_u64(r, &horizon));
    TRY(read_blob16(r, NAME_MAX_, &target));
    TRY(read_blob16(r, RESOURCE_MAX, &resource));
    return sql_run(g->sql, PUT_DECISION,
        SQL_VALUES(sql_number(decision), sql_digest(&certificate), sql_digest(&core), sql_number(horizon), sql_text(target),
            sql_text(resource)),
        NULL);
}

static result write_outcome(struct group *g, struct reader *r)
{
    uint64_t decision, outcome;
    uint8_t final;
    int changed;
    TRY(read_u64(r, &decision));
    TRY(read_u64(r, &outcome));
    TRY(read_u8(r, &final));
    TRY(sql_run(g->sql, final ? SET_FINAL : SET_OPEN, SQL_VALUES(sql_number(decision), sql_number(outcome)), &changed));
    return changed == 1 ? OK : fail(E_invariant); /* docs/formats.md, "Outcome": exactly one final outcome, and none after it */
}

/* ECDSA signs a text in many ways, so that a size signed twice has two notes; a second root for one size would be a fork. */
static result same_text(struct group *g, uint64_t size, struct span note)
{
    struct checkpoint c;
    struct span stored, text, stored_text;
    bool row;
    TRY(checkpoint_parse(note, &c, &text));
    TRY(sql_first(g->sql, GET_CHECKPOINT, SQL_VALUES(sql_number(size)), &row));
    if (!row)
        return fail(E_invariant);
    result r = sql_column_bytes(g->sql, GET_CHECKPOINT, 0, &stored);
    if (is_ok(r))
        r = checkpoint_parse(stored, &c, &stored_text);
    if (is_ok(r) && !span_equal(text, stored_text))
        r = fail(E_invariant);
    sql_done(g->sql, GET_CHECKPOINT);
    return r;
}

static result write_checkpoint(struct group *g, struct reader *r)
{
    uint64_t size;
    int changed;
    TRY(read_u64(r, &size));
    if (size > g->frontier.size)
        return fail(E_invariant);
    TRY(sql_run(g->sql, PUT_CHECKPOINT, SQL_VALUES(sql_number(size), sql_bytes(rest_of(r))), &changed));
    return changed ? OK : same_text(g, size, rest_of(r));
}

static result write_quote(struct group *g, struct reader *r)
{
    uint64_t size;
    struct span attest, signature, preimage;
    TRY(read_u64(r, &size));
    TRY(read_blob16(r, UINT16_MAX, &attest));
    TRY(read_blob16(r, UINT16_MAX, &signature));
    TRY(read_blob16(r, UINT16_MAX, &preimage));
    return sql_run(
        g->sql, PUT_QUOTE, SQL_VALUES(sql_number(size), sql_bytes(attest), sql_bytes(signature), sql_bytes(preimage)), NULL);
}

static result write_state(struct group *g, struct reader *r)
{
    uint8_t kind;
    TRY(read_u8(r, &kind));
    return sql_run(g->sql, PUT_STATE, SQL_VALUES(sql_number(kind), sql_bytes(rest_of(r))), NULL);
}

static result write_operation(struct group *g, enum batch_operation op, struct span fields)
{
    struct reader r = reader_of(fields);
    switch (op) {
    case BATCH_ENTRY:
        return write_entry(g, fields);
    case BATCH_BLOB:
        return write_blob(g, &r);
    case BATCH_USE:
        return write_use(g, &r);
    case BATCH_REQUEST:
        return write_request(g, &r);
    case BATCH_PERMIT:
        return write_permit(g, &r);
    case BATCH_OUTCOME:
        return write_outcome(g, &r);
    case BATCH_CHECKPOINT:
        return write_checkpoint(g, &r);
    case BATCH_QUOTE:
        return write_quote(g, &r);
    case BATCH_STATE:
        return write_state(g, &r);
    }
    return fail(E_invariant);
}

static result write_all(struct group *g, const struct store_batch *b)
{
    enum batch_operation op;
    struct span fields;
    size_t at = 0;
    TRY(sql_run(g->sql, BEGIN, SQL_NOTHING, NULL));
    while (batch_next(b, &at, &op, &fields))
        TRY(write_operation(g, op, fields));
    if (at != b->bytes.n)
        return fail(E_invariant);
    return sql_run(g->sql, COMMIT, SQL_NOTHING, NULL);
}

result store_commit(struct store *s, const struct store_batch *b)
{
    struct group g = { .sql = &s->sql, .frontier = s->frontier };
    if (b->first != s->frontier.size)
        return fail(E_invariant);
    result r = write_all(&g, b);
    if (!is_ok(r)) {
        if (!sqlite3_get_autocommit(s->sql.db))
            (void)sqlite3_exec(s->sql.db, "ROLLBACK", NULL, NULL, NULL); /* where this fails, the next BEGIN does */
        return r;
    }
    s->frontier = g.frontier;
    s->size = s->frontier.size;
    tidy_after(s->tidy, &s->sql, s->log_pages);
    return OK;
}
