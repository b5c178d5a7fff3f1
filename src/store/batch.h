/* A batch's own form: operations one after another, each u8 operation and blob32 fields. For batch.c and the writer alone. */
#ifndef SEB_STORE_BATCH_H
#define SEB_STORE_BATCH_H

#include "store/store.h"

enum batch_operation {
    BATCH_ENTRY = 1, /* the entry */
    BATCH_BLOB, /* u8 kind, digest, the rest: data */
    BATCH_USE, /* certificate, u64 decision, the rest: cid */
    BATCH_REQUEST, /* agent, core, certificate, u64 decision, the rest: id */
    BATCH_PERMIT, /* u64 decision, certificate, core, u64 horizon, blob16 target, blob16 resource */
    BATCH_OUTCOME, /* u64 decision, u64 outcome, u8 final */
    BATCH_CHECKPOINT, /* u64 size, the rest: note */
    BATCH_QUOTE, /* u64 size, blob16 attest, blob16 signature, blob16 preimage */
    BATCH_STATE, /* u8 kind, the rest: JWS text */
};
struct store_batch {
    uint64_t first;
    unsigned entries;
    struct buf bytes;
};
/* The next operation at *at; false after the last. */
bool batch_next(const struct store_batch *b, size_t *at, enum batch_operation *ret_op, struct span *ret_fields);

#endif
