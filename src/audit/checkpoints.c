/* The stored notes: each one's signature, and its root against the records below it. One pass: the notes come in order of size. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "audit/audit.h"

struct checkpoints {
    struct lines *lines;
    bool any; /* a note was taken */
    uint64_t last; /* its size */
    bool waiting; /* a note for a size to come: whose key signs by then, the records up to there say */
    struct checkpoint next;
    struct digest next_text;
    bool next_is_ours; /* of this log, by its origin */
    bool diverged; /* from here on every root differs: said once */
    struct buf note, newest, expected, first;
    bool first_waits;
    bool has_newest;
    struct checkpoint expect;
    bool has_expect;
};

/* Takes the note apart; says what is wrong with it. *ret_ours: it is one of this log, still to be verified. */
static bool parse_note(
    struct audit *a, struct span note, struct where at, struct checkpoint *ret, struct digest *ret_text, bool *ret_ours)
{
    struct span text;
    *ret_ours = false;
    if (!is_ok(checkpoint_parse(note, ret, &text))) {
        report_found(&a->report, FOUND_checkpoint_malformed, at, "%s", "");
        return false;
    }
    *ret_text = sha256(text);
    *ret_ours = span_is(span_text(ret->origin), a->trust.origin);
    if (!*ret_ours)
        report_found(&a->report, FOUND_checkpoint_origin, at_size(ret->size), "%s", ret->origin);
    return true;
}

/* By the record key of where the records are now. */
static bool verifies(const struct audit *a, struct span note)
{
    struct checkpoint c;
    struct span text;
    return is_ok(checkpoint_open(note, key_now(a, ROLE_RECORD), &c, &text));
}

static bool is_signed(struct audit *a, struct span note, enum finding what, struct where at)
{
    bool good = verifies(a, note);
    if (!good)
        report_found(&a->report, what, at, "%s", "");
    return good;
}

/* The first note is of size 0, however many records wait for it. Where keys were replaced before anything could be signed, it is
 * the new key's: it waits for the next one. */
static result first_waits(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    c->first_waits = true;
    buf_clear(&c->first);
    return buf_put(&c->first, buf_span(&c->note));
}

static void settle_first(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    if (c->first_waits)
        (void)is_signed(a, buf_span(&c->first), FOUND_checkpoint_signature, at_size(0));
    c->first_waits = false;
}

/* {"note","size"} in canonical form; the note is copied. */
static result read_line(struct span line, struct buf *note, int64_t *ret_size)
{
    AUTO_JSON *o = NULL;
    const char *text;
    TRY(json_strict(line, LINE_MAX_, &o));
    TRY(json_is_canonical(o, line));
    TRY(json_closed(o, (const char *const[]){ "note", "size", NULL }));
    TRY(json_int(o, "size", 0, JSON_INT_MAX, ret_size));
    TRY(json_text(o, "note", NOTE_MAX, &text));
    buf_clear(note);
    return buf_put(note, span_text(text));
}

static void take_line(struct audit *a, struct span line)
{
    struct checkpoints *c = a->checkpoints;
    int64_t size;
    if (!is_ok(read_line(line, &c->note, &size))) {
        report_found(
            &a->report, FOUND_checkpoint_malformed, at_size(c->any ? c->last + 1 : 0), "the line behind size %" PRIu64, c->last);
        return;
    }
    if (!parse_note(a, buf_span(&c->note), at_size((uint64_t)size), &c->next, &c->next_text, &c->next_is_ours))
        return;
    if (c->next.size != (uint64_t)size)
        report_found(&a->report, FOUND_checkpoint_malformed, at_size((uint64_t)size), "the note's size is %" PRIu64, c->next.size);
    if (c->any ? c->next.size <= c->last : c->next.size != 0)
        report_found(&a->report, FOUND_checkpoint_order, at_size(c->next.size), "%s %" PRIu64,
            c->any ? "behind size" : "the first is of size", c->any ? c->last : c->next.size);
    c->any = true;
    c->last = c->next.size;
    c->waiting = true;
    a->summary.checkpoints++;
}

/* Until a note waits for a size to come, or none is left. */
static result next_note(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    struct span line;
    bool there = true;
    while (c->lines && !c->waiting && there) {
        result r = lines_next(c->lines, &line, &there);
        if (code_of(r) == E_truncated || code_of(r) == E_too_long)
            report_found(&a->report, FOUND_checkpoint_malformed, at_size(c->last + 1), "the line behind size %" PRIu64, c->last);
        else if (!is_ok(r))
            return r;
        else if (there)
            take_line(a, line);
    }
    return OK;
}

static result read_newest(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    result r = export_read(&a->export, "checkpoint", NOTE_MAX, &c->newest);
    if (!is_ok(r) && !is_exports_fault(r))
        return r;
    c->has_newest = is_ok(r);
    if (!c->has_newest)
        report_found(
            &a->report, code_of(r) == E_not_found ? FOUND_file_missing : FOUND_checkpoint_malformed, at_file(), "checkpoint");
    return OK;
}

/* The auditor's own file: what is wrong with it is the log's fault only if it was this log's once. */
static result read_expected(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    struct span text;
    if (!a->expect)
        return OK;
    TRY(file_read(a->expect, NOTE_MAX, &c->expected));
    c->has_expect =
        is_ok(checkpoint_parse(buf_span(&c->expected), &c->expect, &text)) && span_is(span_text(c->expect.origin), a->trust.origin);
    if (!c->has_expect)
        report_found(&a->report, FOUND_expected_invalid, at_file(), "%s", "");
    return OK;
}

static result read_log_json(struct audit *a)
{
    AUTO_BUF text = BUF(4096), want = BUF(4096);
    AUTO_JSON *o = json_object();
    TRY(json_put_text(o, "domain", a->trust.domain));
    TRY(json_put_text(o, "instance", a->trust.instance));
    TRY(json_put_text(o, "origin", a->trust.origin));
    TRY(json_put_int(o, "size", (int64_t)a->size));
    TRY(json_canonical(o, &want));
    result r = export_read(&a->export, "log.json", text.max, &text);
    if (!is_ok(r) && !is_exports_fault(r))
        return r;
    if (!is_ok(r))
        report_found(&a->report, code_of(r) == E_not_found ? FOUND_file_missing : FOUND_file_malformed, at_file(), "log.json");
    else if (!span_equal(buf_span(&text), buf_span(&want)))
        report_found(&a->report, FOUND_log_mismatch, at_file(), "%s", "");
    return OK;
}

result checkpoints_begin(struct audit *a)
{
    struct checkpoints *c = calloc(1, sizeof *c);
    if (!c)
        return fail(E_no_memory);
    a->checkpoints = c;
    c->note = BUF(NOTE_MAX);
    c->newest = BUF(NOTE_MAX);
    c->expected = BUF(NOTE_MAX);
    c->first = BUF(NOTE_MAX);
    TRY(read_newest(a));
    TRY(read_expected(a));
    TRY(read_log_json(a));
    result r = lines_open(&a->export, "checkpoints.jsonl", &c->lines);
    if (is_ok(r) || !is_exports_fault(r))
        return r;
    report_found(&a->report, code_of(r) == E_not_found ? FOUND_file_missing : FOUND_file_malformed, at_file(), "checkpoints.jsonl");
    return OK;
}

static void check_root(struct audit *a, const struct checkpoint *note, enum finding what)
{
    struct checkpoints *c = a->checkpoints;
    struct digest root = frontier_root(&a->frontier);
    if (digest_equal(&root, &note->root))
        return;
    if (what == FOUND_expected_mismatch || !c->diverged)
        report_found(&a->report, what, at_size(note->size), "%s", "");
    c->diverged |= what == FOUND_checkpoint_root;
}

static bool is_expected_signed(struct audit *a)
{
    return is_signed(a, buf_span(&a->checkpoints->expected), FOUND_expected_invalid, at_file());
}

result checkpoints_reach(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    if (c->has_expect && c->expect.size == a->frontier.size && is_expected_signed(a))
        check_root(a, &c->expect, FOUND_expected_mismatch);
    for (;;) {
        TRY(next_note(a));
        if (!c->waiting || c->next.size > a->frontier.size)
            return OK;
        c->waiting = false;
        if (c->next.size < a->frontier.size) /* out of order, which was said */
            continue;
        if (c->next.size > 0)
            settle_first(a);
        const bool waits = c->next_is_ours && c->next.size == 0 && !verifies(a, buf_span(&c->note));
        if (waits)
            TRY(first_waits(a));
        else if (!c->next_is_ours || !is_signed(a, buf_span(&c->note), FOUND_checkpoint_signature, at_size(c->next.size)))
            continue;
        check_root(a, &c->next, FOUND_checkpoint_root);
        TRY(pass_signed_at(a, &(struct signed_size){ .size = c->next.size, .text = c->next_text }));
    }
}

static void check_newest(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    struct checkpoint note;
    struct digest text;
    bool ours;
    if (c->has_newest && parse_note(a, buf_span(&c->newest), at_size(a->size), &note, &text, &ours) && ours)
        (void)is_signed(a, buf_span(&c->newest), FOUND_checkpoint_signature, at_size(note.size));
}

static void check_end(struct audit *a, bool whole)
{
    struct checkpoints *c = a->checkpoints;
    check_newest(a);
    if (c->waiting && whole)
        report_found(&a->report, FOUND_checkpoint_order, at_size(c->next.size), "the export has %" PRIu64 " records", a->size);
    if (c->lines && whole && !c->waiting && !span_equal(buf_span(&c->note), buf_span(&c->newest)))
        report_found(
            &a->report, FOUND_checkpoint_newest, at_size(a->size), "the last of checkpoints.jsonl is of size %" PRIu64, c->last);
    if (c->has_expect && c->expect.size > a->size && is_expected_signed(a))
        report_found(&a->report, FOUND_tail_cut, at_size(a->size), "expected: %" PRIu64, c->expect.size);
    if (a->at_least > a->size)
        report_found(&a->report, FOUND_tail_cut, at_size(a->size), "expected: %" PRIu64 " at least", a->at_least);
}

result checkpoints_end(struct audit *a)
{
    settle_first(a);
    check_end(a, a->frontier.size == a->size);
    return OK;
}

void checkpoints_free(struct audit *a)
{
    struct checkpoints *c = a->checkpoints;
    if (!c)
        return;
    lines_close(c->lines);
    buf_free(&c->note);
    buf_free(&c->newest);
    buf_free(&c->expected);
    buf_free(&c->first);
    free(c);
    a->checkpoints = NULL;
}
