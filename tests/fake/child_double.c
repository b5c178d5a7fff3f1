/* Stands in for each of the broker's processes, by the name that it is called: begins as they do, writes what happens to it into
 * state_dir/events, and does what is written into the fifo state_dir/do-<role>. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "child/child.h"

struct fake {
    struct child child;
    enum child_role role;
    int events, orders;
    bool deaf;
};

static int open_in_state(const struct config *c, const char *name, int flags)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", c->state_dir, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static void tell(struct fake *d, const char *what)
{
    char line[200];
    int n = snprintf(line, sizeof line, "%s %s\n", child_name(d->role), what);
    if (write(d->events, line, (size_t)n) != n)
        _exit(99);
}

/* Open descriptors below 16, and how many variables the environment has. */
static void tell_open(struct fake *d)
{
    char text[120] = "open";
    size_t n = 4;
    for (int fd = 0; fd < 16; fd++)
        if (fd != d->events && fd != d->orders && fcntl(fd, F_GETFD) >= 0)
            n += (size_t)snprintf(text + n, sizeof text - n, " %d", fd);
    snprintf(text + n, sizeof text - n, " secret=%s notify=%s", getenv("HTTPS_PROXY") ? "yes" : "no",
        getenv("NOTIFY_SOCKET") ? "yes" : "no");
    tell(d, text);
}

/* What a TPM answers to TPM2_GetCapability would be too long for here: that a command can be written is enough. */
static void tell_tpm(struct fake *d, int fd)
{
    struct stat st;
    bool is_tpm = fd >= 0 && fstat(fd, &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode));
    tell(d, is_tpm ? "tpm came" : "tpm came without a descriptor");
    if (fd >= 0)
        close(fd);
}

/* A packet of the largest size travels from the front to the core, which tells so. */
static void big_packet(struct fake *d)
{
    static uint8_t packet[LINK_PACKET_MAX];
    tell(d, write(FD_FRONT_CORE, packet, sizeof packet) == sizeof packet ? "sent" : strerror(errno));
}
static void take_big_packet(struct fake *d)
{
    static uint8_t packet[LINK_PACKET_MAX + 1];
    tell(d, read(FD_CORE_FRONT, packet, sizeof packet) == LINK_PACKET_MAX ? "took" : "took something else");
}

static void go_deaf(struct fake *d)
{
    d->deaf = true;
    tell(d, "is deaf");
}

static void obey(struct fake *d, const char *order)
{
    result r = OK;
    if (!strcmp(order, "crash"))
        raise(SIGKILL);
    else if (!strncmp(order, "exit ", 5))
        _exit(atoi(order + 5));
    else if (!strcmp(order, "deaf"))
        go_deaf(d);
    else if (!strcmp(order, "again"))
        r = link_send(d->child.control, MESSAGE_TPM_AGAIN, 0, (struct span){ 0 });
    else if (!strcmp(order, "ready"))
        r = child_ready(&d->child);
    else if (!strcmp(order, "big"))
        big_packet(d);
    else if (!strcmp(order, "take"))
        take_big_packet(d);
    else if (!strcmp(order, "open"))
        tell_open(d);
    if (!is_ok(r))
        child_abort("double", r);
}

static void read_orders(struct fake *d)
{
    char text[200], *rest = text;
    ssize_t n = read(d->orders, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    for (char *line; (line = strsep(&rest, "\n"));)
        obey(d, line);
}

static bool read_control(struct fake *d)
{
    struct message m;
    bool got = false;
    int fd = -1;
    result r = link_receive_fd(d->child.control, &m, &got, &fd);
    if (code_of(r) == E_peer_gone)
        return false;
    if (!is_ok(r))
        child_abort("control", r);
    if (got && m.type == MESSAGE_STOP)
        tell(d, "is told to stop");
    else if (got)
        tell_tpm(d, fd);
    return true;
}

static void serve(struct fake *d)
{
    for (;;) {
        struct pollfd p[] = { { .fd = d->deaf ? -1 : FD_CONTROL, .events = POLLIN }, { .fd = d->orders, .events = POLLIN } };
        if (poll(p, 2, -1) < 0)
            child_abort("poll", fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno));
        if (p[1].revents)
            read_orders(d);
        if (p[0].revents && !d->deaf && !read_control(d))
            return;
    }
}

int main(int argc, char **argv)
{
    struct fake d = { .role = CHILDREN };
    for (unsigned i = 0; i < CHILDREN; i++)
        if (argc == 1 && !strncmp(argv[0], "seb-", 4) && !strcmp(argv[0] + 4, child_name(i)))
            d.role = i;
    if (d.role == CHILDREN)
        return 98;
    log_program(argv[0]);
    bool tpm = fcntl(FD_KEEPER_TPM, F_GETFD) >= 0;
    d.child = child_begin(d.role);
    char fifo[30], text[40];
    snprintf(fifo, sizeof fifo, "do-%s", child_name(d.role));
    d.events = open_in_state(d.child.config, "events", O_WRONLY | O_APPEND | O_CREAT);
    d.orders = open_in_state(d.child.config, fifo, O_RDWR);
    if (d.events < 0 || d.orders < 0)
        child_abort("events", fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno));
    snprintf(text, sizeof text, "pid %d", (int)getpid());
    tell(&d, text);
    if (d.role == CHILD_KEEPER)
        tell(&d, d.child.tpm == FD_KEEPER_TPM && tpm ? "has tpm" : "has no tpm");
    for (unsigned i = 0; d.role == CHILD_KEEPER && i <= CHILDREN; i++) {
        AUTO_BUF hex = BUF(DIGEST_SIZE * 2 + 1);
        char line[128];
        if (is_ok(hex_put(&hex, digest_span(&d.child.measured[i]))) && is_ok(buf_u8(&hex, 0))) {
            snprintf(line, sizeof line, "measured %s %s", child_program(i), (const char *)hex.p);
            tell(&d, line);
        }
    }
    result r = child_ready(&d.child);
    if (!is_ok(r))
        child_abort("ready", r);
    serve(&d);
    tell(&d, "stops");
    child_end(&d.child);
    return 0;
}
