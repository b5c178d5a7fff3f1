/* The policy authority's approval of one state of one TPM (docs/attestation.md, "Approval"): a JWS that says what is approved, and
 * the raw signature that the TPM itself verifies. Pure. */
#ifndef SEB_ATTEST_APPROVAL_H
#define SEB_ATTEST_APPROVAL_H

#include "attest/cel.h"
#include "attest/policy_digest.h"
#include "base/jws.h"

#define APPROVAL_TEXT_MAX JWS_TEXT_MAX

struct approval {
    struct digest digest; /* of the payload */
    char domain[129], instance[65];
    int64_t iat, epoch; /* revocation epoch */
    struct digest ak; /* thumbprint of the attestation key */
    uint64_t counter;
    uint8_t counter_name[TPM_NAME_SIZE];
    struct pubkey *lease; /* owned */
    struct cel_state measured;
    unsigned pcr;
    struct digest pcr_value, ref;
    struct digest policy; /* of a plan: as computed from the rest */
};
void approval_free(struct approval *a); /* what it owns; accepts zeroed */

/* A plan: the payload without `policy`, as `sebctl approve --plan` prints it. Writing it: RFC 8785 form, appended; digest and
 * policy aren't read. */
MUST_USE result approval_plan_parse(struct span text, struct approval *ret);
MUST_USE result approval_plan_write(const struct approval *a, struct buf *out);
/* The payload: with `policy`, computed from the rest. Parsing it: approval_invalid where `policy` isn't what the rest gives. */
MUST_USE result approval_payload(const struct approval *a, struct buf *out);
MUST_USE result approval_parse(struct span payload, struct approval *ret);

/* An approval file, taken apart. */
struct approval_file {
    struct buf arena; /* what the spans of jws view */
    struct jws jws;
    uint8_t signature[SIGNATURE_SIZE]; /* by the policy key over approval_hash(policy, ref) */
    struct approval approval;
};
void approval_file_free(struct approval_file *f); /* accepts zeroed */
#define AUTO_APPROVAL_FILE __attribute__((cleanup(approval_file_free))) struct approval_file
/* Verifies that the policy key signed the JWS and, raw, the approved policy, before anything in it is read; and that `policy` is
 * what the rest gives. approval_invalid, or what is wrong with its form. *ret is the caller's to free. */
MUST_USE result approval_open(struct span file_text, const struct pubkey *policy_key, struct approval_file *ret);
/* As the log keeps it, the JWS alone: the raw signature was for the chip, which took it then. For who judges afterwards. */
MUST_USE result approval_open_stored(struct span jws_text, const struct pubkey *policy_key, struct approval_file *ret);
/* The first without the policy key: takes apart and holds `policy` to the rest, but no signature is verified. For who looks at an
 * approval before it is good. */
MUST_USE result approval_file_parse(struct span file_text, struct approval_file *ret);
/* The file's text in RFC 8785 form, appended. */
MUST_USE result approval_write(const struct jws *j, const uint8_t signature[SIGNATURE_SIZE], struct buf *out);
/* How many of the n keys signed the JWS beside the policy key (which doesn't count among them), each counted once. approval_invalid
 * where a signature that names one of them doesn't verify. */
MUST_USE result approval_countersigned(const struct approval_file *f, const struct pubkey *policy_key,
    const struct pubkey *const *keys, unsigned n, unsigned *ret_distinct);

#endif
