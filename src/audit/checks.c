/* The table of checks, in the order in which a record goes through them; and the small ones. */
#include "config.h"

#include <inttypes.h>

#include "audit/audit.h"

/* Time never goes back, and how long the broker ran. */
static result order_record(struct audit *a, const struct record *r)
{
    struct running *now = &a->running;
    if (now->any && r->e.time < now->time_ms) {
        report_found(&a->report, FOUND_time_backwards, at_record(r->index), "by %" PRId64 " ms", now->time_ms - r->e.time);
        return OK;
    }
    if (now->any && r->e.type != ENTRY_START)
        now->active_ms += r->e.time - now->time_ms;
    now->time_ms = r->e.time;
    now->any = true;
    return OK;
}
const struct audit_check check_order = { .name = "order", .record = order_record };

static result noise_record(struct audit *a, const struct record *r)
{
    if (r->e.type != ENTRY_NOISE)
        return OK;
    a->summary.noise++;
    for (unsigned i = 0; i < r->e.noise.n; i++)
        if (code_named(r->e.noise.count[i].code) == E_CODES)
            report_found(&a->report, FOUND_noise_malformed, at_record(r->index), "%s", r->e.noise.count[i].code);
    if (r->e.noise.until > r->e.time)
        report_found(&a->report, FOUND_noise_malformed, at_record(r->index), "until %" PRId64, r->e.noise.until);
    return OK;
}
const struct audit_check check_noise = { .name = "noise", .judges = true, .record = noise_record };

static const struct audit_check *const checks[] = {
    &check_order,
    &check_documents,
    &check_identity,
    &check_runs,
    &check_statements,
    &check_attestations,
    &check_reads,
    &check_decisions,
    &check_outcomes,
    &check_cover,
    &check_noise,
    &check_quotes,
    &check_trace,
};
#define CHECKS (sizeof checks / sizeof *checks)

static bool is_part(const struct audit *a, const struct audit_check *c)
{
    if (a->trace)
        return !c->judges;
    return c != &check_trace && (a->cover || c != &check_cover);
}

result pass_begin(struct audit *a)
{
    for (unsigned i = 0; i < CHECKS; i++)
        if (checks[i]->begin && is_part(a, checks[i]))
            TRY(checks[i]->begin(a));
    return OK;
}

result pass_record(struct audit *a, const struct record *r)
{
    for (unsigned i = 0; i < CHECKS; i++)
        if (checks[i]->record && is_part(a, checks[i]))
            TRY(checks[i]->record(a, r));
    return OK;
}

result pass_signed_at(struct audit *a, const struct signed_size *s)
{
    for (unsigned i = 0; i < CHECKS; i++)
        if (checks[i]->signed_at && is_part(a, checks[i]))
            TRY(checks[i]->signed_at(a, s));
    return OK;
}

/* From the last to the first: what looks at whole runs and permits ends before what it looks at. */
result pass_end(struct audit *a)
{
    for (unsigned i = CHECKS; i-- > 0;)
        if (checks[i]->end && is_part(a, checks[i]))
            TRY(checks[i]->end(a));
    return OK;
}

void pass_free(struct audit *a)
{
    for (unsigned i = 0; i < CHECKS; i++)
        if (checks[i]->free)
            checks[i]->free(a);
}
