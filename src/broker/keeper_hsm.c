#include "config.h"

#include "broker/keeper_hsm.h"

#include <stdlib.h>

#define SESSIONS_MAX 16

struct keeper_hsm {
    struct p11_token *token;
    struct p11_identity identity;
    unsigned n;
    struct hsm_key *key[SESSIONS_MAX]; /* one a thread */
    struct worker *worker;
};

static result open_keys(struct keeper_hsm *h, const struct config *c, const struct pubkey *expected)
{
    const struct p11_args args = { .module = c->module, .token = c->token, .pin_file = c->pin_file };
    TRY(p11_open(&args, &h->token));
    p11_identity_of(h->token, &h->identity);
    for (; h->n < (unsigned)c->hsm_sessions && h->n < SESSIONS_MAX; h->n++) {
        TRY(p11_key(h->token, c->mint_label, &h->key[h->n]));
        if (!pubkey_equal(hsm_public(h->key[h->n]), expected))
            return fail(E_key_mismatch);
    }
    return h->n ? OK : fail(E_no_config);
}

static result start(struct keeper_hsm *h, const struct config *c, const struct pubkey *expected, struct buf *evidence)
{
    void *thread[SESSIONS_MAX];
    TRY(open_keys(h, c, expected));
    TRY(hsm_evidence(h->key[0], evidence));
    for (unsigned i = 0; i < h->n; i++)
        thread[i] = h->key[i];
    return worker_start(thread, h->n, &h->worker);
}

result hsm_start(const struct config *config, const struct pubkey *expected, struct buf *evidence, struct keeper_hsm **ret)
{
    struct keeper_hsm *h = calloc(1, sizeof *h);
    if (!h)
        return fail(E_no_memory);
    result r = start(h, config, expected, evidence);
    if (!is_ok(r)) {
        hsm_stop(h);
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
    for (unsigned i = 0; i < SESSIONS_MAX; i++)
        hsm_close(h->key[i]);
    p11_close(h->token);
    free(h);
}

const struct p11_identity *hsm_identity(const struct keeper_hsm *h)
{
    return &h->identity;
}

static void run_mint(struct job *j, void *thread)
{
    struct mint_work *w = (struct mint_work *)j;
    w->work.r = hsm_sign(thread, &w->digest, w->raw);
}

void hsm_mint(struct keeper_hsm *h, struct mint_work *w)
{
    w->work.kind = WORK_MINT;
    w->work.job.run = run_mint;
    worker_post(h->worker, &w->work.job);
}

int hsm_fd(const struct keeper_hsm *h)
{
    return worker_fd(h->worker);
}

struct mint_work *hsm_take(struct keeper_hsm *h)
{
    return (struct mint_work *)worker_take(h->worker);
}
