/* A reader. */
#include "config.h"

#include "store/store.h"

#include <stdlib.h>

#include "store/sql.h"

enum statement {
    FIND_USED,
    FIND_REQUEST,
    GET_SIZE,
    GET_ENTRY,
    GET_BLOB,
    GET_STATE,
    GET_NEWEST_CHECKPOINT,
    GET_CHECKPOINT_FROM,
    GET_NEWEST_QUOTE,
    GET_NODE,
    EACH_ENTRY,
    EACH_CHECKPOINT,
    EACH_QUOTE,
    EACH_BLOB,
    EACH_OPEN,
    STATEMENTS
};
static const char *const texts[STATEMENTS] = {
    [FIND_USED] = "SELECT certificate, decision FROM used WHERE cid = ?",
    [FIND_REQUEST] =
        "SELECT r.core, r.certificate, r.decision, d.idx, d.final FROM request r LEFT JOIN decision d ON d.idx = r.decision"
        " WHERE r.agent = ? AND r.id = ?",
    [GET_SIZE] = "SELECT coalesce(max(idx) + 1, 0) FROM entry",
    [GET_ENTRY] = "SELECT data FROM entry WHERE idx = ?",
    [GET_BLOB] = "SELECT data FROM blob WHERE digest = ? AND kind = ?",
    [GET_STATE] = "SELECT jws FROM state WHERE kind = ?",
    [GET_NEWEST_CHECKPOINT] = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1",
    [GET_CHECKPOINT_FROM] = "SELECT size, note FROM checkpoint WHERE size >= ? ORDER BY size LIMIT 1",
    [GET_NEWEST_QUOTE] = "SELECT size FROM quote ORDER BY size DESC LIMIT 1",
    [GET_NODE] = "SELECT hash FROM node WHERE id = ?",
    [EACH_ENTRY] = "SELECT idx, data FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx",
    [EACH_CHECKPOINT] = "SELECT size, note FROM checkpoint ORDER BY size",
    [EACH_QUOTE] = "SELECT size, attest, signature, preimage FROM quote ORDER BY size, id",
    [EACH_BLOB] = "SELECT digest, data, kind FROM blob WHERE (1 << kind) & ? ORDER BY id",
    [EACH_OPEN] = "SELECT idx, open, target, resource, certificate, core, horizon FROM decision WHERE final IS NULL ORDER BY idx",
};

/* Nodes of complete subtrees never change: proofs of neighbours share most of theirs. */
#define CACHE_NODES 4096
struct cached_node {
    unsigned level_plus_one; /* 0: empty */
    uint64_t index;
    struct digest hash;
};
struct store_reader {
    struct sql sql;
    struct cached_node cache[CACHE_NODES];
};

result store_reader_open(const char *path, struct store_reader **ret)
{
    struct store_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return fail(E_no_memory);
    result opened = sql_open(&r->sql, path, false);
    if (is_ok(opened))
        opened = sql_prepare(&r->sql, texts, STATEMENTS);
    if (!is_ok(opened)) {
        store_reader_close(r);
        return opened;
    }
    *ret = r;
    return OK;
}

void store_reader_close(struct store_reader *r)
{
    if (!r)
        return;
    sql_close(&r->sql);
    free(r);
}

void store_reader_close_pointer(struct store_reader **r)
{
    store_reader_close(*r);
    *r = NULL;
}

result store_hold_snapshot(struct store_reader *r)
{
    int64_t size;
    TRY(sql_exec(&r->sql, "BEGIN"));
    result asked = sql_ask(&r->sql, texts[GET_SIZE], &size); /* a transaction's snapshot is that of its first read */
    if (!is_ok(asked))
        store_drop_snapshot(r);
    return asked;
}

void store_drop_snapshot(struct store_reader *r)
{
    if (!sqlite3_get_autocommit(r->sql.db))
        (void)sqlite3_exec(r->sql.db, "ROLLBACK", NULL, NULL, NULL);
}

result store_find_used(struct store_reader *r, const char *cid, bool *ret_found, struct used_certificate *ret)
{
    bool row;
    TRY(sql_first(&r->sql, FIND_USED, SQL_VALUES(sql_text(span_text(cid))), &row));
    if (row) {
        struct used_certificate used = { .decision = sql_column_number(&r->sql, FIND_USED, 1) };
        result got = sql_column_digest(&r->sql, FIND_USED, 0, &used.certificate);
        sql_done(&r->sql, FIND_USED);
        TRY(got);
        *ret = used;
    }
    *ret_found = row;
    return OK;
}

static result request_of(struct sql *s, struct known_request *ret)
{
    TRY(sql_column_digest(s, FIND_REQUEST, 0, &ret->core));
    TRY(sql_column_digest(s, FIND_REQUEST, 1, &ret->certificate));
    ret->decision = sql_column_number(s, FIND_REQUEST, 2);
    ret->permitted = !sql_column_is_null(s, FIND_REQUEST, 3);
    ret->outcome = sql_column_is_null(s, FIND_REQUEST, 4) ? NO_INDEX : sql_column_number(s, FIND_REQUEST, 4);
    return OK;
}

result store_find_request(
    struct store_reader *r, const struct digest *agent, const char *id, bool *ret_found, struct known_request *ret)
{
    bool row;
    TRY(sql_first(&r->sql, FIND_REQUEST, SQL_VALUES(sql_digest(agent), sql_text(span_text(id))), &row));
    if (row) {
        struct known_request known;
        result got = request_of(&r->sql, &known);
        sql_done(&r->sql, FIND_REQUEST);
        TRY(got);
        *ret = known;
    }
    *ret_found = row;
    return OK;
}

/* Appends the last column of the statement's one row; *ret_number (may be NULL): its first. */
static result read_one(struct sql *s, unsigned which, const struct sql_value *v, unsigned n, uint64_t *ret_number, struct buf *out)
{
    bool row;
    struct span bytes;
    TRY(sql_first(s, which, v, n, &row));
    if (!row)
        return fail(E_not_found);
    result r = sql_column_bytes(s, which, ret_number ? 1 : 0, &bytes);
    if (is_ok(r))
        r = buf_put(out, bytes);
    if (is_ok(r) && ret_number)
        *ret_number = sql_column_number(s, which, 0);
    sql_done(s, which);
    return r;
}

static result read_number(struct sql *s, unsigned which, uint64_t *ret)
{
    bool row;
    TRY(sql_first(s, which, SQL_NOTHING, &row));
    if (!row)
        return fail(E_not_found);
    *ret = sql_column_number(s, which, 0);
    sql_done(s, which);
    return OK;
}

result store_read_size(struct store_reader *r, uint64_t *ret)
{
    return read_number(&r->sql, GET_SIZE, ret);
}

result store_read_entry(struct store_reader *r, uint64_t index, struct buf *out)
{
    return read_one(&r->sql, GET_ENTRY, SQL_VALUES(sql_number(index)), NULL, out);
}

result store_read_blob(struct store_reader *r, enum blob_kind kind, const struct digest *d, struct buf *out)
{
    return read_one(&r->sql, GET_BLOB, SQL_VALUES(sql_digest(d), sql_number(kind)), NULL, out);
}

result store_read_state(struct store_reader *r, enum state_kind kind, struct buf *out)
{
    return read_one(&r->sql, GET_STATE, SQL_VALUES(sql_number(kind)), NULL, out);
}

result store_read_newest_checkpoint(struct store_reader *r, uint64_t *ret_size, struct buf *out)
{
    return read_one(&r->sql, GET_NEWEST_CHECKPOINT, SQL_NOTHING, ret_size, out);
}

result store_read_checkpoint_from(struct store_reader *r, uint64_t size, uint64_t *ret_size, struct buf *out)
{
    return read_one(&r->sql, GET_CHECKPOINT_FROM, SQL_VALUES(sql_number(size)), ret_size, out);
}

result store_read_newest_quote_size(struct store_reader *r, uint64_t *ret_size)
{
    return read_number(&r->sql, GET_NEWEST_QUOTE, ret_size);
}

static struct cached_node *cache_place(struct store_reader *r, unsigned level, uint64_t index)
{
    uint64_t mixed = (index * MERKLE_LEVELS + level) * UINT64_C(0x9e3779b97f4a7c15);
    return &r->cache[mixed >> 32 & (CACHE_NODES - 1)];
}

static result node_of(void *ctx, unsigned level, uint64_t index, struct digest *ret)
{
    struct store_reader *r = ctx;
    struct cached_node *place = cache_place(r, level, index);
    bool row;
    if (place->level_plus_one != level + 1 || place->index != index) {
        struct digest hash;
        TRY(sql_first(&r->sql, GET_NODE, SQL_VALUES(sql_node(level, index)), &row));
        if (!row)
            return fail(E_not_found);
        result got = sql_column_digest(&r->sql, GET_NODE, 0, &hash);
        sql_done(&r->sql, GET_NODE);
        TRY(got);
        *place = (struct cached_node){ .level_plus_one = level + 1, .index = index, .hash = hash };
    }
    *ret = place->hash;
    return OK;
}

struct merkle_source store_source(struct store_reader *r)
{
    return (struct merkle_source){ node_of, r };
}

/* Runs `take` on each row of a statement that was begun. */
static result each_row(struct sql *s, unsigned which, bool row, result (*take)(struct sql *s, void *call), void *call)
{
    result r = OK;
    while (is_ok(r) && row) {
        r = take(s, call);
        if (is_ok(r))
            r = sql_next(s, which, &row);
    }
    sql_done(s, which);
    return r;
}

/* Entries and checkpoints: a number and bytes. */
struct numbered_call {
    unsigned which;
    result (*each)(void *ctx, uint64_t number, struct span bytes);
    void *ctx;
};

static result take_numbered(struct sql *s, void *call)
{
    const struct numbered_call *c = call;
    struct span bytes;
    TRY(sql_column_bytes(s, c->which, 1, &bytes));
    return c->each(c->ctx, sql_column_number(s, c->which, 0), bytes);
}

result store_each_entry(
    struct store_reader *r, uint64_t from, uint64_t to, result (*each)(void *ctx, uint64_t index, struct span entry), void *ctx)
{
    struct numbered_call call = { EACH_ENTRY, each, ctx };
    bool row;
    TRY(sql_first(&r->sql, EACH_ENTRY, SQL_VALUES(sql_number(from), sql_number(to)), &row));
    return each_row(&r->sql, EACH_ENTRY, row, take_numbered, &call);
}

result store_each_checkpoint(struct store_reader *r, result (*each)(void *ctx, uint64_t size, struct span note), void *ctx)
{
    struct numbered_call call = { EACH_CHECKPOINT, each, ctx };
    bool row;
    TRY(sql_first(&r->sql, EACH_CHECKPOINT, SQL_NOTHING, &row));
    return each_row(&r->sql, EACH_CHECKPOINT, row, take_numbered, &call);
}

struct quote_call {
    result (*each)(void *ctx, const struct stored_quote *q);
    void *ctx;
};

static result take_quote(struct sql *s, void *call)
{
    const struct quote_call *c = call;
    struct stored_quote q = { .size = sql_column_number(s, EACH_QUOTE, 0) };
    TRY(sql_column_bytes(s, EACH_QUOTE, 1, &q.attest));
    TRY(sql_column_bytes(s, EACH_QUOTE, 2, &q.signature));
    TRY(sql_column_bytes(s, EACH_QUOTE, 3, &q.preimage));
    return c->each(c->ctx, &q);
}

result store_each_quote(struct store_reader *r, result (*each)(void *ctx, const struct stored_quote *q), void *ctx)
{
    struct quote_call call = { each, ctx };
    bool row;
    TRY(sql_first(&r->sql, EACH_QUOTE, SQL_NOTHING, &row));
    return each_row(&r->sql, EACH_QUOTE, row, take_quote, &call);
}

struct blob_call {
    result (*each)(void *ctx, enum blob_kind kind, const struct digest *d, struct span data);
    void *ctx;
};

static result take_blob(struct sql *s, void *call)
{
    const struct blob_call *c = call;
    struct digest d;
    struct span data;
    TRY(sql_column_digest(s, EACH_BLOB, 0, &d));
    TRY(sql_column_bytes(s, EACH_BLOB, 1, &data));
    return c->each(c->ctx, (enum blob_kind)sql_column_number(s, EACH_BLOB, 2), &d, data);
}

result store_each_blob(struct store_reader *r, unsigned kinds,
    result (*each)(void *ctx, enum blob_kind kind, const struct digest *d, struct span data), void *ctx)
{
    struct blob_call call = { each, ctx };
    bool row;
    TRY(sql_first(&r->sql, EACH_BLOB, SQL_VALUES(sql_number(kinds)), &row));
    return each_row(&r->sql, EACH_BLOB, row, take_blob, &call);
}

struct open_call {
    result (*each)(void *ctx, const struct open_decision *d);
    void *ctx;
};

/* Into text of n bytes; what the writer stored fits. */
static result column_text(struct sql *s, int column, char *text, size_t n)
{
    struct span bytes;
    TRY(sql_column_bytes(s, EACH_OPEN, column, &bytes));
    if (bytes.n >= n)
        return fail_foreign(E_disk, FOREIGN_SQLITE, SQLITE_CORRUPT);
    text[bytes.n] = 0;
    return span_copy(bytes, text, bytes.n);
}

static result take_open(struct sql *s, void *call)
{
    const struct open_call *c = call;
    struct open_decision d = {
        .decision = sql_column_number(s, EACH_OPEN, 0),
        .outcome = sql_column_is_null(s, EACH_OPEN, 1) ? NO_INDEX : sql_column_number(s, EACH_OPEN, 1),
        .horizon_ms = (int64_t)sql_column_number(s, EACH_OPEN, 6),
    };
    TRY(column_text(s, 2, d.target, sizeof(d.target)));
    TRY(column_text(s, 3, d.resource, sizeof(d.resource)));
    TRY(sql_column_digest(s, EACH_OPEN, 4, &d.certificate));
    TRY(sql_column_digest(s, EACH_OPEN, 5, &d.core));
    return c->each(c->ctx, &d);
}

result store_each_open(struct store_reader *r, result (*each)(void *ctx, const struct open_decision *d), void *ctx)
{
    struct open_call call = { each, ctx };
    bool row;
    TRY(sql_first(&r->sql, EACH_OPEN, SQL_NOTHING, &row));
    return each_row(&r->sql, EACH_OPEN, row, take_open, &call);
}
