#include "config.h"

#include "hsm/tpm_guard.h"

#include <stdlib.h>

#include "hsm/tpm_guard_internal.h"

#define COORDINATE (SIGNATURE_SIZE / 2)
#define SPKI_MAX 128
#define OPERAND_SIZE 8 /* of a counter: Part 2, TPM_NT_COUNTER */

/* docs/attestation.md, "Approval": whoever computes a policy without a TPM names the key by the same public area. */
static result verifier_of(const struct pubkey *key, struct tpm_verifier *ret)
{
    AUTO_BUF spki = BUF(SPKI_MAX), area = BUF(sizeof(TPMT_PUBLIC)), name = BUF(TPM_NAME_SIZE);
    if (pubkey_alg(key) != ALG_ES256)
        return fail(E_bad_key);
    TRY(pubkey_spki(key, &spki));
    /* RFC 5480 section 2.2: the uncompressed point is the last of it. */
    struct span y = span_part(buf_span(&spki), spki.n - COORDINATE, COORDINATE);
    struct span x = span_part(buf_span(&spki), spki.n - 2 * COORDINATE, COORDINATE);
    TPM2B_PUBLIC public = {
        .publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_USERWITHAUTH,
            .parameters.eccDetail = {
                .symmetric.algorithm = TPM2_ALG_NULL,
                .scheme = { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
                .curveID = TPM2_ECC_NIST_P256,
                .kdf.scheme = TPM2_ALG_NULL,
            },
            .unique.ecc = { .x.size = COORDINATE, .y.size = COORDINATE },
        },
    };
    TRY(span_copy(x, public.publicArea.unique.ecc.x.buffer, COORDINATE));
    TRY(span_copy(y, public.publicArea.unique.ecc.y.buffer, COORDINATE));
    TRY(tpm_public_bytes(&public.publicArea, &area));
    TRY(buf_u16(&name, TPM2_ALG_SHA256));
    struct digest d = sha256(buf_span(&area));
    TRY(buf_put(&name, digest_span(&d)));
    *ret = (struct tpm_verifier){ .public = public, .name.size = TPM_NAME_SIZE };
    return span_copy(buf_span(&name), ret->name.name, TPM_NAME_SIZE);
}

/* In the owner hierarchy: tickets of the null hierarchy never work (Part 3, TPM2_PolicyAuthorize). */
static result verifier_load(struct tpm *t, const struct tpm_verifier *v, struct tpm_transient *ret)
{
    return tpm_result(
        Esys_LoadExternal(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &v->public, ESYS_TR_RH_OWNER, &ret->tr));
}

static result signature_of(const uint8_t raw[SIGNATURE_SIZE], TPMT_SIGNATURE *ret)
{
    TPMT_SIGNATURE s = { .sigAlg = TPM2_ALG_ECDSA };
    TPMS_SIGNATURE_ECDSA *e = &s.signature.ecdsa;
    e->hash = TPM2_ALG_SHA256;
    e->signatureR.size = e->signatureS.size = COORDINATE;
    TRY(span_copy((struct span){ raw, COORDINATE }, e->signatureR.buffer, COORDINATE));
    TRY(span_copy((struct span){ raw + COORDINATE, COORDINATE }, e->signatureS.buffer, COORDINATE));
    *ret = s;
    return OK;
}

static result digest_to(const struct digest *d, TPM2B_DIGEST *ret)
{
    ret->size = DIGEST_SIZE;
    return span_copy(digest_span(d), ret->buffer, DIGEST_SIZE);
}

result tpm_guard_new(struct tpm *t, const struct pubkey *policy_key, unsigned pcr, uint32_t nv_counter, struct tpm_guard **ret)
{
    if (pcr >= TPM_PCRS)
        return fail(E_bad_value);
    struct tpm_guard *g = calloc(1, sizeof *g);
    if (!g)
        return fail(E_no_memory);
    *g = (struct tpm_guard){ .tpm = t, .pcr = pcr, .nv_counter = nv_counter, .waiting = ESYS_TR_NONE };
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        g->session[i].tr = ESYS_TR_NONE;
    result r = verifier_of(policy_key, &g->authority);
    if (!is_ok(r)) {
        free(g);
        return r;
    }
    *ret = g;
    return OK;
}

/* The waiting session back in the chip. A saved context can be loaded once. */
static result waiting_take(struct tpm_guard *g, struct tpm_transient *ret)
{
    if (g->saved) {
        AUTO_ESYS TPMS_CONTEXT *saved = g->saved;
        g->saved = NULL;
        return tpm_result(Esys_ContextLoad(g->tpm->esys, saved, &ret->tr));
    }
    if (g->waiting == ESYS_TR_NONE)
        return fail(E_lease_invalid);
    ret->tr = g->waiting;
    g->waiting = ESYS_TR_NONE;
    return OK;
}

/* A saved context that is only forgotten would keep one of the chip's active sessions for ever. */
static void waiting_drop(struct tpm_guard *g)
{
    AUTO_TRANSIENT session = TPM_TRANSIENT(g->tpm);
    result r = waiting_take(g, &session);
    (void)r; /* none, or gone with the chip */
}

void tpm_guard_free(struct tpm_guard *g)
{
    if (!g)
        return;
    tpm_guard_disarm(g);
    waiting_drop(g);
    free(g);
}

/* Part 3, TPM2_PolicyAuthorize: the digest begins anew with the command and the key's Name, and then takes in the policyRef. */
result tpm_guard_ref(struct tpm_guard *g, const struct digest *ref)
{
    if (g->has_ref)
        return digest_equal(&g->ref, ref) ? OK : fail(E_invariant);
    AUTO_BUF first = BUF(DIGEST_SIZE + 4 + TPM_NAME_SIZE);
    uint8_t *zero;
    TRY(buf_room(&first, DIGEST_SIZE, &zero));
    TRY(buf_u32(&first, TPM2_CC_PolicyAuthorize));
    TRY(buf_put(&first, (struct span){ g->authority.name.name, g->authority.name.size }));
    struct digest d = sha256(buf_span(&first));
    const struct span both[] = { digest_span(&d), digest_span(ref) };
    g->key_policy = sha256_parts(both, 2);
    g->ref = *ref;
    g->has_ref = true;
    return OK;
}

const struct digest *tpm_guard_key_policy(const struct tpm_guard *g)
{
    return g->has_ref ? &g->key_policy : NULL;
}

/* Part 3, TPM2_PolicyAuthorize: aHash is over approvedPolicy and policyRef. */
static result approval_verify(struct tpm_guard *g, const struct tpm_approval *a, TPMT_TK_VERIFIED *ret)
{
    AUTO_TRANSIENT key = TPM_TRANSIENT(g->tpm);
    AUTO_ESYS TPMT_TK_VERIFIED *ticket = NULL;
    const struct span both[] = { digest_span(&a->policy), digest_span(&a->ref) };
    struct digest hash = sha256_parts(both, 2);
    TPM2B_DIGEST digest;
    TPMT_SIGNATURE signature;
    TRY(digest_to(&hash, &digest));
    TRY(signature_of(a->signature, &signature));
    TRY(verifier_load(g->tpm, &g->authority, &key));
    result r = tpm_result(
        Esys_VerifySignature(g->tpm->esys, key.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &signature, &ticket));
    if (code_of(r) == E_tpm_refused)
        return fail_foreign(E_approval_invalid, foreign_of(r), foreign_code(r));
    TRY(r);
    *ret = *ticket;
    return OK;
}

static bool names_equal(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
    return span_equal((struct span){ a->name, a->size }, (struct span){ b->name, b->size });
}

result tpm_guard_approve(struct tpm_guard *g, const struct tpm_approval *a)
{
    struct tpm_verifier lessor;
    TPMT_TK_VERIFIED ticket;
    if (!g->has_ref || !digest_equal(&g->ref, &a->ref))
        return fail(E_approval_other_tpm);
    TRY(verifier_of(a->lease_key, &lessor));
    TRY(approval_verify(g, a, &ticket));
    tpm_guard_disarm(g);
    if (g->approved && !names_equal(&g->lessor.name, &lessor.name))
        g->lease = LEASE_NONE;
    g->approved = true;
    g->policy = a->policy;
    g->approved_counter = a->counter;
    g->approval = ticket;
    g->lessor = lessor;
    return OK;
}

static result nonce_read(struct tpm_guard *g, ESYS_TR session, uint8_t ret_nonce[LEASE_NONCE_SIZE])
{
    AUTO_ESYS TPM2B_NONCE *nonce = NULL;
    TRY(tpm_result(Esys_TRSess_GetNonceTPM(g->tpm->esys, session, &nonce)));
    /* Exactly so long: what the verifier signs has no length before it (Part 3, TPM2_PolicySigned, aHash). */
    if (nonce->size != LEASE_NONCE_SIZE)
        return fail(E_tpm_unavailable);
    g->nonce = *nonce;
    return span_copy((struct span){ nonce->buffer, nonce->size }, ret_nonce, LEASE_NONCE_SIZE);
}

result tpm_guard_lease_begin(struct tpm_guard *g, uint8_t ret_nonce[LEASE_NONCE_SIZE])
{
    uint8_t nonce[LEASE_NONCE_SIZE];
    waiting_drop(g);
    AUTO_TRANSIENT session = TPM_TRANSIENT(g->tpm);
    TRY(tpm_policy_session(g->tpm, ESYS_TR_NONE, &session));
    TRY(nonce_read(g, session.tr, nonce));
    if (g->tpm->managed) {
        g->waiting = session.tr;
        session.tr = ESYS_TR_NONE;
    } else {
        TRY(tpm_result(Esys_ContextSave(g->tpm->esys, session.tr, &g->saved)));
        session.tr = ESYS_TR_NONE; /* ESYS's record went into the context */
    }
    return span_copy(SPAN(nonce), ret_nonce, LEASE_NONCE_SIZE);
}

/* Part 3, TPM2_PolicySigned: a negative expiration asks for a ticket, which PolicyTicket takes in any session until then. */
static result lease_sign(struct tpm_guard *g, ESYS_TR session, uint32_t seconds, const TPMT_SIGNATURE *signature)
{
    AUTO_TRANSIENT key = TPM_TRANSIENT(g->tpm);
    AUTO_ESYS TPM2B_TIMEOUT *timeout = NULL;
    AUTO_ESYS TPMT_TK_AUTH *ticket = NULL;
    const TPM2B_DIGEST no_digest = { 0 };
    TPM2B_NONCE ref; /* as an approval, a lease fits one TPM alone */
    TRY(digest_to(&g->ref, &ref));
    TRY(verifier_load(g->tpm, &g->lessor, &key));
    result r = tpm_result(Esys_PolicySigned(g->tpm->esys, key.tr, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &g->nonce,
        &no_digest, &ref, -(INT32)seconds, signature, &timeout, &ticket));
    if (code_of(r) == E_tpm_refused)
        return fail_foreign(E_lease_invalid, foreign_of(r), foreign_code(r));
    TRY(r);
    if (ticket->tag != TPM2_ST_AUTH_SIGNED || ticket->digest.size == 0)
        return fail(E_lease_invalid);
    g->timeout = *timeout;
    g->ticket = *ticket;
    return OK;
}

result tpm_guard_lease_end(struct tpm_guard *g, uint32_t seconds, const uint8_t signature[SIGNATURE_SIZE])
{
    TPMT_SIGNATURE s;
    if (!g->approved)
        return fail(E_approval_missing);
    if (seconds < 1 || seconds > LEASE_SECONDS_MAX)
        return fail(E_lease_invalid);
    AUTO_TRANSIENT session = TPM_TRANSIENT(g->tpm);
    TRY(signature_of(signature, &s));
    TRY(waiting_take(g, &session));
    TRY(lease_sign(g, session.tr, seconds, &s));
    g->lease = LEASE_HELD;
    g->leases++;
    return OK;
}

static result satisfy_pcr(struct tpm_guard *g, ESYS_TR session)
{
    /* No expected value: what the PCR is goes into the digest, and TPM2_PolicyAuthorize compares that. */
    const TPM2B_DIGEST any = { 0 };
    TPML_PCR_SELECTION pcrs;
    tpm_pcr_select(UINT32_C(1) << g->pcr, &pcrs);
    return tpm_result(Esys_PolicyPCR(g->tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &any, &pcrs));
}

static result satisfy_counter(struct tpm_guard *g, ESYS_TR session)
{
    TPM2B_OPERAND operand = { .size = OPERAND_SIZE };
    ESYS_TR counter;
    TRY(tpm_nv_keep(g->tpm, g->nv_counter, &counter));
    for (unsigned i = 0; i < OPERAND_SIZE; i++)
        operand.buffer[i] = (uint8_t)(g->approved_counter >> (8 * (OPERAND_SIZE - 1 - i)));
    return tpm_result(Esys_PolicyNV(
        g->tpm->esys, counter, counter, session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &operand, 0, TPM2_EO_EQ));
}

static result satisfy_lease(struct tpm_guard *g, ESYS_TR session)
{
    const TPM2B_DIGEST no_digest = { 0 };
    TPM2B_NONCE ref;
    TRY(digest_to(&g->ref, &ref));
    return tpm_result(Esys_PolicyTicket(g->tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &g->timeout, &no_digest,
        &ref, &g->lessor.name, &g->ticket));
}

static result satisfy_approval(struct tpm_guard *g, ESYS_TR session)
{
    TPM2B_DIGEST policy;
    TPM2B_NONCE ref;
    TRY(digest_to(&g->policy, &policy));
    TRY(digest_to(&g->ref, &ref));
    return tpm_result(Esys_PolicyAuthorize(
        g->tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy, &ref, &g->authority.name, &g->approval));
}

/* The chip's refusal under the name of what was refused; another code, as of a chip that is out of memory, stays the TPM's. */
static result named(result r, TPM2_RC code, enum seb_code name)
{
    bool said = code_of(r) == E_tpm_refused && tpm_base_code(foreign_code(r)) == code;
    return said ? fail_foreign(name, foreign_of(r), foreign_code(r)) : r;
}

static result satisfy_by_lease(struct tpm_guard *g, ESYS_TR session)
{
    result r = named(satisfy_lease(g, session), TPM2_RC_EXPIRED, E_lease_over);
    r = named(r, TPM2_RC_TICKET, E_lease_over); /* of another time epoch of the chip's (Part 1, section 36.3) */
    if (code_of(r) == E_lease_over)
        g->lease = LEASE_OVER; /* a ticket that is over stays so */
    return r;
}

static result satisfy_by_approval(struct tpm_guard *g, ESYS_TR session)
{
    result r = named(satisfy_approval(g, session), TPM2_RC_VALUE, E_state_not_approved);
    return named(r, TPM2_RC_TICKET, E_approval_invalid);
}

static result satisfy_next(struct tpm_guard *g, const struct guard_session *s)
{
    switch (s->stage) {
    case STAGE_EMPTY:
        return satisfy_pcr(g, s->tr);
    case STAGE_PCR:
        return named(satisfy_counter(g, s->tr), TPM2_RC_POLICY, E_epoch_not_approved);
    case STAGE_COUNTER:
        return satisfy_by_lease(g, s->tr);
    case STAGE_LEASE:
        return satisfy_by_approval(g, s->tr);
    case STAGE_NONE:
    case STAGE_STALE:
    case STAGE_ARMED:
        break;
    }
    return fail(E_invariant);
}

result tpm_guard_satisfy(struct tpm_guard *g, struct guard_session *s)
{
    if (!g->approved)
        return fail(E_approval_missing);
    if (g->lease != LEASE_HELD)
        return fail(g->lease == LEASE_OVER ? E_lease_over : E_lease_missing);
    if (s->stage == STAGE_EMPTY) {
        s->lease = g->leases;
        s->begun = ++g->begun;
    }
    TRY(satisfy_next(g, s));
    s->stage++;
    return OK;
}
