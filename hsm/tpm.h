/* The TPM over one connected descriptor (a character device, or a socket to swtpm): no connect(2), no TCTI by name. One thread owns
 * it. After tpm_unavailable nothing of it works again: close its keys and it, and open it over a fresh descriptor. */
#ifndef SEB_HSM_TPM_H
#define SEB_HSM_TPM_H

#include "hsm/hsm.h"

/* ESYS writes lines of its own to stderr for what it is refused: no more, unless the operator's environment has TSS2_LOG. For
 * mains, which speak for themselves, before their first thread. */
void tpm_be_quiet(void);

#define TPM_NAME_SIZE 34 /* of SHA-256's (Part 1, section 16) */
#define TPM_PCRS 24

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
struct tpm_guard; /* hsm/tpm_guard.h */
/* Opens an ordinary signing key and proves it by TPM2_Certify under the attestation key (Part 3, TPM2_Certify), with a random
 * qualifyingData. key_missing, key_not_in_hardware. With a guard the key's use must be bound to the guard's key policy and to
 * nothing else: key_without_policy, key_other_policy; and hsm_sign() uses a session that the guard armed: one command, with the
 * guard's refusals. NULL: a tool's own key, with an empty authorization. */
MUST_USE result tpm_signing_key(
    struct tpm *t, uint32_t handle, struct hsm_key *attestation, struct tpm_guard *guard, struct hsm_key **ret);
/* A TPM key's Name (Part 1, section 16): 00 0b and SHA-256 of its public area; and the marshaled TPMT_PUBLIC, appended. */
MUST_USE result tpm_key_name(const struct hsm_key *k, uint8_t ret_name[TPM_NAME_SIZE]);
MUST_USE result tpm_key_area(const struct hsm_key *k, struct buf *out);

struct tpm_quote {
    struct buf attest; /* TPMS_ATTEST as the TPM gave it */
    struct buf signature; /* ASN.1 DER */
};
/* TPM2_Quote (Part 3) of the SHA-256 bank's PCRs in the mask (bit n: PCR n), over qualifyingData. */
MUST_USE result tpm_quote(struct hsm_key *attestation, uint32_t pcr_mask, const struct digest *qualifying, struct tpm_quote *ret);
void tpm_quote_free(struct tpm_quote *q);

/* The SHA-256 bank's PCRs of the mask, all at one time (the update counter says so); the others stay untouched. */
MUST_USE result tpm_pcr_read(struct tpm *t, uint32_t mask, struct digest ret[TPM_PCRS]);
/* TPM2_PCR_Extend: the SHA-256 bank alone. It voids every satisfied policy session, except of PCR 16 and 21 to 23. */
MUST_USE result tpm_pcr_extend(struct tpm *t, unsigned pcr, const struct digest *d);

/* The endorsement key (TCG EK Credential Profile 2.5, sections 2.2.1.4 and B): certificate from NV as DER (with what fills the
 * index behind it cut off), not_found where there is none; public area as TPMT_PUBLIC. Both appended. RSA 2048 and P-256 by the
 * low-range templates L-1 and L-2, P-384 by the high-range H-3. */
enum tpm_ek_kind { EK_RSA, EK_P256, EK_P384, EK_KINDS };
#define EK_CERTIFICATE_MAX 4096
MUST_USE result tpm_ek_certificate(struct tpm *t, enum tpm_ek_kind kind, struct buf *out);
MUST_USE result tpm_ek_public(struct tpm *t, enum tpm_ek_kind kind, struct buf *out);
/* Part 3, TPM2_ActivateCredential: the contents of TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. activation_failed where they are not
 * for this TPM's EK and this attestation key. */
MUST_USE result tpm_activate(struct tpm *t, enum tpm_ek_kind kind, struct hsm_key *attestation, struct span credential,
    struct span secret, struct buf *ret_secret);

/* For init (tpm_provision.c): makes what isn't there, under salted sessions with parameter encryption (Part 1, section 21), noDA,
 * and persists it; writes public and private blob as TSS2 PRIVATE KEY PEM into directory. Never replaces a key: a handle that is
 * taken by a key of another kind is `exists` (key_without_policy, key_other_policy where it is but the policy), a file that another
 * TPM made key_other_tpm. *ret_made says whether one was made. key_policy: what the use of a record or mint key is bound to
 * (tpm_guard_key_policy); NULL for an attestation key and for a tool's own. */
enum tpm_role { TPM_ATTESTATION, TPM_RECORD, TPM_MINT };
MUST_USE result tpm_provision(
    struct tpm *t, enum tpm_role role, uint32_t handle, const char *pem_path, const struct digest *key_policy, bool *ret_made);
/* The file alone, where there is none, and the key in it: for a key that is to follow another at the same handle. */
MUST_USE result tpm_make_blob(
    struct tpm *t, enum tpm_role role, const char *pem_path, const struct digest *key_policy, struct pubkey **ret);
/* The public key of whatever signing key is at the handle, which proves nothing of it; key_missing, bad_key where it is none of
 * P-256. The handle isn't open. */
MUST_USE result tpm_public_at(struct tpm *t, uint32_t handle, struct pubkey **ret);
/* Takes the persistent object away (Part 3, TPM2_EvictControl); ok where there is none. */
MUST_USE result tpm_evict(struct tpm *t, uint32_t handle);
#endif
