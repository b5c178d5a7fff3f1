/* Log entries: canonical JSON, each type one struct, written and read (docs/formats.md, "Log entries"). Pure.
 * A permitting decision can be written only with a permit, which only the judge builds (policy/judge.h). */
#ifndef SEB_ENTRY_ENTRY_H
#define SEB_ENTRY_ENTRY_H

#include "base/field.h"

#define ENTRY_MAX 65535
#define NAME_MAX_ 64
#define DOMAIN_MAX 128
#define RESOURCE_MAX 1024
#define ETAG_MAX 256
#define RUN_SIZE 16
#define VERSION_MAX 64 /* of a uid and a resourceVersion */
#define REASON_MAX 64
#define CAUSES_MAX 4095 /* bytes of all causes in RFC 8785 form */
#define NO_INDEX UINT64_MAX

struct permit; /* policy/judge.h */

enum entry_type {
    ENTRY_START = 1,
    ENTRY_STOP,
    ENTRY_POLICY,
    ENTRY_EPOCH,
    ENTRY_READ,
    ENTRY_DECISION,
    ENTRY_OUTCOME,
    ENTRY_NOISE,
    ENTRY_ATTESTATION,
    ENTRY_KEYS,
    ENTRY_ENROLMENT,
    ENTRY_ACKNOWLEDGE,
    ENTRY_REKEY
};
enum key_role { ROLE_ATTESTATION, ROLE_RECORD, ROLE_MINT, ROLES };
enum read_purpose { READ_DRIFT = 1, READ_RECONCILE };
enum outcome_result { RESULT_APPLIED = 1, RESULT_REJECTED, RESULT_FAILED, RESULT_NOT_APPLIED, RESULT_OPEN };
enum outcome_evidence {
    EVIDENCE_RESPONSE = 1,
    EVIDENCE_NEVER_SENT,
    EVIDENCE_MINT_REFUSED,
    EVIDENCE_STATE,
    EVIDENCE_STATE_UNCHANGED,
    EVIDENCE_STATE_OTHER,
    EVIDENCE_NONE
};
const char *outcome_name(enum outcome_result r);
const char *evidence_name(enum outcome_evidence e);

struct key_identity {
    struct digest kid;
    char backend[8]; /* "tpm" or "pkcs11" */
    struct digest evidence;
};
#define MEASURED_MAX 16
struct measured { /* an event of the broker's own log of measurements: its name and newest value */
    char name[32];
    struct digest digest;
};
struct start_entry {
    uint8_t run[RUN_SIZE];
    char domain[DOMAIN_MAX + 1], instance[NAME_MAX_ + 1], program[64];
    struct digest config;
    struct key_identity key[ROLES];
    int64_t certificates_from; /* seconds; certificates issued before it are refused; 0: none are */
    int64_t counter; /* of the TPM: what the revocation epoch is mapped to */
    uint64_t head; /* size of the log before this entry */
    unsigned measured_n;
    struct measured measured[MEASURED_MAX];
};
struct keys_entry { /* keys that changed within a run */
    uint8_t run[RUN_SIZE];
    int64_t epoch; /* revocation epoch that the mint key is of */
    struct key_identity key[ROLES];
};
struct attestation_entry {
    struct digest result, evidence; /* of the result's payload; of the evidence JSON that it judges */
    char status[24]; /* of the result: ear.status */
};
struct acknowledge_entry {
    uint64_t size;
    struct digest root, statement;
    char what[24]; /* rollback, unclean */
};
struct rekey_entry { /* from here on notes are the new record key's */
    struct digest old_kid[ROLES], new_kid[ROLES];
    bool has_statement;
    struct digest statement;
};
struct read_entry {
    uint8_t run[RUN_SIZE];
    enum read_purpose purpose;
    struct digest certificate, signed_; /* as in a decision */
    char target[NAME_MAX_ + 1], resource[RESOURCE_MAX + 1];
    int64_t iat, exp;
    struct digest mint_key;
    bool has_attestation; /* as in a decision: what the read's credential says */
    struct digest attestation;
    uint64_t decision; /* NO_INDEX unless it reconciles */
};
struct live_state {
    uint64_t read; /* index of the read entry */
    bool exists, has_etag;
    struct digest sha256;
    int64_t length;
    char etag[ETAG_MAX + 1];
    char uid[VERSION_MAX + 1], version[VERSION_MAX + 1]; /* "" where the target gives none */
    unsigned fields_n; /* of the contract's preconditions.fields, then its parameters.fields; 0 where nothing is there */
    struct live_field field[LIVE_FIELDS_MAX];
};
struct decision_entry {
    uint8_t run[RUN_SIZE];
    struct digest agent, request, certificate, policy, statement;
    struct digest signed_; /* jws_digest of the certificate: which signatures it was judged with */
    char request_id[NAME_MAX_ + 1], cid[NAME_MAX_ + 1];
    int64_t policy_epoch, epoch;
    bool has_attestation;
    struct digest attestation; /* the result's, as in its attestation entry */
    bool has_target;
    char target_kind[16], target_prefix[RESOURCE_MAX + 1];
    bool has_body;
    struct digest body;
    bool used;
    bool has_live;
    struct live_state live;
    bool permitted;
    char rule[16], code[40]; /* of a refusal */
    int64_t iat, exp; /* of a permit */
    int64_t accepted_until; /* of a permit: seconds; until when a cache of the target may accept the credential; 0: no longer than
                               exp */
    struct digest mint_key; /* of a permit */
};
struct outcome_entry {
    uint64_t decision;
    struct digest leaf;
    enum outcome_result result;
    bool final;
    enum outcome_evidence evidence;
    char code[40]; /* "" where there is none */
    int64_t http_status; /* 0 where there is none */
    bool has_etag;
    char etag[ETAG_MAX + 1];
    char version[VERSION_MAX + 1]; /* the object's resourceVersion after it; "" where there is none */
    char reason[REASON_MAX + 1]; /* the target's own word for a refusal; "" where there is none */
    char causes[CAUSES_MAX + 1]; /* entry_causes_check's form; "" where there are none */
    uint64_t read; /* NO_INDEX where there is none */
};
#define NOISE_CODES 64
struct noise_entry {
    int64_t from, until;
    unsigned n;
    struct {
        char code[40];
        int64_t count;
    } count[NOISE_CODES];
};

/* What each type holds, and the time in milliseconds. */
struct entry {
    enum entry_type type;
    int64_t time;
    union {
        struct start_entry start;
        struct {
            uint8_t run[RUN_SIZE];
        } stop;
        struct {
            struct digest policy;
            int64_t policy_epoch;
        } policy;
        struct {
            struct digest statement;
            int64_t epoch;
        } epoch;
        struct read_entry read;
        struct decision_entry decision;
        struct outcome_entry outcome;
        struct noise_entry noise;
        struct attestation_entry attestation;
        struct keys_entry keys;
        struct {
            struct digest statement;
        } enrolment;
        struct acknowledge_entry acknowledge;
        struct rekey_entry rekey;
    };
};

/* Causes of a refusal, as the target told them: an array in RFC 8785 form of 1 to 8 objects with members of field, message and
 * reason, each a text of 1 to 256 bytes; at most CAUSES_MAX bytes. bad_value otherwise. An entry with others can't be written. */
MUST_USE result entry_causes_check(struct span text);
/* Whether a text can stand as uid or resource_version in an entry: 1 to VERSION_MAX characters of A-Z a-z 0-9 . _ - */
bool entry_is_version(const char *text);
/* Appends the canonical form of any entry but a permitting decision, which is refused with invariant. too_long beyond ENTRY_MAX. */
MUST_USE result entry_write(const struct entry *e, struct buf *out);
/* A permitting decision; the permit is the proof that the judge was asked. NULL is refused with invariant. */
MUST_USE result entry_write_permit(const struct entry *e, const struct permit *permit, struct buf *out);
/* Strict: closed members, canonical bytes; bad_entry otherwise. */
MUST_USE result entry_read(struct span text, struct entry *ret);

#endif
