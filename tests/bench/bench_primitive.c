/* bench_primitive WHAT CONFIG FOLDER ROUNDS: rows of one primitive's figures. A process each, since some of them fork, and nng does
 * not. */
#include "config.h"

#include "tests/bench/primitives.h"

#include <stdio.h>
#include <stdlib.h>

static const struct primitive {
    const char *name;
    void (*run)(const struct primitive_args *a);
} primitives[] = {
    { "verify", primitive_verify },
    { "commit", primitive_commit },
    { "tpm", primitive_tpm },
    { "hsm", primitive_hsm },
    { "bus", primitive_bus },
    { "hop", primitive_hop },
    { "bus-busy", primitive_bus_busy },
    { "hop-busy", primitive_hop_busy },
    { "thread", primitive_thread },
    { "https", primitive_https },
};

int main(int argc, char **argv)
{
    struct config *config;
    const char *where = "";
    must_hold(argc == 5, "WHAT CONFIG FOLDER ROUNDS");
    must(config_load(argv[2], &config, &where), where);
    const struct primitive_args a = { .config = config, .folder = argv[3], .rounds = (unsigned)strtoul(argv[4], NULL, 10) };
    must_hold(a.rounds >= 10, "at least 10 rounds");
    for (unsigned i = 0; i < sizeof primitives / sizeof *primitives; i++)
        if (span_is(span_text(argv[1]), primitives[i].name)) {
            primitives[i].run(&a);
            config_free(config);
            return 0;
        }
    fprintf(stderr, "bench: no primitive %s\n", argv[1]);
    return 2;
}
