/* What no signature vouches for is counted by name, and summed into one record a minute. */
#include "config.h"

#include "base/clock.h"
#include "core/core.h"

#define MINUTE_MS 60000

void noise_count(struct core *c, enum seb_code code, uint32_t n)
{
    uint32_t *count = &c->noise[code];
    if (!c->noise_due_ms) {
        c->noise_due_ms = clock_mono_ms() + MINUTE_MS;
        c->noise_from_ms = clock_utc_ms();
    }
    *count = n > UINT32_MAX - *count ? UINT32_MAX : *count + n;
}

result noise_write(struct core *c)
{
    struct entry e = { .type = ENTRY_NOISE, .time = journal_now(c->journal) };
    e.noise.from = c->noise_from_ms;
    e.noise.until = e.time;
    if (!c->noise_due_ms)
        return OK;
    TRY(journal_health(c->journal)); /* a commit that fails would lose the counts: they wait */
    for (unsigned code = 0; code < E_CODES && e.noise.n < NOISE_CODES; code++) {
        if (!c->noise[code])
            continue;
        TRY(span_copy_text(span_text(code_name((enum seb_code)code)), e.noise.count[e.noise.n].code, sizeof e.noise.count[0].code));
        e.noise.count[e.noise.n++].count = c->noise[code];
    }
    struct placed placed;
    TRY(journal_add(c->journal, &e, NULL, &placed));
    for (unsigned code = 0; code < E_CODES; code++)
        c->noise[code] = 0;
    c->noise_due_ms = 0;
    return OK;
}
