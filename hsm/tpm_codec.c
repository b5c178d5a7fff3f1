#include "config.h"

#include <tss2/tss2_mu.h>

#include "hsm/tpm_internal.h"

static struct span parameter(const TPM2B_ECC_PARAMETER *p)
{
    return (struct span){ p->buffer, p->size };
}

result tpm_public_of(const TPMT_PUBLIC *p, struct pubkey **ret)
{
    /* x and y are integers of up to 32 bytes, as r and s are. */
    uint8_t point[SIGNATURE_SIZE];
    if (p->type != TPM2_ALG_ECC || p->parameters.eccDetail.curveID != TPM2_ECC_NIST_P256)
        return fail(E_bad_key);
    if (!is_ok(raw_signature(parameter(&p->unique.ecc.x), parameter(&p->unique.ecc.y), point)))
        return fail(E_bad_key);
    return pubkey_from_point(point, point + SIGNATURE_SIZE / 2, ret);
}

result tpm_public_bytes(const TPMT_PUBLIC *p, struct buf *out)
{
    uint8_t bytes[sizeof(TPMT_PUBLIC)];
    size_t n = 0;
    TRY(tpm_result(Tss2_MU_TPMT_PUBLIC_Marshal(p, bytes, sizeof bytes, &n)));
    return buf_put(out, (struct span){ bytes, n });
}

result tpm_signature_of(const TPMT_SIGNATURE *s, uint8_t ret_raw[SIGNATURE_SIZE])
{
    if (s->sigAlg != TPM2_ALG_ECDSA || s->signature.ecdsa.hash != TPM2_ALG_SHA256)
        return fail(E_bad_signature);
    return raw_signature(parameter(&s->signature.ecdsa.signatureR), parameter(&s->signature.ecdsa.signatureS), ret_raw);
}

result tpm_signature_der(const TPMT_SIGNATURE *s, struct buf *out)
{
    uint8_t raw[SIGNATURE_SIZE];
    TRY(tpm_signature_of(s, raw));
    return ecdsa_to_der(SPAN(raw), out);
}

#define KEY_ATTRIBUTES \
    (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_NODA)

TPMA_OBJECT tpm_kind_attributes(const struct tpm_kind *kind)
{
    return KEY_ATTRIBUTES | (kind->restricted ? TPMA_OBJECT_RESTRICTED : 0) | (kind->policy ? 0 : TPMA_OBJECT_USERWITHAUTH);
}

/* TPM 2.0 Part 2, TPMA_OBJECT. The set is exact: a key that also decrypts, signs X.509 or may be duplicated is none of ours.
 * Without userWithAuth, and with adminWithPolicy clear, the policy alone serves for signing, and the empty authorization for being
 * certified (Part 1, section 19.2). */
static bool is_kind(const TPMT_PUBLIC *p, const struct tpm_kind *kind)
{
    const TPMS_ECC_PARMS *e = &p->parameters.eccDetail;
    struct span policy = { p->authPolicy.buffer, p->authPolicy.size };
    return p->type == TPM2_ALG_ECC && p->nameAlg == TPM2_ALG_SHA256 && p->objectAttributes == tpm_kind_attributes(kind) &&
           span_equal(policy, kind->policy ? digest_span(kind->policy) : span_text("")) && e->curveID == TPM2_ECC_NIST_P256 &&
           e->scheme.scheme == TPM2_ALG_ECDSA && e->scheme.details.ecdsa.hashAlg == TPM2_ALG_SHA256;
}

static bool is_of_other_policy(const TPMT_PUBLIC *p, const struct tpm_kind *kind)
{
    struct digest policy;
    const struct tpm_kind other = { .restricted = kind->restricted, .policy = &policy };
    return is_ok(span_copy((struct span){ p->authPolicy.buffer, p->authPolicy.size }, policy.b, DIGEST_SIZE)) && is_kind(p, &other);
}

result tpm_key_kind(const TPMT_PUBLIC *p, const struct tpm_kind *kind)
{
    const struct tpm_kind unbound = { .restricted = kind->restricted };
    if (is_kind(p, kind))
        return OK;
    if (kind->policy && is_kind(p, &unbound))
        return fail(E_key_without_policy);
    return kind->policy && is_of_other_policy(p, kind) ? fail(E_key_other_policy) : fail(E_key_not_in_hardware);
}
