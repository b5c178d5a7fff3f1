#include "config.h"

#include "hsm/tss2_pem.h"

#include <openssl/asn1t.h>
#include <openssl/pem.h>
#include <tss2/tss2_mu.h>

#define PEM_LABEL "TSS2 PRIVATE KEY"
#define LOADABLE_KEY "2.23.133.10.1.3" /* TCG OID, id-loadablekey */
#define DER_MAX 4096

/* TPMKey of the draft. `policy` and `secret` are left out: a key that has them is refused as unknown. */
typedef struct {
    ASN1_OBJECT *type;
    ASN1_BOOLEAN empty_auth;
    ASN1_INTEGER *parent;
    ASN1_OCTET_STRING *public;
    ASN1_OCTET_STRING *private;
} TPM_KEY_ASN1;

DECLARE_ASN1_FUNCTIONS(TPM_KEY_ASN1)

ASN1_SEQUENCE(TPM_KEY_ASN1) = {
    ASN1_SIMPLE(TPM_KEY_ASN1, type, ASN1_OBJECT),
    ASN1_EXP_OPT(TPM_KEY_ASN1, empty_auth, ASN1_BOOLEAN, 0),
    ASN1_SIMPLE(TPM_KEY_ASN1, parent, ASN1_INTEGER),
    ASN1_SIMPLE(TPM_KEY_ASN1, public, ASN1_OCTET_STRING),
    ASN1_SIMPLE(TPM_KEY_ASN1, private, ASN1_OCTET_STRING),
} ASN1_SEQUENCE_END(TPM_KEY_ASN1)

IMPLEMENT_ASN1_FUNCTIONS(TPM_KEY_ASN1)

static void asn1_drop(TPM_KEY_ASN1 **k)
{
    TPM_KEY_ASN1_free(*k);
}
static void object_drop(ASN1_OBJECT **o)
{
    ASN1_OBJECT_free(*o);
}
static void bio_drop(BIO **b)
{
    BIO_free(*b);
}
static void openssl_drop(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    OPENSSL_free(*p);
}
#define AUTO_ASN1 __attribute__((cleanup(asn1_drop))) TPM_KEY_ASN1
#define AUTO_OBJECT __attribute__((cleanup(object_drop))) ASN1_OBJECT
#define AUTO_BIO __attribute__((cleanup(bio_drop))) BIO
#define AUTO_OPENSSL __attribute__((cleanup(openssl_drop)))

static result fill(const struct tss2_key *k, TPM_KEY_ASN1 *ret)
{
    uint8_t public[sizeof k->public], private[sizeof k->private];
    size_t public_n = 0, private_n = 0;
    if (Tss2_MU_TPM2B_PUBLIC_Marshal(&k->public, public, sizeof public, &public_n) != TSS2_RC_SUCCESS ||
        Tss2_MU_TPM2B_PRIVATE_Marshal(&k->private, private, sizeof private, &private_n) != TSS2_RC_SUCCESS)
        return fail(E_bad_key);
    ASN1_OBJECT_free(ret->type);
    ret->type = OBJ_txt2obj(LOADABLE_KEY, 1);
    ret->empty_auth = 0xff; /* DER's TRUE */
    bool filled = ret->type && ASN1_INTEGER_set_uint64(ret->parent, k->parent) &&
                  ASN1_OCTET_STRING_set(ret->public, public, (int)public_n) &&
                  ASN1_OCTET_STRING_set(ret->private, private, (int)private_n);
    return filled ? OK : fail(E_no_memory);
}

result tss2_pem_write(const struct tss2_key *k, struct buf *out)
{
    AUTO_ASN1 *a = TPM_KEY_ASN1_new();
    AUTO_BIO *text = BIO_new(BIO_s_mem());
    if (!a || !text)
        return fail(E_no_memory);
    TRY(fill(k, a));
    AUTO_OPENSSL unsigned char *der = NULL;
    int n = i2d_TPM_KEY_ASN1(a, &der);
    if (n <= 0 || PEM_write_bio(text, PEM_LABEL, "", der, n) <= 0)
        return fail(E_crypto);
    char *p;
    long text_n = BIO_get_mem_data(text, &p);
    return text_n > 0 ? buf_put(out, (struct span){ (const uint8_t *)p, (size_t)text_n }) : fail(E_crypto);
}

static result extract(const TPM_KEY_ASN1 *a, struct tss2_key *ret)
{
    AUTO_OBJECT *loadable = OBJ_txt2obj(LOADABLE_KEY, 1);
    if (!loadable)
        return fail(E_no_memory);
    uint64_t parent;
    if (OBJ_cmp(a->type, loadable) != 0 || a->empty_auth <= 0 || !ASN1_INTEGER_get_uint64(&parent, a->parent) ||
        parent > UINT32_MAX)
        return fail(E_bad_key);
    struct span public = { ASN1_STRING_get0_data(a->public), (size_t)ASN1_STRING_length(a->public) };
    struct span private = { ASN1_STRING_get0_data(a->private), (size_t)ASN1_STRING_length(a->private) };
    struct tss2_key k = { .parent = (uint32_t)parent };
    size_t public_at = 0, private_at = 0;
    if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(public.p, public.n, &public_at, &k.public) != TSS2_RC_SUCCESS || public_at != public.n ||
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(private.p, private.n, &private_at, &k.private) != TSS2_RC_SUCCESS ||
        private_at != private.n)
        return fail(E_bad_key);
    *ret = k;
    return OK;
}

result tss2_pem_read(struct span pem, struct tss2_key *ret)
{
    if (pem.n == 0 || pem.n > TSS2_PEM_MAX)
        return fail(E_bad_key);
    AUTO_BIO *text = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!text)
        return fail(E_no_memory);
    AUTO_OPENSSL char *label = NULL, *headers = NULL;
    AUTO_OPENSSL unsigned char *der = NULL;
    long n;
    if (PEM_read_bio(text, &label, &headers, &der, &n) != 1 || !span_is(span_text(label), PEM_LABEL) || n <= 0 || n > DER_MAX)
        return fail(E_bad_key);
    const unsigned char *p = der;
    AUTO_ASN1 *a = d2i_TPM_KEY_ASN1(NULL, &p, n);
    if (!a || p != der + n)
        return fail(E_bad_key);
    return extract(a, ret);
}
