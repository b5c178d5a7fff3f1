/* seb-core: main and event loop. */
#include "config.h"

#include "core/core.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/loop.h"

#define MESSAGES_A_TURN 64
#define KEYS_CACHED 1024

enum { POLL_SIGNAL, POLL_CONTROL, POLL_KEEPER, POLL_RUNNER, POLL_JOURNAL, POLL_FRONT, POLLS };

static void must(const char *what, result r)
{
    if (!is_ok(r))
        child_abort(what, r);
}

static void submit(struct core *c, const struct message *m)
{
    struct work *w;
    struct submit_message s;
    must("a work", work_new(c, &w));
    must("a work's memory", buf_put(&w->arena, m->fields));
    must("the front's SUBMIT", submit_read(buf_span(&w->arena), &s));
    must("a work's waiter", work_wait(w, m->slot));
    w->certificate_parts = s.certificate;
    w->request_parts = s.request;
    w->body = s.body;
    work_go(c, w, STAGE_VERIFY);
}

static void from_front(struct core *c, const struct message *m)
{
    struct admin_message admin;
    struct attest_message attest;
    struct noise_message noise;
    switch (m->type) {
    case MESSAGE_SUBMIT:
        submit(c, m);
        break;
    case MESSAGE_ADMIN:
        must("the front's ADMIN", admin_read(m->fields, &admin));
        admin_receive(c, m->slot, &admin);
        break;
    case MESSAGE_ATTEST:
        must("the front's ATTEST", attest_read(m->fields, &attest));
        attest_receive(c, m->slot, &attest);
        break;
    default:
        must("the front's NOISE", noise_read(m->fields, &noise));
        noise_count(c, (enum seb_code)noise.code, noise.count);
    }
}

/* The work that waits for an answer under this number; NULL where it was given up. */
static struct work *work_of_call(struct core *c, uint64_t id)
{
    struct work *w;
    HASH_FIND(hh_id, c->by_id, &id, sizeof id, w);
    bool waits = w && (w->stage == STAGE_READ_CALL || w->stage == STAGE_CALL || w->stage == STAGE_LOOK_CALL);
    return waits ? w : NULL;
}

static void mint_refused(struct core *c, const struct message *m)
{
    struct code_message code;
    must("the keeper's MINT_REFUSED", code_read(m->fields, &code));
    struct work *w = work_of_call(c, m->slot);
    if (!w)
        return;
    w->mint_code = code.code == E_ok ? E_invariant : (enum seb_code)code.code;
    work_go(c, w, w->resume);
}

/* The message has no room for whose the foreign code is; its own code says it. */
static enum foreign whose(const struct code_message *m)
{
    if (!m->foreign)
        return FOREIGN_NONE;
    if (m->code == E_tpm_unavailable || m->code == E_tpm_refused)
        return FOREIGN_TSS2;
    return m->code == E_hsm_unavailable || m->code == E_hsm_refused ? FOREIGN_PKCS11 : FOREIGN_NONE;
}

static void health(struct core *c, const struct message *m)
{
    struct code_message code;
    must("the keeper's HEALTH", code_read(m->fields, &code));
    result r = fail_foreign((enum seb_code)code.code, whose(&code), code.foreign);
    if (code_of(r) != code_of(c->keys_health)) {
        c->keys_since_ms = clock_utc_ms();
        if (is_ok(r))
            log_line(LOG_NOTE, "the keys are back");
        else
            log_result(LOG_ERROR, "the keys can't be used: no mutation until they can", r);
    }
    c->keys_health = r;
}

/* To a challenge, or to a question for a plan. */
static void evidence(struct core *c, const struct message *m)
{
    struct evidence_message e;
    must("the keeper's EVIDENCE", evidence_read(m->fields, &e));
    bool plan = c->planning && m->slot == c->plan_slot;
    must("the keeper's EVIDENCE", plan ? admin_plan(c, &e) : attest_evidence(c, m->slot, &e));
}

static void keeper_state(struct core *c, const struct message *m)
{
    struct span json;
    json_t *state = NULL;
    must("the keeper's STATE", text_read(m->fields, &json));
    must("the keeper's STATE", json_strict(json, LINK_PACKET_MAX, &state));
    json_decref(c->keeper_state);
    c->keeper_state = state;
}

static void from_keeper(struct core *c, const struct message *m)
{
    struct checkpoint_message checkpoint;
    struct quote_message quote;
    struct code_message code;
    switch (m->type) {
    case MESSAGE_KEYS:
        must("the keeper's KEYS", start_keys(c, m->fields));
        break;
    case MESSAGE_RESUMED:
        must("the keeper's RESUMED", code_read(m->fields, &code));
        if (code.code != E_log_rolled_back) /* that is the keeper's HEALTH, until somebody acknowledges it: refusals are served */
            must("the log can't go on", fail((enum seb_code)code.code));
        must("the start", start_resumed(c, &code));
        break;
    case MESSAGE_LOADED:
        must("the keeper's LOADED", code_read(m->fields, &code));
        must("the keeper's LOADED", admin_loaded(c, &code));
        break;
    case MESSAGE_CHECKPOINT:
        must("the keeper's CHECKPOINT", checkpoint_read(m->fields, &checkpoint));
        must("a checkpoint", journal_checkpoint(c->journal, checkpoint.size, checkpoint.note));
        break;
    case MESSAGE_QUOTE:
        must("the keeper's QUOTE", quote_read(m->fields, &quote));
        must("a quote",
            journal_quote(c->journal,
                &(struct stored_quote){
                    .size = quote.size, .attest = quote.attest, .signature = quote.signature, .preimage = quote.preimage }));
        break;
    case MESSAGE_MINT_REFUSED:
        mint_refused(c, m);
        break;
    case MESSAGE_EVIDENCE:
        evidence(c, m);
        break;
    case MESSAGE_STATE:
        keeper_state(c, m);
        break;
    default:
        health(c, m);
    }
}

static void from_runner(struct core *c, const struct message *m)
{
    struct answer_message answer;
    must("the runner's ANSWER", answer_read(m->fields, &answer));
    struct work *w = work_of_call(c, m->slot);
    if (!w)
        return;
    must("the runner's ANSWER", answer_take(w, &answer));
    work_go(c, w, w->resume);
}

static void drain(struct core *c, struct link *l, void (*receive)(struct core *, const struct message *), const char *who)
{
    for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
        struct message m;
        bool got = false;
        result r = link_receive(l, &m, &got);
        if (code_of(r) == E_peer_gone && l == c->front)
            c->front_gone = true;
        if (code_of(r) == E_peer_gone && (c->stop != STOP_NO || l == c->front))
            return; /* the supervisor ends the broker, or has begun to: the front goes first */
        must(who, r);
        if (!got)
            return;
        receive(c, &m);
    }
}

/* Without the order to stop the link's end is the supervisor's (child.h): a stop that nobody ordered would be a record that nobody
 * signs, and the log longer than what any verifier has seen of it. */
static void from_supervisor(struct core *c)
{
    struct message m;
    bool got = false;
    must("the supervisor's link", link_receive(c->child.control, &m, &got));
    if (got && m.type != MESSAGE_STOP)
        must("the supervisor's link", fail(E_illegal_message));
    if (got)
        stop_begin(c);
}

static void poll_set(struct core *c, int signals, struct pollfd set[POLLS])
{
    bool front = c->serving && c->stop == STOP_NO && !c->front_gone;
    set[POLL_SIGNAL] = (struct pollfd){ .fd = c->stop == STOP_NO ? signals : -1, .events = POLLIN };
    set[POLL_CONTROL] = (struct pollfd){ .fd = c->stop == STOP_NO ? link_fd(c->child.control) : -1, .events = POLLIN };
    set[POLL_KEEPER] = (struct pollfd){ .fd = link_fd(c->keeper), .events = link_events(c->keeper) };
    set[POLL_RUNNER] = (struct pollfd){ .fd = link_fd(c->runner), .events = link_events(c->runner) };
    set[POLL_JOURNAL] = (struct pollfd){ .fd = journal_fd(c->journal), .events = POLLIN };
    set[POLL_FRONT] = (struct pollfd){ .fd = front ? link_fd(c->front) : -1, .events = link_events(c->front) };
}

static void turn(struct core *c, const struct pollfd set[POLLS])
{
    if (set[POLL_SIGNAL].revents)
        stop_begin(c);
    if (set[POLL_CONTROL].revents)
        from_supervisor(c);
    if (set[POLL_KEEPER].revents & POLLIN)
        drain(c, c->keeper, from_keeper, "the keeper's link");
    if (set[POLL_RUNNER].revents & POLLIN)
        drain(c, c->runner, from_runner, "the runner's link");
    if (set[POLL_JOURNAL].revents)
        must("the log", journal_collect(c->journal));
    if (set[POLL_FRONT].revents & POLLIN)
        drain(c, c->front, from_front, "the front's link");
    if (set[POLL_KEEPER].revents & POLLOUT)
        must("the keeper's link", link_flush(c->keeper));
    if (set[POLL_FRONT].revents & POLLOUT && !c->front_gone)
        must("the front's link", link_flush(c->front));
    if (set[POLL_KEEPER].revents & (POLLHUP | POLLERR) && c->stop == STOP_NO)
        child_abort("the keeper's link", fail(E_peer_gone));
}

static int serve(struct core *c)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    int signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
    struct pollfd set[POLLS];
    while (c->stop != STOP_DONE) {
        poll_set(c, signals, set);
        if (poll(set, POLLS, timers_wait_ms(c)) < 0 && errno != EINTR)
            child_abort("poll", fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno));
        turn(c, set);
        timers_run(c);
        if (c->serving)
            attested_watch(c);
        stop_advance(c);
        must("the log", journal_kick(c->journal));
    }
    close(signals);
    return EXIT_SUCCESS;
}

int main(void)
{
    log_program("seb-core");
    struct core c = { .child = child_begin(CHILD_CORE), .keys_health = fail(E_lease_missing), .timers_due_ms = INT64_MAX };
    c.config = c.child.config;
    must("the front's link", link_new(FD_CORE_FRONT, LINK_FRONT_CORE, END_SECOND, &c.front));
    must("the keeper's link", link_new(FD_CORE_KEEPER, LINK_CORE_KEEPER, END_FIRST, &c.keeper));
    must("the runner's link", link_new(FD_CORE_RUNNER, LINK_RUNNER_CORE, END_SECOND, &c.runner));
    must("the cache of keys", keycache_new(KEYS_CACHED, &c.keys));
    must("the database", start_store(&c));
    int code = serve(&c);
    start_undo(&c);
    return code;
}
