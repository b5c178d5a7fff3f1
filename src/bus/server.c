#include "config.h"

#include "bus/bus.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "base/clock.h"
#include "bus/nng_cure.h"
#include "bus/nngs.h"
#include "bus/peers.h"
#include "bus/tls_server.h"

#define PIPES_MAX 4096
#define IN_FLIGHT_MAX 65536
#define SEND_QUEUE 1024 /* answers on their way to nng's thread, which hands them on without waiting */
#define BUSY_IN_A_TURN 64 /* refusals before the event loop sees its other descriptors again */

struct bus_server {
    struct tls_server *tls; /* NULL over ipc, and then the rest is nng's; else all is done there */
    nng_socket socket;
    bool open;
    int fd;
    struct peers *peers;
    nng_msg *held; /* whose body the last request's frame views */
    uint64_t received, busy;
};

static void server_free_pointer(struct bus_server **s)
{
    bus_server_free(*s);
}
#define AUTO_SERVER __attribute__((cleanup(server_free_pointer))) struct bus_server

/* On a thread of nng, after the handshake and before the peer's first message counts: the one place where the peer is known and
 * nothing of it was read. */
static void on_join(nng_pipe pipe, nng_pipe_ev event, void *server)
{
    struct bus_server *s = server;
    uint64_t uid = 0;
    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 || uid > UINT32_MAX ||
        !peers_join(s->peers, (uint32_t)nng_pipe_id(pipe), (uint32_t)uid, clock_mono_ms()))
        nng_pipe_close(pipe);
}

static void on_leave(nng_pipe pipe, nng_pipe_ev event, void *server)
{
    struct bus_server *s = server;
    peers_leave(s->peers, (uint32_t)nng_pipe_id(pipe));
}

static result remove_stale(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    if (!S_ISSOCK(st.st_mode))
        return fail(E_exists);
    return unlink(path) == 0 ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

static result group_id(const char *name, gid_t *ret)
{
    char room[4096];
    struct group group, *found = NULL;
    int e = getgrnam_r(name, &group, room, sizeof room, &found);
    if (e)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)e);
    if (!found)
        return fail(E_not_found);
    *ret = group.gr_gid;
    return OK;
}

static result open_to_group(const char *path, const char *group)
{
    gid_t gid;
    if (!group || !*group)
        return OK;
    TRY(group_id(group, &gid));
    if (chown(path, (uid_t)-1, gid) != 0 || chmod(path, 0660) != 0)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return OK;
}

static result listen_at(struct bus_server *s, const char *path)
{
    AUTO_BUF url = BUF(BUS_PATH_MAX + 8);
    TRY(buf_printf(&url, "ipc://%s", path));
    TRY(buf_u8(&url, 0));
    /* nng makes the socket under the umask: it is the owner's alone until open_to_group says otherwise, at no moment anybody's. */
    mode_t before = umask(0177);
    int rv = nng_listen(s->socket, (const char *)url.p, NULL, 0);
    umask(before);
    return nng_result(rv);
}

static result configure(struct bus_server *s)
{
    TRY(nng_result(nng_rep0_open_raw(&s->socket)));
    s->open = true;
    TRY(nng_result(nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, NNGS_MESSAGE_MAX)));
    TRY(nng_result(nng_socket_set_int(s->socket, NNG_OPT_SENDBUF, SEND_QUEUE)));
    TRY(nng_result(nng_socket_set_ms(s->socket, NNG_OPT_SENDTIMEO, 1000)));
    /* No devices in between: a route is one pipe and one request id. */
    TRY(nng_result(nng_socket_set_int(s->socket, NNG_OPT_MAXTTL, 1)));
    TRY(nng_result(nng_pipe_notify(s->socket, NNG_PIPE_EV_ADD_PRE, on_join, s)));
    TRY(nng_result(nng_pipe_notify(s->socket, NNG_PIPE_EV_REM_POST, on_leave, s)));
    return nng_result(nng_socket_get_int(s->socket, NNG_OPT_RECVFD, &s->fd));
}

static bool is_valid(const struct bus_server_args *a)
{
    struct span at = span_text(a->tls ? a->address : a->path), scheme = span_part(at, 0, span_text(BUS_TLS_SCHEME).n);
    bool well = a->tls ? span_is(scheme, BUS_TLS_SCHEME) && !a->path && !a->group && !a->root_only : at.n > 0 && !a->address;
    return well && at.n <= (a->tls ? BUS_ADDRESS_MAX : BUS_PATH_MAX) && a->pipes >= 1 && a->pipes <= PIPES_MAX &&
           a->in_flight >= 1 && a->in_flight <= IN_FLIGHT_MAX && a->in_flight_per_uid >= 1;
}

static result serve_ipc(const struct bus_server_args *args, struct bus_server *s)
{
    TRY(nng_cure_check());
    TRY(peers_new(&(struct peers_args){ .root_only = args->root_only,
                      .pipes = args->pipes,
                      .in_flight = args->in_flight,
                      .in_flight_per_uid = args->in_flight_per_uid,
                      .rate_per_s_per_uid = args->rate_per_s_per_uid },
        &s->peers));
    TRY(remove_stale(args->path));
    TRY(configure(s));
    TRY(listen_at(s, args->path));
    return open_to_group(args->path, args->group);
}

result bus_serve(const struct bus_server_args *args, struct bus_server **ret)
{
    if (!is_valid(args))
        return fail(E_bad_value);
    AUTO_SERVER *s = calloc(1, sizeof *s);
    if (!s)
        return fail(E_no_memory);
    TRY(args->tls ? tls_server_new(args, &s->tls) : serve_ipc(args, s));
    *ret = s;
    s = NULL;
    return OK;
}

void bus_server_free(struct bus_server *s)
{
    if (!s)
        return;
    /* Closing waits for the callbacks that are under way, and removes the socket from the file system. */
    if (s->open)
        nng_close(s->socket);
    tls_server_free(s->tls);
    nng_msg_free(s->held);
    peers_free(s->peers);
    free(s);
}

int bus_fd(const struct bus_server *s)
{
    return s->tls ? tls_server_fd(s->tls) : s->fd;
}

static void send_frame(struct bus_server *s, const uint8_t route[BUS_ROUTE_MAX], struct span frame)
{
    nng_msg *m = NULL;
    if (frame.n > BUS_FRAME_MAX || nng_msg_alloc(&m, 0) != 0)
        return;
    /* A full queue is nng's own thread being late by microseconds, never the peer: what a peer doesn't read, that thread drops. */
    if (nng_msg_header_append(m, route, BUS_ROUTE_MAX) != 0 || nng_msg_append(m, frame.p, frame.n) != 0 ||
        (nng_sendmsg(s->socket, m, NNG_FLAG_NONBLOCK) != 0 && nng_sendmsg(s->socket, m, 0) != 0))
        nng_msg_free(m);
}

static void answer_busy(struct bus_server *s, const uint8_t route[BUS_ROUTE_MAX])
{
    AUTO_BUF frame = BUF(1024);
    s->busy++;
    if (is_ok(bus_frame_status(&frame, "busy", E_busy)))
        send_frame(s, route, buf_span(&frame));
}

/* What becomes of the message that is held: a request, or nothing that the caller sees. */
static bool sift(struct bus_server *s, struct bus_request *ret)
{
    struct bus_request q = { .frame = { nng_msg_body(s->held), nng_msg_len(s->held) } };
    struct span route = { nng_msg_header(s->held), nng_msg_header_len(s->held) };
    uint32_t pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(s->held));
    s->received++;
    if (!is_ok(span_copy(route, q.ticket.route, BUS_ROUTE_MAX)))
        return false;
    switch (peers_take(s->peers, pipe, clock_mono_ms(), &q.ticket.uid)) {
    case PEERS_TAKEN:
        *ret = q;
        return true;
    case PEERS_BUSY:
        answer_busy(s, q.ticket.route);
        return false;
    default:
        return false;
    }
}

result bus_receive(struct bus_server *s, struct bus_request *ret, bool *ret_got)
{
    if (s->tls)
        return tls_server_receive(s->tls, ret, ret_got);
    for (unsigned i = 0; i < BUSY_IN_A_TURN; i++) {
        nng_msg_free(s->held);
        s->held = NULL;
        int rv = nng_recvmsg(s->socket, &s->held, NNG_FLAG_NONBLOCK);
        if (rv == NNG_EAGAIN)
            break;
        TRY(nng_result(rv));
        if (sift(s, ret)) {
            *ret_got = true;
            return OK;
        }
    }
    *ret_got = false;
    return OK;
}

void bus_answer(struct bus_server *s, const struct bus_ticket *t, struct span frame)
{
    if (s->tls) {
        tls_server_answer(s->tls, t, frame);
        return;
    }
    peers_done(s->peers, t->uid);
    send_frame(s, t->route, frame);
}

void bus_drop(struct bus_server *s, const struct bus_ticket *t)
{
    if (s->tls)
        tls_server_drop(s->tls, t);
    else
        peers_done(s->peers, t->uid);
}

struct bus_counts bus_counts_of(struct bus_server *s)
{
    if (s->tls)
        return tls_server_counts(s->tls);
    return (struct bus_counts){ .received = s->received, .busy = s->busy, .cut_off = peers_cut_off(s->peers) };
}
