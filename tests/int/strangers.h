/* Connections to a TLS port of this machine from somebody who has no business there. */
#ifndef SEB_TESTS_STRANGERS_H
#define SEB_TESTS_STRANGERS_H

#include <stdatomic.h>

int stranger(const char *from, unsigned port); /* a connected socket; -1 */
struct strangers {
    unsigned port;
    const char *from; /* an address of 127.0.0.0/8 */
    atomic_bool stop;
    atomic_ulong made;
};
/* A thread. Connections that are begun and never finished, hundreds at once, new ones for those that are cut: the beginning of a
 * handshake, nothing at all, or garbage. Until it is told to stop. */
void *strangers_half_open(void *strangers);

#endif
