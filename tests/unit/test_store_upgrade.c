/* A database of the first schema, with what a broker had stored in it, is brought up to date as it is opened. */
#include "config.h"

#include "check.h"
#include "store/sql.h"
#include "store_fixture.h"

/* The first schema, as it was. */
static const char first_schema[] =
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
    "PRAGMA user_version = 1; PRAGMA application_id = 1936024113;";

static int64_t version_of(const struct place *p)
{
    struct sql s = { 0 };
    int64_t version = -1;
    must(sql_open(&s, p->path, false));
    must(sql_ask(&s, "PRAGMA user_version", &version));
    sql_close(&s);
    return version;
}

/* A database with entries, blobs and statements, put back to the first schema: what it held then. */
static void make_old(const struct place *p)
{
    struct sql s = { 0 };
    AUTO_STORE *made = NULL;
    AUTO_STORE_BATCH *b = NULL;
    struct digest d = digest_of("policy");
    must(store_open(p->path, &made));
    must(store_batch_new(0, &b));
    add_decision(b, true);
    must(store_batch_blob(b, BLOB_POLICY, &d, span_text("{\"policy\":1}")));
    must(store_batch_state(b, STATE_POLICY, span_text("{\"policy\":1}")));
    must(store_commit(made, b));
    commit_checkpoint(p, made);
    store_close(made);
    made = NULL;
    must(sql_open(&s, p->path, true));
    must(sql_exec(&s, "ALTER TABLE entry RENAME TO entry_; ALTER TABLE node RENAME TO node_; ALTER TABLE checkpoint RENAME TO "
                      "checkpoint_; ALTER TABLE quote RENAME TO quote_; ALTER TABLE blob RENAME TO blob_; ALTER TABLE used RENAME "
                      "TO used_; ALTER TABLE request RENAME TO request_; ALTER TABLE decision RENAME TO decision_; ALTER TABLE "
                      "state RENAME TO state_; DROP INDEX decision_open"));
    must(sql_exec(&s, first_schema));
    must(sql_exec(&s, "INSERT INTO entry SELECT * FROM entry_; INSERT INTO node SELECT * FROM node_; INSERT INTO checkpoint SELECT "
                      "* FROM checkpoint_; INSERT INTO quote SELECT * FROM quote_; INSERT INTO blob SELECT * FROM blob_; INSERT "
                      "INTO used SELECT * FROM used_; INSERT INTO request SELECT * FROM request_; INSERT INTO decision SELECT * "
                      "FROM decision_; INSERT INTO state SELECT * FROM state_"));
    must(sql_exec(&s, "DROP TABLE quote_; DROP TABLE used_; DROP TABLE request_; DROP TABLE decision_; DROP TABLE checkpoint_; "
                      "DROP TABLE node_; DROP TABLE blob_; DROP TABLE state_; DROP TABLE entry_"));
    sql_close(&s);
}

static void check_kept(struct checks *c, struct store_reader *r)
{
    AUTO_BUF blob = BUF(STORE_BLOB_MAX), state = BUF(STORE_BLOB_MAX), note = BUF(4096);
    struct digest d = digest_of("policy");
    uint64_t size = 0;
    check_that(c, is_ok(store_read_size(r, &size)) && size == 1, "its entry is there");
    check_that(c, is_ok(store_read_newest_checkpoint(r, &size, &note)) && size == 1, "its checkpoint");
    check_that(c, is_ok(store_read_newest_quote_size(r, &size)) && size == 1, "its quote");
    check_that(
        c, is_ok(store_read_blob(r, BLOB_POLICY, &d, &blob)) && span_is(buf_span(&blob), "{\"policy\":1}"), "its policy's text");
    check_that(
        c, is_ok(store_read_state(r, STATE_POLICY, &state)) && span_is(buf_span(&state), "{\"policy\":1}"), "which is in force");
}

static void check_new_kinds(struct checks *c, struct store *s, struct store_reader *r)
{
    static const enum blob_kind kinds[] = { BLOB_RESULT, BLOB_DOCUMENT, BLOB_ENROLMENT, BLOB_ACKNOWLEDGE, BLOB_APPROVAL };
    AUTO_STORE_BATCH *b = NULL;
    struct digest d = digest_of("new");
    bool found = true;
    must(store_batch_new(store_size(s), &b));
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        must(store_batch_blob(b, kinds[i], &d, span_text("new")));
    check_code(c, store_commit(s, b), E_ok, "the new kinds are stored");
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        AUTO_BUF out = BUF(16);
        found = found && is_ok(store_read_blob(r, kinds[i], &d, &out));
    }
    check_that(c, found, "and found");
}

int main(void)
{
    struct checks c = { 0 };
    struct place p;
    place_make(&p);
    make_old(&p);
    check_that(&c, version_of(&p) == 1, "a database of the first schema");
    {
        AUTO_STORE_READER *r = NULL;
        check_code(&c, store_reader_open(p.path, &r), E_ok, "a reader takes it as it is");
        check_kept(&c, r);
    }
    check_that(&c, version_of(&p) == 1, "and changes nothing");
    {
        AUTO_STORE *s = NULL;
        AUTO_STORE_READER *r = NULL;
        check_code(&c, store_open(p.path, &s), E_ok, "the writer opens it");
        check_that(&c, version_of(&p) == 2, "and brings it up to date");
        must(store_reader_open(p.path, &r));
        check_kept(&c, r);
        check_new_kinds(&c, s, r);
        commit_entries(s, 2);
    }
    place_remove(&p);
    return checks_end(&c);
}
