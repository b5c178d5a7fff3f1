#include "config.h"

#include "keeper/keeper.h"

#include "base/log.h"

static result read_policy(const struct keeper *k, const struct jws *j, struct policy **ret)
{
    struct policy *p = NULL;
    TRY(verify_statement(k->config->policy_key, TYP_POLICY, j));
    TRY(policy_parse(j->payload, &p));
    result r = policy_follows(k->grounds.policy, p, k->config->domain);
    if (is_ok(r))
        *ret = p;
    else
        policy_free(p);
    return r;
}

/* The policy must name the token that holds the mint key, and none where none does: a token that nobody named, SoftHSM say, isn't
 * trusted for being configured. Which token it is isn't known before it was opened once; nothing is minted until then. */
static enum seb_code hsm_approved(const struct keeper *k, const struct policy *p)
{
    const char *manufacturer, *model, *serial;
    bool named = policy_hsm(p, &manufacturer, &model, &serial);
    if (!named || !k->hsm)
        return named == (k->hsm != NULL) ? E_ok : E_hsm_not_approved;
    const struct p11_identity *have = hsm_identity(k->hsm);
    if (!have)
        return E_ok;
    bool same = span_is(span_text(have->manufacturer), manufacturer) && span_is(span_text(have->model), model) &&
                span_is(span_text(have->serial), serial);
    return same ? E_ok : E_hsm_not_approved;
}

void policy_judge_hsm(struct keeper *k)
{
    if (k->hsm_policy)
        k->grounds.hsm = hsm_approved(k, k->hsm_policy);
}

/* The anchor remembers which version was in force: an older one, though signed, is what a database copied back brings. */
static result hold_anchor(const struct keeper *k, const struct policy *p)
{
    bool older = k->anchor.known && (uint64_t)policy_epoch_of(p) < k->anchor.newest.policy_epoch;
    return older ? fail(E_not_newer) : OK;
}

/* What a verifier said whom the policy in force doesn't name lets nothing be minted. */
static void drop_results(struct grounds *g)
{
    for (unsigned i = 0; i < HELD_RESULTS; i++)
        if (!policy_names_verifier(g->policy, &g->results.result[i].by))
            g->results.result[i] = (struct held_result){ 0 };
}

/* A newer policy that doesn't approve of the token isn't in force; but whoever signs policies has spoken, so the older one isn't
 * minted under any more either. */
result policy_load(struct keeper *k, uint64_t slot, struct span fields)
{
    struct jws j;
    struct policy *p = NULL;
    TRY(statement_read(fields, &j));
    result r = read_policy(k, &j, &p);
    if (is_ok(r))
        r = hold_anchor(k, p);
    if (is_ok(r)) {
        policy_free(k->hsm_policy);
        k->hsm_policy = policy_hold(p);
        policy_judge_hsm(k);
        r = fail(k->grounds.hsm);
    }
    if (is_ok(r)) {
        policy_free(k->grounds.policy);
        k->grounds.policy = p;
        drop_results(&k->grounds);
        approval_choose(k); /* who must have countersigned may be others */
    } else {
        log_result(LOG_WARNING, "policy refused", r);
        policy_free(p);
    }
    return tell_loaded(k, slot, LOADED_POLICY, code_of(r));
}

static result read_epoch(const struct keeper *k, const struct jws *j, struct epoch_statement *ret)
{
    const struct grounds *g = &k->grounds;
    struct epoch_statement e;
    TRY(verify_statement(k->config->revocation_key, TYP_EPOCH, j));
    TRY(epoch_parse(j->payload, &e));
    TRY(epoch_follows(g->has_epoch ? &g->epoch : NULL, &e, k->config->domain));
    if (k->anchor.known && (uint64_t)e.epoch < k->anchor.newest.epoch)
        return fail(E_not_newer);
    *ret = e;
    return OK;
}

static void put_in_force(struct keeper *k, const struct epoch_statement *e)
{
    k->grounds.epoch = *e;
    k->grounds.has_epoch = true;
    approval_choose(k);
}

/* In force when the chip's counter stands for it: at once where an approval for the present value says so (a restart, a fresher
 * statement of the same epoch, or the switch that was approved ahead), else when the counter moved. */
result epoch_load(struct keeper *k, uint64_t slot, struct span fields)
{
    struct jws j;
    struct epoch_statement e;
    const struct approved_for chip = approval_chip(k);
    TRY(statement_read(fields, &j));
    result r = k->epoch.wanted ? fail(E_busy) : read_epoch(k, &j, &e);
    if (is_ok(r) && !approvals_stand_for(&k->approval.all, &chip, e.epoch)) {
        r = k->chip_lost ? k->chip_health : OK;
        if (is_ok(r)) {
            k->epoch.wanted = true;
            k->epoch.slot = slot;
            k->epoch.statement = e;
            return OK;
        }
    }
    if (is_ok(r))
        put_in_force(k, &e);
    else
        log_result(LOG_WARNING, "revocation epoch refused", r);
    return tell_loaded(k, slot, LOADED_EPOCH, code_of(r));
}

result epoch_turn(struct keeper *k, int64_t now_ms)
{
    struct keeper_epoch *e = &k->epoch;
    (void)now_ms;
    if (!e->wanted)
        return OK;
    e->moving.statement = e->statement.digest;
    chip_give(k->chip, &e->moving.work, WORK_EPOCH);
    return OK;
}

/* Which value stands for the epoch is written down before the epoch counts: a restart doesn't move the counter once more, past
 * what was approved meanwhile. */
result epoch_moved(struct keeper *k)
{
    struct keeper_epoch *e = &k->epoch;
    if (!is_ok(e->moving.work.r))
        return chip_failed(k, "the revocation epoch's counter", e->moving.work.r);
    e->wanted = false;
    k->opening.counter = e->moving.counter;
    TRY(span_copy(SPAN(e->moving.counter_name), k->opening.counter_name, TPM_NAME_SIZE));
    log_line(LOG_NOTE, "revocation epoch %lld: the chip's counter is %llu, and what was approved for an earlier one holds no more",
        (long long)e->statement.epoch, (unsigned long long)e->moving.counter);
    result r = approvals_moved(&k->approval.all, k->config, e->moving.counter, e->statement.epoch);
    if (!is_ok(r))
        log_result(LOG_ERROR, "which epoch the counter stands for can't be kept: a restart will move it once more", r);
    put_in_force(k, &e->statement);
    TRY(mint_refuse_waiting(k, E_epoch_mismatch));
    return tell_loaded(k, e->slot, LOADED_EPOCH, E_ok);
}

result epoch_lost(struct keeper *k, enum seb_code code)
{
    if (!k->epoch.wanted)
        return OK;
    k->epoch.wanted = false;
    return tell_loaded(k, k->epoch.slot, LOADED_EPOCH, code);
}
