#include "config.h"

#include "policy/rules.h"
#include "policy/terms.h"

enum seb_code rule_sig(const struct facts *f)
{
    if (!f->policy)
        return E_no_policy;
    if (f->signers.code != E_ok)
        return f->signers.code;
    if (!f->certificate)
        return E_invariant;
    return f->signers.distinct < f->policy->signatures[f->certificate->risk] ? E_signatures_too_few : E_ok;
}
