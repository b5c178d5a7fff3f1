/* The keeper: the one process with the keys, and the one that doesn't believe the core. It signs only checkpoints of a log that it
 * appended to itself, and mints only for a verified certificate with a permitting decision of this run, once.
 *
 *   keeper.c         main, the event loop, who sent what
 *   keys.c           the keys: opened, proved, compared with what init recorded; a TPM or HSM that goes and comes back
 *   chip.c           the TPM's thread: one job at a time
 *   hsm.c            the HSM's threads
 *   log.c            frontier, checkpoints, quotes
 *   policy.c         signed policy and revocation epoch
 *   memory.c         entries of this run that may be minted for
 *   judge.c          whether this credential may be minted, and what it says: pure
 *   mint.c           minting: from the core's MINT to the runner's CALL
 *   vouched.c        certificates that were verified lately
 *
 * What a restart makes it forget, and docs/threat-model.md says so: which policy and epoch statement it held last (a fallen core
 * could hand it an older signed one) and which note it signed last (an older note with its frontier would be taken, and the log
 * forked from there; whoever saw the later note can prove it). It does not forget which decisions it minted for in a way that would
 * matter: `run` is drawn anew, and nothing is minted for an entry of another run. One certificate is used once by the core's ledger
 * alone. */
#ifndef SEB_KEEPER_KEEPER_H
#define SEB_KEEPER_KEEPER_H

#include "base/secret.h"
#include "base/worker.h"
#include "child/child.h"
#include "keeper/chip.h"
#include "keeper/hsm.h"
#include "keeper/judge.h"
#include "keeper/memory.h"
#include "link/messages.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"

#define AGENT_KEYS 1024 /* parsed, in the cache */
/* A quote is begun this long after the oldest checkpoint without one, so that it is there within a second; older than that, no
 * mutation. */
#define QUOTE_DUE_MS 400
#define QUOTE_STALE_MS 1000

struct keeper_log { /* log.c */
    enum { LOG_WAITS, LOG_FIRST_NOTE, LOG_SERVES, LOG_REFUSED } state; /* refused: nothing is ever signed in this run */
    uint64_t resume_slot;
    struct frontier frontier; /* of what was appended */
    char origin[ORIGIN_MAX + 1];
    struct checkpoint newest; /* signed */
    struct digest newest_text; /* SHA-256 of its note's text */
    int64_t uncovered_since_ms; /* when the oldest checkpoint without a covering quote was signed; 0: all have one */
    bool sign_wanted;
    bool sign_first; /* after the TPM was away: a quote waits for one signature */
};
struct minting;
struct mintings { /* mint.c */
    struct minting *first, **last; /* wait for the TPM, where the mint key is in it */
    unsigned n, turn; /* how many wait; how many of them go before the next checkpoint */
    struct secret *credential, *call; /* room that is wiped after each use */
};
struct keeper {
    struct child child;
    const struct config *config;
    struct instance instance; /* the keys that init recorded, and that the hardware has */
    struct link *core, *runner;
    uint8_t run[RUN_SIZE];
    bool stopping;
    struct keeper_log log;
    struct chip *chip;
    struct open_work opening; /* the chip's jobs: one is under way at a time */
    struct sign_work signing;
    struct quote_work quoting;
    bool chip_lost;
    int64_t chip_again_ms; /* lost: when to ask for a descriptor again */
    result chip_health, told_health;
    struct keeper_hsm *hsm; /* NULL: the mint key is in the TPM */
    result hsm_health; /* not ok: lost, and no credential is minted */
    int64_t hsm_again_ms, hsm_delay_ms; /* lost: when to open it again; how long to wait after a failure */
    struct grounds grounds; /* policy and epoch in force, and who we are */
    struct memory *memory;
    struct mintings mintings;
};

/* A failure of any of these is a broken invariant: the process ends. What the core or the hardware may get wrong is answered
 * instead. */

/* keeper.c */
MUST_USE result tell_code(struct keeper *k, enum message_type type, uint64_t slot, const struct code_message *m);

/* keys.c: opens everything and waits for it; *ret_what says what failed. */
MUST_USE result keys_open(struct keeper *k, int tpm_fd, const char **ret_what);
void keys_close(struct keeper *k);
MUST_USE result keys_tell(struct keeper *k); /* KEYS to the core */
MUST_USE result health_tell(struct keeper *k); /* HEALTH, where it changed */
MUST_USE result keys_turn(struct keeper *k, int64_t now_ms); /* asks for the TPM again, opens the HSM again */
int64_t keys_due_ms(const struct keeper *k); /* monotonic; INT64_MAX: nothing is */
MUST_USE result chip_failed(struct keeper *k, const char *what, result r);
void chip_came(struct keeper *k, int fd); /* a fresh descriptor, or -1 */
MUST_USE result chip_opened(struct keeper *k);
void hsm_failed(struct keeper *k, const char *what, result r);
void hsm_opened(struct keeper *k, result r);

/* log.c */
MUST_USE result log_resume(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result log_append(struct keeper *k, struct span fields);
MUST_USE result log_sign(struct keeper *k);
MUST_USE result log_turn(struct keeper *k, int64_t now_ms); /* gives the idle TPM what is most urgent */
MUST_USE result log_signed(struct keeper *k, int64_t now_ms);
MUST_USE result log_quoted(struct keeper *k, int64_t now_ms);
int64_t log_due_ms(const struct keeper *k); /* monotonic; INT64_MAX: nothing is */
bool log_quote_is_stale(const struct keeper *k, int64_t now_ms);

/* policy.c */
MUST_USE result policy_load(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result epoch_load(struct keeper *k, uint64_t slot, struct span fields);

/* mint.c */
MUST_USE result mint_begin(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result mint_end(struct keeper *k, struct mint_work *w);
void mint_next_on_chip(struct keeper *k); /* the first that waits goes to the TPM */
MUST_USE result mint_refuse_waiting(struct keeper *k, enum seb_code code);
void mint_free_waiting(struct keeper *k);

#endif
