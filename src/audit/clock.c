/* The TPM's clock against the records' times. A record's time is the broker's word; from quote to quote both must go on alike, or
 * somebody turned the broker's clock, to keep an expired certificate alive, say. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "attest/quote.h"
#include "audit/audit.h"

/* A record's time lies before its quote's by what storing, signing and quoting take, which differs from quote to quote. A TPM's
 * clock may be off by some percent: implementations let TPM2_ClockRateAdjust go up to 15. */
#define CLOCK_SLACK_MS 5000
#define CLOCK_PERCENT 15
/* A quote that came later than this, measured by the one before, serves to measure no others by: the next, in time, would seem to
 * have come too early. Less than the slack, since two may come late, each by a little more. */
#define CLOCK_LATE_MS (CLOCK_SLACK_MS / 2)

/* A quote that verifies, and the time of the newest record that it covers. */
struct stamp {
    bool any;
    struct tpm_clock clock;
    uint64_t size;
    int64_t time_ms;
};
struct clock_watch {
    struct stamp last; /* the newest quote */
    struct stamp base; /* the newest that went along with the one before: one that came late is nothing to measure by */
    bool permitted, started; /* since the newest quote */
    /* The clocks went apart up to the newest quote: said unless a start follows at once, because a new run first quotes what the
     * last one left, whenever that was. */
    bool suspect, suspect_permitted;
    int64_t off_ms;
};

result clock_new(struct clock_watch **ret)
{
    struct clock_watch *w = calloc(1, sizeof *w);
    if (!w)
        return fail(E_no_memory);
    *ret = w;
    return OK;
}

void clock_free(struct clock_watch *w)
{
    free(w);
}

static bool same_boot(const struct tpm_clock *a, const struct tpm_clock *b)
{
    return a->reset_count == b->reset_count && a->restart_count == b->restart_count;
}

static bool went_back(const struct tpm_clock *from, const struct tpm_clock *to)
{
    if (to->reset_count != from->reset_count)
        return to->reset_count < from->reset_count;
    return to->restart_count < from->restart_count;
}

/* TPM 2.0 Part 1, section 36: Clock grows while the TPM has power; resetCount grows with each TPM Reset. */
static void check_growth(struct audit *a, const struct stamp *last, const struct stamp *now)
{
    if (!last->any)
        return;
    if (went_back(&last->clock, &now->clock))
        report_found(&a->report, FOUND_clock_reset, at_size(now->size), "%" PRIu32 ".%" PRIu32 " after %" PRIu32 ".%" PRIu32,
            now->clock.reset_count, now->clock.restart_count, last->clock.reset_count, last->clock.restart_count);
    else if (same_boot(&last->clock, &now->clock) && now->clock.clock_ms <= last->clock.clock_ms)
        report_found(&a->report, FOUND_clock_stopped, at_size(now->size), "%" PRIu64 " ms after %" PRIu64, now->clock.clock_ms,
            last->clock.clock_ms);
}

/* How much longer it took by the TPM's clock than by the records' times, beyond what is allowed; negative: shorter. While it is off
 * a TPM's clock stands still, so nothing is said across a reset. */
static int64_t went_apart(const struct stamp *from, const struct stamp *to)
{
    if (!from->any || !same_boot(&from->clock, &to->clock) || to->clock.clock_ms < from->clock.clock_ms)
        return 0;
    uint64_t tpm = to->clock.clock_ms - from->clock.clock_ms, records = (uint64_t)(to->time_ms - from->time_ms);
    uint64_t longer = tpm > records ? tpm : records, shorter = tpm > records ? records : tpm;
    if (longer - shorter <= CLOCK_SLACK_MS + longer / 100 * CLOCK_PERCENT)
        return 0;
    return tpm > records ? (int64_t)(longer - shorter) : -(int64_t)(longer - shorter);
}

static void settle(struct audit *a, struct clock_watch *w)
{
    if (w->suspect && w->suspect_permitted)
        report_found(&a->report, FOUND_clock_disagrees, at_size(w->last.size), "the TPM's is %+" PRId64 " ms ahead", w->off_ms);
    else if (w->suspect)
        report_remark(&a->report, REMARK_clock_gap, at_size(w->last.size), "the TPM's is %+" PRId64 " ms ahead", w->off_ms);
    w->suspect = false;
}

static bool came_late(const struct stamp *from, const struct stamp *to)
{
    return from->any && same_boot(&from->clock, &to->clock) &&
           (int64_t)(to->clock.clock_ms - from->clock.clock_ms) - (to->time_ms - from->time_ms) > CLOCK_LATE_MS;
}

/* In the middle of a run a TPM that was reset was away: its first quote is of what had waited for it. */
static bool may_be_base(const struct clock_watch *w, const struct stamp *now)
{
    return now->size > 0 && !came_late(&w->base, now) && (!w->last.any || w->started || same_boot(&w->last.clock, &now->clock));
}

void clock_quoted(struct audit *a, struct clock_watch *w, uint64_t size, const struct tpm_clock *clock)
{
    struct stamp now = { .any = true, .clock = *clock, .size = size, .time_ms = a->running.time_ms };
    check_growth(a, &w->last, &now);
    if (!w->last.any || w->last.size != size) {
        settle(a, w);
        w->off_ms = went_apart(&w->base, &now);
        w->suspect = w->off_ms != 0;
        w->suspect_permitted = w->permitted;
        /* Where the TPM's clock is ahead the quote came late, and the next one shows whether it was that. */
        if (w->off_ms <= 0 && may_be_base(w, &now))
            w->base = now;
        w->permitted = w->started = false;
    }
    w->last = now;
}

void clock_record(struct clock_watch *w, const struct record *r)
{
    w->permitted |= r->e.type == ENTRY_DECISION && r->e.decision.permitted;
    w->started |= r->e.type == ENTRY_START;
    if (r->e.type == ENTRY_START && r->index == w->last.size)
        w->suspect = false;
}

void clock_replaced(struct clock_watch *w)
{
    w->last.any = w->base.any = false;
}

void clock_end(struct audit *a, struct clock_watch *w)
{
    settle(a, w);
}
