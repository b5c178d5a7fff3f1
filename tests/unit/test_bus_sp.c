/* What the bus over TLS reads before it knows anybody: SP's greeting and messages, and who may wait at the gate. */
#include "config.h"

#include "tests/unit/check.h"

#include "bus/gate.h"
#include "bus/sp.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void greetings(struct checks *c)
{
    static const uint8_t req[] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 }; /* as nng 1.5.2 sends it */
    AUTO_BUF ours = BUF(SP_GREETING);
    check_that(c, is_ok(sp_greeting_put(&ours, SP_REQ)) && span_equal(buf_span(&ours), SPAN(req)), "the greeting is nng's");
    check_code(c, sp_greeting_read(SPAN(req), SP_REQ), E_ok, "a requester's greeting");
    check_code(c, sp_greeting_read(SPAN(req), SP_REP), E_bad_frame, "isn't a replier's");
    unsigned refused = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint8_t bad[SP_GREETING];
        for (unsigned i = 0; i < SP_GREETING; i++)
            bad[i] = req[i] ^ (uint8_t)(i == bit / 8 ? 1u << bit % 8 : 0);
        refused += code_of(sp_greeting_read(SPAN(bad), SP_REQ)) == E_bad_frame;
    }
    check_that(c, refused == 64, "with any bit other it is refused");
    check_code(c, sp_greeting_read((struct span){ req, 7 }, SP_REQ), E_bad_frame, "and cut short");
}

static void messages(struct checks *c)
{
    static const uint8_t big[BUS_FRAME_MAX + 1];
    AUTO_BUF one = BUF(SP_MESSAGE_MAX), two = BUF(64), small = BUF(16);
    uint32_t id = 0;
    struct span frame;
    size_t n;
    check_that(
        c, is_ok(sp_put(&one, 0x80000007, (struct span){ big, BUS_FRAME_MAX })) && one.n == SP_MESSAGE_MAX, "the largest fits");
    check_that(c, is_ok(sp_read(buf_span(&one), &id, &frame, &n)) && n == one.n && id == 0x80000007 && frame.n == BUS_FRAME_MAX,
        "and is read");
    check_code(c, sp_put(&one, 0x80000007, SPAN(big)), E_too_long, "a larger frame isn't written");
    check_code(c, sp_put(&small, 0x80000007, span_text("12345")), E_too_long, "nor one for which there is no room");
    check_that(c, small.n == 0, "nothing of it");
    check_that(c,
        is_ok(sp_put(&two, 0x80000001, span_text("first"))) && is_ok(sp_put(&two, 0x80000002, span_text(""))) &&
            is_ok(sp_read(buf_span(&two), &id, &frame, &n)) && n == 17 && span_is(frame, "first"),
        "of two the first is read");
    check_that(c,
        is_ok(sp_read(span_part(buf_span(&two), n, two.n), &id, &frame, &n)) && n == 12 && id == 0x80000002 && frame.n == 0,
        "then the other, without a frame");
    unsigned waiting = 0;
    for (size_t i = 0; i < 17; i++)
        waiting += is_ok(sp_read(span_part(buf_span(&two), 0, i), &id, &frame, &n)) && n == 0;
    check_that(c, waiting == 17, "what is cut short anywhere isn't whole yet");
    static const uint8_t huge[] = { 0, 0, 1, 0, 0, 0, 0, 0 }, over[] = { 0, 0, 0, 0, 0, 1, 0, 5 },
                         tiny[] = { 0, 0, 0, 0, 0, 0, 0, 3 };
    static const uint8_t reply[] = { 0, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff };
    check_code(c, sp_read(SPAN(huge), &id, &frame, &n), E_too_long, "a head that promises too much is refused at once");
    check_code(c, sp_read(SPAN(over), &id, &frame, &n), E_too_long, "by one byte too");
    check_code(c, sp_read(SPAN(tiny), &id, &frame, &n), E_bad_frame, "and one without room for an id");
    check_code(c, sp_read(SPAN(reply), &id, &frame, &n), E_bad_frame, "and an id that is no request's");
}

static struct sockaddr_in four(const char *text)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    inet_pton(AF_INET, text, &a.sin_addr);
    return a;
}

static struct sockaddr_in6 six(const char *text)
{
    struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
    inet_pton(AF_INET6, text, &a.sin6_addr);
    return a;
}

static bool enters(struct gate *g, const void *from, int64_t now_ms, uint32_t *ret)
{
    return gate_enter(g, from, now_ms, ret);
}

static void sources(struct checks *c)
{
    struct gate *g;
    uint32_t a = 0, b = 0, other = 0;
    struct sockaddr_in v4 = four("192.0.2.1");
    struct sockaddr_in6 mapped = six("::ffff:192.0.2.1"), host = six("2001:db8::1"), same = six("2001:db8::2"),
                        net = six("2001:db8:0:1::1");
    struct sockaddr unknown = { .sa_family = AF_UNIX };
    check_code(c, gate_new(&g), E_ok, "a gate");
    check_that(c, enters(g, &v4, 1, &a) && enters(g, &mapped, 1, &b) && a == b, "a mapped IPv4 address is the same source");
    check_that(c, enters(g, &host, 1, &a) && a != b && enters(g, &same, 1, &b) && a == b, "an IPv6 network of 64 bits is one");
    check_that(c, enters(g, &net, 1, &other) && other != a, "another network is another");
    check_that(c, !enters(g, &unknown, 1, &a), "what has no such address doesn't come in");
    check_that(c, gate_waiting(g) == 5, "all are counted");
    gate_free(g);
}

/* One source comes by the hundred, another once. */
static void floods(struct checks *c)
{
    struct gate *g;
    uint32_t flood = 0, quiet = 0, known = 0;
    struct sockaddr_in many = four("192.0.2.1"), one = four("192.0.2.2"), friend = four("192.0.2.3");
    int64_t now = 1000;
    unsigned entered = 0;
    check_code(c, gate_new(&g), E_ok, "a gate");
    check_that(c, enters(g, &friend, now, &known), "one comes in");
    gate_through(g, known);
    for (unsigned i = 0; i < 2 * GATE_RATE_PER_S; i++)
        entered += enters(g, &many, now, &flood);
    check_that(c, entered == GATE_RATE_PER_S - 1, "in one moment no more strangers come in than the rate");
    check_that(c, !enters(g, &one, now, &quiet), "whoever they are");
    check_that(c, enters(g, &friend, now, &known), "but who once came through does");
    gate_leave(g, known);
    for (now += 1000; entered < GATE_WAITING; now += 1000)
        for (unsigned i = 0; i < GATE_RATE_PER_S && entered < GATE_WAITING; i++)
            entered += enters(g, &many, now, &flood);
    check_that(c, !gate_is_overfull(g) && gate_waiting(g) == GATE_WAITING, "as many wait as may");
    check_that(
        c, enters(g, &one, now, &quiet) && gate_is_overfull(g) && gate_most(g) == flood, "for one more one of the many must go");
    gate_leave(g, flood);
    check_that(c, !gate_is_overfull(g), "and then no other");
    gate_free(g);
}

static void forgotten(struct checks *c)
{
    struct gate *g;
    uint32_t source = 0, first = 0, again = 0;
    struct sockaddr_in from = four("192.0.2.3");
    int64_t now = 1000;
    unsigned entered = 0;
    check_code(c, gate_new(&g), E_ok, "a gate");
    check_that(c, gate_most(g) == GATE_NOBODY && enters(g, &from, now, &first), "one comes in");
    gate_through(g, first);
    for (uint32_t i = 0; i < 4 * GATE_SOURCES; i++) {
        struct sockaddr_in stranger = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a000000 + i) } };
        now += 100;
        entered += enters(g, &stranger, now, &source);
        gate_leave(g, source);
    }
    check_that(c, entered == 4 * GATE_SOURCES, "more sources than are told apart come in, one after another");
    check_that(c, enters(g, &from, now, &again) && again == first, "strangers are forgotten first");
    gate_free(g);
}

int main(void)
{
    struct checks c = { 0 };
    greetings(&c);
    messages(&c);
    sources(&c);
    floods(&c);
    forgotten(&c);
    return checks_end(&c);
}
