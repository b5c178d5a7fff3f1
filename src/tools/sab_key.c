#include "config.h"

#include "tools/sab_signer.h"

static result print_text(const struct sab_signer *s, const bool *made)
{
    char kid[DIGEST_TEXT + 1];
    AUTO_JSON *jwk = NULL;
    AUTO_BUF text = BUF(4096), jwk_text = BUF(1024);
    TRY(pubkey_jwk(sab_signer_public(s), &jwk));
    TRY(json_canonical(jwk, &jwk_text));
    if (made)
        TRY(buf_printf(&text, "made     %s\n", *made ? "yes" : "no, it was there"));
    TRY(buf_printf(&text, "kid      %s\nbackend  %s\njwk      ", digest_text(pubkey_thumbprint(sab_signer_public(s)), kid),
        sab_signer_backend(s)));
    TRY(buf_put(&text, buf_span(&jwk_text)));
    return sab_print(buf_span(&text));
}

static result print_json(const struct sab_signer *s, const bool *made)
{
    AUTO_JSON *o = json_object(), *jwk = NULL;
    if (!o)
        return fail(E_no_memory);
    TRY(pubkey_jwk(sab_signer_public(s), &jwk));
    TRY(json_put_new(o, "jwk", json_incref(jwk)));
    TRY(json_put_text(o, "backend", sab_signer_backend(s)));
    TRY(json_put_digest(o, "kid", pubkey_thumbprint(sab_signer_public(s))));
    if (made)
        TRY(json_put_flag(o, "made", *made));
    return sab_print_json(o);
}

static result print_jwk(const struct sab_signer *s)
{
    AUTO_JSON *jwk = NULL;
    TRY(pubkey_jwk(sab_signer_public(s), &jwk));
    return sab_print_json(jwk);
}

static result print_pem(const struct sab_signer *s)
{
    AUTO_BUF pem = BUF(1024);
    TRY(pubkey_pem(sab_signer_public(s), &pem));
    struct span text = buf_span(&pem);
    return sab_print(text.n && text.p[text.n - 1] == '\n' ? span_part(text, 0, text.n - 1) : text);
}

static result print(struct sab_args *a, const struct sab_signer *s, const bool *made)
{
    if (a->value[OPT_JWK])
        return print_jwk(s);
    if (a->value[OPT_PEM])
        return print_pem(s);
    return a->value[OPT_JSON] ? print_json(s, made) : print_text(s, made);
}

result sab_key_show(struct sab_args *a)
{
    AUTO_SIGNER *s = NULL;
    TRY(sab_signer_open(a, &s));
    return print(a, s, NULL);
}

result sab_key_new(struct sab_args *a)
{
    AUTO_SIGNER *s = NULL;
    bool made = false;
    TRY(sab_signer_provision(a, &made));
    TRY(sab_signer_open(a, &s));
    return print(a, s, &made);
}
