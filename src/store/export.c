#include "config.h"

#include "store/export.h"

#include <inttypes.h>
#include <stdio.h>

#include "merkle/checkpoint.h"
#include "merkle/tiles.h"
#include "store/folder.h"

#define BUNDLE_MAX ((size_t)TILE_WIDTH * (2 + ENTRY_MAX))
#define LINE_MAX (64u << 10)

struct export_run {
    struct store_reader *reader;
    const struct export_options *options;
    struct folder folder;
    struct checkpoint checkpoint;
    struct buf bundle; /* entries, until it is full */
    int lines; /* the .jsonl under way */
};

/* Hash tile `index` of a level: nodes of the tree's level 8 * level. */
static result write_tile(struct export_run *x, int level, uint64_t index)
{
    char path[TILE_PATH_MAX];
    struct merkle_source nodes = store_source(x->reader);
    unsigned width = tile_width(level, index, x->checkpoint.size);
    AUTO_BUF tile = BUF(TILE_WIDTH * DIGEST_SIZE);
    for (unsigned i = 0; i < width; i++) {
        struct digest hash;
        TRY(nodes.get(nodes.ctx, 8 * (unsigned)level, index * TILE_WIDTH + i, &hash));
        TRY(buf_put(&tile, digest_span(&hash)));
    }
    TRY(tile_path(level, index, width, path));
    return folder_write(&x->folder, path, buf_span(&tile));
}

static result write_tiles(struct export_run *x)
{
    for (int level = 0; tile_width(level, 0, x->checkpoint.size) > 0; level++)
        for (uint64_t index = 0; tile_width(level, index, x->checkpoint.size) > 0; index++)
            TRY(write_tile(x, level, index));
    return OK;
}

/* C2SP tlog-tiles, "Log Entries": each entry behind its length in two bytes. */
static result add_entry(void *ctx, uint64_t index, struct span entry)
{
    struct export_run *x = ctx;
    char path[TILE_PATH_MAX];
    TRY(buf_blob16(&x->bundle, entry));
    if ((index + 1) % TILE_WIDTH != 0 && index + 1 != x->checkpoint.size)
        return OK;
    TRY(tile_path(-1, index / TILE_WIDTH, tile_width(-1, index / TILE_WIDTH, x->checkpoint.size), path));
    TRY(folder_write(&x->folder, path, buf_span(&x->bundle)));
    buf_clear(&x->bundle);
    return OK;
}

static result write_line(struct export_run *x, const json_t *o)
{
    AUTO_BUF line = BUF(LINE_MAX);
    TRY(json_canonical(o, &line));
    TRY(buf_text(&line, "\n"));
    return fd_write(x->lines, buf_span(&line));
}

static result add_checkpoint(void *ctx, uint64_t size, struct span note)
{
    AUTO_JSON *o = json_object();
    TRY(json_put_span(o, "note", note));
    TRY(json_put_int(o, "size", (int64_t)size));
    return write_line(ctx, o);
}

static result add_quote(void *ctx, const struct stored_quote *q)
{
    AUTO_JSON *o = json_object();
    TRY(json_put_b64url(o, "attest", q->attest));
    TRY(json_put_b64url(o, "preimage", q->preimage));
    TRY(json_put_b64url(o, "signature", q->signature));
    TRY(json_put_int(o, "size", (int64_t)q->size));
    return write_line(ctx, o);
}

static result write_checkpoints(struct export_run *x)
{
    AUTO_FD fd = -1;
    TRY(folder_file(&x->folder, "checkpoints.jsonl", &fd));
    x->lines = fd;
    return store_each_checkpoint(x->reader, add_checkpoint, x);
}

static result write_quotes(struct export_run *x)
{
    AUTO_FD fd = -1;
    TRY(folder_file(&x->folder, "quotes.jsonl", &fd));
    x->lines = fd;
    return store_each_quote(x->reader, add_quote, x);
}

static const char *extension_of(enum blob_kind kind)
{
    if (kind == BLOB_RESULT)
        return "jwt";
    return kind == BLOB_BODY || kind == BLOB_EVIDENCE || kind == BLOB_DOCUMENT ? "raw" : "jws";
}

static result add_blob(void *ctx, enum blob_kind kind, const struct digest *d, struct span data)
{
    struct export_run *x = ctx;
    char digest[DIGEST_TEXT + 1], path[DIGEST_TEXT + 16];
    snprintf(path, sizeof(path), "blobs/%s.%s", digest_text(d, digest), extension_of(kind));
    result r = folder_write(&x->folder, path, data);
    return code_of(r) == E_exists ? OK : r; /* the same bytes may serve as two kinds */
}

static result write_blobs(struct export_run *x)
{
    unsigned kinds = (1u << BLOB_KINDS) - 1;
    if (x->options->without_bodies)
        kinds &= ~(1u << BLOB_BODY);
    if (x->options->without_requests)
        kinds &= ~(1u << BLOB_REQUEST);
    return store_each_blob(x->reader, kinds, add_blob, x);
}

/* The origin is domain and instance, and neither holds a slash (docs/formats.md, "Names"). */
static result write_log(struct export_run *x)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(LINE_MAX);
    struct span origin = span_text(x->checkpoint.origin);
    size_t slash = span_find(origin, 0, '/');
    if (slash == origin.n)
        return fail(E_bad_note);
    TRY(json_put_span(o, "domain", span_part(origin, 0, slash)));
    TRY(json_put_span(o, "instance", span_part(origin, slash + 1, origin.n)));
    TRY(json_put_span(o, "origin", origin));
    TRY(json_put_int(o, "size", (int64_t)x->checkpoint.size));
    TRY(json_canonical(o, &text));
    return folder_write(&x->folder, "log.json", buf_span(&text));
}

static result write_folder(struct export_run *x)
{
    AUTO_BUF note = BUF(NOTE_MAX);
    struct span text;
    uint64_t size;
    TRY(store_read_newest_checkpoint(x->reader, &size, &note));
    TRY(checkpoint_parse(buf_span(&note), &x->checkpoint, &text));
    TRY(folder_write(&x->folder, "checkpoint", buf_span(&note)));
    TRY(write_tiles(x));
    TRY(store_each_entry(x->reader, 0, size, add_entry, x));
    TRY(write_checkpoints(x));
    TRY(write_quotes(x));
    TRY(write_blobs(x));
    TRY(write_log(x));
    return folder_finish(&x->folder);
}

result store_export(struct store_reader *r, const char *path, const struct export_options *o, uint64_t *ret_size)
{
    struct export_run x = { .reader = r, .options = o, .bundle = BUF(BUNDLE_MAX) };
    TRY(folder_begin(path, &x.folder));
    result written = store_hold_snapshot(r);
    if (is_ok(written))
        written = write_folder(&x);
    store_drop_snapshot(r);
    folder_end(&x.folder);
    buf_free(&x.bundle);
    TRY(written);
    *ret_size = x.checkpoint.size;
    return OK;
}
