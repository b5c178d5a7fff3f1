/* The core's way to the log: entries go into the open batch; a commit makes a batch durable; then the keeper appends its entries
 * and signs. While one batch is being committed or signed the next one fills, so a group is whatever arrived meanwhile, and a lone
 * entry waits for nobody. Order is always: durable, appended, signed; what only reads have written is signed a little later. */
#ifndef SEB_CORE_JOURNAL_H
#define SEB_CORE_JOURNAL_H

#include "link/link.h"
#include "store/store.h"

/* Somebody waits for an entry, or (UNTIL_STORED) for the group that was open when journal_group was asked. The owner keeps it in
 * place until `done` was called, once. */
struct ticket {
    uint64_t index; /* of the entry; the group's number */
    enum { UNTIL_APPENDED, UNTIL_SIGNED, UNTIL_STORED } until;
    void *context; /* the owner's own */
    void (*done)(struct ticket *t, result r); /* ok, or `disk` where the commit failed: the entry isn't in the log */
    struct ticket *next;
};

struct journal; /* opaque */
struct journal_args {
    struct store *store; /* borrowed; entries begin where it ends */
    struct link *keeper;
    int64_t last_time_ms; /* of the newest entry that is stored */
    uint64_t signed_size; /* of the newest note that is stored */
    struct span note; /* empty: none was ever signed */
};
MUST_USE result journal_new(const struct journal_args *args, struct journal **ret);
void journal_free(struct journal *j); /* ends the commit thread; accepts NULL */

/* Time for the next entry, in milliseconds: the clock's, but never before the last entry's. */
int64_t journal_now(struct journal *j);
/* The open batch, for what belongs to an entry (blobs, reservations): in one transaction with it. A caller that is refused half-way
 * rewinds to its mark. */
struct store_batch *journal_batch(struct journal *j);
/* Writes an entry into the open batch; a permitting decision with its permit, anything else with NULL. */
struct placed {
    uint64_t index;
    struct digest leaf;
};
MUST_USE result journal_add(struct journal *j, const struct entry *e, const struct permit *permit, struct placed *ret);
void journal_wait(struct journal *j, struct ticket *t);
/* What was put into the open batch without an entry is committed like one: the number of the group that it is in. */
uint64_t journal_group(struct journal *j);
/* Starts a commit where none is under way and something is due; once each turn of the loop. */
MUST_USE result journal_kick(struct journal *j);
int journal_fd(const struct journal *j);
/* The commit thread is done with something: to be called when the descriptor is readable. */
MUST_USE result journal_collect(struct journal *j);
/* When kick wants to be called next, in monotonic milliseconds; INT64_MAX where nothing is due. */
int64_t journal_due_ms(const struct journal *j);

/* From the keeper. The quote's age is what quote_stale is judged on. */
MUST_USE result journal_checkpoint(struct journal *j, uint64_t size, struct span note);
MUST_USE result journal_quote(struct journal *j, const struct stored_quote *q);
/* The newest note is stored once this group is (UNTIL_STORED), and whoever was shown it before might never see it again: notes are
 * stored with whatever is committed next. 0: it is stored, or there is none. busy: the batch is full. */
MUST_USE result journal_note_group(struct journal *j, uint64_t *ret);
/* Newest signed checkpoint: size, and the note as text (empty where none was signed in this run and before). */
uint64_t journal_signed_size(const struct journal *j);
struct span journal_note(const struct journal *j);
/* For how long an entry has been in the log without a quote over it, in ms; 0 where all are covered. */
int64_t journal_unquoted_ms(const struct journal *j);
uint64_t journal_quoted_size(const struct journal *j);
uint64_t journal_end(const struct journal *j);
/* The result of the last commit. */
result journal_health(const struct journal *j);
/* Hands the keeper the entries that are stored but not under the newest note (after a crash). */
MUST_USE result journal_replay(struct journal *j, struct store_reader *reader);
/* Nothing is open or being committed. */
bool journal_stored(const struct journal *j);
/* Nothing is open, being committed, or unsigned. */
bool journal_idle(const struct journal *j);

#endif
