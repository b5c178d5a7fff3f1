#include "config.h"

#include "keeper/chip_side.h"

#include "attest/policy_digest.h"
#include "base/clock.h"
#include "keeper/measure.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct chip {
    struct side side;
    struct worker *worker;
    bool busy;
    int64_t begun_ms, last_ms;
    unsigned armed, fresh; /* the thread's, until the job is taken out */
};

void side_close(struct side *s)
{
    hsm_close(s->next);
    s->next = NULL;
    for (unsigned i = 0; i < ROLES; i++) {
        hsm_close(s->key[i]);
        s->key[i] = NULL;
    }
    tpm_guard_free(s->guard);
    s->guard = NULL;
    tpm_close(s->tpm);
    s->tpm = NULL;
    s->mint_handle = 0;
}

static result transport_of(int fd, enum tpm_transport *ret)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || (!S_ISSOCK(st.st_mode) && !S_ISCHR(st.st_mode)))
        return fail(E_tpm_unavailable);
    *ret = S_ISSOCK(st.st_mode) ? TPM_SOCKET : TPM_DEVICE;
    return OK;
}

static result open_tpm(struct side *s, int fd)
{
    enum tpm_transport transport;
    result r = transport_of(fd, &transport);
    if (is_ok(r))
        return tpm_open(fd, transport, &s->tpm);
    if (fd >= 0)
        close(fd);
    return r;
}

/* Another TPM, or a key that somebody replaced: what was enrolled is the public key that init recorded. */
result side_check(struct side *s, enum key_role role, struct buf *evidence)
{
    if (!pubkey_equal(hsm_public(s->key[role]), s->instance->key[role]))
        return fail(E_key_mismatch);
    buf_clear(evidence);
    return hsm_evidence(s->key[role], evidence);
}

/* The guard knows whose approvals count from the attestation key on: an approval fits one TPM and one log. */
static result open_guard(struct side *s, struct open_work *w)
{
    const struct config *c = s->config;
    AUTO_BUF origin = BUF(ORIGIN_MAX + 1);
    TRY(tpm_guard_new(s->tpm, c->policy_key, (unsigned)c->measured_pcr, c->nv_epoch, &s->guard));
    TRY(tpm_key_name(s->key[ROLE_ATTESTATION], w->ak_name));
    TRY(config_origin(c, &origin));
    TRY(buf_u8(&origin, 0));
    TRY(policy_ref((const char *)origin.p, w->ak_name, &w->ref));
    return tpm_guard_ref(s->guard, &w->ref);
}

uint32_t side_other_handle(const struct side *s)
{
    return s->mint_handle == s->config->handle_mint ? s->config->handle_mint_other : s->config->handle_mint;
}

/* The mint key is at one of two handles, which take turns from epoch to epoch. Cut off between making the next one and recording
 * it, or between recording and taking the old one away, the other handle holds a key that is in nobody's use. */
static result open_mint_key(struct side *s)
{
    const uint32_t pair[] = { s->config->handle_mint, s->config->handle_mint_other };
    result r = OK;
    for (unsigned i = 0; i < 2; i++) {
        r = tpm_signing_key(s->tpm, pair[i], s->key[ROLE_ATTESTATION], s->guard, &s->key[ROLE_MINT]);
        if (is_ok(r) && pubkey_equal(hsm_public(s->key[ROLE_MINT]), s->instance->key[ROLE_MINT])) {
            s->mint_handle = pair[i];
            return OK;
        }
        if (is_ok(r)) {
            hsm_close(s->key[ROLE_MINT]);
            s->key[ROLE_MINT] = NULL;
            r = fail(E_key_mismatch);
        } else if (code_of(r) != E_key_missing) {
            return r;
        }
    }
    return r;
}

static result open_keys(struct side *s, struct open_work *w)
{
    const struct config *c = s->config;
    w->what = "the attestation key";
    TRY(tpm_attestation_key(s->tpm, c->handle_attestation, &s->key[ROLE_ATTESTATION]));
    TRY(side_check(s, ROLE_ATTESTATION, &w->evidence[ROLE_ATTESTATION]));
    w->what = "the policy authority's key";
    TRY(open_guard(s, w));
    w->what = "the record key";
    TRY(tpm_signing_key(s->tpm, c->handle_record, s->key[ROLE_ATTESTATION], s->guard, &s->key[ROLE_RECORD]));
    TRY(side_check(s, ROLE_RECORD, &w->evidence[ROLE_RECORD]));
    if (c->mint_in_hsm)
        return OK;
    w->what = "the mint key";
    TRY(open_mint_key(s));
    return side_check(s, ROLE_MINT, &w->evidence[ROLE_MINT]);
}

/* What stands in the chip beside the keys. A PCR that can't be explained is no reason not to start: who asks is told why nothing is
 * signed. */
static result open_state(struct side *s, struct open_work *w)
{
    const struct config *c = s->config;
    w->what = "the revocation epoch's counter";
    TRY(tpm_counter_read(s->tpm, c->nv_epoch, &w->counter, w->counter_name));
    w->what = "the anchor";
    TRY(tpm_anchor_read(s->tpm, c->nv_anchor, tpm_guard_key_policy(s->guard), &w->has_anchor, &w->anchor));
    w->what = "the measurements";
    w->measured = measure(s->tpm, c, &w->present, &w->log, &w->pcr_value);
    enum seb_code code = code_of(w->measured);
    return code == E_tpm_unavailable || code == E_tpm_refused ? w->measured : OK;
}

static result open_all(struct side *s, struct open_work *w)
{
    side_close(s);
    w->what = "the TPM";
    TRY(open_tpm(s, w->fd));
    TRY(open_keys(s, w));
    return open_state(s, w);
}

/* What leaves the TPM as it was: the guard's refusals, and what others got wrong. */
static bool is_harmless(const struct keeper_work *w, enum seb_code code)
{
    if (w->kind == WORK_OPEN)
        return false;
    if (w->kind == WORK_UNSEAL && (code == E_key_missing || code == E_key_without_policy || code == E_key_other_policy))
        return true;
    return tpm_guard_refuses(code) || code == E_approval_invalid || code == E_approval_other_tpm || code == E_lease_invalid ||
           code == E_activation_failed || code == E_session_void;
}

/* Whatever failed: the keys are closed, and the descriptor, since a device may have room for one user only. */
static void run(struct job *j, void *thread)
{
    struct keeper_work *w = (struct keeper_work *)j;
    struct chip *c = thread;
    struct side *s = &c->side;
    result r = fail(E_tpm_unavailable);
    if (w->kind == WORK_OPEN)
        r = open_all(s, (struct open_work *)w);
    else if (s->tpm)
        r = chip_job(s, w);
    if (!is_ok(r) && !is_harmless(w, code_of(r)))
        side_close(s);
    c->armed = s->guard ? tpm_guard_armed(s->guard) : 0;
    c->fresh = s->guard ? tpm_guard_fresh(s->guard) : 0;
    w->r = r;
}

result chip_start(const struct config *config, const struct instance *instance, struct chip **ret)
{
    struct chip *c = calloc(1, sizeof *c);
    if (!c)
        return fail(E_no_memory);
    c->side.config = config;
    c->side.instance = instance;
    void *thread[1] = { c };
    result r = worker_start(thread, 1, &c->worker);
    if (!is_ok(r)) {
        free(c);
        return r;
    }
    *ret = c;
    return OK;
}

void chip_stop(struct chip *c)
{
    if (!c)
        return;
    worker_stop(c->worker);
    side_close(&c->side);
    free(c);
}

bool chip_is_busy(const struct chip *c)
{
    return c->busy;
}

int chip_fd(const struct chip *c)
{
    return worker_fd(c->worker);
}

void chip_give(struct chip *c, struct keeper_work *w, enum work_kind kind)
{
    w->kind = kind;
    w->job.run = run;
    c->busy = true;
    c->begun_ms = clock_mono_ms();
    worker_post(c->worker, &w->job);
}

struct keeper_work *chip_take(struct chip *c)
{
    struct keeper_work *w = (struct keeper_work *)worker_take(c->worker);
    if (!w)
        return NULL;
    c->busy = false;
    c->last_ms = clock_mono_ms() - c->begun_ms;
    return w;
}

int64_t chip_last_ms(const struct chip *c)
{
    return c->last_ms;
}

unsigned chip_armed(const struct chip *c)
{
    return c->armed;
}

unsigned chip_fresh(const struct chip *c)
{
    return c->fresh;
}
