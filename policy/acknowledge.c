#include "config.h"

#include "policy/fields.h"

#define AHEAD_S 60 /* how far the signer's clock may be ahead */

static const char *const names[] = { [ACKNOWLEDGE_ROLLBACK] = "rollback", [ACKNOWLEDGE_UNCLEAN] = "unclean" };

const char *acknowledged_name(enum acknowledged what)
{
    return what >= ACKNOWLEDGE_ROLLBACK && what <= ACKNOWLEDGE_UNCLEAN ? names[what] : "";
}

static result field_what(const json_t *o, enum acknowledged *ret)
{
    const char *text;
    TRY(json_text(o, "what", NAME_LEN, &text));
    for (enum acknowledged a = ACKNOWLEDGE_ROLLBACK; a <= ACKNOWLEDGE_UNCLEAN; a++)
        if (text_equal(text, names[a])) {
            *ret = a;
            return OK;
        }
    return fail(E_bad_value);
}

result acknowledge_parse(struct span payload, struct acknowledge *ret)
{
    AUTO_JSON *o = NULL;
    struct acknowledge a = { .digest = sha256(payload) };
    int64_t size;
    TRY(json_strict(payload, JWS_PAYLOAD_MAX, &o));
    TRY(json_closed(o, (const char *const[]){ "domain", "iat", "instance", "root", "size", "what", NULL }));
    TRY(field_name(o, "domain", DOMAIN_LEN, a.domain));
    TRY(field_name(o, "instance", NAME_LEN, a.instance));
    TRY(field_time(o, "iat", &a.iat));
    TRY(json_digest_at(o, "root", &a.root));
    TRY(json_int(o, "size", 0, JSON_INT_MAX, &size));
    TRY(field_what(o, &a.what));
    a.size = (uint64_t)size;
    *ret = a;
    return OK;
}

/* An old acknowledgement must not serve whoever copies the same database back once more. */
result acknowledge_check(const struct acknowledge *a, const char *domain, const char *instance, int64_t now_s)
{
    if (!text_equal(a->domain, domain))
        return fail(E_domain_mismatch);
    if (!text_equal(a->instance, instance))
        return fail(E_instance_mismatch);
    return now_s - a->iat > ACKNOWLEDGE_VALID_S || a->iat - now_s > AHEAD_S ? fail(E_acknowledge_stale) : OK;
}
