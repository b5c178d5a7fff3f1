/* The agent's request: built from the certificate's contract, or with single fields of the agent's own. Nothing of the certificate
 * is verified here, since that is the broker's affair. */
#ifndef SEB_SUBMIT_REQUEST_H
#define SEB_SUBMIT_REQUEST_H

#include "signer/signer.h"

#define SUBMIT_WAIT_MS_MAX 60000 /* docs/formats.md */

struct mutation_overrides { /* NULL: the contract's */
    const char *target, *operation, *resource, *media_type;
    bool describe_body; /* parameters of the body that is sent, not of the contract's */
};
struct submission {
    json_t *certificate; /* the JWS as it was read; owned */
    json_t *claims; /* its payload; owned */
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
    const struct submission *s, struct signer *signer, int64_t iat, int64_t wait_ms, json_t **ret_request);
/* The same for the key that the certificate carries, to be signed by whoever has it: {"payload", "protected"}, appended, to which
 * "signature" is to be added. missing_member, bad_key. */
MUST_USE result submission_unsigned(const struct submission *s, int64_t iat, int64_t wait_ms, struct buf *out);
/* A request that was signed elsewhere. */
struct signed_request {
    json_t *jws; /* owned */
    char id[65];
    int64_t wait_ms;
    struct digest agent; /* thumbprint of the key that it says to be signed by */
};
/* The broker verifies it; here it is read as far as asking needs. What jws_parse refuses, bad_jws for several signatures, and the
 * codes of the members. */
MUST_USE result signed_request_read(struct span text, struct signed_request *ret);
void signed_request_free(struct signed_request *r); /* accepts a zeroed one */
/* The frame of the bus. */
MUST_USE result submission_frame(const struct submission *s, json_t *request, struct buf *ret_frame);

#endif
