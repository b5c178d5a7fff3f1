/* The broker's database: log, ledger of used certificates, requests, open decisions, loaded statements. The only place of SQLite.
 *
 * One writer (struct store), used by one commit thread; any number of readers (struct store_reader), each with a connection of its
 * own, used by one thread each, which see what is committed. Who makes records builds a batch (no disk, no lock), hands it to the
 * commit thread, and goes on with the next one.
 *
 * Errors: `disk` with SQLite's extended code where the database can't be read or written, `no_memory`, `invariant` where a batch
 * contradicts what is stored (a used cid again, an index that doesn't follow): its builder looked before, so the broker stops. */
#ifndef SEB_STORE_STORE_H
#define SEB_STORE_STORE_H

#include "base/digest.h"
#include "entry/entry.h"
#include "merkle/merkle.h"

#define STORE_BATCH_BYTES (8u << 20) /* what one batch may hold */
#define STORE_BLOB_MAX 131072 /* a JWS as JSON text, a body, a key's evidence */

/* What lies beside the log by its digest. Kinds are told apart, so that an export can leave personal data out. */
enum blob_kind {
    BLOB_CERTIFICATE = 1, /* JWS as JSON text (jws_write), by that text's digest; the other JWS by their payload's */
    BLOB_REQUEST,
    BLOB_POLICY,
    BLOB_EPOCH,
    BLOB_BODY, /* raw, by its own digest, as the two other raw ones */
    BLOB_EVIDENCE, /* of a key */
    BLOB_RESULT, /* attestation result: a JWT in compact serialization, by its payload's digest */
    BLOB_DOCUMENT, /* raw: evidence of an attestation, event logs, an EK's certificate */
    BLOB_ENROLMENT, /* JWS */
    BLOB_ACKNOWLEDGE, /* JWS */
    BLOB_APPROVAL, /* JWS */
};
#define BLOB_KINDS (BLOB_APPROVAL + 1)
/* The statement in force of each kind, as JWS JSON text. */
enum state_kind { STATE_POLICY = 1, STATE_EPOCH };

struct stored_request {
    struct digest agent; /* thumbprint */
    const char *id;
    struct digest core, certificate;
    uint64_t decision;
};
/* A permitted decision. It is open until its final outcome is stored. */
struct open_decision {
    uint64_t decision;
    uint64_t outcome; /* the newest outcome entry that isn't final; NO_INDEX where there is none (ignored in a batch) */
    char target[NAME_MAX_ + 1], resource[RESOURCE_MAX + 1];
    struct digest certificate, core;
    int64_t horizon_ms; /* before it nothing may be concluded from the target's state */
};
struct stored_quote {
    uint64_t size; /* of the checkpoint that it covers, which is stored */
    struct span attest, signature, preimage;
};

/* A batch: what one transaction will write. Adding copies. `busy` where it would hold more than STORE_BATCH_BYTES: the caller
 * rewinds to the mark that it took before its first addition, so that no request is half in. Entry indices are consecutive from
 * `first`, and known when adding. Where a commit failed, the batches built on top of it are void: their indices don't follow. */
struct store_batch; /* opaque */
struct store_mark {
    size_t bytes;
    unsigned entries;
};
MUST_USE result store_batch_new(uint64_t first, struct store_batch **ret);
void store_batch_free(struct store_batch *b); /* accepts NULL */
void store_batch_free_pointer(struct store_batch **b);
#define AUTO_STORE_BATCH __attribute__((cleanup(store_batch_free_pointer))) struct store_batch
struct store_mark store_batch_mark(const struct store_batch *b);
void store_batch_rewind(struct store_batch *b, struct store_mark m);
bool store_batch_empty(const struct store_batch *b);
uint64_t store_batch_first(const struct store_batch *b);
uint64_t store_batch_end(const struct store_batch *b); /* the index that the next entry would have */
unsigned store_batch_entries(const struct store_batch *b);
/* The batch's entries in order, for the keeper: start with *at = 0; false after the last. The span views the batch. */
bool store_batch_next_entry(const struct store_batch *b, size_t *at, struct span *ret_entry);

MUST_USE result store_batch_entry(struct store_batch *b, struct span entry, uint64_t *ret_index);
/* What is stored already under kind and digest stays as it is. */
MUST_USE result store_batch_blob(struct store_batch *b, enum blob_kind kind, const struct digest *d, struct span data);
/* Reserves the certificate (Phi_replay): a cid that is used already is `invariant`. */
MUST_USE result store_batch_use(struct store_batch *b, const char *cid, const struct digest *certificate, uint64_t decision);
/* (agent, id) that is stored already is `invariant`. */
MUST_USE result store_batch_request(struct store_batch *b, const struct stored_request *r);
/* Opens a permitted decision; its outcomes, of which exactly one is final: another after it is `invariant`. */
MUST_USE result store_batch_permit(struct store_batch *b, const struct open_decision *d);
MUST_USE result store_batch_outcome(struct store_batch *b, uint64_t decision, uint64_t outcome, bool final);
/* A note of a size that has one is left out where their texts are equal, else it is `invariant`. */
MUST_USE result store_batch_checkpoint(struct store_batch *b, struct span note);
MUST_USE result store_batch_quote(struct store_batch *b, const struct stored_quote *q);
MUST_USE result store_batch_state(struct store_batch *b, enum state_kind kind, struct span text);

/* The writer. Opening creates the database (mode 0600) or brings an older schema up to date; a schema that this build doesn't know,
 * or a database of something else, is `unsupported`. frontier_mismatch where nodes of the tree are missing. */
struct store; /* opaque */
MUST_USE result store_open(const char *path, struct store **ret);
void store_close(struct store *s); /* accepts NULL */
void store_close_pointer(struct store **s);
#define AUTO_STORE __attribute__((cleanup(store_close_pointer))) struct store
/* Of what is committed: the frontier for the commit thread, or while no commit is under way; its size for any thread. */
const struct frontier *store_frontier(const struct store *s);
uint64_t store_size(const struct store *s);
/* All of the batch, durable when it returns, or nothing. What failed with `disk` may still come to light when the database is
 * opened anew, where the disk failed in the last step only. */
MUST_USE result store_commit(struct store *s, const struct store_batch *b);

/* A reader. Each read sees the newest commit, unless a snapshot is held: then all see the same. A held snapshot keeps SQLite from
 * reusing its write-ahead log: for exports, not for servers. */
struct store_reader; /* opaque */
MUST_USE result store_reader_open(const char *path, struct store_reader **ret);
void store_reader_close(struct store_reader *r); /* accepts NULL */
void store_reader_close_pointer(struct store_reader **r);
#define AUTO_STORE_READER __attribute__((cleanup(store_reader_close_pointer))) struct store_reader
MUST_USE result store_hold_snapshot(struct store_reader *r);
void store_drop_snapshot(struct store_reader *r);

/* Looks that may find nothing: *ret_found says. */
struct used_certificate {
    struct digest certificate;
    uint64_t decision;
};
MUST_USE result store_find_used(struct store_reader *r, const char *cid, bool *ret_found, struct used_certificate *ret);
struct known_request {
    struct digest core, certificate;
    uint64_t decision;
    bool permitted;
    uint64_t outcome; /* of a permitted one: the final outcome's index, NO_INDEX until it is there */
};
MUST_USE result store_find_request(
    struct store_reader *r, const struct digest *agent, const char *id, bool *ret_found, struct known_request *ret);

/* Reads of what must be there: not_found where it isn't. Bytes are appended to out. */
MUST_USE result store_read_size(struct store_reader *r, uint64_t *ret);
MUST_USE result store_read_entry(struct store_reader *r, uint64_t index, struct buf *out);
MUST_USE result store_read_blob(struct store_reader *r, enum blob_kind kind, const struct digest *d, struct buf *out);
MUST_USE result store_read_state(struct store_reader *r, enum state_kind kind, struct buf *out);
MUST_USE result store_read_newest_checkpoint(struct store_reader *r, uint64_t *ret_size, struct buf *out);
MUST_USE result store_read_checkpoint_from(
    struct store_reader *r, uint64_t size, uint64_t *ret_size, struct buf *out); /* oldest of at least this size */
MUST_USE result store_read_newest_quote_size(struct store_reader *r, uint64_t *ret_size);
/* The tree's nodes, for proofs, roots and the frontier (merkle.h); valid as long as the reader. Nodes once read are cached. */
struct merkle_source store_source(struct store_reader *r);

/* Iteration in order; it stops at the first result of `each` that isn't OK and returns it. Spans live until `each` returns. `each`
 * may use the reader, but for the same iteration. */
MUST_USE result store_each_entry(
    struct store_reader *r, uint64_t from, uint64_t to, result (*each)(void *ctx, uint64_t index, struct span entry), void *ctx);
MUST_USE result store_each_checkpoint(
    struct store_reader *r, result (*each)(void *ctx, uint64_t size, struct span note), void *ctx);
MUST_USE result store_each_quote(struct store_reader *r, result (*each)(void *ctx, const struct stored_quote *q), void *ctx);
/* Of the kinds whose bits (1 << kind) are set. */
MUST_USE result store_each_blob(struct store_reader *r, unsigned kinds,
    result (*each)(void *ctx, enum blob_kind kind, const struct digest *d, struct span data), void *ctx);
MUST_USE result store_each_open(struct store_reader *r, result (*each)(void *ctx, const struct open_decision *d), void *ctx);

#endif
