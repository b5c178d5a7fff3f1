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
 * trusted for being configured. */
static enum seb_code hsm_approved(const struct keeper *k, const struct policy *p)
{
    const char *manufacturer, *model, *serial;
    bool named = policy_hsm(p, &manufacturer, &model, &serial);
    if (!named || !k->hsm)
        return named == (k->hsm != NULL) ? E_ok : E_hsm_not_approved;
    const struct p11_identity *have = hsm_identity(k->hsm);
    bool same = span_is(span_text(have->manufacturer), manufacturer) && span_is(span_text(have->model), model) &&
                span_is(span_text(have->serial), serial);
    return same ? E_ok : E_hsm_not_approved;
}

static result tell_loaded(struct keeper *k, uint64_t slot, enum loaded_what what, enum seb_code code)
{
    return tell_code(k, MESSAGE_LOADED, slot, &(struct code_message){ .code = code, .what = what });
}

/* A newer policy that doesn't approve of the token isn't in force; but whoever signs policies has spoken, so the older one isn't
 * minted under any more either. */
result policy_load(struct keeper *k, uint64_t slot, struct span fields)
{
    struct jws j;
    struct policy *p = NULL;
    TRY(statement_read(fields, &j));
    result r = read_policy(k, &j, &p);
    if (is_ok(r)) {
        k->grounds.hsm = hsm_approved(k, p);
        r = fail(k->grounds.hsm);
    }
    if (is_ok(r)) {
        policy_free(k->grounds.policy);
        k->grounds.policy = p;
    } else {
        log_result(LOG_WARNING, "policy refused", r);
        policy_free(p);
    }
    return tell_loaded(k, slot, LOADED_POLICY, code_of(r));
}

static result read_epoch(const struct keeper *k, const struct jws *j, struct epoch_statement *ret)
{
    const struct grounds *g = &k->grounds;
    TRY(verify_statement(k->config->revocation_key, TYP_EPOCH, j));
    TRY(epoch_parse(j->payload, ret));
    return epoch_follows(g->has_epoch ? &g->epoch : NULL, ret, k->config->domain);
}

result epoch_load(struct keeper *k, uint64_t slot, struct span fields)
{
    struct jws j;
    struct epoch_statement e;
    TRY(statement_read(fields, &j));
    result r = read_epoch(k, &j, &e);
    if (is_ok(r)) {
        k->grounds.epoch = e;
        k->grounds.has_epoch = true;
    } else
        log_result(LOG_WARNING, "revocation epoch refused", r);
    return tell_loaded(k, slot, LOADED_EPOCH, code_of(r));
}
