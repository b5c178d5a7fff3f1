/* What the runner does for one CALL: the call itself, or first the same call as a rehearsal that changes nothing, and the call only
 * where its result is what the contract's postconditions say. A rehearsal that fails is the end: nothing is sent for real. */
#ifndef SEB_RUNNER_ERRAND_H
#define SEB_RUNNER_ERRAND_H

#include "runner/runner.h"

struct errands; /* opaque: at most CALLS_MAX under way */
MUST_USE result errands_new(struct errands **ret);
void errands_free(struct errands *all); /* accepts NULL */
/* Composes what is sent and begins the first call. illegal_message: what the keeper may not ask for. Anything else that fails did
 * so before anything left: never sent, with that code (body_mismatch: the certified body can't carry its preconditions). */
MUST_USE result errand_begin(struct errands *all, struct calls *calls, uint64_t slot, const struct call_message *m,
    const struct runner_peer *peer, const struct call_plan *plan);
/* Takes an answer of the engine. *ret_done: the errand is over, and *a and *ret_told are what became of it; else its real call is
 * under way now. */
MUST_USE result errand_answered(
    struct errands *all, struct calls *calls, struct call_answer *a, struct target_answer *ret_told, bool *ret_done);

#endif
