/* The audit: one pass over an export, from its first record to its last. The pass (log.c) reads tiles and records and hands
 * each record, and each tree size that a checkpoint was signed at, to the checks in their order (checks.c). A check keeps
 * what it needs in a struct of its own, says what it finds to the report, and returns only what is this program's own trouble
 * (memory, disk).
 *
 * Memory: some 400 bytes a decision, 250 a result and 50 a checkpoint, whatever the records' size. */
#ifndef SEB_AUDIT_AUDIT_H
#define SEB_AUDIT_AUDIT_H

#include "attest/cel.h"
#include "attest/key_proof.h"
#include "attest/quote.h"
#include "entry/entry.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"
#include "policy/judge.h"
#include "scope/scope.h"
#include "audit/files.h"
#include "audit/report.h"
#include "audit/table.h"
#include "audit/trust.h"

/* A record as the pass found it. */
struct record {
    uint64_t index;
    struct digest leaf;
    struct entry e;
};
/* A tree size with a note that verifies. */
struct signed_size {
    uint64_t size;
    struct digest text; /* SHA-256 of the note's text */
};
/* The time that the broker ran, as its records tell: the time from a record to a start after it doesn't count. */
struct running {
    bool any;
    int64_t time_ms; /* of the newest record */
    int64_t active_ms; /* since the first */
};

struct audit {
    struct trust trust;
    struct export_dir export;
    struct report report;
    struct summary summary;
    struct keycache *keys;
    const char *expect; /* a note's file, or NULL */
    uint64_t at_least; /* 0: none wanted */
    uint64_t size; /* of the export */
    struct frontier frontier; /* of the records up to now */
    struct running running;
    uint64_t noted; /* size of the newest checkpoint up to now */
    /* Each check's own; NULL where it isn't part of the pass. */
    struct identity *identity;
    struct checkpoints *checkpoints;
    struct quotes *quotes;
    struct runs *runs;
    struct documents *documents;
    struct statements *statements;
    struct attestations *attestations;
    struct reads *reads;
    struct decisions *decisions;
    struct outcomes *outcomes;
    struct trace *trace;
    struct cover *cover; /* cover.h */
    bool done; /* the rest of the log doesn't matter any more */
};

struct audit_check {
    const char *name;
    bool judges; /* what was decided and done: not part of a trace */
    result (*begin)(struct audit *a);
    result (*record)(struct audit *a, const struct record *r);
    result (*signed_at)(struct audit *a, const struct signed_size *s);
    result (*end)(struct audit *a);
    void (*free)(struct audit *a); /* accepts what begin didn't make */
};
extern const struct audit_check check_order, check_identity, check_runs, check_statements, check_attestations, check_reads,
    check_decisions, check_outcomes, check_noise, check_quotes, check_documents, check_trace, check_cover;

/* The whole pass; then the summary is filled in. */
MUST_USE result audit_pass(struct audit *a);
MUST_USE result pass_begin(struct audit *a);
MUST_USE result pass_record(struct audit *a, const struct record *r);
MUST_USE result pass_signed_at(struct audit *a, const struct signed_size *s);
MUST_USE result pass_end(struct audit *a);
void pass_free(struct audit *a);

/* checkpoints.c: the stored notes, in step with the records. */
MUST_USE result checkpoints_begin(struct audit *a);
MUST_USE result checkpoints_reach(struct audit *a); /* the frontier's size was reached */
MUST_USE result checkpoints_end(struct audit *a);
void checkpoints_free(struct audit *a);

/* log.c: one record read again, for what looks back. not_found where it isn't in the export. */
MUST_USE result log_record(const struct export_dir *x, uint64_t size, uint64_t index, struct buf *arena, struct record *ret);
/* Each record's bytes in order, unverified; stops at the first that isn't OK. */
typedef result log_visitor(void *ctx, uint64_t index, struct span text);
MUST_USE result log_each(const struct export_dir *x, uint64_t size, log_visitor *visit, void *ctx);
/* Whether a canonical record is of this type, without parsing it. */
bool log_is_type(struct span text, const char *type);
/* The size that checkpoint or log.json claim, unverified; for reading alone. */
MUST_USE result log_size(const struct export_dir *x, uint64_t *ret);

/* identity.c: the record key or the attestation key that notes, quotes and evidence of here are verified with: the pinned one, or
 * the one that the log's rekey entries lead to it from, or to. Lives until the next rekey entry. */
const struct pubkey *key_now(const struct audit *a, enum key_role role);
/* The attestation key's TPM Name (TPM 2.0 Part 1, section 16), from its evidence; false until a start brought it. */
bool ak_name_now(const struct audit *a, uint8_t ret_name[TPM_NAME_SIZE]);
void ak_name_set(struct audit *a, const uint8_t name[TPM_NAME_SIZE]);
/* A verifier of the policy in force vouches for these keys. */
void identity_vouched(struct audit *a, const struct digest *attestation, const struct digest *record);
/* The newest rekey entry: notes up to this size are an old record key's. NO_INDEX: there was none. */
uint64_t rekeyed_at(const struct audit *a);

/* runs.c: the run that goes on, NULL where none does. */
struct run {
    uint8_t id[RUN_SIZE];
    uint64_t start;
    uint64_t resumed; /* size of the newest checkpoint before it */
    uint64_t head; /* size of the log that it found: records behind that checkpoint are in no verifier's sight */
    bool stopped;
    struct key_identity key[ROLES];
    bool unstated; /* the mint key is in an HSM, and the record key hasn't stated it: it signs nothing before the first lease */
    struct pubkey *mint; /* proved; NULL where it wasn't; owned by the check */
    struct token_identity token; /* of the mint key, as its statement has it; "" for a TPM's */
    int64_t certificates_from; /* 0: none are refused for their age, or no longer */
    int64_t refused_from; /* what it was at the start, where a result may have lifted it: a broker that didn't may go on refusing */
    uint64_t counter_from, counter_to; /* what the TPM's revocation counter can have been in this run */
    struct cel_state measured;
    int64_t mint_epoch; /* revocation epoch that the mint key was made for in this run; -1: it was there before */
};
const struct run *run_now(const struct audit *a);
/* Certificates of before this run serve again: an operator acknowledged that. */
void run_lifted(struct audit *a);
/* Or may serve again: a verifier had seen the log as this run found it. */
void run_covered(struct audit *a);
/* Whether this is the current run's name; says so where it isn't. */
bool run_is_now(struct audit *a, const struct record *r, const uint8_t id[RUN_SIZE]);

/* keys.c: key identities of a start or a change against trust file and evidence; they and the mint key's token into *run. */
MUST_USE result keys_check(struct audit *a, const struct record *r, const struct key_identity key[ROLES], struct run *run);
/* A credential was allowed by a mint key that must be proved by now; says so where it isn't. */
void keys_mint(struct audit *a, const struct record *r);
/* The authPolicy of a log's record and mint key. */
MUST_USE result key_policy_of(
    const char *origin, const struct pubkey *policy_key, const uint8_t ak_name[TPM_NAME_SIZE], struct digest *ret);

/* documents.c: what lies beside the log. Names are remembered, so that files that nobody names show. */
enum document_kind { DOCUMENT_NEEDED, DOCUMENT_REQUEST, DOCUMENT_BODY };
/* A JWS by its payload's digest, in the form in which it is stored; views arena. not_found and the export's faults were reported
 * already, where they are to be: the caller passes over what it can't see (*ret_there false). */
MUST_USE result document_jws(struct audit *a, enum document_kind kind, const struct digest *d, uint64_t index, struct buf *arena,
    struct jws *ret, bool *ret_there);
MUST_USE result document_raw(
    struct audit *a, enum document_kind kind, const struct digest *d, uint64_t index, struct buf *out, bool *ret_there);
/* A file of blobs that something else read: it isn't one that nobody names. */
MUST_USE result document_name(struct audit *a, const struct digest *d, uint64_t index);
/* A result: a JWT in compact form, by its payload's digest. */
MUST_USE result document_result(
    struct audit *a, const struct digest *d, uint64_t index, struct buf *arena, struct jws *ret, bool *ret_there);
/* A certificate as it was presented, by the digest of all of it; taken apart and parsed; valid until the next call. Its signatures,
 * and whether its payload is the one that the record names, are the caller's to verify. NULL where it can't be had, which was
 * reported. */
struct certified {
    struct digest signed_;
    struct jws jws;
    struct certificate certificate;
};
MUST_USE result document_certificate(struct audit *a, const struct digest *signed_, uint64_t index, const struct certified **ret);

/* statements.c: what was in force when the record came, NULL before the first. */
const struct policy *policy_now(const struct audit *a);
/* Whether this policy was in force at that version, in seconds, or anytime later up to now: the newest, or the one before where the
 * newest came later than that. */
bool policy_was(const struct audit *a, const struct digest *policy, uint64_t policy_epoch, int64_t when_s);
const struct epoch_statement *epoch_now(const struct audit *a);

/* attestation.c: the result that a decision or a read names, as the judge takes it; NULL where it names none, or none that its log
 * has, which is reported. Valid until the next call. */
const struct attested_facts *attested_at(struct audit *a, const struct record *r);
/* The record of an enrolment statement, up to now. */
bool enrolment_is_at(const struct audit *a, const struct digest *statement, uint64_t *ret_index);

/* reads.c */
struct known_read {
    uint64_t index, decision;
    enum read_purpose purpose;
    int64_t time, exp;
    struct digest signed_;
    uint64_t run; /* index of its start */
    bool used;
};
/* How long after its credential's end a read's answer may still be rested on: the longest timeout of a target (sebd.json(5)) and
 * what keeper and runner may take. */
#define READ_ANSWER_MS INT64_C(75000)
/* The read that the record rests on, which was for the same presentation of the certificate, and which is used up by that; NULL
 * where there is none that serves, which was reported. */
const struct known_read *read_use(struct audit *a, const struct record *r, uint64_t index, const struct digest *signed_);

/* states.c: what checkpoints' quotes show of the machine's state, against what was attested in the same run. */
struct quoted_state {
    uint32_t mask; /* of PCRs, SHA-256 bank */
    struct digest pcrs;
    uint64_t epoch; /* revocation epoch */
};
bool quoted_state_of(const struct attest *quote, uint64_t epoch, struct quoted_state *ret); /* false: of another bank */
struct state_watch; /* opaque */
MUST_USE result states_new(struct state_watch **ret);
void states_free(struct state_watch *w); /* accepts NULL */
void states_quoted(struct state_watch *w, uint64_t size, const struct quoted_state *s);
void states_attested(struct state_watch *w, const struct quoted_state *s); /* by evidence that a verifier affirmed */
void states_record(struct audit *a, struct state_watch *w, const struct record *r);
void states_end(struct audit *a, struct state_watch *w);
/* quotes.c: the watch of this pass. */
struct state_watch *states_now(const struct audit *a);

/* clock.c: the TPM's clock, from quote to quote, against the records' times. */
struct tpm_clock;
struct clock_watch; /* opaque */
MUST_USE result clock_new(struct clock_watch **ret);
void clock_free(struct clock_watch *w); /* accepts NULL */
void clock_quoted(struct audit *a, struct clock_watch *w, uint64_t size, const struct tpm_clock *clock);
void clock_record(struct clock_watch *w, const struct record *r);
void clock_replaced(struct clock_watch *w); /* from here on another TPM's */
void clock_end(struct audit *a, struct clock_watch *w);

/* outcomes.c: a permit was recorded, and waits for its outcomes. */
MUST_USE result outcome_expect(struct audit *a, const struct record *r);
bool outcome_is_open(const struct audit *a, uint64_t decision, const struct digest *signed_);

/* The other commands: exit codes. */
int audit_claims(const char *trust, const char *export, uint64_t index);
int audit_show(const char *export, uint64_t from, uint64_t to);
struct trace_options {
    const char *trust, *ek_roots; /* ek_roots: a PEM file, or NULL */
    bool json;
};
int audit_trace(const struct trace_options *o, const char *export, const char *token);

/* options.c: a number as an option has it; false where it is none. */
bool number_of(const char *text, uint64_t *ret);

/* claims.c: the claims that a record allows, for its certificate, at a target of this kind; appended. audience NULL: the trust
 * file's for the target. *ret_wrong says in words what there isn't. */
struct claims_ground {
    const struct trust *trust;
    const char *audience, *kind;
    const struct certificate *certificate;
    const struct record *record; /* a permit or a read */
};
MUST_USE result claims_from(const struct claims_ground *g, struct buf *out, const char **ret_wrong);
/* The claims of the credential that a record allowed, in the form in which they are signed, appended. audience NULL: the
 * trust file's for the target. *ret_wrong says in words what there isn't. */
MUST_USE result claims_of(const struct trust *t, const struct export_dir *x, uint64_t size, uint64_t index, const char *audience,
    struct buf *out, const char **ret_wrong);

#endif
