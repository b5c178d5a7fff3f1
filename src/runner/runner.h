/* The runner: CALL from the keeper, one HTTPS call to a configured target, ANSWER to the core. It believes neither who it is told
 * to call nor what: only what lies under a configured prefix is called. Where the contract asks for a dry run, that is a call
 * before it, with the same credential (errand.h). */
#ifndef SEB_RUNNER_RUNNER_H
#define SEB_RUNNER_RUNNER_H

#include "child/child.h"
#include "link/messages.h"
#include "target/call.h"

struct runner_peer {
    const struct config_target *target;
    struct buf ca;
    char host[TARGET_URL_MAX + 1];
    struct call_peer call;
};
/* Reads the CA's file: later the process may not open one. */
MUST_USE result runner_peer_open(const struct config_target *t, struct runner_peer *ret);
void runner_peer_close(struct runner_peer *p);

/* What a CALL says, held to what a call can be: illegal_message otherwise, and then the broker stops, since the keeper asks for
 * nothing else. *ret_peer is the one of `peers` that it is for. */
MUST_USE result runner_plan(const struct call_message *m, const struct runner_peer *peers, unsigned n,
    const struct runner_peer **ret_peer, struct call_plan *ret);
/* The engine's answer, and what its body told, as the core's message. */
MUST_USE result runner_answer(const struct call_answer *a, const struct target_answer *told, struct buf *out);

#endif
