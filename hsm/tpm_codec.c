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

result tpm_key_kind(const TPMT_PUBLIC *p, bool restricted)
{
    /* TPM 2.0 Part 2, TPMA_OBJECT. The set is exact: a key that also decrypts, signs X.509 or may be duplicated is none of ours. */
    TPMA_OBJECT want = TPM_KEY_ATTRIBUTES | (restricted ? TPMA_OBJECT_RESTRICTED : 0);
    const TPMS_ECC_PARMS *e = &p->parameters.eccDetail;
    bool fits = p->type == TPM2_ALG_ECC && p->nameAlg == TPM2_ALG_SHA256 && p->objectAttributes == want &&
                p->authPolicy.size == 0 && e->curveID == TPM2_ECC_NIST_P256 && e->scheme.scheme == TPM2_ALG_ECDSA &&
                e->scheme.details.ecdsa.hashAlg == TPM2_ALG_SHA256;
    return fits ? OK : fail(E_key_not_in_hardware);
}
