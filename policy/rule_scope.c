#include "config.h"

#include "policy/rules.h"

enum seb_code rule_scope(const struct facts *f)
{
    if (!f->target)
        return E_target_unknown;
    if (f->target->scope != E_ok)
        return f->target->scope;
    bool short_ = f->certificate->contract.credential_s < f->target->least_s || policy_credential_s(f->policy) < f->target->least_s;
    return short_ ? E_credential_too_short : E_ok;
}
