/* What an approved policy is, as digests (TPM 2.0 Part 1, section 19.7; Part 3, section 23): computed by whoever approves, verifies
 * or audits, without a TPM. Pure. docs/attestation.md, "Approval". */
#ifndef SEB_ATTEST_POLICY_DIGEST_H
#define SEB_ATTEST_POLICY_DIGEST_H

#include "base/pubkey.h"

#define TPM_NAME_SIZE 34 /* nameAlg SHA-256, then the digest (Part 1, section 16) */
#define TPM_PCRS 24
#define COUNTER_BYTES 8

/* The Name of the public area under which the broker loads this key into its TPM (TPM2_LoadExternal): P-256, ECDSA with SHA-256,
 * sign and userWithAuth, no policy, nameAlg SHA-256. bad_key where it isn't a P-256 key. */
MUST_USE result tpm_external_name(const struct pubkey *key, uint8_t ret_name[TPM_NAME_SIZE]);

/* The Name of a key that is the TPM's own and has no policy: the same public area, with these objectAttributes; `stripped` where
 * the TPM leaves out its coordinates' leading zeros. bad_key. */
MUST_USE result tpm_own_key_name(const struct pubkey *key, uint32_t attributes, bool stripped, uint8_t ret_name[TPM_NAME_SIZE]);

/* The Name of the revocation epoch's counter, once written, at this NV index: one that is incremented and never set, whoever owns
 * the TPM (Part 2, TPMS_NV_PUBLIC). Another index's Name may be of one that is written as somebody likes. */
#define COUNTER_INDEX_DEFAULT UINT32_C(0x01500a01) /* as sebd.json(5) has it */
MUST_USE result tpm_counter_name(uint32_t index, uint8_t ret_name[TPM_NAME_SIZE]);

/* The policyRef of an instance's approvals: an approval fits one TPM (by the AK's Name) and one log (by its origin,
 * "<domain>/<instance>"). too_long where the origin is. */
MUST_USE result policy_ref(const char *origin, const uint8_t ak_name[TPM_NAME_SIZE], struct digest *ret);

/* The authPolicy of the keys: TPM2_PolicyAuthorize by the policy key under this policyRef. */
MUST_USE result key_policy(const struct pubkey *policy_key, const struct digest *ref, struct digest *ret);

struct approved_state {
    unsigned pcr; /* 0 to 23 */
    struct digest pcr_value;
    uint64_t counter; /* what the NV counter must be */
    uint8_t counter_name[TPM_NAME_SIZE]; /* its index's Name, once written */
    const struct pubkey *lease; /* the verifier's key of that one use */
    struct digest ref; /* policyRef of the lease: the approvals' own, so that a lease too fits one TPM alone */
};
/* The approved policyDigest: TPM2_PolicyPCR, TPM2_PolicyNV (EQ, 8 bytes at offset 0), TPM2_PolicySigned with `ref`, in this
 * order: were the counter first, a session that checked it before it moved could be finished afterwards. bad_value, bad_key.
 */
MUST_USE result approved_policy(const struct approved_state *s, struct digest *ret);

/* aHash of TPM2_PolicyAuthorize (Part 3, section 23.16): what the policy key signs. */
struct digest approval_hash(const struct digest *policy, const struct digest *ref);
/* aHash of TPM2_PolicySigned (Part 3, section 23.3) with expiration -seconds, empty cpHash, and the approvals' policyRef: what
 * the lease key signs. Without it a nonce of another machine's chip, passed on, would be leased on this one's good word. seconds
 * must lie within 1 to 86400: bad_value. */
MUST_USE result lease_hash(const uint8_t nonce[32], uint32_t seconds, const struct digest *ref, struct digest *ret);

#endif
