/* Inside hsm/ only: the TPM over ESYS. Everything that a function loads or starts in the chip is flushed when it leaves scope. */
#ifndef SEB_HSM_TPM_INTERNAL_H
#define SEB_HSM_TPM_INTERNAL_H

#include <tss2/tss2_esys.h>

#include "hsm/key.h"
#include "hsm/tpm.h"

struct tpm {
    int fd;
    bool managed; /* by a resource manager, which swaps sessions and objects itself */
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    uint32_t kept_index; /* the NV index that a guard's policy is over, and ESYS's record of it, once it was used */
    ESYS_TR kept;
};

/* tpm_tcti.c: a TCTI over one connected descriptor, which stays the caller's. */
MUST_USE result tpm_tcti_new(int fd, enum tpm_transport transport, TSS2_TCTI_CONTEXT **ret);
void tpm_tcti_free(TSS2_TCTI_CONTEXT *tcti); /* accepts NULL */

/* The TPM's own codes are tpm_refused; those of the layers under it, and of a TPM that isn't started or failed, tpm_unavailable. */
MUST_USE result tpm_result(TSS2_RC rc);

/* Which response code of the TPM's it is, without the handle, parameter or session that it is about (Part 2, section 6.6). */
TPM2_RC tpm_base_code(TSS2_RC rc);

void tpm_esys_free(void *pointer_to_pointer);
#define AUTO_ESYS __attribute__((cleanup(tpm_esys_free)))

/* A transient object or a session: flushed by scope. */
struct tpm_transient {
    struct tpm *tpm;
    ESYS_TR tr;
};
#define TPM_TRANSIENT(t)               \
    {                                  \
        .tpm = (t), .tr = ESYS_TR_NONE \
    }
void tpm_transient_flush(struct tpm_transient *o);
#define AUTO_TRANSIENT __attribute__((cleanup(tpm_transient_flush))) struct tpm_transient

/* A persistent object that is there: key_missing without asking for its public part, so that nothing is logged by ESYS. ESYS has
 * one record of a handle: who closes it closes it for a key that is open at that handle too. */
MUST_USE result tpm_persistent(struct tpm *t, uint32_t handle, ESYS_TR *ret);
/* Reads handles of one type that are in the chip, at most max of them. */
MUST_USE result tpm_handles_of(struct tpm *t, uint32_t first, uint32_t max, TPML_HANDLE *ret);

/* tpm_codec.c: TPM structures to ours. */
MUST_USE result tpm_public_of(const TPMT_PUBLIC *p, struct pubkey **ret);
MUST_USE result tpm_public_bytes(const TPMT_PUBLIC *p, struct buf *out);
MUST_USE result tpm_signature_of(const TPMT_SIGNATURE *s, uint8_t ret_raw[SIGNATURE_SIZE]);
MUST_USE result tpm_signature_der(const TPMT_SIGNATURE *s, struct buf *out);

/* What a signing key of ours is: restricted for attestation, else with or without a policy that its use is bound to. */
struct tpm_kind {
    bool restricted;
    const struct digest *policy; /* NULL: an empty authorization serves */
};
TPMA_OBJECT tpm_kind_attributes(const struct tpm_kind *kind);
/* key_not_in_hardware unless the public part is one of a P-256 key that signs, was made in this TPM and can't leave it, and is of
 * just that kind; key_without_policy, key_other_policy where it is but for the policy. */
MUST_USE result tpm_key_kind(const TPMT_PUBLIC *p, const struct tpm_kind *kind);

struct tpm_key {
    struct hsm_key key; /* first */
    struct tpm *tpm;
    struct tpm_guard *guard; /* NULL: none is needed */
    ESYS_TR tr;
    struct buf attest, signature, public_area; /* the evidence: TPMS_ATTEST, DER, TPMT_PUBLIC */
};

/* tpm_storage.c. */
MUST_USE result tpm_primary(struct tpm *t, uint32_t hierarchy, const TPM2B_PUBLIC *template, struct tpm_transient *ret);
MUST_USE result tpm_storage_primary(
    struct tpm *t, uint32_t hierarchy, struct tpm_transient *ret); /* the TSS2 PRIVATE KEY's parent */
MUST_USE result tpm_salted_session(struct tpm *t, ESYS_TR salt_key, struct tpm_transient *session);
MUST_USE result tpm_encrypt(struct tpm *t, ESYS_TR session, TPMA_SESSION which); /* the parameters of the next command */
MUST_USE result tpm_persist(struct tpm *t, ESYS_TR object, ESYS_TR session, uint32_t handle);

/* tpm_nv.c: an index that is there; counter_missing without asking for its public part. ESYS has one record of an index, however
 * often it is opened, so one that is kept isn't closed. */
MUST_USE result tpm_nv_open(struct tpm *t, uint32_t index, ESYS_TR *ret);
MUST_USE result tpm_nv_keep(struct tpm *t, uint32_t index, ESYS_TR *ret); /* one at a time; not to be closed */
void tpm_nv_close(struct tpm *t, ESYS_TR tr);

void tpm_pcr_select(uint32_t mask, TPML_PCR_SELECTION *ret); /* of the SHA-256 bank */
#endif
