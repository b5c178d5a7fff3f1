#include "config.h"

#include "core/core.h"

#include <stdlib.h>

#include "base/clock.h"

#define AGENTS_MAX 65536
#define MINUTE_MS 60000

result work_new(struct core *c, struct work **ret)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return fail(E_no_memory);
    w->id = ++c->next_id;
    w->arena = BUF(LINK_PACKET_MAX);
    w->read_index = w->decision_index = w->outcome_index = NO_INDEX;
    HASH_ADD(hh_id, c->by_id, id, sizeof w->id, w);
    *ret = w;
    return OK;
}

void work_free(struct core *c, struct work *w)
{
    HASH_DELETE(hh_id, c->by_id, w);
    if (w->key.id[0])
        HASH_DELETE(hh_key, c->by_key, w);
    if (w->reserved)
        HASH_DELETE(hh_cid, c->by_cid, w);
    if (w->agent)
        w->agent->in_flight--;
    for (struct waiter *next; w->waiters; w->waiters = next) {
        next = w->waiters->next;
        free(w->waiters);
    }
    permit_free(w->permit);
    certificate_free(&w->certificate);
    buf_free(&w->arena);
    free(w);
}

result work_key_set(struct core *c, struct work *w)
{
    w->key = (struct request_key){ .agent = *pubkey_thumbprint(w->certificate.agent) };
    TRY(span_copy_text(span_text(w->request.id), w->key.id, sizeof w->key.id));
    HASH_ADD(hh_key, c->by_key, key, sizeof w->key, w);
    return OK;
}

struct work *work_by_key(struct core *c, const struct request_key *key)
{
    struct work *w;
    HASH_FIND(hh_key, c->by_key, key, sizeof *key, w);
    return w;
}

void work_due_in(struct core *c, struct work *w, int64_t ms)
{
    w->due_ms = clock_mono_ms() + ms;
    if (w->due_ms < c->timers_due_ms)
        c->timers_due_ms = w->due_ms;
}

result work_wait(struct work *w, uint64_t slot)
{
    struct waiter *one = calloc(1, sizeof *one);
    if (!one)
        return fail(E_no_memory);
    *one = (struct waiter){ .slot = slot, .until_ms = INT64_MAX, .next = w->waiters };
    w->waiters = one;
    return OK;
}

void work_wait_set(struct core *c, struct work *w, int64_t wait_ms)
{
    int64_t until = clock_mono_ms() + wait_ms;
    for (struct waiter *one = w->waiters; one; one = one->next)
        one->until_ms = until;
    if (until < c->timers_due_ms)
        c->timers_due_ms = until;
}

/* Makes room by dropping agents with nothing under way. */
static void agents_trim(struct core *c)
{
    struct agent *a, *next;
    int64_t old = clock_mono_ms() - MINUTE_MS;
    HASH_ITER(hh, c->agents, a, next)
    {
        if (!a->in_flight && a->refusals_window_ms < old) {
            HASH_DEL(c->agents, a);
            free(a);
        }
    }
}

struct agent *agent_of(struct core *c, const struct digest *thumbprint)
{
    struct agent *a;
    HASH_FIND(hh, c->agents, thumbprint, sizeof *thumbprint, a);
    if (a)
        return a;
    if (HASH_COUNT(c->agents) >= AGENTS_MAX)
        agents_trim(c);
    if (HASH_COUNT(c->agents) >= AGENTS_MAX || !(a = calloc(1, sizeof *a)))
        return NULL;
    a->thumbprint = *thumbprint;
    HASH_ADD(hh, c->agents, thumbprint, sizeof a->thumbprint, a);
    return a;
}

bool agent_may_refuse(struct core *c, struct agent *a)
{
    int64_t now = clock_mono_ms();
    if (now - a->refusals_window_ms >= MINUTE_MS) {
        a->refusals_window_ms = now;
        a->refusals = 0;
    }
    if (a->refusals >= c->config->refusals_per_minute_per_agent)
        return false;
    a->refusals++;
    return true;
}

/* The path of a subresource begins with its object's. */
static bool is_part_of(struct span part, struct span whole)
{
    return part.n > whole.n && part.p[whole.n] == '/' && span_equal(span_part(part, 0, whole.n), whole);
}

/* Of a kind of objects, what is done to a part of one is done to the object. */
static bool is_same_thing(const struct work *w, const char *resource)
{
    struct span mine = span_text(w->certificate.contract.mutation.resource), other = span_text(resource);
    if (span_equal(mine, other))
        return true;
    return w->target && target_keeps_body(w->target->kind) && (is_part_of(mine, other) || is_part_of(other, mine));
}

bool resource_is_locked(struct core *c, const char *target, const char *resource)
{
    struct work *w, *next;
    HASH_ITER(hh_cid, c->by_cid, w, next)
    {
        if (w->stage >= STAGE_SETTLE && w->stage <= STAGE_CONCLUDE &&
            span_is(span_text(w->certificate.contract.mutation.target), target) && is_same_thing(w, resource))
            return true;
    }
    return false;
}

void work_renumber(struct core *c, struct work *w)
{
    HASH_DELETE(hh_id, c->by_id, w);
    w->id = ++c->next_id;
    HASH_ADD(hh_id, c->by_id, id, sizeof w->id, w);
}

void work_reserve(struct core *c, struct work *w)
{
    HASH_ADD_KEYPTR(hh_cid, c->by_cid, w->certificate.cid, (unsigned)span_text(w->certificate.cid).n, w);
    w->reserved = true;
}

bool cid_is_reserved(struct core *c, const char *cid)
{
    struct work *w;
    HASH_FIND(hh_cid, c->by_cid, cid, (unsigned)span_text(cid).n, w);
    return w != NULL;
}
