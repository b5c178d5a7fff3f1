#include "config.h"

#include "tests/unit/busframes.h"
#include "tests/unit/check.h"

#include "merkle/checkpoint.h"
#include "merkle/merkle.h"
#include "submit/reply.h"

#include <stdlib.h>

#define RECORDS 5

static void must(result r)
{
    if (!is_ok(r))
        abort();
}

/* A log of five records, of which 2 is the decision and 4 the outcome. */
struct world {
    struct testkey *record_key;
    struct digest agent;
    struct submission submission;
    struct buf entry[RECORDS];
    struct digest leaf[RECORDS];
    struct buf note;
};

static result leaf_or_node(void *world, unsigned level, uint64_t index, struct digest *ret)
{
    const struct world *w = world;
    if (level == 0) {
        *ret = w->leaf[index];
        return OK;
    }
    struct digest left, right;
    TRY(leaf_or_node(world, level - 1, 2 * index, &left));
    TRY(leaf_or_node(world, level - 1, 2 * index + 1, &right));
    *ret = merkle_node(&left, &right);
    return OK;
}

static struct merkle_source source_of(struct world *w)
{
    return (struct merkle_source){ .get = leaf_or_node, .ctx = w };
}

static void fill(struct world *w, const char *outcome)
{
    char agent[DIGEST_TEXT + 1], certificate[DIGEST_TEXT + 1], leaf[DIGEST_TEXT + 1];
    struct frontier f = { 0 };
    for (unsigned i = 0; i < RECORDS; i++) {
        buf_clear(&w->entry[i]);
        if (i == 2)
            must(buf_printf(&w->entry[i],
                "{\"agent\":\"%s\",\"certificate\":\"%s\",\"request_id\":\"%s\",\"type\":\"decision\",\"verdict\":\"permit\"}",
                digest_text(&w->agent, agent), digest_text(&w->submission.certificate_digest, certificate), w->submission.id));
        else if (i == 4)
            must(buf_printf(&w->entry[i], "{\"evidence\":\"response\",\"leaf\":\"%s\",\"result\":\"%s\",\"type\":\"outcome\"}",
                digest_text(&w->leaf[2], leaf), outcome));
        else
            must(buf_printf(&w->entry[i], "{\"n\":%u}", i));
        w->leaf[i] = merkle_leaf(buf_span(&w->entry[i]));
        frontier_append(&f, &w->leaf[i], NULL, NULL);
    }
    struct checkpoint c = { .origin = "d/i", .size = RECORDS, .root = frontier_root(&f) };
    AUTO_BUF text = BUF(NOTE_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    must(checkpoint_text(&c, &text));
    testkey_sign(w->record_key, buf_span(&text), raw);
    buf_clear(&w->note);
    must(checkpoint_note(&c, testkey_public(w->record_key), raw, &w->note));
}

static void put_record(struct world *w, json_t *reply, const char *name, uint64_t index)
{
    struct merkle_source source = source_of(w);
    struct merkle_proof proof;
    json_t *o = json_object(), *hashes = json_array();
    char text[DIGEST_TEXT + 1];
    must(merkle_inclusion(&source, index, RECORDS, &proof));
    for (unsigned i = 0; i < proof.n; i++)
        json_array_append_new(hashes, json_string(digest_text(&proof.hash[i], text)));
    must(json_put_new(o, "proof", hashes));
    must(json_put_int(o, "index", (int64_t)index));
    must(json_put_span(o, "entry", buf_span(&w->entry[index])));
    must(json_put_new(reply, name, o));
}

static void frame_json(const json_t *v, struct buf *frame)
{
    AUTO_BUF text = BUF(BUS_FRAME_MAX);
    must(json_canonical(v, &text));
    must(buf_u8(&text, 0));
    frame_of((const char *)text.p, (struct span){ 0 }, frame);
}

static void done_frame(struct world *w, struct buf *frame)
{
    AUTO_JSON *v = json_object();
    must(json_put_text(v, "status", "done"));
    must(json_put_span(v, "checkpoint", buf_span(&w->note)));
    put_record(w, v, "decision", 2);
    put_record(w, v, "outcome", 4);
    frame_json(v, frame);
}

static result proves(struct world *w, struct span frame)
{
    AUTO_REPLY *r = NULL;
    TRY(reply_read(frame, &r));
    return reply_prove(r, testkey_public(w->record_key), &w->submission, &w->agent);
}

static int exit_of(struct span frame, bool *ret_final)
{
    AUTO_REPLY *r = NULL;
    if (!is_ok(reply_read(frame, &r)))
        return -1;
    *ret_final = reply_is_final(r);
    return reply_exit(r);
}

static void outcomes(struct checks *c, struct world *w)
{
    static const char *const not_applied[] = { "rejected", "failed", "not_applied", "open" };
    AUTO_BUF frame = BUF(BUS_FRAME_MAX);
    bool final = false;
    fill(w, "applied");
    done_frame(w, &frame);
    check_that(c, exit_of(buf_span(&frame), &final) == SUBMIT_APPLIED && final, "done and applied is 0");
    for (unsigned i = 0; i < 4; i++) {
        fill(w, not_applied[i]);
        done_frame(w, &frame);
        check_that(c, exit_of(buf_span(&frame), &final) == SUBMIT_NOT_APPLIED && final, not_applied[i]);
    }
}

static void statuses(struct checks *c)
{
    static const struct {
        const char *json;
        int exit;
        bool final;
    } rows[] = {
        { "{\"status\":\"refused\",\"rule\":\"match\",\"code\":\"body_mismatch\"}", SUBMIT_REFUSED, true },
        { "{\"status\":\"invalid\",\"code\":\"bad_json\"}", SUBMIT_REFUSED, true },
        { "{\"status\":\"busy\"}", SUBMIT_LATER, true },
        { "{\"status\":\"unavailable\"}", SUBMIT_LATER, true },
        { "{\"status\":\"pending\"}", SUBMIT_LATER, false },
        { "{\"status\":\"unproved\"}", SUBMIT_LATER, false },
        { "{\"status\":\"done\"}", SUBMIT_NOT_APPLIED, true },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_BUF frame = BUF(BUS_FRAME_MAX);
        bool final = !rows[i].final;
        frame_of(rows[i].json, (struct span){ 0 }, &frame);
        check_that(c, exit_of(buf_span(&frame), &final) == rows[i].exit && final == rows[i].final, rows[i].json);
    }
    AUTO_BUF frame = BUF(BUS_FRAME_MAX);
    bool final;
    frame_of("{\"status\":\"fine\"}", (struct span){ 0 }, &frame);
    check_that(c, exit_of(buf_span(&frame), &final) == -1, "a status that isn't in the format is refused");
}

static void proofs(struct checks *c, struct world *w)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX);
    struct submission ours = w->submission;
    struct digest agent = w->agent;
    fill(w, "applied");
    done_frame(w, &frame);
    check_code(c, proves(w, buf_span(&frame)), E_ok, "decision and outcome are proved");
    w->submission.id = "another";
    check_code(c, proves(w, buf_span(&frame)), E_bad_proof, "another request's records prove nothing");
    w->submission = ours;
    w->submission.certificate_digest.b[0] ^= 1;
    check_code(c, proves(w, buf_span(&frame)), E_bad_proof, "nor another certificate's");
    w->submission = ours;
    w->agent.b[0] ^= 1;
    check_code(c, proves(w, buf_span(&frame)), E_bad_proof, "nor another agent's");
    w->agent = agent;
    struct testkey *key = w->record_key;
    w->record_key = testkey_new(ALG_ES256);
    check_that(c, !is_ok(proves(w, buf_span(&frame))), "nor a checkpoint of another key");
    testkey_free(w->record_key);
    w->record_key = key;
    w->leaf[2].b[0] ^= 1;
    AUTO_BUF other = BUF(BUS_FRAME_MAX);
    fill(w, "applied");
    done_frame(w, &other);
    check_code(c, proves(w, buf_span(&other)), E_ok, "filled anew it holds again");
}

static void damaged(struct checks *c, struct world *w)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX), copy = BUF(BUS_FRAME_MAX);
    unsigned passed = 0;
    fill(w, "applied");
    done_frame(w, &frame);
    for (size_t n = 0; n < frame.n; n++)
        passed += is_ok(proves(w, span_part(buf_span(&frame), 0, n)));
    check_that(c, passed == 0, "no beginning of a reply is proved");
    for (size_t bit = 0; bit < frame.n * 8; bit++) {
        buf_clear(&copy);
        must(buf_put(&copy, buf_span(&frame)));
        copy.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        passed += is_ok(proves(w, buf_span(&copy)));
    }
    check_that(c, passed == 0, "nor one with a flipped bit, wherever it is");
}

int main(void)
{
    struct checks c = { 0 };
    struct world w = { .record_key = testkey_new(ALG_ES256), .submission = { .id = "request-1" }, .note = BUF(NOTE_MAX) };
    w.agent = sha256(span_text("agent"));
    w.submission.certificate_digest = sha256(span_text("certificate"));
    for (unsigned i = 0; i < RECORDS; i++)
        w.entry[i] = BUF(1024);
    outcomes(&c, &w);
    statuses(&c);
    proofs(&c, &w);
    damaged(&c, &w);
    for (unsigned i = 0; i < RECORDS; i++)
        buf_free(&w.entry[i]);
    buf_free(&w.note);
    testkey_free(w.record_key);
    return checks_end(&c);
}
