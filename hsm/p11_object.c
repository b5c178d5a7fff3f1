#include "config.h"

#include "hsm/p11_internal.h"

#define ATTRIBUTE_MAX 512

static CK_ATTRIBUTE text_attribute(CK_ATTRIBUTE_TYPE type, const char *text)
{
    struct span s = span_text(text);
    return (CK_ATTRIBUTE){ .type = type, .pValue = (void *)(uintptr_t)s.p, .ulValueLen = s.n };
}

result p11_find(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret)
{
    CK_ATTRIBUTE template[] = {
        { .type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof class },
        text_attribute(CKA_LABEL, label),
    };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 0;
    TRY(p11_result(t->module->C_FindObjectsInit(s, template, 2)));
    CK_RV rv = t->module->C_FindObjects(s, found, 2, &n);
    CK_RV end = t->module->C_FindObjectsFinal(s);
    TRY(p11_result(rv));
    TRY(p11_result(end));
    if (n == 0)
        return fail(E_key_missing);
    if (n > 1)
        return fail(E_key_mismatch);
    *ret = found[0];
    return OK;
}

result p11_attribute(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, struct buf *out)
{
    uint8_t value[ATTRIBUTE_MAX];
    CK_ATTRIBUTE a = { .type = type, .pValue = value, .ulValueLen = sizeof value };
    TRY(p11_result(t->module->C_GetAttributeValue(s, o, &a, 1)));
    if (a.ulValueLen > sizeof value)
        return fail(E_hsm_refused);
    return buf_put(out, (struct span){ value, a.ulValueLen });
}
