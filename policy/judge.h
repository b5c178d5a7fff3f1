/* The judge: ten named predicates over one struct of facts, in order; the first refusal wins. Pure: time, live state and what was
 * found in the ledger arrive as facts. Core, keeper (in part) and audit run the same table.
 * Adding a predicate is one file policy/rule_<name>.c, one row in rules[], one test. */
#ifndef SEB_POLICY_JUDGE_H
#define SEB_POLICY_JUDGE_H

#include "policy/verify.h"

struct target_facts {
    const char *kind; /* "http" */
    const char *prefix;
    /* What the target's own file says of this contract as one scoped mutation: ok, operation_unsupported, resource_invalid,
     * precondition_missing … (src/target/target.h: a pure function that core and audit both call). */
    enum seb_code scope;
    int64_t least_s; /* the shortest life that contract and policy may give its credentials (target_least_s) */
    bool secret; /* the body can't be fenced, since its values must not be told (target_secret) */
};
/* The attestation result that is held: verified, of the last challenge (src/core/attest.c), for this domain and instance. */
struct attested_facts {
    struct digest result; /* of its payload */
    bool affirming;
    bool keys_match; /* it names exactly the keys in use */
    int64_t iat, exp; /* seconds */
};
struct live_facts {
    bool exists, has_etag;
    const char *etag;
    struct digest sha256;
    const char *uid, *version; /* NULL or "": the target gives none */
    unsigned fields_n; /* of the contract's preconditions.fields, then its parameters.fields; 0 where nothing is there */
    const struct live_field *field;
};
/* Facts that lack policy or epoch are refused with no_policy (by sig) and no_epoch (by rev): whoever asks the judge looks first. A
 * certificate or request that didn't verify was never parsed: then its pointer is NULL, and signers.code or pop says why. Any
 * other gap is refused with invariant. */
struct facts {
    int64_t now_ms;
    const char *domain; /* this broker's */
    const struct policy *policy;
    const struct epoch_statement *epoch;
    const struct certificate *certificate;
    struct signers signers;
    const struct request *request;
    enum seb_code pop; /* verify_request's */
    bool has_body; /* what came with the request */
    struct digest body;
    int64_t body_length;
    const struct target_facts *target; /* NULL: none of that name is configured */
    const struct attested_facts *attested; /* NULL: no result is held */
    int64_t certificates_from; /* seconds; certificates issued before are refused: after an unclean start. 0: none are */
    bool used; /* the certificate was found used */
    const struct live_facts *live; /* NULL until it was read */
};
struct refusal {
    const char *rule; /* "sig", "pop", …; static */
    enum seb_code code;
};

/* Sig to replay: everything that can be said before live state is read. true: none refuses. */
bool judge_before_read(const struct facts *f, struct refusal *ret);

/* The permission for one mutation, opaque: only the judge builds one (policy/judge.c), so a permit in hand means that every
 * predicate held. */
struct permit;
int64_t permit_iat(const struct permit *p); /* of the credential, in seconds: the facts' now */
int64_t permit_exp(const struct permit *p); /* cut to contract, policy, certificate and attestation; at least a second after iat */
/* The ETag that the call carries in If-Match: the contract's, else the one that was read; "" where the mutation creates. */
const char *permit_if_match(const struct permit *p);
void permit_free(struct permit *p); /* accepts NULL */
void permit_free_pointer(struct permit **p);
#define AUTO_PERMIT __attribute__((cleanup(permit_free_pointer))) struct permit

/* All predicates. A permit that the caller frees, or NULL and *ret: the first rule that refuses, with its code. Live state must be
 * there (drift refuses facts without it with read_failed). Where memory is out, ret->rule is NULL and its code no_memory: that is
 * no verdict, and is never recorded as one. */
struct permit *judge(const struct facts *f, struct refusal *ret);

/* The parts that the keeper holds again at mint time, on its own facts (domain, policy, epoch, certificate, signers, now; it has no
 * request): sig, time, policy, rev, attest. */
bool judge_at_mint(const struct facts *f, struct refusal *ret);

/* The table, for tests and documentation. */
struct rule {
    const char *name; /* "sig" */
    enum seb_code (*holds)(const struct facts *f); /* ok, or why not */
    bool at_mint, after_read;
};
extern const struct rule rules[];
extern const unsigned rules_n;

#endif
