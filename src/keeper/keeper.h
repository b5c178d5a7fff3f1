/* The keeper: the one process with the keys, and the one that doesn't believe the core. It signs only checkpoints of a log that it
 * appended to itself, and mints only for a verified certificate with a permitting decision of this run, once. What it may do at all
 * the chip decides: record and mint key work in the approved state alone, while a verifier's lease lasts.
 *
 *   keeper.c         main, the event loop, who sent what
 *   turn.c           what the idle TPM does next: a list
 *   keys.c           the keys: opened, proved, compared with what init recorded; a TPM or HSM that goes and comes back
 *   chip.c           the TPM's thread: one job at a time; chip_jobs.c the jobs
 *   measure.c        the event log and its PCR
 *   hsm.c            the HSM's threads
 *   state.c          whether the keys can be used, and why not: HEALTH and STATE
 *   approval.c       the approval that the chip holds, PLAN; approvals.c the file of them
 *   challenge.c      a verifier's challenges; evidence.c what answers them
 *   verdict.c        results and leases
 *   log.c            frontier, checkpoints, quotes
 *   anchor.c         the log's anchor in the TPM; what follows from it
 *   policy.c         signed policy and revocation epoch
 *   mint_key.c       one mint key for each epoch
 *   memory.c         entries of this run that may be minted for
 *   judge.c          whether this credential may be minted, and what it says: pure
 *   mint.c           minting: from the core's MINT to the runner's CALL
 *   vouched.c        certificates that were verified lately
 *
 * What a restart makes it forget, and docs/threat-model.md says so: results and lease (a challenge brings new ones), and which
 * policy and epoch statement it held last; the anchor remembers the newest of both, and a log that is behind it is named. It does
 * not forget which decisions it minted for in a way that would matter: `run` is drawn anew, and nothing is minted for an entry of
 * another run. One certificate is used once by the core's ledger alone. */
#ifndef SEB_KEEPER_KEEPER_H
#define SEB_KEEPER_KEEPER_H

#include "attest/challenge.h"
#include "attest/result.h"
#include "base/secret.h"
#include "base/worker.h"
#include "child/child.h"
#include "keeper/approvals.h"
#include "keeper/chip.h"
#include "keeper/hsm.h"
#include "keeper/judge.h"
#include "keeper/memory.h"
#include "link/messages.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"

#define CALL_BYTES_MAX (96 * 1024) /* a call with its body, credential and details, as it goes to the runner */
#define AGENT_KEYS 1024 /* parsed, in the cache */
/* A quote is begun this long after the oldest checkpoint without one, so that it is there within a second; older than that, no
 * mutation. */
#define QUOTE_DUE_MS 400
#define QUOTE_STALE_MS 1000

struct keeper_log { /* log.c */
    /* Refused: nothing is ever signed in this run. Rolled back: nothing until an operator acknowledges it. */
    enum { LOG_WAITS, LOG_SERVES, LOG_ROLLED_BACK, LOG_REFUSED } state;
    uint64_t resume_slot;
    struct frontier frontier; /* of what was appended */
    char origin[ORIGIN_MAX + 1];
    bool has_note; /* one was signed, in this run or before */
    struct checkpoint newest; /* signed; size 0 and the empty root where none was */
    struct checkpoint resumed; /* newest when the run began */
    struct buf note; /* newest */
    struct digest newest_text; /* SHA-256 of its note's text */
    int64_t uncovered_since_ms; /* when the oldest checkpoint without a covering quote was signed; 0: all have one */
    bool sign_wanted;
    bool sign_first; /* after the TPM was away: a quote waits for one signature */
    uint64_t stop_size; /* of the log with this run's stop in it; 0: none yet */
    uint64_t signed_n; /* checkpoints of this run */
};
struct keeper_state { /* state.c */
    result
        obstacle; /* ok: a session was armed, and nothing refused since; else why keys that are bound to the state can't be used */
    int64_t since_ms; /* UTC, of the obstacle */
    bool arm_wanted; /* something came that may have removed it */
    int64_t lease_until_ms, lease_until_utc_ms; /* monotonic and UTC; 0: no lease */
    bool changed; /* STATE is to be told */
    result told; /* HEALTH */
};
struct keeper_approval { /* approval.c */
    struct approvals all;
    bool give_wanted, given; /* the one below is to be given to the chip; it has it */
    struct digest digest; /* of its payload */
    int64_t epoch; /* that it is for */
    struct pubkey *lease; /* owned */
    enum seb_code why; /* none serves: why */
    struct approve_work giving;
    bool answer; /* LOADED is owed to this slot */
    uint64_t slot;
};
#define CHALLENGES_SEEN 32
struct keeper_challenge { /* challenge.c: one at a time */
    struct digest seen[CHALLENGES_SEEN]; /* nonces */
    unsigned seen_next;
    bool wanted, under_way;
    uint64_t slot;
    struct digest verifier; /* thumbprint */
    struct challenge challenge;
    struct evidence_work evidence;
    struct enrol_work enrol;
    struct activate_work activate;
    bool has_firmware;
    struct buf firmware, ima; /* the kernel's logs; IMA's grows */
};
struct keeper_verdict { /* verdict.c */
    bool open; /* evidence went out, and no result came yet */
    uint8_t nonce[32];
    struct digest verifier, quote; /* whose challenge; SHA-256 of the TPMS_ATTEST that answers it */
    struct first_answers first; /* of this run */
    bool is_first; /* that verifier had no evidence of this run before */
    int64_t begun_ms; /* monotonic: the lease counts from then on */
    bool shows_resumed; /* the evidence shows the note that the run began with: none of this run's */
    bool lease_wanted;
    uint64_t slot;
    struct lease_work leasing;
};
struct keeper_epoch { /* policy.c: a statement that isn't in force before the chip moved */
    bool wanted;
    uint64_t slot;
    struct epoch_statement statement;
    struct epoch_work moving;
};
struct keeper_anchor { /* anchor.c */
    bool known; /* what the chip holds */
    struct tpm_anchor newest;
    bool wanted;
    uint64_t written_at; /* the log's signed_n then */
    struct anchor_work writing;
};
struct keeper_mint_key { /* mint_key.c */
    bool moving; /* made, recorded, not in use yet */
    int64_t again_ms; /* after a failure: not before */
    struct mint_key_work making;
    struct keeper_work adopting;
    bool unseal_wanted, unseal_under_way; /* the HSM is to be opened */
    struct unseal_work unsealing;
    struct sign_work stating; /* the record key's statement of an HSM's key */
    struct digest stated; /* that key's thumbprint */
    struct buf statement_text; /* its payload */
    struct buf statement; /* JWS, of the key in use; empty: none yet */
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
    int64_t began_s; /* the run */
    bool stopping;
    struct keeper_log log;
    struct chip *chip;
    struct open_work opening; /* the chip's jobs: one is under way at a time; what it found stays here */
    struct arm_work arming;
    struct sign_work signing;
    struct quote_work quoting;
    bool chip_lost;
    int64_t chip_again_ms; /* lost: when to ask for a descriptor again */
    result chip_health;
    struct keeper_state state;
    struct keeper_approval approval;
    struct keeper_challenge challenge;
    struct keeper_verdict verdict;
    struct keeper_epoch epoch;
    struct keeper_anchor anchor;
    struct keeper_mint_key mint_key;
    struct keeper_hsm *hsm; /* NULL: the mint key is in the TPM */
    result hsm_health; /* not ok: lost, and no credential is minted */
    int64_t hsm_again_ms, hsm_delay_ms; /* lost: when to open it again; how long to wait after a failure */
    struct policy *hsm_policy; /* the newest that whoever signs policies has signed: what it says of the token counts */
    struct grounds grounds; /* policy and epoch in force, and who we are */
    struct memory *memory;
    struct mintings mintings;
};

/* A failure of any of these is a broken invariant: the process ends. What the core or the hardware may get wrong is answered
 * instead. */

/* keeper.c */
MUST_USE result tell_code(struct keeper *k, enum message_type type, uint64_t slot, const struct code_message *m);
MUST_USE result tell_loaded(struct keeper *k, uint64_t slot, enum loaded_what what, enum seb_code code);

/* turn.c */
MUST_USE result chip_turn(struct keeper *k, int64_t now_ms);

/* keys.c: opens everything and waits for it; *ret_what says what failed. */
MUST_USE result keys_open(struct keeper *k, int tpm_fd, const char **ret_what);
void keys_close(struct keeper *k);
MUST_USE result keys_tell(struct keeper *k); /* KEYS to the core */
MUST_USE result keys_turn(struct keeper *k, int64_t now_ms); /* asks for the TPM again, opens the HSM again */
int64_t keys_due_ms(const struct keeper *k); /* monotonic; INT64_MAX: nothing is */
struct span keys_evidence(const struct keeper *k, enum key_role role); /* what proves the key in use */
const char *keys_backend(const struct keeper *k, enum key_role role);
MUST_USE result chip_failed(struct keeper *k, const char *what, result r);
void chip_came(struct keeper *k, int fd); /* a fresh descriptor, or -1 */
MUST_USE result chip_opened(struct keeper *k);
void hsm_failed(struct keeper *k, const char *what, result r);
void hsm_opened(struct keeper *k, result r);
void hsm_closed(struct keeper *k);

/* state.c */
bool state_usable(const struct keeper *k); /* keys that are bound to the state can be asked for a signature */
void state_refused(struct keeper *k, result r); /* a guard's refusal */
void state_try(struct keeper *k); /* something came that may have removed the obstacle */
void state_leased(struct keeper *k, int64_t begun_ms, uint32_t seconds);
/* The outcome of a job of a key that is bound to the state: *ret_done, or the guard refused it, or the TPM is lost, or its session
 * was void, and it is to be given again when one is armed: that is no obstacle. */
MUST_USE result state_outcome(struct keeper *k, const char *what, result r, bool *ret_done);
MUST_USE result state_armed(struct keeper *k);
MUST_USE result state_arm_turn(struct keeper *k, int64_t now_ms);
MUST_USE result state_turn(struct keeper *k, int64_t now_ms); /* the lease's end; HEALTH and STATE, where they changed */
int64_t state_due_ms(const struct keeper *k);

/* approval.c */
struct approved_for approval_chip(const struct keeper *k);
MUST_USE result approval_load(struct keeper *k, uint64_t slot, struct span fields);
void approval_choose(struct keeper *k); /* state, policy or epoch changed */
bool approval_is_for_epoch(const struct keeper *k); /* what the chip holds is for the epoch in force */
MUST_USE result approval_turn(struct keeper *k, int64_t now_ms);
MUST_USE result approval_given(struct keeper *k);
MUST_USE result approval_lost(struct keeper *k, enum seb_code code);
MUST_USE result approval_plan(struct keeper *k, uint64_t slot);
MUST_USE result approval_json(const struct keeper *k, json_t *o); /* STATE's members */

/* challenge.c */
void challenge_begin(struct keeper *k);
void challenge_end(struct keeper *k);
MUST_USE result challenge_take(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result challenge_turn(struct keeper *k, int64_t now_ms); /* appraise and activate */
MUST_USE result challenge_lost(struct keeper *k, enum seb_code code); /* the TPM went */
MUST_USE result challenge_answered(struct keeper *k, struct keeper_work *w);
MUST_USE result evidence_tell(struct keeper *k, uint64_t slot, enum seb_code code, struct span json);

/* evidence.c: what the answers say. */
MUST_USE result evidence_part(struct keeper *k, struct buf *out);
MUST_USE result evidence_offer(struct keeper *k, struct buf *out);
MUST_USE result evidence_document(struct keeper *k, const struct challenge *c, struct buf *out);
void evidence_read_logs(struct keeper *k); /* the firmware's once, what IMA's grew by */

/* verdict.c */
MUST_USE result verdict_take(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result verdict_turn(struct keeper *k, int64_t now_ms);
MUST_USE result verdict_leased(struct keeper *k);
MUST_USE result verdict_lost(struct keeper *k, enum seb_code code);

/* log.c */
MUST_USE result log_resume(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result log_append(struct keeper *k, struct span fields);
MUST_USE result log_sign(struct keeper *k);
MUST_USE result log_quote_turn(struct keeper *k, int64_t now_ms);
MUST_USE result log_sign_turn(struct keeper *k, int64_t now_ms); /* a checkpoint, or what waits for the mint key */
MUST_USE result log_signed(struct keeper *k, int64_t now_ms);
MUST_USE result log_quoted(struct keeper *k, int64_t now_ms);
int64_t log_due_ms(const struct keeper *k); /* monotonic; INT64_MAX: nothing is */
bool log_quote_is_stale(const struct keeper *k, int64_t now_ms);

/* anchor.c */
MUST_USE result anchor_holds(
    const struct keeper *k, const struct resume_message *m, const struct checkpoint *c); /* log_rolled_back */
bool anchor_is_unclean(const struct keeper *k, const struct checkpoint *c, bool has_note);
MUST_USE result anchor_acknowledge(struct keeper *k, uint64_t slot, struct span fields);
void anchor_checkpointed(struct keeper *k);
MUST_USE result anchor_turn(struct keeper *k, int64_t now_ms);
MUST_USE result anchor_written(struct keeper *k);
MUST_USE result anchor_json(const struct keeper *k, json_t *o, const char *name);
void anchor_finish(struct keeper *k); /* at the process's end: the stop's anchor, for some seconds */

/* policy.c */
MUST_USE result policy_load(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result epoch_load(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result epoch_turn(struct keeper *k, int64_t now_ms);
MUST_USE result epoch_moved(struct keeper *k);
MUST_USE result epoch_lost(struct keeper *k, enum seb_code code);
void policy_judge_hsm(struct keeper *k); /* the token is known now */

/* mint_key.c */
bool mint_key_is_current(const struct keeper *k); /* the mint key is the epoch's */
MUST_USE result mint_key_turn(struct keeper *k, int64_t now_ms);
MUST_USE result mint_key_made(struct keeper *k);
MUST_USE result mint_key_adopted(struct keeper *k);
MUST_USE result mint_key_unsealed(struct keeper *k);
MUST_USE result mint_key_state(struct keeper *k);
MUST_USE result mint_key_stated(struct keeper *k);
MUST_USE result mint_key_made_in_hsm(struct keeper *k, result r);
void mint_key_load_statement(struct keeper *k);
int64_t mint_key_due_ms(const struct keeper *k); /* after a failure */

/* mint.c */
MUST_USE result mint_begin(struct keeper *k, uint64_t slot, struct span fields);
MUST_USE result mint_end(struct keeper *k, struct mint_work *w);
void mint_next_on_chip(struct keeper *k); /* the first that waits goes to the TPM */
MUST_USE result mint_refuse_waiting(struct keeper *k, enum seb_code code);
void mint_free_waiting(struct keeper *k);

#endif
