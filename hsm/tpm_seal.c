/* A secret that the chip gives back in the approved state alone (TPM 2.0 Part 1, section 27.7): the PIN of an HSM, whose keys have
 * no policy of their own. On its way it is encrypted by a session that is salted to the storage primary. */
#include "config.h"

#include "hsm/tpm_guard_internal.h"

static const TPMA_OBJECT sealed_attributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA;

static result sealed_template(const struct digest *key_policy, TPM2B_PUBLIC *ret)
{
    *ret = (TPM2B_PUBLIC){
        .publicArea = {
            .type = TPM2_ALG_KEYEDHASH,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = sealed_attributes,
            .authPolicy.size = DIGEST_SIZE,
            .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
        },
    };
    return span_copy(digest_span(key_policy), ret->publicArea.authPolicy.buffer, DIGEST_SIZE);
}

struct made {
    TPM2B_PUBLIC *public;
    TPM2B_PRIVATE *private;
};

static void made_free(struct made *m)
{
    Esys_Free(m->public);
    Esys_Free(m->private);
}
#define AUTO_MADE __attribute__((cleanup(made_free))) struct made

static result create(
    struct tpm *t, ESYS_TR primary, ESYS_TR session, const struct digest *key_policy, struct secret *data, struct made *ret)
{
    const TPM2B_DATA no_info = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    TPM2B_PUBLIC template;
    TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.data.size = (uint16_t)secret_size(data) };
    TRY(sealed_template(key_policy, &template));
    TRY(tpm_encrypt(t, session, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT));
    TRY(span_copy((struct span){ secret_bytes(data), secret_size(data) }, sensitive.sensitive.data.buffer, secret_size(data)));
    result r = tpm_result(Esys_Create(t->esys, primary, session, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template, &no_info,
        &no_pcrs, &ret->private, &ret->public, NULL, NULL, NULL));
    wipe(&sensitive, sizeof sensitive);
    return r;
}

/* The new object is there before the old one goes. */
static result seal(struct tpm *t, uint32_t handle, const struct digest *key_policy, struct secret *data)
{
    AUTO_TRANSIENT primary = TPM_TRANSIENT(t), session = TPM_TRANSIENT(t), object = TPM_TRANSIENT(t);
    AUTO_MADE made = { NULL };
    TRY(tpm_storage_primary(t, TPM2_RH_OWNER, &primary));
    TRY(tpm_salted_session(t, primary.tr, &session));
    TRY(create(t, primary.tr, session.tr, key_policy, data, &made));
    TRY(tpm_result(Esys_Load(t->esys, primary.tr, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, made.private, made.public, &object.tr)));
    TRY(tpm_evict(t, handle));
    TRY(tpm_encrypt(t, session.tr, 0));
    return tpm_persist(t, object.tr, session.tr, handle);
}

result tpm_seal(struct tpm *t, uint32_t handle, const struct digest *key_policy, struct secret *data, bool replace)
{
    ESYS_TR there;
    if (secret_size(data) < 1 || secret_size(data) > TPM_SEALED_MAX)
        return fail(E_bad_value);
    result found = tpm_persistent(t, handle, &there);
    if (is_ok(found))
        (void)Esys_TR_Close(t->esys, &there);
    else if (code_of(found) != E_key_missing)
        return found;
    if (is_ok(found) && !replace)
        return fail(E_exists);
    return seal(t, handle, key_policy, data);
}

/* Exact, as a key's: one whose secret the empty authorization gives away is none. */
static result sealed_kind(const TPMT_PUBLIC *p, const struct digest *key_policy)
{
    struct span policy = { p->authPolicy.buffer, p->authPolicy.size };
    if (p->type != TPM2_ALG_KEYEDHASH || p->nameAlg != TPM2_ALG_SHA256 ||
        p->parameters.keyedHashDetail.scheme.scheme != TPM2_ALG_NULL)
        return fail(E_key_not_in_hardware);
    if (p->objectAttributes != sealed_attributes || policy.n == 0)
        return fail(E_key_without_policy);
    return span_equal(policy, digest_span(key_policy)) ? OK : fail(E_key_other_policy);
}

static result sealed_open(struct tpm *t, uint32_t handle, const struct digest *key_policy, ESYS_TR *ret)
{
    ESYS_TR tr;
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    TRY(tpm_persistent(t, handle, &tr));
    result r = tpm_result(Esys_ReadPublic(t->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL));
    if (is_ok(r))
        r = sealed_kind(&public->publicArea, key_policy);
    if (!is_ok(r)) {
        (void)Esys_TR_Close(t->esys, &tr);
        return r;
    }
    *ret = tr;
    return OK;
}

result tpm_sealed(struct tpm *t, uint32_t handle, const struct digest *key_policy)
{
    ESYS_TR tr;
    TRY(sealed_open(t, handle, key_policy, &tr));
    (void)Esys_TR_Close(t->esys, &tr);
    return OK;
}

/* A secret that ESYS hands out on its heap, wiped by scope. */
static void data_wipe(TPM2B_SENSITIVE_DATA **d)
{
    if (*d)
        wipe(*d, sizeof **d);
    Esys_Free(*d);
}

static result unseal_once(struct tpm_guard *g, ESYS_TR object, ESYS_TR session, TPM2B_SENSITIVE_DATA **ret)
{
    struct guard_session s = { .tr = session, .stage = STAGE_EMPTY };
    while (s.stage != STAGE_ARMED)
        TRY(tpm_guard_satisfy(g, &s));
    TRY(tpm_encrypt(g->tpm, session, TPMA_SESSION_ENCRYPT));
    return tpm_result(Esys_Unseal(g->tpm->esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, ret));
}

static result unseal_patiently(struct tpm_guard *g, ESYS_TR object, ESYS_TR session, TPM2B_SENSITIVE_DATA **ret)
{
    result r = unseal_once(g, object, session, ret);
    for (unsigned tries = 1; tpm_pcr_changed(r) && tries < GUARD_PATIENCE; tries++) {
        TRY(tpm_result(Esys_PolicyRestart(g->tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE)));
        r = unseal_once(g, object, session, ret);
    }
    return tpm_policy_refused(r);
}

static result unseal(struct tpm_guard *g, ESYS_TR object, struct secret **ret)
{
    struct tpm *t = g->tpm;
    AUTO_TRANSIENT primary = TPM_TRANSIENT(t), session = TPM_TRANSIENT(t);
    AUTO_SECRET *s = NULL;
    __attribute__((cleanup(data_wipe))) TPM2B_SENSITIVE_DATA *data = NULL;
    TRY(tpm_storage_primary(t, TPM2_RH_OWNER, &primary));
    TRY(tpm_policy_session(t, primary.tr, &session));
    tpm_transient_flush(&primary);
    TRY(unseal_patiently(g, object, session.tr, &data));
    TRY(secret_new(data->size, &s));
    TRY(span_copy((struct span){ data->buffer, data->size }, secret_bytes(s), data->size));
    *ret = s;
    s = NULL;
    return OK;
}

result tpm_unseal(struct tpm_guard *g, uint32_t handle, struct secret **ret)
{
    ESYS_TR object;
    if (!g->has_ref)
        return fail(E_invariant);
    TRY(sealed_open(g->tpm, handle, &g->key_policy, &object));
    result r = unseal(g, object, ret);
    (void)Esys_TR_Close(g->tpm->esys, &object);
    return r;
}
