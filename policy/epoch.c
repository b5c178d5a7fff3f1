#include "config.h"

#include "policy/fields.h"

result epoch_parse(struct span payload, struct epoch_statement *ret)
{
    struct epoch_statement e = { .digest = sha256(payload) };
    AUTO_JSON *v = NULL;
    TRY(json_strict(payload, JWS_PAYLOAD_MAX, &v));
    TRY(json_closed(v, (const char *const[]){ "domain", "epoch", "exp", "iat", NULL }));
    TRY(field_name(v, "domain", DOMAIN_LEN, e.domain));
    TRY(json_int(v, "epoch", 0, JSON_INT_MAX, &e.epoch));
    TRY(field_time(v, "iat", &e.iat));
    TRY(field_time(v, "exp", &e.exp));
    if (e.exp <= e.iat)
        return fail(E_bad_value);
    *ret = e;
    return OK;
}

result epoch_follows(const struct epoch_statement *last, const struct epoch_statement *next, const char *domain)
{
    if (!text_equal(next->domain, domain))
        return fail(E_domain_mismatch);
    if (!last || next->epoch > last->epoch || (next->epoch == last->epoch && next->iat > last->iat))
        return OK;
    return fail(E_not_newer);
}
