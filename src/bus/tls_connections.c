#include "config.h"

#include "bus/tls_connections.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_MS 10000 /* for a handshake, for the rest of a message, and for a peer that doesn't read */
#define ACCEPTS_IN_A_TURN 8
#define OUT_MAX (8 * (size_t)SP_MESSAGE_MAX)
#define PLACE_BITS 13
_Static_assert(GATE_WAITING + TLS_ENTERING + 4096 <= 1 << PLACE_BITS, "a place fits an id");

result connection_watch(struct tls_server *s, int how, int fd, uint32_t events, uint64_t tag)
{
    struct epoll_event e = { .events = events, .data.u64 = tag };
    return epoll_ctl(s->epoll, how, fd, &e) == 0 ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

uint32_t connection_id(const struct tls_server *s, const struct connection *c)
{
    return c->generation << PLACE_BITS | (uint32_t)(c - s->connection);
}

struct connection *connection_find(struct tls_server *s, uint32_t id)
{
    uint32_t place = id & ((1u << PLACE_BITS) - 1);
    struct connection *c = place < s->connections ? &s->connection[place] : NULL;
    return c && c->state != CONNECTION_FREE && connection_id(s, c) == id ? c : NULL;
}

static void set_ready(struct tls_server *s, struct connection *c, bool ready)
{
    s->ready += (unsigned)ready - (unsigned)c->ready;
    c->ready = ready;
}

void connection_hang_up(struct tls_server *s, struct connection *c)
{
    if (c->state == CONNECTION_OPEN)
        peers_leave(s->peers, connection_id(s, c));
    else
        gate_leave(s->gate, c->source);
    set_ready(s, c, false);
    tls_say_goodbye(c->line);
    tls_line_free(c->line);
    close(c->fd);
    buf_free(&c->in);
    buf_free(&c->out);
    *c = (struct connection){ .generation = c->generation + 1, .fd = -1 };
}

void connection_cut_off(struct tls_server *s, struct connection *c)
{
    s->counts.cut_off++;
    connection_hang_up(s, c);
}

/* What is wanted of the socket: not to read on while a message waits to be taken, so that who sends too much waits. */
static void want(struct tls_server *s, struct connection *c, uint32_t events)
{
    if (c->events == events)
        return;
    c->events = events;
    if (!is_ok(connection_watch(s, EPOLL_CTL_MOD, c->fd, events, connection_tag(OF_CONNECTION, connection_id(s, c)))))
        connection_cut_off(s, c);
}

static void want_next(struct tls_server *s, struct connection *c)
{
    want(s, c, (c->ready ? 0 : EPOLLIN) | (c->sent < c->out.n ? EPOLLOUT : 0));
}

/* False where the connection is gone. */
static bool flush(struct tls_server *s, struct connection *c)
{
    while (c->sent < c->out.n) {
        size_t n = 0;
        enum tls_step step = tls_write(c->line, (struct span){ c->out.p + c->sent, c->out.n - c->sent }, &n);
        if (step == TLS_OVER) {
            connection_hang_up(s, c);
            return false;
        }
        if (step != TLS_DONE) {
            c->reads_ms = c->reads_ms ? c->reads_ms : clock_mono_ms();
            return true;
        }
        c->sent += n;
    }
    buf_clear(&c->out);
    c->sent = 0;
    c->reads_ms = 0;
    return true;
}

/* ---- coming in ---- */

static struct connection *free_place(struct tls_server *s)
{
    for (struct connection *c = s->connection; c < s->connection + s->connections; c++)
        if (c->state == CONNECTION_FREE)
            return c;
    return NULL;
}

static void cut_oldest_of(struct tls_server *s, uint32_t source)
{
    struct connection *oldest = NULL;
    for (struct connection *c = s->connection; c < s->connection + s->connections; c++)
        if ((c->state == CONNECTION_SHAKING || c->state == CONNECTION_GREETING) && c->source == source &&
            (!oldest || c->order < oldest->order))
            oldest = c;
    if (oldest)
        connection_cut_off(s, oldest);
}

/* tcp(7): a peer whose machine is gone says nothing; two minutes later its connection is. */
static void keep_alive(int fd)
{
    const int on = 1, idle_s = 60, every_s = 20, times = 3;
    (void)!setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static bool begin(struct tls_server *s, int fd, uint32_t source, int64_t now_ms)
{
    struct connection *c = free_place(s);
    struct tls_line *line = NULL;
    if (!c || !is_ok(tls_line_new(s->end, fd, NULL, &line)))
        return false;
    *c = (struct connection){ .state = CONNECTION_SHAKING,
        .generation = c->generation,
        .fd = fd,
        .line = line,
        .source = source,
        .events = EPOLLIN,
        .order = s->orders++,
        .waits_ms = now_ms,
        .in = BUF(SP_MESSAGE_MAX + TLS_RECORD_MAX),
        .out = BUF(OUT_MAX) };
    if (is_ok(connection_watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, connection_tag(OF_CONNECTION, connection_id(s, c)))))
        return true;
    tls_line_free(line);
    c->state = CONNECTION_FREE;
    return false;
}

static void accept_one(struct tls_server *s, int fd, const struct sockaddr *from, int64_t now_ms)
{
    uint32_t source;
    if (!gate_enter(s->gate, from, now_ms, &source)) {
        s->counts.cut_off++;
        close(fd);
        return;
    }
    keep_alive(fd);
    if (!begin(s, fd, source, now_ms)) {
        s->counts.cut_off++;
        gate_leave(s->gate, source);
        close(fd);
        return;
    }
    if (gate_is_overfull(s->gate))
        cut_oldest_of(s, gate_most(s->gate));
}

/* accept(2): whatever else is wrong (no descriptor is left, say) lasts, and the listener would be readable all the time. */
void connections_accept(struct tls_server *s)
{
    for (unsigned i = 0; i < ACCEPTS_IN_A_TURN; i++) {
        struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
        socklen_t n = sizeof from;
        int fd = accept4(s->listener, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            accept_one(s, fd, (const struct sockaddr *)&from, clock_mono_ms());
            continue;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return;
        cut_oldest_of(s, gate_most(s->gate));
        s->deaf = is_ok(connection_watch(s, EPOLL_CTL_MOD, s->listener, 0, connection_tag(OF_LISTENER, 0)));
        return;
    }
}

/* Peers are told apart by their certificates: bounds are each one's, and coming again gives nobody fresh ones. */
static bool name_peer(struct connection *c)
{
    struct digest d;
    if (!is_ok(tls_peer(c->line, &d)))
        return false;
    c->uid = (uint32_t)d.b[0] << 24 | (uint32_t)d.b[1] << 16 | (uint32_t)d.b[2] << 8 | d.b[3];
    return true;
}

/* False where the connection is gone, or waits. */
static bool shake(struct tls_server *s, struct connection *c)
{
    switch (tls_handshake(c->line)) {
    case TLS_WANT_READ:
        want(s, c, EPOLLIN);
        return false;
    case TLS_WANT_WRITE:
        want(s, c, EPOLLOUT);
        return false;
    case TLS_OVER:
        connection_cut_off(s, c);
        return false;
    case TLS_DONE:
        break;
    }
    if (!name_peer(c) || !is_ok(sp_greeting_put(&c->out, SP_REP))) {
        connection_cut_off(s, c);
        return false;
    }
    c->state = CONNECTION_GREETING;
    return flush(s, c);
}

static void skip(struct buf *b, size_t n)
{
    struct buf rest = BUF(b->max);
    if (n < b->n && !is_ok(buf_put(&rest, (struct span){ b->p + n, b->n - n })))
        n = b->n;
    if (n >= b->n) {
        buf_clear(b);
        return;
    }
    buf_free(b);
    *b = rest;
}

static bool greet(struct tls_server *s, struct connection *c)
{
    if (c->in.n < SP_GREETING)
        return true;
    if (!is_ok(sp_greeting_read((struct span){ c->in.p, SP_GREETING }, SP_REQ)) ||
        !peers_join(s->peers, connection_id(s, c), c->uid, clock_mono_ms())) {
        connection_cut_off(s, c);
        return false;
    }
    gate_through(s->gate, c->source);
    c->state = CONNECTION_OPEN;
    skip(&c->in, SP_GREETING);
    return true;
}

/* What has arrived: is the first message whole, and can there be one at all? */
static bool look(struct tls_server *s, struct connection *c, int64_t now_ms)
{
    uint32_t id;
    struct span frame;
    size_t n = 0;
    if (c->state == CONNECTION_GREETING && !greet(s, c))
        return false;
    if (c->state != CONNECTION_OPEN)
        return true;
    if (!is_ok(sp_read(buf_span(&c->in), &id, &frame, &n))) {
        connection_cut_off(s, c);
        return false;
    }
    set_ready(s, c, n > 0);
    c->waits_ms = n > 0 || !c->in.n ? 0 : c->waits_ms ? c->waits_ms : now_ms;
    return true;
}

/* False where the connection is gone. */
static bool read_some(struct tls_server *s, struct connection *c)
{
    uint8_t record[TLS_RECORD_MAX];
    size_t n = 0;
    if (c->ready)
        return true;
    enum tls_step step = tls_read(c->line, record, sizeof record, &n);
    if (step == TLS_OVER || (step == TLS_DONE && !is_ok(buf_put(&c->in, (struct span){ record, n })))) {
        connection_hang_up(s, c);
        return false;
    }
    return step != TLS_DONE || look(s, c, clock_mono_ms());
}

void connection_serve(struct tls_server *s, struct connection *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) {
        connection_hang_up(s, c);
        return;
    }
    if (c->state == CONNECTION_SHAKING && !shake(s, c))
        return;
    if (flush(s, c) && read_some(s, c))
        want_next(s, c);
}

void connection_go_on(struct tls_server *s, struct connection *c)
{
    if (look(s, c, clock_mono_ms()) && flush(s, c))
        want_next(s, c);
}

result connection_take(struct connection *c, uint32_t *ret_request, struct buf *ret_frame)
{
    uint32_t request;
    struct span frame;
    size_t n = 0;
    TRY(sp_read(buf_span(&c->in), &request, &frame, &n));
    buf_clear(ret_frame);
    TRY(buf_put(ret_frame, frame));
    skip(&c->in, n);
    *ret_request = request;
    return OK;
}

/* ---- time ---- */

static bool is_late(int64_t since_ms, int64_t now_ms)
{
    return since_ms && now_ms - since_ms >= PATIENCE_MS;
}

void connections_sweep(struct tls_server *s)
{
    uint64_t times;
    int64_t now_ms = clock_mono_ms();
    (void)!read(s->timer, &times, sizeof times);
    if (s->deaf)
        s->deaf = !is_ok(connection_watch(s, EPOLL_CTL_MOD, s->listener, EPOLLIN, connection_tag(OF_LISTENER, 0)));
    for (struct connection *c = s->connection; c < s->connection + s->connections; c++)
        if (c->state != CONNECTION_FREE && (is_late(c->waits_ms, now_ms) || is_late(c->reads_ms, now_ms)))
            connection_cut_off(s, c);
}
