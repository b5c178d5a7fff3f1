#include "config.h"

#include "verifier/state.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 5000
#define APPLICATION_ID 1936024118 /* "sebv" */

/* A row of `statements` each. */
enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    DATA_VERSION,
    FORGET_PENDING,
    ENROL,
    REPLACE_ACTIVE,
    CONFIRM,
    WITHDRAW,
    DELIVERED,
    DOMAIN_OTHERS,
    ENROLMENT,
    ENROLMENT_DOCUMENTS,
    ENROLMENT_AFTER,
    KNOWN,
    KNOW,
    RESULT_PUT,
    RESULT_SENT,
    RESULT,
    ACKNOWLEDGED,
    STATEMENTS
};
#define ENROLMENT_COLUMNS                                                                                                  \
    "SELECT id, name, instance, domain, local, status, activated, decided, delivered, ek, ak, record, mint, ak_name FROM " \
    "enrolment "
static const char *const statements[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [DATA_VERSION] = "PRAGMA data_version",
    [FORGET_PENDING] = "DELETE FROM enrolment WHERE name = ?1 AND status = 1",
    [ENROL] = "INSERT INTO enrolment(name, instance, domain, local, status, activated, ek, ak, record, mint, ak_name, ak_jwk, "
              "certificate, record_jwk) "
              "VALUES(?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [REPLACE_ACTIVE] = "UPDATE enrolment SET status = 4, decided = ?2 WHERE name = ?1 AND status = 2",
    [CONFIRM] = "UPDATE enrolment SET status = 2, decided = ?2, statement = ?3 WHERE name = ?1 AND status = 1",
    [WITHDRAW] = "UPDATE enrolment SET status = 3, decided = ?2 WHERE name = ?1 AND status IN (1, 2)",
    [DELIVERED] = "UPDATE enrolment SET delivered = 1 WHERE id = ?1",
    [DOMAIN_OTHERS] = "SELECT count(*) FROM enrolment WHERE domain = ?2 AND name <> ?1 AND status = 2 AND (local = 1 OR ?3 = 1)",
    [ENROLMENT] = ENROLMENT_COLUMNS "WHERE name = ?1 AND status = ?2",
    [ENROLMENT_DOCUMENTS] = "SELECT certificate, ak_jwk, record_jwk, statement FROM enrolment WHERE id = ?1",
    [ENROLMENT_AFTER] = ENROLMENT_COLUMNS "WHERE id > ?1 ORDER BY id LIMIT 1",
    [KNOWN] = "SELECT data FROM known WHERE name = ?1",
    [KNOW] = "INSERT INTO known(name, data) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET data = excluded.data",
    [RESULT_PUT] =
        "INSERT INTO result(name, at, since, status, codes, lease, sent, affirming, others, jwt) "
        "VALUES(?1, ?2, ?2, ?3, ?4, ?5, 0, ?6, 1 - ?6, ?7) ON CONFLICT(name) DO UPDATE SET at = excluded.at, "
        "since = iif(status = excluded.status, since, excluded.at), status = excluded.status, codes = excluded.codes, "
        "lease = excluded.lease, sent = 0, affirming = affirming + excluded.affirming, others = others + excluded.others, "
        "jwt = excluded.jwt",
    [RESULT_SENT] = "UPDATE result SET sent = 1 WHERE name = ?1 AND at = ?2",
    [RESULT] = "SELECT at, since, status, codes, lease, sent, affirming, others, jwt FROM result WHERE name = ?1",
    [ACKNOWLEDGED] = "INSERT INTO acknowledged(name, at, size, root) VALUES(?1, ?2, ?3, ?4)",
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
    sqlite3_stmt *statement[STATEMENTS];
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
    for (unsigned i = 0; i < STATEMENTS; i++)
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
    for (unsigned i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(s->statement[i]);
    sqlite3_close(s->db);
    free(s);
}

void state_free_pointer(struct state **s)
{
    state_free(*s);
    *s = NULL;
}

/* One execution of a statement: bound by position, reset by scope. */
struct run {
    struct state *s;
    sqlite3_stmt *st;
    int bound, rc;
};

static void run_end(struct run *r)
{
    sqlite3_reset(r->st);
    sqlite3_clear_bindings(r->st);
}
#define AUTO_RUN __attribute__((cleanup(run_end))) struct run

static struct run run_of(struct state *s, enum statement which)
{
    return (struct run){ .s = s, .st = s->statement[which], .rc = SQLITE_OK };
}

static void keep(struct run *r, int rc)
{
    if (r->rc == SQLITE_OK)
        r->rc = rc;
}

static void bind_number(struct run *r, int64_t v)
{
    keep(r, sqlite3_bind_int64(r->st, ++r->bound, v));
}

static void bind_text(struct run *r, struct span v)
{
    keep(r, sqlite3_bind_text64(r->st, ++r->bound, v.p ? (const char *)v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8));
}

static void bind_name(struct run *r, const char *v)
{
    bind_text(r, span_text(v));
}

static void bind_bytes(struct run *r, struct span v)
{
    keep(r, sqlite3_bind_blob64(r->st, ++r->bound, v.p ? (const void *)v.p : "", v.n, SQLITE_STATIC));
}

static result step(struct run *r, bool *ret_row)
{
    if (r->rc == SQLITE_OK)
        r->rc = sqlite3_step(r->st);
    TRY(sql_result(r->s, r->rc));
    *ret_row = r->rc == SQLITE_ROW;
    r->rc = SQLITE_OK;
    return OK;
}

/* A statement without rows; *ret_changed (may be NULL): how many it wrote. */
static result finish(struct run *r, int *ret_changed)
{
    bool row;
    TRY(step(r, &row));
    if (row)
        return fail(E_invariant);
    if (ret_changed)
        *ret_changed = sqlite3_changes(r->s->db);
    return OK;
}

static result plain(struct state *s, enum statement which)
{
    AUTO_RUN r = run_of(s, which);
    return finish(&r, NULL);
}

static int64_t number_at(const struct run *r, int column)
{
    return sqlite3_column_int64(r->st, column);
}

static struct span bytes_at(const struct run *r, int column)
{
    const void *p = sqlite3_column_blob(r->st, column);
    return (struct span){ p, (size_t)sqlite3_column_bytes(r->st, column) };
}

static result text_at(const struct run *r, int column, char *to, size_t room)
{
    return span_copy_text(bytes_at(r, column), to, room);
}

static result digest_at(const struct run *r, int column, struct digest *ret)
{
    return span_copy(bytes_at(r, column), ret->b, DIGEST_SIZE);
}

result state_begin(struct state *s)
{
    return plain(s, BEGIN);
}

result state_commit(struct state *s)
{
    return plain(s, COMMIT);
}

void state_undo(struct state *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)is_ok(plain(s, ROLLBACK));
}

static result one_number(struct run *r, int64_t *ret)
{
    bool row;
    TRY(step(r, &row));
    if (!row)
        return fail(E_invariant);
    *ret = number_at(r, 0);
    return OK;
}

result state_version(struct state *s, int64_t *ret)
{
    AUTO_RUN r = run_of(s, DATA_VERSION);
    return one_number(&r, ret);
}

result state_enrol(struct state *s, const struct enrolment_row *row, const struct enrolment_documents *d)
{
    AUTO_RUN forget = run_of(s, FORGET_PENDING), r = run_of(s, ENROL);
    bind_name(&forget, row->name);
    TRY(finish(&forget, NULL));
    bind_name(&r, row->name);
    bind_name(&r, row->instance);
    bind_name(&r, row->domain);
    bind_number(&r, row->local);
    bind_number(&r, row->activated);
    bind_bytes(&r, digest_span(&row->ek));
    bind_bytes(&r, digest_span(&row->ak));
    bind_bytes(&r, digest_span(&row->record));
    bind_bytes(&r, digest_span(&row->mint));
    bind_bytes(&r, SPAN(row->ak_name));
    bind_text(&r, buf_span(&d->ak_jwk));
    bind_bytes(&r, buf_span(&d->certificate));
    bind_text(&r, buf_span(&d->record_jwk));
    return finish(&r, NULL);
}

result state_domain_free(struct state *s, const char *name, const char *domain, bool local)
{
    int64_t others;
    AUTO_RUN r = run_of(s, DOMAIN_OTHERS);
    bind_name(&r, name);
    bind_name(&r, domain);
    bind_number(&r, local);
    TRY(one_number(&r, &others));
    return others == 0 ? OK : fail(E_domain_taken);
}

result state_confirm(struct state *s, const char *name, int64_t now, struct span statement)
{
    struct enrolment_row pending;
    AUTO_RUN replace = run_of(s, REPLACE_ACTIVE), r = run_of(s, CONFIRM);
    TRY(state_enrolment(s, name, ENROLMENT_PENDING, &pending));
    TRY(state_domain_free(s, name, pending.domain, pending.local));
    bind_name(&replace, name);
    bind_number(&replace, now);
    TRY(finish(&replace, NULL));
    bind_name(&r, name);
    bind_number(&r, now);
    bind_text(&r, statement);
    return finish(&r, NULL);
}

result state_withdraw(struct state *s, const char *name, int64_t now)
{
    int changed = 0;
    AUTO_RUN r = run_of(s, WITHDRAW);
    bind_name(&r, name);
    bind_number(&r, now);
    TRY(finish(&r, &changed));
    return changed > 0 ? OK : fail(E_not_found);
}

result state_delivered(struct state *s, int64_t id)
{
    AUTO_RUN r = run_of(s, DELIVERED);
    bind_number(&r, id);
    return finish(&r, NULL);
}

static result row_read(const struct run *r, struct enrolment_row *ret)
{
    struct enrolment_row row = { .id = number_at(r, 0),
        .local = number_at(r, 4) != 0,
        .status = (enum enrolment_status)number_at(r, 5),
        .activated = number_at(r, 6),
        .decided = number_at(r, 7),
        .delivered = number_at(r, 8) != 0 };
    TRY(text_at(r, 1, row.name, sizeof row.name));
    TRY(text_at(r, 2, row.instance, sizeof row.instance));
    TRY(text_at(r, 3, row.domain, sizeof row.domain));
    TRY(digest_at(r, 9, &row.ek));
    TRY(digest_at(r, 10, &row.ak));
    TRY(digest_at(r, 11, &row.record));
    TRY(digest_at(r, 12, &row.mint));
    TRY(span_copy(bytes_at(r, 13), row.ak_name, sizeof row.ak_name));
    *ret = row;
    return OK;
}

result state_enrolment(struct state *s, const char *name, enum enrolment_status status, struct enrolment_row *ret)
{
    bool row;
    AUTO_RUN r = run_of(s, ENROLMENT);
    bind_name(&r, name);
    bind_number(&r, status);
    TRY(step(&r, &row));
    return row ? row_read(&r, ret) : fail(E_not_found);
}

result state_enrolment_documents(struct state *s, int64_t id, struct enrolment_documents *ret)
{
    bool row;
    AUTO_RUN r = run_of(s, ENROLMENT_DOCUMENTS);
    bind_number(&r, id);
    TRY(step(&r, &row));
    if (!row)
        return fail(E_not_found);
    enrolment_documents_free(ret);
    *ret = enrolment_documents_empty();
    TRY(buf_put(&ret->certificate, bytes_at(&r, 0)));
    TRY(buf_put(&ret->ak_jwk, bytes_at(&r, 1)));
    TRY(buf_put(&ret->record_jwk, bytes_at(&r, 2)));
    return buf_put(&ret->statement, bytes_at(&r, 3));
}

struct enrolment_documents enrolment_documents_empty(void)
{
    return (struct enrolment_documents){ .certificate = BUF(STATE_CERTIFICATE_MAX),
        .ak_jwk = BUF(STATE_JWK_MAX),
        .record_jwk = BUF(STATE_JWK_MAX),
        .statement = BUF(STATE_STATEMENT_MAX) };
}

void enrolment_documents_free(struct enrolment_documents *d)
{
    buf_free(&d->certificate);
    buf_free(&d->ak_jwk);
    buf_free(&d->record_jwk);
    buf_free(&d->statement);
}

result state_enrolment_after(struct state *s, int64_t id, struct enrolment_row *ret, bool *ret_row)
{
    AUTO_RUN r = run_of(s, ENROLMENT_AFTER);
    bind_number(&r, id);
    TRY(step(&r, ret_row));
    return *ret_row ? row_read(&r, ret) : OK;
}

result state_known(struct state *s, const char *name, struct buf *out)
{
    bool row;
    AUTO_RUN r = run_of(s, KNOWN);
    bind_name(&r, name);
    TRY(step(&r, &row));
    return row ? buf_put(out, bytes_at(&r, 0)) : OK;
}

result state_know(struct state *s, const char *name, struct span data)
{
    AUTO_RUN r = run_of(s, KNOW);
    bind_name(&r, name);
    bind_bytes(&r, data);
    return finish(&r, NULL);
}

result state_result_put(struct state *s, const char *name, const struct result_row *row, struct span jwt)
{
    AUTO_RUN r = run_of(s, RESULT_PUT);
    bind_name(&r, name);
    bind_number(&r, row->at);
    bind_name(&r, row->status);
    bind_name(&r, row->codes);
    bind_number(&r, row->lease);
    bind_number(&r, span_is(span_text(row->status), "affirming"));
    bind_text(&r, jwt);
    return finish(&r, NULL);
}

result state_result_sent(struct state *s, const char *name, int64_t at)
{
    AUTO_RUN r = run_of(s, RESULT_SENT);
    bind_name(&r, name);
    bind_number(&r, at);
    return finish(&r, NULL);
}

result state_result(struct state *s, const char *name, struct result_row *ret, struct buf *jwt)
{
    bool row;
    AUTO_RUN r = run_of(s, RESULT);
    bind_name(&r, name);
    TRY(step(&r, &row));
    if (!row)
        return fail(E_not_found);
    struct result_row read = { .at = number_at(&r, 0),
        .since = number_at(&r, 1),
        .lease = number_at(&r, 4) != 0,
        .sent = number_at(&r, 5) != 0,
        .affirming = number_at(&r, 6),
        .others = number_at(&r, 7) };
    TRY(text_at(&r, 2, read.status, sizeof read.status));
    TRY(text_at(&r, 3, read.codes, sizeof read.codes));
    if (jwt)
        TRY(buf_put(jwt, bytes_at(&r, 8)));
    *ret = read;
    return OK;
}

result state_acknowledged(struct state *s, const char *name, int64_t now, uint64_t size, const struct digest *root)
{
    if (size > INT64_MAX)
        return fail(E_bad_value);
    AUTO_RUN r = run_of(s, ACKNOWLEDGED);
    bind_name(&r, name);
    bind_number(&r, now);
    bind_number(&r, (int64_t)size);
    bind_bytes(&r, digest_span(root));
    return finish(&r, NULL);
}
