/* What init does in the chip. A key is a child of the storage primary of its hierarchy, made under a session that is salted to that
 * primary and encrypts the parameters (TPM 2.0 Part 1, sections 19.6.8 and 21), and is then persistent. Primaries are a function of
 * the hierarchy's seed and the template, and so are made anew when needed. */
#include "config.h"

#include <errno.h>

#include "hsm/tpm_internal.h"
#include "hsm/tss2_pem.h"

#define PEM_MODE 0600

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

static TPM2B_PUBLIC signing_template(bool restricted)
{
    return (TPM2B_PUBLIC){
        .publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = TPM_KEY_ATTRIBUTES | (restricted ? TPMA_OBJECT_RESTRICTED : 0),
            .parameters.eccDetail = {
                .symmetric.algorithm = TPM2_ALG_NULL,
                .scheme = { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
                .curveID = TPM2_ECC_NIST_P256,
                .kdf.scheme = TPM2_ALG_NULL,
            },
        },
    };
}

struct place {
    struct tpm *tpm;
    bool restricted;
    uint32_t hierarchy;
    uint32_t handle;
    const char *pem_path;
};

static struct place place_of(struct tpm *t, enum tpm_role role, uint32_t handle, const char *pem_path)
{
    bool attestation = role == TPM_ATTESTATION;
    return (struct place){
        .tpm = t,
        .restricted = attestation,
        .hierarchy = attestation ? TPM2_RH_ENDORSEMENT : TPM2_RH_OWNER,
        .handle = handle,
        .pem_path = pem_path,
    };
}

static result make_primary(const struct place *at, struct tpm_transient *primary)
{
    const TPM2B_SENSITIVE_CREATE empty_auth = { 0 };
    const TPM2B_DATA no_info = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    ESYS_TR hierarchy = at->hierarchy == TPM2_RH_ENDORSEMENT ? ESYS_TR_RH_ENDORSEMENT : ESYS_TR_RH_OWNER;
    return tpm_result(Esys_CreatePrimary(at->tpm->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &empty_auth,
        &storage_template, &no_info, &no_pcrs, &primary->tr, NULL, NULL, NULL, NULL));
}

static result start_session(struct tpm *t, ESYS_TR salt_key, struct tpm_transient *session)
{
    const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
    return tpm_result(Esys_StartAuthSession(t->esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
        TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &session->tr));
}

/* Which of a command's parameters can be encrypted is a matter of the command (Part 1, section 21.1): the first, if it is a TPM2B.
 */
static result encrypt_parameters(struct tpm *t, ESYS_TR session, TPMA_SESSION which)
{
    const TPMA_SESSION both = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
    return tpm_result(
        Esys_TRSess_SetAttributes(t->esys, session, TPMA_SESSION_CONTINUESESSION | which, TPMA_SESSION_CONTINUESESSION | both));
}

static result create_key(const struct place *at, ESYS_TR primary, ESYS_TR session, struct tss2_key *ret)
{
    const TPM2B_SENSITIVE_CREATE empty_auth = { 0 };
    const TPM2B_DATA no_info = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    const TPM2B_PUBLIC template = signing_template(at->restricted);
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    AUTO_ESYS TPM2B_PRIVATE *private = NULL;
    TRY(encrypt_parameters(at->tpm, session, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT));
    TRY(tpm_result(Esys_Create(at->tpm->esys, primary, session, ESYS_TR_NONE, ESYS_TR_NONE, &empty_auth, &template, &no_info,
        &no_pcrs, &private, &public, NULL, NULL, NULL)));
    *ret = (struct tss2_key){ .parent = at->hierarchy, .public = *public, .private = *private };
    return OK;
}

/* The blobs in the file; not_found where there is no file. */
static result read_blobs(const struct place *at, struct tss2_key *ret)
{
    AUTO_BUF pem = BUF(TSS2_PEM_MAX);
    result r = file_read(at->pem_path, TSS2_PEM_MAX, &pem);
    if (foreign_of(r) == FOREIGN_ERRNO && foreign_code(r) == ENOENT)
        return fail(E_not_found);
    TRY(r);
    TRY(tss2_pem_read(buf_span(&pem), ret));
    return ret->parent == at->hierarchy ? OK : fail(E_key_mismatch);
}

static result write_blobs(const struct place *at, const struct tss2_key *blobs)
{
    AUTO_BUF pem = BUF(TSS2_PEM_MAX);
    TRY(tss2_pem_write(blobs, &pem));
    return file_write(at->pem_path, buf_span(&pem), PEM_MODE, false);
}

static result persist(const struct place *at, ESYS_TR primary, ESYS_TR session, const struct tss2_key *blobs)
{
    struct tpm *t = at->tpm;
    AUTO_TRANSIENT key = TPM_TRANSIENT(t);
    TRY(encrypt_parameters(t, session, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT));
    TRY(tpm_result(Esys_Load(t->esys, primary, session, ESYS_TR_NONE, ESYS_TR_NONE, &blobs->private, &blobs->public, &key.tr)));
    ESYS_TR persistent;
    TRY(encrypt_parameters(t, session, 0));
    TRY(tpm_result(
        Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, key.tr, session, ESYS_TR_NONE, ESYS_TR_NONE, at->handle, &persistent)));
    return tpm_result(Esys_TR_Close(t->esys, &persistent));
}

/* The file comes before the persistent key: cut off between the two, the next run goes on with the key that the file holds. */
static result make(const struct place *at)
{
    AUTO_TRANSIENT primary = TPM_TRANSIENT(at->tpm), session = TPM_TRANSIENT(at->tpm);
    TRY(make_primary(at, &primary));
    TRY(start_session(at->tpm, primary.tr, &session));
    struct tss2_key blobs;
    result r = read_blobs(at, &blobs);
    if (code_of(r) == E_not_found) {
        TRY(create_key(at, primary.tr, session.tr, &blobs));
        TRY(write_blobs(at, &blobs));
    } else {
        TRY(r);
    }
    TRY(tpm_key_kind(&blobs.public.publicArea, at->restricted));
    return persist(at, primary.tr, session.tr, &blobs);
}

/* Something is at the handle: it is left there. It must be of the role's kind, and the one that the file holds. */
static result keep(const struct place *at, ESYS_TR tr)
{
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    TRY(tpm_result(Esys_ReadPublic(at->tpm->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL)));
    if (!is_ok(tpm_key_kind(&public->publicArea, at->restricted)))
        return fail(E_exists);
    struct tss2_key blobs;
    result r = read_blobs(at, &blobs);
    if (code_of(r) == E_not_found)
        return OK;
    TRY(r);
    AUTO_BUF there = BUF(sizeof(TPMT_PUBLIC)), filed = BUF(sizeof(TPMT_PUBLIC));
    TRY(tpm_public_bytes(&public->publicArea, &there));
    TRY(tpm_public_bytes(&blobs.public.publicArea, &filed));
    return span_equal(buf_span(&there), buf_span(&filed)) ? OK : fail(E_key_mismatch);
}

result tpm_provision(struct tpm *t, enum tpm_role role, uint32_t handle, const char *pem_path,
    const struct digest *key_policy, bool *ret_made)
{
    if (key_policy)
        return fail(E_unsupported);
    const struct place at = place_of(t, role, handle, pem_path);
    ESYS_TR there;
    result found = tpm_persistent(t, handle, &there);
    if (is_ok(found)) {
        result r = keep(&at, there);
        (void)Esys_TR_Close(t->esys, &there);
        TRY(r);
        *ret_made = false;
        return OK;
    }
    if (code_of(found) != E_key_missing)
        return found;
    TRY(make(&at));
    *ret_made = true;
    return OK;
}
