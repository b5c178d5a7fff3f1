/* From one token back to the TPM that stands behind it: what a pass over the log remembers on the way (trace.c), and what is then
 * said, step by step (trace_steps.c). */
#ifndef SEB_AUDIT_TRACE_H
#define SEB_AUDIT_TRACE_H

#include "attest/enrolment.h"
#include "audit/evidence.h"

#define HEARD_MAX 4096

struct heard {
    enum finding what;
    struct where at;
    char about[80]; /* as a fault says it */
};
struct trace {
    /* The token, taken apart. */
    struct buf token, arena;
    struct jws jws;
    struct digest jti;
    char audience[201];
    bool pinned_audience;
    /* Of the log, in the order in which the pass comes by. */
    uint64_t index; /* of the record */
    struct record record; /* read before the pass, which then has it again */
    bool passed; /* the record was in the pass */
    uint64_t policy_at, keys_at, result_at, enrolment_at; /* NO_INDEX: not yet */
    char policy_digest[DIGEST_TEXT + 1], verifier[NAME_LEN + 1];
    int64_t policy_epoch;
    struct key_identity key[ROLES]; /* of its run */
    char ak_name[2 * TPM_NAME_SIZE + 1]; /* hex */
    bool is_minted; /* the mint key's signature verifies */
    unsigned authorities; /* distinct ones that signed the certificate */
    enum seb_code signers;
    char cid[NAME_LEN + 1];
    bool has_claims, has_approval, has_statement;
    struct result_claims claims;
    struct approval_file approval;
    struct enrolment_statement statement;
    uint64_t note_size; /* the first checkpoint over the record */
    uint64_t quoted_size; /* the first quoted one */
    uint64_t clock_ms;
    uint32_t reset_count, restart_count;
    unsigned heard_n;
    struct heard heard[HEARD_MAX];
    struct heard unheard; /* the first that there was no room for, where `deaf` */
    bool deaf;
    const char *wrong; /* what it broke off on, in words */
};

/* All steps in order, the first that fails last; returns the exit code. */
MUST_USE result trace_say(struct audit *a, struct trace *t, bool json, int *ret_exit);

#endif
