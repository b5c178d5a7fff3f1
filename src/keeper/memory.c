#include "config.h"

#include "keeper/memory.h"

#include <stdlib.h>

/* A ring: entries come in the order of their indices, and leave at the other end. */
struct memory {
    unsigned max, first, n;
    struct remembered *ring;
};

result memory_new(unsigned entries_max, struct memory **ret)
{
    struct memory *m = calloc(1, sizeof *m);
    if (!m)
        return fail(E_no_memory);
    m->max = entries_max;
    m->ring = calloc(entries_max, sizeof *m->ring);
    if (!m->ring) {
        free(m);
        return fail(E_no_memory);
    }
    *ret = m;
    return OK;
}

static struct remembered *at(struct memory *m, unsigned i)
{
    return &m->ring[(m->first + i) % m->max];
}

static void drop_first(struct memory *m)
{
    free(at(m, 0)->entry);
    m->first = (m->first + 1) % m->max;
    m->n--;
}

void memory_free(struct memory *m)
{
    if (!m)
        return;
    while (m->n)
        drop_first(m);
    free(m->ring);
    free(m);
}

result memory_put(struct memory *m, uint64_t index, const struct digest *leaf, int64_t exp, const struct entry *entry)
{
    if (m->n && index <= at(m, m->n - 1)->index)
        return fail(E_invariant);
    while (m->n == m->max && at(m, 0)->spent)
        drop_first(m);
    if (m->n == m->max)
        return OK;
    struct remembered r = { .index = index, .leaf = *leaf, .exp = exp, .entry = malloc(sizeof *r.entry) };
    if (!r.entry)
        return fail(E_no_memory);
    *r.entry = *entry;
    *at(m, m->n) = r;
    m->n++;
    return OK;
}

struct remembered *memory_find(struct memory *m, uint64_t index)
{
    unsigned from = 0, to = m->n;
    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        struct remembered *r = at(m, middle);
        if (r->index == index)
            return r;
        if (r->index < index)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

void memory_spend(struct remembered *r)
{
    r->spent = true;
    free(r->entry);
    r->entry = NULL;
}

void memory_purge(struct memory *m, int64_t now_s)
{
    while (m->n && at(m, 0)->exp <= now_s)
        drop_first(m);
}
