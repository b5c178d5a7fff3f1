/* Exchanges with brokers: a connection each, kept between exchanges, and a few threads that wait in the loop's place. A broker that
 * let one exchange time out has its next ones in a lane of its own, so that silent ones wait for one another, and nobody else for
 * them. */
#ifndef SEB_VERIFIER_WIRE_H
#define SEB_VERIFIER_WIRE_H

#include "base/json.h"
#include "base/worker.h"
#include "bus/bus.h"

struct wire; /* opaque */
struct wire_args {
    const struct bus_tls *tls; /* borrowed */
    unsigned connections; /* exchanges at once, 1 to 256 */
    int timeout_ms; /* of one */
};
MUST_USE result wire_new(const struct wire_args *args, struct wire **ret);
/* Waits for exchanges that are under way, at most their timeout. All lines are closed first or after. Accepts NULL. */
void wire_free(struct wire *w);

/* One broker's line. Its exchange is under way between wire_post and the wire_take that returns it. */
struct wire_line {
    struct job job; /* first; the wire's own, like all to `silent` */
    struct wire *wire;
    struct bus_client *client;
    char address[129];
    bool silent; /* its last exchange failed */
    void *owner; /* the caller's */
    struct buf request, reply; /* frames */
    result done; /* how the exchange ended: unavailable, or ok and reply holds a frame */
};
MUST_USE result wire_line_new(struct wire *w, const char *address, struct wire_line **ret);
void wire_line_free(struct wire_line *l); /* accepts NULL; not while its exchange is under way */
/* Sends {"op": …} as a frame. */
MUST_USE result wire_post(struct wire_line *l, const json_t *question);
/* For poll(2): descriptors that are readable when an exchange has ended; as many as fit into ret[max]. */
unsigned wire_fds(const struct wire *w, int *ret, unsigned max);
struct wire_line *wire_take(struct wire *w); /* NULL: none has ended */
/* One exchange by who has no loop: posts and waits. */
MUST_USE result wire_ask(struct wire_line *l, const json_t *question);

/* The broker's answer in l->reply: the reply object of status ok; else the code that the broker said, unavailable where this build
 * has no name for it. */
MUST_USE result wire_reply(const struct wire_line *l, json_t **ret);

#endif
