#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "policy/verify.h"

#define AHEAD_S 30 /* how far a verifier's clock may be ahead, as in policy/rule_attest.c */

static result open_result(const struct keeper *k, const struct jws *j, struct result_claims *ret)
{
    const struct keeper_verdict *v = &k->verdict;
    unsigned verifier;
    if (!k->grounds.policy)
        return fail(E_no_policy);
    result r = verify_by_verifier(k->grounds.policy, TYP_RESULT, j, &verifier);
    if (code_of(r) == E_bad_signature)
        return fail(E_result_forged);
    TRY(r);
    TRY(result_parse(j->payload, ret));
    const struct digest *by = pubkey_thumbprint(policy_verifier_key(k->grounds.policy, verifier));
    bool answers = v->open && digest_equal(by, &v->verifier) && span_equal(SPAN(v->nonce), SPAN(ret->nonce)) &&
                   digest_equal(&ret->quote, &v->quote) && span_is(span_text(ret->domain), k->config->domain) &&
                   span_is(span_text(ret->instance), k->config->instance);
    return answers ? OK : fail(E_result_mismatch);
}

/* The keys that this process has opened and proved. A mint key of the epoch before may still be named: it is in use until the chip
 * made the next one, which takes a lease. Credentials then wait for the next result. */
static result hold_result(const struct keeper *k, const struct result_claims *c)
{
    int64_t now_s = clock_utc_ms() / 1000;
    if (now_s < c->iat - AHEAD_S || now_s >= c->exp)
        return fail(E_result_stale);
    if (!digest_equal(&c->attestation, pubkey_thumbprint(k->instance.key[ROLE_ATTESTATION])) ||
        !digest_equal(&c->record, pubkey_thumbprint(k->instance.key[ROLE_RECORD])))
        return fail(E_attestation_other_keys);
    return OK;
}

static void keep(struct keeper *k, const struct result_claims *c)
{
    struct held_results *h = &k->grounds.results;
    h->next = (h->next + 1) % HELD_RESULTS;
    h->result[h->next] = (struct held_result){
        .digest = c->digest,
        .mint_key = c->mint,
        .by = k->verdict.verifier,
        .affirming = c->status == EAR_AFFIRMING,
        .iat = c->iat,
        .exp = c->exp,
    };
}

/* What the verifier saw last in an earlier run is the log that this run began with: nothing was lost since. Only where it judges
 * the first evidence that it had of this run, which shows nothing of the run's own: that evidence, good or bad, moves what the
 * verifier has seen, and later on it knows the log's head from this run. */
static void cover_head(struct keeper *k, const struct result_claims *c)
{
    const struct keeper_log *log = &k->log;
    bool covers = k->verdict.is_first && k->verdict.shows_resumed && c->log_before.size == log->resumed.size &&
                  digest_equal(&c->log_before.root, &log->resumed.root);
    if (!k->grounds.certificates_from || !covers)
        return;
    k->grounds.certificates_from = 0;
    log_line(LOG_NOTE, "the verifier had seen every checkpoint before this run: the keeper takes earlier certificates");
}

/* The record key states an HSM's mint key, and signs nothing before a first lease. Nothing is minted by such a result. */
static bool is_first_lease(const struct keeper *k, const struct result_claims *c)
{
    return k->hsm && !k->mint_key.statement.n && c->codes_n == 1 && c->codes[0] == E_key_not_stated;
}

static result take(struct keeper *k, const struct result_message *m, struct result_claims *c)
{
    TRY(open_result(k, &m->statement, c));
    k->verdict.open = false; /* one result for a challenge */
    TRY(hold_result(k, c));
    keep(k, c);
    if (is_first_lease(k, c))
        return OK;
    if (c->status != EAR_AFFIRMING)
        return fail(E_attestation_failed);
    cover_head(k, c);
    return OK;
}

result verdict_take(struct keeper *k, uint64_t slot, struct span fields)
{
    struct keeper_verdict *v = &k->verdict;
    struct result_message m;
    struct result_claims c;
    TRY(result_read(fields, &m));
    result r = v->lease_wanted ? fail(E_busy) : take(k, &m, &c);
    if (!is_ok(r))
        log_result(LOG_WARNING, "a verifier's result", r);
    if (!is_ok(r) || !m.lease.seconds)
        return tell_loaded(k, slot, LOADED_RESULT, code_of(r));
    v->slot = slot;
    v->leasing.seconds = m.lease.seconds;
    TRY(span_copy(m.lease.signature, v->leasing.signature, sizeof v->leasing.signature));
    if (k->chip_lost)
        return tell_loaded(k, slot, LOADED_RESULT, code_of(k->chip_health));
    v->lease_wanted = true;
    return OK;
}

result verdict_turn(struct keeper *k, int64_t now_ms)
{
    (void)now_ms;
    if (k->verdict.lease_wanted && !k->approval.give_wanted)
        chip_give(k->chip, &k->verdict.leasing.work, WORK_LEASE);
    return OK;
}

result verdict_leased(struct keeper *k)
{
    struct keeper_verdict *v = &k->verdict;
    result r = v->leasing.work.r;
    if (!is_ok(r) && !tpm_guard_refuses(code_of(r)) && code_of(r) != E_lease_invalid)
        return chip_failed(k, "a lease", r);
    v->lease_wanted = false;
    if (is_ok(r))
        state_leased(k, v->begun_ms, v->leasing.seconds);
    else
        log_result(LOG_WARNING, "a lease", r);
    return tell_loaded(k, v->slot, LOADED_RESULT, code_of(r));
}

result verdict_lost(struct keeper *k, enum seb_code code)
{
    k->verdict.open = false;
    if (!k->verdict.lease_wanted)
        return OK;
    k->verdict.lease_wanted = false;
    return tell_loaded(k, k->verdict.slot, LOADED_RESULT, code);
}
