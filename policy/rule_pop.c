#include "config.h"

#include "policy/rules.h"

enum seb_code rule_pop(const struct facts *f)
{
    if (f->pop != E_ok)
        return f->pop;
    if (!f->request)
        return E_invariant;
    /* Without this, a request that the agent signed for one certificate would serve with each of its others. */
    return digest_equal(&f->request->certificate, &f->certificate->digest) ? E_ok : E_certificate_mismatch;
}
