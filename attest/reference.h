/* Reference values: what an instance's measurements may be, signed by the policy authority (docs/attestation.md, "Reference
 * values"). Parsing only: the signature is verified first. Pure. */
#ifndef SEB_ATTEST_REFERENCE_H
#define SEB_ATTEST_REFERENCE_H

#include "attest/cel.h"
#include "attest/policy_digest.h"
#include "base/jws.h"

#define REFERENCE_VALUES_MAX 16
#define REFERENCE_TEXT_MAX JWS_PAYLOAD_MAX

struct digests {
    unsigned n;
    struct digest v[REFERENCE_VALUES_MAX];
};
struct reference {
    struct digest digest; /* of the payload */
    char domain[129], version[65];
    int64_t iat;
    struct digests executables[CEL_EXECUTABLES]; /* in cel_executable's order; 1 to 16 each */
    struct digests configuration; /* 1 to 16 */
    struct digests pcrs[TPM_PCRS]; /* none: any value */
};
MUST_USE result reference_parse(struct span payload, struct reference *ret);
/* The payload in RFC 8785 form, appended; digest isn't read. */
MUST_USE result reference_write(const struct reference *r, struct buf *out);

/* One measurement that isn't as the reference values want it. */
struct difference {
    char name[CEL_NAME_LEN + 1]; /* as measured; "pcr.N" for a PCR */
    bool missing; /* it wasn't measured at all */
    struct digest measured;
    const struct digests *allowed; /* of the reference; NULL where it knows no such measurement */
};
#define DIFFERENCES_MAX (CEL_NAMES_MAX + CEL_EXECUTABLES + 1 + TPM_PCRS)
struct differences {
    unsigned n;
    struct difference one[DIFFERENCES_MAX];
};
/* Adds what differs in the measured state: each executable and the configuration must be there with an allowed value; key
 * identities and the policy authority are for the caller to compare; any other name is a difference. */
void reference_judge(const struct reference *r, const struct cel_state *s, struct differences *d);
/* Adds the PCRs that the reference gives values for and that have another, or aren't in `mask`. */
void reference_judge_pcrs(const struct reference *r, uint32_t mask, const struct digest pcr[TPM_PCRS], struct differences *d);
/* "name: measured X, allowed Y Z", appended; for people. */
MUST_USE result difference_text(const struct difference *d, struct buf *out);

#endif
