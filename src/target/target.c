#include <config.h>

#include "target/kind.h"

static const struct target_kind *const kinds[] = {
    &target_http,
    &target_kubernetes,
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

enum seb_code target_url(const char *kind, const char *prefix, const char *method, const char *url)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->url(prefix, method, url) : E_target_unknown;
}

result target_plan(const char *kind, const char *prefix, enum call_use use, const struct target_mutation *m, struct call_plan *ret)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->plan(prefix, use, m, ret) : fail(E_target_unknown);
}

result target_rehearsal(const char *kind, const char *url, char ret[TARGET_URL_MAX + 1])
{
    const struct target_kind *k = kind_named(kind);
    if (!k)
        return fail(E_target_unknown);
    return k->rehearsal ? k->rehearsal(url, ret) : fail(E_unsupported);
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

enum seb_code target_rejection(const char *kind, uint32_t status, const char *causes)
{
    const struct target_kind *k = kind_named(kind);
    AUTO_JSON *v = NULL;
    if (!k || !k->rejection || k->meaning(status) != MEANS_REJECTED)
        return E_ok;
    /* Causes that are no JSON are as none. */
    return k->rejection(status, causes[0] && is_ok(json_strict(span_text(causes), TARGET_CAUSES_MAX, &v)) ? v : NULL);
}

bool target_removes(const char *kind, const struct target_mutation *m)
{
    const struct target_kind *k = kind_named(kind);
    return k && k->removes(m);
}

result target_read_meaning(const char *kind, uint32_t status, bool *ret_exists)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->read_meaning(status, ret_exists) : fail(E_target_unknown);
}

void target_audit_id(const char *kind, const struct digest *leaf, char ret[DIGEST_TEXT + 1])
{
    const struct target_kind *k = kind_named(kind);
    ret[0] = 0;
    if (k && k->audited)
        digest_text(leaf, ret);
}

bool target_keeps_body(const char *kind)
{
    const struct target_kind *k = kind_named(kind);
    return k && k->keeps_body;
}

int64_t target_least_s(const char *kind)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->least_s : 0;
}

int64_t target_cache_s(const char *kind)
{
    const struct target_kind *k = kind_named(kind);
    return k ? k->cache_s : 0;
}

bool target_secret(const char *kind, const struct target_mutation *m)
{
    const struct target_kind *k = kind_named(kind);
    return k && k->secret && k->secret(m);
}

result target_details(const char *kind, enum call_use use, const struct target_mutation *m, struct buf *out)
{
    const struct target_kind *k = kind_named(kind);
    if (!k)
        return fail(E_target_unknown);
    return k->details ? k->details(use, m, out) : OK;
}

bool target_rehearses(const json_t *details)
{
    return json_is_true(json_object_get(details, "dry_run"));
}

result target_compose(const char *kind, const json_t *details, bool rehearsal, struct span body, struct buf *out)
{
    const struct target_kind *k = kind_named(kind);
    if (!k)
        return fail(E_target_unknown);
    return k->compose ? k->compose(details, rehearsal, body, out) : buf_put(out, body);
}

result target_answer_read(
    const char *kind, enum call_use use, const json_t *details, uint32_t status, struct span body, struct target_answer *ret)
{
    const struct target_kind *k = kind_named(kind);
    *ret = (struct target_answer){ 0 };
    if (!k)
        return fail(E_target_unknown);
    return k->answer && details ? k->answer(use, details, status, body, ret) : OK;
}
