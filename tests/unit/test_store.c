#include "config.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"
#include "merkle/checkpoint.h"
#include "store/sql.h"
#include "store_fixture.h"

static void test_creation(struct checks *c, const struct place *p)
{
    AUTO_STORE *s = NULL;
    struct stat st;
    check_code(c, store_open(p->path, &s), E_ok, "a database is created");
    check_that(c, stat(p->path, &st) == 0 && (st.st_mode & 0777) == 0600, "for its owner alone");
    check_that(c, stat(place_at(p, "log.sqlite-wal"), &st) == 0 && (st.st_mode & 0777) == 0600, "its write-ahead log too");
    check_that(c, store_frontier(s)->size == 0, "it is empty");
    AUTO_STORE_READER *r = NULL;
    AUTO_BUF out = BUF(NOTE_MAX);
    uint64_t size;
    struct digest d = { 0 };
    bool found;
    struct used_certificate used;
    struct known_request known;
    check_code(c, store_reader_open(p->path, &r), E_ok, "a reader opens beside the writer");
    check_that(c, is_ok(store_read_size(r, &size)) && size == 0, "and finds no entry");
    check_code(c, store_read_newest_checkpoint(r, &size, &out), E_not_found, "no checkpoint");
    check_code(c, store_read_newest_quote_size(r, &size), E_not_found, "no quote");
    check_code(c, store_read_entry(r, 0, &out), E_not_found, "no entry 0");
    check_code(c, store_read_blob(r, BLOB_BODY, &d, &out), E_not_found, "no blob");
    check_code(c, store_read_state(r, STATE_POLICY, &out), E_not_found, "no policy");
    check_that(c, is_ok(store_find_used(r, "c", &found, &used)) && !found, "no used certificate");
    check_that(c, is_ok(store_find_request(r, &d, "r", &found, &known)) && !found, "no request");
}

struct seen {
    unsigned n;
    struct open_decision open[8];
    struct stored_quote quote;
};

static result see_open(void *ctx, const struct open_decision *d)
{
    struct seen *seen = ctx;
    if (seen->n < 8)
        seen->open[seen->n] = *d;
    seen->n++;
    return OK;
}

static result count_quote(void *ctx, const struct stored_quote *q)
{
    struct seen *seen = ctx;
    seen->n += span_is(q->attest, "attest") && span_is(q->signature, "signature") && span_is(q->preimage, "preimage");
    return OK;
}

static result count_numbered(void *ctx, uint64_t number, struct span bytes)
{
    *(unsigned *)ctx += bytes.n > 0;
    return OK;
}

static result stop_at_three(void *ctx, uint64_t number, struct span bytes)
{
    return number == 3 ? fail(E_busy) : OK;
}

/* Everything that a batch can hold, seen through a reader. */
static void test_group(struct checks *c, const struct place *p, struct store *s, struct store_reader *r)
{
    AUTO_STORE_BATCH *b = NULL;
    uint64_t first = store_frontier(s)->size;
    must(store_batch_new(first, &b));
    uint64_t permitted = add_decision(b, true), refused = add_decision(b, false), open = add_decision(b, true),
             done = add_decision(b, true);
    add_entries(b, 2);
    must(store_batch_outcome(b, open, store_batch_end(b) - 2, false));
    must(store_batch_outcome(b, done, store_batch_end(b) - 1, true));
    must(store_batch_state(b, STATE_POLICY, span_text("{\"policy\":1}")));
    check_that(c, store_batch_entries(b) == 6 && store_batch_end(b) == first + 6, "a batch counts its entries");
    unsigned handed = 0;
    struct span entry;
    for (size_t at = 0; store_batch_next_entry(b, &at, &entry);)
        handed += entry.n > 0;
    check_that(c, handed == 6, "and hands them on");
    check_code(c, store_commit(s, b), E_ok, "a group is committed");
    check_that(c, store_frontier(s)->size == first + 6 && store_size(s) == first + 6, "the frontier moved by its entries");
    commit_checkpoint(p, s);

    struct known_request known;
    struct used_certificate used;
    struct digest agent = digest_of("agent");
    struct seen seen = { 0 };
    bool found;
    char id[32];
    snprintf(id, sizeof(id), "c-%d", (int)permitted);
    check_that(c,
        is_ok(store_find_request(r, &agent, id, &found, &known)) && found && known.permitted && known.decision == permitted &&
            known.outcome == NO_INDEX,
        "a permitted request without an outcome");
    check_that(c,
        is_ok(store_find_used(r, id, &found, &used)) && found && used.decision == permitted &&
            digest_equal(&used.certificate, &known.certificate),
        "its certificate is used");
    snprintf(id, sizeof(id), "c-%d", (int)refused);
    check_that(c,
        is_ok(store_find_request(r, &agent, id, &found, &known)) && found && !known.permitted && known.outcome == NO_INDEX,
        "a refused request");
    check_that(c, is_ok(store_find_used(r, id, &found, &used)) && !found, "its certificate is free");
    snprintf(id, sizeof(id), "c-%d", (int)done);
    check_that(c,
        is_ok(store_find_request(r, &agent, id, &found, &known)) && found && known.permitted && known.outcome == first + 5,
        "a request with its outcome");
    check_that(c,
        is_ok(store_each_open(r, see_open, &seen)) && seen.n == 2 && seen.open[0].decision == permitted &&
            seen.open[0].outcome == NO_INDEX && seen.open[1].decision == open && seen.open[1].outcome == first + 4 &&
            seen.open[1].horizon_ms == (int64_t)open * 1000 && span_is(span_text(seen.open[1].target), "docs"),
        "open decisions, with what is known of them");
}

static void test_reads(struct checks *c, struct store *s, struct store_reader *r)
{
    AUTO_BUF note = BUF(NOTE_MAX), blob = BUF(256), state = BUF(256), entry = BUF(1024), want = BUF(1024);
    struct checkpoint got;
    struct span text;
    struct seen seen = { 0 };
    struct digest d = digest_of("body of 1");
    uint64_t size = store_frontier(s)->size, at;
    unsigned n = 0;
    struct digest root = frontier_root(store_frontier(s));
    check_that(c,
        is_ok(store_read_newest_checkpoint(r, &at, &note)) && at == size && is_ok(checkpoint_parse(buf_span(&note), &got, &text)) &&
            digest_equal(&got.root, &root),
        "the newest checkpoint");
    buf_clear(&note);
    check_that(c, is_ok(store_read_checkpoint_from(r, 1, &at, &note)) && at == size, "the oldest that covers entry 0");
    check_code(c, store_read_checkpoint_from(r, size + 1, &at, &note), E_not_found, "none beyond the log");
    check_that(c, is_ok(store_read_newest_quote_size(r, &at)) && at == size, "the newest quote's size");
    check_that(c, is_ok(store_each_quote(r, count_quote, &seen)) && seen.n == 1, "quotes with their parts");
    check_that(c, is_ok(store_read_blob(r, BLOB_BODY, &d, &blob)) && span_is(buf_span(&blob), "body of 1"), "a body by its digest");
    check_code(c, store_read_blob(r, BLOB_REQUEST, &d, &blob), E_not_found, "not under another kind");
    check_that(
        c, is_ok(store_read_state(r, STATE_POLICY, &state)) && span_is(buf_span(&state), "{\"policy\":1}"), "the policy in force");
    entry_text(3, &want);
    check_that(c, is_ok(store_read_entry(r, 3, &entry)) && span_equal(buf_span(&entry), buf_span(&want)), "an entry by its index");
    check_that(c, is_ok(store_each_entry(r, 1, 5, count_numbered, &n)) && n == 4, "a range of entries");
    check_code(c, store_each_entry(r, 0, size, stop_at_three, NULL), E_busy, "iteration stops where its user says");
}

static void test_proofs(struct checks *c, struct store *s, struct store_reader *r)
{
    struct merkle_source source = store_source(r);
    struct merkle_proof proof;
    struct digest root = frontier_root(store_frontier(s)), early;
    struct frontier f;
    uint64_t size = store_frontier(s)->size;
    bool all = true;
    for (uint64_t i = 0; i < size; i++) {
        AUTO_BUF entry = BUF(1024);
        must(store_read_entry(r, i, &entry));
        struct digest leaf = merkle_leaf(buf_span(&entry));
        all &= is_ok(merkle_inclusion(&source, i, size, &proof)) && is_ok(merkle_verify_inclusion(&leaf, i, size, &proof, &root));
        all &= is_ok(merkle_root(&source, i, &early)) && is_ok(merkle_consistency(&source, i, size, &proof)) &&
               is_ok(merkle_verify_consistency(i, &early, size, &root, &proof));
    }
    check_that(c, all, "each entry's inclusion and each size's consistency are proved from stored nodes");
    check_that(c, is_ok(merkle_frontier(&source, size, &f)) && f.n == store_frontier(s)->n, "a reader finds the frontier");
    check_code(c, merkle_inclusion(&source, 0, size + 1, &proof), E_not_found, "no proof of what isn't there");
}

/* A refused batch leaves nothing, and the store goes on. */
static void refused(struct checks *c, struct store *s, struct store_reader *r, struct store_batch *b, const char *why)
{
    struct frontier before = *store_frontier(s);
    struct digest root = frontier_root(&before), after;
    uint64_t size;
    bool found;
    struct used_certificate used;
    must(store_batch_use(b, "never", &root, 0));
    check_code(c, store_commit(s, b), E_invariant, why);
    after = frontier_root(store_frontier(s));
    bool same = store_frontier(s)->size == before.size && digest_equal(&root, &after);
    check_that(c,
        same && is_ok(store_read_size(r, &size)) && size == before.size && is_ok(store_find_used(r, "never", &found, &used)) &&
            !found,
        "nothing of it is stored");
    commit_entries(s, 1);
}

static struct store_batch *batch_with_entry(struct store *s)
{
    struct store_batch *b;
    must(store_batch_new(store_frontier(s)->size, &b));
    add_entries(b, 1);
    return b;
}

static void test_contradictions(struct checks *c, const struct place *p, struct store *s, struct store_reader *r)
{
    struct digest d = digest_of("x");
    struct stored_request again = { .agent = digest_of("agent"), .id = "c-1", .core = d, .certificate = d };
    struct stored_quote quote = { .size = store_frontier(s)->size + 1 };
    struct frontier fork = { 0 };
    AUTO_BUF note = BUF(NOTE_MAX), forked = BUF(NOTE_MAX), resigned = BUF(NOTE_MAX);
    frontier_append(&fork, &d, NULL, NULL);
#define REFUSED(add, why)                           \
    do {                                            \
        AUTO_STORE_BATCH *b_ = batch_with_entry(s); \
        must(add);                                  \
        refused(c, s, r, b_, why);                  \
    } while (0)
    REFUSED(store_batch_use(b_, "c-0", &d, 0), "a cid that was used is refused");
    REFUSED(store_batch_use(b_, "never", &d, 0), "a cid twice in one batch is refused");
    REFUSED(store_batch_request(b_, &again), "a request id that is stored is refused");
    REFUSED(store_batch_outcome(b_, 3, 0, true), "a second final outcome is refused");
    REFUSED(store_batch_outcome(b_, 3, 0, false), "an open outcome after the final one is refused");
    REFUSED(store_batch_outcome(b_, 1, 0, true), "an outcome of what wasn't permitted is refused");
    REFUSED(store_batch_outcome(b_, 0, 99999, true), "an outcome that isn't in the log is refused");
    REFUSED(store_batch_use(b_, "c-x", &d, 99999), "a reservation for no decision is refused");
    REFUSED(store_batch_quote(b_, &quote), "a quote without its checkpoint is refused");
    struct frontier ahead = *store_frontier(s);
    for (unsigned i = 0; i < 5; i++)
        frontier_append(&ahead, &d, NULL, NULL);
    note_of(p, &ahead, &note);
    REFUSED(store_batch_checkpoint(b_, buf_span(&note)), "a checkpoint beyond the log is refused");
    AUTO_STORE_BATCH *gap = NULL;
    must(store_batch_new(store_frontier(s)->size + 1, &gap));
    add_entries(gap, 1);
    refused(c, s, r, gap, "indices with a gap are refused");
    commit_checkpoint(p, s);
    fork.size = store_frontier(s)->size;
    note_of(p, &fork, &forked);
    REFUSED(store_batch_checkpoint(b_, buf_span(&forked)), "another root for a size is refused");
    commit_checkpoint(p, s);
    note_of(p, store_frontier(s), &resigned);
    AUTO_STORE_BATCH *b = batch_with_entry(s);
    must(store_batch_checkpoint(b, buf_span(&resigned)));
    check_code(c, store_commit(s, b), E_ok, "the same root signed anew is left out");
}

static void test_batch_bounds(struct checks *c)
{
    AUTO_STORE_BATCH *b = NULL;
    AUTO_BUF big = BUF(STORE_BLOB_MAX + 1);
    uint8_t *room;
    uint64_t index;
    struct digest d = digest_of("x");
    must(buf_room(&big, STORE_BLOB_MAX + 1, &room));
    must(store_batch_new(7, &b));
    check_code(c, store_batch_entry(b, (struct span){ NULL, 0 }, &index), E_bad_entry, "no empty entry");
    check_code(
        c, store_batch_entry(b, span_part(buf_span(&big), 0, ENTRY_MAX + 1), &index), E_bad_entry, "no entry over 65,535 bytes");
    check_code(c, store_batch_blob(b, BLOB_BODY, &d, buf_span(&big)), E_too_long, "no blob over the limit");
    check_code(c, store_batch_checkpoint(b, span_text("note")), E_bad_note, "no checkpoint that isn't one");
    check_that(c, store_batch_empty(b), "what was refused left nothing");
    struct store_mark before, empty = store_batch_mark(b);
    result r;
    do {
        before = store_batch_mark(b);
        r = store_batch_entry(b, span_part(buf_span(&big), 0, ENTRY_MAX), &index);
        if (is_ok(r))
            r = store_batch_blob(b, BLOB_BODY, &d, span_part(buf_span(&big), 0, STORE_BLOB_MAX));
    } while (is_ok(r));
    check_code(c, r, E_busy, "a batch is bounded");
    store_batch_rewind(b, before);
    check_that(c,
        store_batch_entries(b) == before.entries && store_batch_entries(b) > 40 && store_batch_end(b) == 7 + before.entries,
        "and rewound to a mark");
    store_batch_rewind(b, empty);
    check_that(c, store_batch_empty(b) && store_batch_end(b) == 7, "or to its beginning");
}

static void alter(const struct place *p, const char *statement)
{
    struct sql s;
    must(sql_open(&s, p->path, true));
    must(sql_exec(&s, statement));
    sql_close(&s);
}

static void test_other_files(struct checks *c)
{
    static const struct {
        const char *statement, *why;
        enum seb_code want;
    } cases[] = {
        { "PRAGMA user_version = 3", "a later schema is refused", E_unsupported },
        { "PRAGMA user_version = -1", "a negative version is refused", E_unsupported },
        { "PRAGMA application_id = 1", "another program's database is refused", E_unsupported },
        { "PRAGMA user_version = 0; PRAGMA application_id = 0", "a database of nobody's is refused", E_unsupported },
        { "DELETE FROM node WHERE id = (3 << 6) + 2", "a tree with a node missing is refused", E_frontier_mismatch },
        { "DELETE FROM entry WHERE idx = 4", "a log cut by an entry is a smaller log to the store: the note tells", E_ok },
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct place p;
        place_make(&p);
        {
            AUTO_STORE *s = NULL;
            must(store_open(p.path, &s));
            commit_entries(s, 5);
        }
        alter(&p, cases[i].statement);
        AUTO_STORE *s = NULL;
        AUTO_STORE_READER *r = NULL;
        check_code(c, store_open(p.path, &s), cases[i].want, cases[i].why);
        if (cases[i].want == E_unsupported)
            check_code(c, store_reader_open(p.path, &r), E_unsupported, "by a reader too");
        place_remove(&p);
    }
    struct place p;
    place_make(&p);
    AUTO_STORE *s = NULL;
    AUTO_STORE_READER *r = NULL;
    check_code(c, store_reader_open(p.path, &r), E_disk, "a reader creates nothing");
    must(file_write(p.path, span_text("This is a text of more than sixteen bytes, and no database at all."), 0600, false));
    check_code(c, store_open(p.path, &s), E_unsupported, "a file that isn't a database is refused");
    check_code(c, store_open(p.folder, &s), E_unsupported, "a folder is refused");
    check_code(c, store_open(place_at(&p, "none/log.sqlite"), &s), E_disk, "a folder that isn't there is a disk error");
    place_remove(&p);
}

static void test_snapshot(struct checks *c, struct store *s, struct store_reader *r)
{
    uint64_t before, held, after;
    must(store_hold_snapshot(r));
    must(store_read_size(r, &before));
    commit_entries(s, 3);
    must(store_read_size(r, &held));
    store_drop_snapshot(r);
    must(store_read_size(r, &after));
    check_that(c, held == before && after == before + 3, "a held snapshot stands still");
}

int main(void)
{
    struct checks c = { 0 };
    struct place p;
    place_make(&p);
    test_creation(&c, &p);
    {
        AUTO_STORE *s = NULL;
        AUTO_STORE_READER *r = NULL;
        must(store_open(p.path, &s));
        must(store_reader_open(p.path, &r));
        test_group(&c, &p, s, r);
        test_reads(&c, s, r);
        test_proofs(&c, s, r);
        test_contradictions(&c, &p, s, r);
        test_proofs(&c, s, r);
        test_snapshot(&c, s, r);
    }
    test_batch_bounds(&c);
    test_other_files(&c);
    place_remove(&p);
    return checks_end(&c);
}
