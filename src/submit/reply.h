/* The broker's answer to a submission: what it says, what of it can be proved, how it reads. */
#ifndef SEB_SUBMIT_REPLY_H
#define SEB_SUBMIT_REPLY_H

#include <stdio.h>

#include "submit/request.h"

enum submit_exit {
    SUBMIT_APPLIED = 0,
    SUBMIT_LOCAL = 1, /* this tool or its arguments' files failed; a proof that doesn't hold */
    SUBMIT_USAGE = 2,
    SUBMIT_REFUSED = 3, /* also: not well-formed */
    SUBMIT_NOT_APPLIED = 4, /* rejected, failed, not applied, open */
    SUBMIT_LATER = 5, /* busy, unavailable, still pending: ask again with the same id */
};
struct reply; /* opaque */
/* A frame of the bus as a reply. bad_frame and the JSON codes; bad_value where the status isn't one of docs/formats.md. */
MUST_USE result reply_read(struct span frame, struct reply **ret);
void reply_free(struct reply *r); /* accepts NULL */
void reply_free_pointer(struct reply **r);
#define AUTO_REPLY __attribute__((cleanup(reply_free_pointer))) struct reply
bool reply_is_final(const struct reply *r); /* not `pending`, not `unproved` */
bool reply_owes_proof(const struct reply *r); /* final, and it speaks of records: `done`, or a refusal with its decision */
enum submit_exit reply_exit(const struct reply *r);
/* The checkpoint's signature by the record key, the inclusion of each record in it, and that they are of this submission.
 * bad_proof, bad_signature, bad_note; missing_member where there is nothing to prove. */
MUST_USE result reply_prove(
    const struct reply *r, const struct pubkey *record_key, const struct submission *s, const struct digest *agent);
void reply_print_json(const struct reply *r, FILE *to);
void reply_print(const struct reply *r, const struct submission *s, FILE *to);

#endif
