#include "config.h"

#include "mint/mint.h"

#include <stdlib.h>

#define GROUPS_ROOM 64 /* names of claims that are texts; a target has a dozen */

static bool has_issuer(const struct mint_words *w)
{
    return w->issuer && *w->issuer;
}

/* One issuer for each mint key, where a target has issuers of ours: what it trusts then hangs on the key, and on no claim. RFC 7519
 * section 4.1.5: who reads nbf is told. */
static result put_issuer(const struct mint_words *w, json_t *claims)
{
    char key[DIGEST_TEXT + 1];
    AUTO_BUF iss = BUF(512);
    if (!has_issuer(w))
        TRY(buf_printf(&iss, "https://%s/%s", w->domain, w->instance));
    else {
        TRY(buf_printf(&iss, "%s/%s", w->issuer, digest_text(&w->key, key)));
        TRY(json_put_int(claims, "nbf", w->iat));
    }
    return json_put_span(claims, "iss", buf_span(&iss));
}

/* The claims of every credential. */
static result put_own(const struct mint_words *w, json_t *claims)
{
    char leaf[DIGEST_TEXT + 1];
    AUTO_BUF sub = BUF(512);
    digest_text(&w->leaf, leaf);
    TRY(put_issuer(w, claims));
    TRY(buf_printf(&sub, "seb:%s:%s", w->instance, leaf));
    TRY(json_put_span(claims, "sub", buf_span(&sub)));
    TRY(json_put_text(claims, "aud", w->audience));
    TRY(json_put_int(claims, "iat", w->iat));
    TRY(json_put_int(claims, "exp", w->exp));
    TRY(json_put_text(claims, "jti", leaf));
    TRY(json_put_text(claims, "cid", w->cid));
    TRY(json_put_text(claims, "dom", w->domain));
    TRY(json_put_text(claims, "ins", w->instance));
    return json_put_text(claims, "att", w->attestation);
}

/* The target's own come in beside them. One that would replace a claim of every credential (a longer exp, another audience) is our
 * own mistake: duplicate_member. */
static result put_target(const json_t *target_claims, json_t *claims)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)target_claims, name, value) { /* jansson's iterator takes no const */
        if (json_has(claims, name))
            return fail(E_duplicate_member);
        TRY(json_put_new(claims, name, json_deep_copy(value)));
    }
    return OK;
}

static result add_group(json_t *groups, const char *name, const char *value)
{
    AUTO_BUF text = BUF(CREDENTIAL_TEXT_MAX);
    TRY(buf_printf(&text, "%s=%s", name, value));
    json_t *group = json_stringn((const char *)text.p, text.n);
    return json_array_append_new(groups, group) == 0 ? OK : fail(E_no_memory);
}

struct text_claim {
    const char *name, *value;
};

static int by_name(const void *a, const void *b)
{
    struct span x = span_text(((const struct text_claim *)a)->name), y = span_text(((const struct text_claim *)b)->name);
    for (size_t i = 0; i < x.n && i < y.n; i++)
        if (x.p[i] != y.p[i])
            return x.p[i] < y.p[i] ? -1 : 1;
    return (x.n > y.n) - (x.n < y.n);
}

/* Whoever reads groups alone sees every word: the target's texts, what the credential is of, and each element of a list of fields
 * (docs/formats.md, "Credential"). In the order of their names, then of the list. */
static result list_groups(const struct mint_words *w, json_t *groups)
{
    char leaf[DIGEST_TEXT + 1];
    const char *name;
    json_t *value;
    size_t i;
    struct text_claim text[GROUPS_ROOM] = { { "attestation", w->attestation }, { "cid", w->cid },
        { "decision", digest_text(&w->leaf, leaf) } };
    unsigned n = 3;
    json_object_foreach ((json_t *)(uintptr_t)w->target_claims, name, value) {
        if (!json_is_string(value))
            continue;
        if (n == GROUPS_ROOM)
            return fail(E_too_long);
        text[n++] = (struct text_claim){ name, json_string_value(value) };
    }
    qsort(text, n, sizeof *text, by_name);
    for (unsigned at = 0; at < n; at++)
        TRY(add_group(groups, text[at].name, text[at].value));
    json_array_foreach (json_object_get(w->target_claims, "fields"), i, value)
        TRY(add_group(groups, "field", json_string_value(value)));
    return OK;
}

static result put_groups(const struct mint_words *w, json_t *claims)
{
    AUTO_JSON *groups = json_array();
    if (!w->groups)
        return OK;
    if (!groups || json_array_append_new(groups, json_string("broker")))
        return fail(E_no_memory);
    TRY(list_groups(w, groups));
    return json_has(claims, "groups") ? fail(E_duplicate_member) : json_put_new(claims, "groups", json_incref(groups));
}

result mint_claims(const struct mint_words *w, struct buf *out)
{
    AUTO_JSON *claims = json_object();
    if (!claims)
        return fail(E_no_memory);
    /* RFC 7519 section 4.1.4: a credential that ends before it begins is none. */
    if (w->exp <= w->iat || !json_is_object(w->target_claims))
        return fail(E_bad_value);
    TRY(put_own(w, claims));
    TRY(put_target(w->target_claims, claims));
    TRY(put_groups(w, claims));
    AUTO_BUF text = BUF(CREDENTIAL_TEXT_MAX);
    TRY(json_canonical(claims, &text));
    return buf_put(out, buf_span(&text));
}

result mint_compact(struct span signing_input, struct span signature, struct buf *out)
{
    size_t before = out->n;
    /* RFC 7518 section 3.4: an ES256 signature is r and s, 32 bytes each, never DER. */
    if (signature.n != SIGNATURE_SIZE || !signing_input.n)
        return fail(E_bad_value);
    result r = buf_put(out, signing_input);
    if (is_ok(r))
        r = buf_u8(out, '.');
    if (is_ok(r))
        r = b64url_put(out, signature);
    if (!is_ok(r))
        out->n = before;
    return r;
}
