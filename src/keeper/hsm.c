#include "config.h"

#include "keeper/hsm.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SESSIONS_MAX 16

struct session { /* a thread's own; all are the opening's while it is under way */
    struct keeper_hsm *hsm;
    struct hsm_key *key;
};
struct keeper_hsm {
    const struct config *config;
    const struct pubkey *expected;
    struct buf *evidence;
    struct p11_token *token;
    struct p11_identity identity;
    struct session session[SESSIONS_MAX];
    atomic_bool lost; /* what waits in the queue isn't tried any more: a token that hangs takes its time to say so */
    struct worker *worker;
    struct keeper_work opening;
    unsigned under_way; /* jobs, those included that are done and not taken out */
};

static void close_keys(struct keeper_hsm *h)
{
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        hsm_close(h->session[i].key);
        h->session[i].key = NULL;
    }
}

/* The token, once it is known, stays: it knows whose it was and whether its PIN was refused, across all restarts of the module. */
static result open_token(struct keeper_hsm *h)
{
    const struct config *c = h->config;
    const struct p11_args args = { .module = c->module, .token = c->token, .pin_file = c->pin_file };
    if (h->token)
        return p11_restart(h->token);
    TRY(p11_open(&args, &h->token));
    p11_identity_of(h->token, &h->identity);
    return OK;
}

static result open_all(struct keeper_hsm *h)
{
    TRY(open_token(h));
    for (unsigned i = 0; i < (unsigned)h->config->hsm_sessions; i++) {
        TRY(p11_key(h->token, h->config->mint_label, &h->session[i].key));
        if (!pubkey_equal(hsm_public(h->session[i].key), h->expected))
            return fail(E_key_mismatch);
    }
    buf_clear(h->evidence);
    return hsm_evidence(h->session[0].key, h->evidence);
}

static void run_open(struct job *j, void *thread)
{
    struct keeper_hsm *h = ((struct session *)thread)->hsm;
    struct keeper_work *w = (struct keeper_work *)j;
    close_keys(h);
    w->r = open_all(h);
    atomic_store(&h->lost, !is_ok(w->r));
}

static void run_mint(struct job *j, void *thread)
{
    struct session *s = thread;
    struct mint_work *w = (struct mint_work *)j;
    w->work.r = atomic_load(&s->hsm->lost) ? fail(E_hsm_unavailable) : hsm_sign(s->key, &w->digest, w->raw);
    if (!is_ok(w->work.r))
        atomic_store(&s->hsm->lost, true);
}

result hsm_start(const struct config *config, const struct pubkey *expected, struct buf *evidence, struct keeper_hsm **ret)
{
    void *thread[SESSIONS_MAX];
    if (config->hsm_sessions < 1 || config->hsm_sessions > SESSIONS_MAX)
        return fail(E_no_config);
    struct keeper_hsm *h = calloc(1, sizeof *h);
    if (!h)
        return fail(E_no_memory);
    *h = (struct keeper_hsm){ .config = config, .expected = expected, .evidence = evidence, .lost = true };
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        h->session[i].hsm = h;
        thread[i] = &h->session[i];
    }
    result r = worker_start(thread, (unsigned)config->hsm_sessions, &h->worker);
    if (!is_ok(r)) {
        free(h);
        return r;
    }
    *ret = h;
    return OK;
}

void hsm_stop(struct keeper_hsm *h)
{
    if (!h)
        return;
    worker_stop(h->worker);
    close_keys(h);
    p11_close(h->token);
    free(h);
}

bool hsm_is_idle(const struct keeper_hsm *h)
{
    return h->under_way == 0;
}

static void post(struct keeper_hsm *h, struct keeper_work *w, enum work_kind kind, void (*run)(struct job *, void *))
{
    w->kind = kind;
    w->job.run = run;
    h->under_way++;
    worker_post(h->worker, &w->job);
}

void hsm_open(struct keeper_hsm *h)
{
    post(h, &h->opening, WORK_OPEN, run_open);
}

void hsm_mint(struct keeper_hsm *h, struct mint_work *w)
{
    post(h, &w->work, WORK_MINT, run_mint);
}

int hsm_fd(const struct keeper_hsm *h)
{
    return worker_fd(h->worker);
}

struct keeper_work *hsm_take(struct keeper_hsm *h)
{
    struct keeper_work *w = (struct keeper_work *)worker_take(h->worker);
    h->under_way -= w != NULL;
    return w;
}

const struct p11_identity *hsm_identity(const struct keeper_hsm *h)
{
    return &h->identity;
}
