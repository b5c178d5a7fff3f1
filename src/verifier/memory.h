/* What the verifier remembers of an instance between appraisals, in the state's `known`. */
#ifndef SEB_VERIFIER_MEMORY_H
#define SEB_VERIFIER_MEMORY_H

#include "attest/appraise.h"
#include "verifier/state.h"

struct memory {
    struct digest ak; /* whose clock and counts they are */
    uint64_t policy_epoch; /* of the newest signed policy that was held: older ones aren't taken any more */
    struct appraisal_known known;
};
/* Of this instance under this attestation key. What belongs to a TPM is forgotten under another; the log is the instance's, and
 * stays. */
MUST_USE result memory_read(struct state *s, const char *name, const struct digest *ak, struct memory *ret);
MUST_USE result memory_write(struct state *s, const char *name, const struct memory *m);

#endif
