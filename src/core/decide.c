/* The decision as a record, and with it in one transaction all that belongs to it: a refusal burns nothing, a permit reserves its
 * certificate and leads to the call. */
#include "config.h"

#include "core/core.h"

/* A refusal that no signature covers by then is answered as unproved; it is signed when the chip signs again. */
#define UNPROVED_AFTER_MS 2000

result blob_jws(struct core *c, enum blob_kind kind, const struct digest *d, const struct jws *j)
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

enum stage_id stage_refuse(struct core *c, struct work *w)
{
    if (!agent_may_refuse(c, w->agent))
        return work_unavailable(c, w, E_busy);
    w->decision.permitted = false;
    result r = span_copy_text(span_text(w->refusal.rule), w->decision.rule, sizeof w->decision.rule);
    if (is_ok(r))
        r = span_copy_text(span_text(code_name(w->refusal.code)), w->decision.code, sizeof w->decision.code);
    if (is_ok(r))
        r = decision_write(c, w);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    work_due_in(c, w, UNPROVED_AFTER_MS);
    return wait_until(c, w, &(struct ticket){ .index = w->decision_index, .until = UNTIL_SIGNED }, STAGE_CLOSE);
}

static result permit_record(struct core *c, struct work *w)
{
    w->decision.permitted = true;
    w->decision.iat = permit_iat(w->permit);
    w->decision.exp = permit_exp(w->permit);
    w->decision.mint_key = c->key[ROLE_MINT].kid;
    int64_t cache_s = target_cache_s(w->target->kind);
    w->decision.accepted_until = cache_s ? w->decision.exp + cache_s : 0;
    w->horizon_ms = (w->decision.exp + cache_s) * 1000 + w->target->settle_ms;
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
        return work_unavailable(c, w, code);

    result r = attested_record(c);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    struct target_facts room;
    struct facts f = work_facts(c, w, &room);
    struct live_facts live = {
        .exists = w->live.exists,
        .has_etag = w->live.has_etag,
        .etag = w->live.etag,
        .sha256 = w->live.sha256,
        .uid = w->live.uid,
        .version = w->live.version,
        .fields_n = w->live.fields_n,
        .field = w->live.field,
    };
    f.live = &live;
    r = look_used(c, w, &f.used);
    if (is_ok(r))
        r = decision_facts(c, w, &f);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    w->permit = judge(&f, &w->refusal);
    if (!w->permit)
        return w->refusal.rule ? STAGE_REFUSE : work_unavailable(c, w, w->refusal.code);
    r = permit_record(c, w);
    if (!is_ok(r))
        return work_unavailable(c, w, code_of(r));
    work_reserve(c, w);
    return wait_until(c, w, &(struct ticket){ .index = w->decision_index, .until = UNTIL_SIGNED }, STAGE_CALL);
}

enum stage_id stage_call(struct core *c, struct work *w)
{
    return mint_ask(c, w, w->decision_index, STAGE_OUTCOME);
}
