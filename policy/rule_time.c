#include "config.h"

#include "policy/rules.h"
#include "policy/terms.h"

/* How far an agent's clock may be ahead (docs/formats.md). An authority's may not: its windows are strict. */
#define REQUEST_AHEAD_S 30

static bool is_fresh(const struct request *q, int64_t now_s, int64_t age_s)
{
    return q->iat <= now_s + REQUEST_AHEAD_S && now_s - q->iat <= age_s;
}

enum seb_code rule_time(const struct facts *f)
{
    const struct certificate *c = f->certificate;
    int64_t now_s = f->now_ms / 1000;
    /* RFC 7519 sections 4.1.4 and 4.1.5: valid from nbf on, and before exp. */
    if (now_s >= c->exp)
        return E_expired;
    if (now_s < c->nbf || now_s < c->iat)
        return E_not_yet_valid;
    /* The log before an unclean start may lack what a copied-back database lost: a certificate used there would serve twice. */
    if (c->iat < f->certificates_from)
        return E_certificate_before_restart;
    /* The keeper, which holds this again at mint time, has no request; where there is one, rule_pop asked for it. */
    if (f->request && !is_fresh(f->request, now_s, f->policy->request_age_s))
        return E_request_stale;
    return E_ok;
}
