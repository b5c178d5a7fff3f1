#include "config.h"

#include "base/random.h"
#include "hsm/p11_internal.h"

#define ID_SIZE 16

static result generate(struct p11_token *t, CK_SESSION_HANDLE s, struct span label)
{
    static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    uint8_t id[ID_SIZE];
    TRY(random_bytes(id, sizeof id));
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    void *name = (void *)(uintptr_t)label.p, *curve = (void *)(uintptr_t)p256;
    CK_ATTRIBUTE public[] = {
        { .type = CKA_TOKEN, .pValue = &yes, .ulValueLen = sizeof yes },
        { .type = CKA_VERIFY, .pValue = &yes, .ulValueLen = sizeof yes },
        { .type = CKA_EC_PARAMS, .pValue = curve, .ulValueLen = sizeof p256 },
        { .type = CKA_LABEL, .pValue = name, .ulValueLen = label.n },
        { .type = CKA_ID, .pValue = id, .ulValueLen = sizeof id },
    };
    CK_ATTRIBUTE private[] = {
        { .type = CKA_TOKEN, .pValue = &yes, .ulValueLen = sizeof yes },
        { .type = CKA_PRIVATE, .pValue = &yes, .ulValueLen = sizeof yes },
        { .type = CKA_SIGN, .pValue = &yes, .ulValueLen = sizeof yes },
        { .type = CKA_SENSITIVE, .pValue = &yes, .ulValueLen = sizeof yes },
        { .type = CKA_EXTRACTABLE, .pValue = &no, .ulValueLen = sizeof no },
        { .type = CKA_LABEL, .pValue = name, .ulValueLen = label.n },
        { .type = CKA_ID, .pValue = id, .ulValueLen = sizeof id },
    };
    CK_MECHANISM make = { .mechanism = CKM_EC_KEY_PAIR_GEN };
    CK_OBJECT_HANDLE made_public, made_private;
    return p11_result(t->module->C_GenerateKeyPair(s, &make, public, sizeof public / sizeof public[0], private,
        sizeof private / sizeof private[0], &made_public, &made_private));
}

/* A public or private half of that label is somebody's key: it is left alone, and p11_key says whether it serves. */
result p11_provision(struct p11_token *t, const char *label, bool *ret_made)
{
    struct span name = span_text(label);
    if (name.n == 0 || name.n > LABEL_MAX)
        return fail(E_bad_value);
    AUTO_SESSION s = { .token = t, .session = CK_INVALID_HANDLE };
    TRY(p11_session(t, true, &s.session));
    CK_OBJECT_HANDLE there;
    result private = p11_find(t, s.session, CKO_PRIVATE_KEY, label, &there);
    if (is_ok(private)) {
        *ret_made = false;
        return OK;
    }
    if (code_of(private) != E_key_missing)
        return private;
    result public = p11_find(t, s.session, CKO_PUBLIC_KEY, label, &there);
    if (is_ok(public))
        return fail(E_exists);
    if (code_of(public) != E_key_missing)
        return public;
    TRY(generate(t, s.session, name));
    *ret_made = true;
    return OK;
}
