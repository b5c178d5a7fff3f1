/* From a SUBMIT to the call: envelope, facts, permit, decision record, credential. */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/core.h"

/* A refusal that no signature covers by then is answered as unproved; it is signed when the chip signs again. */
#define UNPROVED_AFTER_MS 2000
/* Beyond the target's own timeout, for the keeper's and runner's part; then the call is taken as one without an answer. */
#define ANSWER_SLACK_MS 10000
#define OUTCOME_AGAIN_MS 1000
/* The keeper allows a second from a checkpoint to its quote; this counts from the entry, and so over a TPM that signs nothing too.
 */
#define UNQUOTED_MOST_MS 1500

struct target_mutation mutation_of(const struct contract *contract)
{
    const struct mutation *m = &contract->mutation;
    return (struct target_mutation){
        .operation = m->operation,
        .resource = m->resource,
        .has_body = m->body.present,
        .body_sha256 = m->body.sha256,
        .body_length = m->body.length,
        .media_type = m->body.present ? m->body.media_type : NULL,
        .absent = contract->pre.absent,
        .has_etag = contract->pre.has_etag,
        .has_sha256 = contract->pre.has_sha256,
        .etag = contract->pre.has_etag ? contract->pre.etag : NULL,
    };
}

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

static enum stage_id unavailable(struct core *c, struct work *w, enum seb_code code)
{
    reply_to_all(c, w, code == E_busy ? "busy" : "unavailable", NULL, code);
    return STAGE_END;
}

/* The facts as they are now; views w and room. */
static struct facts facts_of(struct core *c, struct work *w, struct target_facts *room)
{
    struct facts f = {
        .now_ms = journal_now(c->journal),
        .domain = c->config->domain,
        .policy = c->policy,
        .epoch = c->has_epoch ? &c->epoch : NULL,
        .certificate = &w->certificate,
        .signers = w->signers,
        .request = &w->request,
        .pop = E_ok,
        .has_body = w->body.n > 0 || w->request.mutation.body.present,
        .body = w->body_digest,
        .body_length = (int64_t)w->body.n,
    };
    if (w->target) {
        struct target_mutation m = mutation_of(&w->certificate.contract);
        *room = (struct target_facts){ .kind = w->target->kind, .prefix = w->target->prefix };
        room->scope = target_scope(room->kind, room->prefix, &m);
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
        return unavailable(c, w, E_no_policy);
    w->signers = verify_certificate(c->policy, &w->certificate_parts);
    if (w->signers.code != E_ok)
        return unvouched(c, w, "sig", w->signers.code);
    result r = jws_digest(&w->certificate_parts, &w->signed_);
    if (!is_ok(r))
        return unavailable(c, w, code_of(r));
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
    struct facts f = facts_of(c, w, &room);
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

/* Hands the waiters of a repeated request to the work that is under way for it. */
static enum stage_id join(struct core *c, struct work *w, struct work *first)
{
    if (!digest_equal(&first->request.core, &w->request.core)) {
        reply_to_all(c, w, "refused", NULL, E_request_conflict);
        return STAGE_END;
    }
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
        return unavailable(c, w, code_of(r));
    struct work *first = work_by_key(c, &key);
    if (first)
        return join(c, w, first);
    bool found = false;
    struct known_request known;
    r = store_find_request(c->reader, &key.agent, key.id, &found, &known);
    if (!is_ok(r))
        return unavailable(c, w, code_of(r));
    if (found) {
        if (!digest_equal(&known.core, &w->request.core))
            reply_to_all(c, w, "refused", NULL, E_request_conflict);
        else
            for (struct waiter *one = w->waiters; one; one = one->next)
                reply_known(c, one->slot, &known);
        return STAGE_END;
    }
    struct agent *agent = agent_of(c, &key.agent);
    if (!agent || agent->in_flight >= c->config->in_flight_per_agent)
        return unavailable(c, w, E_busy);
    w->agent = agent;
    agent->in_flight++;
    r = work_key_set(c, w);
    return is_ok(r) ? STAGE_JUDGE : unavailable(c, w, code_of(r));
}

static result look_used(struct core *c, struct work *w, bool *ret_used)
{
    struct used_certificate used;
    if (cid_is_reserved(c, w->certificate.cid)) {
        *ret_used = true;
        return OK;
    }
    return store_find_used(c->reader, w->certificate.cid, ret_used, &used);
}

/* What every decision entry says, whatever the verdict: the judge's facts. */
static result decision_facts(struct core *c, struct work *w, const struct facts *f)
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
        .has_target = w->target != NULL,
        .has_body = f->has_body,
        .body = w->body_digest,
        .used = f->used,
        .has_live = w->has_live,
        .live = w->live,
    };
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
        return unavailable(c, w, E_no_epoch);
    struct target_facts room;
    struct facts f = facts_of(c, w, &room);
    result r = look_used(c, w, &f.used);
    if (is_ok(r))
        r = decision_facts(c, w, &f);
    if (!is_ok(r))
        return unavailable(c, w, code_of(r));
    if (!judge_before_read(&f, &w->refusal))
        return STAGE_REFUSE;
    enum seb_code obstacle = core_obstacle(c);
    if (obstacle != E_ok)
        return unavailable(c, w, obstacle);
    const struct mutation *m = &w->certificate.contract.mutation;
    if (resource_is_locked(c, m->target, m->resource))
        return unavailable(c, w, E_resource_locked);
    return STAGE_READ;
}

static result blob_jws(struct core *c, enum blob_kind kind, const struct digest *d, const struct jws *j)
{
    AUTO_BUF text = BUF(STORE_BLOB_MAX);
    TRY(jws_write(j, &text));
    return store_batch_blob(journal_batch(c->journal), kind, d, buf_span(&text));
}

/* The decision entry, and in one transaction with it all that belongs to it: what was signed, the request's row, and of a permit
 * the certificate's reservation and the open decision. */
static result decision_add(struct core *c, struct work *w)
{
    struct store_batch *batch = journal_batch(c->journal);
    struct entry e = { .type = ENTRY_DECISION, .time = w->judged_ms, .decision = w->decision };
    struct placed placed;
    TRY(journal_add(c->journal, &e, w->permit, &placed));
    w->decision_index = placed.index;
    w->leaf = placed.leaf;
    TRY(blob_jws(c, BLOB_CERTIFICATE, &w->signed_, &w->certificate_parts));
    TRY(blob_jws(c, BLOB_REQUEST, &w->request.digest, &w->request_parts));
    if (w->body.n)
        TRY(store_batch_blob(batch, BLOB_BODY, &w->body_digest, w->body));
    TRY(store_batch_request(batch, &(struct stored_request){ .agent = w->key.agent,
                                       .id = w->key.id,
                                       .core = w->request.core,
                                       .certificate = w->certificate.digest,
                                       .decision = w->decision_index }));
    if (!w->permit)
        return OK;
    TRY(store_batch_use(batch, w->certificate.cid, &w->certificate.digest, w->decision_index));
    struct open_decision open = { .decision = w->decision_index,
        .outcome = NO_INDEX,
        .certificate = w->certificate.digest,
        .core = w->request.core,
        .horizon_ms = w->horizon_ms };
    TRY(span_copy_text(span_text(w->certificate.contract.mutation.target), open.target, sizeof open.target));
    TRY(span_copy_text(span_text(w->certificate.contract.mutation.resource), open.resource, sizeof open.resource));
    return store_batch_permit(batch, &open);
}

/* All of it into the open batch, or nothing. */
static result decision_write(struct core *c, struct work *w)
{
    struct store_mark mark = store_batch_mark(journal_batch(c->journal));
    result r = decision_add(c, w);
    if (!is_ok(r)) {
        store_batch_rewind(journal_batch(c->journal), mark);
        w->decision_index = NO_INDEX;
    }
    return r;
}

/* The record isn't in the log: nothing was minted on it, and nobody may believe it. What a call has led to is written again. */
static void lost(struct core *c, struct work *w, result r)
{
    if (w->stage == STAGE_OUTCOME) {
        work_due_in(c, w, OUTCOME_AGAIN_MS);
        w->resume = STAGE_OUTCOME;
    } else if (w->stage == STAGE_LOOK) {
        work_go(c, w, STAGE_SETTLE);
    } else {
        reply_to_all(c, w, "unavailable", NULL, code_of(r));
        work_free(c, w);
    }
}

static void ticket_resumes(struct ticket *t, result r)
{
    struct work *w = (struct work *)((char *)t - offsetof(struct work, ticket));
    struct core *c = t->context;
    if (is_ok(r))
        work_go(c, w, w->resume);
    else
        lost(c, w, r);
}

enum stage_id wait_until(struct core *c, struct work *w, const struct ticket *t, enum stage_id then)
{
    w->ticket = *t;
    w->ticket.context = c;
    w->ticket.done = ticket_resumes;
    w->resume = then;
    journal_wait(c->journal, &w->ticket);
    return STAGE_WAIT;
}

enum stage_id stage_refuse(struct core *c, struct work *w)
{
    if (!agent_may_refuse(c, w->agent))
        return unavailable(c, w, E_busy);
    w->decision.permitted = false;
    result r = span_copy_text(span_text(w->refusal.rule), w->decision.rule, sizeof w->decision.rule);
    if (is_ok(r))
        r = span_copy_text(span_text(code_name(w->refusal.code)), w->decision.code, sizeof w->decision.code);
    if (is_ok(r))
        r = decision_write(c, w);
    if (!is_ok(r))
        return unavailable(c, w, code_of(r));
    work_due_in(c, w, UNPROVED_AFTER_MS);
    return wait_until(c, w, &(struct ticket){ .index = w->decision_index, .until = UNTIL_SIGNED }, STAGE_CLOSE);
}

enum stage_id read_entry_add(struct core *c, struct work *w, enum read_purpose purpose, enum stage_id then)
{
    const struct contract *contract = &w->certificate.contract;
    int64_t now = journal_now(c->journal), allowed = policy_credential_s(c->policy);
    struct entry e = { .type = ENTRY_READ,
        .time = now,
        .read = { .purpose = purpose,
            .certificate = w->certificate.digest,
            .signed_ = w->signed_,
            .iat = now / 1000,
            .exp = now / 1000 + (contract->credential_s < allowed ? contract->credential_s : allowed),
            .mint_key = c->key[ROLE_MINT].kid,
            .decision = purpose == READ_RECONCILE ? w->decision_index : NO_INDEX } };
    result r = span_copy(SPAN(c->run), e.read.run, sizeof e.read.run);
    if (is_ok(r))
        r = span_copy_text(span_text(contract->mutation.target), e.read.target, sizeof e.read.target);
    if (is_ok(r))
        r = span_copy_text(span_text(contract->mutation.resource), e.read.resource, sizeof e.read.resource);
    struct placed placed = { .index = NO_INDEX };
    struct store_mark mark = store_batch_mark(journal_batch(c->journal));
    if (is_ok(r))
        r = journal_add(c->journal, &e, NULL, &placed);
    if (is_ok(r))
        r = blob_jws(c, BLOB_CERTIFICATE, &w->signed_, &w->certificate_parts);
    if (!is_ok(r)) {
        store_batch_rewind(journal_batch(c->journal), mark);
        return purpose == READ_RECONCILE ? STAGE_SETTLE : unavailable(c, w, code_of(r));
    }
    w->read_index = placed.index;
    return wait_until(c, w, &(struct ticket){ .index = placed.index, .until = UNTIL_APPENDED }, then);
}

/* Each call has a number of its own, so that an answer that comes too late is nobody's. */
enum stage_id mint_ask(struct core *c, struct work *w, uint64_t index, enum stage_id then)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    struct mint_message m = { .index = index, .certificate = w->certificate_parts, .body = { NULL, 0 } };
    if (index == w->decision_index)
        m.body = w->body;
    work_renumber(c, w);
    w->mint_code = E_ok;
    w->answer = (struct answer_message){ .phase = ANSWER_NONE, .code = E_no_answer };
    w->resume = then;
    work_due_in(c, w, (w->target ? w->target->timeout_ms : 0) + ANSWER_SLACK_MS);
    result r = mint_put(&fields, &m);
    if (is_ok(r))
        r = link_send(c->keeper, MESSAGE_MINT, w->id, buf_span(&fields));
    if (!is_ok(r))
        child_abort("the keeper can't be asked", r);
    return STAGE_WAIT;
}

enum stage_id stage_read(struct core *c, struct work *w)
{
    return read_entry_add(c, w, READ_DRIFT, STAGE_READ_CALL);
}

enum stage_id stage_read_call(struct core *c, struct work *w)
{
    return mint_ask(c, w, w->read_index, STAGE_DECIDE);
}

enum seb_code live_state_take(struct work *w)
{
    if (w->mint_code != E_ok)
        return w->mint_code;
    struct live_state live = { .read = w->read_index };
    if (w->answer.phase != ANSWER_WHOLE || !is_ok(target_read_meaning(w->target->kind, w->answer.http_status, &live.exists)))
        return E_read_failed;
    if (live.exists) {
        if (!w->answer.has_body)
            return w->answer.code != E_ok ? (enum seb_code)w->answer.code : E_read_failed;
        live.sha256 = w->answer.body_sha256;
        live.length = (int64_t)w->answer.body_length;
        live.has_etag = w->answer.has_etag;
        if (!is_ok(span_copy_text(span_text(w->answer_etag), live.etag, sizeof live.etag)))
            return E_read_failed;
    }
    w->live = live;
    w->has_live = true;
    return E_ok;
}

static result permit_record(struct core *c, struct work *w)
{
    w->decision.permitted = true;
    w->decision.iat = permit_iat(w->permit);
    w->decision.exp = permit_exp(w->permit);
    w->decision.mint_key = c->key[ROLE_MINT].kid;
    w->horizon_ms = w->decision.exp * 1000 + w->target->settle_ms;
    return decision_write(c, w);
}

enum stage_id stage_decide(struct core *c, struct work *w)
{
    enum seb_code code = live_state_take(w);
    if (code == E_ok)
        code = core_obstacle(c);
    const struct mutation *m = &w->certificate.contract.mutation;
    if (code == E_ok && resource_is_locked(c, m->target, m->resource))
        code = E_resource_locked;
    if (code != E_ok)
        return unavailable(c, w, code);

    struct target_facts room;
    struct facts f = facts_of(c, w, &room);
    struct live_facts live = {
        .exists = w->live.exists, .has_etag = w->live.has_etag, .etag = w->live.etag, .sha256 = w->live.sha256
    };
    f.live = &live;
    result r = look_used(c, w, &f.used);
    if (is_ok(r))
        r = decision_facts(c, w, &f);
    if (!is_ok(r))
        return unavailable(c, w, code_of(r));
    w->permit = judge(&f, &w->refusal);
    if (!w->permit)
        return w->refusal.rule ? STAGE_REFUSE : unavailable(c, w, w->refusal.code);
    r = permit_record(c, w);
    if (!is_ok(r))
        return unavailable(c, w, code_of(r));
    work_reserve(c, w);
    return wait_until(c, w, &(struct ticket){ .index = w->decision_index, .until = UNTIL_SIGNED }, STAGE_CALL);
}

enum stage_id stage_call(struct core *c, struct work *w)
{
    return mint_ask(c, w, w->decision_index, STAGE_OUTCOME);
}
