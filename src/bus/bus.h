/* The bus: nng request/reply over ipc or over TLS, one bounded frame each way (docs/formats.md, "Bus"). The only folder that
 * includes nng. nng starts threads at its first call, and panics after a fork: a process that calls anything here but the frame
 * codec never forks. */
#ifndef SEB_BUS_BUS_H
#define SEB_BUS_BUS_H

#include "base/bytes.h"

#define BUS_FRAME_MAX 65536
#define BUS_FRAME_OVERHEAD 12
#define BUS_PATH_MAX 107 /* sockaddr_un */

/* A frame: "SEB1", blob32 JSON, blob32 body. Pure. */
struct bus_frame {
    struct span json, body;
};
/* too_long where the whole is more than BUS_FRAME_MAX bytes. */
MUST_USE result bus_frame_put(struct buf *out, const struct bus_frame *f);
/* What is read views the bytes. bad_frame (not the magic), truncated, too_long, trailing_bytes. */
MUST_USE result bus_frame_read(struct span bytes, struct bus_frame *ret);
/* A frame without body around {"status": …, "code": …, "words": …}, as the broker answers what it doesn't pass on. */
MUST_USE result bus_frame_status(struct buf *out, const char *status, enum seb_code code);

/* One end of a connection by TLS 1.3 (RFC 8446), both ends with a certificate: PEM files that are read once, when the end is made.
 * The certificate must have an extended key usage that says what it is used for here (RFC 5280 section 4.2.1.12: serverAuth where
 * it listens, clientAuth where it asks), and the peer's is held to the other one. The key is an unencrypted PKCS#8 or SEC1 one. */
struct bus_tls {
    const char *certificate, *key; /* own: certificate, then what leads to the CA, if anything does */
    const char *ca; /* who signs the peers' certificates: one or more */
    const char *name; /* client: DNS name or address that the server's certificate must have; NULL: the address's host */
};

/* The serving end: one listening socket, one thread that owns it. */
struct bus_server; /* opaque */
struct bus_server_args {
    const char *path; /* of the socket; a stale socket there is removed, anything else is left: exists */
    const struct bus_tls *tls; /* NULL: ipc, at path. Else at address, and path, group and root_only are left out */
    const char *address; /* "tls+tcp://host:port"; host "*": everywhere */
    const char *group; /* may connect, beside the owner (mode 0660); NULL or "": the owner alone (0600) */
    bool root_only; /* a peer whose uid isn't 0 is cut off before it can send */
    unsigned pipes; /* connections at once, 1 to 4,096; an eighth of them is never one uid's */
    unsigned in_flight; /* requests not answered yet: of all, 1 to 65,536, */
    unsigned in_flight_per_uid; /* and of one peer uid */
    unsigned rate_per_s_per_uid; /* frames a second of one peer uid, as many at once; 0: no bound */
};
#define BUS_TLS_SCHEME "tls+tcp://"
#define BUS_ADDRESS_MAX 160
/* Whoever calls holds the instance's lock, so a socket at the path is stale. bad_value, exists, not_found (group), io, unavailable;
 * with tls also bad_tls_file, where one of the three files isn't what it must be. */
MUST_USE result bus_serve(const struct bus_server_args *args, struct bus_server **ret);
void bus_server_free(struct bus_server *s); /* stops, removes the socket; accepts NULL */
int bus_fd(const struct bus_server *s); /* readable while a request waits */

/* The way back to who asked. A value: kept until it is answered or dropped, exactly once. */
#define BUS_ROUTE_MAX 8
struct bus_ticket {
    uint32_t uid; /* of the peer, from the kernel; over TLS a number of the peer's certificate, with one uid's bounds */
    uint8_t route[BUS_ROUTE_MAX];
};
struct bus_request {
    struct bus_ticket ticket;
    struct span frame; /* valid until the next bus_receive; at most BUS_FRAME_MAX bytes */
};
/* The next request within the bounds; those beyond are answered `busy` here. *ret_got false: none now, or enough for one turn (then
 * bus_fd is still readable). */
MUST_USE result bus_receive(struct bus_server *s, struct bus_request *ret, bool *ret_got);
/* Never waits for the peer: where it closed its end or reads nothing, the answer is dropped, which is no failure. */
void bus_answer(struct bus_server *s, const struct bus_ticket *t, struct span frame);
void bus_drop(struct bus_server *s, const struct bus_ticket *t);
/* What was turned away so far, for the log. */
struct bus_counts {
    uint64_t received, busy, cut_off;
};
struct bus_counts bus_counts_of(struct bus_server *s);

/* The asking end, for tools: one connection, one request at a time. */
struct bus_client; /* opaque */
/* unavailable where nobody listens or the broker cuts this uid off; too_long (path). */
MUST_USE result bus_connect(const char *path, struct bus_client **ret);
/* The same over TLS, to "tls+tcp://host:port" (or "host:port" alone). unavailable also where either end refuses the other's
 * certificate, bad_tls_file where one of the three files isn't what it must be, bad_value (address). */
MUST_USE result bus_connect_tls(const struct bus_tls *tls, const char *address, struct bus_client **ret);
void bus_client_free(struct bus_client *c); /* accepts NULL */
/* Sends the frame and puts the frame that answers it into reply (cleared before). unavailable where no answer came within
 * timeout_ms or the connection ended; the client can be asked again. The request may have been acted on all the same. */
MUST_USE result bus_ask(struct bus_client *c, struct span frame, int timeout_ms, struct buf *reply);
/* Connect, ask, hang up. */
MUST_USE result bus_call(const char *path, struct span frame, int timeout_ms, struct buf *reply);

#endif
