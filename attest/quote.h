/* Reads and verifies what a TPM attests (TPM 2.0 Part 2, TPMS_ATTEST): quotes and certifications. Own parser over base's reader, so
 * that seb-audit needs no TPM library. Pure. */
#ifndef SEB_ATTEST_QUOTE_H
#define SEB_ATTEST_QUOTE_H

#include "base/digest.h"
#include "base/pubkey.h"

struct tpm_clock {
    uint64_t clock_ms;
    uint32_t reset_count, restart_count;
    bool safe;
};
struct attest {
    bool is_quote; /* else a certification */
    struct tpm_clock clock;
    uint64_t firmware;
    struct span extra; /* qualifyingData */
    struct span pcr_selection, pcr_digest; /* of a quote: marshaled TPML_PCR_SELECTION; digest */
    struct span name, qualified_name; /* of a certification */
};
/* Verifies the DER signature by the attestation key over SHA-256(attest), magic and type, and reads it; trailing bytes are refused.
 * bad_quote. Spans view `bytes`. */
MUST_USE result attest_open(struct span bytes, struct span der_signature, const struct pubkey *ak, struct attest *ret);

/* The preimage of a checkpoint's quote (docs/formats.md), whose SHA-256 is the quote's qualifyingData; appended. Reading it:
 * truncated, too_long, bad_value, trailing_bytes, or bad_quote where its purpose is another. */
MUST_USE result quote_preimage(const struct digest *note_text, uint64_t policy_epoch, uint64_t epoch, struct buf *out);
MUST_USE result quote_preimage_read(
    struct span preimage, struct digest *ret_note_text, uint64_t *ret_policy_epoch, uint64_t *ret_epoch);
/* The preimage of an answer to a challenge: the verifier's nonce, the nonce of the TPM session that waits for a lease, the newest
 * note that was ever signed and the epochs; appended. Reading it: as above. */
struct quote_challenge {
    uint8_t nonce[32], lease_nonce[32];
    bool has_note;
    struct digest note_text;
    uint64_t policy_epoch, epoch;
};
MUST_USE result quote_challenge_preimage(const struct quote_challenge *q, struct buf *out);
MUST_USE result quote_challenge_read(struct span preimage, struct quote_challenge *ret);
/* The name (Part 1, section 16) of a marshaled TPMT_PUBLIC without its nameAlg, and the key in it with its objectAttributes:
 * for verifying hsm_evidence. A certification's `name` is 00 0b (SHA-256) and this digest. bad_key unless it is a P-256 key that
 * signs ES256 alone and is named by SHA-256. The caller frees *ret_key. */
MUST_USE result tpm_public_read(
    struct span tpmt_public, struct digest *ret_name, struct pubkey **ret_key, uint32_t *ret_attributes);

/* The same with its policy: what a key's use takes. `auth_policy` views tpmt_public: empty, or a digest. The caller frees key. */
struct tpm_public {
    struct digest name;
    struct pubkey *key;
    uint32_t attributes;
    struct span auth_policy;
};
MUST_USE result tpm_public_open(struct span tpmt_public, struct tpm_public *ret);
#endif
