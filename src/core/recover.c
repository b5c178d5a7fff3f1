/* After a restart every permitted decision without a final outcome is taken up again: what was stored of it becomes a work that
 * waits for a look at the target. */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/core.h"
#include "merkle/merkle.h"

static result blob_parse(struct core *c, enum blob_kind kind, const struct digest *d, struct buf *arena, struct jws *ret)
{
    AUTO_BUF text = BUF(STORE_BLOB_MAX);
    TRY(store_read_blob(c->reader, kind, d, &text));
    return jws_parse_text(buf_span(&text), arena, ret);
}

/* The parts of both JWS lie in one arena, which may move while it grows: the request's come last, and the certificate's are parsed
 * once more where they were. */
static result parts_restore(struct core *c, struct work *w)
{
    AUTO_BUF certificate = BUF(JWS_PAYLOAD_MAX * 2);
    AUTO_BUF request = BUF(JWS_PAYLOAD_MAX * 2);
    struct submit_message m = { .uid = 0 };
    TRY(blob_parse(c, BLOB_CERTIFICATE, &w->decision.signed_, &certificate, &m.certificate));
    TRY(blob_parse(c, BLOB_REQUEST, &w->decision.request, &request, &m.request));
    TRY(submit_put(&w->arena, &m));
    TRY(submit_read(buf_span(&w->arena), &m));
    w->certificate_parts = m.certificate;
    w->signed_ = w->decision.signed_;
    w->request_parts = m.request;
    return OK;
}

static result restore(struct core *c, struct work *w, const struct open_decision *open)
{
    AUTO_BUF text = BUF(ENTRY_MAX);
    struct entry e;
    TRY(store_read_entry(c->reader, open->decision, &text));
    TRY(entry_read(buf_span(&text), &e));
    if (e.type != ENTRY_DECISION || !e.decision.permitted)
        return fail(E_invariant);
    w->decision = e.decision;
    w->decision_index = open->decision;
    w->outcome_index = open->outcome;
    w->leaf = merkle_leaf(buf_span(&text));
    w->horizon_ms = open->horizon_ms;
    TRY(parts_restore(c, w));
    TRY(certificate_parse(w->certificate_parts.payload, c->keys, &w->certificate));
    TRY(request_parse(w->request_parts.payload, &w->request));
    w->target = config_target_named(c->config, w->certificate.contract.mutation.target);
    TRY(work_key_set(c, w));
    work_reserve(c, w);
    return OK;
}

static result recover_one(void *context, const struct open_decision *open)
{
    struct core *c = context;
    struct work *w;
    TRY(work_new(c, &w));
    result r = restore(c, w, open);
    if (!is_ok(r)) {
        work_free(c, w);
        return r;
    }
    log_line(LOG_NOTE, "decision %llu on %s has no outcome: its target will be looked at%s", (unsigned long long)open->decision,
        open->resource, w->target ? "" : ", but isn't configured any more");
    work_go(c, w, STAGE_SETTLE);
    return OK;
}

result recover_open(struct core *c)
{
    return store_each_open(c->reader, recover_one, c);
}
