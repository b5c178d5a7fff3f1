#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/loop.h"

#include <stdlib.h>

#define STOP_WORKS_MS 3000 /* for what is under way */
#define STOP_ALL_MS 4500 /* less than the supervisor's patience with the core */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int timers_wait_ms(struct core *c)
{
    int64_t due = earlier(journal_due_ms(c->journal), c->timers_due_ms);
    if (c->noise_due_ms)
        due = earlier(due, c->noise_due_ms);
    if (c->stop != STOP_NO)
        due = earlier(due, clock_mono_ms() + 20);
    if (due == INT64_MAX)
        return -1;
    int64_t wait = due - clock_mono_ms();
    return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

static void pending(struct core *c, struct work *w, uint64_t slot)
{
    bool permitted = w->decision.permitted && w->decision_index < journal_signed_size(c->journal);
    bool unproved = w->stage == STAGE_REFUSE && !w->due_ms && w->decision_index < store_size(c->store);
    if (permitted || unproved)
        reply_known(c, slot, &(struct known_request){ .decision = w->decision_index, .permitted = permitted, .outcome = NO_INDEX });
    else
        reply_code(c, slot, "pending", NULL, E_pending);
}

/* Answers and drops the waiters whose time is over; returns when the next one's is. */
static int64_t waiters_run(struct core *c, struct work *w, int64_t now)
{
    int64_t due = INT64_MAX;
    for (struct waiter **at = &w->waiters; *at;) {
        struct waiter *one = *at;
        if (one->until_ms > now) {
            due = earlier(due, one->until_ms);
            at = &one->next;
            continue;
        }
        *at = one->next;
        pending(c, w, one->slot);
        free(one);
    }
    return due;
}

/* The record is durable and not signed in time: whoever waits is told so, and may ask again. */
static void unproved(struct core *c, struct work *w)
{
    w->due_ms = 0;
    for (struct waiter *next; w->waiters; w->waiters = next) {
        next = w->waiters->next;
        if (w->decision_index < store_size(c->store))
            reply_known(c, w->waiters->slot, &(struct known_request){ .decision = w->decision_index, .outcome = NO_INDEX });
        else
            reply_code(c, w->waiters->slot, "unavailable", NULL, E_disk);
        free(w->waiters);
    }
}

static void work_due(struct core *c, struct work *w)
{
    w->due_ms = 0;
    if (w->stage == STAGE_REFUSE)
        unproved(c, w);
    else
        work_go(c, w, w->resume);
}

void timers_run(struct core *c)
{
    int64_t now = clock_mono_ms();
    if (c->noise_due_ms && now >= c->noise_due_ms) {
        result r = noise_write(c);
        if (!is_ok(r))
            c->noise_due_ms = now + 1000;
    }
    if (now < c->timers_due_ms)
        return;
    struct work *w, *next;
    c->timers_due_ms = INT64_MAX;
    HASH_ITER(hh_id, c->by_id, w, next)
    {
        int64_t due = waiters_run(c, w, now);
        if (w->due_ms && w->due_ms <= now)
            work_due(c, w); /* may be gone now; what it sets anew moves timers_due_ms itself */
        else if (w->due_ms)
            due = earlier(due, w->due_ms);
        c->timers_due_ms = earlier(c->timers_due_ms, due);
    }
}

void stop_begin(struct core *c)
{
    if (c->stop != STOP_NO)
        return;
    c->stop = STOP_WORKS;
    c->stopping = true;
    c->stop_ms = clock_mono_ms();
}

static bool works_end(struct core *c)
{
    struct work *w, *next;
    HASH_ITER(hh_id, c->by_id, w, next)
    {
        if (w->stage < STAGE_SETTLE)
            return false;
    }
    return true;
}

static void stop_appended(struct ticket *t, result r)
{
    struct core *c = t->context;
    if (!is_ok(r))
        log_result(LOG_ERROR, "the stop isn't recorded", r);
    c->stop = STOP_APPENDED;
}

static void stop_write(struct core *c)
{
    struct entry e = { .type = ENTRY_STOP, .time = journal_now(c->journal) };
    struct placed placed;
    result r = noise_write(c);
    if (is_ok(r))
        r = span_copy(SPAN(c->run), e.stop.run, sizeof e.stop.run);
    e.time = journal_now(c->journal);
    if (is_ok(r))
        r = journal_add(c->journal, &e, NULL, &placed);
    c->stop = STOP_SENT;
    if (!is_ok(r)) {
        log_result(LOG_ERROR, "the stop isn't recorded", r);
        c->stop = STOP_DONE;
        return;
    }
    c->stop_ticket = (struct ticket){ .index = placed.index, .until = UNTIL_APPENDED, .context = c, .done = stop_appended };
    journal_wait(c->journal, &c->stop_ticket);
}

void stop_advance(struct core *c)
{
    if (c->stop == STOP_NO)
        return;
    int64_t since = clock_mono_ms() - c->stop_ms;
    if (c->stop == STOP_WORKS && (works_end(c) || since > STOP_WORKS_MS)) {
        if (c->serving)
            stop_write(c);
        else
            c->stop = STOP_DONE;
    }
    /* Where the chip signs nothing (no lease, say), it won't for the stop: that is signed when the next run may. */
    bool signs = is_ok(c->keys_health);
    if (c->stop == STOP_APPENDED &&
        (signs ? journal_idle(c->journal) && !journal_unquoted_ms(c->journal) : journal_stored(c->journal)))
        c->stop = STOP_DONE;
    if (c->stop != STOP_DONE && since > STOP_ALL_MS) {
        log_line(LOG_WARNING, "stopped before the last records were signed and quoted");
        c->stop = STOP_DONE;
    }
}
