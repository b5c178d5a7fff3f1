/* Inside hsm/ only: the TPM over ESYS. Everything that a function loads or starts in the chip is flushed when it leaves scope. */
#ifndef SEB_HSM_TPM_INTERNAL_H
#define SEB_HSM_TPM_INTERNAL_H

#include <tss2/tss2_esys.h>

#include "hsm/key.h"
#include "hsm/tpm.h"

struct tpm {
    int fd;
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
};

/* tpm_tcti.c: a TCTI over one connected descriptor, which stays the caller's. */
MUST_USE result tpm_tcti_new(int fd, enum tpm_transport transport, TSS2_TCTI_CONTEXT **ret);
void tpm_tcti_free(TSS2_TCTI_CONTEXT *tcti); /* accepts NULL */

/* The TPM's own codes are tpm_refused; those of the layers under it, and of a TPM that isn't started or failed, tpm_unavailable. */
MUST_USE result tpm_result(TSS2_RC rc);

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

/* A persistent object that is there: key_missing without asking for its public part, so that nothing is logged by ESYS. */
MUST_USE result tpm_persistent(struct tpm *t, uint32_t handle, ESYS_TR *ret);
/* Reads handles of one type that are in the chip, at most max of them. */
MUST_USE result tpm_handles_of(struct tpm *t, uint32_t first, uint32_t max, TPML_HANDLE *ret);

/* tpm_codec.c: TPM structures to ours. */
MUST_USE result tpm_public_of(const TPMT_PUBLIC *p, struct pubkey **ret);
MUST_USE result tpm_public_bytes(const TPMT_PUBLIC *p, struct buf *out);
MUST_USE result tpm_signature_of(const TPMT_SIGNATURE *s, uint8_t ret_raw[SIGNATURE_SIZE]);
MUST_USE result tpm_signature_der(const TPMT_SIGNATURE *s, struct buf *out);

#define TPM_KEY_ATTRIBUTES                                                                                         \
    (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
        TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)
/* key_not_in_hardware unless the public part is one of a P-256 key that signs, was made in this TPM and can't leave it;
 * `restricted` says which of the two kinds it must be. */
MUST_USE result tpm_key_kind(const TPMT_PUBLIC *p, bool restricted);

struct tpm_key {
    struct hsm_key key; /* first */
    struct tpm *tpm;
    ESYS_TR tr;
    struct buf attest, signature, public_area; /* the evidence: TPMS_ATTEST, DER, TPMT_PUBLIC */
};
#endif
