#include "config.h"

#include "bus/gate.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/bytes.h"

struct bucket {
    uint64_t tokens; /* in thousandths of a connection */
    int64_t filled_ms;
    bool begun;
};
struct source {
    uint8_t network[8]; /* of IPv6; of IPv4 behind zeros */
    bool used, known; /* known: one of it came through before */
    unsigned waiting;
    int64_t seen_ms;
    struct bucket bucket;
};
struct gate {
    struct source source[GATE_SOURCES];
    struct bucket strangers;
    unsigned waiting;
};
_Static_assert(GATE_SOURCES > GATE_WAITING + 1, "there is always a source to forget, of which nobody waits");

result gate_new(struct gate **ret)
{
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        return fail(E_no_memory);
    *ret = g;
    return OK;
}

void gate_free(struct gate *g)
{
    free(g);
}

/* A site has whole IPv6 networks of 64 bits to come from (RFC 6177), so one is one source. IPv4 arrives mapped where the socket is
 * an IPv6 one (RFC 4291 section 2.5.5.2). */
static bool network_of(const struct sockaddr *from, uint8_t ret[8])
{
    const void *any = from;
    uint8_t network[8] = { 0 };
    result r = fail(E_unsupported);
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *four = any;
        r = span_copy((struct span){ (const uint8_t *)&four->sin_addr, 4 }, network + 4, 4);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = any;
        const uint8_t *address = six->sin6_addr.s6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
        r = span_copy((struct span){ address + (mapped ? 12 : 0), mapped ? 4 : 8 }, network + (mapped ? 4 : 0), mapped ? 4 : 8);
    }
    return is_ok(r) && is_ok(span_copy(SPAN(network), ret, sizeof network));
}

static bool take_token(struct bucket *b, int64_t now_ms)
{
    const uint64_t full = (uint64_t)GATE_RATE_PER_S * 1000;
    int64_t passed = now_ms - b->filled_ms;
    uint64_t more = !b->begun || passed >= 1000 ? full : passed > 0 ? (uint64_t)passed * GATE_RATE_PER_S : 0;
    b->tokens = more < full - b->tokens ? b->tokens + more : full;
    b->filled_ms = now_ms;
    b->begun = true;
    if (b->tokens < 1000)
        return false;
    b->tokens -= 1000;
    return true;
}

/* Whoever nobody waits for and came longest ago is forgotten, strangers first. */
static uint32_t forget_one(const struct gate *g)
{
    uint32_t best = GATE_NOBODY;
    for (uint32_t i = 0; i < GATE_SOURCES; i++) {
        const struct source *s = &g->source[i], *b = best == GATE_NOBODY ? NULL : &g->source[best];
        if (!s->used)
            return i;
        if (!s->waiting && (!b || (b->known && !s->known) || (b->known == s->known && s->seen_ms < b->seen_ms)))
            best = i;
    }
    return best;
}

static uint32_t source_of(struct gate *g, const uint8_t network[8], int64_t now_ms)
{
    const struct span wanted = { network, 8 };
    for (uint32_t i = 0; i < GATE_SOURCES; i++)
        if (g->source[i].used && span_equal(SPAN(g->source[i].network), wanted)) {
            g->source[i].seen_ms = now_ms;
            return i;
        }
    uint32_t i = forget_one(g);
    if (i == GATE_NOBODY)
        return i;
    g->source[i] = (struct source){ .used = true, .seen_ms = now_ms };
    return is_ok(span_copy(wanted, g->source[i].network, 8)) ? i : GATE_NOBODY;
}

bool gate_enter(struct gate *g, const struct sockaddr *from, int64_t now_ms, uint32_t *ret_source)
{
    uint8_t network[8];
    if (!network_of(from, network))
        return false;
    uint32_t source = source_of(g, network, now_ms);
    if (source == GATE_NOBODY || !take_token(g->source[source].known ? &g->source[source].bucket : &g->strangers, now_ms))
        return false;
    g->source[source].waiting++;
    g->waiting++;
    *ret_source = source;
    return true;
}

bool gate_is_overfull(const struct gate *g)
{
    return g->waiting > GATE_WAITING;
}

uint32_t gate_most(const struct gate *g)
{
    uint32_t most = 0;
    for (uint32_t i = 1; i < GATE_SOURCES; i++)
        if (g->source[i].waiting > g->source[most].waiting)
            most = i;
    return g->source[most].waiting ? most : GATE_NOBODY;
}

void gate_leave(struct gate *g, uint32_t source)
{
    g->source[source].waiting--;
    g->waiting--;
}

void gate_through(struct gate *g, uint32_t source)
{
    gate_leave(g, source);
    g->source[source].known = true;
}

unsigned gate_waiting(const struct gate *g)
{
    return g->waiting;
}
