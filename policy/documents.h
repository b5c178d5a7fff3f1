/* The signed documents that the judge reads: certificate, request, policy, revocation epoch statement (docs/formats.md). Parsing
 * only: call it after the signature was verified. Pure. */
#ifndef SEB_POLICY_DOCUMENTS_H
#define SEB_POLICY_DOCUMENTS_H

#include "base/field.h"
#include "base/jws.h"

#define NAME_LEN 64
#define DOMAIN_LEN 128
#define RESOURCE_LEN 1024
#define ETAG_LEN 256
#define MEDIA_TYPE_LEN 127
#define OPERATION_LEN 32
#define BODY_BYTES_MAX 32768
#define VERSION_LEN 64 /* of a uid and a resourceVersion */
#define MANAGER_LEN 128
#define PROPAGATION_LEN 15
#define GRACE_NONE (-1)
enum risk { RISK_L0, RISK_L1, RISK_L2, RISK_L3, RISK_L4, RISK_L5, RISK_LEVELS };
const char *risk_name(enum risk r); /* "L0" */

struct body_ref {
    bool present;
    struct digest sha256;
    int64_t length;
    char media_type[MEDIA_TYPE_LEN + 1];
};
struct mutation {
    char target[NAME_LEN + 1], operation[OPERATION_LEN + 1], resource[RESOURCE_LEN + 1];
    struct body_ref body;
    struct digest parameters; /* of the whole parameters object */
};
struct precondition {
    bool absent, has_etag, has_sha256, has_uid, has_version;
    char etag[ETAG_LEN + 1], uid[VERSION_LEN + 1], version[VERSION_LEN + 1];
    struct digest sha256;
    struct fields fields; /* owned by the contract */
};
struct contract {
    struct mutation mutation;
    struct precondition pre;
    int64_t credential_s;
    enum risk risk;
    struct fields fields, post; /* what the contract makes of the object; what a dry run's result must be: owned */
    char field_manager[MANAGER_LEN + 1]; /* "" none */
    char propagation[PROPAGATION_LEN + 1]; /* Foreground, Background, Orphan; "" none */
    bool force, dry_run;
    int64_t grace_s; /* GRACE_NONE: none */
    struct digest digest; /* of the contract's RFC 8785 form */
};
/* A contract alone, as an authority compiles it. The caller frees what it owns. */
MUST_USE result contract_parse(struct span text, struct contract *ret);
void contract_free(struct contract *c); /* what it owns; accepts zeroed */
/* A certificate's `state`: digest over {"preconditions": …} of the contract. */
MUST_USE result contract_state(const json_t *contract, struct digest *ret);

struct certificate {
    struct digest digest; /* of the payload bytes */
    char aud[DOMAIN_LEN + 1], cid[NAME_LEN + 1];
    struct pubkey *agent; /* owned */
    struct contract contract;
    int64_t epoch, policy_epoch, iat, nbf, exp;
    struct digest evidence, state;
    enum risk risk;
};
/* keys may be NULL: then the agent's key is parsed afresh. */
MUST_USE result certificate_parse(struct span payload, struct keycache *keys, struct certificate *ret);
void certificate_free(struct certificate *c); /* what it owns; accepts zeroed */

struct request {
    struct digest digest; /* of the payload bytes */
    struct digest core; /* without iat and wait_ms */
    struct digest certificate;
    char id[NAME_LEN + 1];
    int64_t iat, wait_ms;
    struct mutation mutation;
};
MUST_USE result request_parse(struct span payload, struct request *ret);

struct policy; /* opaque, counted */
MUST_USE result policy_parse(struct span payload, struct policy **ret);
void policy_free(struct policy *p);
struct policy *policy_hold(struct policy *p);
const struct digest *policy_digest(const struct policy *p);
const char *policy_domain(const struct policy *p);
int64_t policy_epoch_of(const struct policy *p);
/* The token that may hold the mint key: false where the policy names none. Texts live as long as the policy. */
bool policy_hsm(const struct policy *p, const char **ret_manufacturer, const char **ret_model, const char **ret_serial);
int64_t policy_credential_s(const struct policy *p);
/* Verifiers, 1 to 8, by number: the key that signs challenges, results and enrolments; the one that signs leases; the name. */
unsigned policy_verifiers(const struct policy *p);
const struct pubkey *policy_verifier_key(const struct policy *p, unsigned i);
bool policy_names_verifier(const struct policy *p, const struct digest *kid); /* a verifier's jwk has this thumbprint */
const struct pubkey *policy_verifier_lease(const struct policy *p, unsigned i);
const char *policy_verifier_name(const struct policy *p, unsigned i);
/* Who countersigns approvals, and how many distinct of them an approval needs beside the policy key. */
unsigned policy_countersigners(const struct policy *p);
const struct pubkey *policy_countersigner(const struct policy *p, unsigned i);
unsigned policy_countersigners_needed(const struct policy *p);

struct epoch_statement {
    struct digest digest;
    char domain[DOMAIN_LEN + 1];
    int64_t epoch, iat, exp;
};
MUST_USE result epoch_parse(struct span payload, struct epoch_statement *ret);
/* Whether `next` may follow `last` (NULL: none was loaded): not_newer, domain_mismatch. */
MUST_USE result epoch_follows(const struct epoch_statement *last, const struct epoch_statement *next, const char *domain);
MUST_USE result policy_follows(const struct policy *last, const struct policy *next, const char *domain);

/* What an operator takes upon himself, signed by the policy key: going on with this very log though it is behind its anchor
 * (rollback), or taking certificates again that were issued before an unclean start (unclean). */
enum acknowledged { ACKNOWLEDGE_ROLLBACK = 1, ACKNOWLEDGE_UNCLEAN };
const char *acknowledged_name(enum acknowledged what); /* "rollback" */
struct acknowledge {
    struct digest digest;
    char domain[DOMAIN_LEN + 1], instance[NAME_LEN + 1];
    int64_t iat;
    uint64_t size;
    struct digest root;
    enum acknowledged what;
};
MUST_USE result acknowledge_parse(struct span payload, struct acknowledge *ret);
/* Whether it is for this instance, and of these days (ACKNOWLEDGE_VALID_S): domain_mismatch, instance_mismatch, acknowledge_stale.
 */
#define ACKNOWLEDGE_VALID_S 86400
MUST_USE result acknowledge_check(const struct acknowledge *a, const char *domain, const char *instance, int64_t now_s);

#endif
