#include "config.h"

#include "store_fixture.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "merkle/checkpoint.h"

void must(result r)
{
    char text[200];
    if (is_ok(r))
        return;
    printf("not ok - the test's own setting: %s\n", result_text(r, text, sizeof(text)));
    fflush(stdout);
    abort();
}

void place_make(struct place *p)
{
    *p = (struct place){ .folder = "/tmp/seb-store-XXXXXX", .key = testkey_new(ALG_ES256) };
    if (!mkdtemp(p->folder))
        abort();
    snprintf(p->path, sizeof(p->path), "%s/log.sqlite", p->folder);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    return remove(path);
}

void place_remove(struct place *p)
{
    nftw(p->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    testkey_free(p->key);
}

const char *place_at(const struct place *p, const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    return path;
}

struct digest digest_of(const char *text)
{
    return sha256(span_text(text));
}

void entry_text(uint64_t i, struct buf *out)
{
    must(buf_printf(out, "{\"entry\":%" PRIu64 ",\"pad\":\"%0*d\"}", i, (int)(i * 37 % 380), 0));
}

void add_entries(struct store_batch *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        AUTO_BUF text = BUF(1024);
        uint64_t index;
        entry_text(store_batch_end(b), &text);
        must(store_batch_entry(b, buf_span(&text), &index));
    }
}

static struct digest numbered(const char *what, uint64_t i)
{
    char text[64];
    snprintf(text, sizeof(text), "%s-%" PRIu64, what, i);
    return digest_of(text);
}

uint64_t add_decision(struct store_batch *b, bool permitted)
{
    uint64_t i = store_batch_end(b);
    char name[32], body[64];
    struct digest certificate = numbered("certificate", i), request = numbered("request", i);
    snprintf(name, sizeof(name), "c-%" PRIu64, i);
    snprintf(body, sizeof(body), "body of %" PRIu64, i);
    struct digest of_body = digest_of(body);
    struct stored_request r = {
        .agent = digest_of("agent"), .id = name, .core = numbered("core", i), .certificate = certificate, .decision = i
    };
    struct open_decision d = {
        .decision = i, .target = "docs", .certificate = certificate, .core = r.core, .horizon_ms = (int64_t)i * 1000
    };
    snprintf(d.resource, sizeof(d.resource), "https://h/a/%" PRIu64, i);
    add_entries(b, 1);
    must(store_batch_blob(b, BLOB_CERTIFICATE, &certificate, span_text("{\"certificate\":1}")));
    must(store_batch_blob(b, BLOB_REQUEST, &request, span_text("{\"request\":1}")));
    must(store_batch_blob(b, BLOB_BODY, &of_body, span_text(body)));
    must(store_batch_request(b, &r));
    if (permitted) {
        must(store_batch_use(b, name, &certificate, i));
        must(store_batch_permit(b, &d));
    }
    return i;
}

void commit_entries(struct store *s, unsigned n)
{
    AUTO_STORE_BATCH *b = NULL;
    must(store_batch_new(store_frontier(s)->size, &b));
    add_entries(b, n);
    must(store_commit(s, b));
}

void note_of(const struct place *p, const struct frontier *f, struct buf *out)
{
    struct checkpoint c = { .origin = "example.org/broker-1", .size = f->size, .root = frontier_root(f) };
    AUTO_BUF text = BUF(NOTE_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    must(checkpoint_text(&c, &text));
    testkey_sign(p->key, buf_span(&text), raw);
    must(checkpoint_note(&c, testkey_public(p->key), raw, out));
}

void commit_checkpoint(const struct place *p, struct store *s)
{
    AUTO_STORE_BATCH *b = NULL;
    AUTO_BUF note = BUF(NOTE_MAX);
    struct stored_quote q = { .size = store_frontier(s)->size,
        .attest = span_text("attest"),
        .signature = span_text("signature"),
        .preimage = span_text("preimage") };
    note_of(p, store_frontier(s), &note);
    must(store_batch_new(store_frontier(s)->size, &b));
    must(store_batch_checkpoint(b, buf_span(&note)));
    must(store_batch_quote(b, &q));
    must(store_commit(s, b));
}
