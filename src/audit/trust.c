#include "config.h"

#include "audit/trust.h"

#define TRUST_MAX (2u << 20) /* a bundle of manufacturers' certificates may be in it */

static const char *const members[] = { "attestation", "audiences", "domain", "ek_roots", "instance", "mint", "origin", "policy",
    "record", "revocation", "verifiers", NULL };

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

/* Thumbprints of an optional array of keys. */
static result thumbprints_read(
    const json_t *o, const char *name, struct digest *to, unsigned room, unsigned *ret_n, const char **ret_what)
{
    const json_t *keys, *jwk;
    size_t i;
    *ret_what = name;
    if (!json_has(o, name))
        return OK;
    TRY(json_array_at(o, name, 0, room, &keys));
    json_array_foreach (keys, i, jwk) {
        AUTO_PUBKEY *key = NULL;
        TRY(pubkey_from_jwk(jwk, &key));
        to[(*ret_n)++] = *pubkey_thumbprint(key);
    }
    return OK;
}

result trust_roots(struct trust *t, struct span pem)
{
    struct ek_roots *roots = NULL;
    TRY(ek_roots_read(pem, &roots));
    ek_roots_free(t->ek_roots);
    t->ek_roots = roots;
    return OK;
}

static result roots_read(const json_t *o, struct trust *t, const char **ret_what)
{
    const char *pem;
    *ret_what = "ek_roots";
    if (!json_has(o, "ek_roots"))
        return OK;
    TRY(json_text(o, "ek_roots", EK_ROOTS_MAX, &pem));
    return trust_roots(t, span_text(pem));
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
    TRY(key_read(o, "policy", true, &t->policy, ret_what));
    TRY(key_read(o, "revocation", false, &t->revocation, ret_what));
    TRY(thumbprints_read(o, "mint", t->mint, TRUST_MINT_KEYS, &t->mint_n, ret_what));
    TRY(thumbprints_read(o, "verifiers", t->verifier, TRUST_VERIFIERS, &t->verifiers_n, ret_what));
    TRY(roots_read(o, t, ret_what));
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
    ek_roots_free(t->ek_roots);
    json_free_pointer(&t->audiences);
    *t = (struct trust){ 0 };
}

static bool is_among(const struct digest *list, unsigned n, const struct digest *kid)
{
    for (unsigned i = 0; i < n; i++)
        if (digest_equal(&list[i], kid))
            return true;
    return false;
}

bool trust_mints(const struct trust *t, const struct digest *kid)
{
    return is_among(t->mint, t->mint_n, kid);
}

bool trust_verifies(const struct trust *t, const struct digest *kid)
{
    return t->verifiers_n == 0 || is_among(t->verifier, t->verifiers_n, kid);
}

const char *trust_audience(const struct trust *t, const char *target)
{
    return json_string_value(json_object_get(t->audiences, target));
}
