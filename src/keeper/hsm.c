#include "config.h"

#include "keeper/hsm.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SESSIONS_MAX 16
#define LABEL_ROOM 96
/* PKCS#11 3.0 section 6: a PIN that was refused is never offered again: the token counts, and locks. */
#define CKR_PIN_INCORRECT_ 0xa0
#define CKR_PIN_LOCKED_ 0xa4

struct session { /* a thread's own; all are the opening's while it is under way */
    struct keeper_hsm *hsm;
    struct hsm_key *key;
};
struct keeper_hsm {
    const struct config *config;
    const struct instance *instance;
    struct buf *evidence;
    struct p11_token *token;
    struct secret *pin; /* for the opening that is under way */
    result pin_refused; /* not ok: whatever is unsealed, it isn't offered */
    bool known;
    struct p11_identity identity;
    struct session session[SESSIONS_MAX];
    atomic_bool lost; /* what waits in the queue isn't tried any more: a token that hangs takes its time to say so */
    struct worker *worker;
    struct keeper_work opening;
    int64_t epoch; /* of the key that is to be made */
    struct pubkey *made;
    unsigned under_way; /* jobs, those included that are done and not taken out */
};

static void close_keys(struct keeper_hsm *h)
{
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        hsm_close(h->session[i].key);
        h->session[i].key = NULL;
    }
}

static bool is_identity(const struct p11_identity *a, const struct p11_identity *b)
{
    return span_is(span_text(a->manufacturer), b->manufacturer) && span_is(span_text(a->model), b->model) &&
           span_is(span_text(a->serial), b->serial);
}

static result open_anew(struct keeper_hsm *h)
{
    const struct config *c = h->config;
    const struct p11_args args = { .module = c->module, .token = c->token, .pin = h->pin };
    struct p11_identity identity;
    TRY(h->pin_refused);
    if (!h->pin)
        return fail(E_invariant);
    result r = p11_open(&args, &h->token);
    uint32_t code = foreign_of(r) == FOREIGN_PKCS11 ? foreign_code(r) : 0;
    if (code == CKR_PIN_INCORRECT_ || code == CKR_PIN_LOCKED_)
        h->pin_refused = r;
    TRY(r);
    p11_identity_of(h->token, &identity);
    if (h->known && !is_identity(&identity, &h->identity)) {
        p11_close(h->token);
        h->token = NULL;
        return fail(E_hsm_unavailable);
    }
    h->identity = identity;
    h->known = true;
    return OK;
}

static result label_of(const struct keeper_hsm *h, int64_t epoch, struct buf *out)
{
    TRY(buf_printf(out, "%s.%lld", h->config->mint_label, (long long)epoch));
    return buf_u8(out, 0);
}

/* The first epoch's key has the label that init gave it. */
static result open_key(struct keeper_hsm *h, struct hsm_key **ret)
{
    AUTO_BUF label = BUF(LABEL_ROOM);
    result r = fail(E_key_missing);
    if (h->instance->mint_epoch >= 0) {
        TRY(label_of(h, h->instance->mint_epoch, &label));
        r = p11_key(h->token, (const char *)label.p, ret);
    }
    if (code_of(r) == E_key_missing)
        r = p11_key(h->token, h->config->mint_label, ret);
    TRY(r);
    return pubkey_equal(hsm_public(*ret), h->instance->key[ROLE_MINT]) ? OK : fail(E_key_mismatch);
}

static result open_all(struct keeper_hsm *h)
{
    TRY(h->token ? p11_restart(h->token) : open_anew(h));
    for (unsigned i = 0; i < (unsigned)h->config->hsm_sessions; i++)
        TRY(open_key(h, &h->session[i].key));
    buf_clear(h->evidence);
    return hsm_evidence(h->session[0].key, h->evidence);
}

static void run_open(struct job *j, void *thread)
{
    struct keeper_hsm *h = ((struct session *)thread)->hsm;
    struct keeper_work *w = (struct keeper_work *)j;
    close_keys(h);
    w->r = open_all(h);
    secret_free(h->pin);
    h->pin = NULL;
    atomic_store(&h->lost, !is_ok(w->r));
}

static void run_close(struct job *j, void *thread)
{
    struct keeper_hsm *h = ((struct session *)thread)->hsm;
    close_keys(h);
    p11_close(h->token);
    h->token = NULL;
    atomic_store(&h->lost, true);
    ((struct keeper_work *)j)->r = OK;
}

static result make_key(struct keeper_hsm *h)
{
    AUTO_BUF label = BUF(LABEL_ROOM);
    struct hsm_key *key;
    bool made;
    if (atomic_load(&h->lost))
        return fail(E_hsm_unavailable);
    TRY(label_of(h, h->epoch, &label));
    TRY(p11_provision(h->token, (const char *)label.p, &made));
    TRY(p11_key(h->token, (const char *)label.p, &key));
    h->made = pubkey_hold(hsm_public(key));
    hsm_close(key);
    return OK;
}

static void run_make(struct job *j, void *thread)
{
    struct keeper_hsm *h = ((struct session *)thread)->hsm;
    ((struct keeper_work *)j)->r = make_key(h);
}

static void run_mint(struct job *j, void *thread)
{
    struct session *s = thread;
    struct mint_work *w = (struct mint_work *)j;
    w->work.r = atomic_load(&s->hsm->lost) ? fail(E_hsm_unavailable) : hsm_sign(s->key, &w->digest, w->raw);
    if (!is_ok(w->work.r))
        atomic_store(&s->hsm->lost, true);
}

result hsm_start(const struct config *config, const struct instance *instance, struct buf *evidence, struct keeper_hsm **ret)
{
    void *thread[SESSIONS_MAX];
    if (config->hsm_sessions < 1 || config->hsm_sessions > SESSIONS_MAX)
        return fail(E_no_config);
    struct keeper_hsm *h = calloc(1, sizeof *h);
    if (!h)
        return fail(E_no_memory);
    *h = (struct keeper_hsm){ .config = config, .instance = instance, .evidence = evidence, .lost = true };
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
    secret_free(h->pin);
    pubkey_free(h->made);
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

bool hsm_has_token(const struct keeper_hsm *h)
{
    return h->token != NULL;
}

void hsm_open(struct keeper_hsm *h, struct secret *pin)
{
    secret_free(h->pin);
    h->pin = pin;
    post(h, &h->opening, WORK_OPEN, run_open);
}

void hsm_close_token(struct keeper_hsm *h)
{
    post(h, &h->opening, WORK_CLOSE, run_close);
}

void hsm_make(struct keeper_hsm *h, int64_t epoch)
{
    h->epoch = epoch;
    post(h, &h->opening, WORK_MINT_KEY, run_make);
}

struct pubkey *hsm_made(struct keeper_hsm *h)
{
    struct pubkey *made = h->made;
    h->made = NULL;
    return made;
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
    return h->known ? &h->identity : NULL;
}
