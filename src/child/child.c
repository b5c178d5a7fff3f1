#include "config.h"

#include "child/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"

#define ORDER_WAIT_MS 1000

const char *child_name(enum child_role role)
{
    static const char *const names[CHILDREN] = {
        [CHILD_FRONT] = "front",
        [CHILD_CORE] = "core",
        [CHILD_KEEPER] = "keeper",
        [CHILD_RUNNER] = "runner",
    };
    return (unsigned)role < CHILDREN ? names[role] : "child";
}

const char *child_program(unsigned role)
{
    static const char *const names[CHILDREN + 1] = {
        [CHILD_FRONT] = "seb-front",
        [CHILD_CORE] = "seb-core",
        [CHILD_KEEPER] = "seb-keeper",
        [CHILD_RUNNER] = "seb-runner",
        [CHILDREN] = "sebd",
    };
    return role <= CHILDREN ? names[role] : "seb";
}

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* The supervisor execs by descriptor, which leaves a number for a name. */
static result name_process(enum child_role role)
{
    char name[16]; /* prctl(2), PR_SET_NAME */
    snprintf(name, sizeof name, "seb-%s", child_name(role));
    return prctl(PR_SET_NAME, name, 0, 0, 0) == 0 ? OK : fail_errno();
}

/* prctl(2), PR_SET_PDEATHSIG: it says nothing about a parent that died before. That one's end of the control link is closed. */
static result die_with_supervisor(void)
{
    struct pollfd control = { .fd = FD_CONTROL, .events = POLLIN };
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return fail_errno();
    if (poll(&control, 1, 0) < 0)
        return fail_errno();
    return control.revents & (POLLHUP | POLLERR | POLLNVAL) ? fail(E_peer_gone) : OK;
}

/* A peer that hangs up must not end this process by a signal; stopping is the control link's. */
static result ignore_signals(void)
{
    static const int ignored[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP };
    for (unsigned i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (signal(ignored[i], SIG_IGN) == SIG_ERR)
            return fail_errno();
    return OK;
}

/* The offset of a memfd is shared by all who hold it: pread. */
static result read_sealed(int fd, struct buf *text)
{
    const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    struct stat st;
    uint8_t *to;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstat(fd, &st) != 0)
        return fail_errno();
    if ((seals & wanted) != wanted || st.st_size <= 0 || (size_t)st.st_size > text->max)
        return fail(E_no_config);
    size_t n = (size_t)st.st_size;
    TRY(buf_room(text, n, &to));
    for (size_t at = 0; at < n;) {
        ssize_t got = pread(fd, to + at, n - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? fail_errno() : fail(E_truncated);
        at += (size_t)got;
    }
    return close(fd) == 0 ? OK : fail_errno();
}

static result load_config(struct config **ret)
{
    AUTO_BUF text = BUF(CONFIG_MAX);
    const char *where = "";
    TRY(read_sealed(FD_CONFIG, &text));
    result r = config_parse(buf_span(&text), ret, &where);
    if (!is_ok(r))
        log_line(LOG_ERROR, "configuration: %s", where);
    return r;
}

static result load_measured(struct child *c)
{
    AUTO_BUF text = BUF(CHILD_MEASURED_TEXT_MAX);
    AUTO_JSON *o = NULL;
    const char *names[CHILDREN + 2] = { NULL };
    for (unsigned i = 0; i <= CHILDREN; i++)
        names[i] = child_program(i);
    TRY(read_sealed(FD_KEEPER_MEASURED, &text));
    TRY(json_strict(buf_span(&text), CHILD_MEASURED_TEXT_MAX, &o));
    TRY(json_closed(o, names));
    for (unsigned i = 0; i <= CHILDREN; i++)
        TRY(json_digest_at(o, names[i], &c->measured[i]));
    return OK;
}

static result begin(enum child_role role, struct child *c)
{
    TRY(process_harden());
    TRY(name_process(role));
    TRY(die_with_supervisor());
    TRY(ignore_signals());
    if (role == CHILD_KEEPER && fcntl(FD_KEEPER_TPM, F_GETFD) >= 0)
        c->tpm = FD_KEEPER_TPM;
    for (int fd = FD_CONFIG; fd < CHILD_FDS; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
            return fail_errno();
    TRY(link_new(FD_CONTROL, LINK_CONTROL, END_SECOND, &c->control));
    TRY(load_config(&c->config));
    return role == CHILD_KEEPER ? load_measured(c) : OK;
}

struct child child_begin(enum child_role role)
{
    struct child c = { .tpm = -1 };
    result r = begin(role, &c);
    if (!is_ok(r))
        child_abort("start", r);
    return c;
}

result child_ready(struct child *c)
{
    TRY(link_send(c->control, MESSAGE_READY, 0, (struct span){ 0 }));
    return link_flush(c->control);
}

void child_end(struct child *c)
{
    link_free(c->control);
    config_free(c->config);
    *c = (struct child){ .tpm = -1 };
}

/* Whoever sees a peer go is a moment ahead of the supervisor, who sees it too, names it, and orders everybody to stop. */
static bool is_ordered_to_stop(void)
{
    struct pollfd control = { .fd = FD_CONTROL };
    return poll(&control, 1, ORDER_WAIT_MS) == 1 && control.revents & POLLHUP;
}

void child_abort(const char *what, result r)
{
    bool peer_gone = code_of(r) == E_peer_gone;
    if (!peer_gone || !is_ordered_to_stop())
        log_result(LOG_ERROR, what, r);
    /* Not exit(3): whatever is registered there belongs to a process that still holds what it must. */
    _exit(peer_gone ? CHILD_EXIT_PEER_GONE : CHILD_EXIT_ABORT);
}
