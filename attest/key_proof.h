/* What proves that the keys of an instance are in its TPM (or HSM), and can do no more than they may. The evidence is what
 * hsm_evidence() gives; its JSON is in RFC 8785 form. Pure. docs/attestation.md, "Evidence". */
#ifndef SEB_ATTEST_KEY_PROOF_H
#define SEB_ATTEST_KEY_PROOF_H

#include "attest/members.h"
#include "attest/policy_digest.h"
#include "attest/quote.h"

#define KEY_EVIDENCE_MAX 16384

/* An attestation key's public area: exactly fixedTPM, fixedParent, sensitiveDataOrigin, restricted and sign, of userWithAuth, noDA
 * and adminWithPolicy any, nothing else (Part 2, TPMA_OBJECT); ECDSA with SHA-256 over P-256. ak_attributes. The caller frees
 * *ret_key. */
MUST_USE result ak_public_check(struct span tpmt_public, uint8_t ret_name[TPM_NAME_SIZE], struct pubkey **ret_key);
/* The same from an attestation key's evidence, which certifies itself: ak_attributes, key_not_certified. */
MUST_USE result ak_proof(struct span evidence, uint8_t ret_name[TPM_NAME_SIZE], struct pubkey **ret_key);

/* A record or mint key in the TPM: TPM2_Certify by `ak` of this public area (Part 3, TPM2_Certify), made in the TPM and unable to
 * leave it, unrestricted sign, no decrypt: else key_not_certified. With a key policy: authPolicy is just that and nothing but the
 * policy lets it be used (userWithAuth clear): else key_without_policy. The caller frees *ret_key. */
MUST_USE result tpm_key_proof(
    struct span evidence, const struct pubkey *ak, const struct digest *key_policy /* NULL: any */, struct pubkey **ret_key);

/* What a key statement says of the token that the key is in. */
struct token_identity {
    char manufacturer[65], model[65], serial[65];
};
/* A mint key in an HSM: evidence is the text of a key statement (JWS, TYP_KEY_STATEMENT) by the record key, for this domain and
 * instance, of attributes that a key has which was made in the token and can't leave it. key_not_certified. "{}" is
 * key_not_stated: the record key signs nothing before the first lease, and this is what an honest instance has until then. The
 * caller frees *ret_key. */
MUST_USE result hsm_key_proof(struct span evidence, const struct pubkey *record, const char *domain, const char *instance,
    struct token_identity *ret_token, struct pubkey **ret_key);

#endif
