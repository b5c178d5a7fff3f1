/* What an instance answers to a challenge (docs/attestation.md, "Evidence"): a quote over the challenge's nonce and everything that
 * it stands on, as one JSON object in RFC 8785 form. It isn't signed: the quote is. Parsing only; nothing in it is believed before
 * appraise() has proved it. Pure. */
#ifndef SEB_ATTEST_EVIDENCE_H
#define SEB_ATTEST_EVIDENCE_H

#include "attest/challenge.h"
#include "attest/key_proof.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"

#define EVIDENCE_TEXT_MAX 65536
#define EVIDENCE_PART_MAX 1024 /* attest, signature, preimage */

enum evidence_role { EVIDENCE_ATTESTATION, EVIDENCE_RECORD, EVIDENCE_MINT, EVIDENCE_ROLES };
const char *evidence_role_name(enum evidence_role r); /* "attestation" */

struct evidence_key {
    char backend[8]; /* "tpm", "pkcs11" */
    struct buf evidence; /* text: hsm_evidence(), or of a mint key in an HSM its key statement */
    struct digest kid;
};
struct evidence {
    struct digest digest; /* of the whole text; set by evidence_parse */
    bool has_approval, has_firmware, has_ima, has_policy;
    struct digest approval; /* of the approval's payload */
    struct digest cel, firmware; /* of the logs as they are */
    uint64_t ima_length; /* of the IMA log in bytes when the quote was made */
    struct digest policy; /* of the payload of the policy in force */
    struct buf attest, signature, preimage; /* TPMS_ATTEST, ASN.1 DER, docs/attestation.md "Challenge" */
    uint32_t pcr_mask; /* bit n: PCR n is in pcr[] */
    struct digest pcr[TPM_PCRS]; /* SHA-256 bank */
    struct evidence_key key[EVIDENCE_ROLES];
    struct buf note; /* newest signed note, empty where none was ever signed */
    struct merkle_proof proof; /* consistency from the challenge's seen.size to the note's size */
    uint8_t lease_nonce[NONCE_SIZE];
    uint8_t run[RUN_ID_SIZE];
};
/* An empty one to fill and write; evidence_free frees it and the buffers in it. */
MUST_USE result evidence_new(struct evidence **ret);
void evidence_free(struct evidence *e); /* accepts NULL */
void evidence_free_pointer(struct evidence **e);
#define AUTO_EVIDENCE __attribute__((cleanup(evidence_free_pointer))) struct evidence

/* Strict and canonical: errors of base/json, bad_value. The caller frees *ret. */
MUST_USE result evidence_parse(struct span text, struct evidence **ret);
/* The whole, appended. */
MUST_USE result evidence_write(const struct evidence *e, struct buf *out);
/* As the keeper sends it: without `policy` and `proof`, which the core adds (evidence_complete; it then is evidence). */
MUST_USE result evidence_write_part(const struct evidence *e, struct buf *out);
MUST_USE result evidence_complete(
    struct span part, const struct digest *policy /* NULL: none in force */, const struct merkle_proof *proof, struct buf *out);

/* The member "keys", which enrolment has too: read into zeroed keys whose buffers have their maxima, and put. */
MUST_USE result evidence_keys_read(const json_t *o, struct evidence_key key[EVIDENCE_ROLES]);
MUST_USE result evidence_keys_put(json_t *o, const struct evidence_key key[EVIDENCE_ROLES]);

#endif
