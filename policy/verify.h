/* Signatures of certificate, request, policy and epoch statement, over bytes that were not parsed yet. Pure. Core, keeper and audit
 * call the same functions. */
#ifndef SEB_POLICY_VERIFY_H
#define SEB_POLICY_VERIFY_H

#include "policy/documents.h"

/* What the signatures of a certificate gave: which distinct authorities of the policy signed (bit n: the n-th). A signature by an
 * unknown key is passed over; one that names a trusted key and doesn't verify spoils the whole. */
struct signers {
    enum seb_code code; /* ok, authority_unknown, certificate_forged, bad_header */
    uint32_t authorities;
    unsigned distinct;
};
struct signers verify_certificate(const struct policy *p, const struct jws *certificate);
/* ok; request_forged, bad_header. The key is the one that the certificate carries. */
MUST_USE result verify_request(const struct certificate *c, const struct jws *request);
/* A statement under one pinned key: policy or epoch. */
MUST_USE result verify_statement(const struct pubkey *pinned, const char *typ, const struct jws *statement);
/* A statement under the key of one of the policy's verifiers (challenge, result, enrolment): verifier_unknown, bad_header,
 * bad_signature. */
MUST_USE result verify_by_verifier(const struct policy *p, const char *typ, const struct jws *j, unsigned *ret_verifier);

#endif
