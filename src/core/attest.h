/* The core's part in attestation: it hands a verifier's challenges to the keeper and evidence back (attest.c), holds the newest
 * result as the facts for Phi_attest, and sees to it that each result which a decision names is in the log, once, with all that it
 * judged (attested.c). The keeper verifies challenges, results and leases for itself. */
#ifndef SEB_CORE_ATTEST_H
#define SEB_CORE_ATTEST_H

#include "attest/evidence.h"
#include "attest/result.h"
#include "core/journal.h"
#include "entry/entry.h"
#include "link/messages.h"
#include "policy/judge.h"

struct core;

/* Event logs pass through in pieces, as verifiers ask for them; put together again, they go into the log beside the evidence that
 * names their digests (documents.c). */
enum log_document { LOG_CEL, LOG_FIRMWARE, LOG_DOCUMENTS };
struct collected {
    struct buf data; /* pieces so far */
    bool whole, stored; /* all of it, digest says of what; the log has it */
    struct digest digest;
};

struct attestation {
    /* One challenge at a time: with the keeper now. */
    bool asking;
    uint64_t ask_slot;
    struct challenge challenge;
    struct digest challenger; /* thumbprint */
    /* The keeper's answer, until the note that it shows is stored. */
    struct digest shown_policy; /* that was in force when it came */
    bool shown_has_policy;
    struct buf shown;
    struct ticket shown_ticket;
    /* The newest evidence that was sent, and for whom: one result may come for it. */
    bool answered;
    uint8_t nonce[NONCE_SIZE];
    struct digest answered_to, evidence_digest;
    struct first_answers first; /* of this run */
    bool is_first; /* that verifier had no evidence of this run before */
    struct buf evidence;
    /* One result at a time: with the keeper now. */
    bool judging, judging_fits, judging_first;
    uint64_t judge_slot;
    struct result_claims judged;
    struct digest judged_by; /* the verifier's key */
    struct buf judged_text, judged_of; /* compact; the evidence that it judges */
    /* The newest result. */
    bool held;
    struct result_claims claims;
    struct digest by; /* the verifier's key */
    struct attested_facts facts;
    struct buf result, of; /* compact; the evidence that it judges */
    bool recorded;
    enum ear_status recorded_status; /* of the last one that was recorded in this run */
    enum seb_code told; /* what Phi_attest said when last asked, and since when (UTC ms) */
    int64_t told_since_ms;
    struct collected document[LOG_DOCUMENTS];
};
void attestation_init(struct attestation *a, int64_t now_ms);
void attestation_free(struct attestation *a);

/* attest.c: from the front, and the keeper's answers to it. */
void attest_receive(struct core *c, uint64_t slot, const struct attest_message *m);
/* The keeper's EVIDENCE to a challenge. illegal_message where none was asked for. */
MUST_USE result attest_evidence(struct core *c, uint64_t slot, const struct evidence_message *m);
MUST_USE result attest_loaded(struct core *c, const struct code_message *m);

/* attested.c */
/* The facts of Phi_attest as they are now; NULL: no result is held. Live as long as the core, and change with the next result. */
const struct attested_facts *attested_facts_now(struct core *c);
/* It affirms, and names the keys in use. */
bool attested_fits(const struct core *c, const struct result_claims *r);
/* What Phi_attest says now. */
enum seb_code attested_code(struct core *c);
/* Says in the log that it changed, where it did; called once a turn. */
void attested_watch(struct core *c);
/* The pending result is the held one from here on. */
MUST_USE result attested_hold(struct core *c);
/* Another policy is in force: what a verifier said whom it doesn't name is not held any more. */
void attested_policy(struct core *c);
/* Before the facts of an entry are taken that names the held result: it is recorded, and its time is not after theirs. */
MUST_USE result attested_record(struct core *c);
/* The member of `sebctl status`. */
MUST_USE result attested_status(struct core *c, json_t *reply);

/* documents.c: a piece of an event log, as it passes through. */
void documents_take(struct core *c, const struct challenge *asked, const json_t *piece);
/* The log has this digest's document, or can't get it: NULL; else what isn't stored yet. */
struct collected *documents_wanted(struct core *c, enum log_document which, const struct digest *d);

#endif
