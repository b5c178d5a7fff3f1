#include <config.h>

#include "runner/errand.h"

#include <stdlib.h>

struct errand {
    bool used, rehearses; /* rehearses: the call that is under way is the rehearsal */
    uint64_t slot;
    enum call_use use;
    const struct runner_peer *peer;
    struct call_plan plan; /* of the real call */
    json_t *details; /* NULL: the kind has none */
    struct buf body; /* certified; where there is a rehearsal */
    struct secret *authorization; /* the real call's, where there is a rehearsal */
};
struct errands {
    struct errand errand[CALLS_MAX];
};

result errands_new(struct errands **ret)
{
    struct errands *all = calloc(1, sizeof *all);
    if (!all)
        return fail(E_no_memory);
    *ret = all;
    return OK;
}

static void errand_end(struct errand *e)
{
    json_decref(e->details);
    wipe(e->body.p, e->body.n); /* perhaps what its target keeps secret */
    buf_free(&e->body);
    secret_free(e->authorization);
    *e = (struct errand){ .used = false };
}

void errands_free(struct errands *all)
{
    if (!all)
        return;
    for (unsigned i = 0; i < CALLS_MAX; i++)
        if (all->errand[i].used)
            errand_end(&all->errand[i]);
    free(all);
}

static struct errand *errand_free_one(struct errands *all)
{
    for (unsigned i = 0; i < CALLS_MAX; i++)
        if (!all->errand[i].used)
            return &all->errand[i];
    return NULL;
}

static struct errand *errand_of(struct errands *all, uint64_t slot)
{
    for (unsigned i = 0; i < CALLS_MAX; i++)
        if (all->errand[i].used && all->errand[i].slot == slot)
            return &all->errand[i];
    return NULL;
}

/* Begins the call, or its rehearsal; the authorization is taken. */
static result call(struct errand *e, struct calls *calls, struct span certified, struct secret *authorization)
{
    AUTO_SECRET *mine = authorization;
    AUTO_BUF sent = BUF(TARGET_SENT_MAX);
    const char *kind = e->peer->target->kind;
    struct call_plan plan = e->plan;
    result r = OK;
    if (e->rehearses)
        r = target_rehearsal(kind, e->plan.url, plan.url);
    if (is_ok(r) && plan.media_type[0])
        r = target_compose(kind, e->details, e->rehearses, certified, &sent);
    if (is_ok(r)) {
        r = calls_start(
            calls, &(struct call_args){
                       .slot = e->slot, .peer = &e->peer->call, .plan = &plan, .body = buf_span(&sent), .authorization = mine });
        mine = NULL;
        if (code_of(r) == E_bad_value) /* a text that can't be a header's: the keeper's */
            r = fail(E_illegal_message);
    }
    wipe(sent.p, sent.n);
    return r;
}

static result authorization_of(struct span credential, struct secret **ret)
{
    result r = call_authorization(credential, ret);
    return code_of(r) == E_bad_value ? fail(E_illegal_message) : r;
}

static result details_read(struct span details, json_t **ret)
{
    if (!details.n)
        return OK;
    result r = json_strict(details, TARGET_DETAILS_MAX, ret);
    return is_ok(r) || code_of(r) == E_no_memory ? r : fail(E_illegal_message);
}

/* For the real call after it. */
static result keep(struct errand *e, const struct call_message *m)
{
    e->body = BUF(m->body.n);
    TRY(buf_put(&e->body, m->body));
    return authorization_of(m->credential, &e->authorization);
}

static result begin(struct errand *e, struct calls *calls, const struct call_message *m)
{
    struct secret *authorization;
    TRY(details_read(m->details, &e->details));
    e->rehearses = e->use == CALL_MUTATE && target_rehearses(e->details);
    if (e->rehearses)
        TRY(keep(e, m));
    TRY(authorization_of(m->credential, &authorization));
    return call(e, calls, m->body, authorization);
}

result errand_begin(struct errands *all, struct calls *calls, uint64_t slot, const struct call_message *m,
    const struct runner_peer *peer, const struct call_plan *plan)
{
    struct errand *e = errand_free_one(all);
    if (errand_of(all, slot))
        return fail(E_illegal_message);
    if (!e)
        return fail(E_busy);
    *e = (struct errand){ .used = true, .slot = slot, .use = (enum call_use)m->use, .peer = peer, .plan = *plan };
    result r = begin(e, calls, m);
    if (!is_ok(r))
        errand_end(e);
    return r;
}

/* What the body tells. A mutation is judged by its status, whatever its body is; a read is nothing without it. */
static void tell(const struct errand *e, struct call_answer *a, struct target_answer *told)
{
    *told = (struct target_answer){ .fields_n = 0 };
    if (a->phase != CALL_ANSWERED || !a->has_body || !e->details)
        return;
    result r = target_answer_read(e->peer->target->kind, e->use, e->details, a->status, buf_span(&a->body), told);
    if (is_ok(r))
        return;
    *told = (struct target_answer){ .fields_n = 0 };
    if (e->use == CALL_READ) {
        a->has_body = false;
        a->code = code_of(r);
    }
}

/* Why the rehearsal's result isn't one on which the real call may follow; ok where it is. */
static enum seb_code obstacle_of(const struct errand *e, const struct call_answer *a, const struct target_answer *told)
{
    if (a->phase != CALL_ANSWERED)
        return a->phase == CALL_NO_ANSWER ? E_dry_run_unanswered : a->code;
    if (target_meaning(e->peer->target->kind, a->status) != MEANS_APPLIED)
        return E_dry_run_refused;
    if (!a->has_body)
        return a->code == E_no_answer ? E_dry_run_unanswered : a->code;
    return told->post_holds ? E_ok : E_postcondition_failed;
}

/* Nothing was sent for real; what the rehearsal's answer said stays. */
static void hold_back(struct call_answer *a, enum seb_code code)
{
    call_answer_free(a);
    *a =
        (struct call_answer){ .slot = a->slot, .phase = CALL_NEVER_SENT, .code = code, .foreign = a->foreign, .status = a->status };
}

static result go_on(struct errand *e, struct calls *calls)
{
    struct secret *authorization = e->authorization;
    e->authorization = NULL;
    e->rehearses = false;
    return call(e, calls, buf_span(&e->body), authorization);
}

result errand_answered(
    struct errands *all, struct calls *calls, struct call_answer *a, struct target_answer *ret_told, bool *ret_done)
{
    struct errand *e = errand_of(all, a->slot);
    if (!e)
        return fail(E_invariant);
    tell(e, a, ret_told);
    *ret_done = !e->rehearses;
    if (e->rehearses) {
        enum seb_code code = obstacle_of(e, a, ret_told);
        if (code == E_ok)
            code = code_of(go_on(e, calls));
        *ret_done = code != E_ok;
        if (code != E_ok)
            hold_back(a, code);
    }
    if (*ret_done)
        errand_end(e);
    return OK;
}
