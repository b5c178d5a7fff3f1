/* Targets: what a mutation of each kind is as one call, what its live state is, what its fence holds the call to. Pure, but for
 * call.h (the runner's side). Adding a kind is one file src/target/<kind>.c and one row in target.c. */
#ifndef SEB_TARGET_TARGET_H
#define SEB_TARGET_TARGET_H

#include "base/digest.h"
#include "base/json.h"

#define TARGET_URL_MAX 1024
#define TARGET_ETAG_MAX 256
enum call_use { CALL_READ = 1, CALL_MUTATE = 2 };

/* What the floor above takes from the contract (policy and target are siblings, and never meet). */
struct target_mutation {
    const char *operation, *resource;
    bool has_body;
    struct digest body_sha256;
    int64_t body_length;
    const char *media_type; /* NULL without a body */
    bool absent, has_etag, has_sha256; /* the contract's preconditions */
    const char *etag; /* the contract's, or the one that was read; NULL where there is none */
};
/* One call, without its credential: views and static texts. */
struct call_plan {
    const char *method;
    char url[TARGET_URL_MAX + 1];
    const char *precondition; /* "If-Match", "If-None-Match", or NULL for a read */
    char precondition_value[TARGET_ETAG_MAX + 1];
    char media_type[128]; /* "" without a body */
};
/* ok, operation_unsupported, resource_invalid, precondition_missing. For Phi_scope; kind unknown: target_unknown. Doesn't look at
 * live state: a contract that holds only sha256 is in scope, since the ETag that was read goes into the call. */
enum seb_code target_scope(const char *kind, const char *prefix, const struct target_mutation *m);
/* Whether a resource is one under the prefix, whatever is done to it: ok, resource_invalid, target_unknown. */
enum seb_code target_resource(const char *kind, const char *prefix, const char *resource);
/* The call for a read or for the mutation. precondition_unusable where the ETag is weak or missing. */
MUST_USE result target_plan(const char *kind, enum call_use use, const struct target_mutation *m, struct call_plan *ret);
/* Adds the target's own claims to the credential: use, htm, hth, htu, sha256, ctype, if_match or if_none_match. */
MUST_USE result target_claims(
    const char *kind, enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims);

/* What a response means for a mutation: an HTTP status to applied, rejected or open, as the kind has it. */
enum call_meaning { MEANS_APPLIED = 1, MEANS_REJECTED, MEANS_OPEN };
enum call_meaning target_meaning(const char *kind, uint32_t status);
/* Whether a read's status says that the resource exists, doesn't, or can't be told (read_failed). */
MUST_USE result target_read_meaning(const char *kind, uint32_t status, bool *ret_exists);

#endif
