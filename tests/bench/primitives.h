/* The primitives of one mutation, each measured alone. */
#ifndef SEB_TESTS_PRIMITIVES_H
#define SEB_TESTS_PRIMITIVES_H

#include "config/config.h"
#include "tests/bench/measure.h"

struct primitive_args {
    const struct config *config; /* of the broker's stand; the broker itself isn't up */
    const char *folder; /* empty, for files and sockets */
    unsigned rounds;
};
void primitive_verify(const struct primitive_args *a);
void primitive_tpm(const struct primitive_args *a);
void primitive_hsm(const struct primitive_args *a);
void primitive_commit(const struct primitive_args *a);
void primitive_bus(const struct primitive_args *a);
void primitive_bus_busy(const struct primitive_args *a);
void primitive_hop(const struct primitive_args *a);
void primitive_hop_busy(const struct primitive_args *a);
void primitive_thread(const struct primitive_args *a);
void primitive_https(const struct primitive_args *a);

#endif
