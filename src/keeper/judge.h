/* Whether the keeper mints for an entry, on its own facts, and what the credential says. Pure: time comes in as a value. */
#ifndef SEB_KEEPER_JUDGE_H
#define SEB_KEEPER_JUDGE_H

#include "keeper/memory.h"
#include "keeper/vouched.h"
#include "config/config.h"
#include "link/messages.h"
#include "policy/judge.h"
#include "scope/scope.h"

/* The last attestation results that this process verified itself. */
#define HELD_RESULTS 8
struct held_result {
    struct digest digest; /* of its payload; zero: none is here */
    struct digest mint_key; /* that it names */
    struct digest by; /* the verifier's key */
    bool affirming;
    int64_t iat, exp; /* seconds */
};
struct held_results {
    unsigned next;
    struct held_result result[HELD_RESULTS];
};

/* What the keeper knows by itself. */
struct grounds {
    const struct config *config;
    struct digest mint_key; /* thumbprint */
    struct policy *policy; /* in force; NULL: none was loaded in this run */
    bool has_epoch;
    struct epoch_statement epoch;
    int64_t certificates_from; /* seconds; after an unclean start what was issued earlier is refused; 0: nothing is */
    struct held_results results;
    enum seb_code hsm; /* whether the newest policy lets the mint key be where it is: ok, hsm_not_approved */
    struct keycache *keys;
    struct vouched *vouched;
};

/* One credential that may be minted, and the one call that it is for. */
struct warrant {
    enum call_use use;
    const struct config_target *target;
    struct call_plan plan;
    struct buf claims;
    struct buf details; /* what the runner needs beside the plan: JSON of the target's kind */
    int64_t exp, policy_epoch;
    bool has_epoch; /* a reconciling read holds at any */
    int64_t epoch;
};
void warrant_free(struct warrant *w);

/* The code is the refusal's name. What the entry says of whether it may be minted for at all (this run, signed, once) was asked
 * before: it is a permitting decision or a read of this run. */
MUST_USE result warrant_judge(
    const struct grounds *g, int64_t now_ms, const struct remembered *r, const struct mint_message *m, struct warrant *ret);
/* The signature took its time: whether its seconds, policy and epoch still hold. */
MUST_USE result warrant_holds(const struct grounds *g, int64_t now_ms, const struct warrant *w);

#endif
