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

struct guard_session {
    ESYS_TR tr; /* ESYS_TR_NONE: not started */
    bool armed; /* satisfied, and not used since */
    uint64_t lease; /* by which lease it was armed */
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
};

/* tpm_guard.c: satisfies a policy session: four commands, in the order that the approved policy has. The names of tpm_guard_arm;
 * where it fails the session is flushed by the caller, never finished. */
MUST_USE result tpm_guard_satisfy(struct tpm_guard *g, ESYS_TR session);

/* tpm_session.c: one command under the key policy. Runs it with an armed session, which it uses up; arms one first where there is
 * none, and once again where the chip found the session void: somebody extended a PCR, or its lease ended. */
typedef TSS2_RC (*guarded_command)(void *context, ESYS_TR session);
MUST_USE result tpm_guard_use(struct tpm_guard *g, guarded_command run, void *context);
/* The chip's refusal of a void session under the name of what voided it; anything else as it is. */
MUST_USE result tpm_policy_refused(result r);
/* Starts a policy session; salted to `salt_key` and with parameter encryption where that isn't ESYS_TR_NONE. */
MUST_USE result tpm_policy_session(struct tpm *t, ESYS_TR salt_key, struct tpm_transient *ret);
#endif
