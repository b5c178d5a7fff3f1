/* What a credential says: a pure function of the log entry that it is minted for, the certificate's name, and the target's claims.
 * The keeper signs it; an auditor computes it again. */
#ifndef SEB_MINT_MINT_H
#define SEB_MINT_MINT_H

#include "base/jws.h"

#define CREDENTIAL_TEXT_MAX 16384
struct mint_words {
    const char *domain, *instance, *audience, *cid, *attestation;
    const char
        *issuer; /* the target's: iss is <issuer>/<key>, and nbf stands beside iat. NULL or "": https://<domain>/<instance> */
    struct digest key; /* the mint key's thumbprint; where there is an issuer */
    bool groups; /* the claim groups says the target's claims, cid, jti and att once more */
    struct digest leaf; /* of the entry */
    int64_t iat, exp;
    const json_t *target_claims; /* of src/target; copied in */
};
/* RFC 8785 form of the claims set. */
MUST_USE result mint_claims(const struct mint_words *w, struct buf *out);
/* Compact serialization (RFC 7515 section 7.1) of signing input and raw signature. */
MUST_USE result mint_compact(struct span signing_input, struct span signature, struct buf *out);

#endif
