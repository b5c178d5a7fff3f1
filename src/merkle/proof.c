/* RFC 9162 sections 2.1.3 and 2.1.4: proofs, made and verified. */
#include "config.h"

#include "merkle/merkle.h"

/* The largest power of two smaller than n, for n > 1. */
static uint64_t split_of(uint64_t n)
{
    uint64_t k = 1;
    while (k < n - k)
        k <<= 1;
    return k;
}

/* The roots of the complete subtrees that make up the leaves begin..end of a tree. begin must be a multiple of the largest. */
static result subtrees_of(const struct merkle_source *s, uint64_t begin, uint64_t end, struct frontier *ret)
{
    struct frontier f = { .size = end - begin };
    for (unsigned level = MERKLE_LEVELS; level-- > 0;) {
        if ((f.size >> level & 1) == 0)
            continue;
        TRY(s->get(s->ctx, level, begin >> level, &f.hash[f.n++]));
        begin += UINT64_C(1) << level;
    }
    *ret = f;
    return OK;
}

static result range_root(const struct merkle_source *s, uint64_t begin, uint64_t end, struct digest *ret)
{
    struct frontier f;
    TRY(subtrees_of(s, begin, end, &f));
    *ret = frontier_root(&f);
    return OK;
}

result merkle_frontier(const struct merkle_source *s, uint64_t size, struct frontier *ret)
{
    return subtrees_of(s, 0, size, ret);
}

result merkle_root(const struct merkle_source *s, uint64_t size, struct digest *ret)
{
    return range_root(s, 0, size, ret);
}

/* Proofs are found from the root downwards, and written from the leaf upwards. */
static void reverse(struct merkle_proof *p)
{
    for (unsigned i = 0; i < p->n / 2; i++) {
        struct digest h = p->hash[i];
        p->hash[i] = p->hash[p->n - 1 - i];
        p->hash[p->n - 1 - i] = h;
    }
}

/* RFC 9162 section 2.1.3.1, PATH(m, D_n). */
result merkle_inclusion(const struct merkle_source *s, uint64_t index, uint64_t size, struct merkle_proof *ret)
{
    if (index >= size)
        return fail(E_bad_value);
    struct merkle_proof p = { 0 };
    uint64_t begin = 0, end = size;
    while (end - begin > 1) {
        uint64_t middle = begin + split_of(end - begin);
        bool left = index < middle;
        TRY(left ? range_root(s, middle, end, &p.hash[p.n]) : range_root(s, begin, middle, &p.hash[p.n]));
        p.n++;
        *(left ? &end : &begin) = middle;
    }
    reverse(&p);
    *ret = p;
    return OK;
}

/* RFC 9162 section 2.1.4.1, SUBPROOF(m, D_n, b). Nothing is needed for what follows from the empty tree. */
result merkle_consistency(const struct merkle_source *s, uint64_t from, uint64_t to, struct merkle_proof *ret)
{
    if (from > to)
        return fail(E_bad_value);
    struct merkle_proof p = { 0 };
    uint64_t begin = 0, end = to;
    while (from > 0 && from != end) {
        uint64_t middle = begin + split_of(end - begin);
        bool left = from <= middle;
        TRY(left ? range_root(s, middle, end, &p.hash[p.n]) : range_root(s, begin, middle, &p.hash[p.n]));
        p.n++;
        *(left ? &end : &begin) = middle;
    }
    if (begin > 0) /* b is false: the old tree's rightmost part isn't known to the verifier by its root */
        TRY(range_root(s, begin, end, &p.hash[p.n++]));
    reverse(&p);
    *ret = p;
    return OK;
}

/* Where a verifier stands: the place of its hash in the smaller (fn) and the larger tree's row (sn). */
struct climb {
    uint64_t fn, sn;
};

/* Whether the next hash of the path joins from the left; else from the right. */
static bool joins_left(const struct climb *c)
{
    return (c->fn & 1) || c->fn == c->sn;
}

static void step_up(struct climb *c)
{
    if (joins_left(c))
        while ((c->fn & 1) == 0 && c->fn != 0) {
            c->fn >>= 1;
            c->sn >>= 1;
        }
    c->fn >>= 1;
    c->sn >>= 1;
}

/* RFC 9162 section 2.1.3.2. */
result merkle_verify_inclusion(
    const struct digest *leaf, uint64_t index, uint64_t size, const struct merkle_proof *p, const struct digest *root)
{
    if (index >= size || p->n > MERKLE_LEVELS)
        return fail(E_bad_proof);
    struct climb c = { .fn = index, .sn = size - 1 };
    struct digest r = *leaf;
    for (unsigned i = 0; i < p->n; i++) {
        if (c.sn == 0)
            return fail(E_bad_proof);
        r = joins_left(&c) ? merkle_node(&p->hash[i], &r) : merkle_node(&r, &p->hash[i]);
        step_up(&c);
    }
    return c.sn == 0 && digest_equal(&r, root) ? OK : fail(E_bad_proof);
}

/* RFC 9162 section 2.1.4.2 for 0 < from < to: both roots from one path. */
static result verify_growth(
    uint64_t from, const struct digest *from_root, uint64_t to, const struct digest *to_root, const struct merkle_proof *p)
{
    bool whole = (from & (from - 1)) == 0; /* the old tree is one complete subtree: its root is the path's first hash */
    if (p->n == 0 || p->n > MERKLE_LEVELS + 1)
        return fail(E_bad_proof);
    struct climb c = { .fn = from - 1, .sn = to - 1 };
    while (c.fn & 1) {
        c.fn >>= 1;
        c.sn >>= 1;
    }
    struct digest fr = whole ? *from_root : p->hash[0], sr = fr;
    for (unsigned i = whole ? 0 : 1; i < p->n; i++) {
        if (c.sn == 0)
            return fail(E_bad_proof);
        if (joins_left(&c)) {
            fr = merkle_node(&p->hash[i], &fr);
            sr = merkle_node(&p->hash[i], &sr);
        } else {
            sr = merkle_node(&sr, &p->hash[i]);
        }
        step_up(&c);
    }
    return c.sn == 0 && digest_equal(&fr, from_root) && digest_equal(&sr, to_root) ? OK : fail(E_bad_proof);
}

result merkle_verify_consistency(
    uint64_t from, const struct digest *from_root, uint64_t to, const struct digest *to_root, const struct merkle_proof *p)
{
    if (from > to)
        return fail(E_bad_proof);
    if (from > 0 && from < to)
        return verify_growth(from, from_root, to, to_root, p);
    /* Equal trees have equal roots, and from the empty tree everything follows: no hashes are to be proved. */
    struct digest empty = sha256((struct span){ NULL, 0 });
    const struct digest *want = from == to ? to_root : &empty;
    bool roots = digest_equal(from_root, want) && (to > 0 || digest_equal(to_root, &empty));
    return p->n == 0 && roots ? OK : fail(E_bad_proof);
}
