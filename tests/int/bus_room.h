/* A bus server on a thread of its own, in a folder of its own, for tests: it echoes each frame, or holds tickets until it is told
 * to answer. What fails here aborts the test. */
#ifndef SEB_TESTS_BUS_ROOM_H
#define SEB_TESTS_BUS_ROOM_H

#include "bus/bus.h"

struct room;
struct room *room_open(const struct bus_server_args *args); /* path and address are ignored: the room's own */
void room_close(struct room *r);
struct room *room_open_at(const struct bus_server_args *args, unsigned port); /* over TLS */
unsigned room_free_port(void); /* free a moment ago */
const char *room_path(const struct room *r); /* over TLS: its address */
unsigned room_port(const struct room *r); /* over TLS */
void room_hold(struct room *r, bool hold); /* from now on tickets are kept, or what is kept is answered and echoing goes on */
unsigned room_held(struct room *r);
uint32_t room_last_uid(struct room *r);
struct bus_counts room_counts(struct room *r);
/* Waits (bounded) until holds(r, n), so that no test sleeps in place of an event. */
bool room_wait(struct room *r, bool (*holds)(struct room *r, unsigned n), unsigned n);

#endif
