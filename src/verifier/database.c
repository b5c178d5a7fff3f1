#include "config.h"

#include "verifier/database.h"
#include "verifier/state.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 5000
#define APPLICATION_ID 1936024118 /* "sebv" */

#define ENROLMENT_COLUMNS                                                                                                  \
    "SELECT id, name, instance, domain, local, status, activated, decided, delivered, ek, ak, record, mint, ak_name FROM " \
    "enrolment "
static const char *const statements[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_DATA_VERSION] = "PRAGMA data_version",
    [SQL_FORGET_PENDING] = "DELETE FROM enrolment WHERE name = ?1 AND status = 1",
    [SQL_ENROL] = "INSERT INTO enrolment(name, instance, domain, local, status, activated, ek, ak, record, mint, ak_name, ak_jwk, "
                  "certificate, record_jwk) "
                  "VALUES(?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [SQL_REPLACE_ACTIVE] = "UPDATE enrolment SET status = 4, decided = ?2 WHERE name = ?1 AND status = 2",
    [SQL_CONFIRM] = "UPDATE enrolment SET status = 2, decided = ?2, statement = ?3 WHERE name = ?1 AND status = 1",
    [SQL_WITHDRAW] = "UPDATE enrolment SET status = 3, decided = ?2 WHERE name = ?1 AND status IN (1, 2)",
    [SQL_DELIVERED] = "UPDATE enrolment SET delivered = 1 WHERE id = ?1",
    [SQL_DOMAIN_OTHERS] =
        "SELECT count(*) FROM enrolment WHERE domain = ?2 AND name <> ?1 AND status = 2 AND (local = 1 OR ?3 = 1)",
    [SQL_ENROLMENT] = ENROLMENT_COLUMNS "WHERE name = ?1 AND status = ?2",
    [SQL_ENROLMENT_DOCUMENTS] = "SELECT certificate, ak_jwk, record_jwk, statement FROM enrolment WHERE id = ?1",
    [SQL_ENROLMENT_AFTER] = ENROLMENT_COLUMNS "WHERE id > ?1 ORDER BY id LIMIT 1",
    [SQL_ENROLMENT_BEFORE] =
        ENROLMENT_COLUMNS "WHERE name = ?1 AND id < ?2 AND status IN (3, 4) AND statement <> '' ORDER BY id DESC LIMIT 1",
    [SQL_KNOWN] = "SELECT data FROM known WHERE name = ?1",
    [SQL_KNOW] = "INSERT INTO known(name, data) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET data = excluded.data",
    [SQL_RESULT_PUT] =
        "INSERT INTO result(name, at, since, status, codes, lease, sent, affirming, others, jwt) "
        "VALUES(?1, ?2, ?2, ?3, ?4, ?5, 0, ?6, 1 - ?6, ?7) ON CONFLICT(name) DO UPDATE SET at = excluded.at, "
        "since = iif(status = excluded.status, since, excluded.at), status = excluded.status, codes = excluded.codes, "
        "lease = excluded.lease, sent = 0, affirming = affirming + excluded.affirming, others = others + excluded.others, "
        "jwt = excluded.jwt",
    [SQL_RESULT_SENT] = "UPDATE result SET sent = 1 WHERE name = ?1 AND at = ?2",
    [SQL_RESULT] = "SELECT at, since, status, codes, lease, sent, affirming, others, jwt FROM result WHERE name = ?1",
    [SQL_ACKNOWLEDGED] = "INSERT INTO acknowledged(name, at, size, root) VALUES(?1, ?2, ?3, ?4)",
};

/* From version i to i + 1. Of enrolments and acknowledgements nothing is ever deleted but what was pending. An index
 * says once more what confirming does: one active enrolment a name. */
static const char *const steps[] = {
    "CREATE TABLE enrolment(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, instance TEXT NOT NULL, domain TEXT NOT NULL,"
    "  local INTEGER NOT NULL CHECK(local IN (0, 1)), status INTEGER NOT NULL CHECK(status BETWEEN 1 AND 4),"
    "  activated INTEGER NOT NULL, decided INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0,"
    "  ek BLOB NOT NULL CHECK(length(ek) = 32), ak BLOB NOT NULL CHECK(length(ak) = 32),"
    "  record BLOB NOT NULL CHECK(length(record) = 32), mint BLOB NOT NULL CHECK(length(mint) = 32),"
    "  ak_name BLOB NOT NULL CHECK(length(ak_name) = 34), ak_jwk TEXT NOT NULL, record_jwk TEXT NOT NULL,"
    "  certificate BLOB NOT NULL,"
    "  statement TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE UNIQUE INDEX enrolment_pending ON enrolment(name) WHERE status = 1;"
    "CREATE UNIQUE INDEX enrolment_active ON enrolment(name) WHERE status = 2;"
    "CREATE TABLE known(name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE result(name TEXT PRIMARY KEY, at INTEGER NOT NULL, since INTEGER NOT NULL, status TEXT NOT NULL, codes TEXT NOT "
    "NULL,"
    "  lease INTEGER NOT NULL, sent INTEGER NOT NULL, affirming INTEGER NOT NULL, others INTEGER NOT NULL, jwt TEXT NOT NULL) "
    "STRICT;"
    "CREATE TABLE acknowledged(id INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL CHECK(size "
    ">= 0),"
    "  root BLOB NOT NULL CHECK(length(root) = 32)) STRICT;"
    "PRAGMA user_version = 1; PRAGMA application_id = 1936024118;",
};
#define SCHEMA_VERSION ((int64_t)(sizeof(steps) / sizeof(steps[0])))

struct state {
    sqlite3 *db;
    sqlite3_stmt *statement[SQL_STATEMENTS];
};

static result sql_result(struct state *s, int rc)
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

static result exec(struct state *s, const char *text)
{
    return sql_result(s, sqlite3_exec(s->db, text, NULL, NULL, NULL));
}

static result ask_number(struct state *s, const char *text, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, text, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    int64_t v = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    result r = sql_result(s, rc);
    sqlite3_finalize(st);
    TRY(r);
    *ret = v;
    return OK;
}

/* SQLite gives the file's mode to the write-ahead log beside it. No descriptor is opened on one that is there: closing it would
 * drop SQLite's locks. */
static result private_file(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        result r = errno == ENOENT ? file_write(path, (struct span){ NULL, 0 }, 0600, false)
                                   : fail_foreign(E_disk, FOREIGN_ERRNO, (uint32_t)errno);
        /* Another process made it at the same moment. */
        return code_of(r) == E_exists ? OK : code_of(r) == E_io ? fail_foreign(E_disk, foreign_of(r), foreign_code(r)) : r;
    }
    if (!S_ISREG(st.st_mode))
        return fail(E_unsupported);
    return (st.st_mode & 0077) == 0 || chmod(path, 0600) == 0 ? OK : fail_foreign(E_disk, FOREIGN_ERRNO, (uint32_t)errno);
}

/* Nothing in the schema may run code of its own; a commit has reached the disk when it returns. */
static result settle(struct state *s)
{
    TRY(sql_result(s, sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL)));
    TRY(sql_result(s, sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL)));
    return exec(s, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL;");
}

static result version_of(struct state *s, int64_t *ret)
{
    int64_t version, application, tables;
    TRY(ask_number(s, "PRAGMA user_version", &version));
    TRY(ask_number(s, "PRAGMA application_id", &application));
    TRY(ask_number(s, "SELECT count(*) FROM sqlite_schema", &tables));
    bool empty = version == 0 && application == 0 && tables == 0;
    if (!empty && (application != APPLICATION_ID || version < 1 || version > SCHEMA_VERSION))
        return fail(E_unsupported);
    *ret = version;
    return OK;
}

static result upgrade(struct state *s)
{
    int64_t version;
    TRY(version_of(s, &version)); /* again, under the write lock */
    for (; version < SCHEMA_VERSION; version++)
        TRY(exec(s, steps[version]));
    return exec(s, "COMMIT");
}

static result schema_make(struct state *s)
{
    int64_t version;
    TRY(version_of(s, &version)); /* before anything of another's file is changed */
    TRY(exec(s, "PRAGMA journal_mode = WAL"));
    if (version == SCHEMA_VERSION)
        return OK;
    TRY(exec(s, "BEGIN IMMEDIATE"));
    result r = upgrade(s);
    if (!is_ok(r) && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static result prepare(struct state *s)
{
    for (unsigned i = 0; i < SQL_STATEMENTS; i++)
        TRY(sql_result(s, sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i], NULL)));
    return OK;
}

static result open_file(struct state *s, const char *path)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    TRY(private_file(path));
    TRY(sql_result(s, sqlite3_open_v2(path, &s->db, flags, NULL)));
    TRY(settle(s));
    TRY(schema_make(s));
    return prepare(s);
}

result state_open(const char *path, struct state **ret)
{
    AUTO_STATE *s = calloc(1, sizeof *s);
    if (!s)
        return fail(E_no_memory);
    TRY(open_file(s, path));
    *ret = s;
    s = NULL;
    return OK;
}

void state_free(struct state *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(s->statement[i]);
    sqlite3_close(s->db);
    free(s);
}

void state_free_pointer(struct state **s)
{
    state_free(*s);
    *s = NULL;
}

void sql_run_end(struct sql_run *r)
{
    sqlite3_reset(r->st);
    sqlite3_clear_bindings(r->st);
}

struct sql_run sql_run(struct state *s, enum sql_statement which)
{
    return (struct sql_run){ .s = s, .st = s->statement[which], .rc = SQLITE_OK };
}

static void keep(struct sql_run *r, int rc)
{
    if (r->rc == SQLITE_OK)
        r->rc = rc;
}

void sql_number(struct sql_run *r, int64_t v)
{
    keep(r, sqlite3_bind_int64(r->st, ++r->bound, v));
}

void sql_text(struct sql_run *r, struct span v)
{
    keep(r, sqlite3_bind_text64(r->st, ++r->bound, v.p ? (const char *)v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void sql_name(struct sql_run *r, const char *v)
{
    sql_text(r, span_text(v));
}

void sql_bytes(struct sql_run *r, struct span v)
{
    keep(r, sqlite3_bind_blob64(r->st, ++r->bound, v.p ? (const void *)v.p : "", v.n, SQLITE_STATIC));
}

result sql_step(struct sql_run *r, bool *ret_row)
{
    if (r->rc == SQLITE_OK)
        r->rc = sqlite3_step(r->st);
    TRY(sql_result(r->s, r->rc));
    *ret_row = r->rc == SQLITE_ROW;
    r->rc = SQLITE_OK;
    return OK;
}

result sql_finish(struct sql_run *r, int *ret_changed)
{
    bool row;
    TRY(sql_step(r, &row));
    if (row)
        return fail(E_invariant);
    if (ret_changed)
        *ret_changed = sqlite3_changes(r->s->db);
    return OK;
}

static result sql_plain(struct state *s, enum sql_statement which)
{
    AUTO_SQL r = sql_run(s, which);
    return sql_finish(&r, NULL);
}

int64_t sql_number_at(const struct sql_run *r, int column)
{
    return sqlite3_column_int64(r->st, column);
}

struct span sql_bytes_at(const struct sql_run *r, int column)
{
    const void *p = sqlite3_column_blob(r->st, column);
    return (struct span){ p, (size_t)sqlite3_column_bytes(r->st, column) };
}

result sql_text_at(const struct sql_run *r, int column, char *to, size_t room)
{
    return span_copy_text(sql_bytes_at(r, column), to, room);
}

result sql_digest_at(const struct sql_run *r, int column, struct digest *ret)
{
    return span_copy(sql_bytes_at(r, column), ret->b, DIGEST_SIZE);
}

result state_begin(struct state *s)
{
    return sql_plain(s, SQL_BEGIN);
}

result state_commit(struct state *s)
{
    return sql_plain(s, SQL_COMMIT);
}

void state_undo(struct state *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)is_ok(sql_plain(s, SQL_ROLLBACK));
}

result sql_one_number(struct sql_run *r, int64_t *ret)
{
    bool row;
    TRY(sql_step(r, &row));
    if (!row)
        return fail(E_invariant);
    *ret = sql_number_at(r, 0);
    return OK;
}

result state_version(struct state *s, int64_t *ret)
{
    AUTO_SQL r = sql_run(s, SQL_DATA_VERSION);
    return sql_one_number(&r, ret);
}
