/* What lets the policy-bound keys of one TPM be used: an approval by the policy authority, a lease by a verifier, and two sessions
 * that are armed ahead of need, so that a signature is one command. A key's policy is PolicyAuthorize(policy authority, ref); what
 * the authority approves is PolicyPCR, PolicyNV (the revocation epoch's counter) and PolicySigned (the lease), in this order (TPM
 * 2.0 Part 3, section 23): in another one a session that checked the epoch before it moved could be finished after it.
 * Owned by the TPM's thread. Nothing here keeps a promise: the chip checks all of it, again at each use. */
#ifndef SEB_HSM_TPM_GUARD_H
#define SEB_HSM_TPM_GUARD_H

#include "hsm/tpm.h"

#define LEASE_NONCE_SIZE 32
#define LEASE_SECONDS_MAX 86400
#define GUARD_SESSIONS 2

struct tpm_guard; /* opaque */
/* `policy_key` is the pinned P-256 key whose approvals count (bad_key for another kind); it is held. `pcr` is of the SHA-256 bank,
 * `nv_counter` the index of the revocation epoch's counter, which need not be there yet. Without a ref nothing is bound to it. */
MUST_USE result tpm_guard_new(
    struct tpm *t, const struct pubkey *policy_key, unsigned pcr, uint32_t nv_counter, struct tpm_guard **ret);
void tpm_guard_free(struct tpm_guard *g); /* flushes its sessions; before its tpm; accepts NULL */
/* The policyRef, as soon as the attestation key is known: an approval fits one TPM only. Once. */
MUST_USE result tpm_guard_ref(struct tpm_guard *g, const struct digest *ref);
/* The authPolicy of the keys that it guards: PolicyAuthorize(policy key, ref). NULL before tpm_guard_ref. */
const struct digest *tpm_guard_key_policy(const struct tpm_guard *g);

struct tpm_approval {
    struct digest policy; /* the approved policyDigest */
    struct digest ref; /* must be the guard's own: approval_other_tpm */
    uint64_t counter; /* the approved value of the epoch's counter */
    const struct pubkey *lease_key; /* P-256 */
    uint8_t signature[SIGNATURE_SIZE]; /* raw, of the policy key over SHA-256(policy || ref) (Part 3, TPM2_PolicyAuthorize) */
};
/* Has the TPM verify it (Part 3, TPM2_VerifySignature) and keeps the ticket. A new approval drops the armed sessions, and the lease
 * where its key is another. approval_invalid, approval_other_tpm; what was approved before stays then. */
MUST_USE result tpm_guard_approve(struct tpm_guard *g, const struct tpm_approval *a);

/* Starts the session that waits for a lease; its nonce is what a verifier signs. It is kept out of the chip's loaded sessions.
 * Another call drops the first one's. */
MUST_USE result tpm_guard_lease_begin(struct tpm_guard *g, uint8_t ret_nonce[LEASE_NONCE_SIZE]);
/* The verifier's signature over SHA-256(nonce || be32(-seconds) || ref) (Part 3, TPM2_PolicySigned) gives a ticket, which arms
 * sessions until `seconds` after lease_begin. The waiting session is used up, also by a failure. lease_invalid: the chip refused
 * the signature, or no session waits; the lease that is held stays then. approval_missing: whose key it is isn't known. */
MUST_USE result tpm_guard_lease_end(struct tpm_guard *g, uint32_t seconds, const uint8_t signature[SIGNATURE_SIZE]);

/* Arms one session that isn't; *ret_armed says whether one was. approval_missing, lease_missing, lease_over, epoch_not_approved
 * (the counter isn't at the approved value), state_not_approved (anything else that was approved differs: what was measured, or
 * the lease's key), counter_missing. None of these is a failure of the TPM: nothing has to be closed. */
MUST_USE result tpm_guard_arm(struct tpm_guard *g, bool *ret_armed);
/* The same, one TPM command at a time, so that what is urgent can go in between; *ret_more: something is left to be armed. The
 * first of all looks the counter's index up besides. A session that was begun before a lease is begun anew (Part 3,
 * TPM2_PolicyRestart), and one that an older lease armed too, while the other stays armed. What is refused leaves no session. */
MUST_USE result tpm_guard_arm_step(struct tpm_guard *g, bool *ret_more);
unsigned tpm_guard_armed(const struct tpm_guard *g); /* 0 to GUARD_SESSIONS */
unsigned tpm_guard_fresh(const struct tpm_guard *g); /* of those, the ones that the newest lease armed */
/* Whoever arms by steps wants each use to be one command too: a use never arms then, nor tries again. session_void: no session is
 * armed, or what voided it may be over: a PCR was extended. It is no refusal: arm again, and try. */
void tpm_guard_by_steps(struct tpm_guard *g, bool by_steps);
void tpm_guard_disarm(struct tpm_guard *g); /* flushes both */
/* After any failure of hsm_sign(), tpm_unseal() and tpm_anchor_write() that a guard refused: true for the names above. */
bool tpm_guard_refuses(enum seb_code code);

/* The anchor of the log in NV: written under the key policy alone, readable by everybody. */
struct tpm_anchor {
    bool clean; /* written at an orderly stop */
    uint64_t size, policy_epoch, epoch; /* of the log; in force then */
    struct digest root;
};
/* Defines it (Part 3, TPM2_NV_DefineSpace) where it isn't; one that is there but isn't of this kind and policy: exists. */
MUST_USE result tpm_anchor_define(struct tpm *t, uint32_t index, const struct digest *key_policy, bool *ret_made);
/* counter_missing where the index isn't one of this kind and policy: others could have written it. *ret_written false: it never
 * was, and *ret stays untouched. */
MUST_USE result tpm_anchor_read(
    struct tpm *t, uint32_t index, const struct digest *key_policy, bool *ret_written, struct tpm_anchor *ret);
/* Takes an anchor or counter away; ok where there is none. For rekey. */
MUST_USE result tpm_nv_undefine(struct tpm *t, uint32_t index);
/* By an armed session, as a signature is. */
MUST_USE result tpm_anchor_write(struct tpm_guard *g, uint32_t index, const struct tpm_anchor *a);

/* A secret of at most 128 bytes, sealed into a persistent object under the key policy (Part 1, section 27.7), over salted sessions
 * that encrypt it on its way. exists where the handle is taken, unless `replace`. */
#define TPM_SEALED_MAX 128
MUST_USE result tpm_seal(struct tpm *t, uint32_t handle, const struct digest *key_policy, struct secret *data, bool replace);
/* ok where a secret is sealed there, under that policy; key_missing, key_without_policy, key_other_policy. */
MUST_USE result tpm_sealed(struct tpm *t, uint32_t handle, const struct digest *key_policy);
/* Under the same conditions as a signature, by a session of its own. */
MUST_USE result tpm_unseal(struct tpm_guard *g, uint32_t handle, struct secret **ret);

/* The revocation epoch's counter: NV of type counter, which only goes up. */
MUST_USE result tpm_counter_define(struct tpm *t, uint32_t index, bool *ret_made); /* and its first increment */
/* counter_missing. */
MUST_USE result tpm_counter_read(struct tpm *t, uint32_t index, uint64_t *ret, uint8_t ret_name[TPM_NAME_SIZE]);
MUST_USE result tpm_counter_increment(struct tpm *t, uint32_t index);
#endif
