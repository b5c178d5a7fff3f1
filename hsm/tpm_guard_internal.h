/* Inside hsm/ only: a guard's state, and using what it armed. */
#ifndef SEB_HSM_TPM_GUARD_INTERNAL_H
#define SEB_HSM_TPM_GUARD_INTERNAL_H

#include "hsm/tpm_guard.h"
#include "hsm/tpm_internal.h"

enum lease_state { LEASE_NONE, LEASE_HELD, LEASE_OVER };

/* A key of somebody else's as the TPM loads it for verifying, and its Name. */
struct tpm_verifier {
    TPM2B_PUBLIC public;
    TPM2B_NAME name;
};

/* How far a session is, in the order of the approved policy: what is behind it holds. */
enum guard_stage {
    STAGE_NONE, /* not started */
    STAGE_STALE, /* what it was satisfied by doesn't count any more */
    STAGE_EMPTY,
    STAGE_PCR,
    STAGE_COUNTER,
    STAGE_LEASE,
    STAGE_ARMED /* satisfied, and not used since */
};
struct guard_session {
    ESYS_TR tr; /* ESYS_TR_NONE: not started */
    enum guard_stage stage;
    uint64_t lease; /* by which lease it is armed */
    uint64_t begun; /* at TPM2_PolicyPCR: a PCR that voids one voids all that were begun before it */
};

struct tpm_guard {
    struct tpm *tpm;
    struct tpm_verifier authority;
    unsigned pcr;
    uint32_t nv_counter;
    bool has_ref;
    struct digest ref, key_policy;

    bool approved;
    struct digest policy;
    uint64_t approved_counter;
    TPMT_TK_VERIFIED approval;
    struct tpm_verifier lessor;

    /* The session that waits for a lease: loaded where a resource manager swaps it out itself, else its saved context. */
    ESYS_TR waiting;
    TPMS_CONTEXT *saved;
    TPM2B_NONCE nonce;

    enum lease_state lease;
    uint64_t leases; /* how many were taken */
    TPM2B_TIMEOUT timeout;
    TPMT_TK_AUTH ticket;

    struct guard_session session[GUARD_SESSIONS];
    uint64_t begun; /* sessions, of which each is armed once */
    bool anew; /* the chip found a session void while it was armed, and it is begun anew */
    bool by_steps;
    unsigned voided; /* uses in a row that found their session void for another reason than a PCR */
};

/* tpm_guard.c: one of the four commands that satisfy a session, in the order that the approved policy has. The names of
 * tpm_guard_arm; where it fails the session is flushed by the caller, never finished. */
MUST_USE result tpm_guard_satisfy(struct tpm_guard *g, struct guard_session *s);

/* How often a command is tried whose session a PCR voids each time: IMA extends its own with each file that is new to it. */
#define GUARD_PATIENCE 16

/* tpm_session.c: one command under the key policy. Runs it with an armed session, which it uses up; arms one first where there is
 * none, and again where the chip found the session void: somebody extended a PCR, or its lease ended. With tpm_guard_by_steps it
 * does neither: session_void. */
typedef TSS2_RC (*guarded_command)(void *context, ESYS_TR session);
MUST_USE result tpm_guard_use(struct tpm_guard *g, guarded_command run, void *context);
/* The chip's refusal of a void session under the name of what voided it; anything else as it is. */
MUST_USE result tpm_policy_refused(result r);
bool tpm_pcr_changed(result r); /* the session is void because a PCR was extended: it may be satisfied again */
/* Starts a policy session; salted to `salt_key` and with parameter encryption where that isn't ESYS_TR_NONE. */
MUST_USE result tpm_policy_session(struct tpm *t, ESYS_TR salt_key, struct tpm_transient *ret);
#endif
