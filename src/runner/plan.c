#include <config.h>

#include "runner/runner.h"

#define CA_MAX (256 * 1024)
#define SCHEME_SIZE (sizeof "https://" - 1)

/* A text and its NUL into room of n bytes; a NUL of its own would cut it short. */
static result put_text(struct span s, char *to, size_t n)
{
    if (s.n >= n || span_find(s, 0, 0) < s.n)
        return fail(E_illegal_message);
    TRY(span_copy(s, to, s.n));
    to[s.n] = 0;
    return OK;
}

result runner_peer_open(const struct config_target *t, struct runner_peer *ret)
{
    struct span prefix = span_text(t->prefix);
    size_t slash = span_find(prefix, SCHEME_SIZE, '/');
    *ret = (struct runner_peer){ .target = t, .ca = BUF(CA_MAX) };
    TRY(file_read(t->ca, CA_MAX, &ret->ca));
    TRY(put_text(span_part(prefix, SCHEME_SIZE, slash - SCHEME_SIZE), ret->host, sizeof ret->host));
    ret->call = (struct call_peer){
        .ca = buf_span(&ret->ca),
        .host = ret->host,
        .timeout_ms = t->timeout_ms,
        .answer_bytes = t->answer_bytes,
    };
    return OK;
}

void runner_peer_close(struct runner_peer *p)
{
    buf_free(&p->ca);
}

static const struct runner_peer *peer_named(const struct runner_peer *peers, unsigned n, struct span name)
{
    for (unsigned i = 0; i < n; i++)
        if (span_is(name, peers[i].target->name))
            return &peers[i];
    return NULL;
}

/* Which words may stand in a call of each use: a read can't write, whatever the keeper says. */
static const struct form {
    uint8_t use;
    bool body;
    const char *method;
} forms[] = {
    { CALL_READ, false, "GET" },
    { CALL_MUTATE, true, "PUT" },
    { CALL_MUTATE, false, "DELETE" },
};

static result form_of(const struct call_message *m, const struct form **ret)
{
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (m->use != forms[i].use || !span_is(m->method, forms[i].method))
            continue;
        *ret = &forms[i];
        return (m->media_type.n > 0) == forms[i].body && (forms[i].body || m->body.n == 0) ? OK : fail(E_illegal_message);
    }
    return fail(E_illegal_message);
}

static result precondition_read(const struct call_message *m, struct call_plan *plan)
{
    static const char *const names[] = { "If-Match", "If-None-Match" };
    if (m->use == CALL_READ)
        return m->precondition.n == 0 && m->precondition_value.n == 0 ? OK : fail(E_illegal_message);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(m->precondition, names[i]))
            plan->precondition = names[i];
    if (!plan->precondition || m->precondition_value.n == 0)
        return fail(E_illegal_message);
    return put_text(m->precondition_value, plan->precondition_value, sizeof plan->precondition_value);
}

result runner_plan(const struct call_message *m, const struct runner_peer *peers, unsigned n, const struct runner_peer **ret_peer,
    struct call_plan *ret)
{
    const struct form *form;
    struct call_plan plan = { 0 };
    const struct runner_peer *peer = peer_named(peers, n, m->target);
    if (!peer)
        return fail(E_illegal_message);
    TRY(form_of(m, &form));
    plan.method = form->method;
    TRY(put_text(m->url, plan.url, sizeof plan.url));
    if (target_resource(peer->target->kind, peer->target->prefix, plan.url) != E_ok)
        return fail(E_illegal_message);
    TRY(precondition_read(m, &plan));
    TRY(put_text(m->media_type, plan.media_type, sizeof plan.media_type));
    *ret_peer = peer;
    *ret = plan;
    return OK;
}

result runner_answer(const struct call_answer *a, struct buf *out)
{
    static const enum answer_phase phases[] = {
        [CALL_NEVER_SENT] = ANSWER_NEVER_SENT,
        [CALL_NO_ANSWER] = ANSWER_NONE,
        [CALL_ANSWERED] = ANSWER_WHOLE,
    };
    return answer_put(out, &(struct answer_message){
                               .phase = phases[a->phase],
                               .code = (uint16_t)a->code,
                               .foreign = a->foreign,
                               .http_status = a->status,
                               .has_etag = a->has_etag,
                               .etag = span_text(a->has_etag ? a->etag : NULL),
                               .has_body = a->has_body,
                               .body_sha256 = a->body_sha256,
                               .body_length = a->has_body ? a->body_length : 0,
                           });
}
