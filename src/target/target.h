/* Targets: what a mutation of each kind is as one call, what its live state is, what its fence holds the call to. Pure, but for
 * call.h (the runner's side). Adding a kind is files src/target/<kind>*.c and one row in target.c. */
#ifndef SEB_TARGET_TARGET_H
#define SEB_TARGET_TARGET_H

#include "base/digest.h"
#include "base/field.h"
#include "base/json.h"

#define TARGET_RESOURCE_MAX 1024
#define TARGET_URL_MAX 2560 /* a prefix, a resource, and a query */
#define TARGET_ETAG_MAX 256
#define TARGET_VERSION_MAX 64 /* uid or resourceVersion */
#define TARGET_FIELDS_MAX 64 /* a contract's preconditions.fields and its parameters.fields */
#define TARGET_FIELDS_CLAIM_MAX 4096 /* RFC 8785 form of the claim `fields` */
#define TARGET_DETAILS_MAX 32768
#define TARGET_SENT_MAX (64 * 1024) /* a composed body */
#define TARGET_REASON_MAX 64
#define TARGET_CAUSES 8
#define TARGET_CAUSES_MAX 4095 /* RFC 8785 form of all of them: what doesn't fit is left out */
enum call_use { CALL_READ = 1, CALL_MUTATE = 2 };

/* What the floor above takes from the contract (policy and target are siblings, and never meet). Views. */
struct target_mutation {
    const char *operation, *resource;
    bool has_body;
    struct digest body_sha256;
    int64_t body_length;
    const char *media_type; /* NULL without a body */
    bool absent, has_etag, has_sha256; /* the contract's preconditions */
    const char *etag; /* the contract's, or the one that was read; NULL where there is none */
    const struct fields *fields, *pre_fields, *post_fields; /* of parameters, preconditions, postconditions; NULL is as empty */
    const char *field_manager, *propagation; /* NULL or "" where the contract has none */
    bool force, dry_run;
    int64_t grace_s; /* -1: none */
    bool has_uid, has_version; /* the contract's own preconditions */
    const char *uid, *version; /* that the write carries: the contract's, else what was read; NULL: none */
    struct digest contract; /* over the contract's RFC 8785 form */
};
/* One call, without its credential: views and static texts. */
struct call_plan {
    const char *method;
    char url[TARGET_URL_MAX + 1]; /* may end in a query */
    const char *precondition; /* "If-Match", "If-None-Match"; NULL for a read, and where the precondition is in the body */
    char precondition_value[TARGET_ETAG_MAX + 1];
    char media_type[128]; /* of the body as it is sent; "" without one */
    char audit_id[DIGEST_TEXT + 1]; /* target_audit_id's; target_plan leaves it "" */
};
/* ok, operation_unsupported, resource_invalid, precondition_missing; kubernetes also field_manager_missing, secret_value,
 * field_ambiguous, fields_too_long. For Phi_scope; kind unknown: target_unknown. Doesn't look at live state: a contract that holds
 * only sha256 or fields is in scope, since the ETag or version that was read goes into the call. */
enum seb_code target_scope(const char *kind, const char *prefix, const struct target_mutation *m);
/* Whether a resource is one under the prefix, whatever is done to it: ok, resource_invalid, target_unknown. */
enum seb_code target_resource(const char *kind, const char *prefix, const char *resource);
/* Whether this is a URL that such a call may go to under the prefix, its query included: ok, resource_invalid, target_unknown. The
 * runner's own look at what the keeper planned. */
enum seb_code target_url(const char *kind, const char *prefix, const char *method, const char *url);
/* The call for a read or for the mutation. precondition_unusable where what the call must carry (a strong ETag; a version, of
 * deletions a uid too) is weak or missing. Claims don't depend on the prefix, which may be NULL where only they are wanted. */
MUST_USE result target_plan(
    const char *kind, const char *prefix, enum call_use use, const struct target_mutation *m, struct call_plan *ret);
/* The same call as a rehearsal that changes nothing: the URL with what asks for it. unsupported where the kind has none. */
MUST_USE result target_rehearsal(const char *kind, const char *url, char ret[TARGET_URL_MAX + 1]);
/* Adds the target's own claims to the credential (docs/formats.md, "Credential"). */
MUST_USE result target_claims(
    const char *kind, enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims);
/* What the call is known by in the target's own audit log: the leaf's text, or "" where the kind has none. */
void target_audit_id(const char *kind, const struct digest *leaf, char ret[DIGEST_TEXT + 1]);
bool target_keeps_body(const char *kind); /* an answer's body is wanted, not its digest alone */
/* The fewest seconds that contract and policy may give a credential; what is left of certificate and attestation can be less. */
int64_t target_least_s(const char *kind);
int64_t target_cache_s(const char *kind); /* how long after its end a credential may still be accepted */
bool target_secret(const char *kind, const struct target_mutation *m); /* the body's values must not be told, so it isn't fenced */

/* What the runner needs beside the plan, as JSON in RFC 8785 form of at most TARGET_DETAILS_MAX bytes: how the body is composed,
 * what is read out of the answer, and what a rehearsal's result is held to. Appended; nothing for a kind that needs none. */
MUST_USE result target_details(const char *kind, enum call_use use, const struct target_mutation *m, struct buf *out);
/* Whether these details ask for a rehearsal before the call. */
bool target_rehearses(const json_t *details);
/* The body as it is sent, appended: of details of a mutation, and of the certified body (empty where there is none). `rehearsal`:
 * as part of the call that changes nothing. A body that can't carry the preconditions, or says other than they do, is refused and
 * never sent: body_mismatch, or what is wrong with it as JSON. A kind without details sends the body as it is. */
MUST_USE result target_compose(const char *kind, const json_t *details, bool rehearsal, struct span body, struct buf *out);

struct target_answer {
    char uid[TARGET_VERSION_MAX + 1], version[TARGET_VERSION_MAX + 1]; /* of the object; "": not told */
    unsigned fields_n; /* as many as asked for, preconditions' first; 0 where no object came */
    struct live_field field[TARGET_FIELDS_MAX];
    char reason[TARGET_REASON_MAX + 1]; /* of a refusal; "": not told */
    char causes[TARGET_CAUSES_MAX + 1]; /* a JSON array of objects `field`, `message`, `reason`, each where it is told; or "" */
    bool post_holds; /* a success, and each field of the postconditions is as it must be in the object that came */
};
/* What a kept body says. read_failed: a read's success that holds not the object that was asked for, or one that can't be held to
 * the contract. Else ok, and what isn't told is empty: an answer to a mutation is judged by its status. NULL details: nothing is
 * told. */
MUST_USE result target_answer_read(
    const char *kind, enum call_use use, const json_t *details, uint32_t status, struct span body, struct target_answer *ret);

/* What a response means for a mutation: an HTTP status to applied, rejected or open, as the kind has it. */
enum call_meaning { MEANS_APPLIED = 1, MEANS_REJECTED, MEANS_OPEN };
enum call_meaning target_meaning(const char *kind, uint32_t status);
/* What a status that rejects says beyond that, with the causes of the answer (target_answer.causes), as the kind has it:
 * state_drifted, field_owned, or ok where it doesn't say. */
enum seb_code target_rejection(const char *kind, uint32_t status, const char *causes);
/* Whether the mutation, once done, leaves nothing under the resource's name (or something new). */
bool target_removes(const char *kind, const struct target_mutation *m);
/* Whether a read's status says that the resource exists, doesn't, or can't be told (read_failed). */
MUST_USE result target_read_meaning(const char *kind, uint32_t status, bool *ret_exists);

#endif
