#include "config.h"

#include "store/sql.h"

#define APPLICATION_ID 1936024113 /* "seb1" */

/* What brings the schema from version i to i + 1, and says so. Foreign keys are deferred: a batch comes in the order in which it
 * was built. Nothing is ever deleted; only decision.open, decision.final and state change. */
static const char *const steps[] = {
    "CREATE TABLE entry(idx INTEGER PRIMARY KEY CHECK(idx >= 0), data BLOB NOT NULL CHECK(length(data) BETWEEN 1 AND 65535)) "
    "STRICT;"
    "CREATE TABLE node(id INTEGER PRIMARY KEY, hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"
    "CREATE TABLE checkpoint(size INTEGER PRIMARY KEY CHECK(size >= 0), note BLOB NOT NULL) STRICT;"
    "CREATE TABLE quote(id INTEGER PRIMARY KEY,"
    "  size INTEGER NOT NULL REFERENCES checkpoint(size) DEFERRABLE INITIALLY DEFERRED,"
    "  attest BLOB NOT NULL, signature BLOB NOT NULL, preimage BLOB NOT NULL) STRICT;"
    "CREATE TABLE blob(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL CHECK(kind BETWEEN 1 AND 6),"
    "  digest BLOB NOT NULL CHECK(length(digest) = 32), data BLOB NOT NULL, UNIQUE(digest, kind)) STRICT;"
    "CREATE TABLE used(cid TEXT PRIMARY KEY, certificate BLOB NOT NULL CHECK(length(certificate) = 32),"
    "  decision INTEGER NOT NULL REFERENCES entry(idx) DEFERRABLE INITIALLY DEFERRED) STRICT, WITHOUT ROWID;"
    "CREATE TABLE request(agent BLOB NOT NULL CHECK(length(agent) = 32), id TEXT NOT NULL,"
    "  core BLOB NOT NULL CHECK(length(core) = 32), certificate BLOB NOT NULL CHECK(length(certificate) = 32),"
    "  decision INTEGER NOT NULL REFERENCES entry(idx) DEFERRABLE INITIALLY DEFERRED,"
    "  PRIMARY KEY(agent, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE decision(idx INTEGER PRIMARY KEY REFERENCES entry(idx) DEFERRABLE INITIALLY DEFERRED,"
    "  target TEXT NOT NULL, resource TEXT NOT NULL, certificate BLOB NOT NULL CHECK(length(certificate) = 32),"
    "  core BLOB NOT NULL CHECK(length(core) = 32), horizon INTEGER NOT NULL,"
    "  open INTEGER REFERENCES entry(idx) DEFERRABLE INITIALLY DEFERRED,"
    "  final INTEGER REFERENCES entry(idx) DEFERRABLE INITIALLY DEFERRED) STRICT;"
    "CREATE INDEX decision_open ON decision(idx) WHERE final IS NULL;"
    "CREATE TABLE state(kind INTEGER PRIMARY KEY CHECK(kind BETWEEN 1 AND 2), jws BLOB NOT NULL) STRICT;"
    "PRAGMA user_version = 1; PRAGMA application_id = 1936024113;",
    /* More kinds of blobs: a CHECK changes only with its table (sqlite.org/lang_altertable.html). */
    "CREATE TABLE blob_2(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL CHECK(kind BETWEEN 1 AND 11),"
    "  digest BLOB NOT NULL CHECK(length(digest) = 32), data BLOB NOT NULL, UNIQUE(digest, kind)) STRICT;"
    "INSERT INTO blob_2(id, kind, digest, data) SELECT id, kind, digest, data FROM blob;"
    "DROP TABLE blob; ALTER TABLE blob_2 RENAME TO blob;"
    "PRAGMA user_version = 2;",
};
#define SCHEMA_VERSION ((int64_t)(sizeof(steps) / sizeof(steps[0])))

/* 0 for a file that is still empty. */
static result version_of(struct sql *s, int64_t *ret)
{
    int64_t version, application, tables;
    TRY(sql_ask(s, "PRAGMA user_version", &version));
    TRY(sql_ask(s, "PRAGMA application_id", &application));
    TRY(sql_ask(s, "SELECT count(*) FROM sqlite_schema", &tables));
    bool empty = version == 0 && application == 0 && tables == 0;
    bool ours = version >= 1 && version <= SCHEMA_VERSION && application == APPLICATION_ID;
    if (!empty && !ours)
        return fail(E_unsupported);
    *ret = version;
    return OK;
}

static result upgrade(struct sql *s)
{
    int64_t version;
    TRY(version_of(s, &version)); /* again, under the write lock */
    for (; version < SCHEMA_VERSION; version++)
        TRY(sql_exec(s, steps[version]));
    return OK;
}

result schema_check(struct sql *s, bool writes)
{
    int64_t version;
    TRY(version_of(s, &version));
    if (!writes || version == SCHEMA_VERSION)
        return OK;
    TRY(sql_exec(s, "BEGIN IMMEDIATE"));
    result r = upgrade(s);
    if (is_ok(r))
        r = sql_exec(s, "COMMIT");
    if (!is_ok(r) && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}
