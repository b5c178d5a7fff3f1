/* The sessions of a guard. A session that was used is empty again (TPM 2.0 Part 1, section 19.4.2) and is satisfied anew without
 * TPM2_PolicyRestart; one on which anything failed is flushed: nothing that is half satisfied is kept. */
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

unsigned tpm_guard_armed(const struct tpm_guard *g)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        n += g->session[i].armed;
    return n;
}

/* What a session's own state was refused for: it is void, and another one may not be. */
static bool is_void(result r)
{
    TPM2_RC code = tpm_base_code(foreign_code(r));
    return code_of(r) == E_tpm_refused && (code == TPM2_RC_PCR_CHANGED || code == TPM2_RC_EXPIRED || code == TPM2_RC_POLICY_FAIL);
}

/* The session that is to be armed next: one that isn't, else one that an older lease armed. */
static struct guard_session *next_to_arm(struct tpm_guard *g)
{
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        if (!g->session[i].armed)
            return &g->session[i];
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        if (g->session[i].lease != g->leases)
            return &g->session[i];
    return NULL;
}

static result session_ready(struct tpm_guard *g, struct guard_session *s)
{
    if (s->armed)
        drop(g, s);
    if (s->tr != ESYS_TR_NONE)
        return OK;
    AUTO_TRANSIENT session = TPM_TRANSIENT(g->tpm);
    TRY(tpm_policy_session(g->tpm, ESYS_TR_NONE, &session));
    s->tr = session.tr;
    session.tr = ESYS_TR_NONE;
    return OK;
}

static result arm(struct tpm_guard *g, struct guard_session *s)
{
    TRY(session_ready(g, s));
    result r = tpm_guard_satisfy(g, s->tr);
    if (!is_ok(r)) {
        drop(g, s);
        return r;
    }
    s->armed = true;
    s->lease = g->leases;
    return OK;
}

/* A PCR that somebody extends meanwhile voids what was checked before it (0x128): once again. */
static result arm_patiently(struct tpm_guard *g, struct guard_session *s)
{
    result r = arm(g, s);
    return is_void(r) ? arm(g, s) : r;
}

result tpm_guard_arm(struct tpm_guard *g, bool *ret_armed)
{
    struct guard_session *s = next_to_arm(g);
    if (s)
        TRY(arm_patiently(g, s));
    *ret_armed = s != NULL;
    return OK;
}

/* The one of the newest lease, which is valid longest. */
static struct guard_session *armed_session(struct tpm_guard *g)
{
    struct guard_session *best = NULL;
    for (unsigned i = 0; i < GUARD_SESSIONS; i++)
        if (g->session[i].armed && (!best || g->session[i].lease > best->lease))
            best = &g->session[i];
    return best;
}

static result use_once(struct tpm_guard *g, guarded_command run, void *context)
{
    struct guard_session *s = armed_session(g);
    if (!s) {
        s = &g->session[0];
        TRY(arm_patiently(g, s));
    }
    result r = tpm_result(run(context, s->tr));
    s->armed = false;
    if (!is_ok(r))
        drop(g, s);
    return r;
}

result tpm_policy_refused(result r)
{
    TPM2_RC code = tpm_base_code(foreign_code(r));
    if (!is_void(r))
        return r;
    return fail_foreign(code == TPM2_RC_EXPIRED ? E_lease_over : E_state_not_approved, foreign_of(r), foreign_code(r));
}

result tpm_guard_use(struct tpm_guard *g, guarded_command run, void *context)
{
    result r = use_once(g, run, context);
    if (!is_void(r))
        return r;
    tpm_guard_disarm(g); /* the others were satisfied no later */
    return tpm_policy_refused(use_once(g, run, context));
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
