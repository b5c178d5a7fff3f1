#include "config.h"

#include "bus/tls_server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/tls_connections.h"

#define EVENTS_IN_A_TURN 8 /* a handshake costs half a millisecond, and agents wait for the same thread */
#define BUSY_IN_A_TURN 64
#define BACKLOG 128

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

static result turn(struct tls_server *s)
{
    struct epoll_event e[EVENTS_IN_A_TURN];
    int n = epoll_wait(s->epoll, e, EVENTS_IN_A_TURN, 0);
    if (n < 0)
        return errno == EINTR ? OK : fail_errno();
    for (int i = 0; i < n; i++) {
        struct connection *c;
        switch (e[i].data.u64 >> 32) {
        case OF_LISTENER:
            connections_accept(s);
            break;
        case OF_TIMER:
            connections_sweep(s);
            break;
        case OF_CONNECTION:
            c = connection_find(s, (uint32_t)e[i].data.u64);
            if (c)
                connection_serve(s, c, e[i].events);
            break;
        default:
            break;
        }
    }
    return OK;
}

static void send_frame(struct tls_server *s, const uint8_t route[BUS_ROUTE_MAX], struct span frame)
{
    struct reader r = reader_of((struct span){ route, BUS_ROUTE_MAX });
    uint32_t connection, request;
    if (!is_ok(read_u32(&r, &connection)) || !is_ok(read_u32(&r, &request)) || frame.n > BUS_FRAME_MAX)
        return;
    struct connection *c = connection_find(s, connection);
    if (!c)
        return;
    if (!is_ok(sp_put(&c->out, request, frame)))
        connection_cut_off(s, c); /* it reads nothing */
    else
        connection_go_on(s, c);
}

static void answer_busy(struct tls_server *s, const uint8_t route[BUS_ROUTE_MAX])
{
    AUTO_BUF frame = BUF(1024);
    s->counts.busy++;
    if (is_ok(bus_frame_status(&frame, "busy", E_busy)))
        send_frame(s, route, buf_span(&frame));
}

static struct connection *next_ready(struct tls_server *s)
{
    for (unsigned i = 0; s->ready && i < s->connections; i++) {
        struct connection *c = &s->connection[(s->next + i) % s->connections];
        if (c->ready) {
            s->next = (unsigned)(c - s->connection + 1) % s->connections;
            return c;
        }
    }
    return NULL;
}

/* True where the caller has something to do. The frame is copied: whatever becomes of its connection before the next call, it
 * stays.
 */
static bool sift(struct tls_server *s, struct connection *c, struct bus_request *ret)
{
    AUTO_BUF route = BUF(BUS_ROUTE_MAX);
    struct bus_request q = { 0 };
    uint32_t id = connection_id(s, c), request;
    if (!is_ok(connection_take(c, &request, &s->held)) || !is_ok(buf_u32(&route, id)) || !is_ok(buf_u32(&route, request)) ||
        !is_ok(span_copy(buf_span(&route), q.ticket.route, BUS_ROUTE_MAX))) {
        connection_cut_off(s, c);
        return false;
    }
    s->counts.received++;
    enum peers_verdict v = peers_take(s->peers, id, clock_mono_ms(), &q.ticket.uid);
    connection_go_on(s, c);
    if (v == PEERS_BUSY)
        answer_busy(s, q.ticket.route);
    q.frame = buf_span(&s->held);
    if (v == PEERS_TAKEN)
        *ret = q;
    return v == PEERS_TAKEN;
}

/* The set is readable while a whole message waits inside, though its socket says nothing more. */
static result tell_ready(struct tls_server *s)
{
    uint64_t n = 1;
    ssize_t done = s->ready ? write(s->ready_event, &n, sizeof n) : read(s->ready_event, &n, sizeof n);
    return done == sizeof n || errno == EAGAIN ? OK : fail_errno();
}

result tls_server_receive(struct tls_server *s, struct bus_request *ret, bool *ret_got)
{
    bool got = false;
    if (!s->ready)
        TRY(turn(s));
    for (unsigned i = 0; i < BUSY_IN_A_TURN && s->ready && !got; i++)
        got = sift(s, next_ready(s), ret);
    TRY(tell_ready(s));
    *ret_got = got;
    return OK;
}

void tls_server_answer(struct tls_server *s, const struct bus_ticket *t, struct span frame)
{
    peers_done(s->peers, t->uid);
    send_frame(s, t->route, frame);
}

void tls_server_drop(struct tls_server *s, const struct bus_ticket *t)
{
    peers_done(s->peers, t->uid);
}

struct bus_counts tls_server_counts(const struct tls_server *s)
{
    return s->counts;
}

result tls_address(const char *address, struct buf *ret_host, struct buf *ret_port)
{
    struct span a = span_text(address);
    const size_t scheme = span_text(BUS_TLS_SCHEME).n;
    if (span_is(span_part(a, 0, scheme), BUS_TLS_SCHEME))
        a = span_part(a, scheme, a.n);
    size_t colon = a.n;
    for (size_t i = 0; i < a.n; i++)
        if (a.p[i] == ':')
            colon = i;
    struct span host = span_part(a, 0, colon), port = span_part(a, colon + 1, a.n);
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = span_part(host, 1, host.n - 2);
    if (!host.n || !port.n || a.n > BUS_ADDRESS_MAX || span_find(a, 0, '/') < a.n || span_find(a, 0, 0) < a.n)
        return fail(E_bad_value);
    TRY(buf_put(ret_host, host));
    TRY(buf_u8(ret_host, 0));
    TRY(buf_put(ret_port, port));
    return buf_u8(ret_port, 0);
}

static int listen_at(const struct addrinfo *a)
{
    const int on = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (a->ai_family == AF_INET6)
        (void)!setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

/* "*": everywhere; an IPv6 socket takes IPv4 too (ipv6(7)), where the machine has IPv6. */
static result open_listener(struct tls_server *s, const char *address)
{
    AUTO_BUF host = BUF(BUS_ADDRESS_MAX + 1);
    AUTO_BUF port = BUF(BUS_ADDRESS_MAX + 1);
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
    TRY(tls_address(address, &host, &port));
    bool everywhere = span_is(span_part(buf_span(&host), 0, host.n - 1), "*");
    int e = getaddrinfo(everywhere ? NULL : (const char *)host.p, (const char *)port.p, &hints, &found);
    if (e != 0)
        return fail(e == EAI_MEMORY ? E_no_memory : e == EAI_SERVICE ? E_bad_value : E_not_found);
    errno = 0;
    for (int family = AF_INET6; s->listener < 0 && family; family = family == AF_INET6 ? AF_INET : 0)
        for (const struct addrinfo *a = found; a && s->listener < 0; a = a->ai_next)
            if (a->ai_family == family)
                s->listener = listen_at(a);
    result r =
        s->listener >= 0 ? connection_watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, connection_tag(OF_LISTENER, 0)) : fail_errno();
    freeaddrinfo(found);
    return r;
}

static result open_set(struct tls_server *s)
{
    const struct itimerspec second = { .it_interval = { .tv_sec = 1 }, .it_value = { .tv_sec = 1 } };
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    s->ready_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->epoll < 0 || s->timer < 0 || s->ready_event < 0 || timerfd_settime(s->timer, 0, &second, NULL) != 0)
        return fail_errno();
    TRY(connection_watch(s, EPOLL_CTL_ADD, s->timer, EPOLLIN, connection_tag(OF_TIMER, 0)));
    return connection_watch(s, EPOLL_CTL_ADD, s->ready_event, EPOLLIN, connection_tag(OF_READY, 0));
}

static result open_server(struct tls_server *s, const struct bus_server_args *a)
{
    s->connections = GATE_WAITING + TLS_ENTERING + a->pipes;
    s->connection = calloc(s->connections, sizeof *s->connection);
    if (!s->connection)
        return fail(E_no_memory);
    TRY(gate_new(&s->gate));
    TRY(peers_new(&(struct peers_args){ .pipes = a->pipes,
                      .in_flight = a->in_flight,
                      .in_flight_per_uid = a->in_flight_per_uid,
                      .rate_per_s_per_uid = a->rate_per_s_per_uid },
        &s->peers));
    TRY(tls_end_new(a->tls, TLS_SERVER, &s->end));
    TRY(open_set(s));
    return open_listener(s, a->address);
}

result tls_server_new(const struct bus_server_args *args, struct tls_server **ret)
{
    struct tls_server *s = calloc(1, sizeof *s);
    if (!s)
        return fail(E_no_memory);
    s->epoll = s->listener = s->timer = s->ready_event = -1;
    s->held = BUF(BUS_FRAME_MAX);
    result r = open_server(s, args);
    if (is_ok(r))
        *ret = s;
    else
        tls_server_free(s);
    return r;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void tls_server_free(struct tls_server *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->connections && s->connection; i++)
        if (s->connection[i].state != CONNECTION_FREE)
            connection_hang_up(s, &s->connection[i]);
    close_if_open(s->listener);
    close_if_open(s->timer);
    close_if_open(s->ready_event);
    close_if_open(s->epoll);
    tls_end_free(s->end);
    peers_free(s->peers);
    gate_free(s->gate);
    buf_free(&s->held);
    free(s->connection);
    free(s);
}

int tls_server_fd(const struct tls_server *s)
{
    return s->epoll;
}
