/* The asking end, inside this folder: one struct over either transport. */
#ifndef SEB_BUS_CLIENT_H
#define SEB_BUS_CLIENT_H

#include "bus/bus.h"

struct tls_client; /* opaque */
/* Pointers, so that who asks over ipc alone links no TLS. */
struct bus_client_over {
    result (*ask)(struct tls_client *c, struct span frame, int timeout_ms, struct buf *reply);
    void (*free)(struct tls_client *c);
};
/* A client that asks through the other, which it owns from here on, also on failure. */
MUST_USE result bus_client_over(const struct bus_client_over *over, struct tls_client *c, struct bus_client **ret);

#endif
