/* Durable commits, as the core makes them: what belongs to a read, a decision and an outcome, in the sizes of a PUT of 200 bytes.
 */
#include "config.h"

#include "tests/bench/primitives.h"

#include "base/random.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes of what is written, measured on a running broker. */
enum { READ_ENTRY = 313, DECISION_ENTRY = 831, OUTCOME_ENTRY = 201, CERTIFICATE = 1242, REQUEST = 728, BODY = 197 };

enum what { READS = 1, DECISIONS = 2, OUTCOMES = 4, ALL = 7 };
struct committing {
    struct store *store;
    enum what what;
    unsigned group;
    uint64_t decision; /* which the next outcome is of */
    uint8_t filling[2048];
};

static struct digest fresh(void)
{
    struct digest d;
    must(random_bytes(d.b, sizeof d.b), "random");
    return d;
}

static void add_entry(struct committing *c, struct store_batch *b, size_t n)
{
    uint64_t index;
    struct digest d = fresh();
    for (unsigned i = 0; i < sizeof d.b; i++) /* no two are the same */
        c->filling[i] = d.b[i];
    must(store_batch_entry(b, span_part(SPAN(c->filling), 0, n), &index), "entry");
}

static void add_blob(struct committing *c, struct store_batch *b, enum blob_kind kind, const struct digest *d, size_t n)
{
    must(store_batch_blob(b, kind, d, span_part(SPAN(c->filling), 0, n)), "blob");
}

static void add_decision(struct committing *c, struct store_batch *b, const struct digest *certificate)
{
    char name[DIGEST_TEXT + 1];
    uint64_t index = store_batch_end(b);
    struct digest request = fresh(), body = fresh(), agent = sha256(span_text("agent"));
    add_entry(c, b, DECISION_ENTRY);
    add_blob(c, b, BLOB_CERTIFICATE, certificate, CERTIFICATE);
    add_blob(c, b, BLOB_REQUEST, &request, REQUEST);
    add_blob(c, b, BLOB_BODY, &body, BODY);
    must(store_batch_request(b, &(struct stored_request){ .agent = agent,
                                    .id = digest_text(&request, name),
                                    .core = request,
                                    .certificate = *certificate,
                                    .decision = index }),
        "request");
    must(store_batch_use(b, digest_text(certificate, name), certificate, index), "use");
    struct open_decision open = { .decision = index,
        .target = "sink",
        .resource = "https://localhost:20000/1/1",
        .certificate = *certificate,
        .core = request,
        .horizon_ms = 1 };
    must(store_batch_permit(b, &open), "permit");
}

static void commit(struct committing *c, struct store_batch *b)
{
    must(store_commit(c->store, b), "commit");
    store_batch_free(b);
}

static struct store_batch *batch(struct committing *c)
{
    struct store_batch *b;
    must(store_batch_new(store_frontier(c->store)->size, &b), "batch");
    return b;
}

static void commit_once(void *context)
{
    struct committing *c = context;
    struct store_batch *b = batch(c);
    for (unsigned i = 0; i < c->group; i++) {
        struct digest certificate = fresh();
        if (c->what & READS) {
            add_entry(c, b, READ_ENTRY);
            add_blob(c, b, BLOB_CERTIFICATE, &certificate, CERTIFICATE);
        }
        if (c->what == ALL)
            c->decision = store_batch_end(b);
        if (c->what & DECISIONS)
            add_decision(c, b, &certificate);
        if (c->what & OUTCOMES) {
            uint64_t outcome = store_batch_end(b);
            add_entry(c, b, OUTCOME_ENTRY);
            must(store_batch_outcome(b, c->decision++, outcome, true), "outcome");
        }
    }
    commit(c, b);
}

void primitive_commit(const struct primitive_args *a)
{
    static const struct {
        const char *name;
        enum what what;
        unsigned group;
    } rows[] = {
        { "commit_read", READS, 1 },
        { "commit_decision", DECISIONS, 1 },
        { "commit_outcome", OUTCOMES, 1 },
        { "commit_1", ALL, 1 },
        { "commit_16", ALL, 16 },
        { "commit_64", ALL, 64 },
    };
    AUTO_BUF path = BUF(256);
    struct committing c = { .group = 1 };
    must(buf_printf(&path, "%s/commit.db", a->folder), "path");
    must(buf_u8(&path, 0), "path");
    must(store_open((const char *)path.p, &c.store), "database");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        c.what = rows[i].what;
        c.group = rows[i].group;
        if (c.what == DECISIONS)
            c.decision = store_frontier(c.store)->size;
        unsigned rounds = a->rounds / (c.group > 1 ? 4 : 1);
        measure(&(struct measure){ .name = rows[i].name, .rounds = rounds, .parts = c.group, .once = commit_once, .context = &c });
    }
    store_close(c.store);
}
