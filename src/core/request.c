/* From a SUBMIT to the verdict that needs no live state: envelope, signatures, what was asked before, facts. */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/core.h"

/* The keeper allows a second from a checkpoint to its quote; this counts from the entry, and so over a TPM that signs nothing too.
 */
#define UNQUOTED_MOST_MS 1500

enum seb_code core_obstacle(struct core *c)
{
    if (c->stopping)
        return E_unavailable;
    if (!c->policy)
        return E_no_policy;
    if (!c->has_epoch)
        return E_no_epoch;
    if (!is_ok(c->keys_health))
        return code_of(c->keys_health);
    if (!is_ok(journal_health(c->journal)))
        return code_of(journal_health(c->journal));
    if (journal_unquoted_ms(c->journal) > UNQUOTED_MOST_MS)
        return E_quote_stale;
    return E_ok;
}

/* Noise: no signature vouches for it, so it is counted and not recorded one by one, and nothing is stored under the request's id,
 * or whoever holds a copy of somebody's request could spoil it by sending it with another certificate or body. */
static enum stage_id unvouched(struct core *c, struct work *w, const char *rule, enum seb_code code)
{
    noise_count(c, code, 1);
    reply_to_all(c, w, rule ? "refused" : "invalid", rule, code);
    return STAGE_END;
}

enum stage_id work_unavailable(struct core *c, struct work *w, enum seb_code code)
{
    reply_to_all(c, w, code == E_busy ? "busy" : "unavailable", NULL, code);
    return STAGE_END;
}

/* The facts as they are now; views w and room. */
struct facts work_facts(struct core *c, struct work *w, struct target_facts *room)
{
    struct facts f = {
        .now_ms = journal_now(c->journal),
        .domain = c->config->domain,
        .policy = c->policy,
        .epoch = c->has_epoch ? &c->epoch : NULL,
        .attested = attested_facts_now(c),
        .certificates_from = c->certificates_from,
        .certificate = &w->certificate,
        .signers = w->signers,
        .request = &w->request,
        .pop = E_ok,
        .has_body = w->body.n > 0 || w->request.mutation.body.present,
        .body = w->body_digest,
        .body_length = (int64_t)w->body.n,
    };
    if (w->target) {
        struct target_mutation m = scope_mutation(&w->certificate.contract, NULL);
        *room = (struct target_facts){ .kind = w->target->kind, .prefix = w->target->prefix };
        room->scope = target_scope(room->kind, room->prefix, &m);
        room->least_s = target_least_s(room->kind);
        room->secret = target_secret(room->kind, &m);
        f.target = room;
    }
    return f;
}

/* The rules of Phi_sig and Phi_pop alone: until they hold, nobody vouches for the request. */
static bool is_vouched(const struct facts *f, struct refusal *ret)
{
    for (unsigned i = 0; i < rules_n; i++) {
        if (!span_is(span_text(rules[i].name), "sig") && !span_is(span_text(rules[i].name), "pop"))
            return true;
        enum seb_code code = rules[i].holds(f);
        if (code != E_ok) {
            *ret = (struct refusal){ .rule = rules[i].name, .code = code };
            return false;
        }
    }
    return true;
}

enum stage_id stage_verify(struct core *c, struct work *w)
{
    if (!c->policy)
        return work_unavailable(c, w, E_no_policy);
    w->signers = verify_certificate(c->policy, &w->certificate_parts);
    if (w->signers.code != E_ok)
        return unvouched(c, w, "sig", w->signers.code);
    result r = jws_digest(&w->certificate_parts, &w->signed_);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    r = certificate_parse(w->certificate_parts.payload, c->keys, &w->certificate);
    if (!is_ok(r))
        return unvouched(c, w, NULL, code_of(r));
    r = verify_request(&w->certificate, &w->request_parts);
    if (!is_ok(r))
        return unvouched(c, w, "pop", code_of(r));
    r = request_parse(w->request_parts.payload, &w->request);
    if (!is_ok(r))
        return unvouched(c, w, NULL, code_of(r));

    w->body_digest = sha256(w->body);
    w->target = config_target_named(c->config, w->certificate.contract.mutation.target);
    struct target_facts room;
    struct facts f = work_facts(c, w, &room);
    struct refusal refusal;
    if (!is_vouched(&f, &refusal))
        return unvouched(c, w, refusal.rule, refusal.code);
    /* The body travels unsigned: one that isn't the signed request's own is no word of the agent's. */
    const struct body_ref *body = &w->request.mutation.body;
    if (body->present ? !digest_equal(&body->sha256, &w->body_digest) || body->length != (int64_t)w->body.n : w->body.n > 0)
        return unvouched(c, w, "match", E_body_mismatch);
    work_wait_set(c, w, w->request.wait_ms);
    return STAGE_LOOKUP;
}

static enum stage_id conflict(struct core *c, struct work *w)
{
    noise_count(c, E_request_conflict, 1);
    reply_to_all(c, w, "refused", NULL, E_request_conflict);
    return STAGE_END;
}

/* Hands the waiters of a repeated request to the work that is under way for it. */
static enum stage_id join(struct core *c, struct work *w, struct work *first)
{
    if (!digest_equal(&first->request.core, &w->request.core))
        return conflict(c, w);
    struct waiter **end = &first->waiters;
    while (*end)
        end = &(*end)->next;
    *end = w->waiters;
    w->waiters = NULL;
    return STAGE_END;
}

enum stage_id stage_lookup(struct core *c, struct work *w)
{
    struct request_key key = { .agent = *pubkey_thumbprint(w->certificate.agent) };
    result r = span_copy_text(span_text(w->request.id), key.id, sizeof key.id);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    struct work *first = work_by_key(c, &key);
    if (first)
        return join(c, w, first);
    bool found = false;
    struct known_request known;
    r = store_find_request(c->reader, &key.agent, key.id, &found, &known);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    if (found) {
        if (!digest_equal(&known.core, &w->request.core))
            return conflict(c, w);
        for (struct waiter *one = w->waiters; one; one = one->next)
            reply_known(c, one->slot, &known);
        return STAGE_END;
    }
    struct agent *agent = agent_of(c, &key.agent);
    if (!agent || agent->in_flight >= c->config->in_flight_per_agent)
        return work_unavailable(c, w, E_busy);
    w->agent = agent;
    agent->in_flight++;
    r = work_key_set(c, w);
    return is_ok(r) ? STAGE_JUDGE : work_unavailable(c, w, code_of(r));
}

result look_used(struct core *c, struct work *w, bool *ret_used)
{
    struct used_certificate used;
    if (cid_is_reserved(c, w->certificate.cid)) {
        *ret_used = true;
        return OK;
    }
    return store_find_used(c->reader, w->certificate.cid, ret_used, &used);
}

/* What every decision entry says, whatever the verdict: the judge's facts. */
result decision_facts(struct core *c, struct work *w, const struct facts *f)
{
    struct decision_entry d = {
        .agent = w->key.agent,
        .request = w->request.digest,
        .certificate = w->certificate.digest,
        .signed_ = w->signed_,
        .policy = *policy_digest(c->policy),
        .policy_epoch = policy_epoch_of(c->policy),
        .statement = c->epoch.digest,
        .epoch = c->epoch.epoch,
        .has_attestation = f->attested != NULL,
        .has_target = w->target != NULL,
        .has_body = f->has_body,
        .body = w->body_digest,
        .used = f->used,
        .has_live = w->has_live,
        .live = w->live,
    };
    if (f->attested)
        d.attestation = f->attested->result;
    TRY(span_copy(SPAN(c->run), d.run, sizeof d.run));
    TRY(span_copy_text(span_text(w->request.id), d.request_id, sizeof d.request_id));
    TRY(span_copy_text(span_text(w->certificate.cid), d.cid, sizeof d.cid));
    if (w->target) {
        TRY(span_copy_text(span_text(w->target->kind), d.target_kind, sizeof d.target_kind));
        TRY(span_copy_text(span_text(w->target->prefix), d.target_prefix, sizeof d.target_prefix));
    }
    w->judged_ms = f->now_ms;
    w->decision = d;
    return OK;
}

enum stage_id stage_judge(struct core *c, struct work *w)
{
    if (!c->has_epoch)
        return work_unavailable(c, w, E_no_epoch);
    result r = attested_record(c);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    struct target_facts room;
    struct facts f = work_facts(c, w, &room);
    r = look_used(c, w, &f.used);
    if (is_ok(r))
        r = decision_facts(c, w, &f);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    if (!judge_before_read(&f, &w->refusal))
        return STAGE_REFUSE;
    enum seb_code obstacle = core_obstacle(c);
    if (obstacle != E_ok)
        return work_unavailable(c, w, obstacle);
    const struct mutation *m = &w->certificate.contract.mutation;
    if (resource_is_locked(c, m->target, m->resource))
        return work_unavailable(c, w, E_resource_locked);
    return STAGE_READ;
}
