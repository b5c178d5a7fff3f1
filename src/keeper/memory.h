/* The entries of this run that a credential may be minted for: permitting decisions and reads, each once, each until its seconds
 * are over. In this process's memory alone and bounded: what is forgotten is never minted for. Pure. */
#ifndef SEB_KEEPER_MEMORY_H
#define SEB_KEEPER_MEMORY_H

#include "entry/entry.h"

#define MEMORY_ENTRIES 32768

struct remembered {
    uint64_t index;
    struct digest leaf;
    int64_t exp; /* of the credential */
    bool spent; /* a credential was minted for it, or was tried to */
    struct entry *entry; /* freed when it is spent */
};
struct memory; /* opaque */
MUST_USE result memory_new(unsigned entries_max, struct memory **ret);
void memory_free(struct memory *m); /* accepts NULL */
/* Takes a copy of the entry. Indices only grow: invariant. Where all places are taken by entries that may still be minted for, this
 * one isn't remembered, and stays without a credential. */
MUST_USE result memory_put(struct memory *m, uint64_t index, const struct digest *leaf, int64_t exp, const struct entry *entry);
struct remembered *memory_find(struct memory *m, uint64_t index); /* NULL: not there; valid until the next put or purge */
void memory_spend(struct remembered *r);
/* Forgets what was over before now_s; in the order in which it came, so that one long entry may keep later ones a while. */
void memory_purge(struct memory *m, int64_t now_s);

#endif
