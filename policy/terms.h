/* What a signed policy says, for the rules alone. Written by policy.c, read-only from then on. */
#ifndef SEB_POLICY_TERMS_H
#define SEB_POLICY_TERMS_H

#include "policy/documents.h"

#define AUTHORITIES_MAX 32 /* struct signers has a bit for each */
#define ADMITS_MAX 64
#define OPERATIONS_MAX 16
#define RESOURCES_MAX 64
#define FREEZES_MAX 64
#define VERIFIERS_MAX 8
#define COUNTERSIGNERS_MAX 8
#define FREEZE_TARGETS_MAX 64
#define MANUFACTURER_LEN 32 /* PKCS#11 3.0, CK_TOKEN_INFO */
#define MODEL_LEN 16
#define SERIAL_LEN 16
#define SIGNATURES_MAX JWS_SIGNATURES_MAX

struct resource_terms {
    bool is_prefix;
    char *text;
};
/* Lists are owned. */
struct admit {
    char target[NAME_LEN + 1];
    unsigned operations_n, resources_n;
    char (*operations)[OPERATION_LEN + 1];
    struct resource_terms *resources;
    enum risk risk; /* the highest */
};
struct authority {
    char name[NAME_LEN + 1];
    struct pubkey *key;
    unsigned admits_n;
    struct admit *admits;
};
struct freeze {
    unsigned targets_n; /* 0: all */
    char (*targets)[NAME_LEN + 1];
    int64_t from, until;
};
struct verifier {
    char name[NAME_LEN + 1];
    struct pubkey *key, *lease; /* owned */
};
struct policy {
    unsigned holders;
    struct digest digest;
    char domain[DOMAIN_LEN + 1];
    int64_t policy_epoch, validity_s, credential_s, request_age_s, body_bytes;
    unsigned authorities_n, freezes_n;
    struct authority *authorities;
    struct freeze *freezes;
    int64_t signatures[RISK_LEVELS];
    unsigned verifiers_n, countersigners_n;
    struct verifier verifiers[VERIFIERS_MAX];
    struct pubkey *countersigners[COUNTERSIGNERS_MAX]; /* owned */
    int64_t countersigners_needed;
    bool has_version_from, has_hsm;
    bool secrets_unfenced; /* contracts whose body is a Secret's are taken, though no fence can hold the body to them */
    enum risk version_from;
    char manufacturer[MANUFACTURER_LEN + 1], model[MODEL_LEN + 1], serial[SERIAL_LEN + 1];
};

#endif
