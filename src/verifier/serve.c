#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "verifier/subject.h"
#include "verifier/verifier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TURN 64 /* exchanges that one commit covers */
#define LOOK_MS 500 /* how often what the commands changed is looked for */
#define FDS 32

struct serving {
    struct server server;
    struct bus_tls tls;
    int signals, lock;
    bool stop, reload;
    int64_t version, looked_ms;
};

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

result server_write(struct server *v)
{
    if (v->writing)
        return OK;
    TRY(state_begin(v->state));
    v->writing = true;
    return OK;
}

/* Two at once would ask twice and count twice. */
static result take_lock(const char *state, int *ret)
{
    AUTO_BUF path = BUF(300);
    TRY(buf_printf(&path, "%s.lock", state));
    TRY(buf_u8(&path, 0));
    *ret = open((const char *)path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*ret < 0)
        return fail_errno();
    return flock(*ret, LOCK_EX | LOCK_NB) == 0 ? OK : fail(E_locked);
}

/* Before the first thread, which inherits what is blocked. */
static result take_signals(int *ret)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return fail_errno();
    *ret = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret >= 0 ? OK : fail_errno();
}

/* A connection for each instance. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_line(LOG_WARNING, "the limit of open descriptors can't be raised");
}

static result make_subjects(struct server *v)
{
    v->subject = calloc(v->settings->instances + 1, sizeof *v->subject);
    if (!v->subject)
        return fail(E_no_memory);
    for (unsigned i = 0; i < v->settings->instances; i++) {
        v->n++; /* also a half-made one is freed */
        TRY(subject_make(v, &v->settings->instance[i], &v->subject[i]));
        subject_reference(&v->subject[i]);
        TRY(subject_refresh(&v->subject[i]));
    }
    return OK;
}

/* Not all at the same moment: the rounds of the first interval are spread over it. */
static void spread(struct server *v)
{
    const int64_t now = clock_mono_ms(), interval = v->settings->interval_s * 1000;
    for (unsigned i = 0; i < v->n; i++)
        v->subject[i].due_ms = now + interval * i / v->n;
}

static result prepare(struct serving *s, const struct settings *settings)
{
    struct server *v = &s->server;
    v->settings = settings;
    TRY(take_signals(&s->signals));
    TRY(take_lock(settings->state, &s->lock));
    raise_descriptors();
    TRY(keys_open(settings, &v->keys));
    TRY(state_open(settings->state, &v->state));
    s->tls = (struct bus_tls){ .certificate = settings->tls_certificate, .key = settings->tls_key, .ca = settings->tls_ca };
    TRY(wire_new(
        &(struct wire_args){
            .tls = &s->tls, .connections = (unsigned)settings->connections, .timeout_ms = (int)settings->timeout_ms },
        &v->wire));
    TRY(state_version(v->state, &s->version));
    TRY(make_subjects(v));
    spread(v);
    return OK;
}

static void serving_free(struct serving *s)
{
    wire_free(s->server.wire); /* waits for exchanges that are under way; the lines hold nothing of it then */
    for (unsigned i = 0; i < s->server.n; i++)
        subject_free(&s->server.subject[i]);
    free(s->server.subject);
    state_free(s->server.state);
    keys_close(s->server.keys);
    if (s->signals >= 0)
        close(s->signals);
    if (s->lock >= 0)
        close(s->lock);
}

static void take_signal(struct serving *s)
{
    struct signalfd_siginfo got;
    while (read(s->signals, &got, sizeof got) == (ssize_t)sizeof got) {
        s->reload |= got.ssi_signo == SIGHUP;
        s->stop |= got.ssi_signo != SIGHUP;
    }
}

static void reload(struct serving *s)
{
    s->reload = false;
    log_line(LOG_NOTE, "reference values are read anew");
    for (unsigned i = 0; i < s->server.n; i++)
        subject_reference(&s->server.subject[i]);
}

/* Confirmed, withdrawn: the commands have connections of their own to the state. */
static result look(struct serving *s)
{
    int64_t version;
    const int64_t now = clock_mono_ms();
    if (now - s->looked_ms < LOOK_MS)
        return OK;
    s->looked_ms = now;
    TRY(state_version(s->server.state, &version));
    if (version == s->version)
        return OK;
    s->version = version;
    for (unsigned i = 0; i < s->server.n; i++)
        TRY(subject_refresh(&s->server.subject[i]));
    return OK;
}

/* Begins what is due; milliseconds until the next is. */
static int begin_due(struct server *v)
{
    const int64_t now = clock_mono_ms();
    int64_t wait = LOOK_MS;
    for (unsigned i = 0; i < v->n; i++) {
        struct subject *s = &v->subject[i];
        if (!s->enrolled || s->step != STEP_IDLE)
            continue;
        if (s->due_ms <= now)
            round_begin(s);
        else if (s->due_ms - now < wait)
            wait = s->due_ms - now;
    }
    return (int)wait;
}

/* One commit for all that this turn learnt; then, and only then, what was signed about it leaves. */
static void end_turn(struct server *v)
{
    bool durable = true;
    if (v->writing) {
        result r = state_commit(v->state);
        durable = is_ok(r);
        if (!durable) {
            log_result(LOG_ERROR, "state", r);
            state_undo(v->state);
        }
        v->writing = false;
    }
    for (struct subject *s = v->judged, *next; s; s = next) {
        next = s->next;
        s->next = NULL;
        round_send(s, durable);
    }
    v->judged = NULL;
}

static void turn(struct server *v)
{
    struct wire_line *line;
    for (unsigned i = 0; i < TURN && (line = wire_take(v->wire)); i++)
        round_step(line->owner);
    end_turn(v);
}

static result wait_for_something(struct serving *s, int wait_ms)
{
    int fds[FDS];
    struct pollfd polled[FDS + 1] = { { .fd = s->signals, .events = POLLIN } };
    unsigned n = wire_fds(s->server.wire, fds, FDS);
    for (unsigned i = 0; i < n; i++)
        polled[i + 1] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    if (poll(polled, n + 1, wait_ms) < 0 && errno != EINTR)
        return fail_errno();
    if (polled[0].revents)
        take_signal(s);
    return OK;
}

static result run(struct serving *s)
{
    while (!s->stop) {
        if (s->reload)
            reload(s);
        result r = look(s);
        if (!is_ok(r))
            log_result(LOG_ERROR, "state", r);
        TRY(wait_for_something(s, begin_due(&s->server)));
        turn(&s->server);
    }
    return OK;
}

result verifier_serve(struct verifier_args *a)
{
    struct serving s = { .signals = -1, .lock = -1 };
    result r = prepare(&s, a->settings);
    if (is_ok(r)) {
        log_line(LOG_NOTE, "serving: %u instances, every %lld s", s.server.n, (long long)a->settings->interval_s);
        r = run(&s);
        log_line(LOG_NOTE, "stopping");
    }
    serving_free(&s);
    return r;
}
