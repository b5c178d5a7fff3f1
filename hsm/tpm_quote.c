#include "config.h"

#include "hsm/tpm_internal.h"

#define ATTEST_MAX 1024

result tpm_quote(struct hsm_key *attestation, uint32_t pcr_mask, const struct digest *qualifying, struct tpm_quote *ret)
{
    const struct tpm_key *ak = (const struct tpm_key *)attestation;
    if (attestation->kind != HSM_TPM)
        return fail(E_unsupported);
    if (pcr_mask >> 24)
        return fail(E_bad_value);
    TPML_PCR_SELECTION pcrs;
    tpm_pcr_select(pcr_mask, &pcrs);
    TPM2B_DATA data = { .size = DIGEST_SIZE };
    TRY(span_copy(digest_span(qualifying), data.buffer, DIGEST_SIZE));
    const TPMT_SIG_SCHEME own_scheme = { .scheme = TPM2_ALG_NULL };
    AUTO_ESYS TPM2B_ATTEST *attest = NULL;
    AUTO_ESYS TPMT_SIGNATURE *signature = NULL;
    TRY(tpm_result(Esys_Quote(
        ak->tpm->esys, ak->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data, &own_scheme, &pcrs, &attest, &signature)));
    AUTO_BUF bytes = BUF(ATTEST_MAX), der = BUF(ATTEST_MAX);
    TRY(buf_put(&bytes, (struct span){ attest->attestationData, attest->size }));
    TRY(tpm_signature_der(signature, &der));
    *ret = (struct tpm_quote){ .attest = bytes, .signature = der };
    bytes = der = BUF(0);
    return OK;
}

void tpm_quote_free(struct tpm_quote *q)
{
    buf_free(&q->attest);
    buf_free(&q->signature);
}
