/* The machine's state, as quotes show it: a checkpoint's quote is over the same PCRs as the evidence that a verifier affirmed, so
 * that in one run, at one revocation epoch, both show one state. A digest can't be taken apart: PCRs that go on while a broker runs
 * make quotes that nothing is to be compared with. */
#include "config.h"

#include <stdlib.h>

#include "audit/audit.h"

#define STATES 16 /* distinct ones that are remembered of a run */
/* IMA extends PCR 10 with each file that is opened (Linux), systemd PCR 11 as the boot goes on. */
#define GOES_ON (UINT32_C(1) << 10 | UINT32_C(1) << 11)

struct shown {
    struct quoted_state state;
    uint64_t first, last; /* sizes of checkpoints */
    bool before; /* the first is of before this run */
};
struct state_watch {
    struct shown shown[STATES];
    unsigned shown_n;
    struct quoted_state attested[STATES];
    unsigned attested_n;
    uint64_t newest; /* size that was quoted last */
};

result states_new(struct state_watch **ret)
{
    struct state_watch *w = calloc(1, sizeof *w);
    if (!w)
        return fail(E_no_memory);
    *ret = w;
    return OK;
}

void states_free(struct state_watch *w)
{
    free(w);
}

/* TPML_PCR_SELECTION as it is marshaled: one bank, SHA-256's. */
static bool selection_read(struct span selection, uint32_t *ret)
{
    struct reader r = reader_of(selection);
    uint32_t banks, mask = 0;
    uint16_t alg;
    uint8_t n, bits;
    if (!is_ok(read_u32(&r, &banks)) || banks != 1 || !is_ok(read_u16(&r, &alg)) || alg != 0x000b || !is_ok(read_u8(&r, &n)))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!is_ok(read_u8(&r, &bits)) || (i >= 4 && bits != 0))
            return false;
        mask |= i < 4 ? (uint32_t)bits << 8 * i : 0;
    }
    *ret = mask;
    return is_ok(read_end(&r));
}

bool quoted_state_of(const struct attest *quote, uint64_t epoch, struct quoted_state *ret)
{
    ret->epoch = epoch;
    return selection_read(quote->pcr_selection, &ret->mask) && is_ok(span_copy(quote->pcr_digest, ret->pcrs.b, DIGEST_SIZE));
}

static bool is_comparable(const struct quoted_state *a, const struct quoted_state *b)
{
    return a->mask == b->mask && a->epoch == b->epoch && !(a->mask & GOES_ON);
}

static bool is_same(const struct quoted_state *a, const struct quoted_state *b)
{
    return a->mask == b->mask && a->epoch == b->epoch && digest_equal(&a->pcrs, &b->pcrs);
}

void states_quoted(struct state_watch *w, uint64_t size, const struct quoted_state *s)
{
    w->newest = size;
    for (unsigned i = 0; i < w->shown_n; i++)
        if (is_same(&w->shown[i].state, s)) {
            w->shown[i].last = size;
            return;
        }
    if (w->shown_n < STATES)
        w->shown[w->shown_n++] = (struct shown){ .state = *s, .first = size, .last = size };
}

void states_attested(struct state_watch *w, const struct quoted_state *s)
{
    for (unsigned i = 0; i < w->attested_n; i++)
        if (is_same(&w->attested[i], s))
            return;
    if (w->attested_n < STATES)
        w->attested[w->attested_n++] = *s;
}

/* Whether states like this one were attested, and it wasn't among them. */
static bool is_other(const struct state_watch *w, const struct quoted_state *s)
{
    bool any = false;
    for (unsigned i = 0; i < w->attested_n; i++) {
        any |= is_comparable(&w->attested[i], s);
        if (is_same(&w->attested[i], s))
            return false;
    }
    return any;
}

void states_end(struct audit *a, struct state_watch *w)
{
    for (unsigned i = 0; i < w->shown_n; i++)
        if (is_other(w, &w->shown[i].state) && !(w->shown[i].before && w->shown[i].last == w->shown[i].first))
            report_found(&a->report, FOUND_quote_state, at_size(w->shown[i].first), "%s", "");
    w->shown_n = w->attested_n = 0;
}

/* The last checkpoint of a run is quoted by the next one too, and by each that begins before anything more is signed: it shows
 * their states. */
void states_record(struct audit *a, struct state_watch *w, const struct record *r)
{
    struct shown carried[STATES];
    unsigned carried_n = 0, kept_n = 0;
    if (r->e.type != ENTRY_START)
        return;
    for (unsigned i = 0; i < w->shown_n; i++) {
        const struct shown s = w->shown[i];
        if (s.first == w->newest && is_other(w, &s.state))
            carried[carried_n++] = (struct shown){ .state = s.state, .first = s.first, .last = s.first, .before = true };
        else
            w->shown[kept_n++] = s;
    }
    w->shown_n = kept_n;
    states_end(a, w);
    for (; w->shown_n < carried_n; w->shown_n++)
        w->shown[w->shown_n] = carried[w->shown_n];
}
