/* What the front remembers: who waits for an answer of the core, and how much noise came since it was last reported. */
#ifndef SEB_FRONT_STATE_H
#define SEB_FRONT_STATE_H

#include "bus/bus.h"
#include "link/link.h"

enum front_door { DOOR_AGENTS, DOOR_ADMIN, DOOR_VERIFIER /* where one is configured */, DOORS };
#define SLOTS_AGENTS 992u
#define SLOTS_ADMIN 16u
#define SLOTS_VERIFIER 8u
#define SLOTS (SLOTS_AGENTS + SLOTS_ADMIN + SLOTS_VERIFIER)
/* All that may wait fits the link's queue, so that a slow core makes agents wait and ends nothing. No message to the core is larger
 * than the frame that it comes from, but for its header. */
_Static_assert(SLOTS *(BUS_FRAME_MAX + 64u) <= LINK_QUEUE_MAX, "a full front overruns the link's queue");

struct slot {
    uint64_t id; /* 0: free */
    enum front_door door;
    struct bus_ticket ticket;
};
struct slots {
    struct slot slot[SLOTS];
    uint64_t last; /* ids are never used again */
    unsigned next; /* where the search for a free one begins */
};
/* busy where none is free. */
MUST_USE result slots_take(struct slots *s, enum front_door door, const struct bus_ticket *ticket, uint64_t *ret_id);
/* Frees it and copies what it held. not_found. */
MUST_USE result slots_give(struct slots *s, uint64_t id, struct slot *ret);

/* Frames that weren't well-formed, by code, reported to the core once a second at most. */
struct noise {
    uint32_t count[E_CODES];
    bool any;
    int64_t due_ms; /* not before */
};
void noise_add(struct noise *n, enum seb_code code);
/* Milliseconds until a report is due, for poll(2): -1 where there is nothing to report. */
int noise_wait_ms(const struct noise *n, int64_t now_ms);
/* Sends what is due. */
MUST_USE result noise_report(struct noise *n, struct link *core, int64_t now_ms);

#endif
