#include "config.h"

#include "tests/unit/check.h"

#include "bus/peers.h"

#include <stdlib.h>

static struct peers *table(const struct peers_args *args)
{
    struct peers *p;
    if (!is_ok(peers_new(args, &p)))
        abort();
    return p;
}

static bool takes(struct peers *p, uint32_t pipe, int64_t now_ms)
{
    uint32_t uid;
    return peers_take(p, pipe, now_ms, &uid) == PEERS_TAKEN;
}

static void connections(struct checks *c)
{
    struct peers *p = table(&(struct peers_args){ .pipes = 16, .in_flight = 9, .in_flight_per_uid = 9 });
    unsigned joined = 0;
    for (uint32_t pipe = 1; pipe <= 16; pipe++)
        joined += peers_join(p, pipe, 1000, 0);
    check_that(c, joined == 14, "one uid gets all connections but an eighth");
    check_that(c, peers_join(p, 20, 1001, 0) && peers_join(p, 21, 1002, 0), "others get the rest");
    check_that(c, !peers_join(p, 22, 1003, 0), "beyond the bound nobody joins");
    check_that(c, peers_cut_off(p) == 3, "those cut off are counted");
    peers_leave(p, 99);
    peers_leave(p, 20);
    check_that(c, peers_join(p, 22, 1003, 0), "one that left makes room");
    uint32_t uid = 0;
    check_that(c, peers_take(p, 20, 0, &uid) == PEERS_GONE, "a frame of a closed connection is forgotten");
    check_that(c, peers_take(p, 22, 0, &uid) == PEERS_TAKEN && uid == 1003, "a frame is its connection's uid's");
    peers_free(p);

    p = table(&(struct peers_args){ .root_only = true, .pipes = 2, .in_flight = 1, .in_flight_per_uid = 1 });
    check_that(c, !peers_join(p, 1, 1000, 0) && !peers_join(p, 1, 65534, 0), "root's socket takes nobody else");
    check_that(c, peers_join(p, 1, 0, 0) && peers_join(p, 2, 0, 0), "root gets all of its connections");
    peers_free(p);
}

static void in_flight(struct checks *c)
{
    struct peers *p = table(&(struct peers_args){ .pipes = 64, .in_flight = 4, .in_flight_per_uid = 3 });
    peers_join(p, 1, 1000, 0);
    peers_join(p, 2, 1000, 0);
    peers_join(p, 3, 1001, 0);
    check_that(c, takes(p, 1, 0) && takes(p, 2, 0) && takes(p, 1, 0), "as many as the bound of a uid");
    check_that(c, !takes(p, 1, 0) && !takes(p, 2, 0), "over all its connections, and no more");
    check_that(c, takes(p, 3, 0) && !takes(p, 3, 0), "another uid up to the bound of all");
    peers_leave(p, 1);
    peers_leave(p, 2);
    peers_join(p, 4, 1000, 0);
    check_that(c, !takes(p, 4, 0), "hanging up ends no request that is under way");
    peers_done(p, 1000);
    check_that(c, takes(p, 4, 0) && !takes(p, 4, 0), "an answer makes room for one");
    peers_done(p, 7);
    check_that(c, !takes(p, 3, 0), "an answer to a stranger makes none");
    peers_free(p);
}

static void rate(struct checks *c)
{
    struct peers *p =
        table(&(struct peers_args){ .pipes = 2, .in_flight = 65536, .in_flight_per_uid = 65536, .rate_per_s_per_uid = 10 });
    unsigned taken = 0;
    peers_join(p, 1, 1000, 5000);
    for (unsigned i = 0; i < 30; i++)
        taken += takes(p, 1, 5000);
    check_that(c, taken == 10, "a second's worth at once");
    check_that(c, !takes(p, 1, 5099) && takes(p, 1, 5100) && !takes(p, 1, 5100), "then one each tenth of a second");
    peers_leave(p, 1);
    for (uint32_t uid = 2000; uid < 2016; uid++) {
        peers_join(p, uid, uid, 5100);
        peers_leave(p, uid);
    }
    peers_join(p, 2, 1000, 5100);
    check_that(c, !takes(p, 2, 5100), "coming back, and many others meanwhile, bring no fresh tokens");
    for (unsigned i = taken = 0; i < 30; i++)
        taken += takes(p, 2, 999999);
    check_that(c, taken == 10, "the longest rest gives a second's worth");
    check_that(c, !takes(p, 2, 0), "a clock that went back gives none");
    unsigned joined = 0;
    for (uint32_t uid = 3000; uid < 3016; uid++) {
        joined += peers_join(p, uid, uid, 2000000 + uid * 2000);
        peers_leave(p, uid);
    }
    check_that(c, joined == 16, "an idle uid is forgotten for a new one");
    peers_free(p);
}

int main(void)
{
    struct checks c = { 0 };
    connections(&c);
    in_flight(&c);
    rate(&c);
    peers_free(NULL);
    return checks_end(&c);
}
