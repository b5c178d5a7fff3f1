#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "check.h"
#include "merkle/checkpoint.h"
#include "merkle/tiles.h"
#include "store/export.h"
#include "store/folder.h"
#include "store_fixture.h"

#define ENTRIES 70000 /* a full tile of level 1, and the beginning of level 2 */

static const char *in_export(const struct place *p, const char *export, const char *name)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", export, name);
    return place_at(p, path);
}

static unsigned files_in(const struct place *p, const char *name)
{
    unsigned n = 0;
    DIR *d = opendir(place_at(p, name));
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* The tile's hashes are those of the nodes below, all of which are in the tile of the level under it. */
static bool tiles_fit(const struct place *p, const char *export, struct frontier *leaves)
{
    for (uint64_t bundle = 0; tile_width(-1, bundle, leaves->size + 1) && bundle * TILE_WIDTH < ENTRIES; bundle++) {
        char path[TILE_PATH_MAX];
        unsigned width = tile_width(-1, bundle, ENTRIES);
        AUTO_BUF entries = BUF(1 << 24), hashes = BUF(TILE_WIDTH * DIGEST_SIZE);
        must(tile_path(-1, bundle, width, path));
        must(file_read(in_export(p, export, path), entries.max, &entries));
        must(tile_path(0, bundle, width, path));
        must(file_read(in_export(p, export, path), hashes.max, &hashes));
        struct reader r = reader_of(buf_span(&entries)), h = reader_of(buf_span(&hashes));
        for (unsigned i = 0; i < width; i++) {
            struct span entry, hash;
            AUTO_BUF want = BUF(1024);
            must(read_blob16(&r, ENTRY_MAX, &entry));
            must(read_bytes(&h, DIGEST_SIZE, &hash));
            struct digest leaf = merkle_leaf(entry);
            entry_text(leaves->size, &want);
            if (!span_equal(entry, buf_span(&want)) || !span_equal(hash, digest_span(&leaf)))
                return false;
            frontier_append(leaves, &leaf, NULL, NULL);
        }
        must(read_end(&r));
        must(read_end(&h));
    }
    return leaves->size == ENTRIES;
}

static void test_log(struct checks *c, const struct place *p, struct store *s)
{
    AUTO_BUF note = BUF(NOTE_MAX), log = BUF(4096), tile = BUF(TILE_WIDTH * DIGEST_SIZE), lines = BUF(65536);
    struct checkpoint checkpoint;
    struct span text;
    struct frontier leaves = { 0 };
    struct digest root;
    must(file_read(in_export(p, "out", "checkpoint"), NOTE_MAX, &note));
    check_code(
        c, checkpoint_open(buf_span(&note), testkey_public(p->key), &checkpoint, &text), E_ok, "the newest checkpoint is there");
    check_that(c, tiles_fit(p, "out", &leaves), "bundles and level 0 tiles hold every entry and its hash");
    root = frontier_root(&leaves);
    check_that(c, checkpoint.size == ENTRIES && digest_equal(&root, &checkpoint.root), "they give the checkpoint's root");
    must(file_read(in_export(p, "out", "tile/1/000"), tile.max, &tile));
    check_that(c, tile.n == TILE_WIDTH * DIGEST_SIZE, "a full tile of level 1");
    struct frontier subtrees = { 0 };
    for (unsigned i = 0; i < TILE_WIDTH; i++) {
        struct digest h;
        must(span_copy(span_part(buf_span(&tile), i * DIGEST_SIZE, DIGEST_SIZE), h.b, DIGEST_SIZE));
        frontier_append(&subtrees, &h, NULL, NULL);
    }
    buf_clear(&tile);
    must(file_read(in_export(p, "out", "tile/2/000.p/1"), tile.max, &tile));
    root = frontier_root(&subtrees);
    check_that(c, span_equal(buf_span(&tile), digest_span(&root)), "a tile of level 2 holds the root of the one below");
    must(file_read(in_export(p, "out", "log.json"), log.max, &log));
    check_that(c,
        span_is(buf_span(&log),
            "{\"domain\":\"example.org\",\"instance\":\"broker-1\",\"origin\":\"example.org/broker-1\",\"size\":70000}"),
        "log.json names the log");
    must(file_read(in_export(p, "out", "checkpoints.jsonl"), lines.max, &lines));
    size_t first = span_find(buf_span(&lines), 0, '\n');
    AUTO_JSON *o = NULL;
    const char *stored;
    must(json_strict(span_part(buf_span(&lines), 0, first), 4096, &o));
    must(json_text(o, "note", NOTE_MAX, &stored));
    check_that(c,
        lines.n > first + 1 && lines.p[lines.n - 1] == '\n' && is_ok(checkpoint_parse(span_text(stored), &checkpoint, &text)) &&
            checkpoint.size == 0,
        "all checkpoints, from size 0 on");
    buf_clear(&lines);
    must(file_read(in_export(p, "out", "quotes.jsonl"), lines.max, &lines));
    struct span quote =
        span_text("{\"attest\":\"YXR0ZXN0\",\"preimage\":\"cHJlaW1hZ2U\",\"signature\":\"c2lnbmF0dXJl\",\"size\":0}\n");
    check_that(c, span_equal(span_part(buf_span(&lines), 0, quote.n), quote), "all quotes");
}

static void test_blobs(struct checks *c, const struct place *p, struct store_reader *r)
{
    uint64_t size;
    struct digest body = digest_of("body of 0");
    char digest[DIGEST_TEXT + 1], name[128];
    AUTO_BUF blob = BUF(256);
    snprintf(name, sizeof(name), "blobs/%s.raw", digest_text(&body, digest));
    must(file_read(in_export(p, "out", name), 256, &blob));
    check_that(c, span_is(buf_span(&blob), "body of 0"), "a body lies under its digest");
    check_that(c, files_in(p, "out/blobs") == 6, "certificates, requests and bodies of two decisions");
    check_code(c,
        store_export(r, place_at(p, "lean"), &(struct export_options){ .without_bodies = true, .without_requests = true }, &size),
        E_ok, "an export without them");
    check_that(c, files_in(p, "lean/blobs") == 2, "holds the certificates alone");
}

static void test_refusals(struct checks *c, const struct place *p, struct store_reader *r)
{
    uint64_t size = 7;
    struct export_options all = { 0 };
    unsigned before = files_in(p, "");
    check_code(c, store_export(r, place_at(p, "out"), &all, &size), E_exists, "an export that is there is never touched");
    check_code(c, store_export(r, place_at(p, "out/"), &all, &size), E_exists, "nor with a slash behind its name");
    check_code(c, store_export(r, place_at(p, "log.sqlite"), &all, &size), E_exists, "nor a file");
    check_code(c, store_export(r, place_at(p, "none/out"), &all, &size), E_io, "a folder that isn't there is refused");
    check_that(c, files_in(p, "") == before && size == 7, "nothing half is left");
}

/* Somebody takes the name while the export is written: an empty folder is the only one that rename(2) would replace. */
static void test_name_taken(struct checks *c, const struct place *p)
{
    unsigned before = files_in(p, "");
    {
        AUTO_FOLDER f = { 0 };
        must(folder_begin(place_at(p, "late"), &f));
        must(folder_write(&f, "a/b/c", span_text("x")));
        check_that(c, mkdir(place_at(p, "late"), 0700) == 0, "a folder takes the export's name");
        check_code(c, folder_finish(&f), E_exists, "it isn't replaced");
    }
    check_that(c, files_in(p, "late") == 0 && files_in(p, "") == before + 1, "and what was written beside it is gone");
}

static void test_unsigned(struct checks *c)
{
    struct place p;
    uint64_t size;
    struct export_options all = { 0 };
    place_make(&p);
    {
        AUTO_STORE *s = NULL;
        AUTO_STORE_READER *r = NULL;
        must(store_open(p.path, &s));
        commit_entries(s, 2);
        must(store_reader_open(p.path, &r));
        check_code(c, store_export(r, place_at(&p, "out"), &all, &size), E_not_found, "a log without a checkpoint isn't exported");
        check_that(c, files_in(&p, "") == 3, "nothing half is left");
    }
    place_remove(&p);
}

int main(void)
{
    struct checks c = { 0 };
    struct place p;
    uint64_t size = 0;
    place_make(&p);
    {
        AUTO_STORE *s = NULL;
        AUTO_STORE_READER *r = NULL;
        AUTO_STORE_BATCH *b = NULL;
        must(store_open(p.path, &s));
        must(store_reader_open(p.path, &r));
        commit_checkpoint(&p, s);
        must(store_batch_new(0, &b));
        add_decision(b, true);
        add_decision(b, false);
        must(store_commit(s, b));
        while (store_frontier(s)->size < ENTRIES)
            commit_entries(s, ENTRIES - store_frontier(s)->size > 1000 ? 1000 : (unsigned)(ENTRIES - store_frontier(s)->size));
        commit_checkpoint(&p, s);
        commit_entries(s, 5); /* not under a checkpoint: not exported */
        check_code(&c, store_export(r, place_at(&p, "out"), &(struct export_options){ 0 }, &size), E_ok, "a log is exported");
        check_that(&c, size == ENTRIES, "up to its newest checkpoint");
        test_log(&c, &p, s);
        test_blobs(&c, &p, r);
        test_refusals(&c, &p, r);
    }
    test_name_taken(&c, &p);
    place_remove(&p);
    test_unsigned(&c);
    return checks_end(&c);
}
