#include "config.h"

#include "policy/rules.h"
#include "policy/terms.h"

/* A policy may do without attestation, but not for what is risky. */
#define UNATTESTED_RISK_MAX RISK_L1

enum seb_code rule_attest(const struct facts *f)
{
    bool wanted = f->policy->attestation_required || f->certificate->risk > UNATTESTED_RISK_MAX;
    return wanted && !f->attested ? E_attestation_missing : E_ok;
}
