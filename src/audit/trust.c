#include "config.h"

#include "audit/trust.h"

#define TRUST_MAX 65536

static const char *const members[] = { "attestation", "audiences", "domain", "instance", "mint", "origin", "policy", "record",
    "revocation", NULL };

static result key_read(const json_t *o, const char *name, bool p256, struct pubkey **ret, const char **ret_what)
{
    const json_t *jwk;
    *ret_what = name;
    TRY(json_object_at(o, name, &jwk));
    TRY(pubkey_from_jwk(jwk, ret));
    return p256 && pubkey_alg(*ret) != ALG_ES256 ? fail(E_bad_key) : OK;
}

static result text_read(const json_t *o, const char *name, char to[TRUST_NAME_MAX + 1], const char **ret_what)
{
    const char *text;
    *ret_what = name;
    TRY(json_text(o, name, TRUST_NAME_MAX, &text));
    return span_copy_text(span_text(text), to, TRUST_NAME_MAX + 1);
}

static result mint_read(const json_t *o, struct trust *t, const char **ret_what)
{
    const json_t *keys, *jwk;
    size_t i;
    *ret_what = "mint";
    TRY(json_array_at(o, "mint", 1, TRUST_MINT_KEYS, &keys));
    json_array_foreach (keys, i, jwk) {
        AUTO_PUBKEY *key = NULL;
        TRY(pubkey_from_jwk(jwk, &key));
        t->mint[t->mint_n++] = *pubkey_thumbprint(key);
    }
    return OK;
}

static result audiences_read(const json_t *o, struct trust *t, const char **ret_what)
{
    const json_t *audiences;
    const char *target;
    json_t *audience;
    *ret_what = "audiences";
    if (!json_has(o, "audiences"))
        return OK;
    TRY(json_object_at(o, "audiences", &audiences));
    json_object_foreach ((json_t *)(uintptr_t)audiences, target, audience)
        if (!json_is_string(audience))
            return fail(E_bad_type);
    t->audiences = json_deep_copy(audiences);
    return t->audiences ? OK : fail(E_no_memory);
}

static result origin_check(const struct trust *t, const char **ret_what)
{
    AUTO_BUF origin = BUF(2 * TRUST_NAME_MAX + 1);
    *ret_what = "origin: <domain>/<instance>";
    TRY(buf_printf(&origin, "%s/%s", t->domain, t->instance));
    return span_is(buf_span(&origin), t->origin) ? OK : fail(E_bad_value);
}

static result members_read(const json_t *o, struct trust *t, const char **ret_what)
{
    *ret_what = "members (docs/formats.md, \"Trust file\")";
    TRY(json_closed(o, members));
    TRY(text_read(o, "domain", t->domain, ret_what));
    TRY(text_read(o, "instance", t->instance, ret_what));
    TRY(text_read(o, "origin", t->origin, ret_what));
    TRY(origin_check(t, ret_what));
    TRY(key_read(o, "record", true, &t->record, ret_what));
    TRY(key_read(o, "attestation", true, &t->attestation, ret_what));
    TRY(key_read(o, "policy", false, &t->policy, ret_what));
    TRY(key_read(o, "revocation", false, &t->revocation, ret_what));
    TRY(mint_read(o, t, ret_what));
    return audiences_read(o, t, ret_what);
}

result trust_load(const char *path, struct trust *ret, const char **ret_what)
{
    AUTO_BUF text = BUF(TRUST_MAX);
    AUTO_JSON *o = NULL;
    struct trust t = { 0 };
    *ret_what = "it can't be read";
    TRY(file_read(path, TRUST_MAX, &text));
    *ret_what = "it is no JSON object";
    TRY(json_strict(buf_span(&text), TRUST_MAX, &o));
    result r = members_read(o, &t, ret_what);
    if (is_ok(r))
        *ret = t;
    else
        trust_free(&t);
    return r;
}

void trust_free(struct trust *t)
{
    pubkey_free(t->record);
    pubkey_free(t->attestation);
    pubkey_free(t->policy);
    pubkey_free(t->revocation);
    json_free_pointer(&t->audiences);
    *t = (struct trust){ 0 };
}

bool trust_mints(const struct trust *t, const struct digest *kid)
{
    for (unsigned i = 0; i < t->mint_n; i++)
        if (digest_equal(&t->mint[i], kid))
            return true;
    return false;
}

const char *trust_audience(const struct trust *t, const char *target)
{
    return json_string_value(json_object_get(t->audiences, target));
}
