#include "config.h"

#include "tests/bench/primitives.h"

#include "base/worker.h"
#include "bus/bus.h"
#include "link/link.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_US 2000
#define FRAME 3072 /* a SUBMIT's or REPLY's size */

/* A child that runs `serve` until it is killed, or its parent is gone; watched beside this process. */
static pid_t child_start(void (*serve)(void *context), void *context)
{
    char watch[32];
    pid_t pid = fork();
    must_hold(pid >= 0, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(context);
        _exit(0);
    }
    snprintf(watch, sizeof watch, "peer=%d", (int)pid);
    setenv("BENCH_WATCH", watch, 1);
    return pid;
}

static void child_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void bus_answer_all(void *path)
{
    struct bus_server *s;
    must(bus_serve(&(struct bus_server_args){ .path = path, .pipes = 16, .in_flight = 64, .in_flight_per_uid = 64 }, &s), "bus");
    for (;;) {
        struct bus_request q;
        bool got = true;
        struct pollfd p = { .fd = bus_fd(s), .events = POLLIN };
        poll(&p, 1, -1);
        while (got) {
            must(bus_receive(s, &q, &got), "bus");
            if (got)
                bus_answer(s, &q.ticket, q.frame);
        }
    }
}

struct asking {
    struct bus_client *client;
    uint8_t frame[FRAME];
    struct buf reply;
};

static void ask_once(void *context)
{
    struct asking *k = context;
    must(bus_ask(k->client, SPAN(k->frame), 10000, &k->reply), "bus");
}

/* All on one core from here on: it never idles between the two ends, so that a wake-up is as cheap as it gets. */
static void stay_on_one_core(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    must_hold(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

/* One round trip, request and reply. */
static void bus(const struct primitive_args *a, const char *name, unsigned pause_us)
{
    AUTO_BUF path = BUF(128);
    must(buf_printf(&path, "%s/bus", a->folder), "path");
    must(buf_u8(&path, 0), "path");
    pid_t pid = child_start(bus_answer_all, path.p);
    struct asking k = { .reply = BUF(BUS_FRAME_MAX) };
    while (!is_ok(bus_connect((const char *)path.p, &k.client)))
        must_hold(waitpid(pid, NULL, WNOHANG) == 0, "the bus's other end");
    measure(&(struct measure){ .name = name, .rounds = a->rounds, .pause_us = pause_us, .once = ask_once, .context = &k });
    bus_client_free(k.client);
    buf_free(&k.reply);
    child_end(pid);
}

void primitive_bus(const struct primitive_args *a)
{
    bus(a, "bus_idle", PAUSE_US);
}

void primitive_bus_busy(const struct primitive_args *a)
{
    stay_on_one_core();
    bus(a, "bus_busy", 0);
}

static void receive(struct link *l, struct message *m)
{
    for (bool got = false; !got;) {
        struct pollfd p = { .fd = link_fd(l), .events = link_events(l) };
        poll(&p, 1, -1);
        must(link_receive(l, m, &got), "link");
    }
}

static void hop_back(void *fd)
{
    struct link *l;
    struct message m;
    must(link_new(*(int *)fd, LINK_FRONT_CORE, END_SECOND, &l), "link");
    for (;;) {
        receive(l, &m);
        must(link_send(l, MESSAGE_REPLY, m.slot, m.fields), "link");
    }
}

static void hop_once(void *link)
{
    static const uint8_t fields[FRAME];
    struct message m;
    must(link_send(link, MESSAGE_SUBMIT, 1, SPAN(fields)), "link");
    receive(link, &m);
}

/* Half a ping-pong of two processes. */
static void hop(const struct primitive_args *a, const char *name, unsigned pause_us)
{
    int fd[2];
    struct link *l;
    must_hold(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0, "socketpair");
    pid_t peer = child_start(hop_back, &fd[1]);
    close(fd[1]);
    must(link_new(fd[0], LINK_FRONT_CORE, END_FIRST, &l), "link");
    measure(
        &(struct measure){ .name = name, .rounds = a->rounds, .parts = 2, .pause_us = pause_us, .once = hop_once, .context = l });
    link_free(l);
    child_end(peer);
}

void primitive_hop(const struct primitive_args *a)
{
    hop(a, "hop_idle", PAUSE_US);
}

void primitive_hop_busy(const struct primitive_args *a)
{
    stay_on_one_core();
    hop(a, "hop_busy", 0);
}

static void do_nothing(struct job *job, void *thread)
{
}

static void job_once(void *worker)
{
    struct job job = { .run = do_nothing };
    worker_post(worker, &job);
    for (struct pollfd p = { .fd = worker_fd(worker), .events = POLLIN }; !worker_take(worker);)
        poll(&p, 1, -1);
}

/* To a worker's thread and back, from idle cores: beside a process's event loop lies one for commits, TPM and HSM. */
void primitive_thread(const struct primitive_args *a)
{
    struct worker *w;
    void *none[1] = { NULL };
    must(worker_start(none, 1, &w), "worker");
    measure(&(struct measure){ .name = "thread_idle", .rounds = a->rounds, .pause_us = PAUSE_US, .once = job_once, .context = w });
    worker_stop(w);
}
