/* The connections of a server over TLS: from accept(2) by way of handshake and greeting to whole messages. For tls_server.c alone.
 */
#ifndef SEB_BUS_TLS_CONNECTIONS_H
#define SEB_BUS_TLS_CONNECTIONS_H

#include "bus/gate.h"
#include "bus/peers.h"
#include "bus/sp.h"
#include "bus/tls.h"

#define TLS_ENTERING 2 /* places beyond the gate's bound, until who must go is gone */

enum connection_state { CONNECTION_FREE, CONNECTION_SHAKING, CONNECTION_GREETING, CONNECTION_OPEN };
struct connection {
    enum connection_state state;
    uint32_t generation; /* of the place: an id is of one connection alone */
    int fd;
    struct tls_line *line;
    uint32_t source, uid, events;
    uint64_t order; /* of coming */
    int64_t waits_ms, reads_ms; /* since when for the peer to send the rest, to read the rest; 0: not */
    struct buf in, out;
    size_t sent; /* of out */
    bool ready; /* `in` begins with a whole message */
};
struct tls_server {
    int epoll, listener, timer, ready_event;
    bool deaf; /* the listener isn't looked at until the next sweep */
    struct tls_end *end;
    struct gate *gate;
    struct peers *peers;
    struct connection *connection;
    unsigned connections, next, ready;
    uint64_t orders;
    struct buf held; /* the last request's frame */
    struct bus_counts counts;
};

/* What an event of the set is of: a place's connection, or one of these. */
enum connection_event { OF_LISTENER = 1, OF_TIMER, OF_READY, OF_CONNECTION };
static inline uint64_t connection_tag(enum connection_event of, uint32_t id)
{
    return (uint64_t)of << 32 | id;
}
MUST_USE result connection_watch(struct tls_server *s, int how, int fd, uint32_t events, uint64_t tag);

uint32_t connection_id(const struct tls_server *s, const struct connection *c);
struct connection *connection_find(struct tls_server *s, uint32_t id); /* NULL: gone */
void connections_accept(struct tls_server *s);
/* Any of these may end the connection: it is looked up again, or not used after it. */
void connection_serve(struct tls_server *s, struct connection *c, uint32_t events);
void connection_go_on(struct tls_server *s, struct connection *c); /* after a message was taken from, or put into, it */
void connection_hang_up(struct tls_server *s, struct connection *c);
void connection_cut_off(struct tls_server *s, struct connection *c); /* the same, and counted */
void connections_sweep(struct tls_server *s); /* cuts those that are too slow */
/* The first message: what it says, and it is gone from the connection. */
MUST_USE result connection_take(struct connection *c, uint32_t *ret_request, struct buf *ret_frame);

#endif
