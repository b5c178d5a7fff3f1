#include "config.h"

#include "submit/reply.h"

#include "bus/bus.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"

#include <inttypes.h>
#include <stdlib.h>

/* A record of the log as the reply carries it. */
struct record {
    bool there;
    uint64_t index;
    struct span text;
    json_t *entry; /* owned */
    bool proved; /* whether the reply has its proof; false: no checkpoint covers it yet */
    struct merkle_proof proof;
};
struct reply {
    struct span text; /* in bytes */
    struct buf bytes;
    json_t *json;
    const char *status, *code, *words, *rule, *note; /* NULL where missing */
    struct record decision, outcome;
};

static const struct {
    const char *status;
    enum submit_exit exit;
    bool final;
} statuses[] = {
    { "done", SUBMIT_NOT_APPLIED, true }, /* the outcome says more */
    { "refused", SUBMIT_REFUSED, true },
    { "invalid", SUBMIT_REFUSED, true },
    { "busy", SUBMIT_LATER, true },
    { "unavailable", SUBMIT_LATER, true },
    { "pending", SUBMIT_LATER, false },
    { "unproved", SUBMIT_LATER, false },
};
#define STATUSES (sizeof statuses / sizeof statuses[0])

static unsigned status_row(const char *status)
{
    unsigned i = 0;
    while (i < STATUSES && !span_is(span_text(status), statuses[i].status))
        i++;
    return i;
}

void reply_free(struct reply *r)
{
    if (!r)
        return;
    json_decref(r->decision.entry);
    json_decref(r->outcome.entry);
    json_decref(r->json);
    buf_free(&r->bytes);
    free(r);
}

void reply_free_pointer(struct reply **r)
{
    reply_free(*r);
    *r = NULL;
}

static const char *text_or_null(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static result read_proof(const json_t *proof, struct merkle_proof *ret)
{
    const json_t *hash;
    size_t i;
    if (!json_is_array(proof))
        return fail(E_bad_type);
    if (json_array_size(proof) > sizeof ret->hash / sizeof ret->hash[0])
        return fail(E_too_long);
    json_array_foreach (proof, i, hash)
        TRY(digest_read(span_text(json_string_value(hash)), &ret->hash[i]));
    ret->n = (unsigned)json_array_size(proof);
    return OK;
}

static result read_record(const json_t *reply, const char *name, struct record *ret)
{
    const json_t *o;
    const char *text;
    int64_t index;
    if (!json_has(reply, name))
        return OK;
    TRY(json_object_at(reply, name, &o));
    TRY(json_int(o, "index", 0, JSON_INT_MAX, &index));
    TRY(json_text(o, "entry", BUS_FRAME_MAX, &text));
    ret->text = span_text(text);
    TRY(json_strict(ret->text, BUS_FRAME_MAX, &ret->entry));
    ret->index = (uint64_t)index;
    ret->proved = json_has(o, "proof");
    if (ret->proved)
        TRY(read_proof(json_object_get(o, "proof"), &ret->proof));
    ret->there = true;
    return OK;
}

static result read_all(struct span frame, struct reply *r)
{
    struct bus_frame f;
    TRY(buf_put(&r->bytes, frame));
    TRY(bus_frame_read(buf_span(&r->bytes), &f));
    r->text = f.json;
    TRY(json_strict(f.json, BUS_FRAME_MAX, &r->json));
    TRY(json_text(r->json, "status", 32, &r->status));
    if (status_row(r->status) == STATUSES)
        return fail(E_bad_value);
    r->code = text_or_null(r->json, "code");
    r->words = text_or_null(r->json, "words");
    r->rule = text_or_null(r->json, "rule");
    r->note = text_or_null(r->json, "checkpoint");
    TRY(read_record(r->json, "decision", &r->decision));
    return read_record(r->json, "outcome", &r->outcome);
}

result reply_read(struct span frame, struct reply **ret)
{
    AUTO_REPLY *r = calloc(1, sizeof *r);
    if (!r)
        return fail(E_no_memory);
    r->bytes = BUF(BUS_FRAME_MAX);
    TRY(read_all(frame, r));
    *ret = r;
    r = NULL;
    return OK;
}

bool reply_is_final(const struct reply *r)
{
    return statuses[status_row(r->status)].final;
}

bool reply_owes_proof(const struct reply *r)
{
    return reply_is_final(r) && (r->decision.there || span_is(span_text(r->status), "done"));
}

enum submit_exit reply_exit(const struct reply *r)
{
    const char *became = text_or_null(r->outcome.entry, "result");
    if (span_is(span_text(r->status), "done") && span_is(span_text(became), "applied"))
        return SUBMIT_APPLIED;
    return statuses[status_row(r->status)].exit;
}

static result entry_digest_is(const struct record *record, const char *name, const struct digest *want)
{
    struct digest d;
    TRY(json_digest_at(record->entry, name, &d));
    return digest_equal(&d, want) ? OK : fail(E_bad_proof);
}

static result prove_included(const struct record *record, const struct checkpoint *c)
{
    if (!record->proved)
        return fail(E_missing_member);
    struct digest leaf = merkle_leaf(record->text);
    return merkle_verify_inclusion(&leaf, record->index, c->size, &record->proof, &c->root);
}

/* A proof of somebody else's records would hold as well. */
static result prove_ours(const struct reply *r, const struct submission *s, const struct digest *agent)
{
    const char *id = text_or_null(r->decision.entry, "request_id");
    if (!span_is(span_text(text_or_null(r->decision.entry, "type")), "decision") || !span_is(span_text(id), s->id))
        return fail(E_bad_proof);
    TRY(entry_digest_is(&r->decision, "agent", agent));
    TRY(entry_digest_is(&r->decision, "certificate", &s->certificate_digest));
    if (!r->outcome.there)
        return OK;
    struct digest leaf = merkle_leaf(r->decision.text);
    if (!span_is(span_text(text_or_null(r->outcome.entry, "type")), "outcome"))
        return fail(E_bad_proof);
    return entry_digest_is(&r->outcome, "leaf", &leaf);
}

result reply_prove(const struct reply *r, const struct pubkey *record_key, const struct submission *s, const struct digest *agent)
{
    struct checkpoint c;
    struct span text;
    if (!r->note || !r->decision.there || (span_is(span_text(r->status), "done") && !r->outcome.there))
        return fail(E_missing_member);
    TRY(checkpoint_open(span_text(r->note), record_key, &c, &text));
    TRY(prove_ours(r, s, agent));
    TRY(prove_included(&r->decision, &c));
    return r->outcome.there ? prove_included(&r->outcome, &c) : OK;
}

void reply_print_json(const struct reply *r, FILE *to)
{
    fwrite(r->text.p, 1, r->text.n, to);
    fputc('\n', to);
}

/* What came from the broker is printed without control characters: a terminal obeys some of them. */
static void print_plain(const char *text, FILE *to)
{
    for (; text && *text; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, to);
}

static void print_member(const struct record *record, const char *name, const char *label, FILE *to)
{
    const json_t *v = json_object_get(record->entry, name);
    if (!v)
        return;
    fprintf(to, ", %s ", label);
    if (json_is_integer(v))
        fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else
        print_plain(json_string_value(v), to);
}

static void print_record(const struct record *record, const char *name, const char *what, FILE *to)
{
    if (!record->there)
        return;
    fprintf(to, "%-12s#%" PRIu64 " ", name, record->index);
    print_plain(text_or_null(record->entry, what), to);
    print_member(record, "evidence", "evidence", to);
    print_member(record, "http_status", "HTTP status", to);
    print_member(record, "etag", "ETag", to);
    fputc('\n', to);
}

static void print_headline(const struct reply *r, FILE *to)
{
    const char *became = text_or_null(r->outcome.entry, "result");
    print_plain(became ? became : r->status, to);
    if (r->rule) {
        fputs(" by ", to);
        print_plain(r->rule, to);
    }
    if (r->code) {
        fputs(": ", to);
        print_plain(r->code, to);
    }
    if (r->words) {
        fputs(": ", to);
        print_plain(r->words, to);
    }
    fputc('\n', to);
}

void reply_print(const struct reply *r, const struct submission *s, FILE *to)
{
    struct checkpoint c;
    struct span text;
    print_headline(r, to);
    fprintf(to, "%-12s%s\n", "request", s->id);
    print_record(&r->decision, "decision", "verdict", to);
    print_record(&r->outcome, "outcome", "result", to);
    if (r->note && is_ok(checkpoint_parse(span_text(r->note), &c, &text))) {
        fprintf(to, "%-12ssize %" PRIu64 " of ", "checkpoint", c.size);
        print_plain(c.origin, to);
        fputc('\n', to);
    }
}
