/* TLS 1.3 (RFC 8446) over a connected socket that doesn't block: both ends with a certificate, no session that is resumed, no early
 * data, no older version; there is no setting that leaves any of it out. Only tls.c includes OpenSSL. */
#ifndef SEB_BUS_TLS_H
#define SEB_BUS_TLS_H

#include "base/digest.h"
#include "bus/bus.h"

/* One end's certificate, key and CA; what its connections share. */
struct tls_end; /* opaque */
enum tls_side { TLS_SERVER, TLS_CLIENT };
/* bad_tls_file, crypto, no_memory. The files are read once. */
MUST_USE result tls_end_new(const struct bus_tls *t, enum tls_side side, struct tls_end **ret);
void tls_end_free(struct tls_end *e); /* accepts NULL */

struct tls_line; /* opaque: one connection */
/* peer_name: of a client, the DNS name or address that the server's certificate must have. The line doesn't own the socket; the end
 * must outlive it. */
MUST_USE result tls_line_new(const struct tls_end *e, int fd, const char *peer_name, struct tls_line **ret);
void tls_line_free(struct tls_line *l); /* accepts NULL */

/* What became of a step. WANT: call it again (a write with the same bytes or more) when the socket is readable, or writable. OVER:
 * the connection is at its end, or was refused, and only tls_line_free is left. */
enum tls_step { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_OVER };
/* DONE: the peer's certificate was verified. Neither of the next two goes on before. */
enum tls_step tls_handshake(struct tls_line *l);
/* With room for a whole record, nothing that has arrived is left inside. */
#define TLS_RECORD_MAX 16384
enum tls_step tls_read(struct tls_line *l, uint8_t *to, size_t room, size_t *ret_n);
enum tls_step tls_write(struct tls_line *l, struct span bytes, size_t *ret_n);
void tls_say_goodbye(struct tls_line *l); /* close_notify, if it can be sent without waiting */
/* SHA-256 of the peer's certificate, once the handshake is DONE. */
MUST_USE result tls_peer(const struct tls_line *l, struct digest *ret);

#endif
