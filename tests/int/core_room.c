#include "config.h"

#include "tests/int/core_room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const role_names[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };

static void must_ok(result r, const char *what)
{
    char text[256];
    if (!is_ok(r))
        printf("# %s\n", result_text(r, text, sizeof text));
    must(is_ok(r), what);
}

/* The keeper. */

void core_send_keeper(struct core_room *r, enum message_type type, uint64_t slot, const struct buf *fields)
{
    must_ok(link_send(r->keeper, type, slot, buf_span(fields)), "the keeper sends");
}

static void send_code(struct core_room *r, enum message_type type, uint64_t slot, const struct code_message *m)
{
    AUTO_BUF fields = BUF(64);
    must_ok(code_put(&fields, m), "code");
    core_send_keeper(r, type, slot, &fields);
}

void core_tell_health(struct core_room *r, enum seb_code code)
{
    send_code(r, MESSAGE_HEALTH, 0, &(struct code_message){ .code = code });
}

static void put_key(json_t *keys, const char *name, const struct testkey *k)
{
    json_t *o = json_object();
    must_ok(json_put_text(o, "backend", "tpm"), "key");
    must_ok(json_put_b64url(o, "evidence", span_text(name)), "key");
    must_ok(json_put_digest(o, "kid", pubkey_thumbprint(testkey_public(k))), "key");
    must_ok(json_put_new(keys, name, o), "key");
}

void core_tell_keys(struct core_room *r, const struct testkey *mint)
{
    AUTO_JSON *all = json_object();
    AUTO_BUF text = BUF(65536), fields = BUF(65536);
    json_t *keys = json_object(), *measured = json_object();
    for (unsigned i = 0; i < ROLES; i++)
        put_key(keys, role_names[i], i == ROLE_MINT ? mint : r->keys[i]);
    must_ok(json_put_new(all, "keys", keys), "keys");
    must_ok(json_put_b64url(all, "run", SPAN(r->run)), "run");
    must_ok(json_put_int(all, "counter", 7), "counter");
    must_ok(json_put_digest(measured, "sebd", &(struct digest){ { 5 } }), "measured");
    must_ok(json_put_new(all, "measured", measured), "measured");
    json_t *anchor = r->has_anchor ? json_pack("{s:b,s:i,s:i,s:I}", "clean", 0, "epoch", 3, "policy_epoch", 7, "size",
                                         (json_int_t)r->anchor_size)
                                   : json_null();
    if (r->has_anchor)
        must_ok(json_put_digest(anchor, "root", &r->root[r->anchor_size]), "anchor");
    must_ok(json_put_new(all, "anchor", anchor), "anchor");
    must_ok(json_canonical(all, &text), "KEYS");
    must_ok(text_put(&fields, buf_span(&text)), "KEYS");
    core_send_keeper(r, MESSAGE_KEYS, 0, &fields);
}

static void make_note(struct core_room *r, uint64_t size)
{
    AUTO_BUF text = BUF(NOTE_MAX);
    struct checkpoint c = { .origin = "prod.example/b1", .size = size, .root = r->root[size] };
    uint8_t raw[SIGNATURE_SIZE];
    must_ok(checkpoint_text(&c, &text), "note");
    testkey_sign(r->keys[ROLE_RECORD], buf_span(&text), raw);
    buf_clear(&r->note);
    must_ok(checkpoint_note(&c, testkey_public(r->keys[ROLE_RECORD]), raw, &r->note), "note");
    r->signed_size = size;
}

void core_sign(struct core_room *r)
{
    AUTO_BUF checkpoint = BUF(8192), quote = BUF(8192);
    make_note(r, r->frontier.size);
    must_ok(
        checkpoint_put(&checkpoint, &(struct checkpoint_message){ .size = r->signed_size, .note = buf_span(&r->note) }), "note");
    core_send_keeper(r, MESSAGE_CHECKPOINT, 0, &checkpoint);
    must_ok(quote_put(&quote,
                &(struct quote_message){
                    .size = r->signed_size, .attest = span_text("a"), .signature = span_text("s"), .preimage = span_text("p") }),
        "quote");
    core_send_keeper(r, MESSAGE_QUOTE, 0, &quote);
}

static void got_resume(struct core_room *r, const struct message *m)
{
    struct resume_message resume;
    must_ok(resume_read(m->fields, &resume), "RESUME");
    r->frontier = (struct frontier){ .size = resume.size, .n = resume.n };
    for (unsigned i = 0; i < resume.n; i++)
        r->frontier.hash[i] = resume.hash[i];
    r->resume_size = resume.size;
    r->resume_proof = resume.proof_n;
    r->signed_size = resume.size;
    r->root[resume.size] = frontier_root(&r->frontier);
    r->first = resume.size;
    r->entries = 0;
    r->resumes++;
    r->resumed = true;
    send_code(r, MESSAGE_RESUMED, m->slot, &(struct code_message){ .what = LOADED_RESUME, .foreign = r->resumed_bits });
    link_phase_set(r->keeper, PHASE_SERVING);
    core_tell_health(r, r->signs ? E_ok : E_lease_missing);
}

static void got_append(struct core_room *r, const struct message *m)
{
    struct append_reader a;
    must_ok(append_open(m->fields, &a), "APPEND");
    while (a.left) {
        struct span text;
        must_ok(append_next(&a, &text), "APPEND");
        must(a.index == r->frontier.size && r->entries < ROOM_ENTRIES, "entries follow each other");
        struct entry e;
        must_ok(entry_read(text, &e), "an entry");
        must(e.time >= r->newest_ms, "times never go back");
        r->newest_ms = e.time;
        struct digest leaf = merkle_leaf(text);
        frontier_append(&r->frontier, &leaf, NULL, NULL);
        r->root[r->frontier.size] = frontier_root(&r->frontier);
        struct buf *entry = &r->entry[r->entries++];
        buf_free(entry);
        *entry = BUF(ENTRY_MAX);
        must_ok(buf_put(entry, text), "entry");
    }
}

static void loaded(struct core_room *r, uint64_t slot, enum loaded_what what)
{
    send_code(r, MESSAGE_LOADED, slot, &(struct code_message){ .code = r->loaded_code, .what = what });
}

/* Evidence of nothing: the core looks at its note alone. */
static void send_evidence(struct core_room *r, uint64_t slot)
{
    AUTO_EVIDENCE *e = NULL;
    AUTO_BUF part = BUF(EVIDENCE_TEXT_MAX), fields = BUF(EVIDENCE_TEXT_MAX + 64);
    must_ok(evidence_new(&e), "evidence");
    must_ok(buf_text(&e->attest, "attest"), "evidence");
    must_ok(buf_text(&e->signature, "signature"), "evidence");
    must_ok(buf_text(&e->preimage, "preimage"), "evidence");
    must_ok(buf_put(&e->note, buf_span(&r->note)), "evidence");
    e->cel = sha256(span_text("event log"));
    e->pcr_mask = 1;
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        must_ok(span_copy_text(span_text("tpm"), e->key[i].backend, sizeof e->key[i].backend), "evidence");
        must_ok(buf_text(&e->key[i].evidence, "{}"), "evidence");
        e->key[i].kid = *pubkey_thumbprint(testkey_public(r->keys[i]));
    }
    must_ok(evidence_write_part(e, &part), "evidence");
    must_ok(evidence_put(&fields, &(struct evidence_message){ .json = buf_span(&part) }), "EVIDENCE");
    core_send_keeper(r, MESSAGE_EVIDENCE, slot, &fields);
}

static void send_json(struct core_room *r, uint64_t slot, const char *json)
{
    AUTO_BUF fields = BUF(1024);
    must_ok(evidence_put(&fields, &(struct evidence_message){ .json = span_text(json) }), "EVIDENCE");
    core_send_keeper(r, MESSAGE_EVIDENCE, slot, &fields);
}

static void got_challenge(struct core_room *r, const struct message *m)
{
    struct jws j;
    struct challenge c;
    must_ok(statement_read(m->fields, &j), "CHALLENGE");
    must_ok(challenge_parse(j.payload, &c), "CHALLENGE");
    r->challenges++;
    r->challenge_slot = m->slot;
    if (c.op == CHALLENGE_DOCUMENT) /* the event log, in one piece */
        send_json(r, m->slot, "{\"data\":\"ZXZlbnQgbG9n\",\"offset\":0,\"total\":9}");
    else if (r->answers)
        send_evidence(r, m->slot);
}

static void got_result(struct core_room *r, const struct message *m)
{
    static uint8_t kept[LEASE_SIGNATURE_SIZE];
    struct result_message result_;
    must_ok(result_read(m->fields, &result_), "RESULT");
    r->results++;
    r->lease = result_.lease;
    if (r->lease.seconds) {
        must_ok(span_copy(r->lease.signature, kept, sizeof kept), "lease");
        r->lease.signature = SPAN(kept);
    }
    loaded(r, m->slot, LOADED_RESULT);
}

/* A read's or a mutation's call, as the target would answer it. */
static void got_mint(struct core_room *r, const struct message *m)
{
    AUTO_BUF fields = BUF(1024);
    struct mint_message mint;
    must_ok(mint_read(m->fields, &mint), "MINT");
    struct entry e;
    must_ok(entry_read(buf_span(&r->entry[mint.index - r->first]), &e), "the entry that is minted for");
    struct answer_message a = { .phase = ANSWER_WHOLE, .http_status = 204 };
    if (e.type == ENTRY_READ)
        a = (struct answer_message){ .phase = ANSWER_WHOLE,
            .http_status = 200,
            .has_etag = true,
            .etag = span_text("\"v1\""),
            .has_body = true,
            .body_sha256 = sha256(span_text("old")),
            .body_length = 3 };
    must_ok(answer_put(&fields, &a), "ANSWER");
    must_ok(link_send(r->runner, MESSAGE_ANSWER, m->slot, buf_span(&fields)), "ANSWER");
}

static void at_keeper(struct core_room *r, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_RESUME:
        got_resume(r, m);
        break;
    case MESSAGE_APPEND:
        got_append(r, m);
        break;
    case MESSAGE_SIGN:
        if (r->signs)
            core_sign(r);
        break;
    case MESSAGE_POLICY:
        loaded(r, m->slot, LOADED_POLICY);
        break;
    case MESSAGE_EPOCH:
        loaded(r, m->slot, LOADED_EPOCH);
        break;
    case MESSAGE_APPROVAL:
        r->approvals++;
        loaded(r, m->slot, LOADED_APPROVAL);
        break;
    case MESSAGE_ACKNOWLEDGE:
        r->acknowledges++;
        loaded(r, m->slot, LOADED_ACKNOWLEDGE);
        break;
    case MESSAGE_CHALLENGE:
        got_challenge(r, m);
        break;
    case MESSAGE_RESULT:
        got_result(r, m);
        break;
    case MESSAGE_PLAN:
        r->plans++;
        send_json(r, m->slot, "{\"counter\":7}");
        break;
    default:
        got_mint(r, m);
    }
}

/* The front and the supervisor. */

static void at_front(struct core_room *r, const struct message *m)
{
    struct span text;
    must_ok(text_read(m->fields, &text), "REPLY");
    json_decref(r->reply);
    must_ok(json_strict(text, LINK_PACKET_MAX, &r->reply), "REPLY");
    r->reply_slot = m->slot;
}

static void at_control(struct core_room *r, const struct message *m)
{
    r->ready |= m->type == MESSAGE_READY;
}

static void drain(struct core_room *r, struct link *l, void (*take)(struct core_room *, const struct message *))
{
    struct message m;
    bool got = l != NULL;
    while (got) {
        result e = link_receive(l, &m, &got);
        if (!is_ok(e)) {
            must(code_of(e) == E_peer_gone, "the core sends only what is legal");
            r->gone = true;
            return;
        }
        if (got)
            take(r, &m);
    }
}

bool core_pump(struct core_room *r, int64_t end_ms)
{
    struct link *links[] = { r->control, r->front, r->keeper };
    struct pollfd fds[3];
    int64_t left = end_ms - clock_mono_ms();
    if (r->gone || left < 0)
        return false;
    for (unsigned i = 0; i < 3; i++)
        fds[i] = (struct pollfd){ .fd = links[i] ? link_fd(links[i]) : -1, .events = POLLIN };
    must(poll(fds, 3, (int)left) >= 0 || errno == EINTR, "poll");
    drain(r, r->keeper, at_keeper);
    drain(r, r->front, at_front);
    drain(r, r->control, at_control);
    return true;
}

static enum seb_code reply_code(const struct core_room *r)
{
    const char *code = json_string_value(json_object_get(r->reply, "code"));
    return code ? code_named(code) : E_ok;
}

enum seb_code core_ask(struct core_room *r, enum message_type type, const struct buf *fields)
{
    uint64_t slot = ++r->next_slot;
    must_ok(link_send(r->front, type, slot, buf_span(fields)), "the front sends");
    CORE_WAIT(r, r->reply_slot == slot || r->gone);
    return r->reply_slot == slot ? reply_code(r) : E_CODES;
}

static int config_memfd(struct span text)
{
    int fd = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n, "memfd");
    must(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0, "seals");
    return fd;
}

static void run_core(struct core_room *r, const int *fds, unsigned n)
{
    char path[256];
    int moved[8];
    snprintf(path, sizeof path, "%s/core.log", r->work);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log >= 0)
        dup2(log, 2);
    for (unsigned i = 0; i < n; i++)
        moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 32);
    for (unsigned i = 0; i < n; i++)
        dup2(moved[i], FD_CONFIG + (int)i);
    execl(r->program, "seb-core", (char *)NULL);
    _exit(127);
}

void core_start(struct core_room *r)
{
    int control[2], front[2], keeper[2], runner[2];
    const int kind = SOCK_SEQPACKET | SOCK_CLOEXEC;
    must(!socketpair(AF_UNIX, kind, 0, control) && !socketpair(AF_UNIX, kind, 0, front) && !socketpair(AF_UNIX, kind, 0, keeper) &&
             !socketpair(AF_UNIX, kind, 0, runner),
        "socketpair");
    const int fds[] = { config_memfd(buf_span(&r->config_text)), control[1], front[1], keeper[1], runner[1] };
    fflush(stdout);
    r->pid = fork();
    must(r->pid >= 0, "fork");
    if (r->pid == 0)
        run_core(r, fds, sizeof fds / sizeof fds[0]);
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
        close(fds[i]);
    must_ok(link_new(control[0], LINK_CONTROL, END_FIRST, &r->control), "link");
    must_ok(link_new(front[0], LINK_FRONT_CORE, END_FIRST, &r->front), "link");
    must_ok(link_new(keeper[0], LINK_CORE_KEEPER, END_SECOND, &r->keeper), "link");
    must_ok(link_new(runner[0], LINK_RUNNER_CORE, END_FIRST, &r->runner), "link");
    r->gone = r->ready = r->resumed = false;
    r->run[0]++;
    core_tell_keys(r, r->keys[ROLE_MINT]);
    CORE_WAIT(r, r->ready || r->gone);
}

static void ended(struct core_room *r)
{
    link_free(r->control);
    link_free(r->front);
    link_free(r->keeper);
    link_free(r->runner);
    r->control = r->front = r->keeper = r->runner = NULL;
    r->pid = 0;
}

void core_kill(struct core_room *r)
{
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    ended(r);
}

void core_stop(struct core_room *r)
{
    int status = 0;
    pid_t pid = 0;
    if (!r->pid)
        return;
    link_free(r->control);
    r->control = NULL;
    for (int64_t end = clock_mono_ms() + ROOM_WAIT_MS; pid == 0 && clock_mono_ms() < end;) {
        pid = waitpid(r->pid, &status, WNOHANG);
        if (pid == 0 && !core_pump(r, clock_mono_ms() + 20))
            poll(NULL, 0, 5);
    }
    check_that(r->c, pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the core stops when told to");
    if (pid == 0)
        kill(r->pid, SIGKILL);
    ended(r);
}

/* Documents. */

static result put_signed(struct testkey *key, const char *typ, struct span payload, struct buf *arena, struct jws *ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    testkey_jws(&key, 1, typ, payload, &text);
    return jws_parse_text(buf_span(&text), arena, ret);
}

enum seb_code core_load(struct core_room *r, enum admin_operation op, struct testkey *key, const char *typ, const json_t *payload)
{
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX), arena = BUF(JWS_TEXT_MAX), fields = BUF(LINK_PACKET_MAX);
    struct admin_message m = { .operation = op };
    if (payload) {
        must_ok(json_canonical(payload, &text), "payload");
        must_ok(put_signed(key, typ, buf_span(&text), &arena, &m.statement), "statement");
    }
    must_ok(admin_put(&fields, &m), "ADMIN");
    return core_ask(r, MESSAGE_ADMIN, &fields);
}

enum seb_code core_load_all(struct core_room *r)
{
    int64_t now = clock_utc_ms() / 1000;
    must_ok(json_put_int(r->w.epoch_json, "iat", now - 10), "epoch");
    must_ok(json_put_int(r->w.epoch_json, "exp", now + 3600), "epoch");
    enum seb_code code = core_load(r, ADMIN_POLICY, r->policy_key, TYP_POLICY, r->w.policy_json);
    return code != E_ok ? code : core_load(r, ADMIN_EPOCH, r->revocation_key, TYP_EPOCH, r->w.epoch_json);
}

const char *core_status_text(struct core_room *r, const char *path)
{
    must(core_load(r, ADMIN_STATUS, NULL, NULL, NULL) != E_CODES, "status");
    const char *text = json_string_value(at_path(r->reply, path));
    return text ? text : "";
}

struct challenge core_challenge(struct core_room *r)
{
    struct challenge c = { .op = CHALLENGE_APPRAISE, .iat = clock_utc_ms() / 1000, .has_seen = r->has_seen, .seen = r->seen };
    must_ok(span_copy_text(span_text("prod.example"), c.domain, sizeof c.domain), "domain");
    must_ok(span_copy_text(span_text("b1"), c.instance, sizeof c.instance), "instance");
    c.nonce[0] = ++r->nonce[0];
    return c;
}

static enum seb_code attest_send(
    struct core_room *r, struct testkey *key, const char *typ, struct span payload, struct attest_message *m)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX), fields = BUF(LINK_PACKET_MAX);
    must_ok(put_signed(key, typ, payload, &arena, &m->statement), "statement");
    must_ok(attest_put(&fields, m), "ATTEST");
    return core_ask(r, MESSAGE_ATTEST, &fields);
}

enum seb_code core_challenge_send(struct core_room *r, const struct challenge *c, struct testkey *key)
{
    AUTO_BUF payload = BUF(CHALLENGE_MAX);
    must_ok(challenge_write(c, &payload), "challenge");
    return attest_send(r, key, TYP_CHALLENGE, buf_span(&payload), &(struct attest_message){ .operation = ATTEST_CHALLENGE });
}

enum seb_code core_challenge_honest(struct core_room *r)
{
    struct challenge c = core_challenge(r);
    AUTO_BUF text = BUF(EVIDENCE_TEXT_MAX);
    enum seb_code code = core_challenge_send(r, &c, r->w.verifier);
    if (code != E_ok)
        return code;
    must_ok(json_canonical(json_object_get(r->reply, "evidence"), &text), "evidence");
    r->evidence = sha256(buf_span(&text));
    return E_ok;
}

struct result_claims core_result(struct core_room *r)
{
    int64_t now = clock_utc_ms() / 1000;
    struct result_claims c = { .iat = now, .exp = now + 30, .status = EAR_AFFIRMING, .evidence = r->evidence };
    for (unsigned i = 0; i < EAR_CLAIMS; i++)
        c.vector.value[i] = 2;
    must_ok(span_copy_text(span_text("seb"), c.build, sizeof c.build), "build");
    must_ok(span_copy_text(span_text("seb"), c.developer, sizeof c.developer), "developer");
    must_ok(span_copy_text(span_text("urn:test"), c.appraisal_policy, sizeof c.appraisal_policy), "policy");
    must_ok(span_copy_text(span_text("prod.example"), c.domain, sizeof c.domain), "domain");
    must_ok(span_copy_text(span_text("b1"), c.instance, sizeof c.instance), "instance");
    c.nonce[0] = r->nonce[0];
    c.attestation = *pubkey_thumbprint(testkey_public(r->keys[ROLE_ATTESTATION]));
    c.record = *pubkey_thumbprint(testkey_public(r->keys[ROLE_RECORD]));
    c.mint = *pubkey_thumbprint(testkey_public(r->keys[ROLE_MINT]));
    c.log = (struct log_state){ .size = r->signed_size, .root = r->root[r->signed_size] };
    c.log_before = r->has_seen ? r->seen : log_state_empty();
    return c;
}

enum seb_code core_result_send(struct core_room *r, const struct result_claims *c, struct testkey *key, uint32_t lease_s)
{
    static const uint8_t signature[LEASE_SIGNATURE_SIZE] = { 9 };
    AUTO_BUF payload = BUF(RESULT_MAX);
    struct attest_message m = { .operation = ATTEST_RESULT, .lease.seconds = lease_s };
    if (lease_s)
        m.lease.signature = SPAN(signature);
    must_ok(result_write(c, &payload), "result");
    return attest_send(r, key, TYP_RESULT, buf_span(&payload), &m);
}

enum seb_code core_attest(struct core_room *r)
{
    enum seb_code code = core_challenge_honest(r);
    struct result_claims c = core_result(r);
    return code != E_ok ? code : core_result_send(r, &c, r->w.verifier, 30);
}

/* Requests. */

void core_certificate(struct core_room *r, const char *cid)
{
    int64_t now = clock_utc_ms() / 1000;
    must_ok(json_put_text(r->w.certificate_json, "cid", cid), "cid");
    must_ok(json_put_int(r->w.certificate_json, "iat", now - 60), "iat");
    must_ok(json_put_int(r->w.certificate_json, "nbf", now - 60), "nbf");
    must_ok(json_put_int(r->w.certificate_json, "exp", now + 600), "exp");
    must_ok(json_put_text(r->w.request_json, "id", cid), "id");
    must_ok(json_put_int(r->w.request_json, "iat", now), "iat");
    must_ok(json_put_int(r->w.request_json, "wait_ms", 5000), "wait_ms");
}

/* What follows a contract is the world's: the state, the request's mutation. */
static void follow(struct core_room *r, struct buf *certificate)
{
    static const char *const members[] = { "operation", "parameters", "resource", "target" };
    struct digest state, d;
    const json_t *contract = at_path(r->w.certificate_json, "contract");
    json_t *mutation = json_object_get(r->w.request_json, "mutation");
    must_ok(contract_state(contract, &state), "state");
    must_ok(json_put_digest(r->w.certificate_json, "state", &state), "state");
    must_ok(json_canonical(r->w.certificate_json, certificate), "certificate");
    for (unsigned i = 0; i < 4; i++)
        json_object_set_new(mutation, members[i], json_deep_copy(json_object_get(contract, members[i])));
    d = sha256(buf_span(certificate));
    must_ok(json_put_digest(r->w.request_json, "certificate", &d), "request");
}

enum seb_code core_submit(struct core_room *r)
{
    AUTO_BUF certificate = BUF(JWS_PAYLOAD_MAX), request = BUF(JWS_PAYLOAD_MAX), a = BUF(JWS_TEXT_MAX), b = BUF(JWS_TEXT_MAX),
             fields = BUF(LINK_PACKET_MAX);
    struct submit_message m = { .uid = 1000, .body = span_text("hello") };
    follow(r, &certificate);
    must_ok(json_canonical(r->w.request_json, &request), "request");
    must_ok(put_signed(r->w.authority[0], TYP_CERTIFICATE, buf_span(&certificate), &a, &m.certificate), "certificate");
    must_ok(put_signed(r->w.agent, TYP_REQUEST, buf_span(&request), &b, &m.request), "request");
    must_ok(submit_put(&fields, &m), "SUBMIT");
    return core_ask(r, MESSAGE_SUBMIT, &fields);
}

struct entry core_entry(struct core_room *r, unsigned n)
{
    struct entry e;
    must(n < r->entries, "an entry");
    must_ok(entry_read(buf_span(&r->entry[n]), &e), "an entry");
    return e;
}

unsigned core_entries_of(struct core_room *r, enum entry_type type)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->entries; i++)
        n += core_entry(r, i).type == type;
    return n;
}

struct entry core_newest(struct core_room *r, enum entry_type type, unsigned *ret_at)
{
    for (unsigned i = r->entries; i > 0; i--) {
        struct entry e = core_entry(r, i - 1);
        if (e.type == type) {
            if (ret_at)
                *ret_at = i - 1;
            return e;
        }
    }
    must(false, "an entry of the type");
    return (struct entry){ .type = type };
}

static json_t *jwk_of(struct testkey *k)
{
    json_t *jwk;
    must_ok(pubkey_jwk(testkey_public(k), &jwk), "jwk");
    return jwk;
}

void core_make(struct core_room *r, struct checks *c, const char *work, const char *program)
{
    *r = (struct core_room){ .c = c, .work = work, .program = program, .answers = true };
    r->config_text = BUF(CONFIG_MAX);
    r->note = BUF(NOTE_MAX);
    world_new(&r->w);
    r->policy_key = testkey_new(ALG_ES256);
    r->revocation_key = testkey_new(ALG_EDDSA);
    r->next_mint = testkey_new(ALG_ES256);
    for (unsigned i = 0; i < ROLES; i++)
        r->keys[i] = testkey_new(ALG_ES256);
    json_object_set_new(r->w.policy_json, "hsm", json_null());
    char state[256];
    snprintf(state, sizeof state, "%s/state", work);
    AUTO_JSON *o = json_pack("{s:s,s:s,s:s,s:{s:s},s:{s:s},s:{s:o,s:o},s:{s:{s:s,s:s,s:s,s:s}}}", "domain", "prod.example",
        "instance", "b1", "state_dir", state, "tpm", "path", "/dev/tpmrm0", "mint_key", "backend", "tpm", "pinned", "policy",
        jwk_of(r->policy_key), "revocation", jwk_of(r->revocation_key), "targets", "docs", "kind", "http", "prefix",
        "https://docs.example/", "audience", "docs", "ca", "/ca.pem");
    must(o != NULL, "configuration");
    must_ok(json_canonical(o, &r->config_text), "configuration");
}

void core_free(struct core_room *r)
{
    core_stop(r);
    world_free(&r->w);
    testkey_free(r->policy_key);
    testkey_free(r->revocation_key);
    testkey_free(r->next_mint);
    for (unsigned i = 0; i < ROLES; i++)
        testkey_free(r->keys[i]);
    for (unsigned i = 0; i < ROOM_ENTRIES; i++)
        buf_free(&r->entry[i]);
    buf_free(&r->config_text);
    buf_free(&r->note);
    json_decref(r->reply);
}
