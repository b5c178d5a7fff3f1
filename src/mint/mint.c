#include "config.h"

#include "mint/mint.h"

/* The claims of every credential. */
static result put_own(const struct mint_words *w, json_t *claims)
{
    char leaf[DIGEST_TEXT + 1];
    AUTO_BUF iss = BUF(512), sub = BUF(512);
    digest_text(&w->leaf, leaf);
    TRY(buf_printf(&iss, "https://%s/%s", w->domain, w->instance));
    TRY(buf_printf(&sub, "seb:%s:%s", w->instance, leaf));
    TRY(json_put_span(claims, "iss", buf_span(&iss)));
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
