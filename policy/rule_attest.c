#include "config.h"

#include "policy/rules.h"

/* How far the verifier's clock may be ahead (docs/attestation.md, "Attestation result"). */
#define RESULT_AHEAD_S 30

/* Whatever the risk: there is no mutation that an unattested instance may do. */
enum seb_code rule_attest(const struct facts *f)
{
    const struct attested_facts *a = f->attested;
    int64_t now_s = f->now_ms / 1000;
    if (!a)
        return E_attestation_missing;
    if (now_s < a->iat - RESULT_AHEAD_S || now_s >= a->exp)
        return E_attestation_expired;
    if (!a->affirming)
        return E_attestation_failed;
    return a->keys_match ? E_ok : E_attestation_other_keys;
}
