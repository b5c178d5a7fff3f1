/* What the store costs: bench_store <new database> [entries [group]]. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store_fixture.h"

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void say(const char *what, int64_t *us, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += us[i];
    qsort(us, n, sizeof(*us), by_size);
    printf("%-44s p50 %6" PRId64 "  p99 %6" PRId64 "  max %6" PRId64 "  mean %6" PRId64 " us\n", what, us[n / 2], us[n * 99 / 100],
        us[n - 1], sum / (int64_t)n);
}

/* One group: half of its entries decisions with all that comes with them, half outcomes. */
static int64_t commit_group(struct store *s, unsigned group)
{
    AUTO_STORE_BATCH *b = NULL;
    must(store_batch_new(store_frontier(s)->size, &b));
    for (unsigned i = 0; i < group / 2; i++) {
        uint64_t decision = add_decision(b, true);
        add_entries(b, 1);
        must(store_batch_outcome(b, decision, decision + 1, true));
    }
    int64_t start = clock_mono_us();
    must(store_commit(s, b));
    return clock_mono_us() - start;
}

static void proofs(const char *path, uint64_t size, int64_t *us, size_t n)
{
    AUTO_STORE_READER *r = NULL;
    struct merkle_proof proof;
    must(store_reader_open(path, &r));
    struct merkle_source nodes = store_source(r);
    for (size_t i = 0; i < n; i++) {
        int64_t start = clock_mono_us();
        must(merkle_inclusion(&nodes, size - n + i, size, &proof));
        us[i] = clock_mono_us() - start;
    }
    say("inclusion proof of a recent entry", us, n);
    for (size_t i = 0; i < n; i++) {
        char cid[32];
        bool found;
        struct used_certificate used;
        snprintf(cid, sizeof(cid), "c-%u", (unsigned)(i * 7919 % size) & ~1u);
        int64_t start = clock_mono_us();
        must(store_find_used(r, cid, &found, &used));
        us[i] = clock_mono_us() - start;
    }
    say("look for a used certificate", us, n);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t entries = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
    unsigned group = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 16;
    if (entries < 1000 || group < 2 || entries / group < 10)
        return 2;
    size_t n = entries / group;
    int64_t *us = calloc(n + 1000, sizeof(*us));
    struct stat st;
    if (!us)
        return 1;
    {
        AUTO_STORE *s = NULL;
        must(store_open(argv[1], &s));
        for (size_t i = 0; i < n; i++)
            us[i] = commit_group(s, group);
    }
    printf("%zu groups of %u entries\n", n, group);
    say("commit of a group", us, n);
    int64_t start = clock_mono_us();
    AUTO_STORE *s = NULL;
    must(store_open(argv[1], &s));
    printf("%-44s %" PRId64 " us at %" PRIu64 " entries\n", "opening", clock_mono_us() - start, store_frontier(s)->size);
    proofs(argv[1], store_frontier(s)->size, us, 1000);
    if (stat(argv[1], &st) == 0)
        printf("%-44s %" PRIu64 " bytes an entry\n", "database", (uint64_t)st.st_size / store_frontier(s)->size);
    free(us);
    return 0;
}
