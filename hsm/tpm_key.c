/* Opening a key is proving it: TPM2_Certify by the attestation key over a nonce of ours names the very public area that we read. */
#include "config.h"

#include <stdlib.h>

#include <tss2/tss2_mu.h>

#include "base/random.h"
#include "hsm/tpm_guard_internal.h"

#define ATTEST_MAX 1024
#define PUBLIC_MAX 512

static void key_free(struct tpm_key *k)
{
    if (k->tr != ESYS_TR_NONE)
        (void)Esys_TR_Close(k->tpm->esys, &k->tr);
    buf_free(&k->attest);
    buf_free(&k->signature);
    buf_free(&k->public_area);
    free(k);
}

void tpm_key_close(struct hsm_key *k)
{
    key_free((struct tpm_key *)k);
}

static void key_drop(struct tpm_key **k)
{
    if (*k)
        hsm_close(&(*k)->key);
}
#define AUTO_KEY __attribute__((cleanup(key_drop))) struct tpm_key

static result key_find(struct tpm *t, uint32_t handle, const struct tpm_kind *kind, struct tpm_key **ret)
{
    AUTO_KEY *k = calloc(1, sizeof *k);
    if (!k)
        return fail(E_no_memory);
    k->key.kind = HSM_TPM;
    k->tpm = t;
    k->tr = ESYS_TR_NONE;
    k->attest = BUF(ATTEST_MAX);
    k->signature = BUF(ATTEST_MAX);
    k->public_area = BUF(PUBLIC_MAX);
    TRY(tpm_persistent(t, handle, &k->tr));
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    TRY(tpm_result(Esys_ReadPublic(t->esys, k->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL)));
    TRY(tpm_key_kind(&public->publicArea, kind));
    TRY(tpm_public_bytes(&public->publicArea, &k->public_area));
    TRY(tpm_public_of(&public->publicArea, &k->key.public));
    *ret = k;
    k = NULL;
    return OK;
}

/* Part 1, section 16: the name of an object is nameAlg and the digest of its public area. */
static bool name_is(const TPM2B_NAME *name, struct span public_area)
{
    struct reader r = reader_of((struct span){ name->name, name->size });
    struct span rest;
    struct digest d = sha256(public_area);
    uint16_t alg;
    return is_ok(read_u16(&r, &alg)) && alg == TPM2_ALG_SHA256 && is_ok(read_bytes(&r, DIGEST_SIZE, &rest)) &&
           is_ok(read_end(&r)) && span_equal(rest, digest_span(&d));
}

static result certify_verify(const struct tpm_key *k, const struct tpm_key *by, struct span nonce, TPMS_ATTEST *ret)
{
    size_t at = 0;
    TPMS_ATTEST a;
    if (Tss2_MU_TPMS_ATTEST_Unmarshal(k->attest.p, k->attest.n, &at, &a) != TSS2_RC_SUCCESS || at != k->attest.n)
        return fail(E_key_not_in_hardware);
    if (!is_ok(pubkey_verify_der(by->key.public, buf_span(&k->attest), buf_span(&k->signature))))
        return fail(E_key_not_in_hardware);
    /* Part 3, TPM2_Certify; Part 2, TPM_GENERATED_VALUE: a restricted key signs nothing of others that begins so. */
    if (a.magic != TPM2_GENERATED_VALUE || a.type != TPM2_ST_ATTEST_CERTIFY)
        return fail(E_key_not_in_hardware);
    if (!span_equal((struct span){ a.extraData.buffer, a.extraData.size }, nonce))
        return fail(E_key_not_in_hardware);
    if (!name_is(&a.attested.certify.name, buf_span(&k->public_area)))
        return fail(E_key_not_in_hardware);
    *ret = a;
    return OK;
}

static result certify(struct tpm_key *k, const struct tpm_key *by, TPMS_ATTEST *ret)
{
    TPM2B_DATA nonce = { .size = DIGEST_SIZE };
    TRY(random_bytes(nonce.buffer, nonce.size));
    const TPMT_SIG_SCHEME own_scheme = { .scheme = TPM2_ALG_NULL };
    AUTO_ESYS TPM2B_ATTEST *attest = NULL;
    AUTO_ESYS TPMT_SIGNATURE *signature = NULL;
    TRY(tpm_result(Esys_Certify(
        k->tpm->esys, k->tr, by->tr, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD, ESYS_TR_NONE, &nonce, &own_scheme, &attest, &signature)));
    TRY(buf_put(&k->attest, (struct span){ attest->attestationData, attest->size }));
    TRY(tpm_signature_der(signature, &k->signature));
    return certify_verify(k, by, (struct span){ nonce.buffer, nonce.size }, ret);
}

/* Outside the endorsement and platform hierarchies an attestation's resetCount, restartCount and firmware version are obfuscated
 * (Part 1, section 36.7), and an auditor could not order checkpoints by them. TPM2_ReadClock gives the plain counts. */
static result in_endorsement_hierarchy(struct tpm *t, const TPMS_ATTEST *a)
{
    AUTO_ESYS TPMS_TIME_INFO *now = NULL;
    TRY(tpm_result(Esys_ReadClock(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &now)));
    const TPMS_CLOCK_INFO *c = &now->clockInfo;
    bool plain = c->resetCount == a->clockInfo.resetCount && c->restartCount == a->clockInfo.restartCount;
    return plain ? OK : fail(E_key_not_in_hardware);
}

/* Part 2, table of persistent handles: from here on they are the platform's, whose keys firmware may make. The constant of
 * tss2_tpm2_types.h shifts an int into its sign bit. */
#define PLATFORM_PERSISTENT UINT32_C(0x81800000)

result tpm_attestation_key(struct tpm *t, uint32_t handle, struct hsm_key **ret)
{
    AUTO_KEY *k = NULL;
    const struct tpm_kind kind = { .restricted = true };
    if (handle >= PLATFORM_PERSISTENT)
        return fail(E_key_missing);
    TRY(key_find(t, handle, &kind, &k));
    TPMS_ATTEST a;
    TRY(certify(k, k, &a));
    TRY(in_endorsement_hierarchy(t, &a));
    *ret = &k->key;
    k = NULL;
    return OK;
}

result tpm_signing_key(struct tpm *t, uint32_t handle, struct hsm_key *attestation, struct tpm_guard *guard, struct hsm_key **ret)
{
    AUTO_KEY *k = NULL;
    const struct tpm_kind kind = { .policy = guard ? tpm_guard_key_policy(guard) : NULL };
    if (attestation->kind != HSM_TPM)
        return fail(E_unsupported);
    if (guard && !kind.policy)
        return fail(E_invariant); /* it has no ref: every policy would be another's, and none the right one */
    TRY(key_find(t, handle, &kind, &k));
    k->guard = guard;
    TPMS_ATTEST a;
    TRY(certify(k, (const struct tpm_key *)attestation, &a));
    *ret = &k->key;
    k = NULL;
    return OK;
}

struct sign_call {
    const struct tpm_key *key;
    TPM2B_DIGEST digest;
    TPMT_SIGNATURE *signature;
};

static TSS2_RC run_sign(void *context, ESYS_TR session)
{
    struct sign_call *c = context;
    const TPMT_SIG_SCHEME own_scheme = { .scheme = TPM2_ALG_NULL };
    /* An empty ticket: an unrestricted key needs none, a restricted one refuses it (Part 3, TPM2_Sign). */
    const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
    return Esys_Sign(
        c->key->tpm->esys, c->key->tr, session, ESYS_TR_NONE, ESYS_TR_NONE, &c->digest, &own_scheme, &no_ticket, &c->signature);
}

result tpm_key_sign(struct hsm_key *key, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE])
{
    const struct tpm_key *k = (const struct tpm_key *)key;
    struct sign_call c = { .key = k, .digest.size = DIGEST_SIZE };
    TRY(span_copy(digest_span(d), c.digest.buffer, DIGEST_SIZE));
    TRY(k->guard ? tpm_guard_use(k->guard, run_sign, &c) : tpm_result(run_sign(&c, ESYS_TR_PASSWORD)));
    AUTO_ESYS TPMT_SIGNATURE *signature = c.signature;
    return tpm_signature_of(signature, ret_raw);
}

result tpm_key_area(const struct hsm_key *key, struct buf *out)
{
    const struct tpm_key *k = (const struct tpm_key *)key;
    return key->kind == HSM_TPM ? buf_put(out, buf_span(&k->public_area)) : fail(E_unsupported);
}

result tpm_key_name(const struct hsm_key *key, uint8_t ret_name[TPM_NAME_SIZE])
{
    AUTO_BUF area = BUF(PUBLIC_MAX), name = BUF(TPM_NAME_SIZE);
    TRY(tpm_key_area(key, &area));
    struct digest d = sha256(buf_span(&area));
    TRY(buf_u16(&name, TPM2_ALG_SHA256));
    TRY(buf_put(&name, digest_span(&d)));
    return span_copy(buf_span(&name), ret_name, TPM_NAME_SIZE);
}

result tpm_key_evidence(struct hsm_key *key, struct buf *out)
{
    const struct tpm_key *k = (const struct tpm_key *)key;
    AUTO_JSON *e = json_object();
    if (!e)
        return fail(E_no_memory);
    TRY(json_put_b64url(e, "attest", buf_span(&k->attest)));
    TRY(json_put_b64url(e, "signature", buf_span(&k->signature)));
    TRY(json_put_b64url(e, "public", buf_span(&k->public_area)));
    return json_canonical(e, out);
}
