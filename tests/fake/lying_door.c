/* A double of the broker behind its third door, for tests of the verifier: a real TPM quotes, signs and activates; what the door
 * makes of it is what the file `lie` says, word by word, as long as it is there. It verifies nothing that it is told.
 *
 *   lying_door ADDRESS TLS-FOLDER SWTPM-SOCKET FOLDER DOMAIN INSTANCE PROGRAMS [SOCKET OF ANOTHER TPM]
 *
 * FOLDER holds policy.jwk (the policy authority's key), lease.jwk, policy.jws, sebd.json and, once it is there, approval.json; the
 * door writes plan.json, cel, the last challenge.json and evidence.json, and appends what it got to `results`. Lies: ak_other
 * ak_unrestricted name_mismatch replay fork rollback cut nonce old crumbs moves slow quiet refuse. */
#include "config.h"

#include "tests/fake/lying_chip.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/approval.h"
#include "attest/quote.h"
#include "base/clock.h"
#include "base/random.h"
#include "bus/bus.h"
#include "config/config.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"
#include "policy/documents.h"

#define LEAVES_MAX 65536
#define PROGRAM_MAX ((size_t)64 << 20)
/* A list that takes longer than a quote is good for, and is longer by as much at the next challenge. */
#define SLOW_PIECES 24u
#define SLOW_MS 500

struct door {
    const char *folder, *domain, *instance, *programs;
    char origin[ORIGIN_MAX + 1];
    struct chip chip, other;
    bool has_other, approved;
    struct pubkey *policy_key, *lease_key;
    struct buf cel, policy_text, approval_text, note, old_evidence, last_secret;
    struct digest policy, approval;
    uint64_t policy_epoch;
    uint8_t run[RUN_ID_SIZE];
    struct digest leaf[LEAVES_MAX];
    uint64_t leaves, noted;
    int64_t grown_ms;
    unsigned slow; /* evidence of a slow one */
    unsigned moves; /* of one that has the documents of each second evidence alone */
};

static const char *path_of(const struct door *d, const char *name, char text[512])
{
    snprintf(text, 512, "%s/%s", d->folder, name);
    return text;
}

static bool read_file(const struct door *d, const char *name, size_t max, struct buf *out)
{
    char path[512];
    buf_free(out);
    *out = BUF(max);
    return is_ok(file_read(path_of(d, name, path), max, out));
}

static bool lies(const struct door *d, const char *lie)
{
    AUTO_BUF text = BUF(256);
    if (!read_file(d, "lie", 256, &text))
        return false;
    struct span said = span_part(buf_span(&text), 0, span_find(buf_span(&text), 0, '\n'));
    return span_is(said, lie);
}

static struct pubkey *key_in(const struct door *d, const char *name)
{
    AUTO_BUF text = BUF(4096);
    AUTO_JSON *o = NULL;
    struct pubkey *key;
    if (!read_file(d, name, 4096, &text))
        must(fail(E_io), name);
    must(json_strict(buf_span(&text), 4096, &o), name);
    must(pubkey_from_jwk(o, &key), name);
    return key;
}

/* The broker's own measurements, as its supervisor takes them. */

static void measure_one(struct door *d, const char *name, const struct digest *value)
{
    struct digest event;
    must(cel_append(&d->cel, CHIP_PCR, name, value, &event), name);
    must(tpm_pcr_extend(d->chip.tpm, CHIP_PCR, &event), name);
}

static void measure_programs(struct door *d)
{
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++) {
        char path[512];
        AUTO_BUF program = BUF(PROGRAM_MAX);
        snprintf(path, sizeof path, "%s/%s", d->programs, cel_executable(i));
        must(file_read(path, PROGRAM_MAX, &program), path);
        struct digest value = sha256(buf_span(&program));
        measure_one(d, cel_executable(i), &value);
    }
}

static void measure(struct door *d)
{
    char path[512];
    AUTO_BUF text = BUF(CONFIG_MAX), canonical = BUF(CONFIG_MAX);
    if (read_file(d, "cel", CEL_LOG_MAX, &d->cel))
        return; /* the TPM went on since */
    d->cel = BUF(CEL_LOG_MAX);
    measure_programs(d);
    if (!read_file(d, "sebd.json", CONFIG_MAX, &text))
        must(fail(E_io), "sebd.json");
    must(config_canonical(buf_span(&text), &canonical), "sebd.json");
    struct digest configuration = sha256(buf_span(&canonical));
    measure_one(d, CEL_CONFIGURATION, &configuration);
    measure_one(d, CEL_KEY_ATTESTATION, pubkey_thumbprint(hsm_public(d->chip.ak)));
    measure_one(d, CEL_KEY_RECORD, pubkey_thumbprint(hsm_public(d->chip.key[EVIDENCE_RECORD])));
    measure_one(d, CEL_POLICY_AUTHORITY, pubkey_thumbprint(d->policy_key));
    must(file_write(path_of(d, "cel", path), buf_span(&d->cel), 0600, true), "cel");
}

static void plan(struct door *d)
{
    char path[512];
    struct digest pcr[TPM_PCRS];
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    AUTO_JSON *jwk = NULL;
    struct approval a = { .iat = clock_utc_ms() / 1000,
        .epoch = 1,
        .ak = *pubkey_thumbprint(hsm_public(d->chip.ak)),
        .counter = d->chip.counter,
        .lease = d->lease_key,
        .pcr = CHIP_PCR,
        .ref = d->chip.ref };
    must(span_copy_text(span_text(d->domain), a.domain, sizeof a.domain), "domain");
    must(span_copy_text(span_text(d->instance), a.instance, sizeof a.instance), "instance");
    must(span_copy(SPAN(d->chip.counter_name), a.counter_name, TPM_NAME_SIZE), "counter");
    must(cel_replay(buf_span(&d->cel), CHIP_PCR, &a.pcr_value, &a.measured), "cel");
    must(tpm_pcr_read(d->chip.tpm, UINT32_C(1) << CHIP_PCR, pcr), "PCR");
    if (!digest_equal(&pcr[CHIP_PCR], &a.pcr_value))
        must(fail(E_event_log_mismatch), "cel");
    must(approval_plan_write(&a, &text), "plan");
    must(file_write(path_of(d, "plan.json", path), buf_span(&text), 0600, true), "plan");
    buf_clear(&text);
    must(pubkey_jwk(hsm_public(d->chip.ak), &jwk), "attestation key");
    must(json_canonical(jwk, &text), "attestation key");
    must(file_write(path_of(d, "ak.jwk", path), buf_span(&text), 0600, true), "attestation key");
}

static void learn_approval(struct door *d)
{
    AUTO_APPROVAL_FILE f = { 0 };
    if (d->approved || !read_file(d, "approval.json", APPROVAL_TEXT_MAX, &d->approval_text))
        return;
    must(approval_open(buf_span(&d->approval_text), d->policy_key, &f), "approval");
    struct tpm_approval a = {
        .policy = f.approval.policy, .ref = f.approval.ref, .counter = f.approval.counter, .lease_key = f.approval.lease
    };
    must(span_copy(SPAN(f.signature), a.signature, sizeof a.signature), "approval");
    must(tpm_guard_approve(d->chip.guard, &a), "approval");
    d->approval = f.approval.digest;
    d->approved = true;
}

static void learn_policy(struct door *d)
{
    struct jws j;
    struct policy *p;
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    if (!read_file(d, "policy.jws", JWS_TEXT_MAX, &d->policy_text))
        must(fail(E_io), "policy.jws");
    must(jws_parse_text(buf_span(&d->policy_text), &arena, &j), "policy.jws");
    must(policy_parse(j.payload, &p), "policy.jws");
    d->policy = *policy_digest(p);
    d->policy_epoch = (uint64_t)policy_epoch_of(p);
    policy_free(p);
}

/* The log: leaves of nothing in particular. */

static result subtree(void *ctx, unsigned level, uint64_t index, struct digest *ret)
{
    struct door *d = ctx;
    if (level == 0) {
        *ret = d->leaf[index];
        return OK;
    }
    struct digest left, right;
    TRY(subtree(ctx, level - 1, 2 * index, &left));
    TRY(subtree(ctx, level - 1, 2 * index + 1, &right));
    *ret = merkle_node(&left, &right);
    return OK;
}

static struct merkle_source source_of(struct door *d)
{
    return (struct merkle_source){ .get = subtree, .ctx = d };
}

static void append(struct door *d)
{
    for (unsigned i = 0; i < 3 && d->leaves < LEAVES_MAX; i++) {
        uint8_t bytes[16];
        must(random_bytes(bytes, sizeof bytes), "leaf");
        d->leaf[d->leaves++] = merkle_leaf(SPAN(bytes));
    }
}

/* As the log is now; without a lease the note stays what it was. */
static void sign_note(struct door *d)
{
    struct checkpoint c = { .size = d->leaves };
    uint8_t raw[SIGNATURE_SIZE];
    AUTO_BUF text = BUF(NOTE_MAX);
    const struct merkle_source source = source_of(d);
    must(span_copy_text(span_text(d->origin), c.origin, sizeof c.origin), "origin");
    must(merkle_root(&source, d->leaves, &c.root), "root");
    must(checkpoint_text(&c, &text), "note");
    struct digest hash = sha256(buf_span(&text));
    if (!is_ok(hsm_sign(d->chip.key[EVIDENCE_RECORD], &hash, raw)))
        return;
    buf_clear(&d->note);
    must(checkpoint_note(&c, hsm_public(d->chip.key[EVIDENCE_RECORD]), raw, &d->note), "note");
    d->noted = d->leaves;
}

/* Not a lie: one that stands for many brokers (scripts/bench --verifier) grows once a second, and keeps no copies. */
static bool is_steady(const struct door *d)
{
    return lies(d, "steady");
}

static void grow(struct door *d)
{
    const int64_t now_ms = clock_mono_ms();
    if (!d->approved || (is_steady(d) && now_ms - d->grown_ms < 1000))
        return;
    d->grown_ms = now_ms;
    if (lies(d, "rollback") && d->leaves > 1)
        d->leaves = d->noted / 2;
    else if (lies(d, "fork") && d->leaves)
        d->leaf[0] = sha256(span_text("another history"));
    else
        append(d);
    sign_note(d);
}

static void bind_nonces(struct door *d, const struct challenge *c, struct evidence *e, struct quote_challenge *q)
{
    struct checkpoint note;
    struct span text;
    *q = (struct quote_challenge){ .policy_epoch = d->policy_epoch, .epoch = 1 };
    must(span_copy(SPAN(c->nonce), q->nonce, NONCE_SIZE), "nonce");
    if (lies(d, "nonce"))
        q->nonce[0] ^= 1;
    must(tpm_guard_lease_begin(d->chip.guard, e->lease_nonce), "lease");
    must(span_copy(SPAN(e->lease_nonce), q->lease_nonce, NONCE_SIZE), "lease");
    if (!d->note.n || lies(d, "cut"))
        return;
    must(checkpoint_parse(buf_span(&d->note), &note, &text), "note");
    q->has_note = true;
    q->note_text = sha256(text);
    must(buf_put(&e->note, buf_span(&d->note)), "note");
    const struct merkle_source source = source_of(d);
    if (c->has_seen && c->seen.size > 0 && c->seen.size < d->noted)
        must(merkle_consistency(&source, c->seen.size, d->noted, &e->proof), "proof");
}

static void quote(struct door *d, const struct quote_challenge *q, struct evidence *e)
{
    struct tpm_quote made = { 0 };
    must(quote_challenge_preimage(q, &e->preimage), "preimage");
    struct digest qualifying = sha256(buf_span(&e->preimage));
    must(tpm_quote(d->chip.ak, CHIP_MASK, &qualifying, &made), "quote");
    must(buf_put(&e->attest, buf_span(&made.attest)), "quote");
    must(buf_put(&e->signature, buf_span(&made.signature)), "quote");
    tpm_quote_free(&made);
    e->pcr_mask = CHIP_MASK;
    must(tpm_pcr_read(d->chip.tpm, CHIP_MASK, e->pcr), "PCRs");
}

/* For appraisal offline. */
static void keep_last(struct door *d, const struct challenge *c, struct span evidence)
{
    char path[512];
    AUTO_BUF payload = BUF(CHALLENGE_MAX);
    must(challenge_write(c, &payload), "challenge");
    must(file_write(path_of(d, "challenge.json", path), buf_span(&payload), 0600, true), "challenge");
    must(file_write(path_of(d, "evidence.json", path), evidence, 0600, true), "evidence");
}

static void appraise_answer(struct door *d, const struct challenge *c, struct buf *out)
{
    AUTO_EVIDENCE *e = NULL;
    struct quote_challenge q;
    learn_approval(d);
    learn_policy(d);
    grow(d);
    must(evidence_new(&e), "evidence");
    bind_nonces(d, c, e, &q);
    quote(d, &q, e);
    e->has_approval = d->approved;
    e->approval = d->approval;
    e->cel = sha256(buf_span(&d->cel));
    e->has_policy = true;
    e->policy = d->policy;
    d->moves += lies(d, "moves");
    e->has_ima = lies(d, "slow");
    if (e->has_ima)
        e->ima_length = (uint64_t)DOCUMENT_PIECE_MAX * SLOW_PIECES * ++d->slow;
    chip_evidence(&d->chip, e->key);
    must(span_copy(SPAN(d->run), e->run, RUN_ID_SIZE), "run");
    if (lies(d, "old") && d->old_evidence.n) {
        must(buf_put(out, buf_span(&d->old_evidence)), "old evidence");
        return;
    }
    must(evidence_write(e, out), "evidence");
    buf_clear(&d->old_evidence);
    must(buf_put(&d->old_evidence, buf_span(out)), "old evidence");
    if (!is_steady(d))
        keep_last(d, c, buf_span(out));
}

/* Enrolment. */

static void unrestricted_area(struct door *d, struct buf *out)
{
    bool made;
    char path[512];
    struct hsm_key *key;
    must(tpm_provision(d->chip.tpm, TPM_MINT, 0x81000a20, path_of(d, "tool.pem", path), NULL, &made), "tool's key");
    must(tpm_signing_key(d->chip.tpm, 0x81000a20, d->chip.ak, NULL, &key), "tool's key");
    must(tpm_key_area(key, out), "tool's key");
    hsm_close(key);
}

static void put_eks(struct door *d, struct enrolment_offer *o)
{
    for (unsigned kind = 0; kind < EK_KINDS; kind++) {
        result r = tpm_ek_certificate(d->chip.tpm, (enum tpm_ek_kind)kind, &o->ek[o->eks].certificate);
        if (code_of(r) == E_not_found)
            continue;
        must(r, "EK certificate");
        must(tpm_ek_public(d->chip.tpm, (enum tpm_ek_kind)kind, &o->ek[o->eks].public), "EK");
        o->eks++;
    }
}

static void enrol_answer(struct door *d, struct buf *out)
{
    AUTO_ENROLMENT_OFFER *o = NULL;
    struct chip *keys = d->has_other && lies(d, "ak_other") ? &d->other : &d->chip;
    must(enrolment_offer_new(&o), "offer");
    put_eks(d, o);
    if (lies(d, "ak_unrestricted"))
        unrestricted_area(d, &o->ak);
    else
        must(tpm_key_area(d->has_other && lies(d, "name_mismatch") ? d->other.ak : keys->ak, &o->ak), "AK");
    chip_evidence(keys, o->key);
    must(enrolment_offer_write(o, out), "offer");
}

static result activated(struct door *d, const struct challenge *c, struct buf *secret)
{
    if (lies(d, "replay") && d->last_secret.n)
        return buf_put(secret, buf_span(&d->last_secret));
    enum tpm_ek_kind kind = c->secret_n > 200 ? EK_RSA : c->secret_n > 80 ? EK_P384 : EK_P256;
    TRY(tpm_activate(d->chip.tpm, kind, d->chip.ak, (struct span){ c->credential, c->credential_n },
        (struct span){ c->secret, c->secret_n }, secret));
    buf_clear(&d->last_secret);
    return buf_put(&d->last_secret, buf_span(secret));
}

static result activate_answer(struct door *d, const struct challenge *c, struct buf *out)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF secret = BUF(64);
    result r = activated(d, c, &secret);
    if (code_of(r) == E_activation_failed && lies(d, "ak_other"))
        r = buf_put(&secret, SPAN(c->nonce)); /* who can't open it may guess */
    TRY(r);
    TRY(json_put_b64url(o, "secret", buf_span(&secret)));
    return json_canonical(o, out);
}

static result slow_piece(const struct challenge *c, struct buf *out)
{
    static const uint8_t nothing[DOCUMENT_PIECE_MAX];
    AUTO_JSON *o = json_object();
    (void)poll(NULL, 0, SLOW_MS);
    TRY(json_put_b64url(o, "data", SPAN(nothing)));
    TRY(json_put_int(o, "offset", (int64_t)c->offset));
    TRY(json_put_int(o, "total", (int64_t)c->offset + (int64_t)sizeof nothing * SLOW_PIECES * 8));
    return json_canonical(o, out);
}

static result document_answer(struct door *d, const struct challenge *c, struct buf *out)
{
    if (c->document == DOCUMENT_IMA)
        return slow_piece(c, out);
    AUTO_JSON *o = json_object();
    struct span whole = c->document == DOCUMENT_CEL        ? buf_span(&d->cel)
                        : c->document == DOCUMENT_POLICY   ? buf_span(&d->policy_text)
                        : c->document == DOCUMENT_APPROVAL ? buf_span(&d->approval_text)
                                                           : (struct span){ NULL, 0 };
    if (!whole.n || c->offset > whole.n || (lies(d, "moves") && d->moves % 2))
        return fail(E_not_found);
    TRY(json_put_b64url(o, "data", span_part(whole, (size_t)c->offset, lies(d, "crumbs") ? 16 : DOCUMENT_PIECE_MAX)));
    TRY(json_put_int(o, "offset", (int64_t)c->offset));
    TRY(json_put_int(o, "total", (int64_t)whole.n));
    return json_canonical(o, out);
}

static result challenged(struct door *d, const json_t *question, struct buf *out)
{
    struct jws j;
    struct challenge c;
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    TRY(jws_parse(json_object_get(question, "challenge"), &arena, &j));
    TRY(challenge_parse(j.payload, &c));
    TRY(challenge_check(&c, d->domain, d->instance, clock_utc_ms() / 1000));
    switch (c.op) {
    case CHALLENGE_APPRAISE:
        appraise_answer(d, &c, out);
        return OK;
    case CHALLENGE_DOCUMENT:
        return document_answer(d, &c, out);
    case CHALLENGE_ENROL:
        enrol_answer(d, out);
        return OK;
    default:
        return activate_answer(d, &c, out);
    }
}

/* One line for each: seconds, whether there was a lease and the chip took it, the token. */
static result got_result(struct door *d, const json_t *question)
{
    char path[512];
    uint8_t raw[SIGNATURE_SIZE];
    int64_t seconds;
    const json_t *lease = json_object_get(question, "lease");
    const char *jwt, *what = "none";
    TRY(json_text(question, "result", 32768, &jwt));
    if (json_is_object(lease)) {
        AUTO_BUF signature = BUF(SIGNATURE_SIZE);
        TRY(json_int(lease, "seconds", 1, 300, &seconds));
        TRY(json_bytes_at(lease, "signature", SIGNATURE_SIZE, &signature));
        TRY(span_copy(buf_span(&signature), raw, sizeof raw));
        what = code_name(code_of(tpm_guard_lease_end(d->chip.guard, (uint32_t)seconds, raw)));
    }
    FILE *f = fopen(path_of(d, "results", path), "a");
    if (!f)
        return fail(E_io);
    fprintf(f, "%lld %s %s\n", (long long)(clock_utc_ms() / 1000), what, jwt);
    return fclose(f) == 0 ? OK : fail(E_io);
}

static result got_enrolled(struct door *d, const json_t *question)
{
    char path[512];
    AUTO_BUF text = BUF(JWS_TEXT_MAX), certificate = BUF(8192);
    const json_t *statement;
    TRY(json_object_at(question, "statement", &statement));
    TRY(json_canonical(statement, &text));
    TRY(json_bytes_at(question, "certificate", 8192, &certificate));
    TRY(file_write(path_of(d, "ek.der", path), buf_span(&certificate), 0600, true));
    return file_write(path_of(d, "enrolment.jws", path), buf_span(&text), 0600, true);
}

static result answer_to(struct door *d, struct span frame, struct buf *evidence)
{
    struct bus_frame f;
    AUTO_JSON *question = NULL;
    const char *op;
    TRY(bus_frame_read(frame, &f));
    TRY(json_strict(f.json, BUS_FRAME_MAX, &question));
    TRY(json_text(question, "op", 32, &op));
    if (lies(d, "refuse"))
        return fail(E_busy);
    if (span_is(span_text(op), "challenge"))
        return challenged(d, question, evidence);
    return span_is(span_text(op), "result") ? got_result(d, question) : got_enrolled(d, question);
}

static result reply_put(result done, struct span evidence, struct buf *frame)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX);
    if (!is_ok(done))
        return bus_frame_status(frame, "refused", code_of(done));
    TRY(evidence.n ? buf_printf(&json, "{\"evidence\":%.*s,\"status\":\"ok\"}", (int)evidence.n, (const char *)evidence.p)
                   : buf_text(&json, "{\"status\":\"ok\"}"));
    return bus_frame_put(frame, &(struct bus_frame){ .json = buf_span(&json) });
}

static void serve(struct door *d, struct bus_server *s)
{
    struct bus_request request;
    bool got = true;
    while (got) {
        AUTO_BUF evidence = BUF(BUS_FRAME_MAX), frame = BUF(BUS_FRAME_MAX);
        must(bus_receive(s, &request, &got), "bus");
        if (!got)
            return;
        if (lies(d, "quiet")) {
            bus_drop(s, &request.ticket);
            continue;
        }
        result done = answer_to(d, request.frame, &evidence);
        must(reply_put(done, buf_span(&evidence), &frame), "reply");
        bus_answer(s, &request.ticket, buf_span(&frame));
    }
}

static volatile sig_atomic_t stopped;

static void stop(int signal_)
{
    stopped = 1;
}

static struct door *door_of(char **argv)
{
    struct door *d = calloc(1, sizeof *d);
    if (!d)
        must(fail(E_no_memory), "door");
    d->folder = argv[4];
    d->domain = argv[5];
    d->instance = argv[6];
    d->programs = argv[7];
    d->note = BUF(NOTE_MAX);
    d->old_evidence = BUF(EVIDENCE_TEXT_MAX);
    d->last_secret = BUF(64);
    snprintf(d->origin, sizeof d->origin, "%s/%s", d->domain, d->instance);
    must(random_bytes(d->run, sizeof d->run), "run");
    d->policy_key = key_in(d, "policy.jwk");
    d->lease_key = key_in(d, "lease.jwk");
    return d;
}

int main(int argc, char **argv)
{
    char certificate[512], key[512], ca[512], other[512];
    struct bus_server *server = NULL;
    if (argc < 8)
        return 2;
    tpm_be_quiet();
    struct door *d = door_of(argv);
    chip_open(&d->chip, argv[3], d->folder, d->domain, d->instance, d->policy_key);
    d->has_other = argc > 8;
    if (d->has_other) {
        mkdir(path_of(d, "other", other), 0700);
        chip_open(&d->other, argv[8], other, d->domain, d->instance, d->policy_key);
    }
    measure(d);
    plan(d);
    snprintf(certificate, sizeof certificate, "%s/broker.crt", argv[2]);
    snprintf(key, sizeof key, "%s/broker.key", argv[2]);
    snprintf(ca, sizeof ca, "%s/ca.crt", argv[2]);
    const struct bus_tls tls = { .certificate = certificate, .key = key, .ca = ca };
    must(bus_serve(
             &(struct bus_server_args){
                 .tls = &tls, .address = argv[1], .pipes = 2048, .in_flight = 2048, .in_flight_per_uid = 2048 },
             &server),
        "bus");
    signal(SIGTERM, stop);
    puts("ready");
    fflush(stdout);
    while (!stopped) {
        struct pollfd p = { .fd = bus_fd(server), .events = POLLIN };
        if (poll(&p, 1, 200) > 0)
            serve(d, server);
    }
    bus_server_free(server);
    if (d->has_other)
        chip_close(&d->other);
    chip_close(&d->chip);
    return 0;
}
