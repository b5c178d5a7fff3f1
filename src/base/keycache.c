#include "config.h"

#include "base/point.h"

#include <stdlib.h>

/* Sets of a few places each: looking a key up touches one set, and the oldest of it makes room. Who floods the cache with keys
 * costs others a parse, no more. */
#define WAYS 4

struct place {
    struct pubkey *key;
    uint64_t used;
};

struct keycache {
    uint64_t now; /* counts look-ups */
    unsigned sets;
    struct place places[];
};

result keycache_new(unsigned keys_max, struct keycache **ret)
{
    unsigned sets = keys_max / WAYS ? keys_max / WAYS : 1;
    struct keycache *c = calloc(1, sizeof *c + sizeof(struct place) * WAYS * (size_t)sets);
    if (!c)
        return fail(E_no_memory);
    c->sets = sets;
    *ret = c;
    return OK;
}

void keycache_free(struct keycache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < (size_t)c->sets * WAYS; i++)
        pubkey_free(c->places[i].key);
    free(c);
}

static struct place *set_of(struct keycache *c, const struct digest *thumbprint)
{
    uint32_t start =
        (uint32_t)thumbprint->b[0] << 24 | (uint32_t)thumbprint->b[1] << 16 | (uint32_t)thumbprint->b[2] << 8 | thumbprint->b[3];
    return c->places + (size_t)(start % c->sets) * WAYS;
}

result keycache_get(struct keycache *c, const json_t *jwk, struct pubkey **ret)
{
    struct point point;
    struct digest thumbprint;
    TRY(point_from_jwk(jwk, &point));
    TRY(point_thumbprint(&point, &thumbprint));
    struct place *set = set_of(c, &thumbprint), *oldest = set;
    c->now++;
    for (struct place *at = set; at < set + WAYS; at++) {
        if (at->key && digest_equal(pubkey_thumbprint(at->key), &thumbprint)) {
            at->used = c->now;
            *ret = pubkey_hold(at->key);
            return OK;
        }
        if (at->used < oldest->used)
            oldest = at;
    }
    struct pubkey *key;
    TRY(pubkey_from_parts(&point, &key));
    pubkey_free(oldest->key);
    *oldest = (struct place){ key, c->now };
    *ret = pubkey_hold(key);
    return OK;
}
