/* Somebody who has fallen into the keeper's place: with the guard's sessions and tickets, talking to the chip directly. */
#include "config.h"

#include "tests/int/approved_driver.h"

static TSS2_RC sign_with(const struct driver *d, ESYS_TR session)
{
    const struct tpm_key *k = (const struct tpm_key *)d->key;
    const TPM2B_DIGEST digest = { .size = DIGEST_SIZE };
    const TPMT_SIG_SCHEME own_scheme = { .scheme = TPM2_ALG_NULL };
    const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
    AUTO_ESYS TPMT_SIGNATURE *signature = NULL;
    return Esys_Sign(d->tpm->esys, k->tr, session, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &own_scheme, &no_ticket, &signature);
}

/* The chip, asked directly with each armed session as it is: ok where one of them signs, else what it said to the first. */
result do_raw_sign(struct driver *d)
{
    result r = fail(E_not_found);
    for (unsigned i = 0; i < GUARD_SESSIONS; i++) {
        struct guard_session *s = &d->guard->session[i];
        if (s->stage != STAGE_ARMED)
            continue;
        result now = tpm_result(sign_with(d, s->tr));
        s->stage = is_ok(now) ? STAGE_EMPTY : STAGE_ARMED;
        r = code_of(r) == E_not_found || is_ok(now) ? now : r;
    }
    return r;
}

/* Without a session: the empty authorization, which serves a key without policy. */
result do_password_sign(struct driver *d)
{
    return tpm_result(sign_with(d, ESYS_TR_PASSWORD));
}

/* Without the guard's word: the chip's own commands, in another order where `nv_first`, as far as `all`. */
static TSS2_RC half_pcr(struct driver *d)
{
    const TPM2B_DIGEST any = { 0 };
    TPML_PCR_SELECTION pcrs;
    tpm_pcr_select(1u << MEASURED, &pcrs);
    return Esys_PolicyPCR(d->tpm->esys, d->half, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &any, &pcrs);
}

static TSS2_RC half_nv(struct driver *d)
{
    TPM2B_OPERAND operand = { .size = 8 };
    const struct tpm_guard *g = d->guard;
    const ESYS_TR counter = d->tpm->kept;
    for (unsigned i = 0; i < 8; i++)
        operand.buffer[i] = (uint8_t)(g->approved_counter >> (56 - 8 * i));
    return Esys_PolicyNV(
        d->tpm->esys, counter, counter, d->half, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &operand, 0, TPM2_EO_EQ);
}

/* half pcr-nv|nv|pcr: satisfied so far. */
result do_half(struct driver *d)
{
    AUTO_TRANSIENT session = TPM_TRANSIENT(d->tpm);
    TRY(tpm_policy_session(d->tpm, ESYS_TR_NONE, &session));
    d->half = session.tr;
    session.tr = ESYS_TR_NONE;
    if (!said(d, 1, "nv"))
        TRY(tpm_result(half_pcr(d)));
    return said(d, 1, "pcr") ? OK : tpm_result(half_nv(d));
}

static result finish(struct driver *d)
{
    const struct tpm_guard *g = d->guard;
    const TPM2B_DIGEST no_digest = { 0 };
    TPM2B_DIGEST policy = { .size = DIGEST_SIZE };
    TPM2B_NONCE ref = { .size = DIGEST_SIZE };
    if (said(d, 1, "nv"))
        TRY(tpm_result(half_pcr(d)));
    if (said(d, 1, "pcr"))
        TRY(tpm_result(half_nv(d)));
    TRY(span_copy(digest_span(&g->ref), ref.buffer, DIGEST_SIZE));
    TRY(tpm_result(Esys_PolicyTicket(d->tpm->esys, d->half, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &g->timeout, &no_digest, &ref,
        &g->lessor.name, &g->ticket)));
    TRY(span_copy(digest_span(&g->policy), policy.buffer, DIGEST_SIZE));
    TRY(tpm_result(Esys_PolicyAuthorize(
        d->tpm->esys, d->half, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy, &ref, &g->authority.name, &g->approval)));
    return tpm_result(sign_with(d, d->half));
}

/* finish pcr-nv|nv|pcr: the rest of it, and a signature. */
result do_finish(struct driver *d)
{
    AUTO_TRANSIENT session = { .tpm = d->tpm, .tr = d->half };
    result r = finish(d);
    d->half = ESYS_TR_NONE;
    return r;
}

result do_steal(struct driver *d)
{
    d->timeout = d->guard->timeout;
    d->ticket = d->guard->ticket;
    d->approval = d->guard->approval;
    return OK;
}

/* plant lease|approval: what was stolen before, in the place of what this guard has. */
result do_plant(struct driver *d)
{
    if (said(d, 1, "approval")) {
        d->guard->approval = d->approval;
        return OK;
    }
    d->guard->timeout = d->timeout;
    d->guard->ticket = d->ticket;
    d->guard->lease = LEASE_HELD;
    return OK;
}
