#include "config.h"

#include "policy/rules.h"
#include "policy/fields.h"

enum seb_code rule_rev(const struct facts *f)
{
    if (!f->epoch)
        return E_no_epoch;
    if (!text_equal(f->epoch->domain, f->domain))
        return E_domain_mismatch;
    /* Past its end nobody knows which epoch is active, so there is nothing to compare with. */
    if (f->now_ms / 1000 >= f->epoch->exp)
        return E_epoch_stale;
    return f->certificate->epoch == f->epoch->epoch ? E_ok : E_epoch_mismatch;
}
