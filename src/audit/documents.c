/* What lies beside the log, found by the digests that records hold. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "merkle/tiles.h"
#include "audit/audit.h"

#define ARENA_MAX ((size_t)JWS_PAYLOAD_MAX * 2)
#define CACHED 64 /* certificates of requests under way at once */
#define MISSING_LISTED REPORT_LINES

struct cached {
    bool there;
    struct buf arena;
    struct certified certified;
};
/* Requests or bodies: an export may leave all of a kind out, but not some. */
struct left_out {
    uint64_t seen, missing;
    uint64_t at[MISSING_LISTED];
};
struct documents {
    struct table named; /* digests of records, whatever the file's kind */
    struct cached cached[CACHED];
    struct left_out left_out[DOCUMENT_BODY + 1];
    uint64_t unnamed;
};

static result documents_begin(struct audit *a)
{
    a->documents = calloc(1, sizeof *a->documents);
    return a->documents ? OK : fail(E_no_memory);
}

static void cached_free(struct cached *c)
{
    if (c->there)
        certificate_free(&c->certified.certificate);
    buf_free(&c->arena);
    *c = (struct cached){ 0 };
}

static void documents_free(struct audit *a)
{
    if (!a->documents)
        return;
    for (unsigned i = 0; i < CACHED; i++)
        cached_free(&a->documents->cached[i]);
    table_free(&a->documents->named);
    free(a->documents);
    a->documents = NULL;
}

static void report_blob(struct audit *a, enum finding f, const struct digest *d, uint64_t index, const char *more)
{
    char text[DIGEST_TEXT + 1];
    report_found(&a->report, f, at_record(index), "%s%s%s", digest_text(d, text), *more ? ": " : "", more);
}

static void report_missing(struct audit *a, enum document_kind kind, const struct digest *d, uint64_t index)
{
    struct left_out *l = &a->documents->left_out[kind];
    if (kind == DOCUMENT_NEEDED)
        report_blob(a, FOUND_blob_missing, d, index, "");
    else if (l->missing++ < MISSING_LISTED)
        l->at[l->missing - 1] = index;
}

result document_name(struct audit *a, const struct digest *d, uint64_t index)
{
    uint64_t *old;
    return table_put(&a->documents->named, key_of_digest(d), index, &old);
}

/* The file's bytes into out; *ret_there false where there are none to be had, which is reported. */
static result read_blob(struct audit *a, enum document_kind kind, const struct digest *d, const char *end, uint64_t index,
    struct buf *out, bool *ret_there)
{
    *ret_there = false;
    TRY(document_name(a, d, index));
    result r = export_blob(&a->export, d, end, out);
    *ret_there = is_ok(r);
    if (is_ok(r))
        a->documents->left_out[kind].seen++;
    if (is_ok(r) || !is_exports_fault(r))
        return r;
    if (code_of(r) == E_not_found)
        report_missing(a, kind, d, index);
    else
        report_blob(a, FOUND_blob_malformed, d, index, code_name(code_of(r)));
    return OK;
}

static bool is_named(struct audit *a, struct span what, const struct digest *d, uint64_t index)
{
    struct digest came = sha256(what);
    bool named = digest_equal(&came, d);
    if (!named)
        report_blob(a, FOUND_blob_digest, d, index, "");
    return named;
}

result document_raw(
    struct audit *a, enum document_kind kind, const struct digest *d, uint64_t index, struct buf *out, bool *ret_there)
{
    TRY(read_blob(a, kind, d, "raw", index, out, ret_there));
    if (*ret_there)
        *ret_there = is_named(a, buf_span(out), d, index);
    return OK;
}

/* As the broker stores it: the general serialization, byte for byte. */
static result take_apart(struct span text, struct buf *arena, struct jws *ret)
{
    AUTO_BUF again = BUF(BLOB_MAX);
    TRY(jws_parse_text(text, arena, ret));
    TRY(jws_write(ret, &again));
    return span_equal(text, buf_span(&again)) ? OK : fail(E_bad_jws);
}

/* What came of taking a blob apart or parsing it; the export's fault is reported, and the blob isn't there. */
static result take_blob(struct audit *a, result r, const struct digest *d, uint64_t index, bool *ret_there)
{
    *ret_there = is_ok(r);
    if (is_ok(r) || !is_exports_fault(r))
        return r;
    report_blob(a, FOUND_blob_malformed, d, index, code_name(code_of(r)));
    return OK;
}

result document_jws(struct audit *a, enum document_kind kind, const struct digest *d, uint64_t index, struct buf *arena,
    struct jws *ret, bool *ret_there)
{
    AUTO_BUF text = BUF(BLOB_MAX);
    TRY(read_blob(a, kind, d, "jws", index, &text, ret_there));
    if (*ret_there)
        TRY(take_blob(a, take_apart(buf_span(&text), arena, ret), d, index, ret_there));
    if (*ret_there)
        *ret_there = is_named(a, ret->payload, d, index);
    return OK;
}

static result take_apart_compact(struct span text, struct buf *arena, struct jws *ret)
{
    AUTO_BUF again = BUF(BLOB_MAX);
    TRY(jws_parse_compact(text, arena, ret));
    TRY(jws_compact(ret, &again));
    return span_equal(text, buf_span(&again)) ? OK : fail(E_bad_jws);
}

result document_result(struct audit *a, const struct digest *d, uint64_t index, struct buf *arena, struct jws *ret, bool *ret_there)
{
    AUTO_BUF text = BUF(BLOB_MAX);
    TRY(read_blob(a, DOCUMENT_NEEDED, d, "jwt", index, &text, ret_there));
    if (*ret_there)
        TRY(take_blob(a, take_apart_compact(buf_span(&text), arena, ret), d, index, ret_there));
    if (*ret_there)
        *ret_there = is_named(a, ret->payload, d, index);
    return OK;
}

static result parse_certificate(struct audit *a, struct span text, struct cached *c)
{
    TRY(take_apart(text, &c->arena, &c->certified.jws));
    return certificate_parse(c->certified.jws.payload, a->keys, &c->certified.certificate);
}

static result load_certificate(struct audit *a, const struct digest *signed_, uint64_t index, struct cached *c)
{
    AUTO_BUF text = BUF(BLOB_MAX);
    bool there;
    TRY(read_blob(a, DOCUMENT_NEEDED, signed_, "jws", index, &text, &there));
    if (!there || !is_named(a, buf_span(&text), signed_, index))
        return OK;
    c->arena = BUF(ARENA_MAX);
    c->certified.signed_ = *signed_;
    return take_blob(a, parse_certificate(a, buf_span(&text), c), signed_, index, &c->there);
}

result document_certificate(struct audit *a, const struct digest *signed_, uint64_t index, const struct certified **ret)
{
    struct cached *c = &a->documents->cached[signed_->b[0] % CACHED];
    if (!c->there || !digest_equal(&c->certified.signed_, signed_)) {
        cached_free(c);
        TRY(load_certificate(a, signed_, index, c));
    }
    *ret = c->there ? &c->certified : NULL;
    return OK;
}

/* "tile/<level>/…" is one of the tiles of this size: read back, and written again. */
static bool is_tile(const char *name, uint64_t size)
{
    struct span s = span_text(name);
    char path[TILE_PATH_MAX];
    uint64_t index = 0;
    bool entries = span_is(span_part(s, 0, 13), "tile/entries/");
    if (!entries && (s.n < 7 || !span_is(span_part(s, 0, 5), "tile/") || s.p[5] < '0' || s.p[5] > '7' || s.p[6] != '/'))
        return false;
    int level = entries ? -1 : s.p[5] - '0';
    for (size_t i = entries ? 13 : 7; i < s.n && s.p[i] != '.'; i++) {
        if (index > JSON_INT_MAX / 10)
            return false;
        if (s.p[i] >= '0' && s.p[i] <= '9')
            index = index * 10 + (uint64_t)(s.p[i] - '0');
    }
    unsigned width = tile_width(level, index, size);
    return width > 0 && is_ok(tile_path(level, index, width, path)) && span_is(s, path);
}

/* "blobs/<digest>.jws", ".jwt" or ".raw". */
static bool blob_digest(struct span s, struct digest *ret)
{
    struct span end = span_part(s, 6 + DIGEST_TEXT, s.n);
    return span_is(span_part(s, 0, 6), "blobs/") && (span_is(end, ".jws") || span_is(end, ".jwt") || span_is(end, ".raw")) &&
           is_ok(digest_read(span_part(s, 6, DIGEST_TEXT), ret));
}

static result look_at_name(void *ctx, const char *name)
{
    static const char *const plain[] = { "checkpoint", "checkpoints.jsonl", "quotes.jsonl", "log.json" };
    struct audit *a = ctx;
    struct digest d;
    char quoted[256];
    for (unsigned i = 0; i < sizeof plain / sizeof *plain; i++)
        if (span_is(span_text(name), plain[i]))
            return OK;
    if (is_tile(name, a->size))
        return OK;
    if (!blob_digest(span_text(name), &d))
        report_found(&a->report, FOUND_file_extra, at_file(), "%s", log_quote(span_text(name), quoted, sizeof quoted));
    else if (!table_find(&a->documents->named, key_of_digest(&d)))
        a->documents->unnamed++;
    return OK;
}

static void report_left_out(struct audit *a, enum document_kind kind, const char *what)
{
    const struct left_out *l = &a->documents->left_out[kind];
    for (uint64_t i = 0; l->seen && i < l->missing && i < MISSING_LISTED; i++)
        report_found(&a->report, FOUND_blob_missing, at_record(l->at[i]), "its %s", what);
}

static result documents_end(struct audit *a)
{
    struct documents *d = a->documents;
    report_left_out(a, DOCUMENT_REQUEST, "request");
    report_left_out(a, DOCUMENT_BODY, "body");
    result r = export_walk(&a->export, look_at_name, a);
    if (is_exports_fault(r))
        report_found(&a->report, FOUND_file_malformed, at_file(), "the folder: %s", code_name(code_of(r)));
    else
        TRY(r);
    if (d->unnamed)
        report_remark(&a->report, REMARK_blobs_unnamed, at_file(), "%llu", (unsigned long long)d->unnamed);
    return OK;
}

const struct audit_check check_documents = {
    .name = "documents", .begin = documents_begin, .end = documents_end, .free = documents_free
};
