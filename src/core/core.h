/* The core: judges, keeps ledger and records. One event loop; the commit has a thread of its own (journal.h). It holds no key and
 * no credential, and reaches no network. What is under way is a `struct work` that walks the stages of stages.c. */
#ifndef SEB_CORE_CORE_H
#define SEB_CORE_CORE_H

#include <uthash.h>

#include "child/child.h"
#include "core/attest.h"
#include "core/journal.h"
#include "core/keys.h"
#include "core/record.h"
#include "link/messages.h"
#include "policy/judge.h"
#include "scope/scope.h"

/* Stages, in the order of a request's way (stages.c holds the table). */
enum stage_id {
    STAGE_VERIFY, /* signatures of certificate and request, then their JSON */
    STAGE_LOOKUP, /* asked before? */
    STAGE_JUDGE, /* every predicate that needs no live state */
    STAGE_REFUSE, /* a refusal, as a record */
    STAGE_READ, /* a read entry */
    STAGE_READ_CALL, /* its credential and the GET */
    STAGE_DECIDE, /* all predicates; reservation and decision in one transaction */
    STAGE_CALL, /* the decision is durable and signed: mint, and the one call */
    STAGE_OUTCOME, /* what became of it, as a record */
    STAGE_SETTLE, /* open: wait until a look at the target is due */
    STAGE_LOOK, /* a read entry for reconciling */
    STAGE_LOOK_CALL, /* its credential and the GET */
    STAGE_CONCLUDE, /* what the target's state says */
    STAGE_CLOSE, /* final: reply to everybody who waits */
    STAGES,
    STAGE_WAIT, /* stay: an event resumes the work */
    STAGE_END, /* gone */
};

struct waiter { /* somebody who waits for a reply: a slot of the front, and until when */
    uint64_t slot;
    int64_t until_ms; /* monotonic */
    struct waiter *next;
};

struct request_key { /* by which a request is known */
    struct digest agent;
    char id[NAME_LEN + 1];
};
struct agent { /* bounds of one agent key */
    struct digest thumbprint;
    unsigned in_flight;
    int64_t refusals_window_ms, refusals; /* in the minute that began then */
    UT_hash_handle hh;
};

struct said { /* what an answer says in words, each "" where it doesn't */
    char etag[ETAG_LEN + 1], uid[VERSION_MAX + 1], version[VERSION_MAX + 1], reason[REASON_MAX + 1], causes[CAUSES_MAX + 1];
};

struct work {
    uint64_t id; /* slot towards keeper and runner */
    enum stage_id stage, resume; /* where it is; where it goes on when what it waits for came */
    struct buf arena; /* the SUBMIT, or what was stored of it after a restart */
    struct jws certificate_parts, request_parts;
    struct digest signed_; /* jws_digest of certificate_parts */
    struct span body;
    struct certificate certificate;
    struct request request;
    struct signers signers;
    struct digest body_digest;
    struct request_key key;
    struct agent *agent;
    const struct config_target *target; /* NULL: none of that name */
    struct waiter *waiters;

    struct refusal refusal;
    struct live_state live;
    bool has_live;
    struct permit *permit;
    int64_t judged_ms; /* the decision's time */
    uint64_t read_index, decision_index, outcome_index; /* NO_INDEX where there is none */
    struct digest leaf; /* of the decision */
    struct decision_entry decision;
    bool reserved; /* holds its cid in core's table */

    struct answer_message answer; /* the runner's; its texts in `said` */
    struct said said;
    enum seb_code mint_code; /* the keeper's, where it refused */
    struct outcome_entry outcome;
    int64_t horizon_ms; /* UTC: before it nothing is concluded from unchanged state */
    int64_t look_ms; /* UTC: when the look began */
    int64_t due_ms; /* monotonic: a timer; 0 none */
    unsigned tries;

    struct ticket ticket;
    UT_hash_handle hh_id, hh_key, hh_cid;
};

struct core {
    struct child child;
    const struct config *config;
    struct link *front, *keeper, *runner;
    struct store *store;
    struct store_reader *reader;
    struct journal *journal;
    struct keycache *keys;
    struct policy *policy; /* NULL: none is loaded */
    struct buf policy_text; /* its JWS, for verifiers */
    struct epoch_statement epoch;
    bool has_epoch;
    struct admin *loading; /* statements that the keeper judges now (admin.c) */
    struct record *records; /* on their way into the log (record.c) */
    struct attestation attest;
    int64_t certificates_from; /* seconds; 0: certificates of any age are taken */
    uint64_t head; /* size of the log before this run */
    struct log_state resumed; /* what of it was signed */
    bool planning; /* the keeper makes a plan for somebody now */
    uint64_t plan_slot;
    json_t *keeper_state; /* what the keeper says of itself; NULL until it did */
    uint8_t run[RUN_SIZE];
    struct key_identity key[ROLES];
    result keys_health;
    int64_t keys_since_ms; /* UTC: since when they have been as they are */
    uint64_t next_id;
    struct work *by_id, *by_key, *by_cid;
    struct agent *agents;
    uint32_t noise[E_CODES];
    int64_t noise_from_ms, noise_due_ms; /* UTC; monotonic */
    int64_t timers_due_ms; /* monotonic: no work or waiter is due before it */
    struct starting *starting; /* until the start is recorded (start.c) */
    bool started, stopping, serving, front_gone;
    int64_t stop_ms; /* monotonic */
    struct ticket stop_ticket;
    enum { STOP_NO, STOP_WORKS, STOP_SENT, STOP_APPENDED, STOP_DONE } stop;
};

/* work.c: works, agents, waiters. */
MUST_USE result work_new(struct core *c, struct work **ret);
void work_free(struct core *c, struct work *w);
/* Sets the work's timer. */
void work_due_in(struct core *c, struct work *w, int64_t ms);
MUST_USE result work_key_set(struct core *c, struct work *w);
struct work *work_by_key(struct core *c, const struct request_key *key);
MUST_USE result work_wait(struct work *w, uint64_t slot);
/* Until when those who wait want to, from now. */
void work_wait_set(struct core *c, struct work *w, int64_t wait_ms);
struct agent *agent_of(struct core *c, const struct digest *thumbprint); /* NULL: no memory, or too many */
bool agent_may_refuse(struct core *c, struct agent *a); /* counts one refusal */
bool resource_is_locked(struct core *c, const char *target, const char *resource);
void work_renumber(struct core *c, struct work *w);
void work_reserve(struct core *c, struct work *w);
bool cid_is_reserved(struct core *c, const char *cid);

/* stages.c: runs the work from a stage until it waits or ends. */
void work_go(struct core *c, struct work *w, enum stage_id stage);
const char *stage_name(enum stage_id s);

/* request.c: is it vouched for, was it asked before, what do the predicates say that need no live state? */
enum stage_id stage_verify(struct core *c, struct work *w);
enum stage_id stage_lookup(struct core *c, struct work *w);
enum stage_id stage_judge(struct core *c, struct work *w);
/* The facts as they are now; views w and room. */
struct facts work_facts(struct core *c, struct work *w, struct target_facts *room);
MUST_USE result look_used(struct core *c, struct work *w, bool *ret_used);
MUST_USE result decision_facts(struct core *c, struct work *w, const struct facts *f);
/* Answers everybody who waits that it can't be done now. STAGE_END. */
enum stage_id work_unavailable(struct core *c, struct work *w, enum seb_code code);
/* decide.c: the verdict, as a record. */
enum stage_id stage_refuse(struct core *c, struct work *w);
enum stage_id stage_decide(struct core *c, struct work *w);
enum stage_id stage_call(struct core *c, struct work *w);
MUST_USE result blob_jws(struct core *c, enum blob_kind kind, const struct digest *d, const struct jws *j);
/* outcome.c: what became of it. */
enum stage_id stage_outcome(struct core *c, struct work *w);
enum stage_id stage_close(struct core *c, struct work *w);
void outcome_conclude(struct work *w, enum outcome_result result_, enum outcome_evidence evidence, bool final);
/* reconcile.c: an open outcome, by looks at the target. */
enum stage_id stage_settle(struct core *c, struct work *w);
enum stage_id stage_look(struct core *c, struct work *w);
enum stage_id stage_look_call(struct core *c, struct work *w);
enum stage_id stage_conclude(struct core *c, struct work *w);
/* ask.c: what both wait for. Adds the read entry and waits until the keeper has it; asks the keeper to mint for an entry. */
enum stage_id stage_read(struct core *c, struct work *w);
enum stage_id stage_read_call(struct core *c, struct work *w);
enum stage_id read_entry_add(struct core *c, struct work *w, enum read_purpose purpose, enum stage_id then);
enum stage_id wait_until(struct core *c, struct work *w, const struct ticket *t, enum stage_id then); /* index and until of t */
enum stage_id mint_ask(struct core *c, struct work *w, uint64_t index, enum stage_id then);
/* answer.c: the runner's word. Takes it, each text only where an entry could hold it. */
MUST_USE result answer_take(struct work *w, const struct answer_message *m);
enum seb_code live_state_take(struct work *w); /* the read's answer as live state, or why there is none */
/* recover.c: every stored decision without an outcome becomes a work in STAGE_SETTLE. */
MUST_USE result recover_open(struct core *c);
/* reply.c: composes and sends; slot may be gone at the front, which then drops it. */
void reply_code(struct core *c, uint64_t slot, const char *status, const char *rule, enum seb_code code);
void reply_to_all(struct core *c, struct work *w, const char *status, const char *rule, enum seb_code code);
/* A stored request's answer from the log: done, refused, unproved or pending. */
void reply_known(struct core *c, uint64_t slot, const struct known_request *known);
void reply_json(struct core *c, uint64_t slot, json_t *reply); /* steals reply */
/* {"status": "ok", member: value}; steals value. */
void reply_value(struct core *c, uint64_t slot, const char *member, json_t *value);
/* Answers that something can't be done, and why. */
void refuse(struct core *c, uint64_t slot, result r);
/* admin.c */
void admin_receive(struct core *c, uint64_t slot, const struct admin_message *m);
MUST_USE result admin_loaded(struct core *c, const struct code_message *m);
MUST_USE result admin_plan(struct core *c, const struct evidence_message *m);
MUST_USE result admin_restore(struct core *c); /* the stored statements, at start */
void admin_undo(struct core *c);
/* status.c */
MUST_USE result status_write(struct core *c, json_t *reply);
/* noise.c */
void noise_count(struct core *c, enum seb_code code, uint32_t n);
MUST_USE result noise_write(struct core *c); /* one record of what was counted, where anything was */
/* What the core can't do without now: ok, or the code of an `unavailable` reply. */
enum seb_code core_obstacle(struct core *c);

#endif
