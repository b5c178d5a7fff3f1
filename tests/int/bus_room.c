#include "config.h"

#include "tests/int/bus_room.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HELD_MAX 4096

/* nng leaks of its own when a listener is closed while a connection's handshake is under way; the tests are full of such. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libnng.so";
}

struct room {
    char folder[32], path[64];
    unsigned port; /* over TLS */
    struct bus_server *server;
    pthread_t thread;
    int wake;
    pthread_mutex_t lock;
    bool stop, hold;
    unsigned held;
    uint32_t last_uid;
    struct bus_counts counts;
    struct bus_ticket ticket[HELD_MAX];
};

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

static void take(struct room *r, const struct bus_request *q)
{
    r->last_uid = q->ticket.uid;
    if (r->hold && r->held < HELD_MAX)
        r->ticket[r->held++] = q->ticket;
    else
        bus_answer(r->server, &q->ticket, q->frame);
}

static void let_go(struct room *r)
{
    while (!r->hold && r->held)
        bus_answer(r->server, &r->ticket[--r->held], span_text("held"));
}

static void *serve(void *room)
{
    struct room *r = room;
    for (;;) {
        struct pollfd p[2] = { { .fd = bus_fd(r->server), .events = POLLIN }, { .fd = r->wake, .events = POLLIN } };
        uint64_t n;
        poll(p, 2, -1);
        pthread_mutex_lock(&r->lock);
        if (p[1].revents)
            need(read(r->wake, &n, sizeof n) == sizeof n, "eventfd");
        let_go(r);
        for (bool got = !r->stop; got;) {
            struct bus_request q;
            need(is_ok(bus_receive(r->server, &q, &got)), "bus_receive");
            if (got)
                take(r, &q);
        }
        r->counts = bus_counts_of(r->server);
        bool stop = r->stop;
        pthread_mutex_unlock(&r->lock);
        if (stop)
            return NULL;
    }
}

unsigned room_free_port(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(bind(fd, (struct sockaddr *)&here, n) == 0 && getsockname(fd, (struct sockaddr *)&here, &n) == 0, "a free port");
    close(fd);
    return ntohs(here.sin_port);
}

struct room *room_open_at(const struct bus_server_args *args, unsigned port)
{
    struct room *r = calloc(1, sizeof *r);
    struct bus_server_args a = *args;
    need(r != NULL, "calloc");
    snprintf(r->folder, sizeof r->folder, "/tmp/seb-bus-XXXXXX");
    need(mkdtemp(r->folder) && chmod(r->folder, 0755) == 0, "mkdtemp");
    if (a.tls) {
        r->port = port ? port : room_free_port();
        snprintf(r->path, sizeof r->path, "tls+tcp://127.0.0.1:%u", r->port);
        a.path = NULL;
        a.address = r->path;
    } else {
        snprintf(r->path, sizeof r->path, "%s/bus.sock", r->folder);
        a.path = r->path;
    }
    need(is_ok(bus_serve(&a, &r->server)), "bus_serve");
    pthread_mutex_init(&r->lock, NULL);
    need((r->wake = eventfd(0, EFD_CLOEXEC)) >= 0, "eventfd");
    need(pthread_create(&r->thread, NULL, serve, r) == 0, "pthread_create");
    return r;
}

static void wake(struct room *r)
{
    uint64_t one = 1;
    need(write(r->wake, &one, sizeof one) == sizeof one, "eventfd");
}

void room_close(struct room *r)
{
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    wake(r);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    bus_server_free(r->server);
    close(r->wake);
    pthread_mutex_destroy(&r->lock);
    need(rmdir(r->folder) == 0, "the socket is gone with its server");
    free(r);
}

struct room *room_open(const struct bus_server_args *args)
{
    return room_open_at(args, 0);
}

const char *room_path(const struct room *r)
{
    return r->path;
}

unsigned room_port(const struct room *r)
{
    return r->port;
}

void room_hold(struct room *r, bool hold)
{
    pthread_mutex_lock(&r->lock);
    r->hold = hold;
    wake(r);
    pthread_mutex_unlock(&r->lock);
}

unsigned room_held(struct room *r)
{
    pthread_mutex_lock(&r->lock);
    unsigned n = r->held;
    pthread_mutex_unlock(&r->lock);
    return n;
}

uint32_t room_last_uid(struct room *r)
{
    pthread_mutex_lock(&r->lock);
    uint32_t uid = r->last_uid;
    pthread_mutex_unlock(&r->lock);
    return uid;
}

struct bus_counts room_counts(struct room *r)
{
    pthread_mutex_lock(&r->lock);
    struct bus_counts c = r->counts;
    pthread_mutex_unlock(&r->lock);
    return c;
}

bool room_wait(struct room *r, bool (*holds)(struct room *r, unsigned n), unsigned n)
{
    for (unsigned i = 0; i < 5000; i++) {
        if (holds(r, n))
            return true;
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    return false;
}
