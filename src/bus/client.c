#include "config.h"

#include "bus/bus.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include "base/clock.h"
#include "bus/client.h"
#include "bus/nngs.h"

#define DIAL_TRIES 100
#define DIAL_PAUSE_MS 10

struct bus_client {
    const struct bus_client_over *over; /* NULL over ipc, and then the rest is nng's; else nothing but the next is used */
    struct tls_client *under;
    nng_socket socket;
    bool open;
    nng_aio *aio;
    atomic_bool gone; /* the connection ended */
    uint32_t last; /* request id */
    char url[BUS_PATH_MAX + 8];
};

/* On a thread of nng. Whoever waits must not wait for its whole time for an answer that can't come any more. */
static void on_leave(nng_pipe pipe, nng_pipe_ev event, void *client)
{
    struct bus_client *c = client;
    atomic_store(&c->gone, true);
    nng_aio_abort(c->aio, NNG_ECONNSHUT);
}

static void hang_up(struct bus_client *c)
{
    if (c->open)
        nng_close(c->socket);
    c->open = false;
}

/* A full backlog (connect(2): EAGAIN) is others being many at this moment, which passes; nothing tells when. */
static result dial_patiently(struct bus_client *c)
{
    int rv = nng_dial(c->socket, c->url, NULL, 0);
    for (unsigned i = 0; rv == NNG_EAGAIN && i < DIAL_TRIES; i++) {
        poll(NULL, 0, DIAL_PAUSE_MS);
        rv = nng_dial(c->socket, c->url, NULL, 0);
    }
    return nng_result(rv);
}

/* Raw REQ: the cooked one sends a request again over a connection that nng opened anew, and nng 1.5 opens one at once half of the
 * times, whatever NNG_OPT_RECONNMINT says. Here nothing is sent twice. */
static result dial(struct bus_client *c)
{
    TRY(nng_result(nng_req0_open_raw(&c->socket)));
    c->open = true;
    atomic_store(&c->gone, false);
    TRY(nng_result(nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ, NNGS_MESSAGE_MAX)));
    TRY(nng_result(nng_pipe_notify(c->socket, NNG_PIPE_EV_REM_POST, on_leave, c)));
    return dial_patiently(c);
}

static result set_url(struct bus_client *c, const char *path)
{
    AUTO_BUF url = BUF(sizeof c->url - 1);
    if (span_text(path).n > BUS_PATH_MAX)
        return fail(E_too_long);
    TRY(buf_printf(&url, "ipc://%s", path));
    return span_copy(buf_span(&url), c->url, url.n); /* the rest is zero */
}

static void client_free_pointer(struct bus_client **c)
{
    bus_client_free(*c);
}
#define AUTO_CLIENT __attribute__((cleanup(client_free_pointer))) struct bus_client

result bus_client_over(const struct bus_client_over *over, struct tls_client *under, struct bus_client **ret)
{
    struct bus_client *c = calloc(1, sizeof *c);
    if (!c) {
        over->free(under);
        return fail(E_no_memory);
    }
    c->over = over;
    c->under = under;
    *ret = c;
    return OK;
}

result bus_connect(const char *path, struct bus_client **ret)
{
    AUTO_CLIENT *c = calloc(1, sizeof *c);
    if (!c)
        return fail(E_no_memory);
    TRY(set_url(c, path));
    TRY(nng_result(nng_aio_alloc(&c->aio, NULL, NULL)));
    TRY(dial(c));
    *ret = c;
    c = NULL;
    return OK;
}

void bus_client_free(struct bus_client *c)
{
    if (!c)
        return;
    if (c->over)
        c->over->free(c->under);
    hang_up(c);
    nng_aio_free(c->aio);
    free(c);
}

/* Waits for what was begun. An end of the connection that was seen before it began hasn't aborted it. */
static int finish(struct bus_client *c)
{
    if (atomic_load(&c->gone))
        nng_aio_abort(c->aio, NNG_ECONNSHUT);
    nng_aio_wait(c->aio);
    return nng_aio_result(c->aio);
}

static result send_frame(struct bus_client *c, struct span frame, int timeout_ms)
{
    nng_msg *m = NULL;
    TRY(nng_result(nng_msg_alloc(&m, 0)));
    /* SP REQ/REP: the last word of the backtrace, the request's id, has its highest bit set. */
    c->last = (c->last + 1) | UINT32_C(0x80000000);
    int rv = nng_msg_header_append_u32(m, c->last);
    if (rv == 0)
        rv = nng_msg_append(m, frame.p, frame.n);
    if (rv == 0) {
        nng_aio_set_timeout(c->aio, timeout_ms);
        nng_aio_set_msg(c->aio, m);
        nng_send_aio(c->socket, c->aio);
        rv = finish(c);
    }
    if (rv != 0)
        nng_msg_free(m);
    return nng_result(rv);
}

/* The next message: the answer to the last request, or to one that was given up. */
static result receive_one(struct bus_client *c, int timeout_ms, struct buf *reply, bool *ret_ours)
{
    uint32_t id = 0;
    nng_aio_set_timeout(c->aio, timeout_ms);
    nng_recv_aio(c->socket, c->aio);
    TRY(nng_result(finish(c)));
    nng_msg *m = nng_aio_get_msg(c->aio);
    *ret_ours = nng_msg_header_len(m) == 4 && nng_msg_header_trim_u32(m, &id) == 0 && id == c->last;
    buf_clear(reply);
    result r = buf_put(reply, (struct span){ nng_msg_body(m), nng_msg_len(m) });
    nng_msg_free(m);
    return r;
}

static result receive_answer(struct bus_client *c, int64_t deadline_ms, struct buf *reply)
{
    for (bool ours = false; !ours;) {
        int64_t left = deadline_ms - clock_mono_ms();
        TRY(receive_one(c, left > 1 ? (int)left : 1, reply, &ours));
    }
    return OK;
}

result bus_ask(struct bus_client *c, struct span frame, int timeout_ms, struct buf *reply)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;
    if (c->over)
        return c->over->ask(c->under, frame, timeout_ms, reply);
    if (frame.n > BUS_FRAME_MAX)
        return fail(E_too_long);
    if (atomic_load(&c->gone) || !c->open) {
        hang_up(c);
        TRY(dial(c));
    }
    TRY(send_frame(c, frame, timeout_ms));
    return receive_answer(c, deadline, reply);
}

result bus_call(const char *path, struct span frame, int timeout_ms, struct buf *reply)
{
    AUTO_CLIENT *c = NULL;
    TRY(bus_connect(path, &c));
    return bus_ask(c, frame, timeout_ms, reply);
}
