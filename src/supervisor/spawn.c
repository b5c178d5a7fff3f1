#include "config.h"

#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define SNDBUF_BYTES (4 * 1024 * 1024)
#define ENVIRONMENT_MAX 256

/* Who holds which end of which pair, as which descriptor. */
enum pair { PAIR_FRONT_CORE, PAIR_CORE_KEEPER, PAIR_KEEPER_RUNNER, PAIR_RUNNER_CORE, PAIRS };
static const struct wire {
    enum child_role role;
    enum child_fd fd;
    enum pair pair;
    enum link_end end;
} wires[] = {
    { .role = CHILD_FRONT, .fd = FD_FRONT_CORE, .pair = PAIR_FRONT_CORE, .end = END_FIRST },
    { .role = CHILD_CORE, .fd = FD_CORE_FRONT, .pair = PAIR_FRONT_CORE, .end = END_SECOND },
    { .role = CHILD_CORE, .fd = FD_CORE_KEEPER, .pair = PAIR_CORE_KEEPER, .end = END_FIRST },
    { .role = CHILD_KEEPER, .fd = FD_KEEPER_CORE, .pair = PAIR_CORE_KEEPER, .end = END_SECOND },
    { .role = CHILD_KEEPER, .fd = FD_KEEPER_RUNNER, .pair = PAIR_KEEPER_RUNNER, .end = END_FIRST },
    { .role = CHILD_RUNNER, .fd = FD_RUNNER_KEEPER, .pair = PAIR_KEEPER_RUNNER, .end = END_SECOND },
    { .role = CHILD_RUNNER, .fd = FD_RUNNER_CORE, .pair = PAIR_RUNNER_CORE, .end = END_FIRST },
    { .role = CHILD_CORE, .fd = FD_CORE_RUNNER, .pair = PAIR_RUNNER_CORE, .end = END_SECOND },
};

/* Everything that is handed to children; the supervisor closes it when they have started. */
struct plumbing {
    int pair[PAIRS][2];
    int control[CHILDREN][2]; /* the supervisor's end, the child's */
    int config, measured, tpm, null;
};

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The open file is measured, whatever its name leads to later: the same descriptor is executed. */
static result open_measured(const char *path, const char *name, int *ret_fd, struct digest *ret)
{
    AUTO_BUF hex = BUF(DIGEST_SIZE * 2 + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    result r = fd < 0 ? fail_errno() : digest_program(fd, ret);
    if (!is_ok(r)) {
        log_result(LOG_ERROR, path, r);
        close_fd(&fd);
        return r;
    }
    *ret_fd = fd;
    TRY(hex_put(&hex, digest_span(ret)));
    TRY(buf_u8(&hex, 0));
    log_line(LOG_NOTE, "measured %s: sha256 %s", name, (char *)hex.p);
    return OK;
}

result spawn_measure(struct supervisor *s, const char *libexec)
{
    int self;
    TRY(open_measured("/proc/self/exe", "sebd", &self, &s->measured));
    close(self);
    for (unsigned i = 0; i < CHILDREN; i++) {
        struct process *p = &s->process[i];
        AUTO_BUF path = BUF(4096);
        TRY(buf_printf(&path, "%s/seb-%s", libexec, child_name(i)));
        TRY(buf_u8(&path, 0));
        TRY(open_measured((char *)path.p, child_name(i), &p->program, &p->measured));
    }
    char text[DIGEST_TEXT + 1];
    log_line(LOG_NOTE, "measured configuration: %s", digest_text(&s->config->digest, text));
    return OK;
}

static result seal(const char *name, struct span text, int *ret_fd)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return fail_errno();
    *ret_fd = fd;
    for (size_t at = 0; at < text.n;) {
        ssize_t put = write(fd, text.p + at, text.n - at);
        if (put < 0 && errno != EINTR)
            return fail_errno();
        at += put > 0 ? (size_t)put : 0;
    }
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0 ? OK : fail_errno();
}

/* {"sebd":digest,"seb-front":digest,…}: of the very files that are executed (child.h). */
static result seal_measured(const struct supervisor *s, int *ret_fd)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(CHILD_MEASURED_TEXT_MAX);
    if (!o)
        return fail(E_no_memory);
    TRY(json_put_digest(o, child_program(CHILDREN), &s->measured));
    for (unsigned i = 0; i < CHILDREN; i++)
        TRY(json_put_digest(o, child_program(i), &s->process[i].measured));
    TRY(json_canonical(o, &text));
    return seal("seb-measured", buf_span(&text), ret_fd);
}

/* unix(7): a packet has to fit the sender's buffer, whose default bounds it at 208 KiB with what else is on the way. Beyond
 * net.core.wmem_max only with CAP_NET_ADMIN; without it, one packet of the largest size fits all the same, or nothing is started.
 */
static result make_pair(int fd[2])
{
    const int wanted = SNDBUF_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0)
        return fail_errno();
    for (unsigned i = 0; i < 2; i++) {
        int has = 0;
        socklen_t n = sizeof has;
        if (setsockopt(fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0 &&
            setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted) != 0)
            return fail_errno();
        if (getsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &has, &n) != 0)
            return fail_errno();
        if (has < LINK_PACKET_MAX + 4096)
            return fail_foreign(E_io, FOREIGN_ERRNO, EMSGSIZE);
    }
    return OK;
}

static void plumbing_free(struct plumbing *p)
{
    for (unsigned i = 0; i < PAIRS; i++)
        for (unsigned end = 0; end < 2; end++)
            close_fd(&p->pair[i][end]);
    for (unsigned i = 0; i < CHILDREN; i++)
        for (unsigned end = 0; end < 2; end++)
            close_fd(&p->control[i][end]);
    close_fd(&p->config);
    close_fd(&p->measured);
    close_fd(&p->tpm);
    close_fd(&p->null);
}

static result plumbing_make(struct supervisor *s, struct plumbing *p)
{
    for (unsigned i = 0; i < PAIRS; i++)
        TRY(make_pair(p->pair[i]));
    for (unsigned i = 0; i < CHILDREN; i++)
        TRY(make_pair(p->control[i]));
    TRY(seal("seb-config", buf_span(&s->config_text), &p->config));
    TRY(seal_measured(s, &p->measured));
    p->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (p->null < 0)
        return fail_errno();
    result r = tpm_line_open(s->config->tpm, &p->tpm);
    if (!is_ok(r))
        log_result(LOG_WARNING, "TPM, not given to the keeper yet", r);
    return OK;
}

/* In the child, from here to its exec. Each is first moved out of the way of the numbers that are filled. */
static result place_fds(enum child_role role, const struct supervisor *s, const struct plumbing *p)
{
    int give[CHILD_FDS] = { p->null, p->null, STDERR_FILENO, p->config, p->control[role][1], -1, -1, -1, s->lock, -1 };
    for (unsigned i = 0; i < sizeof wires / sizeof *wires; i++)
        if (wires[i].role == role)
            give[wires[i].fd] = p->pair[wires[i].pair][wires[i].end];
    if (role == CHILD_KEEPER) {
        give[FD_KEEPER_TPM] = p->tpm;
        give[FD_KEEPER_MEASURED] = p->measured;
    }
    for (int fd = 0; fd < CHILD_FDS; fd++)
        if (give[fd] >= 0 && (give[fd] = fcntl(give[fd], F_DUPFD_CLOEXEC, 64)) < 0)
            return fail_errno();
    for (int fd = 0; fd < CHILD_FDS; fd++) {
        if (give[fd] < 0)
            close(fd);
        else if (dup2(give[fd], fd) < 0)
            return fail_errno();
    }
    /* Whoever started the supervisor may have left descriptors open. */
    return close_range(CHILD_FDS, ~0U, CLOSE_RANGE_CLOEXEC) == 0 ? OK : fail_errno();
}

/* The keeper gets what the operator set, since vendors' modules take their configuration there. The others get nothing that could
 * lead a library astray (proxies, OpenSSL's configuration, Malloc's options). */
static bool is_given(enum child_role role, struct span variable)
{
    static const char *const always[] = { "JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
    struct span name = span_part(variable, 0, span_find(variable, 0, '='));
    if (span_is(name, "NOTIFY_SOCKET"))
        return false;
    for (unsigned i = 0; i < sizeof always / sizeof *always; i++)
        if (span_is(name, always[i]))
            return true;
    return role == CHILD_KEEPER;
}

static void environment_for(enum child_role role, char *ret[ENVIRONMENT_MAX + 1])
{
    unsigned n = 0;
    for (char **e = environ; *e && n < ENVIRONMENT_MAX; e++)
        if (is_given(role, span_text(*e)))
            ret[n++] = *e;
    ret[n] = NULL;
}

static result become(enum child_role role, const struct supervisor *s, const struct plumbing *p, pid_t supervisor)
{
    char name[] = "seb-keeper", *argv[] = { name, NULL }, *environment[ENVIRONMENT_MAX + 1];
    sigset_t none;
    AUTO_BUF title = BUF(sizeof name);
    TRY(buf_printf(&title, "seb-%s", child_name(role)));
    TRY(buf_u8(&title, 0));
    TRY(span_copy(buf_span(&title), name, title.n));
    /* prctl(2): sent when the thread that forked ends; it says nothing when that has ended before. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return fail_errno();
    if (getppid() != supervisor)
        return fail(E_peer_gone);
    int program = fcntl(s->process[role].program, F_DUPFD_CLOEXEC, 128);
    if (program < 0)
        return fail_errno();
    TRY(place_fds(role, s, p));
    environment_for(role, environment);
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0 || signal(SIGTERM, SIG_IGN) == SIG_ERR || signal(SIGINT, SIG_IGN) == SIG_ERR)
        return fail_errno();
    execveat(program, "", argv, environment, AT_EMPTY_PATH);
    return fail_errno();
}

static result spawn(struct supervisor *s, enum child_role role, struct plumbing *plumbing)
{
    struct process *p = &s->process[role];
    const pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return fail_errno();
    if (pid == 0)
        child_abort(child_name(role), become(role, s, plumbing, supervisor));
    p->pid = pid;
    p->pidfd = pidfd_open(pid, 0);
    if (p->pidfd < 0)
        return fail_errno();
    TRY(link_new(plumbing->control[role][0], LINK_CONTROL, END_FIRST, &p->control));
    plumbing->control[role][0] = -1; /* the link's */
    return OK;
}

result spawn_all(struct supervisor *s)
{
    struct plumbing p = { .config = -1, .measured = -1, .tpm = -1, .null = -1 };
    for (unsigned i = 0; i < PAIRS; i++)
        p.pair[i][0] = p.pair[i][1] = -1;
    for (unsigned i = 0; i < CHILDREN; i++)
        p.control[i][0] = p.control[i][1] = -1;
    result r = plumbing_make(s, &p);
    for (unsigned i = 0; i < CHILDREN && is_ok(r); i++)
        r = spawn(s, i, &p);
    plumbing_free(&p);
    return r;
}
