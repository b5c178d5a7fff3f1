/* Records of what is so already: a statement in force, a result that is held, a key in use. Such a record has to be in the log
 * before any decision that stands on it: where the disk refuses it, it goes into the very next commit, ahead of all that comes
 * later. */
#ifndef SEB_CORE_RECORD_H
#define SEB_CORE_RECORD_H

#include "store/store.h"

struct core;
struct record; /* opaque */
/* e may be NULL: blobs and a state alone. Blobs and states are copied. */
MUST_USE result record_new(struct core *c, const struct entry *e, struct record **ret);
MUST_USE result record_blob(struct record *r, enum blob_kind kind, const struct digest *d, struct span data);
MUST_USE result record_state(struct record *r, enum state_kind kind, struct span text);
void record_free(struct record *r); /* one that was not put; accepts NULL */
void record_free_pointer(struct record **r);
#define AUTO_RECORD __attribute__((cleanup(record_free_pointer))) struct record
/* Puts it into the open batch, and takes it; on failure (busy: the batch is full) nothing is in, and it stays the caller's. `done`
 * (may be NULL) is called once it is stored, and where it has an entry appended by the keeper, with `about` and the entry's index.
 */
MUST_USE result record_put(struct record **r, void (*done)(struct core *c, uint64_t about, uint64_t index), uint64_t about);
void records_free(struct core *c); /* what still waits, at the end */

#endif
