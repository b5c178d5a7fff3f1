#include "config.h"

#include "keeper/chip.h"

#include "base/clock.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct side { /* the thread's own */
    const struct config *config;
    const struct instance *instance;
    struct tpm *tpm;
    struct hsm_key *key[ROLES];
};
struct chip {
    struct side side;
    struct worker *worker;
    bool busy;
    int64_t begun_ms, last_ms;
};

static void side_close(struct side *s)
{
    for (unsigned i = 0; i < ROLES; i++) {
        hsm_close(s->key[i]);
        s->key[i] = NULL;
    }
    tpm_close(s->tpm);
    s->tpm = NULL;
}

/* Whatever failed: the keys are closed, and the descriptor, since a device may have room for one user only. */
static void work_end(struct side *s, struct keeper_work *w, result r)
{
    if (!is_ok(r))
        side_close(s);
    w->r = r;
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
static result check_key(struct side *s, enum key_role role, struct buf *evidence)
{
    if (!pubkey_equal(hsm_public(s->key[role]), s->instance->key[role]))
        return fail(E_key_mismatch);
    buf_clear(evidence);
    return hsm_evidence(s->key[role], evidence);
}

static result open_all(struct side *s, struct open_work *w)
{
    const struct config *c = s->config;
    w->what = "the TPM";
    TRY(open_tpm(s, w->fd));
    w->what = "the attestation key";
    TRY(tpm_attestation_key(s->tpm, c->handle_attestation, &s->key[ROLE_ATTESTATION]));
    TRY(check_key(s, ROLE_ATTESTATION, &w->evidence[ROLE_ATTESTATION]));
    w->what = "the record key";
    TRY(tpm_signing_key(s->tpm, c->handle_record, s->key[ROLE_ATTESTATION], NULL, &s->key[ROLE_RECORD]));
    TRY(check_key(s, ROLE_RECORD, &w->evidence[ROLE_RECORD]));
    if (c->mint_in_hsm)
        return OK;
    w->what = "the mint key";
    TRY(tpm_signing_key(s->tpm, c->handle_mint, s->key[ROLE_ATTESTATION], NULL, &s->key[ROLE_MINT]));
    return check_key(s, ROLE_MINT, &w->evidence[ROLE_MINT]);
}

static void run_open(struct job *j, void *thread)
{
    struct open_work *w = (struct open_work *)j;
    struct side *s = thread;
    side_close(s);
    work_end(s, &w->work, open_all(s, w));
}

static void run_sign(struct job *j, void *thread)
{
    struct sign_work *w = (struct sign_work *)j;
    struct side *s = thread;
    work_end(s, &w->work, s->tpm ? hsm_sign(s->key[ROLE_RECORD], &w->digest, w->raw) : fail(E_tpm_unavailable));
}

static void run_quote(struct job *j, void *thread)
{
    struct quote_work *w = (struct quote_work *)j;
    struct side *s = thread;
    work_end(s, &w->work,
        s->tpm ? tpm_quote(s->key[ROLE_ATTESTATION], s->config->pcr_mask, &w->qualifying, &w->quote) : fail(E_tpm_unavailable));
}

static void run_mint(struct job *j, void *thread)
{
    struct mint_work *w = (struct mint_work *)j;
    struct side *s = thread;
    work_end(s, &w->work, s->key[ROLE_MINT] ? hsm_sign(s->key[ROLE_MINT], &w->digest, w->raw) : fail(E_tpm_unavailable));
}

result chip_start(const struct config *config, const struct instance *instance, struct chip **ret)
{
    struct chip *c = calloc(1, sizeof *c);
    if (!c)
        return fail(E_no_memory);
    c->side.config = config;
    c->side.instance = instance;
    void *thread[1] = { &c->side };
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

static void post(struct chip *c, struct keeper_work *w, enum work_kind kind, void (*run)(struct job *, void *))
{
    w->kind = kind;
    w->job.run = run;
    c->busy = true;
    c->begun_ms = clock_mono_ms();
    worker_post(c->worker, &w->job);
}

void chip_open(struct chip *c, struct open_work *w)
{
    post(c, &w->work, WORK_OPEN, run_open);
}

void chip_sign(struct chip *c, struct sign_work *w)
{
    post(c, &w->work, WORK_SIGN, run_sign);
}

void chip_quote(struct chip *c, struct quote_work *w)
{
    post(c, &w->work, WORK_QUOTE, run_quote);
}

void chip_mint(struct chip *c, struct mint_work *w)
{
    post(c, &w->work, WORK_MINT, run_mint);
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
