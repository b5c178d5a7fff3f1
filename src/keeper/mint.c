#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "mint/mint.h"

#include <stdlib.h>

struct minting {
    struct mint_work work; /* first */
    struct minting *next;
    uint64_t slot;
    struct warrant warrant;
    struct buf input; /* the JWT without its signature */
    struct buf body;
};

static void minting_free(struct minting *m)
{
    if (!m)
        return;
    warrant_free(&m->warrant);
    buf_free(&m->input);
    buf_free(&m->body);
    wipe(m, sizeof *m); /* a signature makes the input a credential */
    free(m);
}

static void minting_free_pointer(struct minting **m)
{
    minting_free(*m);
}
#define AUTO_MINTING __attribute__((cleanup(minting_free_pointer))) struct minting

static result tell_refused(struct keeper *k, uint64_t slot, result r)
{
    log_result(LOG_WARNING, "mint refused", r);
    return tell_code(k, MESSAGE_MINT_REFUSED, slot, &(struct code_message){ .code = code_of(r), .foreign = foreign_code(r) });
}

/* Whether there is an entry of this run that it could be for: a permit under a signed checkpoint, or a read; and once. */
static result find_entry(struct keeper *k, uint64_t index, struct remembered **ret)
{
    struct remembered *r = memory_find(k->memory, index);
    if (!r)
        return fail(E_no_decision);
    if (r->spent)
        return fail(E_already_minted);
    *ret = r;
    return OK;
}

/* The record is there and provable before the mutation is possible: its checkpoint signed, and quotes not behind. A read waits for
 * neither. */
static result hold_record(const struct keeper *k, uint64_t index, enum call_use use)
{
    if (use == CALL_READ)
        return OK;
    if (index >= k->log.newest.size)
        return fail(E_decision_unsigned);
    return log_quote_is_stale(k, clock_mono_ms()) ? fail(E_quote_stale) : OK;
}

/* Whether the keys can be used, and are the epoch's. */
static result hold_state(const struct keeper *k)
{
    if (k->log.state != LOG_SERVES)
        return fail(E_log_rolled_back);
    TRY(k->state.obstacle);
    TRY(k->hsm_health);
    return approval_is_for_epoch(k) && mint_key_is_current(k) ? OK : fail(E_epoch_not_approved);
}

static result prepare(struct keeper *k, const struct mint_message *m, struct minting *to)
{
    struct remembered *r;
    /* Nothing is minted without the record key, wherever the mint key is. */
    if (k->chip_lost)
        return k->chip_health;
    TRY(find_entry(k, m->index, &r));
    TRY(warrant_judge(&k->grounds, clock_utc_ms(), r, m, &to->warrant));
    TRY(hold_state(k));
    TRY(hold_record(k, m->index, to->warrant.use));
    to->input = BUF(CREDENTIAL_TEXT_MAX);
    TRY(jws_signing_input(k->instance.key[ROLE_MINT], TYP_CREDENTIAL, buf_span(&to->warrant.claims), &to->input));
    to->work.digest = sha256(buf_span(&to->input));
    to->body = BUF(m->body.n);
    TRY(buf_put(&to->body, m->body));
    /* From here on it was minted for, whatever the hardware says: two signatures are never asked for. */
    memory_spend(r);
    return OK;
}

static void enqueue(struct mintings *q, struct minting *m)
{
    if (!q->first)
        q->last = &q->first;
    *q->last = m;
    q->last = &m->next;
    q->n++;
}

/* The chip hadn't signed it: the first again. */
static void put_back(struct mintings *q, struct minting *m)
{
    if (!q->first)
        q->last = &m->next;
    m->next = q->first;
    q->first = m;
    q->n++;
    q->turn++;
}

static struct minting *dequeue(struct mintings *q)
{
    struct minting *m = q->first;
    q->first = m->next;
    q->n--;
    q->turn -= q->turn > 0;
    return m;
}

result mint_begin(struct keeper *k, uint64_t slot, struct span fields)
{
    struct mint_message message;
    TRY(mint_read(fields, &message));
    AUTO_MINTING *m = calloc(1, sizeof *m);
    if (!m)
        return fail(E_no_memory);
    m->slot = slot;
    result r = prepare(k, &message, m);
    if (!is_ok(r))
        return tell_refused(k, slot, r);
    if (k->hsm)
        hsm_mint(k->hsm, &m->work);
    else
        enqueue(&k->mintings, m);
    m = NULL;
    return OK;
}

void mint_next_on_chip(struct keeper *k)
{
    chip_give(k->chip, &dequeue(&k->mintings)->work.work, WORK_MINT);
}

/* A buffer over a secret's pages: it never grows, so it never moves. */
static struct buf buf_over(struct secret *s)
{
    return (struct buf){ .p = secret_bytes(s), .cap = secret_size(s), .max = secret_size(s) };
}

static result put_call(const struct minting *m, struct buf *credential, struct buf *fields)
{
    const struct warrant *w = &m->warrant;
    TRY(mint_compact(buf_span(&m->input), SPAN(m->work.raw), credential));
    return call_put(fields, &(struct call_message){
                                .use = (uint8_t)w->use,
                                .target = span_text(w->target->name),
                                .method = span_text(w->plan.method),
                                .url = span_text(w->plan.url),
                                .precondition = span_text(w->plan.precondition),
                                .precondition_value = span_text(w->plan.precondition_value),
                                .media_type = span_text(w->plan.media_type),
                                .audit_id = span_text(w->plan.audit_id),
                                .credential = buf_span(credential),
                                .body = buf_span(&m->body),
                                .details = buf_span(&w->details),
                            });
}

static result tell_call(struct keeper *k, const struct minting *m)
{
    struct buf credential = buf_over(k->mintings.credential), fields = buf_over(k->mintings.call);
    result r = put_call(m, &credential, &fields);
    if (is_ok(r))
        r = link_send(k->runner, MESSAGE_CALL, m->slot, buf_span(&fields));
    else
        r = tell_refused(k, m->slot, r);
    wipe(credential.p, credential.n);
    wipe(fields.p, fields.n);
    return r;
}

result mint_end(struct keeper *k, struct mint_work *work)
{
    AUTO_MINTING *m = (struct minting *)work;
    result r = work->work.r;
    bool done = is_ok(r);
    if (!done && k->hsm)
        hsm_failed(k, "a credential's signature", r);
    else
        TRY(state_outcome(k, "a credential's signature", r, &done));
    if (code_of(r) == E_session_void && is_ok(k->state.obstacle)) {
        put_back(&k->mintings, m);
        m = NULL;
        return OK;
    }
    if (code_of(r) == E_session_void) /* what was waiting meanwhile was refused too */
        r = k->state.obstacle;
    if (is_ok(r) && !is_ok(k->state.obstacle)) /* over meanwhile: the HSM itself wouldn't say so */
        r = k->state.obstacle;
    if (is_ok(r))
        r = warrant_holds(&k->grounds, clock_utc_ms(), &m->warrant);
    return is_ok(r) ? tell_call(k, m) : tell_refused(k, m->slot, r);
}

result mint_refuse_waiting(struct keeper *k, enum seb_code code)
{
    while (k->mintings.first) {
        AUTO_MINTING *m = dequeue(&k->mintings);
        TRY(tell_refused(k, m->slot, fail(code)));
    }
    return OK;
}

void mint_free_waiting(struct keeper *k)
{
    while (k->mintings.first)
        minting_free(dequeue(&k->mintings));
}
