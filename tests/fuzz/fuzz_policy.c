/* A policy that is taken can't be outvoted by one key under two names, and asks for at least one signature. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "policy/terms.h"

#include <stdlib.h>

static bool is_sound(const struct policy *p)
{
    for (unsigned i = 0; i < p->authorities_n; i++)
        for (unsigned j = 0; j < i; j++)
            if (pubkey_equal(p->authorities[i].key, p->authorities[j].key))
                return false;
    for (enum risk r = RISK_L0; r < RISK_LEVELS; r++)
        if (p->signatures[r] < 1)
            return false;
    return p->authorities_n >= 1 && p->authorities_n <= AUTHORITIES_MAX && p->policy_epoch >= 1 && p->credential_s >= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *p = NULL;
    struct epoch_statement e;
    struct span input = { data, size };
    if (is_ok(policy_parse(input, &p)) && !is_sound(p))
        abort();
    if (is_ok(epoch_parse(input, &e)) && (e.exp <= e.iat || !*e.domain))
        abort();
    policy_free(p);
    return 0;
}
