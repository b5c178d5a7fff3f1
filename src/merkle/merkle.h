/* RFC 9162 section 2.1: Merkle tree hashing, the frontier of a growing tree, inclusion and consistency proofs. Pure. */
#ifndef SEB_MERKLE_MERKLE_H
#define SEB_MERKLE_MERKLE_H

#include "base/digest.h"

#define MERKLE_LEVELS 64

struct digest merkle_leaf(struct span entry); /* SHA-256(0x00 || entry) */
struct digest merkle_node(const struct digest *left, const struct digest *right); /* SHA-256(0x01 || left || right) */

/* The roots of the complete subtrees of a tree, largest first: all that appending needs. n is the number of bits set in size. */
struct frontier {
    uint64_t size;
    unsigned n;
    struct digest hash[MERKLE_LEVELS];
};
/* A complete subtree that an append finished: its level (0 = leaf) and its number within the level. */
struct merkle_subtree {
    unsigned level;
    uint64_t index;
    struct digest hash;
};
/* Appends a leaf hash. Where ret_done isn't NULL it gets the complete subtrees that this finished, the leaf first; *ret_n how many
 * (1 to 64). */
void frontier_append(struct frontier *f, const struct digest *leaf, struct merkle_subtree ret_done[MERKLE_LEVELS], unsigned *ret_n);
struct digest frontier_root(const struct frontier *f); /* SHA-256("") for size 0 */
/* bad_proof unless n is the number of bits set in size. */
MUST_USE result frontier_check(const struct frontier *f);

/* Where to find the hash of a complete subtree. */
struct merkle_source {
    result (*get)(void *ctx, unsigned level, uint64_t index, struct digest *ret);
    void *ctx;
};
struct merkle_proof {
    unsigned n;
    struct digest hash[MERKLE_LEVELS * 2];
};
/* Section 2.1.3.1: inclusion of leaf `index` in the tree of `size`; 2.1.4.1: consistency of size `from` with `to`. bad_value where
 * the numbers don't fit. */
MUST_USE result merkle_inclusion(const struct merkle_source *s, uint64_t index, uint64_t size, struct merkle_proof *ret);
MUST_USE result merkle_consistency(const struct merkle_source *s, uint64_t from, uint64_t to, struct merkle_proof *ret);
MUST_USE result merkle_root(const struct merkle_source *s, uint64_t size, struct digest *ret);
/* The frontier of the tree of this size. */
MUST_USE result merkle_frontier(const struct merkle_source *s, uint64_t size, struct frontier *ret);
/* Sections 2.1.3.2 and 2.1.4.2: bad_proof. */
MUST_USE result merkle_verify_inclusion(
    const struct digest *leaf, uint64_t index, uint64_t size, const struct merkle_proof *p, const struct digest *root);
MUST_USE result merkle_verify_consistency(
    uint64_t from, const struct digest *from_root, uint64_t to, const struct digest *to_root, const struct merkle_proof *p);

#endif
