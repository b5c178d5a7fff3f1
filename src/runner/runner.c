#include <config.h>

#include "runner/errand.h"
#include "runner/wiping.h"

#include <errno.h>
#include <poll.h>

#include "base/log.h"

#define ANSWER_FIELDS_MAX 16384 /* texts of target_answer, and its fields */

struct runner {
    struct child child;
    struct link *keeper, *core;
    struct calls *calls;
    struct errands *errands;
    unsigned peers;
    struct runner_peer peer[CONFIG_TARGETS];
    bool stop;
};

static result tell(struct runner *r, const struct call_answer *a, const struct target_answer *told)
{
    AUTO_BUF fields = BUF(ANSWER_FIELDS_MAX);
    TRY(runner_answer(a, told, &fields));
    return link_send(r->core, MESSAGE_ANSWER, a->slot, buf_span(&fields));
}

/* What failed before anything could leave is an answer too; what the keeper may not ask for ends the broker. */
static result serve_call(struct runner *r, const struct message *m)
{
    struct call_message call;
    struct call_plan plan;
    const struct runner_peer *peer;
    TRY(call_read(m->fields, &call));
    TRY(runner_plan(&call, r->peer, r->peers, &peer, &plan));
    result done = errand_begin(r->errands, r->calls, m->slot, &call, peer, &plan);
    if (is_ok(done) || code_of(done) == E_illegal_message)
        return done;
    log_result(LOG_WARNING, "a call wasn't begun", done);
    const struct call_answer answer = {
        .slot = m->slot,
        .phase = CALL_NEVER_SENT,
        .code = code_of(done),
        .foreign = foreign_code(done),
    };
    return tell(r, &answer, &(struct target_answer){ .fields_n = 0 });
}

/* What has no slot yet waits in the link, where the keeper's end holds it. */
static result serve_keeper(struct runner *r)
{
    bool got = true;
    while (got && !calls_full(r->calls)) {
        struct message m;
        TRY(link_receive(r->keeper, &m, &got));
        if (got)
            TRY(serve_call(r, &m));
    }
    link_forget(r->keeper); /* the last message held a credential */
    return OK;
}

static result serve_answer(struct runner *r, struct call_answer *answer)
{
    static struct target_answer told; /* too large for a stack frame */
    bool done;
    TRY(errand_answered(r->errands, r->calls, answer, &told, &done));
    return done ? tell(r, answer, &told) : OK;
}

static result serve_calls(struct runner *r)
{
    struct call_answer answer;
    TRY(calls_work(r->calls));
    while (calls_next(r->calls, &answer)) {
        result served = serve_answer(r, &answer);
        call_answer_free(&answer);
        TRY(served);
    }
    return OK;
}

/* The core says nothing to the runner; its end is what link_receive tells. */
static result serve_core(struct runner *r)
{
    struct message m;
    bool got;
    TRY(link_flush(r->core));
    TRY(link_receive(r->core, &m, &got));
    return got ? fail(E_illegal_message) : OK;
}

static result serve_control(struct runner *r)
{
    struct message m;
    bool got = false;
    result done = link_receive(r->child.control, &m, &got);
    r->stop = code_of(done) == E_peer_gone;
    if (r->stop)
        return OK;
    TRY(done);
    return got ? fail(E_illegal_message) : OK;
}

static result turn(struct runner *r)
{
    enum { CONTROL, KEEPER, CORE, CALLS, N };
    struct pollfd p[N] = {
        [CONTROL] = { .fd = link_fd(r->child.control), .events = link_events(r->child.control) },
        [KEEPER] = { .fd = link_fd(r->keeper), .events = calls_full(r->calls) ? 0 : link_events(r->keeper) },
        [CORE] = { .fd = link_fd(r->core), .events = link_events(r->core) },
        [CALLS] = { .fd = calls_fd(r->calls), .events = POLLIN },
    };
    if (poll(p, N, calls_wait_ms(r->calls)) < 0)
        return errno == EINTR ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    if (p[CONTROL].revents)
        TRY(serve_control(r));
    if (r->stop)
        return OK;
    if (p[CORE].revents)
        TRY(serve_core(r));
    if (p[KEEPER].revents)
        TRY(serve_keeper(r));
    return serve_calls(r);
}

static result begin(struct runner *r)
{
    const struct config *c = r->child.config;
    for (; r->peers < c->targets; r->peers++) {
        result opened = runner_peer_open(&c->target[r->peers], &r->peer[r->peers]);
        if (!is_ok(opened)) {
            log_line(LOG_ERROR, "target %s: its CA can't be read: %s", c->target[r->peers].name, c->target[r->peers].ca);
            return opened;
        }
    }
    TRY(wiping_check());
    TRY(calls_new(&r->calls));
    TRY(errands_new(&r->errands));
    TRY(link_new(FD_RUNNER_KEEPER, LINK_KEEPER_RUNNER, END_SECOND, &r->keeper));
    TRY(link_new(FD_RUNNER_CORE, LINK_RUNNER_CORE, END_FIRST, &r->core));
    return child_ready(&r->child);
}

int main(void)
{
    static struct runner r; /* too large for a stack frame */
    log_program("seb-runner");
    r.child = child_begin(CHILD_RUNNER);
    result done = begin(&r);
    if (!is_ok(done))
        child_abort("start", done);
    while (is_ok(done) && !r.stop)
        done = turn(&r);
    if (!is_ok(done))
        child_abort("runner", done);
    calls_free(r.calls);
    errands_free(r.errands);
    for (unsigned i = 0; i < r.peers; i++)
        runner_peer_close(&r.peer[i]);
    link_free(r.keeper);
    link_free(r.core);
    child_end(&r.child);
    return 0;
}
