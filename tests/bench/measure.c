#include "config.h"

#include "tests/bench/measure.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void must(result r, const char *what)
{
    char text[200];
    if (is_ok(r))
        return;
    fprintf(stderr, "bench: %s: %s\n", what, result_text(r, text, sizeof text));
    exit(1);
}

void must_hold(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? t.tv_sec * INT64_C(1000000000) + t.tv_nsec : 0;
}

int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct spread spread_of(int64_t *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, by_value);
    return (struct spread){ (double)ns[n / 2] / 1000, (double)ns[n * 99 / 100] / 1000 };
}

static int64_t process_ns(int pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? clock_ns(clock) : 0;
}

static void watch_add(struct watch *w, const char *name, int pid)
{
    must_hold(w->n < WATCH_MAX, "too many processes to watch");
    struct watched *one = &w->of[w->n++];
    *one = (struct watched){ .pid = pid };
    snprintf(one->name, sizeof one->name, "%s", name);
}

/* proc(5): "pid (comm) state ppid …". */
static bool read_stat(int pid, char comm[16], int *ret_parent)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool good = fscanf(f, "%*d (%15[^)]) %*c %d", comm, ret_parent) == 2;
    fclose(f);
    return good;
}

static struct watched *watched_of(struct watch *w, int pid)
{
    for (unsigned i = 0; i < w->n; i++)
        if (w->of[i].pid == pid)
            return &w->of[i];
    return NULL;
}

/* Pids rise while a stand starts, so a process comes after its parent; a second pass takes what doesn't hold to that. */
static void add_descendants(struct watch *w)
{
    DIR *d = opendir("/proc");
    must_hold(d != NULL, "/proc");
    for (struct dirent *e; (e = readdir(d));) {
        char comm[16];
        int pid = atoi(e->d_name), parent;
        if (!isdigit((unsigned char)e->d_name[0]) || watched_of(w, pid) || !read_stat(pid, comm, &parent))
            continue;
        const struct watched *of = watched_of(w, parent);
        if (of)
            watch_add(w, span_is(span_text(of->name), "sebd") ? comm : of->name, pid);
    }
    closedir(d);
}

/* Idle and busy time of all cores since the machine came up. */
static void read_cores(int64_t *ret_idle_ns, int64_t *ret_busy_ns)
{
    long long user, nice, system, idle, wait, irq, soft, steal;
    FILE *f = fopen("/proc/stat", "r");
    must_hold(f && fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle, &wait, &irq, &soft,
                       &steal) == 8,
        "/proc/stat");
    fclose(f);
    const int64_t tick = INT64_C(1000000000) / sysconf(_SC_CLK_TCK);
    *ret_idle_ns = (idle + wait) * tick;
    *ret_busy_ns = (user + nice + system + irq + soft + steal) * tick;
}

void watch_begin(struct watch *w)
{
    *w = (struct watch){ .n = 0 };
    const char *list = getenv("BENCH_WATCH");
    char name[32];
    int pid, length;
    while (list && sscanf(list, " %31[^=]=%d%n", name, &pid, &length) == 2) {
        watch_add(w, name, pid);
        list += length;
    }
    for (unsigned pass = 0; w->n && pass < 2; pass++)
        add_descendants(w);
    for (unsigned i = 0; i < w->n; i++)
        w->of[i].from_ns = process_ns(w->of[i].pid);
    read_cores(&w->idle_from_ns, &w->busy_from_ns);
    w->own_from_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void watch_end(struct watch *w)
{
    w->own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - w->own_from_ns;
    for (unsigned i = 0; i < w->n; i++)
        w->of[i].ns = process_ns(w->of[i].pid) - w->of[i].from_ns;
    read_cores(&w->idle_ns, &w->busy_ns);
    w->idle_ns -= w->idle_from_ns;
    w->busy_ns -= w->busy_from_ns;
}

int64_t watch_sum(const struct watch *w)
{
    int64_t sum = w->own_ns;
    for (unsigned i = 0; i < w->n; i++)
        sum += w->of[i].ns;
    return sum;
}

void row(const char *name, struct spread s, double per_second, double cpu_us)
{
    printf("%-22s %10.1f %10.1f %10.0f %10.1f\n", name, s.p50, s.p99, per_second, cpu_us);
    fflush(stdout);
}

void measure(const struct measure *m)
{
    struct watch w;
    int64_t *ns = calloc(m->rounds, sizeof *ns), busy = 0;
    const double parts = m->parts ? m->parts : 1;
    must_hold(ns != NULL, "memory");
    for (unsigned i = 0; i < m->rounds / 10 + 1; i++) {
        if (m->before)
            m->before(m->context);
        m->once(m->context);
    }
    watch_begin(&w);
    for (unsigned i = 0; i < m->rounds; i++) {
        if (m->pause_us)
            nanosleep(&(struct timespec){ .tv_nsec = m->pause_us * 1000L }, NULL);
        if (m->before)
            m->before(m->context);
        int64_t from = now_ns();
        m->once(m->context);
        ns[i] = now_ns() - from;
        busy += ns[i];
    }
    watch_end(&w);
    struct spread s = spread_of(ns, m->rounds);
    s.p50 /= parts;
    s.p99 /= parts;
    row(m->name, s, m->rounds * parts * 1e9 / (double)busy, (double)watch_sum(&w) / 1000 / m->rounds / parts);
    free(ns);
}
