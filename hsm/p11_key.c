/* A private key on a token, and the proof that it was made there and can't leave. A token states attributes, it doesn't prove them:
 * so the value is asked for as well, and the public half is proved by a signature. */
#include "config.h"

#include <stdlib.h>

#include "base/random.h"
#include "hsm/p11_internal.h"

struct p11_key {
    struct hsm_key key; /* first */
    struct p11_token *token;
    char *label;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE private;
};

/* PKCS#11 3.0 section 4.9, table of private key attributes; LOCAL is of section 4.7. */
static const struct stated {
    CK_ATTRIBUTE_TYPE type;
    bool want;
    const char *name;
} stated[] = {
    { CKA_SENSITIVE, true, "sensitive" },
    { CKA_EXTRACTABLE, false, "extractable" },
    { CKA_ALWAYS_SENSITIVE, true, "always_sensitive" },
    { CKA_NEVER_EXTRACTABLE, true, "never_extractable" },
    { CKA_LOCAL, true, "local" },
};
#define STATED_N (sizeof stated / sizeof stated[0])

static result stated_as_wanted(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, const struct stated *a)
{
    CK_BBOOL value = 0xff;
    CK_ATTRIBUTE read = { .type = a->type, .pValue = &value, .ulValueLen = sizeof value };
    result r = p11_result(t->module->C_GetAttributeValue(s, o, &read, 1));
    if (p11_session_lost(r))
        return r;
    bool as_wanted = is_ok(r) && read.ulValueLen == sizeof value && value == (a->want ? CK_TRUE : CK_FALSE);
    return as_wanted ? OK : fail(E_key_not_in_hardware);
}

/* tpm2-pkcs11 and others state what they were told: the value itself is asked for, and must be refused for its being sensitive. */
static result value_is_refused(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
    uint8_t value[1024];
    CK_ATTRIBUTE a = { .type = CKA_VALUE, .pValue = value, .ulValueLen = sizeof value };
    CK_RV rv = t->module->C_GetAttributeValue(s, o, &a, 1);
    wipe(value, sizeof value);
    if (p11_session_lost(p11_result(rv)))
        return p11_result(rv);
    return rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ? OK : fail(E_key_not_in_hardware);
}

static result prove_private(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
    for (unsigned i = 0; i < STATED_N; i++)
        TRY(stated_as_wanted(t, s, o, &stated[i]));
    return value_is_refused(t, s, o);
}

/* CKA_EC_POINT is the DER OCTET STRING of an uncompressed point (PKCS#11 3.0 section 6.3.3); older tokens give it bare. */
static result point_read(struct span p, struct pubkey **ret)
{
    static const uint8_t wrapped[] = { 0x04, 0x41, 0x04 };
    struct span head = p.n == 67 ? SPAN(wrapped) : span_part(SPAN(wrapped), 2, 1);
    if (p.n != head.n + 64 || !span_equal(span_part(p, 0, head.n), head))
        return fail(E_bad_key);
    return pubkey_from_point(p.p + head.n, p.p + head.n + 32, ret);
}

static result public_read(struct p11_token *t, CK_SESSION_HANDLE s, const char *label, struct pubkey **ret)
{
    static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    CK_OBJECT_HANDLE o;
    AUTO_BUF curve = BUF(64), point = BUF(128);
    TRY(p11_find(t, s, CKO_PUBLIC_KEY, label, &o));
    TRY(p11_attribute(t, s, o, CKA_EC_PARAMS, &curve));
    if (!span_equal(buf_span(&curve), SPAN(p256)))
        return fail(E_bad_key);
    TRY(p11_attribute(t, s, o, CKA_EC_POINT, &point));
    return point_read(buf_span(&point), ret);
}

static result sign_once(
    struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, struct digest d, uint8_t ret_raw[SIGNATURE_SIZE])
{
    /* CKM_ECDSA signs a digest that was made elsewhere (PKCS#11 3.0 section 6.3.12). */
    CK_MECHANISM ecdsa = { .mechanism = CKM_ECDSA };
    uint8_t raw[SIGNATURE_SIZE];
    CK_ULONG n = sizeof raw;
    TRY(p11_result(t->module->C_SignInit(s, &ecdsa, o)));
    TRY(p11_result(t->module->C_Sign(s, d.b, sizeof d.b, raw, &n)));
    if (n != sizeof raw)
        return fail(E_hsm_refused);
    return span_copy(SPAN(raw), ret_raw, SIGNATURE_SIZE);
}

/* The public object may be anybody's: only what verifies with it says that it is this private key's. */
static result prove_pair(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, const struct pubkey *public)
{
    uint8_t challenge[DIGEST_SIZE], raw[SIGNATURE_SIZE];
    TRY(random_bytes(challenge, sizeof challenge));
    TRY(sign_once(t, s, o, sha256(SPAN(challenge)), raw));
    return is_ok(pubkey_verify(public, SPAN(challenge), SPAN(raw))) ? OK : fail(E_key_mismatch);
}

/* Opens a session of the key's own, finds the key and proves it. */
static result locate(struct p11_key *k, struct pubkey **ret_public)
{
    struct p11_token *t = k->token;
    AUTO_SESSION s = { .token = t, .session = CK_INVALID_HANDLE };
    TRY(p11_session(t, false, &s.session));
    CK_OBJECT_HANDLE private;
    TRY(p11_find(t, s.session, CKO_PRIVATE_KEY, k->label, &private));
    TRY(prove_private(t, s.session, private));
    AUTO_PUBKEY *public = NULL;
    TRY(public_read(t, s.session, k->label, &public));
    TRY(prove_pair(t, s.session, private, public));
    k->session = s.session;
    k->private = private;
    s.session = CK_INVALID_HANDLE;
    *ret_public = public;
    public = NULL;
    return OK;
}

result p11_key(struct p11_token *t, const char *label, struct hsm_key **ret)
{
    struct p11_key *k = calloc(1, sizeof *k);
    if (!k)
        return fail(E_no_memory);
    k->key.kind = HSM_PKCS11;
    k->token = t;
    k->session = CK_INVALID_HANDLE;
    result r = span_dup_text(span_text(label), &k->label);
    if (is_ok(r))
        r = locate(k, &k->key.public);
    if (!is_ok(r)) {
        hsm_close(&k->key);
        return r;
    }
    *ret = &k->key;
    return OK;
}

static void session_drop(struct p11_key *k)
{
    if (k->session != CK_INVALID_HANDLE)
        (void)k->token->module->C_CloseSession(k->session);
    k->session = CK_INVALID_HANDLE;
}

/* The token came back: it must be with the same key, whatever its label says. */
static result reopen(struct p11_key *k)
{
    AUTO_PUBKEY *public = NULL;
    session_drop(k);
    TRY(locate(k, &public));
    if (pubkey_equal(public, k->key.public))
        return OK;
    session_drop(k);
    return fail(E_key_mismatch);
}

void p11_key_close(struct hsm_key *key)
{
    struct p11_key *k = (struct p11_key *)key;
    session_drop(k);
    free(k->label);
    free(k);
}

result p11_key_sign(struct hsm_key *key, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE])
{
    struct p11_key *k = (struct p11_key *)key;
    if (k->session != CK_INVALID_HANDLE) {
        result r = sign_once(k->token, k->session, k->private, *d, ret_raw);
        if (!p11_session_lost(r))
            return r;
    }
    TRY(reopen(k));
    return sign_once(k->token, k->session, k->private, *d, ret_raw);
}

static result attributes_json(json_t *e)
{
    AUTO_JSON *a = json_object();
    if (!a)
        return fail(E_no_memory);
    for (unsigned i = 0; i < STATED_N; i++)
        TRY(json_put_flag(a, stated[i].name, stated[i].want));
    json_t *owned = a;
    a = NULL;
    return json_put_new(e, "attributes", owned);
}

/* A key that is open was read to have just these attributes. */
result p11_key_evidence(struct hsm_key *key, struct buf *out)
{
    const struct p11_key *k = (const struct p11_key *)key;
    struct p11_identity id;
    p11_identity_of(k->token, &id);
    AUTO_JSON *e = json_object();
    AUTO_BUF spki = BUF(512);
    if (!e)
        return fail(E_no_memory);
    TRY(pubkey_spki(k->key.public, &spki));
    TRY(attributes_json(e));
    TRY(json_put_text(e, "label", k->label));
    TRY(json_put_text(e, "manufacturer", id.manufacturer));
    TRY(json_put_text(e, "model", id.model));
    TRY(json_put_text(e, "serial", id.serial));
    TRY(json_put_b64url(e, "spki", buf_span(&spki)));
    return json_canonical(e, out);
}
