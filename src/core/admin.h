/* What an operator loads: signed statements and approvals. One is in force when its pinned key signed it, it follows the last one,
 * and the keeper, who verifies it again, took it; then it goes into the log, signed as soon as anything can be. */
#ifndef SEB_CORE_ADMIN_H
#define SEB_CORE_ADMIN_H

#include "core/core.h"

struct admin { /* on its way through the keeper; of one kind they are answered in the order in which they were sent */
    struct core *core;
    uint64_t slot;
    bool restoring; /* at start: nobody waits, and the log has it */
    enum loaded_what what;
    struct digest digest; /* of the payload */
    struct policy *policy;
    struct epoch_statement epoch;
    struct acknowledge acknowledge;
    struct buf text; /* the JWS, general serialization */
    struct buf file; /* of an approval: all of it */
    struct admin *next;
};
/* statement.c: what the core itself holds against it, and a->digest and a->text. */
MUST_USE result statement_verify(struct admin *a, const struct jws *statement);
MUST_USE result approval_verify(struct admin *a);
void statement_in_force(struct admin *a);
/* Into the log; whoever loaded it is answered when it is there. */
MUST_USE result statement_record(struct admin *a);

#endif
