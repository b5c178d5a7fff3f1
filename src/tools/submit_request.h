/* The agent's request: built from the certificate's contract, or with single fields of the agent's own. Nothing of the certificate
 * is verified here, since that is the broker's affair. */
#ifndef SEB_TOOLS_SUBMIT_REQUEST_H
#define SEB_TOOLS_SUBMIT_REQUEST_H

#include "base/jws.h"
#include "tools/agent_key.h"

struct mutation_overrides { /* NULL: the contract's */
    const char *target, *operation, *resource, *media_type;
    bool describe_body; /* parameters of the body that is sent, not of the contract's */
};
struct submission {
    json_t *certificate; /* the JWS as it was read; owned */
    json_t *mutation; /* owned */
    struct digest certificate_digest; /* of its payload */
    const char *id; /* borrowed */
    struct span body; /* borrowed */
};
/* Reads the certificate and builds the mutation. What json_strict and jws_parse refuse; missing_member where it has no contract. */
MUST_USE result submission_read(
    struct span certificate, struct span body, const struct mutation_overrides *overrides, struct submission *ret);
void submission_free(struct submission *s); /* accepts a zeroed one */
/* The request, signed now: a JWS that the caller owns. */
MUST_USE result submission_sign(
    const struct submission *s, const struct agent_key *key, int64_t iat, int64_t wait_ms, json_t **ret_request);
/* The frame of the bus. */
MUST_USE result submission_frame(const struct submission *s, json_t *request, struct buf *ret_frame);

#endif
