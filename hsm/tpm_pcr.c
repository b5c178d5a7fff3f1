#include "config.h"

#include "hsm/tpm_internal.h"

#define TRIES 8

void tpm_pcr_select(uint32_t mask, TPML_PCR_SELECTION *ret)
{
    *ret = (TPML_PCR_SELECTION){ .count = 1 };
    TPMS_PCR_SELECTION *s = &ret->pcrSelections[0];
    s->hash = TPM2_ALG_SHA256;
    s->sizeofSelect = 3;
    for (unsigned i = 0; i < s->sizeofSelect; i++)
        s->pcrSelect[i] = (uint8_t)(mask >> (8 * i));
}

/* The PCRs that the chip says it read, and which of them were asked for. */
static uint32_t selected(const TPML_PCR_SELECTION *s)
{
    uint32_t mask = 0;
    if (s->count != 1 || s->pcrSelections[0].hash != TPM2_ALG_SHA256 || s->pcrSelections[0].sizeofSelect > 3)
        return 0;
    for (unsigned i = 0; i < s->pcrSelections[0].sizeofSelect; i++)
        mask |= (uint32_t)s->pcrSelections[0].pcrSelect[i] << (8 * i);
    return mask;
}

/* Part 3, TPM2_PCR_Read: as many as fit into one answer, in the order of their numbers. */
static result read_some(struct tpm *t, uint32_t mask, uint32_t *ret_counter, uint32_t *ret_read, struct digest value[TPM_PCRS])
{
    AUTO_ESYS TPML_PCR_SELECTION *got = NULL;
    AUTO_ESYS TPML_DIGEST *digests = NULL;
    TPML_PCR_SELECTION wanted;
    tpm_pcr_select(mask, &wanted);
    TRY(tpm_result(Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted, ret_counter, &got, &digests)));
    uint32_t read = selected(got), n = 0;
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        if (!(read >> i & 1))
            continue;
        if (!(mask >> i & 1) || n >= digests->count)
            return fail(E_tpm_unavailable);
        TRY(span_copy((struct span){ digests->digests[n].buffer, digests->digests[n].size }, value[i].b, DIGEST_SIZE));
        n++;
    }
    /* A bank that isn't there gives no PCR at all. */
    if (n == 0)
        return fail(E_unsupported);
    *ret_read = read;
    return OK;
}

static result read_all(struct tpm *t, uint32_t mask, struct digest value[TPM_PCRS], bool *ret_same)
{
    uint32_t first = 0, counter = 0, read;
    bool begun = false;
    *ret_same = true;
    for (uint32_t left = mask; left; left &= ~read) {
        TRY(read_some(t, left, &counter, &read, value));
        *ret_same = *ret_same && (!begun || counter == first);
        first = begun ? first : counter;
        begun = true;
    }
    return OK;
}

result tpm_pcr_read(struct tpm *t, uint32_t mask, struct digest ret[TPM_PCRS])
{
    struct digest value[TPM_PCRS];
    bool same = false;
    if (mask >> TPM_PCRS)
        return fail(E_bad_value);
    for (unsigned i = 0; i < TRIES && !same; i++)
        TRY(read_all(t, mask, value, &same));
    if (!same)
        return fail(E_tpm_refused); /* somebody extends faster than we read */
    for (unsigned i = 0; i < TPM_PCRS; i++)
        if (mask >> i & 1)
            ret[i] = value[i];
    return OK;
}

result tpm_pcr_extend(struct tpm *t, unsigned pcr, const struct digest *d)
{
    TPML_DIGEST_VALUES values = { .count = 1, .digests[0].hashAlg = TPM2_ALG_SHA256 };
    if (pcr >= TPM_PCRS)
        return fail(E_bad_value);
    TRY(span_copy(digest_span(d), values.digests[0].digest.sha256, DIGEST_SIZE));
    return tpm_result(Esys_PCR_Extend(t->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &values));
}
