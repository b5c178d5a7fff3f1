/* Tiles and records. Each record is hashed and compared with its place in the hash tile, so that a changed, left out or moved one
 * is named; the tiles above are computed from the records and compared; the checkpoints say whether all of it is what was signed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "merkle/tiles.h"
#include "audit/audit.h"

#define BUNDLE_MAX ((size_t)TILE_WIDTH * (2 + ENTRY_MAX))
#define TILE_BYTES ((size_t)TILE_WIDTH * DIGEST_SIZE)
#define LEVELS 8
#define LOG_MAX 4096

struct pass {
    struct audit *a;
    struct buf bundle, tile;
    bool hashes; /* the bundle's level 0 tile is whole */
    struct digest above[LEVELS][TILE_WIDTH]; /* the tiles of level 1 and up that are being filled */
    bool broken; /* a record can't be found: nothing behind it can */
};

/* A tile into out: false where it isn't there or not of a tile's size, which is reported. */
static result read_tile(struct audit *a, int level, uint64_t index, size_t max, struct buf *out, bool *ret_there)
{
    char path[TILE_PATH_MAX];
    TRY(tile_path(level, index, tile_width(level, index, a->size), path));
    buf_clear(out);
    result r = export_read(&a->export, path, max, out);
    *ret_there = is_ok(r);
    if (is_ok(r) || !is_exports_fault(r))
        return r;
    uint64_t first = level <= 0 ? index * TILE_WIDTH : 0;
    struct where at = level <= 0 ? at_record(first) : at_file();
    if (code_of(r) == E_not_found)
        report_found(&a->report, FOUND_tile_missing, at, "%s", path);
    else
        report_found(&a->report, code_of(r) == E_too_long ? FOUND_tile_trailing : FOUND_file_malformed, at, "%s: %s", path,
            code_name(code_of(r)));
    return OK;
}

/* A hash tile that must hold exactly its width. */
static result read_hashes(struct audit *a, int level, uint64_t index, struct buf *out, bool *ret_there)
{
    size_t want = tile_width(level, index, a->size) * (size_t)DIGEST_SIZE;
    TRY(read_tile(a, level, index, TILE_BYTES, out, ret_there));
    if (!*ret_there || out->n == want)
        return OK;
    *ret_there = false;
    report_found(&a->report, out->n < want ? FOUND_tile_truncated : FOUND_tile_trailing,
        level == 0 ? at_record(index * TILE_WIDTH + out->n / DIGEST_SIZE) : at_file(), "hash tile %" PRIu64 " of level %d", index,
        level);
    return OK;
}

static struct span hash_at(struct span tile, unsigned i)
{
    return span_part(tile, (size_t)i * DIGEST_SIZE, DIGEST_SIZE);
}

/* Names the record; where its hash stands in another place of the tile, says whose it is. */
static void report_changed(struct pass *p, uint64_t index, const struct digest *leaf)
{
    struct span tile = buf_span(&p->tile);
    for (unsigned i = 0; p->hashes && i < tile.n / DIGEST_SIZE; i++)
        if (span_equal(hash_at(tile, i), digest_span(leaf))) {
            report_found(&p->a->report, FOUND_record_changed, at_record(index), "what is here is record %" PRIu64,
                index / TILE_WIDTH * TILE_WIDTH + i);
            return;
        }
    report_found(&p->a->report, FOUND_record_changed, at_record(index), "%s", "");
}

static result check_tile(struct pass *p, int level, uint64_t index)
{
    bool there;
    unsigned width = tile_width(level, index, p->a->size);
    AUTO_BUF tile = BUF(TILE_BYTES);
    TRY(read_hashes(p->a, level, index, &tile, &there));
    for (unsigned i = 0; there && i < width; i++)
        if (!span_equal(hash_at(buf_span(&tile), i), digest_span(&p->above[level][i]))) {
            /* The subtree of a hash on this level: 256^level records. */
            uint64_t first = (index * TILE_WIDTH + i) << (8 * level);
            report_found(
                &p->a->report, FOUND_tile_mismatch, at_record(first), "hash %u of tile %" PRIu64 " of level %d", i, index, level);
        }
    return OK;
}

/* The subtrees that a leaf finished, as hashes of the tiles above. */
static result keep_above(struct pass *p, const struct merkle_subtree *done, unsigned n)
{
    for (unsigned i = 8; i < n; i += 8) {
        unsigned level = done[i].level / 8, at = (unsigned)(done[i].index % TILE_WIDTH);
        if (level >= LEVELS)
            return fail(E_bad_value);
        p->above[level][at] = done[i].hash;
        if (at == TILE_WIDTH - 1)
            TRY(check_tile(p, (int)level, done[i].index / TILE_WIDTH));
    }
    return OK;
}

static result check_partial_tiles(struct pass *p)
{
    uint64_t size = p->a->size;
    for (int level = 1; level < LEVELS; level++) {
        uint64_t index = (size >> (8 * level)) / TILE_WIDTH;
        if (tile_width(level, index, size) > 0)
            TRY(check_tile(p, level, index));
    }
    return OK;
}

static result judge_record(struct pass *p, uint64_t index, const struct digest *leaf, struct span text)
{
    struct record r = { .index = index, .leaf = *leaf };
    result read = entry_read(text, &r.e);
    if (is_ok(read))
        return pass_record(p->a, &r);
    if (!is_exports_fault(read))
        return read;
    report_found(&p->a->report, FOUND_record_malformed, at_record(index), "%s", "");
    return OK;
}

static result take_record(struct pass *p, uint64_t index, struct span text)
{
    struct audit *a = p->a;
    struct digest leaf = merkle_leaf(text);
    struct merkle_subtree done[MERKLE_LEVELS];
    unsigned n;
    bool as_hashed = !p->hashes || span_equal(hash_at(buf_span(&p->tile), (unsigned)(index % TILE_WIDTH)), digest_span(&leaf));
    frontier_append(&a->frontier, &leaf, done, &n);
    TRY(keep_above(p, done, n));
    /* A record that isn't the one of its place would make findings in each that refers to it: it is named, and not judged. */
    if (as_hashed)
        TRY(judge_record(p, index, &leaf, text));
    else
        report_changed(p, index, &leaf);
    return checkpoints_reach(a);
}

static result take_bundle(struct pass *p, uint64_t number)
{
    struct audit *a = p->a;
    struct span text;
    bool there;
    unsigned width = tile_width(-1, number, a->size);
    TRY(read_tile(a, -1, number, BUNDLE_MAX, &p->bundle, &there));
    if (!there) {
        p->broken = true;
        return OK;
    }
    TRY(read_hashes(a, 0, number, &p->tile, &p->hashes));
    struct reader r = reader_of(buf_span(&p->bundle));
    for (unsigned i = 0; i < width && !a->done; i++) {
        uint64_t index = number * TILE_WIDTH + i;
        if (!is_ok(read_blob16(&r, ENTRY_MAX, &text))) {
            report_found(&a->report, FOUND_tile_truncated, at_record(index), "%s", "");
            p->broken = true;
            return OK;
        }
        TRY(take_record(p, index, text));
    }
    if (!a->done && !is_ok(read_end(&r)))
        report_found(&a->report, FOUND_tile_trailing, at_record(number * TILE_WIDTH + width), "%zu bytes", r.s.n - r.at);
    return OK;
}

static result run_pass(struct pass *p)
{
    struct audit *a = p->a;
    TRY(pass_begin(a));
    TRY(checkpoints_begin(a));
    TRY(checkpoints_reach(a));
    for (uint64_t i = 0; !p->broken && !a->done && i * TILE_WIDTH < a->size; i++)
        TRY(take_bundle(p, i));
    if (a->trace)
        return OK;
    if (!p->broken)
        TRY(check_partial_tiles(p));
    TRY(checkpoints_end(a));
    return pass_end(a);
}

result audit_pass(struct audit *a)
{
    struct pass *p = calloc(1, sizeof *p);
    if (!p)
        return fail(E_no_memory);
    p->a = a;
    p->bundle = BUF(BUNDLE_MAX);
    p->tile = BUF(TILE_BYTES);
    a->summary.size = a->size;
    result r = run_pass(p);
    pass_free(a);
    checkpoints_free(a);
    buf_free(&p->bundle);
    buf_free(&p->tile);
    free(p);
    return r;
}

/* The n-th of a bundle's records. */
static result record_of(struct span bundle, unsigned n, struct span *ret)
{
    struct reader r = reader_of(bundle);
    for (unsigned i = 0; i <= n; i++)
        TRY(read_blob16(&r, ENTRY_MAX, ret));
    return OK;
}

result log_record(const struct export_dir *x, uint64_t size, uint64_t index, struct buf *arena, struct record *ret)
{
    char path[TILE_PATH_MAX];
    struct span text;
    struct record r = { .index = index };
    if (index >= size)
        return fail(E_not_found);
    TRY(tile_path(-1, index / TILE_WIDTH, tile_width(-1, index / TILE_WIDTH, size), path));
    buf_clear(arena);
    TRY(export_read(x, path, BUNDLE_MAX, arena));
    TRY(record_of(buf_span(arena), (unsigned)(index % TILE_WIDTH), &text));
    r.leaf = merkle_leaf(text);
    TRY(entry_read(text, &r.e));
    *ret = r;
    return OK;
}

struct each {
    const struct export_dir *x;
    uint64_t size;
    log_visitor *visit;
    void *ctx;
    struct buf bundle;
};

static result each_of_bundle(struct each *e, uint64_t number)
{
    char path[TILE_PATH_MAX];
    struct span text;
    unsigned width = tile_width(-1, number, e->size);
    TRY(tile_path(-1, number, width, path));
    buf_clear(&e->bundle);
    TRY(export_read(e->x, path, BUNDLE_MAX, &e->bundle));
    struct reader r = reader_of(buf_span(&e->bundle));
    for (unsigned i = 0; i < width; i++) {
        TRY(read_blob16(&r, ENTRY_MAX, &text));
        TRY(e->visit(e->ctx, number * TILE_WIDTH + i, text));
    }
    return read_end(&r);
}

result log_each(const struct export_dir *x, uint64_t size, log_visitor *visit, void *ctx)
{
    struct each e = { .x = x, .size = size, .visit = visit, .ctx = ctx, .bundle = BUF(BUNDLE_MAX) };
    result r = OK;
    for (uint64_t i = 0; is_ok(r) && i * TILE_WIDTH < size; i++)
        r = each_of_bundle(&e, i);
    buf_free(&e.bundle);
    return r;
}

/* In a canonical record a quotation mark within a text is escaped, so that no text looks like a member. */
bool log_is_type(struct span text, const char *type)
{
    static const char member[] = "\"type\":\"";
    const size_t n = sizeof member - 1, length = span_text(type).n;
    for (size_t at = span_find(text, 0, '"'); at < text.n; at = span_find(text, at + 1, '"'))
        if (span_is(span_part(text, at, n), member))
            return span_is(span_part(text, at + n, length), type) && span_is(span_part(text, at + n + length, 1), "\"");
    return false;
}

static result size_of_json(const struct export_dir *x, uint64_t *ret)
{
    AUTO_BUF text = BUF(LOG_MAX);
    AUTO_JSON *o = NULL;
    int64_t size;
    TRY(export_read(x, "log.json", LOG_MAX, &text));
    TRY(json_strict(buf_span(&text), LOG_MAX, &o));
    TRY(json_int(o, "size", 0, JSON_INT_MAX, &size));
    *ret = (uint64_t)size;
    return OK;
}

result log_size(const struct export_dir *x, uint64_t *ret)
{
    AUTO_BUF note = BUF(NOTE_MAX);
    struct checkpoint c;
    struct span text;
    if (is_ok(export_read(x, "checkpoint", NOTE_MAX, &note)) && is_ok(checkpoint_parse(buf_span(&note), &c, &text))) {
        *ret = c.size;
        return OK;
    }
    return size_of_json(x, ret);
}
