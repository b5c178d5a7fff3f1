#include "config.h"

#include "tests/int/keeper_room.h"

#include "attest/quote.h"

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

const char room_body[6] = "hello";

void must_ok(result r, const char *what)
{
    char text[256];
    if (!is_ok(r))
        printf("# %s\n", result_text(r, text, sizeof text));
    must(is_ok(r), what);
}

/* What the keeper sends. */

void room_hold(struct room *r, bool holds, const char *what)
{
    if (!holds) {
        r->wrong++;
        check_that(r->c, false, what);
    }
}

static void got_keys(struct room *r, struct span fields)
{
    struct span text;
    AUTO_JSON *o = NULL;
    AUTO_BUF run = BUF(RUN_SIZE), evidence = BUF(65536);
    const json_t *keys, *key;
    static const char *const names[ROLES] = { "attestation", "record", "mint" };
    must_ok(text_read(fields, &text), "KEYS");
    must_ok(json_strict(text, LINK_PACKET_MAX, &o), "KEYS");
    must_ok(json_bytes_at(o, "run", RUN_SIZE, &run), "run");
    must_ok(span_copy(buf_span(&run), r->run, RUN_SIZE), "run");
    must_ok(json_object_at(o, "keys", &keys), "keys");
    for (unsigned i = 0; i < ROLES; i++) {
        struct digest kid;
        must_ok(json_object_at(keys, names[i], &key), names[i]);
        must_ok(json_digest_at(key, "kid", &kid), "kid");
        room_hold(r, digest_equal(&kid, pubkey_thumbprint(r->instance.key[i])), "KEYS holds the keys that are recorded");
        must_ok(json_bytes_at(key, "evidence", 65536, &evidence), "evidence");
    }
    r->has_run = true;
    r->keys_told++;
    const json_t *anchor = json_object_get(o, "anchor");
    r->has_anchor = json_is_object(anchor);
    if (r->has_anchor) {
        int64_t size;
        must_ok(json_int(anchor, "size", 0, JSON_INT_MAX, &size), "size");
        must_ok(json_digest_at(anchor, "root", &r->anchor.root), "root");
        r->anchor.size = (uint64_t)size;
    }
}

/* A mint key of a new epoch: what instance.json says by then. */
static void read_instance_again(struct room *r)
{
    struct instance now;
    must_ok(instance_load(r->config, &now), "instance.json");
    instance_free(&r->instance);
    r->instance = now;
}

static void got_text(struct span fields, struct buf *to)
{
    struct span text;
    must_ok(text_read(fields, &text), "STATE");
    buf_clear(to);
    must_ok(buf_put(to, text), "STATE");
}

static void got_evidence(struct room *r, struct span fields)
{
    struct evidence_message m;
    must_ok(evidence_read(fields, &m), "EVIDENCE");
    buf_clear(&r->evidence);
    must_ok(buf_put(&r->evidence, m.json), "EVIDENCE");
    r->evidence_code = m.code;
    r->evidences++;
}

static void got_checkpoint(struct room *r, struct span fields)
{
    struct checkpoint_message m;
    struct checkpoint c;
    struct span text;
    must_ok(checkpoint_read(fields, &m), "CHECKPOINT");
    bool good = is_ok(checkpoint_open(m.note, r->instance.key[ROLE_RECORD], &c, &text)) && c.size == m.size &&
                c.size <= r->frontier.size && span_is(span_text(c.origin), "prod.example/b1") &&
                digest_equal(&c.root, &r->root[c.size]);
    room_hold(r, good, "a checkpoint is the record key's, over the log that was appended");
    room_hold(r, c.size >= r->signed_size, "checkpoints only grow");
    buf_clear(&r->note);
    must_ok(buf_put(&r->note, m.note), "note");
    r->signed_size = c.size;
    r->note_text[c.size] = sha256(text);
    r->signed_ms[c.size] = clock_mono_ms();
    r->checkpoints++;
}

static void got_quote(struct room *r, struct span fields)
{
    struct quote_message m;
    struct attest a;
    struct digest text;
    uint64_t policy_epoch, epoch;
    must_ok(quote_read(fields, &m), "QUOTE");
    struct digest qualifying = sha256(m.preimage);
    bool good = is_ok(attest_open(m.attest, m.signature, r->instance.key[ROLE_ATTESTATION], &a)) && a.is_quote &&
                span_equal(a.extra, digest_span(&qualifying)) &&
                is_ok(quote_preimage_read(m.preimage, &text, &policy_epoch, &epoch)) && m.size <= r->signed_size &&
                digest_equal(&text, &r->note_text[m.size]);
    room_hold(r, good, "a quote is the attestation key's, over a checkpoint that was sent");
    for (uint64_t size = r->quoted_size; size <= m.size; size++)
        if (r->signed_ms[size]) {
            int64_t late = clock_mono_ms() - r->signed_ms[size];
            r->worst_quote_ms = late > r->worst_quote_ms ? late : r->worst_quote_ms;
            r->signed_ms[size] = 0;
        }
    r->quoted_size = m.size;
    r->quotes++;
}

static void got_code(struct room *r, const struct message *m)
{
    struct code_message code;
    must_ok(code_read(m->fields, &code), "a code");
    switch (m->type) {
    case MESSAGE_RESUMED:
        r->resumed++;
        r->resumed_code = code.code;
        r->resumed_bits = code.foreign;
        r->serving = code.code == E_ok || code.code == E_log_rolled_back;
        if (r->serving)
            link_phase_set(r->core, PHASE_SERVING);
        break;
    case MESSAGE_LOADED:
        r->loaded++;
        r->loaded_behind = r->evidences;
        r->loaded_code = code.code;
        break;
    case MESSAGE_MINT_REFUSED:
        r->refused++;
        r->refused_code = code.code;
        r->refused_slot = m->slot;
        break;
    default:
        r->healths++;
        r->health = code.code;
        break;
    }
}

static void from_core(struct room *r, const struct message *m)
{
    if (m->type == MESSAGE_KEYS) {
        read_instance_again(r);
        got_keys(r, m->fields);
    } else if (m->type == MESSAGE_STATE)
        got_text(m->fields, &r->state);
    else if (m->type == MESSAGE_EVIDENCE)
        got_evidence(r, m->fields);
    else if (m->type == MESSAGE_CHECKPOINT)
        got_checkpoint(r, m->fields);
    else if (m->type == MESSAGE_QUOTE)
        got_quote(r, m->fields);
    else
        got_code(r, m);
}

static void from_runner(struct room *r, const struct message *m)
{
    buf_clear(&r->call.fields);
    must_ok(buf_put(&r->call.fields, m->fields), "CALL");
    must_ok(call_read(buf_span(&r->call.fields), &r->call.m), "CALL");
    r->call.slot = m->slot;
    r->calls++;
}

static void from_control(struct room *r, const struct message *m)
{
    r->ready |= m->type == MESSAGE_READY;
    r->tpm_again += m->type == MESSAGE_TPM_AGAIN;
}

static bool drain(struct room *r, struct link *l, void (*take)(struct room *, const struct message *))
{
    struct message m;
    bool got = true, any = false;
    while (got) {
        result e = link_receive(l, &m, &got);
        if (!is_ok(e)) {
            room_hold(r, code_of(e) == E_peer_gone, "the keeper sends only what is legal");
            r->gone = true;
            return any;
        }
        if (got)
            take(r, &m);
        any |= got;
    }
    return any;
}

bool room_pump(struct room *r, int64_t end_ms)
{
    struct link *links[] = { r->control, r->core, r->runner };
    struct pollfd fds[3];
    int64_t left = end_ms - clock_mono_ms();
    if (r->gone || left < 0)
        return false;
    for (unsigned i = 0; i < 3; i++)
        fds[i] = (struct pollfd){ .fd = link_fd(links[i]), .events = link_events(links[i]) };
    must(poll(fds, 3, (int)left) >= 0 || errno == EINTR, "poll");
    for (unsigned i = 0; i < 3; i++)
        if (fds[i].revents & POLLOUT)
            must_ok(link_flush(links[i]), "flush");
    /* CALLs first: what is refused later must not have been called. */
    drain(r, r->runner, from_runner);
    drain(r, r->core, from_core);
    drain(r, r->control, from_control);
    return true;
}

void room_send(struct room *r, enum message_type type, uint64_t slot, const struct buf *fields)
{
    must_ok(link_send(r->core, type, slot, fields ? buf_span(fields) : (struct span){ NULL, 0 }), "send");
}

void room_send_raw(struct room *r, struct span packet)
{
    must(send(link_fd(r->core), packet.p, packet.n, MSG_NOSIGNAL) == (ssize_t)packet.n, "send");
}

/* The core's ways. */

/* Where to find the subtrees of the room's own log. */
static result leaf_at(void *ctx, unsigned level, uint64_t index, struct digest *ret)
{
    const struct room *r = ctx;
    const uint64_t first = index << level;
    if (!level) {
        *ret = r->leaf[index];
        return OK;
    }
    struct frontier f = { .size = 0 };
    for (uint64_t i = first; i < first + (UINT64_C(1) << level); i++)
        frontier_append(&f, &r->leaf[i], NULL, NULL);
    *ret = frontier_root(&f);
    return OK;
}

static void room_proof(struct room *r, uint64_t size, struct resume_message *m)
{
    struct merkle_source source = { .get = leaf_at, .ctx = r };
    struct merkle_proof p = { .n = 0 };
    if (!r->has_anchor || !r->anchor.size || r->anchor.size >= size)
        return;
    must_ok(merkle_consistency(&source, r->anchor.size, size, &p), "proof");
    for (m->proof_n = 0; m->proof_n < p.n; m->proof_n++)
        m->proof[m->proof_n] = p.hash[m->proof_n];
}

enum seb_code room_resume(struct room *r, const struct frontier *f, struct span note)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    struct resume_message m = { .size = f->size, .n = f->n, .note = note };
    unsigned before = r->resumed;
    for (unsigned i = 0; i < f->n; i++)
        m.hash[i] = f->hash[i];
    r->resumed_log = (struct log_state){ .size = f->size, .root = frontier_root(f) };
    room_proof(r, f->size, &m);
    must_ok(resume_put(&fields, &m), "RESUME");
    room_send(r, MESSAGE_RESUME, ++r->next_slot, &fields);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->resumed > before || r->gone);
    if (r->resumed > before && r->serving && note.p != r->note.p) { /* another log than the newest was taken */
        buf_clear(&r->note);
        must_ok(buf_put(&r->note, note), "note");
    }
    return r->resumed > before ? r->resumed_code : E_peer_gone;
}

void room_new_log(struct room *r)
{
    r->frontier = (struct frontier){ .size = 0 };
    r->root[0] = frontier_root(&r->frontier);
    r->signed_size = r->quoted_size = 0;
    for (unsigned i = 0; i <= ROOM_ENTRIES; i++)
        r->signed_ms[i] = 0;
    buf_clear(&r->note);
}

enum seb_code room_load(struct room *r, enum message_type type, const struct jws *j)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    unsigned before = r->loaded;
    must_ok(statement_put(&fields, j), "statement");
    room_send(r, type, ++r->next_slot, &fields);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->loaded > before || r->gone);
    return r->loaded > before ? r->loaded_code : E_peer_gone;
}

void room_load_all(struct room *r)
{
    check_code(r->c, fail(room_resume(r, &r->frontier, buf_span(&r->note))), E_ok, "an honest log is taken");
    check_code(r->c, fail(room_load(r, MESSAGE_POLICY, &r->policy.jws)), E_ok, "the signed policy is loaded");
    check_code(r->c, fail(room_load(r, MESSAGE_EPOCH, &r->epoch.jws)), E_ok, "the signed epoch is loaded");
    room_arm(r);
}

void room_arm(struct room *r)
{
    check_code(r->c, fail(room_approve(r)), E_ok, "the measured state is approved");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a verifier affirms, and leases the keys");
    unsigned told = r->keys_told;
    check_that(r->c, room_becomes_usable(r), "the keys can be used");
    if (r->keys_told > told) /* of another epoch: its mint key is to be attested */
        check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "and the epoch's mint key is attested");
}

uint64_t room_append(struct room *r, struct span entry)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    uint64_t index = r->frontier.size;
    struct digest leaf = merkle_leaf(entry);
    must(index < ROOM_ENTRIES, "room for entries");
    must_ok(append_begin(&fields, index), "APPEND");
    must_ok(append_add(&fields, entry), "APPEND");
    frontier_append(&r->frontier, &leaf, NULL, NULL);
    r->leaf[index] = leaf;
    r->root[r->frontier.size] = frontier_root(&r->frontier);
    room_send(r, MESSAGE_APPEND, 0, &fields);
    return index;
}

void room_sign(struct room *r)
{
    room_send(r, MESSAGE_SIGN, 0, NULL);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->signed_size == r->frontier.size || r->gone);
    room_hold(r, r->signed_size == r->frontier.size, "what was appended is signed");
}

enum seb_code room_mint(struct room *r, uint64_t index, const struct jws *certificate, struct span body)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    unsigned calls = r->calls, refused = r->refused;
    uint64_t slot = ++r->next_slot;
    must_ok(mint_put(&fields, &(struct mint_message){ .index = index, .certificate = *certificate, .body = body }), "MINT");
    room_send(r, MESSAGE_MINT, slot, &fields);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->calls > calls || r->refused > refused || r->gone);
    room_hold(r, r->calls - calls + r->refused - refused == 1, "a MINT is answered once");
    if (r->calls > calls) {
        room_hold(r, r->call.slot == slot, "CALL is for the slot that asked");
        return E_ok;
    }
    room_hold(r, r->refused_slot == slot, "MINT_REFUSED is for the slot that asked");
    return r->refused > refused ? r->refused_code : E_peer_gone;
}

/* The supervisor's ways. */

static int config_memfd(struct span text)
{
    int fd = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n, "memfd");
    must(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0, "seals");
    return fd;
}

/* What a supervisor measured: this test's word for five files. */
static int measured_memfd(struct room *r)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(CHILD_MEASURED_TEXT_MAX);
    for (unsigned i = 0; i <= CHILDREN; i++)
        must_ok(json_put_digest(o, child_program(i), &r->measured[i]), "measured");
    must_ok(json_canonical(o, &text), "measured");
    return config_memfd(buf_span(&text));
}

static void run_keeper(struct room *r, const int *fds, unsigned n)
{
    char path[256];
    int moved[8];
    snprintf(path, sizeof path, "%s/keeper.log", r->work);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log >= 0)
        dup2(log, 2);
    for (unsigned i = 0; i < n; i++)
        moved[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 32);
    for (unsigned i = 0; i < n; i++)
        if (moved[i] < 0)
            close(FD_CONFIG + (int)i);
        else
            dup2(moved[i], FD_CONFIG + (int)i);
    unsetenv("TSS2_LOG"); /* the test's own setting: the keeper has to have one */
    execl(r->program, "seb-keeper", (char *)NULL);
    _exit(127);
}

/* What was appended and never signed isn't in the database that a run begins with. */
static void rewind_to_signed(struct room *r)
{
    struct frontier f = { .size = 0 };
    for (uint64_t i = 0; i < r->signed_size; i++)
        frontier_append(&f, &r->leaf[i], NULL, NULL);
    r->frontier = f;
}

void room_start(struct room *r, const char *tpm)
{
    int control[2], core[2], runner[2], tpm_fd = -1;
    enum tpm_transport transport;
    must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) &&
             !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, core) &&
             !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, runner),
        "socketpair");
    rewind_to_signed(r);
    if (tpm)
        must_ok(tpm_connect(tpm, &tpm_fd, &transport), "TPM");
    const int fds[] = { config_memfd(buf_span(&r->config_text)), control[1], core[1], runner[1], tpm_fd, -1, measured_memfd(r) };
    fflush(stdout);
    r->pid = fork();
    must(r->pid >= 0, "fork");
    if (r->pid == 0)
        run_keeper(r, fds, sizeof fds / sizeof fds[0]);
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    must_ok(link_new(control[0], LINK_CONTROL, END_FIRST, &r->control), "link");
    must_ok(link_new(core[0], LINK_CORE_KEEPER, END_FIRST, &r->core), "link");
    must_ok(link_new(runner[0], LINK_KEEPER_RUNNER, END_SECOND, &r->runner), "link");
    r->gone = r->ready = r->serving = r->has_run = r->has_result = false;
    r->health = E_lease_missing; /* until it says more */
    ROOM_WAIT(r, ROOM_WAIT_MS, (r->ready && r->has_run) || r->gone);
}

static void close_links(struct room *r)
{
    link_free(r->control);
    link_free(r->core);
    link_free(r->runner);
    r->control = r->core = r->runner = NULL;
}

/* Its status when it has ended; a keeper that doesn't end in time is killed, and -1. */
static int status_at_end(struct room *r)
{
    int status = 0;
    pid_t pid = 0;
    for (int64_t end = clock_mono_ms() + ROOM_WAIT_MS; pid == 0 && clock_mono_ms() < end;) {
        pid = waitpid(r->pid, &status, WNOHANG);
        if (pid == 0 && (!r->control || !room_pump(r, clock_mono_ms() + 20)))
            poll(NULL, 0, 5);
    }
    if (pid == 0) {
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
    }
    if (r->control)
        room_pump(r, clock_mono_ms());
    close_links(r);
    r->pid = 0;
    return pid > 0 ? status : -1;
}

int room_wait_end(struct room *r)
{
    int status = status_at_end(r);
    return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void room_kill(struct room *r)
{
    int status;
    if (!r->pid)
        return;
    kill(r->pid, SIGKILL);
    waitpid(r->pid, &status, 0);
    room_pump(r, clock_mono_ms());
    close_links(r);
    r->pid = 0;
}

/* As a core does: the stop is the last entry, and is signed where that can be. */
static void append_stop(struct room *r)
{
    struct entry e = { .type = ENTRY_STOP, .time = clock_utc_ms() };
    if (!r->serving || r->health != E_ok || r->gone)
        return;
    must_ok(span_copy(SPAN(r->run), e.stop.run, RUN_SIZE), "run");
    room_append_entry(r, &e);
    room_sign(r);
}

void room_stop(struct room *r)
{
    if (!r->pid)
        return;
    append_stop(r);
    link_free(r->control); /* its end is the order to stop; the other links are still up */
    r->control = NULL;
    int status = status_at_end(r);
    room_hold(r, status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the keeper stops when told to");
}

void room_give_tpm(struct room *r, const char *path)
{
    int fd = -1;
    enum tpm_transport transport;
    if (path)
        must_ok(tpm_connect(path, &fd, &transport), "TPM");
    must_ok(link_send_fd(r->control, MESSAGE_TPM, 0, (struct span){ NULL, 0 }, fd), "TPM");
    if (fd >= 0)
        close(fd);
}
