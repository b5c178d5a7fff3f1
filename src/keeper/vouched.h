/* Certificates whose signatures were verified here lately: a mutation's certificate is that of its read, and need not be verified
 * twice. Known by a digest over every byte that a verification looks at, and under the same policy: what differs in a bit is
 * verified. Pure, but for what it remembers. */
#ifndef SEB_KEEPER_VOUCHED_H
#define SEB_KEEPER_VOUCHED_H

#include "policy/verify.h"

struct vouched; /* opaque */
MUST_USE result vouched_new(struct vouched **ret);
void vouched_free(struct vouched *v); /* accepts NULL */
/* As verify_certificate. */
struct signers vouched_signers(struct vouched *v, const struct policy *p, const struct jws *certificate);

#endif
