/* The scalability protocols on a byte stream, as nng's tcp and tls+tcp transports have them (nanomsg RFC "sp-tcp-mapping-01"): each
 * end sends eight bytes that say what it is, then messages, each behind its length. A request begins with its id, whose highest bit
 * is set (SP REQ/REP version 0, one hop); the answer begins with the same. Pure. */
#ifndef SEB_BUS_SP_H
#define SEB_BUS_SP_H

#include "bus/bus.h"

#define SP_GREETING 8
#define SP_HEAD 8 /* length of what follows */
#define SP_ID 4
#define SP_MESSAGE_MAX (SP_HEAD + SP_ID + BUS_FRAME_MAX)
enum sp_role { SP_REQ, SP_REP };
MUST_USE result sp_greeting_put(struct buf *out, enum sp_role role);
/* Of the peer of that role: bad_frame otherwise. */
MUST_USE result sp_greeting_read(struct span bytes, enum sp_role peer);

MUST_USE result sp_put(struct buf *out, uint32_t id, struct span frame);
/* The first message in the bytes: *ret_n how many it takes, 0 while it isn't whole. too_long, bad_frame: nothing after it can be
 * read either. Says so as soon as its head is there. */
MUST_USE result sp_read(struct span bytes, uint32_t *ret_id, struct span *ret_frame, size_t *ret_n);

#endif
