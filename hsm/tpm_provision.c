/* What init does in the chip. A key is a child of the storage primary of its hierarchy, made under a session that is salted to that
 * primary and encrypts the parameters (TPM 2.0 Part 1, sections 19.6.8 and 21), and is then persistent. */
#include "config.h"

#include <errno.h>

#include "hsm/tpm_internal.h"
#include "hsm/tss2_pem.h"

#define PEM_MODE 0600

static result signing_template(const struct tpm_kind *kind, TPM2B_PUBLIC *ret)
{
    *ret = (TPM2B_PUBLIC){
        .publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = tpm_kind_attributes(kind),
            .parameters.eccDetail = {
                .symmetric.algorithm = TPM2_ALG_NULL,
                .scheme = { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
                .curveID = TPM2_ECC_NIST_P256,
                .kdf.scheme = TPM2_ALG_NULL,
            },
        },
    };
    if (!kind->policy)
        return OK;
    ret->publicArea.authPolicy.size = DIGEST_SIZE;
    return span_copy(digest_span(kind->policy), ret->publicArea.authPolicy.buffer, DIGEST_SIZE);
}

struct place {
    struct tpm *tpm;
    struct tpm_kind kind;
    uint32_t hierarchy;
    uint32_t handle;
    const char *pem_path;
};

static struct place place_of(
    struct tpm *t, enum tpm_role role, uint32_t handle, const char *pem_path, const struct digest *key_policy)
{
    bool attestation = role == TPM_ATTESTATION;
    return (struct place){
        .tpm = t,
        .kind = { .restricted = attestation, .policy = key_policy },
        .hierarchy = attestation ? TPM2_RH_ENDORSEMENT : TPM2_RH_OWNER,
        .handle = handle,
        .pem_path = pem_path,
    };
}

static result create_key(const struct place *at, ESYS_TR primary, ESYS_TR session, struct tss2_key *ret)
{
    const TPM2B_SENSITIVE_CREATE empty_auth = { 0 };
    const TPM2B_DATA no_info = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    TPM2B_PUBLIC template;
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    AUTO_ESYS TPM2B_PRIVATE *private = NULL;
    TRY(signing_template(&at->kind, &template));
    TRY(tpm_encrypt(at->tpm, session, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT));
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
    TRY(tpm_encrypt(t, session, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT));
    result r =
        tpm_result(Esys_Load(t->esys, primary, session, ESYS_TR_NONE, ESYS_TR_NONE, &blobs->private, &blobs->public, &key.tr));
    if (code_of(r) == E_tpm_refused && tpm_base_code(foreign_code(r)) == TPM2_RC_INTEGRITY)
        return fail_foreign(E_key_other_tpm, foreign_of(r), foreign_code(r));
    TRY(r);
    TRY(tpm_encrypt(t, session, 0));
    return tpm_persist(t, key.tr, session, at->handle);
}

/* The blobs of the file, made where there is none. */
static result make_blobs(const struct place *at, ESYS_TR primary, ESYS_TR session, struct tss2_key *ret)
{
    struct tss2_key blobs;
    result r = read_blobs(at, &blobs);
    if (code_of(r) == E_not_found) {
        TRY(create_key(at, primary, session, &blobs));
        TRY(write_blobs(at, &blobs));
    } else {
        TRY(r);
    }
    TRY(tpm_key_kind(&blobs.public.publicArea, &at->kind));
    *ret = blobs;
    return OK;
}

/* The file comes before the persistent key: cut off between the two, the next run goes on with the key that the file holds. */
static result make(const struct place *at)
{
    AUTO_TRANSIENT primary = TPM_TRANSIENT(at->tpm), session = TPM_TRANSIENT(at->tpm);
    struct tss2_key blobs;
    TRY(tpm_storage_primary(at->tpm, at->hierarchy, &primary));
    TRY(tpm_salted_session(at->tpm, primary.tr, &session));
    TRY(make_blobs(at, primary.tr, session.tr, &blobs));
    return persist(at, primary.tr, session.tr, &blobs);
}

result tpm_make_blob(struct tpm *t, enum tpm_role role, const char *pem_path, const struct digest *key_policy, struct pubkey **ret)
{
    const struct place at = place_of(t, role, 0, pem_path, key_policy);
    AUTO_TRANSIENT primary = TPM_TRANSIENT(t), session = TPM_TRANSIENT(t);
    struct tss2_key blobs;
    TRY(tpm_storage_primary(t, at.hierarchy, &primary));
    TRY(tpm_salted_session(t, primary.tr, &session));
    TRY(make_blobs(&at, primary.tr, session.tr, &blobs));
    return tpm_public_of(&blobs.public.publicArea, ret);
}

/* Something is at the handle: it is left there. It must be of the role's kind, and the one that the file holds. */
static result keep(const struct place *at, ESYS_TR tr)
{
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    TRY(tpm_result(Esys_ReadPublic(at->tpm->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL)));
    result kind = tpm_key_kind(&public->publicArea, &at->kind);
    if (!is_ok(kind))
        return code_of(kind) == E_key_not_in_hardware ? fail(E_exists) : kind;
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

result tpm_public_at(struct tpm *t, uint32_t handle, struct pubkey **ret)
{
    ESYS_TR tr;
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    TRY(tpm_persistent(t, handle, &tr));
    result r = tpm_result(Esys_ReadPublic(t->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL));
    (void)Esys_TR_Close(t->esys, &tr);
    TRY(r);
    return tpm_public_of(&public->publicArea, ret);
}

result tpm_provision(
    struct tpm *t, enum tpm_role role, uint32_t handle, const char *pem_path, const struct digest *key_policy, bool *ret_made)
{
    if (role == TPM_ATTESTATION && key_policy)
        return fail(E_bad_value);
    const struct place at = place_of(t, role, handle, pem_path, key_policy);
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
