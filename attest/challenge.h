/* A verifier's challenge (docs/attestation.md, "Challenge"): what the broker's chip works for at all. Pure. */
#ifndef SEB_ATTEST_CHALLENGE_H
#define SEB_ATTEST_CHALLENGE_H

#include "attest/credential.h"
#include "attest/members.h"
#include "base/jws.h"

#define CHALLENGE_MAX 4096
#define CHALLENGE_WINDOW_S 60 /* either way */
#define DOCUMENT_PIECE_MAX 24000 /* bytes of a document in one answer */

enum challenge_op { CHALLENGE_APPRAISE, CHALLENGE_DOCUMENT, CHALLENGE_ENROL, CHALLENGE_ACTIVATE, CHALLENGE_OPS };
enum challenge_document { DOCUMENT_CEL, DOCUMENT_FIRMWARE, DOCUMENT_IMA, DOCUMENT_POLICY, DOCUMENT_APPROVAL, DOCUMENTS };

struct challenge {
    char domain[DOMAIN_NAME_MAX + 1], instance[INSTANCE_NAME_MAX + 1];
    int64_t iat;
    uint8_t nonce[NONCE_SIZE];
    enum challenge_op op;
    bool has_seen; /* the newest checkpoint that this verifier saw; the consistency proof begins there */
    struct log_state seen;
    enum challenge_document document; /* of DOCUMENT, and from which byte */
    uint64_t offset;
    uint16_t credential_n, secret_n; /* of ACTIVATE: what make_credential gave */
    uint8_t credential[CREDENTIAL_MAX], secret[CREDENTIAL_SEED_MAX];
};
/* The payload, RFC 8785 form, appended. bad_value where the challenge isn't one. */
MUST_USE result challenge_write(const struct challenge *c, struct buf *out);
/* Errors of base/json, bad_value; members that its op doesn't have: unknown_member. */
MUST_USE result challenge_parse(struct span payload, struct challenge *ret);
/* Whether it is for this instance, now (seconds): domain_mismatch, instance_mismatch, challenge_stale. */
MUST_USE result challenge_check(const struct challenge *c, const char *domain, const char *instance, int64_t now);

#endif
