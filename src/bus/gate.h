/* Who on the network may have how many connections that haven't shown yet who they are. Anybody who reaches the port can open them,
 * each costs memory and a handshake, so they are counted by where they come from: where there are too many, the oldest of whoever
 * has most goes, so that a flood drives out its own. Pure: time arrives as a value, and closing is the caller's. */
#ifndef SEB_BUS_GATE_H
#define SEB_BUS_GATE_H

#include <sys/socket.h>

#include "base/result.h"

#define GATE_WAITING 256 /* connections at once that aren't through */
#define GATE_SOURCES 512 /* IPv4 addresses and IPv6 networks of 64 bits that are told apart */
/* Connections a second, and as many at once: of strangers together, and of each source that once came through. A handshake costs
 * us a signature and a key agreement. */
#define GATE_RATE_PER_S 128

struct gate; /* opaque */
MUST_USE result gate_new(struct gate **ret);
void gate_free(struct gate *g); /* accepts NULL */

#define GATE_NOBODY UINT32_MAX
/* A connection was accepted: false where it must be closed at once. Else *ret_source stands for it below. */
bool gate_enter(struct gate *g, const struct sockaddr *from, int64_t now_ms, uint32_t *ret_source);
bool gate_is_overfull(const struct gate *g); /* then the oldest waiting connection of gate_most must go */
uint32_t gate_most(const struct gate *g); /* the source of which most wait; GATE_NOBODY: none waits */
void gate_through(struct gate *g, uint32_t source); /* one of it has shown who it is, and waits no more */
void gate_leave(struct gate *g, uint32_t source); /* one of it that waited has ended */
unsigned gate_waiting(const struct gate *g);

#endif
