#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>

#define FINISH_MS 3000 /* less than the supervisor waits before it kills */

/* The log goes on from the one that the chip remembers: no shorter, and with the same beginning. */
result anchor_holds(const struct keeper *k, const struct resume_message *m, const struct checkpoint *c)
{
    const struct tpm_anchor *a = &k->anchor.newest;
    struct merkle_proof p = { .n = m->proof_n };
    if (!k->anchor.known || !a->size)
        return OK;
    if (c->size < a->size)
        return fail(E_log_rolled_back);
    if (c->size == a->size)
        return digest_equal(&c->root, &a->root) ? OK : fail(E_log_rolled_back);
    for (unsigned i = 0; i < m->proof_n; i++)
        p.hash[i] = m->proof[i];
    return is_ok(merkle_verify_consistency(a->size, &a->root, c->size, &c->root, &p)) ? OK : fail(E_log_rolled_back);
}

/* A clean anchor over the log's very end says that nothing came after it. A log that nothing was ever signed of has nothing to
 * lose. */
bool anchor_is_unclean(const struct keeper *k, const struct checkpoint *c, bool has_note)
{
    const struct tpm_anchor *a = &k->anchor.newest;
    if (!k->anchor.known)
        return has_note;
    return !a->clean || a->size != c->size;
}

static result hold_statement(struct keeper *k, const struct jws *j, struct acknowledge *a)
{
    const struct checkpoint *c = &k->log.resumed;
    TRY(verify_statement(k->config->policy_key, TYP_ACKNOWLEDGE, j));
    TRY(acknowledge_parse(j->payload, a));
    TRY(acknowledge_check(a, k->config->domain, k->config->instance, clock_utc_ms() / 1000));
    return a->size == c->size && digest_equal(&a->root, &c->root) ? OK : fail(E_acknowledge_mismatch);
}

result anchor_acknowledge(struct keeper *k, uint64_t slot, struct span fields)
{
    struct jws j;
    struct acknowledge a;
    TRY(statement_read(fields, &j));
    result r = hold_statement(k, &j, &a);
    if (!is_ok(r)) {
        log_result(LOG_WARNING, "an acknowledgement", r);
    } else if (a.what == ACKNOWLEDGE_UNCLEAN) {
        log_line(LOG_NOTE, "acknowledged: certificates that were issued before the unclean start are taken");
        k->grounds.certificates_from = 0;
    } else if (k->log.state == LOG_ROLLED_BACK) {
        log_line(LOG_NOTE, "acknowledged: the log goes on behind its anchor");
        k->log.state = LOG_SERVES;
        k->anchor.wanted = true;
    }
    return tell_loaded(k, slot, LOADED_ACKNOWLEDGE, code_of(r));
}

static bool is_stop_signed(const struct keeper_log *log)
{
    return log->stop_size && log->newest.size >= log->stop_size;
}

/* At the run's first checkpoint, every so many (NV cells wear out; docs/threat-model.md), and at the stop's. */
void anchor_checkpointed(struct keeper *k)
{
    const struct keeper_log *log = &k->log;
    bool first = log->signed_n == 1, due = log->signed_n - k->anchor.written_at >= (uint64_t)k->config->anchor_every;
    if (first || due || is_stop_signed(log))
        k->anchor.wanted = true;
}

result anchor_turn(struct keeper *k, int64_t now_ms)
{
    struct keeper_anchor *a = &k->anchor;
    const struct grounds *g = &k->grounds;
    (void)now_ms;
    if (!a->wanted || !k->log.has_note || k->log.state != LOG_SERVES || !state_usable(k))
        return OK;
    a->wanted = false;
    a->written_at = k->log.signed_n;
    a->writing.anchor = (struct tpm_anchor){
        .clean = is_stop_signed(&k->log),
        .size = k->log.newest.size,
        .root = k->log.newest.root,
        .policy_epoch = g->policy ? (uint64_t)policy_epoch_of(g->policy) : a->newest.policy_epoch,
        .epoch = g->has_epoch ? (uint64_t)g->epoch.epoch : a->newest.epoch,
    };
    chip_give(k->chip, &a->writing.work, WORK_ANCHOR);
    return OK;
}

result anchor_written(struct keeper *k)
{
    bool done;
    TRY(state_outcome(k, "the log's anchor", k->anchor.writing.work.r, &done));
    if (!done) {
        k->anchor.wanted = true;
        return OK;
    }
    k->anchor.known = true;
    k->anchor.newest = k->anchor.writing.anchor;
    k->state.changed = true;
    return OK;
}

result anchor_json(const struct keeper *k, json_t *o, const char *name)
{
    const struct tpm_anchor *a = &k->anchor.newest;
    if (!k->anchor.known)
        return json_put_new(o, name, json_null());
    json_t *v = json_object();
    TRY(json_put_new(o, name, v));
    TRY(json_put_flag(v, "clean", a->clean));
    TRY(json_put_int(v, "epoch", (int64_t)a->epoch));
    TRY(json_put_int(v, "policy_epoch", (int64_t)a->policy_epoch));
    TRY(json_put_digest(v, "root", &a->root));
    return json_put_int(v, "size", (int64_t)a->size);
}

static bool is_due(const struct keeper *k)
{
    return k->anchor.wanted && k->log.state == LOG_SERVES && is_stop_signed(&k->log) && state_usable(k);
}

/* The core is gone by now, or is about to go: nothing is told any more, and what can't be done in time isn't. */
void anchor_finish(struct keeper *k)
{
    int64_t end_ms = clock_mono_ms() + FINISH_MS, now_ms;
    while ((chip_is_busy(k->chip) || is_due(k)) && (now_ms = clock_mono_ms()) < end_ms) {
        struct pollfd p = { .fd = chip_fd(k->chip), .events = POLLIN };
        if (!chip_is_busy(k->chip) && !is_ok(anchor_turn(k, now_ms)))
            return;
        if (poll(&p, 1, (int)(end_ms - now_ms)) < 0 && errno != EINTR)
            return;
        struct keeper_work *w = chip_take(k->chip);
        if (w && w->kind == WORK_ANCHOR && is_ok(w->r))
            return;
    }
}
