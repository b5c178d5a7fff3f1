/* The auditor's pins (docs/formats.md, "Trust file"). */
#ifndef SEB_AUDIT_TRUST_H
#define SEB_AUDIT_TRUST_H

#include "attest/ek.h"
#include "base/pubkey.h"

#define TRUST_MINT_KEYS 64
#define TRUST_VERIFIERS 8
#define TRUST_NAME_MAX 200
struct trust {
    char domain[TRUST_NAME_MAX + 1], instance[TRUST_NAME_MAX + 1], origin[TRUST_NAME_MAX + 1];
    struct pubkey *record, *attestation, *policy, *revocation; /* owned */
    unsigned mint_n;
    struct digest mint[TRUST_MINT_KEYS]; /* thumbprints */
    unsigned verifiers_n; /* 0: whoever the signed policy names */
    struct digest verifier[TRUST_VERIFIERS];
    struct ek_roots *ek_roots; /* NULL: EK certificates are not followed to a root */
    json_t *audiences, *issuers, *mappings; /* objects by target, or NULL */
};
/* *ret_what names the member that is wrong; static. */
MUST_USE result trust_load(const char *path, struct trust *ret, const char **ret_what);
void trust_free(struct trust *t); /* accepts zeroed */
bool trust_mints(const struct trust *t, const struct digest *kid);
bool trust_verifies(const struct trust *t, const struct digest *kid);
/* Manufacturers' certificates (PEM) in place of the trust file's. */
MUST_USE result trust_roots(struct trust *t, struct span pem);
/* NULL where the trust file has none for this target. */
const char *trust_audience(const struct trust *t, const char *target);
/* What a target of kind kubernetes takes tokens from, each mint key under it: NULL where the trust file has none. */
const char *trust_issuer(const struct trust *t, const char *target);
/* Whether the target's credentials say their words as groups too. */
bool trust_maps_groups(const struct trust *t, const char *target);

#endif
