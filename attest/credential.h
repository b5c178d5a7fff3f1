/* TPM2_MakeCredential in software (TPM 2.0 Part 1, section 24): a secret that only the TPM with this EK gives back, and only where
 * the key of this Name is loaded in it beside. Its one source of chance is the kernel's. */
#ifndef SEB_ATTEST_CREDENTIAL_H
#define SEB_ATTEST_CREDENTIAL_H

#include "attest/policy_digest.h"
#include "base/secret.h"

#define CREDENTIAL_SECRET_SIZE 32
#define CREDENTIAL_MAX 256 /* content of a TPM2B_ID_OBJECT */
#define CREDENTIAL_SEED_MAX 512 /* content of a TPM2B_ENCRYPTED_SECRET */

/* For an EK that ek_public_check took: appends the content of a TPM2B_ID_OBJECT and of a TPM2B_ENCRYPTED_SECRET (both without their
 * own size field). The secret has 1 to 32 bytes, no more than the digest of the EK's nameAlg: bad_value. ek_attributes for a public
 * area of another kind, crypto where the library fails. */
MUST_USE result make_credential(struct span ek_public, const uint8_t ak_name[TPM_NAME_SIZE], struct span secret,
    struct buf *ret_credential, struct buf *ret_encrypted_secret);

#endif
