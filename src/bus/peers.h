/* Who is connected and how much each may do: connections by pipe, requests by peer uid. Connections come and go on nng's threads,
 * so every function takes the table's lock. Time arrives as a value. */
#ifndef SEB_BUS_PEERS_H
#define SEB_BUS_PEERS_H

#include "base/result.h"

struct peers; /* opaque */
struct peers_args {
    bool root_only;
    unsigned pipes, in_flight, in_flight_per_uid, rate_per_s_per_uid; /* as struct bus_server_args has them */
};
MUST_USE result peers_new(const struct peers_args *args, struct peers **ret);
void peers_free(struct peers *p); /* accepts NULL */

/* A new connection: false where it is one too many, or not root's. */
bool peers_join(struct peers *p, uint32_t pipe, uint32_t uid, int64_t now_ms);
void peers_leave(struct peers *p, uint32_t pipe); /* an unknown pipe is no matter */
/* A frame from the pipe. GONE: it is closed meanwhile. TAKEN counts until peers_done. */
enum peers_verdict { PEERS_GONE, PEERS_BUSY, PEERS_TAKEN };
enum peers_verdict peers_take(struct peers *p, uint32_t pipe, int64_t now_ms, uint32_t *ret_uid);
void peers_done(struct peers *p, uint32_t uid);
uint64_t peers_cut_off(struct peers *p); /* how many joins were refused */

#endif
