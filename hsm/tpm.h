/* The TPM over one connected descriptor (a character device, or a socket to swtpm): no connect(2), no TCTI by name. One thread owns
 * it. After tpm_unavailable nothing of it works again: close its keys and it, and open it over a fresh descriptor. */
#ifndef SEB_HSM_TPM_H
#define SEB_HSM_TPM_H

#include "hsm/hsm.h"

/* ESYS writes lines of its own to stderr for what it is refused: no more, unless the operator's environment has TSS2_LOG. For
 * mains, which speak for themselves, before their first thread. */
void tpm_be_quiet(void);

struct tpm; /* opaque */
enum tpm_transport { TPM_DEVICE, TPM_SOCKET };

/* Takes the descriptor, also when it fails. Flushes transient objects and sessions that an earlier user left (of swtpm: a device
 * is taken for a resource manager's, /dev/tpmrm0, where what is to be seen belongs to others). */
MUST_USE result tpm_open(int fd, enum tpm_transport transport, struct tpm **ret);
void tpm_close(struct tpm *t); /* accepts NULL; closes the descriptor */
/* Opens the descriptor for a configured TPM: "/dev/tpmrm0" style path, or an absolute path of swtpm's socket. For supervisor and
 * tools. */
MUST_USE result tpm_connect(const char *path, int *ret_fd, enum tpm_transport *ret_transport);

struct tpm_handles {
    uint32_t attestation, record, mint; /* persistent handles; mint 0 where the mint key is in an HSM */
};
/* Opens the attestation key: restricted signing key, fixedTPM, fixedParent, sensitiveDataOrigin, in the endorsement hierarchy. */
MUST_USE result tpm_attestation_key(struct tpm *t, uint32_t handle, struct hsm_key **ret);
/* Opens an ordinary signing key and proves it by TPM2_Certify under the attestation key (Part 3, TPM2_Certify), with a random
 * qualifyingData. key_missing, key_not_in_hardware. */
MUST_USE result tpm_signing_key(struct tpm *t, uint32_t handle, struct hsm_key *attestation, struct hsm_key **ret);

struct tpm_quote {
    struct buf attest; /* TPMS_ATTEST as the TPM gave it */
    struct buf signature; /* ASN.1 DER */
};
/* TPM2_Quote (Part 3) of the SHA-256 bank's PCRs in the mask (bit n: PCR n), over qualifyingData. */
MUST_USE result tpm_quote(struct hsm_key *attestation, uint32_t pcr_mask, const struct digest *qualifying, struct tpm_quote *ret);
void tpm_quote_free(struct tpm_quote *q);

/* For init (tpm_provision.c): makes what isn't there, under salted sessions with parameter encryption (Part 1, section 21), noDA,
 * and persists it; writes public and private blob as TSS2 PRIVATE KEY PEM into directory. Never replaces a key: a handle that is
 * taken by a key of another kind is `exists`. *ret_made says whether one was made. */
enum tpm_role { TPM_ATTESTATION, TPM_RECORD, TPM_MINT };
MUST_USE result tpm_provision(struct tpm *t, enum tpm_role role, uint32_t handle, const char *pem_path, bool *ret_made);
#endif
