/* The serving end over TLS, on the caller's thread: an epoll set whose descriptor is readable while there is something to do, and
 * nothing happens but in tls_server_receive and tls_server_answer. docs/decisions/0011 says why nng isn't asked. */
#ifndef SEB_BUS_TLS_SERVER_H
#define SEB_BUS_TLS_SERVER_H

#include "bus/bus.h"

struct tls_server; /* opaque */
/* As bus_serve has it. */
MUST_USE result tls_server_new(const struct bus_server_args *args, struct tls_server **ret);
void tls_server_free(struct tls_server *s); /* accepts NULL */
int tls_server_fd(const struct tls_server *s);
MUST_USE result tls_server_receive(struct tls_server *s, struct bus_request *ret, bool *ret_got);
void tls_server_answer(struct tls_server *s, const struct bus_ticket *t, struct span frame);
void tls_server_drop(struct tls_server *s, const struct bus_ticket *t);
struct bus_counts tls_server_counts(const struct tls_server *s);

/* "tls+tcp://host:port", or without the scheme, into its two parts with their NUL; an IPv6 address out of its brackets. bad_value.
 */
MUST_USE result tls_address(const char *address, struct buf *ret_host, struct buf *ret_port);

#endif
