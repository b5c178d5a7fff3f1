/* A world in which every predicate holds: keys, signed policy, certificate, request, epoch statement, target, live state. A test
 * edits the documents, calls world_build, and edits what came of it. What fails here aborts the test. */
#ifndef SEB_TESTS_POLICY_WORLD_H
#define SEB_TESTS_POLICY_WORLD_H

#include "policy/judge.h"
#include "tests/unit/testkey.h"

#define NOW_S INT64_C(1767225600)
#define WORLD_AUTHORITIES 3 /* the first two P-256, the third Ed25519; all trusted, the first alone is enough up to L1 */

struct world {
    struct testkey *authority[WORLD_AUTHORITIES], *stranger, *agent;
    struct testkey *verifier, *lease; /* the one verifier's keys */
    /* Documents, to be edited before world_build. */
    json_t *policy_json, *certificate_json, *request_json, *epoch_json;
    struct testkey *signs[JWS_SIGNATURES_MAX]; /* who signs the certificate: the first authority unless changed */
    unsigned signs_n;
    struct testkey *requests; /* who signs the request: the agent */
    const char *typ; /* of the certificate */
    bool keep_mutation, keep_digest, keep_state; /* don't let the request follow the contract, or state the preconditions */
    /* What world_build makes of them. */
    struct buf policy_text, certificate_text, request_text, epoch_text, arena_c, arena_q;
    struct jws certificate_jws, request_jws;
    struct policy *policy;
    struct certificate certificate;
    struct request request;
    struct epoch_statement epoch;
    struct target_facts target;
    struct live_facts live;
    struct attested_facts attested;
    struct facts facts;
};
void world_new(struct world *w);
void world_free(struct world *w);
/* Signs, takes apart, verifies and parses. The certificate and request are parsed even where their signature doesn't hold, so that
 * the other predicates can be asked. */
void world_build(struct world *w);
/* Verifies again, after a test changed the bytes of certificate_jws or request_jws. */
void world_verify(struct world *w);

/* Sets the member at a path ("contract.constraints.credential_s", "authorities.0.admit.0.risk") to a JSON value given as text; NULL
 * deletes it. */
void edit(json_t *document, const char *path, const char *json_text);
json_t *at_path(json_t *document, const char *path); /* borrowed; NULL where there is none */
void must(bool holds, const char *what);

#endif
