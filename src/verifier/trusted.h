/* What an instance is judged by that the policy authority signed: reference values from a file, and the domain's signed policy,
 * which the broker hands over and cannot change. */
#ifndef SEB_VERIFIER_TRUSTED_H
#define SEB_VERIFIER_TRUSTED_H

#include "attest/appraise.h"
#include "attest/reference.h"
#include "policy/documents.h"

/* A file of `sab reference sign`: one signature by the policy key, of this domain. bad_signature, bad_header, domain_mismatch, or
 * what is wrong with its form. */
MUST_USE result reference_load(const char *path, const struct pubkey *policy_key, const char *domain, struct reference *ret);

/* A signed policy that was verified. */
#define COUNTERSIGNERS_MAX 8
struct held_policy {
    struct policy *policy; /* owned; NULL: none is held */
    const struct pubkey *countersigner[COUNTERSIGNERS_MAX];
    struct appraisal_policy terms; /* views the two above */
};
/* From the JWS's text: signed by the policy key, of this domain, and of policy epoch `least` or later (not_newer). It takes the
 * place of what is in *ret, which isn't moved while it holds one; on failure that stays. */
MUST_USE result held_policy_read(
    struct span text, const struct pubkey *policy_key, const char *domain, uint64_t least, struct held_policy *ret);
void held_policy_free(struct held_policy *p); /* accepts zeroed */
const struct appraisal_policy *held_policy_terms(const struct held_policy *p); /* NULL: none is held */

#endif
