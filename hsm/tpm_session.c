/* The sessions of a guard. A session that was used is empty again (TPM 2.0 Part 1, section 19.4.2) and is satisfied anew without
 * TPM2_PolicyRestart; one that a PCR voided, or that was begun before a lease, with it (Part 3, TPM2_PolicyRestart). Where arming
 * is refused all are flushed. */
#include "config.h"

#include "hsm/tpm_guard_internal.h"

result tpm_policy_session(struct tpm *t, ESYS_TR salt_key, struct tpm_transient *ret)
{
    const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
    const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
    return tpm_result(Esys_StartAuthSession(t->esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
        TPM2_SE_POLICY, salt_key == ESYS_TR_NONE ? &none : &aes, TPM2_ALG_SHA256, &ret->tr));
}

static void drop(struct tpm_guard *g, struct guard_session *s)
{
    AUTO_TRANSIENT session = { .tpm = g->tpm, .tr = s->tr };
    *s = (struct guard_session){ .tr = ESYS_TR_NONE };
}

void tpm_guard_disarm(struct tpm_guard *g)
{
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        drop(g, &g->session[i]);
}

static unsigned count(const struct tpm_guard *g, bool fresh)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        n += g->session[i].stage == STAGE_ARMED && (!fresh || g->session[i].lease == g->leases);
    return n;
}

unsigned tpm_guard_armed(const struct tpm_guard *g)
{
    return count(g, false);
}

unsigned tpm_guard_fresh(const struct tpm_guard *g)
{
    return count(g, true);
}

void tpm_guard_by_steps(struct tpm_guard *g, bool by_steps)
{
    g->by_steps = by_steps;
}

static bool refused_for(result r, TPM2_RC code)
{
    return code_of(r) == E_tpm_refused && tpm_base_code(foreign_code(r)) == code;
}

bool tpm_pcr_changed(result r)
{
    return refused_for(r, TPM2_RC_PCR_CHANGED);
}

/* What a session's own state was refused for: it is void, and another one may not be. */
static bool is_void(result r)
{
    return tpm_pcr_changed(r) || refused_for(r, TPM2_RC_EXPIRED) || refused_for(r, TPM2_RC_POLICY_FAIL);
}

/* The session that is to be armed next: of those that aren't the one that is furthest, else the older one of those that an older
 * lease armed. */
static struct guard_session *next_to_arm(struct tpm_guard *g)
{
    struct guard_session *best = NULL;
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        if (g->session[i].stage != STAGE_ARMED && (!best || g->session[i].stage > best->stage))
            best = &g->session[i];
    if (best)
        return best;
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        if (g->session[i].lease != g->leases && (!best || g->session[i].begun < best->begun))
            best = &g->session[i];
    return best;
}

static result start(struct tpm_guard *g, struct guard_session *s)
{
    AUTO_TRANSIENT session = TPM_TRANSIENT(g->tpm);
    TRY(tpm_policy_session(g->tpm, ESYS_TR_NONE, &session));
    s->tr = session.tr;
    session.tr = ESYS_TR_NONE;
    s->stage = STAGE_EMPTY;
    return OK;
}

static result restart(struct tpm_guard *g, struct guard_session *s)
{
    TRY(tpm_result(Esys_PolicyRestart(g->tpm->esys, s->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE)));
    s->stage = STAGE_EMPTY;
    return OK;
}

static result step_once(struct tpm_guard *g, struct guard_session *s)
{
    if (s->stage == STAGE_ARMED || (s->stage > STAGE_EMPTY && s->lease != g->leases))
        s->stage = STAGE_STALE;
    if (s->stage == STAGE_STALE)
        return restart(g, s);
    if (s->stage == STAGE_NONE && g->approved && g->lease == LEASE_HELD)
        return start(g, s);
    return tpm_guard_satisfy(g, s);
}

/* A chip that keeps the PCRs' state over a session's use finds it void while it is satisfied again: a new one, once. */
static result step(struct tpm_guard *g, struct guard_session *s)
{
    result r = step_once(g, s);
    if (is_ok(r)) {
        g->anew = g->anew && s->stage != STAGE_ARMED;
        return OK;
    }
    if (tpm_pcr_changed(r) && !g->anew) {
        g->anew = true;
        drop(g, s);
        return OK;
    }
    g->anew = false;
    tpm_guard_disarm(g);
    return tpm_policy_refused(r);
}

static result arm(struct tpm_guard *g, struct guard_session *s)
{
    do
        TRY(step(g, s));
    while (s->stage != STAGE_ARMED);
    return OK;
}

result tpm_guard_arm(struct tpm_guard *g, bool *ret_armed)
{
    struct guard_session *s = next_to_arm(g);
    if (s)
        TRY(arm(g, s));
    *ret_armed = s != NULL;
    return OK;
}

result tpm_guard_arm_step(struct tpm_guard *g, bool *ret_more)
{
    struct guard_session *s = next_to_arm(g);
    if (s)
        TRY(step(g, s));
    *ret_more = next_to_arm(g) != NULL;
    return OK;
}

/* The one that was begun last: its lease is the newest, and where a PCR voided it, it voided the others too. */
static struct guard_session *armed_session(struct tpm_guard *g)
{
    struct guard_session *best = NULL;
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        if (g->session[i].stage == STAGE_ARMED && (!best || g->session[i].begun > best->begun))
            best = &g->session[i];
    return best;
}

/* All are begun anew: also one that is being armed, and may have been begun before what voided this one. */
static void all_void(struct tpm_guard *g)
{
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        if (g->session[i].stage > STAGE_EMPTY)
            g->session[i].stage = STAGE_STALE;
}

static result use_once(struct tpm_guard *g, guarded_command run, void *context)
{
    struct guard_session *s = armed_session(g);
    if (!s) {
        s = next_to_arm(g);
        TRY(arm(g, s));
    }
    result r = tpm_result(run(context, s->tr));
    if (is_ok(r))
        s->stage = STAGE_EMPTY;
    else if (is_void(r))
        all_void(g);
    else
        drop(g, s);
    return r;
}

result tpm_policy_refused(result r)
{
    if (!is_void(r))
        return r;
    return fail_foreign(refused_for(r, TPM2_RC_EXPIRED) ? E_lease_over : E_state_not_approved, foreign_of(r), foreign_code(r));
}

/* What the chip refuses twice in a row, though it was satisfied anew in between, is no PCR's doing. */
static result use_by_steps(struct tpm_guard *g, guarded_command run, void *context)
{
    if (!tpm_guard_armed(g))
        return fail(E_session_void);
    result r = use_once(g, run, context);
    if (tpm_pcr_changed(r))
        return fail_foreign(E_session_void, foreign_of(r), foreign_code(r));
    g->voided = is_void(r) ? g->voided + 1 : 0;
    return g->voided == 1 ? fail_foreign(E_session_void, foreign_of(r), foreign_code(r)) : r;
}

static result use_patiently(struct tpm_guard *g, guarded_command run, void *context)
{
    result r = use_once(g, run, context);
    for (unsigned tries = 1; is_void(r) && tries < (tpm_pcr_changed(r) ? GUARD_PATIENCE : 2); tries++)
        r = use_once(g, run, context);
    return r;
}

result tpm_guard_use(struct tpm_guard *g, guarded_command run, void *context)
{
    result r = g->by_steps ? use_by_steps(g, run, context) : use_patiently(g, run, context);
    if (is_void(r))
        tpm_guard_disarm(g);
    return tpm_policy_refused(r);
}

bool tpm_guard_refuses(enum seb_code code)
{
    switch (code) {
    case E_approval_missing:
    case E_approval_invalid:
    case E_lease_missing:
    case E_lease_over:
    case E_epoch_not_approved:
    case E_state_not_approved:
    case E_counter_missing:
        return true;
    default:
        return false;
    }
}
