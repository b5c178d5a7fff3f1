#include <config.h>

#include "target/kind.h"

static const struct target_kind *const kinds[] = {
    &target_http,
};

static const struct target_kind *kind_named(const char *name)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(span_text(name), kinds[i]->name))
            return kinds[i];
    return NULL;
}

enum seb_code target_scope(const char *kind, const char *prefix, const struct target_mutation *m)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->scope(prefix, m) : E_target_unknown;
}

enum seb_code target_resource(const char *kind, const char *prefix, const char *resource)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->resource(prefix, resource) : E_target_unknown;
}

result target_plan(const char *kind, enum call_use use, const struct target_mutation *m, struct call_plan *ret)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->plan(use, m, ret) : fail(E_target_unknown);
}

result target_claims(
    const char *kind, enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->claims(use, m, plan, claims) : fail(E_target_unknown);
}

/* Of a kind that isn't known nothing is concluded. */
enum call_meaning target_meaning(const char *kind, uint32_t status)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->meaning(status) : MEANS_OPEN;
}

result target_read_meaning(const char *kind, uint32_t status, bool *ret_exists)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->read_meaning(status, ret_exists) : fail(E_target_unknown);
}
