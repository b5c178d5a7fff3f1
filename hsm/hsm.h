/* Key custody: one opaque key type over a TPM 2.0 (ESYS) and PKCS#11. A private key is never in this process. Every key that is
 * opened was proved to be in hardware, to have been made there and to be unable to leave; otherwise key_not_in_hardware. Used by
 * the keeper alone, and by sebctl init, sab and tests while no keeper runs. Adding a backend is one file and one row of hsm.c. */
#ifndef SEB_HSM_HSM_H
#define SEB_HSM_HSM_H

#include "base/pubkey.h"
#include "base/secret.h"

struct hsm_key; /* opaque; used by one thread at a time, the thread that opened its backend */

/* ES256 over a SHA-256 digest: raw r and s (FIPS 186-5; TPM 2.0 Part 3, TPM2_Sign; PKCS#11 CKM_ECDSA). tpm_refused,
 * tpm_unavailable, hsm_refused, hsm_unavailable; after tpm_unavailable everything of that TPM is closed and opened anew. Of a
 * guarded key also the guard's refusals (hsm/tpm_guard.h), after which nothing has to be closed. */
MUST_USE result hsm_sign(struct hsm_key *k, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE]);
struct pubkey *hsm_public(struct hsm_key *k); /* lives as long as the key */
const char *hsm_backend(const struct hsm_key *k); /* "tpm", "pkcs11" */
/* What proves it to be in hardware, as JSON (TPM: {"attest","signature","public"} of TPM2_Certify by the attestation key; PKCS#11:
 * attributes as read and the token's manufacturer, model and serial). Canonical, for the log. */
MUST_USE result hsm_evidence(struct hsm_key *k, struct buf *out);
void hsm_close(struct hsm_key *k); /* accepts NULL */
#endif
