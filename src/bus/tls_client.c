#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/client.h"
#include "bus/sp.h"
#include "bus/tls.h"
#include "bus/tls_server.h"

#define DIAL_MS 10000

struct tls_client {
    struct tls_end *end;
    struct buf host, port; /* with their NUL */
    char *name; /* that the server's certificate must have */
    int fd; /* -1: not connected */
    struct tls_line *line;
    uint32_t last; /* request id */
    struct buf in;
};

static const char *text(const struct buf *b)
{
    return (const char *)b->p;
}

static result unavailable(int e)
{
    return fail_foreign(E_unavailable, FOREIGN_ERRNO, (uint32_t)e);
}

static void hang_up(struct tls_client *c)
{
    if (c->line)
        tls_say_goodbye(c->line);
    tls_line_free(c->line);
    c->line = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_clear(&c->in);
}

static result wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - clock_mono_ms();
        struct pollfd p = { .fd = fd, .events = events };
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n > 0)
            return OK;
        if (n == 0)
            return unavailable(ETIMEDOUT);
        if (errno != EINTR)
            return unavailable(errno);
    }
}

/* After a step that isn't done: OK, and the step can be tried again. */
static result wait_step(struct tls_client *c, enum tls_step step, int64_t deadline_ms)
{
    if (step == TLS_OVER)
        return unavailable(ECONNRESET);
    return wait_for(c->fd, step == TLS_WANT_READ ? POLLIN : POLLOUT, deadline_ms);
}

static result write_all(struct tls_client *c, struct span bytes, int64_t deadline_ms)
{
    while (bytes.n) {
        size_t n = 0;
        enum tls_step step = tls_write(c->line, bytes, &n);
        if (step == TLS_DONE)
            bytes = span_part(bytes, n, bytes.n);
        else
            TRY(wait_step(c, step, deadline_ms));
    }
    return OK;
}

static result read_more(struct tls_client *c, int64_t deadline_ms)
{
    for (;;) {
        uint8_t record[TLS_RECORD_MAX];
        size_t n = 0;
        enum tls_step step = tls_read(c->line, record, sizeof record, &n);
        if (step == TLS_DONE)
            return buf_put(&c->in, (struct span){ record, n });
        TRY(wait_step(c, step, deadline_ms));
    }
}

static result skip(struct tls_client *c, size_t n)
{
    AUTO_BUF rest = BUF(c->in.max);
    TRY(buf_put(&rest, span_part(buf_span(&c->in), n, c->in.n)));
    buf_clear(&c->in);
    return buf_put(&c->in, buf_span(&rest));
}

static result connect_to(const struct addrinfo *a, int64_t deadline_ms, int *ret_fd)
{
    const int on = 1;
    int e = 0;
    socklen_t n = sizeof e;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return unavailable(errno);
    result r = OK;
    if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
        r = errno == EINPROGRESS ? wait_for(fd, POLLOUT, deadline_ms) : unavailable(errno);
        if (is_ok(r) && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0 || e))
            r = unavailable(e);
    }
    if (!is_ok(r)) {
        close(fd);
        return r;
    }
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *ret_fd = fd;
    return OK;
}

static result connect_anyhow(struct tls_client *c, int64_t deadline_ms)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
    int e = getaddrinfo(text(&c->host), text(&c->port), &hints, &found);
    if (e != 0)
        return e == EAI_SERVICE ? fail(E_bad_value) : fail(E_unavailable);
    result r = fail(E_unavailable);
    for (const struct addrinfo *a = found; a && c->fd < 0; a = a->ai_next)
        r = connect_to(a, deadline_ms, &c->fd);
    freeaddrinfo(found);
    return r;
}

/* The server's greeting comes after it has verified our certificate: with TLS 1.3 our own handshake is done before. */
static result greet(struct tls_client *c, int64_t deadline_ms)
{
    AUTO_BUF greeting = BUF(SP_GREETING);
    TRY(sp_greeting_put(&greeting, SP_REQ));
    TRY(write_all(c, buf_span(&greeting), deadline_ms));
    while (c->in.n < SP_GREETING)
        TRY(read_more(c, deadline_ms));
    if (!is_ok(sp_greeting_read(span_part(buf_span(&c->in), 0, SP_GREETING), SP_REP)))
        return fail(E_unavailable);
    return skip(c, SP_GREETING);
}

static result dial_until(struct tls_client *c, int64_t deadline_ms)
{
    TRY(connect_anyhow(c, deadline_ms));
    TRY(tls_line_new(c->end, c->fd, c->name, &c->line));
    for (enum tls_step step; (step = tls_handshake(c->line)) != TLS_DONE;)
        TRY(wait_step(c, step, deadline_ms));
    return greet(c, deadline_ms);
}

static result dial(struct tls_client *c, int timeout_ms)
{
    result r = dial_until(c, clock_mono_ms() + (timeout_ms < DIAL_MS ? timeout_ms : DIAL_MS));
    if (!is_ok(r))
        hang_up(c);
    return r;
}

/* The answer to the last request; one to another can't be there, since whoever gives one up hangs up. */
static result receive(struct tls_client *c, int64_t deadline_ms, struct buf *reply)
{
    uint32_t id;
    struct span frame;
    size_t n = 0;
    for (;;) {
        TRY(sp_read(buf_span(&c->in), &id, &frame, &n));
        if (n)
            break;
        TRY(read_more(c, deadline_ms));
    }
    if (id != c->last)
        return fail(E_unavailable);
    buf_clear(reply);
    TRY(buf_put(reply, frame));
    return skip(c, n);
}

static result ask_until(struct tls_client *c, struct span frame, int64_t deadline_ms, struct buf *reply)
{
    AUTO_BUF message = BUF(SP_MESSAGE_MAX);
    c->last = (c->last + 1) | UINT32_C(0x80000000);
    TRY(sp_put(&message, c->last, frame));
    TRY(write_all(c, buf_span(&message), deadline_ms));
    return receive(c, deadline_ms, reply);
}

/* A connection that the server ended meanwhile, or said something on unasked, is no use: it is made anew, before anything is sent.
 */
static bool is_stale(const struct tls_client *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    return c->fd < 0 || c->in.n || poll(&p, 1, 0) != 0;
}

static result ask(struct tls_client *c, struct span frame, int timeout_ms, struct buf *reply)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;
    if (frame.n > BUS_FRAME_MAX)
        return fail(E_too_long);
    if (is_stale(c)) {
        hang_up(c);
        TRY(dial(c, timeout_ms));
    }
    result r = ask_until(c, frame, deadline, reply);
    if (!is_ok(r))
        hang_up(c);
    /* What it said couldn't be read: for who asks that is as good as no answer. */
    return is_ok(r) || code_of(r) == E_no_memory || code_of(r) == E_unavailable ? r : fail(E_unavailable);
}

static void client_free(struct tls_client *c)
{
    if (!c)
        return;
    hang_up(c);
    tls_end_free(c->end);
    buf_free(&c->host);
    buf_free(&c->port);
    buf_free(&c->in);
    free(c->name);
    free(c);
}

static void client_free_pointer(struct tls_client **c)
{
    client_free(*c);
}
#define AUTO_CLIENT __attribute__((cleanup(client_free_pointer))) struct tls_client

result bus_connect_tls(const struct bus_tls *tls, const char *address, struct bus_client **ret)
{
    static const struct bus_client_over over = { ask, client_free };
    AUTO_CLIENT *c = calloc(1, sizeof *c);
    if (!c)
        return fail(E_no_memory);
    c->fd = -1;
    c->host = c->port = BUF(BUS_ADDRESS_MAX + 1);
    c->in = BUF(SP_MESSAGE_MAX + TLS_RECORD_MAX);
    TRY(tls_address(address, &c->host, &c->port));
    TRY(span_dup_text(span_text(tls->name ? tls->name : text(&c->host)), &c->name));
    TRY(tls_end_new(tls, TLS_CLIENT, &c->end));
    TRY(dial(c, DIAL_MS));
    struct tls_client *given = c;
    c = NULL;
    return bus_client_over(&over, given, ret);
}
