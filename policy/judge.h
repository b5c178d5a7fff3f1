/* The judge: ten named predicates over one struct of facts, in order; the first refusal wins. Pure: time, live state and what was
 * found in the ledger arrive as facts. Core, keeper (in part) and audit run the same table.
 * Adding a predicate is one file policy/rule_<name>.c, one row in rules[], one test. */
#ifndef SEB_POLICY_JUDGE_H
#define SEB_POLICY_JUDGE_H

#include "policy/verify.h"

struct target_facts {
    const char *kind;   /* "http" */
    const char *prefix;
    /* What the target's own file says of this contract as one scoped mutation: ok, operation_unsupported, resource_invalid,
     * precondition_missing (src/target/target.h: a pure function that core and audit both call). */
    enum seb_code scope;
};
struct live_facts {
    bool exists, has_etag;
    const char *etag;
    struct digest sha256;
};
struct facts {
    int64_t now_ms;
    const char *domain;                   /* this broker's */
    const struct policy *policy;
    const struct epoch_statement *epoch;
    const struct certificate *certificate;
    struct signers signers;
    const struct request *request;
    enum seb_code pop;                    /* verify_request's */
    bool has_body;                        /* what came with the request */
    struct digest body;
    int64_t body_length;
    const struct target_facts *target;    /* NULL: none of that name is configured */
    bool attested;                        /* an affirming, fresh result is held: never, in this version */
    bool used;                            /* the certificate was found used */
    const struct live_facts *live;        /* NULL until it was read */
};
struct refusal {
    const char *rule; /* "sig", "pop", …; static */
    enum seb_code code;
};

/* Sig to replay: everything that can be said before live state is read. true: none refuses. */
bool judge_before_read(const struct facts *f, struct refusal *ret);

/* The permission for one mutation. Only the judge builds one. */
struct permit {
    const struct certificate *certificate;
    int64_t iat, exp; /* of the credential, in seconds: exp is cut to contract, policy and certificate */
    char if_match[ETAG_LEN + 1]; /* "" where the mutation creates */
    int judge_only_;
};
/* All predicates. NULL and *ret where one refuses; else a permit in *room, returned as const: nobody else can write one that the log's
 * writer takes. Live state must be there (facts without it are refused by drift with read_failed). */
const struct permit *judge(const struct facts *f, struct permit *room, struct refusal *ret);

/* The parts that the keeper holds again at mint time, on its own facts (policy, epoch, now): sig, time, policy, rev. */
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
