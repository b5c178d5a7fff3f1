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
        /* An API server whose answers are read as objects speaks HTTP/2; a fence that compares bytes of headers HTTP/1.1. */
        .http2 = target_keeps_body(t->kind),
        .keep_body = target_keeps_body(t->kind),
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

/* Which words may stand in a call of each use: a read can't write, whatever the keeper says. A kind with details has its
 * preconditions in the body that the runner composes, of the certified one or of nothing; another in a header. */
static const struct form {
    uint8_t use;
    bool detailed, body;
    const char *method;
} forms[] = {
    { CALL_READ, false, false, "GET" },
    { CALL_MUTATE, false, true, "PUT" },
    { CALL_MUTATE, false, false, "DELETE" },
    { CALL_READ, true, false, "GET" },
    { CALL_MUTATE, true, true, "POST" },
    { CALL_MUTATE, true, true, "PUT" },
    { CALL_MUTATE, true, true, "PATCH" },
    { CALL_MUTATE, true, true, "DELETE" },
};

static result form_of(const struct call_message *m, const char *kind, const struct form **ret)
{
    bool detailed = m->details.n > 0;
    if (detailed != target_keeps_body(kind))
        return fail(E_illegal_message);
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (m->use != forms[i].use || detailed != forms[i].detailed || !span_is(m->method, forms[i].method))
            continue;
        *ret = &forms[i];
        return (m->media_type.n > 0) == forms[i].body && (forms[i].body || m->body.n == 0) ? OK : fail(E_illegal_message);
    }
    return fail(E_illegal_message);
}

static result precondition_read(const struct call_message *m, const struct form *form, struct call_plan *plan)
{
    static const char *const names[] = { "If-Match", "If-None-Match" };
    if (form->use == CALL_READ || form->detailed)
        return m->precondition.n == 0 && m->precondition_value.n == 0 ? OK : fail(E_illegal_message);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(m->precondition, names[i]))
            plan->precondition = names[i];
    if (!plan->precondition || m->precondition_value.n == 0)
        return fail(E_illegal_message);
    return put_text(m->precondition_value, plan->precondition_value, sizeof plan->precondition_value);
}

/* A leaf's text, of a kind whose target keeps an audit log; nothing else is a header's value. */
static result audit_id_read(const struct call_message *m, const char *kind, struct call_plan *plan)
{
    struct digest leaf;
    char text[DIGEST_TEXT + 1];
    if (m->audit_id.n && !is_ok(b64url_fixed(m->audit_id, leaf.b, sizeof leaf.b)))
        return fail(E_illegal_message);
    target_audit_id(kind, &leaf, text);
    if (m->audit_id.n && !text[0])
        return fail(E_illegal_message);
    return put_text(m->audit_id, plan->audit_id, sizeof plan->audit_id);
}

result runner_plan(const struct call_message *m, const struct runner_peer *peers, unsigned n, const struct runner_peer **ret_peer,
    struct call_plan *ret)
{
    const struct form *form;
    struct call_plan plan = { 0 };
    const struct runner_peer *peer = peer_named(peers, n, m->target);
    if (!peer)
        return fail(E_illegal_message);
    const struct config_target *t = peer->target;
    TRY(form_of(m, t->kind, &form));
    plan.method = form->method;
    TRY(put_text(m->url, plan.url, sizeof plan.url));
    if (target_url(t->kind, t->prefix, plan.method, plan.url) != E_ok)
        return fail(E_illegal_message);
    TRY(precondition_read(m, form, &plan));
    TRY(put_text(m->media_type, plan.media_type, sizeof plan.media_type));
    TRY(audit_id_read(m, t->kind, &plan));
    *ret_peer = peer;
    *ret = plan;
    return OK;
}

result runner_answer(const struct call_answer *a, const struct target_answer *told, struct buf *out)
{
    static const enum answer_phase phases[] = {
        [CALL_NEVER_SENT] = ANSWER_NEVER_SENT,
        [CALL_NO_ANSWER] = ANSWER_NONE,
        [CALL_ANSWERED] = ANSWER_WHOLE,
    };
    struct answer_message m = {
        .phase = phases[a->phase],
        .code = (uint16_t)a->code,
        .foreign = a->foreign,
        .http_status = a->status,
        .has_etag = a->has_etag,
        .etag = span_text(a->has_etag ? a->etag : NULL),
        .has_body = a->has_body,
        .body_sha256 = a->body_sha256,
        .body_length = a->has_body ? a->body_length : 0,
        .uid = span_text(told->uid),
        .version = span_text(told->version),
        .reason = span_text(told->reason),
        .causes = span_text(told->causes),
        .fields_n = told->fields_n,
    };
    for (unsigned i = 0; i < told->fields_n; i++)
        m.field[i] = told->field[i];
    return answer_put(out, &m);
}
