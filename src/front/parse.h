/* From a frame of the bus to the fields of a message to the core. The front's opinion counts for nothing: this bounds what agents
 * send and takes it apart, so that the core need not. Pure. */
#ifndef SEB_FRONT_PARSE_H
#define SEB_FRONT_PARSE_H

#include "base/bytes.h"

/* Appends SUBMIT's fields. Whatever isn't well-formed is an error by its name. */
MUST_USE result front_parse_submit(struct span frame, uint32_t uid, struct buf *ret_fields);
/* Appends ADMIN's fields. */
MUST_USE result front_parse_admin(struct span frame, struct buf *ret_fields);
/* Appends ATTEST's fields: what came through the verifiers' door. */
MUST_USE result front_parse_verifier(struct span frame, struct buf *ret_fields);

#endif
