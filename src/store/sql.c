#include "config.h"

#include "store/sql.h"

#include <errno.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 5000

result sql_result(struct sql *s, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return OK;
    case SQLITE_NOMEM:
        return fail(E_no_memory);
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
        return fail_foreign(E_invariant, FOREIGN_SQLITE, (uint32_t)(s->db ? sqlite3_extended_errcode(s->db) : rc));
    case SQLITE_NOTADB:
        return fail_foreign(E_unsupported, FOREIGN_SQLITE, (uint32_t)rc);
    default:
        return fail_foreign(E_disk, FOREIGN_SQLITE, (uint32_t)(s->db ? sqlite3_extended_errcode(s->db) : rc));
    }
}

/* Nobody but the broker's own uid reads the ledger: the file is made before SQLite opens it, and SQLite gives its mode to the
 * write-ahead log and the shared memory. No descriptor is opened on one that is there: closing it would drop SQLite's locks. */
static result private_file(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        result r = errno == ENOENT ? file_write(path, (struct span){ NULL, 0 }, 0600, false)
                                   : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
        return code_of(r) == E_io ? fail_foreign(E_disk, foreign_of(r), foreign_code(r)) : r;
    }
    if (!S_ISREG(st.st_mode))
        return fail(E_unsupported);
    return (st.st_mode & 0077) == 0 || chmod(path, 0600) == 0 ? OK : fail_foreign(E_disk, FOREIGN_ERRNO, (uint32_t)errno);
}

/* Pragmas of a connection, before anything is read: nothing in the schema may run code of its own. */
static result settle(struct sql *s, bool writes)
{
    sqlite3_extended_result_codes(s->db, 1);
    TRY(sql_result(s, sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL)));
    TRY(sql_exec(
        s, "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;"));
    return writes ? sql_exec(s, "PRAGMA synchronous = FULL;") : OK;
}

/* A database that stayed in another journal mode would neither be durable as promised nor readable meanwhile. */
static result use_wal(struct sql *s)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    bool wal = rc == SQLITE_ROW && span_is(span_text((const char *)sqlite3_column_text(st, 0)), "wal");
    result r = sql_result(s, rc);
    sqlite3_finalize(st);
    TRY(r);
    return wal ? OK : fail_foreign(E_disk, FOREIGN_SQLITE, SQLITE_CANTOPEN);
}

result sql_open(struct sql *s, const char *path, bool writes)
{
    *s = (struct sql){ 0 };
    if (writes)
        TRY(private_file(path));
    int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_EXRESCODE;
    result r = sql_result(s, sqlite3_open_v2(path, &s->db, flags, NULL));
    if (is_ok(r))
        r = settle(s, writes);
    if (is_ok(r))
        r = schema_check(s, false); /* before anything of another's file is changed */
    if (is_ok(r) && writes)
        r = use_wal(s);
    if (is_ok(r) && writes)
        r = schema_check(s, true);
    if (!is_ok(r))
        sql_close(s);
    return r;
}

result sql_prepare(struct sql *s, const char *const *texts, unsigned n)
{
    if (n > SQL_STATEMENTS)
        return fail(E_invariant);
    for (unsigned i = 0; i < n; i++)
        TRY(sql_result(s, sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i], NULL)));
    return OK;
}

void sql_close(struct sql *s)
{
    for (unsigned i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(s->statement[i]);
    sqlite3_close(s->db);
    *s = (struct sql){ 0 };
}

result sql_exec(struct sql *s, const char *text)
{
    return sql_result(s, sqlite3_exec(s->db, text, NULL, NULL, NULL));
}

result sql_ask(struct sql *s, const char *text, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, text, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    int64_t v = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    result r = rc == SQLITE_DONE ? fail(E_not_found) : sql_result(s, rc);
    sqlite3_finalize(st);
    TRY(r);
    *ret = v;
    return OK;
}

static int bind_value(sqlite3_stmt *st, int i, const struct sql_value *v)
{
    /* SQLite takes a NULL pointer for NULL, also with length 0. */
    const char *p = v->bytes.p ? (const char *)v->bytes.p : "";
    switch (v->kind) {
    case SQL_NULL:
        return sqlite3_bind_null(st, i);
    case SQL_NUMBER:
        return v->number <= INT64_MAX ? sqlite3_bind_int64(st, i, (int64_t)v->number) : SQLITE_RANGE;
    case SQL_TEXT:
        return sqlite3_bind_text64(st, i, p, v->bytes.n, SQLITE_STATIC, SQLITE_UTF8);
    case SQL_BYTES:
        return sqlite3_bind_blob64(st, i, p, v->bytes.n, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

result sql_first(struct sql *s, unsigned which, const struct sql_value *v, unsigned n, bool *ret_row)
{
    sqlite3_stmt *st = s->statement[which];
    sqlite3_reset(st);
    for (unsigned i = 0; i < n; i++) {
        int rc = bind_value(st, (int)i + 1, &v[i]);
        if (rc == SQLITE_RANGE)
            return fail_foreign(E_invariant, FOREIGN_SQLITE, SQLITE_RANGE);
        TRY(sql_result(s, rc));
    }
    return sql_next(s, which, ret_row);
}

result sql_next(struct sql *s, unsigned which, bool *ret_row)
{
    int rc = sqlite3_step(s->statement[which]);
    result r = sql_result(s, rc);
    *ret_row = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW)
        sql_done(s, which);
    return r;
}

/* Resetting ends the statement's read transaction: left open, it would hold the snapshot, and the bound memory isn't ours. */
void sql_done(struct sql *s, unsigned which)
{
    sqlite3_reset(s->statement[which]);
    sqlite3_clear_bindings(s->statement[which]);
}

result sql_run(struct sql *s, unsigned which, const struct sql_value *v, unsigned n, int *ret_changed)
{
    bool row;
    TRY(sql_first(s, which, v, n, &row));
    if (row) {
        sql_done(s, which);
        return fail(E_invariant);
    }
    if (ret_changed)
        *ret_changed = sqlite3_changes(s->db);
    return OK;
}

uint64_t sql_column_number(const struct sql *s, unsigned which, int column)
{
    return (uint64_t)sqlite3_column_int64(s->statement[which], column);
}

bool sql_column_is_null(const struct sql *s, unsigned which, int column)
{
    return sqlite3_column_type(s->statement[which], column) == SQLITE_NULL;
}

result sql_column_bytes(struct sql *s, unsigned which, int column, struct span *ret)
{
    sqlite3_stmt *st = s->statement[which];
    const void *p = sqlite3_column_blob(st, column);
    if (!p && sqlite3_errcode(s->db) == SQLITE_NOMEM)
        return fail(E_no_memory);
    *ret = (struct span){ p, (size_t)sqlite3_column_bytes(st, column) };
    return OK;
}

result sql_column_digest(struct sql *s, unsigned which, int column, struct digest *ret)
{
    struct span bytes;
    TRY(sql_column_bytes(s, which, column, &bytes));
    return is_ok(span_copy(bytes, ret->b, DIGEST_SIZE)) ? OK : fail_foreign(E_disk, FOREIGN_SQLITE, SQLITE_CORRUPT);
}
