/* An honest export, tampered with as files: what was done, and to which record, is named. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/audited.h"

#define FILE_ROOM (1u << 22)

struct place {
    struct aw_soft tpm;
    struct audit_world w;
    unsigned copies;
    char name[32]; /* of the copy under the knife */
};

/* 0 to 4 aw_begin, then four changes: 5 6 7, 8 9 10, 11 12 13, 14 15 16, a refusal 17, stop 18. */
static void place_new(struct place *p)
{
    struct aw_change again;
    *p = (struct place){ 0 };
    aw_soft_new(&p->tpm);
    struct aw_keys keys = aw_soft_keys(&p->tpm);
    aw_new(&p->w, &keys);
    aw_begin(&p->w);
    for (const char *const *name = (const char *const[]){ "one", "two", "three", "four", NULL }; *name; name++) {
        aw_apply(&p->w, *name);
        aw_quote(&p->w);
    }
    aw_change_new(&p->w, "one", "five", "", &again);
    struct entry e = aw_decision(&p->w, &again, NO_INDEX, true);
    aw_put(&p->w, &e);
    aw_change_free(&again);
    e = aw_stop(&p->w);
    aw_put(&p->w, &e);
    aw_sign(&p->w);
    aw_quote(&p->w);
    aw_export(&p->w, "out", NULL);
}

static void place_free(struct place *p)
{
    aw_free(&p->w);
    aw_soft_free(&p->tpm);
}

static void run(const char *format, const char *folder, const char *a, const char *b)
{
    AUTO_BUF command = BUF(1024);
    must(is_ok(buf_printf(&command, "cd %s && ", folder)), "command");
    must(is_ok(buf_printf(&command, "%s %s %s", format, a, b)) && is_ok(buf_u8(&command, 0)), "command");
    must(system((const char *)command.p) == 0, (const char *)command.p);
}

/* A fresh copy of the export. */
static void fresh(struct place *p)
{
    snprintf(p->name, sizeof p->name, "copy-%u", p->copies++);
    run("cp -r", p->w.folder, "out", p->name);
}

static void file_get(const struct place *p, const char *name, struct buf *out)
{
    AUTO_BUF path = BUF(256), inner = BUF(256);
    must(is_ok(buf_printf(&inner, "%s/%s", p->name, name)) && is_ok(buf_u8(&inner, 0)), "path");
    must(is_ok(file_read(aw_path(&p->w, (const char *)inner.p, &path), FILE_ROOM, out)), name);
}

static void file_put(const struct place *p, const char *name, struct span content)
{
    AUTO_BUF path = BUF(256), inner = BUF(256);
    must(is_ok(buf_printf(&inner, "%s/%s", p->name, name)) && is_ok(buf_u8(&inner, 0)), "path");
    must(is_ok(file_write(aw_path(&p->w, (const char *)inner.p, &path), content, 646, true)), name);
}

/* A bundle rebuilt: its records in the order of `order`, which ends with -1; their hashes too where `hashes`. */
static void reorder(const struct place *p, const int *order, bool hashes)
{
    AUTO_BUF old = BUF(FILE_ROOM), bundle = BUF(FILE_ROOM), tile = BUF(FILE_ROOM);
    struct span entry[258];
    unsigned n = 0;
    file_get(p, "tile/entries/000.p/19", &old);
    for (struct reader r = reader_of(buf_span(&old)); r.at < r.s.n; n++)
        must(is_ok(read_blob16(&r, ENTRY_MAX, &entry[n])), "bundle");
    for (; *order >= 0; order++) {
        struct digest leaf = merkle_leaf(entry[*order]);
        must(is_ok(buf_blob16(&bundle, entry[*order])) && is_ok(buf_put(&tile, digest_span(&leaf))), "bundle");
    }
    file_put(p, "tile/entries/000.p/19", buf_span(&bundle));
    if (hashes)
        file_put(p, "tile/0/000.p/19", buf_span(&tile));
}

static size_t line_at(struct span s, unsigned n)
{
    size_t at = 0;
    for (; n > 0; n--)
        at = span_find(s, at, '\n') + 1;
    return at;
}

/* A .jsonl without its n-th line. */
static void drop_line(const struct place *p, const char *name, unsigned n)
{
    AUTO_BUF old = BUF(FILE_ROOM), new = BUF(FILE_ROOM);
    file_get(p, name, &old);
    size_t from = line_at(buf_span(&old), n), to = line_at(buf_span(&old), n + 1);
    must(is_ok(buf_put(&new, span_part(buf_span(&old), 0, from))) && is_ok(buf_put(&new, span_part(buf_span(&old), to, old.n))),
        "lines");
    file_put(p, name, buf_span(&new));
}

static void flip(const struct place *p, const char *name, size_t at)
{
    AUTO_BUF b = BUF(FILE_ROOM);
    file_get(p, name, &b);
    must(at < b.n, "a byte that is there");
    b.p[at] ^= 1;
    file_put(p, name, buf_span(&b));
}

static void records(struct checks *c, struct place *p)
{
    fresh(p);
    AUTO_BUF bundle = BUF(FILE_ROOM);
    struct span entry;
    file_get(p, "tile/entries/000.p/19", &bundle);
    struct reader r = reader_of(buf_span(&bundle));
    for (unsigned i = 0; i < 9; i++)
        must(is_ok(read_blob16(&r, ENTRY_MAX, &entry)), "bundle");
    flip(p, "tile/entries/000.p/19", r.at + 2 + 100);
    check_tampered(c, &p->w, p->name, FOUND_record_changed, 9, "a byte of record 9 was changed");

    fresh(p);
    reorder(p, (const int[]){ 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, -1 }, false);
    check_tampered(c, &p->w, p->name, FOUND_record_changed, 7, "record 7 was left out");
    fresh(p);
    reorder(p, (const int[]){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 10, 12, 13, 14, 15, 16, 17, 18, -1 }, false);
    check_tampered(c, &p->w, p->name, FOUND_record_changed, 10, "records 10 and 11 were swapped: 10");
    check_tampered(c, &p->w, p->name, FOUND_record_changed, 11, "and 11");
    fresh(p);
    reorder(p, (const int[]){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 10, 12, 13, 14, 15, 16, 17, 18, -1 }, true);
    check_tampered(c, &p->w, p->name, FOUND_checkpoint_root, 13, "the same with hashes to match: the first checkpoint over them");
    check_tampered(c, &p->w, p->name, FOUND_time_backwards, 11, "and time goes back");
    fresh(p);
    reorder(p, (const int[]){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 18, -1 }, false);
    check_tampered(c, &p->w, p->name, FOUND_tile_trailing, 19, "a record more than there are");
    fresh(p);
    reorder(p, (const int[]){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, -1 }, false);
    check_tampered(c, &p->w, p->name, FOUND_tile_truncated, 18, "the last record isn't there");
    fresh(p);
    bundle.n = 300;
    file_put(p, "tile/entries/000.p/19", buf_span(&bundle));
    check_tampered(c, &p->w, p->name, FOUND_tile_truncated, 0, "a bundle that breaks off in record 0");
}

static void tiles(struct checks *c, struct place *p)
{
    char path[96];
    fresh(p);
    flip(p, "tile/0/000.p/19", 3 * 32 + 5);
    check_tampered(c, &p->w, p->name, FOUND_record_changed, 3, "a hash tile's fourth hash");
    fresh(p);
    snprintf(path, sizeof path, "%s/tile/entries/000.p/19", p->name);
    run("rm", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_tile_missing, 0, "a bundle isn't there");
    fresh(p);
    snprintf(path, sizeof path, "%s/tile/0/000.p/19", p->name);
    run("rm", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_tile_missing, 0, "a hash tile isn't there");
    fresh(p);
    snprintf(path, sizeof path, "%s/tile/0/000.p/19", p->name);
    run("truncate -s -32", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_tile_truncated, 18, "a hash tile is cut");
    run("truncate -s +64", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_tile_trailing, NO_INDEX, "a hash tile is too long");
    fresh(p);
    snprintf(path, sizeof path, "%s/tile/entries/001.p/1", p->name);
    run("mkdir", p->w.folder, p->name, "/tile/entries/x -p 2>/dev/null; true");
    fresh(p);
    snprintf(path, sizeof path, "%s/tile/entries/000", p->name);
    run("cp", p->w.folder, "out/log.json", path);
    check_tampered(c, &p->w, p->name, FOUND_file_extra, NO_INDEX, "a tile that no log of this size has");
    fresh(p);
    snprintf(path, sizeof path, "%s/notes.txt", p->name);
    run("cp", p->w.folder, "out/log.json", path);
    check_tampered(c, &p->w, p->name, FOUND_file_extra, NO_INDEX, "a file that no export has");
}

static void notes(struct checks *c, struct place *p)
{
    char path[64];
    AUTO_BUF b = BUF(FILE_ROOM);
    fresh(p);
    file_get(p, "checkpoint", &b);
    b.p[b.n - 30] = b.p[b.n - 30] == 'A' ? 'B' : 'A';
    file_put(p, "checkpoint", buf_span(&b));
    buf_clear(&b);
    check_tampered(c, &p->w, p->name, FOUND_checkpoint_signature, 19, "the newest checkpoint's signature");
    fresh(p);
    drop_line(p, "checkpoints.jsonl", 0);
    check_tampered(c, &p->w, p->name, FOUND_checkpoint_order, NO_INDEX, "the checkpoint of size 0 isn't there");
    fresh(p);
    file_get(p, "checkpoints.jsonl", &b);
    b.n = line_at(buf_span(&b), 4);
    file_put(p, "checkpoints.jsonl", buf_span(&b));
    check_tampered(c, &p->w, p->name, FOUND_checkpoint_newest, 19, "the newest isn't the last");
    fresh(p);
    drop_line(p, "quotes.jsonl", 2);
    check_clean(c, &p->w, p->name, "a quote fewer, each checkpoint in time covered by the next: nothing is lost");
    fresh(p);
    buf_clear(&b);
    file_get(p, "quotes.jsonl", &b);
    size_t second = line_at(buf_span(&b), 1), third = line_at(buf_span(&b), 2);
    AUTO_BUF swapped = BUF(FILE_ROOM);
    must(is_ok(buf_put(&swapped, span_part(buf_span(&b), second, third - second))) && is_ok(buf_put(&swapped, buf_span(&b))),
        "lines");
    file_put(p, "quotes.jsonl", buf_span(&swapped));
    check_tampered(c, &p->w, p->name, FOUND_quote_order, NO_INDEX, "quotes out of order");
    fresh(p);
    snprintf(path, sizeof path, "%s/quotes.jsonl", p->name);
    run("rm", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_file_missing, NO_INDEX, "no quotes at all");
    fresh(p);
    file_put(p, "log.json", span_text("{}"));
    check_tampered(c, &p->w, p->name, FOUND_log_mismatch, NO_INDEX, "log.json says something else");
}

static void blob_name(const struct digest *d, const char *end, char name[96])
{
    char text[DIGEST_TEXT + 1];
    snprintf(name, 96, "blobs/%s.%s", digest_text(d, text), end);
}

static void blobs(struct checks *c, struct place *p)
{
    struct aw_change four;
    char name[98], path[162];
    AUTO_BUF other = BUF(FILE_ROOM);
    struct record r;
    AUTO_BUF bundle = BUF(FILE_ROOM);
    struct audited a;
    audited_run(&p->w, "out", NULL, 0, &a);
    must(is_ok(log_record(&a.a.export, 19, 15, &bundle, &r)), "record");
    audited_free(&a);

    fresh(p);
    blob_name(&r.e.decision.signed_, "jws", name);
    snprintf(path, sizeof path, "%s/%s", p->name, name);
    run("rm", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_blob_missing, 15, "a certificate isn't there");
    fresh(p);
    blob_name(&r.e.decision.request, "jws", name);
    snprintf(path, sizeof path, "%s/%s", p->name, name);
    run("rm", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_blob_missing, 15, "a request isn't there, and others are");
    fresh(p);
    aw_change_new(&p->w, "six", "six", "", &four);
    must(is_ok(jws_write(&four.certificate_jws, &other)), "jws");
    blob_name(&r.e.decision.signed_, "jws", name);
    file_put(p, name, buf_span(&other));
    check_tampered(c, &p->w, p->name, FOUND_blob_digest, 15, "another certificate in its place");
    aw_change_free(&four);
    fresh(p);
    blob_name(&r.e.decision.body, "raw", name);
    file_put(p, name, span_text("another"));
    check_tampered(c, &p->w, p->name, FOUND_blob_digest, 15, "another body in its place");
    /* The same payload under a stranger's signature. */
    fresh(p);
    struct testkey *right = p->w.policy.authority[0];
    p->w.policy.authority[0] = p->w.policy.stranger;
    aw_change_new(&p->w, "four", "four", "", &four);
    p->w.policy.authority[0] = right;
    must(digest_equal(&four.certificate.digest, &r.e.decision.certificate), "the same certificate");
    buf_clear(&other);
    must(is_ok(jws_write(&four.certificate_jws, &other)), "jws");
    blob_name(&r.e.decision.signed_, "jws", name);
    file_put(p, name, buf_span(&other));
    check_tampered(c, &p->w, p->name, FOUND_blob_digest, 15, "the certificate under another signature");
    aw_change_free(&four);
    fresh(p);
    snprintf(path, sizeof path, "%s/blobs/fifo", p->name);
    run("mkfifo", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_file_extra, NO_INDEX, "a FIFO");
    fresh(p);
    blob_name(&r.e.decision.signed_, "jws", name);
    snprintf(path, sizeof path, "%s/%s", p->name, name);
    run("rm", p->w.folder, path, "");
    run("ln -s /etc/passwd", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, FOUND_blob_malformed, 15, "a link in a document's place");
}

static void without(
    struct checks *c, struct place *p, const struct digest *d, const char *end, enum finding f, uint64_t n, const char *name)
{
    char file[96], path[160];
    fresh(p);
    blob_name(d, end, file);
    snprintf(path, sizeof path, "%s/%s", p->name, file);
    run("rm", p->w.folder, path, "");
    check_tampered(c, &p->w, p->name, f, n, name);
}

/* What attestation rests on is never left out of an export. */
static void attested(struct checks *c, struct place *p)
{
    struct digest cel = sha256(buf_span(&p->w.cel)), ek = sha256(buf_span(&p->w.ek_certificate));
    without(c, p, &p->w.attested.result, "jwt", FOUND_blob_missing, 4, "the attestation result isn't there");
    without(c, p, &p->w.attested.result, "jwt", FOUND_decision_verdict, 15, "and what was permitted on it can't be");
    without(c, p, &p->w.evidence, "raw", FOUND_blob_missing, 4, "its evidence isn't there");
    without(c, p, &cel, "raw", FOUND_evidence_events, 4, "the event log isn't there");
    without(c, p, &p->w.approval, "jws", FOUND_evidence_approval, 4, "the approval isn't there");
    without(c, p, &p->w.enrolment, "jws", FOUND_blob_missing, 3, "the enrolment isn't there");
    without(c, p, &ek, "raw", FOUND_blob_missing, 3, "the EK certificate isn't there");
}

static void left_out(struct checks *c, struct place *p)
{
    struct audited a;
    aw_export(&p->w, "lean", &(struct export_options){ .without_requests = true, .without_bodies = true });
    audited_run(&p->w, "lean", NULL, 0, &a);
    check_that(c, a.a.report.findings == 0 && a.a.summary.without_request == 5, "requests left out are counted, and no finding");
    audited_free(&a);
    aw_export(&p->w, "half", &(struct export_options){ .without_bodies = true });
    audited_run(&p->w, "half", NULL, 0, &a);
    check_that(
        c, a.a.report.findings == 0 && a.a.summary.without_request == 0 && a.a.summary.without_body == 5, "bodies left out too");
    audited_free(&a);
}

/* The folder as it was when record 10 was the last: everything in it verifies. */
static void cut(struct place *p, struct buf *newest)
{
    AUTO_BUF lines = BUF(FILE_ROOM), bundle = BUF(FILE_ROOM), tile = BUF(FILE_ROOM), line = BUF(FILE_ROOM);
    AUTO_JSON *o = NULL;
    char path[98];
    struct span entry;
    fresh(p);
    file_get(p, "checkpoint", newest);
    file_get(p, "checkpoints.jsonl", &lines);
    /* Sizes 0, 7, 10, 13, 16, 19: the third is kept. */
    size_t at = line_at(buf_span(&lines), 2), to = line_at(buf_span(&lines), 3);
    must(is_ok(json_strict(span_part(buf_span(&lines), at, to - at - 1), 4096, &o)), "line");
    file_put(p, "checkpoint", span_text(json_string_value(json_object_get(o, "note"))));
    lines.n = to;
    file_put(p, "checkpoints.jsonl", buf_span(&lines));
    uint64_t size = (uint64_t)json_integer_value(json_object_get(o, "size"));
    buf_clear(&lines);
    file_get(p, "quotes.jsonl", &lines);
    lines.n = line_at(buf_span(&lines), 2);
    file_put(p, "quotes.jsonl", buf_span(&lines));
    must(is_ok(buf_printf(&line, "{\"domain\":\"prod.example\",\"instance\":\"seb-1\",\"origin\":\"%s\",\"size\":%u}", AW_ORIGIN,
             (unsigned)size)),
        "log.json");
    file_put(p, "log.json", buf_span(&line));
    buf_clear(&lines);
    file_get(p, "tile/entries/000.p/19", &lines);
    struct reader r = reader_of(buf_span(&lines));
    for (uint64_t i = 0; i < size; i++) {
        must(is_ok(read_blob16(&r, ENTRY_MAX, &entry)), "bundle");
        struct digest leaf = merkle_leaf(entry);
        must(is_ok(buf_blob16(&bundle, entry)) && is_ok(buf_put(&tile, digest_span(&leaf))), "bundle");
    }
    snprintf(path, sizeof path, "%s/tile", p->name);
    run("rm -r", p->w.folder, path, "");
    snprintf(path, sizeof path, "%s/tile/entries/000.p %s/tile/0/000.p", p->name, p->name);
    run("mkdir -p", p->w.folder, path, "");
    snprintf(path, sizeof path, "tile/entries/000.p/%u", (unsigned)size);
    file_put(p, path, buf_span(&bundle));
    snprintf(path, sizeof path, "tile/0/000.p/%u", (unsigned)size);
    file_put(p, path, buf_span(&tile));
}

static void tail(struct checks *c, struct place *p)
{
    struct audited a;
    AUTO_BUF newest = BUF(FILE_ROOM), path = BUF(256), forged = BUF(NOTE_MAX);
    cut(p, &newest);
    check_clean(c, &p->w, p->name, "a log that was cut at a checkpoint looks whole");
    must(is_ok(file_write(aw_path(&p->w, "expected", &path), buf_span(&newest), 0644, true)), "note");
    audited_run(&p->w, p->name, aw_path(&p->w, "expected", &path), 0, &a);
    check_that(c, audited_found(&a, FOUND_tail_cut, 10), "unless a later checkpoint is expected");
    audited_free(&a);
    audited_run(&p->w, p->name, NULL, 11, &a);
    check_that(c, audited_found(&a, FOUND_tail_cut, 10), "or a size");
    audited_free(&a);
    audited_run(&p->w, "out", aw_path(&p->w, "expected", &path), 19, &a);
    check_that(c, a.a.report.findings == 0, "the whole log contains what was expected");
    audited_free(&a);
    /* A fork: the record key signed another root of size 10. */
    struct checkpoint other = { .size = 10, .origin = AW_ORIGIN };
    AUTO_BUF text = BUF(NOTE_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    must(is_ok(checkpoint_text(&other, &text)), "note");
    testkey_sign(p->tpm.key[ROLE_RECORD], buf_span(&text), raw);
    must(is_ok(checkpoint_note(&other, testkey_public(p->tpm.key[ROLE_RECORD]), raw, &forged)), "note");
    must(is_ok(file_write(aw_path(&p->w, "expected", &path), buf_span(&forged), 0644, true)), "note");
    audited_run(&p->w, "out", aw_path(&p->w, "expected", &path), 0, &a);
    check_that(c, audited_found(&a, FOUND_expected_mismatch, 10), "a log that forked from the expected checkpoint");
    audited_free(&a);
    must(is_ok(file_write(aw_path(&p->w, "expected", &path), span_text("no note"), 0644, true)), "note");
    audited_run(&p->w, "out", aw_path(&p->w, "expected", &path), 0, &a);
    check_that(c, audited_found(&a, FOUND_expected_invalid, NO_INDEX), "an expectation that is no note");
    audited_free(&a);
}

/* The whole log signed, and quoted, by other keys. */
static void other_keys(struct checks *c, struct place *p)
{
    struct aw_soft stranger;
    AUTO_BUF path = BUF(256), trust = BUF(8192);
    aw_soft_new(&stranger);
    for (enum key_role role = ROLE_ATTESTATION; role <= ROLE_RECORD; role++) {
        struct testkey *right = p->tpm.key[role];
        p->tpm.key[role] = stranger.key[role]; /* the pins are another's from here on */
        aw_trust(&p->w);
        p->tpm.key[role] = right;
        if (role == ROLE_RECORD)
            check_tampered(c, &p->w, "out", FOUND_checkpoint_signature, 7, "checkpoints by another record key");
        else
            check_tampered(c, &p->w, "out", FOUND_quote_signature, 7, "quotes by another attestation key");
        check_tampered(c, &p->w, "out", FOUND_key_unknown, 0, "and the start names it");
    }
    aw_trust(&p->w);
    aw_soft_free(&stranger);
}

int main(void)
{
    struct checks c = { 0 };
    struct place p;
    place_new(&p);
    check_clean(&c, &p.w, "out", "the export is clean before anybody touches it");
    records(&c, &p);
    tiles(&c, &p);
    notes(&c, &p);
    blobs(&c, &p);
    attested(&c, &p);
    left_out(&c, &p);
    tail(&c, &p);
    other_keys(&c, &p);
    place_free(&p);
    return checks_end(&c);
}
