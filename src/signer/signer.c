#include "config.h"

#include "hsm/pkcs11.h"
#include "hsm/tpm.h"
#include "signer/signer.h"

#include <errno.h>
#include <stdlib.h>

/* sebd.json(5) has the same: one attestation key serves what is on the TPM. */
#define ATTESTATION_HANDLE UINT32_C(0x81000a01)

struct signer {
    struct p11_token *token;
    struct tpm *tpm;
    struct hsm_key *attestation, *key;
    bool beside; /* TPM and attestation key are another signer's */
};

void signer_close(struct signer *s)
{
    if (!s)
        return;
    hsm_close(s->key);
    if (!s->beside) {
        hsm_close(s->attestation);
        tpm_close(s->tpm);
    }
    p11_close(s->token);
    free(s);
}

void signer_close_pointer(struct signer **s)
{
    signer_close(*s);
    *s = NULL;
}

/* A persistent handle of the owner's range (TPM 2.0 Part 2, section 7.5), as 0x81… */
static bool handle_read(const char *text, uint32_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 16);
    if (*end || errno || !span_is(span_part(span_text(text), 0, 2), "0x") || n < 0x81000000 || n > 0x817fffff)
        return false;
    *ret = (uint32_t)n;
    return true;
}

struct handles {
    uint32_t key, attestation;
};

static bool handles_read(const struct signer_place *p, struct handles *ret)
{
    ret->attestation = ATTESTATION_HANDLE;
    return handle_read(p->handle, &ret->key) && (!p->attestation || handle_read(p->attestation, &ret->attestation));
}

const char *signer_place_wrong(const struct signer_place *p, bool make)
{
    struct handles handles;
    bool on_token = p->module && p->token && p->pin_file && p->key, any_token = p->module || p->token || p->pin_file || p->key;
    bool in_tpm = p->tpm && p->handle, any_tpm = p->tpm || p->handle || p->attestation;
    if ((!on_token || any_tpm) && (!in_tpm || any_token))
        return "the key: --module --token --pin-file --key, or --tpm --handle";
    if (in_tpm && !handles_read(p, &handles))
        return "--handle, --attestation: 0x81000000 to 0x817fffff";
    return in_tpm && make && !p->folder ? "--folder: where the keys' blobs are to be kept" : NULL;
}

static result token_open(const struct signer_place *p, struct signer *s)
{
    return p11_open(&(struct p11_args){ .module = p->module, .token = p->token, .pin_file = p->pin_file }, &s->token);
}

static result chip_open(const struct signer_place *p, struct signer *s, struct handles *ret_handles)
{
    int fd;
    enum tpm_transport transport;
    if (!handles_read(p, ret_handles))
        return fail(E_usage);
    TRY(tpm_connect(p->tpm, &fd, &transport));
    return tpm_open(fd, transport, &s->tpm);
}

static result key_open(const struct signer_place *p, struct signer *s)
{
    struct handles handles;
    if (p->tpm) {
        TRY(chip_open(p, s, &handles));
        TRY(tpm_attestation_key(s->tpm, handles.attestation, &s->attestation));
        return tpm_signing_key(s->tpm, handles.key, s->attestation, NULL, &s->key);
    }
    TRY(token_open(p, s));
    return p11_key(s->token, p->key, &s->key);
}

static result signer_new(struct signer **ret)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? OK : fail(E_no_memory);
}

result signer_open(const struct signer_place *p, struct signer **ret)
{
    AUTO_SIGNER *s = NULL;
    if (signer_place_wrong(p, false))
        return fail(E_usage);
    TRY(signer_new(&s));
    TRY(key_open(p, s));
    *ret = s;
    s = NULL;
    return OK;
}

result signer_open_beside(const struct signer_place *p, const struct signer *host, struct signer **ret)
{
    AUTO_SIGNER *s = NULL;
    struct handles handles;
    if (signer_place_wrong(p, false) || !p->tpm || !host->tpm || !handles_read(p, &handles))
        return fail(E_usage);
    TRY(signer_new(&s));
    s->beside = true;
    s->tpm = host->tpm;
    s->attestation = host->attestation;
    TRY(tpm_signing_key(s->tpm, handles.key, s->attestation, NULL, &s->key));
    *ret = s;
    s = NULL;
    return OK;
}

static result chip_provision(const struct signer_place *p, struct signer *s, bool *ret_made)
{
    struct handles handles;
    bool made_attestation;
    AUTO_BUF attestation_pem = BUF(4096), pem = BUF(4096);
    TRY(chip_open(p, s, &handles));
    TRY(buf_printf(&attestation_pem, "%s/attestation.pem", p->folder));
    TRY(buf_printf(&pem, "%s/%s-%08x.pem", p->folder, p->blob, (unsigned)handles.key));
    TRY(buf_u8(&attestation_pem, 0));
    TRY(buf_u8(&pem, 0));
    TRY(tpm_provision(s->tpm, TPM_ATTESTATION, handles.attestation, (const char *)attestation_pem.p, NULL, &made_attestation));
    /* An ordinary signing key like the mint key, which the role says how to make. */
    return tpm_provision(s->tpm, TPM_MINT, handles.key, (const char *)pem.p, NULL, ret_made);
}

result signer_provision(const struct signer_place *p, bool *ret_made)
{
    AUTO_SIGNER *s = NULL;
    if (signer_place_wrong(p, true))
        return fail(E_usage);
    TRY(signer_new(&s));
    if (p->tpm)
        return chip_provision(p, s, ret_made);
    TRY(token_open(p, s));
    return p11_provision(s->token, p->key, ret_made);
}

struct pubkey *signer_public(const struct signer *s)
{
    return hsm_public(s->key);
}

result signer_sign_too(struct signer *s, const char *typ, const struct jws *j, struct buf *ret_text)
{
    struct jws with = *j;
    uint8_t raw[SIGNATURE_SIZE];
    AUTO_BUF header = BUF(JWS_HEADER_MAX), input = BUF(JWS_TEXT_MAX);
    const struct pubkey *key = signer_public(s);
    for (unsigned i = 0; i < j->n; i++)
        if (digest_equal(&j->sig[i].kid, pubkey_thumbprint(key)))
            return fail(E_exists);
    if (j->n >= JWS_SIGNATURES_MAX)
        return fail(E_bad_jws);
    TRY(jws_header(key, typ, &header));
    TRY(jws_signing_input(key, typ, j->payload, &input));
    struct digest d = sha256(buf_span(&input));
    TRY(hsm_sign(s->key, &d, raw));
    with.sig[with.n++] =
        (struct jws_signature){ .kid = *pubkey_thumbprint(key), .protected_ = buf_span(&header), .signature = SPAN(raw) };
    /* A token that signs something else is found here, not by whoever is given the document. */
    TRY(jws_verify(key, typ, j->payload, &with.sig[with.n - 1]));
    return jws_write(&with, ret_text);
}

result signer_sign(struct signer *s, const char *typ, struct span payload, struct buf *ret_text)
{
    const struct jws unsigned_ = { .payload = payload };
    return signer_sign_too(s, typ, &unsigned_, ret_text);
}

result signer_sign_digest(struct signer *s, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE])
{
    return hsm_sign(s->key, d, ret_raw);
}

static result put_text(const struct signer *s, struct span jwk, const bool *made, struct buf *out)
{
    char kid[DIGEST_TEXT + 1];
    if (made)
        TRY(buf_printf(out, "made     %s\n", *made ? "yes" : "no, it was there"));
    TRY(buf_printf(
        out, "kid      %s\nbackend  %s\njwk      ", digest_text(pubkey_thumbprint(signer_public(s)), kid), hsm_backend(s->key)));
    return buf_put(out, jwk);
}

static result put_json(const struct signer *s, json_t *jwk, const bool *made, struct buf *out)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    TRY(json_put_new(o, "jwk", json_incref(jwk)));
    TRY(json_put_text(o, "backend", hsm_backend(s->key)));
    TRY(json_put_digest(o, "kid", pubkey_thumbprint(signer_public(s))));
    if (made)
        TRY(json_put_flag(o, "made", *made));
    return json_canonical(o, out);
}

static result put_pem(const struct signer *s, struct buf *out)
{
    AUTO_BUF pem = BUF(1024);
    TRY(pubkey_pem(signer_public(s), &pem));
    struct span text = buf_span(&pem);
    return buf_put(out, text.n && text.p[text.n - 1] == '\n' ? span_part(text, 0, text.n - 1) : text);
}

result signer_describe(const struct signer *s, enum signer_form form, const bool *made, struct buf *out)
{
    AUTO_JSON *jwk = NULL;
    AUTO_BUF text = BUF(1024);
    TRY(pubkey_jwk(signer_public(s), &jwk));
    TRY(json_canonical(jwk, &text));
    switch (form) {
    case SIGNER_JSON:
        return put_json(s, jwk, made, out);
    case SIGNER_JWK:
        return buf_put(out, buf_span(&text));
    case SIGNER_PEM:
        return put_pem(s, out);
    default:
        return put_text(s, buf_span(&text), made, out);
    }
}
