#include "config.h"

#include "supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SLOW_START_MS 10000
#define NEVER INT64_MAX

/* Who stops next, and after how long it is killed. The front first, so that nothing new comes; the core then writes what it must,
 * with keeper and runner still there. */
struct stop_step {
    unsigned roles;
    int64_t patience_ms;
};
#define ROLE(role) (1u << CHILD_##role)
static const struct stop_step in_order[] = {
    { .roles = ROLE(FRONT), .patience_ms = 5000 },
    { .roles = ROLE(CORE), .patience_ms = 15000 },
    { .roles = ROLE(KEEPER) | ROLE(RUNNER), .patience_ms = 5000 },
};
static const struct stop_step at_once[] = {
    { .roles = ROLE(FRONT) | ROLE(CORE) | ROLE(KEEPER) | ROLE(RUNNER), .patience_ms = 5000 },
};

static bool is_stopping(const struct supervisor *s)
{
    return s->state == SUPERVISOR_STOPPING || s->state == SUPERVISOR_FAILING;
}

static void close_control(struct process *p)
{
    link_free(p->control);
    p->control = NULL;
}

/* The core's word for it comes before the link's end, which is also what it sees of a supervisor that was killed (child.h). */
static void order(struct process *p, enum child_role role)
{
    if (role == CHILD_CORE && p->control) {
        result r = link_send(p->control, MESSAGE_STOP, 0, (struct span){ NULL, 0 });
        if (!is_ok(r) && code_of(r) != E_peer_gone)
            log_result(LOG_WARNING, child_name(role), r);
    }
    p->ordered = true;
    close_control(p);
}

static void order_step(struct supervisor *s, int64_t now_ms)
{
    s->deadline_ms = now_ms + s->step->patience_ms;
    for (unsigned i = 0; i < CHILDREN; i++) {
        struct process *p = &s->process[i];
        if (!(s->step->roles >> i & 1) || p->gone)
            continue;
        order(p, i);
        if (pidfd_send_signal(p->pidfd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
            log_line(LOG_WARNING, "%s can't be signalled", child_name(i));
    }
}

static void stop(struct supervisor *s, enum supervisor_state why, int64_t now_ms)
{
    if (s->state == SUPERVISOR_FAILING || s->state == why)
        return;
    bool orderly = why == SUPERVISOR_STOPPING;
    notify("STOPPING=1");
    s->state = why;
    s->step = orderly ? in_order : at_once;
    s->step_end = orderly ? in_order + sizeof in_order / sizeof *in_order : at_once + 1;
    order_step(s, now_ms);
}

static bool is_step_over(const struct supervisor *s)
{
    for (unsigned i = 0; i < CHILDREN; i++)
        if (s->step->roles >> i & 1 && !s->process[i].gone)
            return false;
    return true;
}

static void kill_step(struct supervisor *s)
{
    for (unsigned i = 0; i < CHILDREN; i++) {
        struct process *p = &s->process[i];
        if (!(s->step->roles >> i & 1) || p->gone)
            continue;
        log_line(LOG_WARNING, "%s doesn't stop: killed", child_name(i));
        p->killed = true;
        if (pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0) != 0 && errno != ESRCH)
            log_line(LOG_WARNING, "%s can't be killed", child_name(i));
    }
    s->deadline_ms = NEVER;
}

static void stop_turn(struct supervisor *s, int64_t now_ms)
{
    while (s->step < s->step_end && is_step_over(s))
        if (++s->step < s->step_end)
            order_step(s, now_ms);
    if (s->step < s->step_end && now_ms >= s->deadline_ms)
        kill_step(s);
}

/* How much an end says about why the broker stops: 0 nothing, 1 it lost a peer, 2 it gave up, 3 it was killed. */
static int weight_of(const struct process *p)
{
    if (p->killed)
        return 0;
    if (WIFSIGNALED(p->status))
        return 3;
    return WEXITSTATUS(p->status) == CHILD_EXIT_PEER_GONE ? 1 : WEXITSTATUS(p->status) ? 2 : 0;
}

static result reap(struct supervisor *s, enum child_role role, int64_t now_ms)
{
    struct process *p = &s->process[role];
    pid_t got = waitpid(p->pid, &p->status, WNOHANG);
    if (got != p->pid)
        return got == 0 || errno == EINTR ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    p->gone = true;
    close_control(p);
    close(p->pidfd);
    bool by_signal = WIFSIGNALED(p->status), expected = is_stopping(s) && weight_of(p) < 2;
    int number = by_signal ? WTERMSIG(p->status) : WEXITSTATUS(p->status);
    if (expected)
        log_line(LOG_DETAIL, "%s ended", child_name(role));
    else
        log_line(LOG_ERROR, "%s %s %d", child_name(role), by_signal ? "was ended by signal" : "ended with code", number);
    if (!expected)
        stop(s, SUPERVISOR_FAILING, now_ms);
    return OK;
}

static void broken_child(struct supervisor *s, enum child_role role, result r, int64_t now_ms)
{
    /* The end of a control link is the child's death, a moment before its pidfd tells so; at an orderly stop its code then says
     * whether that was right. */
    bool dying = code_of(r) == E_peer_gone;
    if (!dying)
        log_result(LOG_ERROR, child_name(role), r);
    close_control(&s->process[role]);
    if (!dying || s->state != SUPERVISOR_STOPPING)
        stop(s, SUPERVISOR_FAILING, now_ms);
}

static void tell_serving(struct supervisor *s)
{
    for (unsigned i = 0; i < CHILDREN; i++)
        if (!s->process[i].ready)
            return;
    s->state = SUPERVISOR_SERVING;
    s->deadline_ms = NEVER;
    log_line(LOG_NOTE, "%s/%s serves at %s", s->config->domain, s->config->instance, s->config->agents_socket);
    notify("READY=1");
}

static result take_message(struct supervisor *s, enum child_role role, const struct message *m, int64_t now_ms)
{
    struct process *p = &s->process[role];
    if (m->fields.n)
        return fail(E_illegal_message);
    if (m->type == MESSAGE_READY && !p->ready) {
        p->ready = true;
        if (s->state == SUPERVISOR_STARTING)
            tell_serving(s);
        return OK;
    }
    if (m->type == MESSAGE_TPM_AGAIN && role == CHILD_KEEPER) {
        tpm_line_want(&s->tpm, now_ms); /* at an orderly stop too: the stop is still to be signed */
        return OK;
    }
    return fail(E_illegal_message);
}

static result read_control(struct supervisor *s, enum child_role role, int64_t now_ms)
{
    for (;;) {
        struct message m;
        bool got = false;
        TRY(link_receive(s->process[role].control, &m, &got));
        if (!got)
            return OK;
        TRY(take_message(s, role, &m, now_ms));
    }
}

static result take_signal(struct supervisor *s, int64_t now_ms)
{
    struct signalfd_siginfo info;
    ssize_t n = read(s->signals, &info, sizeof info);
    if (n != sizeof info)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    log_line(LOG_NOTE, "stops on signal %u", info.ssi_signo);
    stop(s, SUPERVISOR_STOPPING, now_ms);
    return OK;
}

static void tell_slow(struct supervisor *s, int64_t now_ms)
{
    if (s->state != SUPERVISOR_STARTING || now_ms < s->deadline_ms)
        return;
    for (unsigned i = 0; i < CHILDREN; i++)
        if (!s->process[i].ready)
            log_line(LOG_WARNING, "%s isn't ready yet", child_name(i));
    s->deadline_ms = now_ms + SLOW_START_MS;
}

static int wait_ms(const struct supervisor *s, int64_t now_ms)
{
    int64_t at = s->deadline_ms;
    if (s->tpm.wanted && s->process[CHILD_KEEPER].control && s->tpm.at_ms < at)
        at = s->tpm.at_ms;
    if (at == NEVER)
        return -1;
    return at <= now_ms ? 0 : at - now_ms > 60000 ? 60000 : (int)(at - now_ms);
}

/* poll(2) leaves out negative descriptors. */
static int control_fd(const struct process *p)
{
    return p->control ? link_fd(p->control) : -1;
}

static result turn(struct supervisor *s)
{
    struct pollfd signals = { .fd = s->signals, .events = POLLIN }, p[2 * CHILDREN + 1];
    for (unsigned i = 0; i < CHILDREN; i++) {
        p[i] = (struct pollfd){ .fd = s->process[i].gone ? -1 : s->process[i].pidfd, .events = POLLIN };
        p[CHILDREN + i] = (struct pollfd){ .fd = control_fd(&s->process[i]), .events = POLLIN };
    }
    p[2 * CHILDREN] = signals;
    if (poll(p, sizeof p / sizeof *p, wait_ms(s, clock_mono_ms())) < 0)
        return errno == EINTR ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    int64_t now_ms = clock_mono_ms();
    if (p[2 * CHILDREN].revents)
        TRY(take_signal(s, now_ms));
    for (unsigned i = 0; i < CHILDREN; i++) {
        if (p[CHILDREN + i].revents && s->process[i].control) {
            result r = read_control(s, i, now_ms);
            if (!is_ok(r))
                broken_child(s, i, r, now_ms);
        }
        if (p[i].revents)
            TRY(reap(s, i, now_ms));
    }
    struct process *keeper = &s->process[CHILD_KEEPER];
    result r = keeper->control ? tpm_line_turn(&s->tpm, s->config->tpm, keeper->control, now_ms) : OK;
    if (!is_ok(r))
        broken_child(s, CHILD_KEEPER, r, now_ms);
    tell_slow(s, now_ms);
    if (is_stopping(s))
        stop_turn(s, now_ms);
    return OK;
}

/* The one whose end explains the others'. */
static void tell_cause(const struct supervisor *s)
{
    unsigned worst = 0;
    for (unsigned i = 1; i < CHILDREN; i++)
        if (weight_of(&s->process[i]) > weight_of(&s->process[worst]))
            worst = i;
    log_line(LOG_ERROR, "stopped, because the %s ended", child_name(worst));
}

result supervisor_run(struct supervisor *s, bool *ret_orderly)
{
    s->deadline_ms = clock_mono_ms() + SLOW_START_MS;
    bool alive = true, clean = true;
    while (alive) {
        TRY(turn(s));
        alive = false;
        for (unsigned i = 0; i < CHILDREN; i++)
            alive = alive || !s->process[i].gone;
    }
    for (unsigned i = 0; i < CHILDREN; i++)
        clean = clean && !s->process[i].killed && weight_of(&s->process[i]) < 2;
    *ret_orderly = s->state == SUPERVISOR_STOPPING && clean;
    if (s->state == SUPERVISOR_FAILING)
        tell_cause(s);
    else
        log_line(LOG_NOTE, "stopped");
    return OK;
}
