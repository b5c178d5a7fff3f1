#include "config.h"

#include "keeper/vouched.h"

#include <stdlib.h>

#include "link/messages.h"

/* More than mutations are under way at once. One that lost its place to another is verified again. */
#define PLACES 1024

struct place {
    struct digest parts, policy; /* zero: nothing is here */
    struct signers signers;
};
struct vouched {
    struct place place[PLACES];
};

result vouched_new(struct vouched **ret)
{
    struct vouched *v = calloc(1, sizeof *v);
    if (!v)
        return fail(E_no_memory);
    *ret = v;
    return OK;
}

void vouched_free(struct vouched *v)
{
    free(v);
}

struct signers vouched_signers(struct vouched *v, const struct policy *p, const struct jws *certificate)
{
    AUTO_BUF parts = BUF(LINK_PACKET_MAX); /* each with its length, so that no two certificates have the same bytes */
    if (!is_ok(parts_put(&parts, certificate)))
        return verify_certificate(p, certificate);
    struct digest d = sha256(buf_span(&parts));
    struct place *at = &v->place[(unsigned)(d.b[0] << 8 | d.b[1]) % PLACES];
    if (digest_equal(&at->parts, &d) && digest_equal(&at->policy, policy_digest(p)))
        return at->signers;
    struct signers s = verify_certificate(p, certificate);
    if (s.code == E_ok)
        *at = (struct place){ .parts = d, .policy = *policy_digest(p), .signers = s };
    return s;
}
