/* What the keeper remembers: by index, once, until it is over, and never more than its bound. */
#include "config.h"

#include "keeper/memory.h"
#include "tests/unit/check.h"

static result put(struct memory *m, uint64_t index, int64_t exp)
{
    struct digest leaf = sha256((struct span){ (const uint8_t *)&index, sizeof index });
    const struct entry entry = { .type = ENTRY_READ, .time = (int64_t)index };
    return memory_put(m, index, &leaf, exp, &entry);
}

static bool holds(struct memory *m, uint64_t index)
{
    struct digest leaf = sha256((struct span){ (const uint8_t *)&index, sizeof index });
    struct remembered *r = memory_find(m, index);
    return r && r->index == index && digest_equal(&r->leaf, &leaf) && r->entry && r->entry->time == (int64_t)index;
}

int main(void)
{
    struct checks c = { 0 };
    struct memory *m = NULL;
    check_code(&c, memory_new(4, &m), E_ok, "a memory");
    check_that(&c, !memory_find(m, 0), "holds nothing at first");
    check_code(&c, put(m, 3, 100), E_ok, "put");
    check_code(&c, put(m, 7, 100), E_ok, "indices may have gaps");
    check_that(
        &c, holds(m, 3) && holds(m, 7) && !memory_find(m, 5) && !memory_find(m, 8), "what was put is found, and nothing else");
    check_code(&c, put(m, 7, 100), E_invariant, "an index twice is refused");
    check_code(&c, put(m, 2, 100), E_invariant, "an earlier index is refused");
    memory_spend(memory_find(m, 3));
    check_that(&c, memory_find(m, 3) && memory_find(m, 3)->spent && !memory_find(m, 3)->entry, "what was spent is known as such");
    check_code(&c, put(m, 8, 200), E_ok, "put");
    check_code(&c, put(m, 9, 200), E_ok, "put");
    check_code(&c, put(m, 10, 200), E_ok, "full: what was spent makes room");
    check_that(&c, !memory_find(m, 3) && holds(m, 7) && holds(m, 10), "and is forgotten");
    check_code(&c, put(m, 11, 200), E_ok, "full of what may still be minted for");
    check_that(&c, !memory_find(m, 11) && holds(m, 7), "a later one isn't remembered, an earlier one stays");
    memory_purge(m, 99);
    check_that(&c, holds(m, 7), "what isn't over stays");
    memory_purge(m, 100);
    check_that(&c, !memory_find(m, 7) && holds(m, 8), "what is over goes");
    memory_purge(m, 200);
    for (uint64_t i = 12; i < 1000; i++) {
        if (!is_ok(put(m, i, 300)) || !holds(m, i))
            break;
        if (i >= 14)
            memory_spend(memory_find(m, i - 2));
    }
    check_that(&c, holds(m, 999) && holds(m, 998) && !memory_find(m, 995), "round and round");
    memory_free(m);
    memory_free(NULL);
    return checks_end(&c);
}
