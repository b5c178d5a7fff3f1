/* Rows of figures for scripts/bench: "name p50 p99 per_second cpu", in microseconds but the third. No test: nothing is asserted of
 * a time; what fails ends the program. */
#ifndef SEB_TESTS_MEASURE_H
#define SEB_TESTS_MEASURE_H

#include "base/bytes.h"

void must(result r, const char *what);
void must_hold(bool holds, const char *what);

int64_t now_ns(void); /* of a clock that never goes back */
/* p50 and p99 of n samples, which are sorted. */
struct spread {
    double p50, p99;
};
struct spread spread_of(int64_t *ns, size_t n);

/* CPU time of other processes: $BENCH_WATCH holds "name=pid …"; a process's descendants count with it, each under its own name
 * where the row's name ends in '*'. */
#define WATCH_MAX 64
struct watched {
    char name[32];
    int pid;
    int64_t from_ns, ns;
};
struct watch {
    unsigned n;
    struct watched of[WATCH_MAX];
    int64_t own_from_ns, own_ns;
    int64_t idle_from_ns, idle_ns, busy_from_ns, busy_ns; /* of all cores, whoever runs (proc(5), /proc/stat: in ticks) */
};
void watch_begin(struct watch *w);
void watch_end(struct watch *w);
int64_t watch_sum(const struct watch *w); /* of all, this process included, in ns */

/* Runs `once` for a tenth of the rounds, then so often, and prints its row. `parts`: how many of the thing one run holds. */
struct measure {
    const char *name;
    unsigned rounds, parts;
    unsigned pause_us; /* before each run */
    void (*before)(void *context); /* each run, not timed, its CPU counted; NULL: nothing */
    void (*once)(void *context);
    void *context;
};
void measure(const struct measure *m);
void row(const char *name, struct spread s, double per_second, double cpu_us);

#endif
