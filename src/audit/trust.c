#include "config.h"

#include "audit/trust.h"

#define TRUST_MAX (2u << 20) /* a bundle of manufacturers' certificates may be in it */

static const char *const members[] = { "attestation", "audiences", "domain", "ek_roots", "instance", "issuers", "mappings", "mint",
    "origin", "policy", "record", "revocation", "verifiers", NULL };

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

/* An optional object of texts by target. */
static result by_target_read(const json_t *o, const char *name, json_t **to, const char **ret_what)
{
    const json_t *texts;
    const char *target;
    json_t *text;
    *ret_what = name;
    if (!json_has(o, name))
        return OK;
    TRY(json_object_at(o, name, &texts));
    json_object_foreach ((json_t *)(uintptr_t)texts, target, text)
        if (!json_is_string(text))
            return fail(E_bad_type);
    *to = json_deep_copy(texts);
    return *to ? OK : fail(E_no_memory);
}

/* The mappings that a fence has (docs/formats.md, "Trust file"). */
static result mappings_check(const struct trust *t, const char **ret_what)
{
    const char *target;
    json_t *mapping;
    *ret_what = "mappings: extra or groups";
    json_object_foreach (t->mappings, target, mapping) {
        struct span text = span_text(json_string_value(mapping));
        if (!span_is(text, "extra") && !span_is(text, "groups"))
            return fail(E_bad_value);
    }
    return OK;
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
    TRY(by_target_read(o, "audiences", &t->audiences, ret_what));
    TRY(by_target_read(o, "issuers", &t->issuers, ret_what));
    TRY(by_target_read(o, "mappings", &t->mappings, ret_what));
    return mappings_check(t, ret_what);
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
    json_free_pointer(&t->issuers);
    json_free_pointer(&t->mappings);
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

const char *trust_issuer(const struct trust *t, const char *target)
{
    return json_string_value(json_object_get(t->issuers, target));
}

bool trust_maps_groups(const struct trust *t, const char *target)
{
    const char *mapping = json_string_value(json_object_get(t->mappings, target));
    return mapping && span_is(span_text(mapping), "groups");
}
