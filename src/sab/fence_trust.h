/* Why a mint key is to be allowed at a fence: a verifier's signed result names it, and the evidence that the verifier appraised
 * holds its TPM2_Certify under the attestation key (for a key in an HSM: its key statement under the record key that is certified
 * so). The broker's own word is not asked for. */
#ifndef SEB_SAB_FENCE_TRUST_H
#define SEB_SAB_FENCE_TRUST_H

#include "base/pubkey.h"

struct fence_trust_args {
    const struct digest *kid;
    const char *result, *verifier; /* files: the EAR as compact JWT; the verifier's JWK */
    const char *evidence, *attestation; /* files, both or neither: the evidence's JSON; the AK's JWK */
    const char *policy; /* file, with evidence alone: the policy key's JWK, which the key must be bound to (a TPM's key) */
    int64_t now; /* seconds */
};
struct fence_trusted {
    char domain[129], instance[65];
    struct pubkey *key; /* proved by the evidence; NULL without. Owned */
};
/* attestation_failed, attestation_expired, attestation_other_keys; evidence_mismatch where the evidence isn't the one that the
 * result names; key_not_certified, key_without_policy; bad_signature, bad_header, and what is wrong with a document's form.
 * *ret_about says which file. */
MUST_USE result fence_trust(const struct fence_trust_args *a, struct fence_trusted *ret, const char **ret_about);

#endif
