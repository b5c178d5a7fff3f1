/* Storage primaries and the sessions that are salted to them, for what travels to and from the chip in secret. Primaries are a
 * function of the hierarchy's seed and the template (TPM 2.0 Part 1, section 14.4), and so are made anew when needed. */
#include "config.h"

#include "hsm/tpm_guard_internal.h"

/* TCG Provisioning Guidance, ECC P-256 storage template: the parent that a TSS2 PRIVATE KEY means by naming a hierarchy. In the
 * endorsement hierarchy too: the EK's own template would want a policy session for each use. */
static const TPM2B_PUBLIC storage_template = {
    .publicArea = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                            TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
        .parameters.eccDetail = {
            .symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
            .scheme.scheme = TPM2_ALG_NULL,
            .curveID = TPM2_ECC_NIST_P256,
            .kdf.scheme = TPM2_ALG_NULL,
        },
    },
};

result tpm_primary(struct tpm *t, uint32_t hierarchy, const TPM2B_PUBLIC *template, struct tpm_transient *ret)
{
    const TPM2B_SENSITIVE_CREATE empty_auth = { 0 };
    const TPM2B_DATA no_info = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    ESYS_TR tr = hierarchy == TPM2_RH_ENDORSEMENT ? ESYS_TR_RH_ENDORSEMENT : ESYS_TR_RH_OWNER;
    return tpm_result(Esys_CreatePrimary(t->esys, tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &empty_auth, template, &no_info,
        &no_pcrs, &ret->tr, NULL, NULL, NULL, NULL));
}

result tpm_storage_primary(struct tpm *t, uint32_t hierarchy, struct tpm_transient *ret)
{
    return tpm_primary(t, hierarchy, &storage_template, ret);
}

result tpm_salted_session(struct tpm *t, ESYS_TR salt_key, struct tpm_transient *session)
{
    const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
    return tpm_result(Esys_StartAuthSession(t->esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
        TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &session->tr));
}

/* Which of a command's parameters can be encrypted is a matter of the command (Part 1, section 21.1): the first, if it is a TPM2B.
 */
result tpm_encrypt(struct tpm *t, ESYS_TR session, TPMA_SESSION which)
{
    const TPMA_SESSION both = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
    return tpm_result(
        Esys_TRSess_SetAttributes(t->esys, session, TPMA_SESSION_CONTINUESESSION | which, TPMA_SESSION_CONTINUESESSION | both));
}

result tpm_persist(struct tpm *t, ESYS_TR object, ESYS_TR session, uint32_t handle)
{
    ESYS_TR persistent;
    TRY(tpm_result(Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, object, session, ESYS_TR_NONE, ESYS_TR_NONE, handle, &persistent)));
    return tpm_result(Esys_TR_Close(t->esys, &persistent));
}

result tpm_evict(struct tpm *t, uint32_t handle)
{
    ESYS_TR there, gone;
    result r = tpm_persistent(t, handle, &there);
    if (code_of(r) == E_key_missing)
        return OK;
    TRY(r);
    r = tpm_result(
        Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, there, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, handle, &gone));
    /* Of what was persistent ESYS keeps its record, whose name would be held against the next object at the handle. */
    (void)Esys_TR_Close(t->esys, &there);
    return r;
}
