#include "config.h"

#include "merkle/merkle.h"

/* RFC 9162 section 2.1.1: leaves and nodes are hashed apart, or a node's two hashes would also be a leaf's content. */
struct digest merkle_leaf(struct span entry)
{
    static const uint8_t prefix[1] = { 0x00 };
    return sha256_parts((struct span[]){ SPAN(prefix), entry }, 2);
}

struct digest merkle_node(const struct digest *left, const struct digest *right)
{
    static const uint8_t prefix[1] = { 0x01 };
    return sha256_parts((struct span[]){ SPAN(prefix), digest_span(left), digest_span(right) }, 3);
}

void frontier_append(struct frontier *f, const struct digest *leaf, struct merkle_subtree ret_done[MERKLE_LEVELS], unsigned *ret_n)
{
    struct digest hash = *leaf;
    uint64_t index = f->size;
    unsigned level = 0;
    for (;; level++, index >>= 1) {
        if (ret_done)
            ret_done[level] = (struct merkle_subtree){ .level = level, .index = index, .hash = hash };
        if ((index & 1) == 0)
            break;
        hash = merkle_node(&f->hash[--f->n], &hash);
    }
    f->hash[f->n++] = hash;
    f->size++;
    if (ret_n)
        *ret_n = level + 1;
}

struct digest frontier_root(const struct frontier *f)
{
    if (f->n == 0)
        return sha256((struct span){ NULL, 0 });
    struct digest root = f->hash[f->n - 1];
    for (unsigned i = f->n - 1; i > 0; i--)
        root = merkle_node(&f->hash[i - 1], &root);
    return root;
}

/* Half of the numbers are enough for any log, and appending to what passes here can't run over the array. */
#define SIZE_MAX_ (UINT64_MAX >> 1)

result frontier_check(const struct frontier *f)
{
    unsigned bits = 0;
    for (uint64_t left = f->size; left; left &= left - 1)
        bits++;
    return f->size < SIZE_MAX_ && f->n == bits ? OK : fail(E_bad_proof);
}
