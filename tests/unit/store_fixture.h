/* A database in a temporary folder, and batches with all that a broker stores. What fails here aborts the test. */
#ifndef SEB_TESTS_STORE_FIXTURE_H
#define SEB_TESTS_STORE_FIXTURE_H

#include "store/store.h"

#include "testkey.h"

struct place {
    char folder[64], path[96];
    struct testkey *key; /* signs checkpoints */
};
void place_make(struct place *p);
void place_remove(struct place *p);
/* A path in the folder; static. */
const char *place_at(const struct place *p, const char *name);

void must(result r);
struct digest digest_of(const char *text);
/* Entry i: the test's own bytes, of 20 to 400. */
void entry_text(uint64_t i, struct buf *out);
void add_entries(struct store_batch *b, unsigned n);
/* An entry with certificate, request, body, reservation and request row named after its index; opened where it is permitted. */
uint64_t add_decision(struct store_batch *b, bool permitted);
/* Commits a batch of n entries. */
void commit_entries(struct store *s, unsigned n);
/* The note of this frontier. */
void note_of(const struct place *p, const struct frontier *f, struct buf *out);
/* Stores the checkpoint of all that is there, and a quote for it. */
void commit_checkpoint(const struct place *p, struct store *s);

#endif
