#include "config.h"

#include "policy/rules.h"
#include "policy/fields.h"

static bool body_ref_equal(const struct body_ref *a, const struct body_ref *b)
{
    if (a->present != b->present)
        return false;
    return !a->present ||
           (a->length == b->length && digest_equal(&a->sha256, &b->sha256) && text_equal(a->media_type, b->media_type));
}

/* On the bus no body and an empty one are the same (docs/formats.md, "Bus"). */
static bool is_body(const struct facts *f, const struct body_ref *wanted)
{
    struct digest empty = sha256((struct span){ 0 });
    int64_t length = f->has_body ? f->body_length : 0;
    if (!wanted->present)
        return length == 0;
    return length == wanted->length && digest_equal(f->has_body ? &f->body : &empty, &wanted->sha256);
}

enum seb_code rule_match(const struct facts *f)
{
    const struct mutation *asked = &f->request->mutation, *certified = &f->certificate->contract.mutation;
    if (!text_equal(asked->target, certified->target))
        return E_target_mismatch;
    if (!text_equal(asked->operation, certified->operation))
        return E_operation_mismatch;
    if (!text_equal(asked->resource, certified->resource))
        return E_resource_mismatch;
    if (!body_ref_equal(&asked->body, &certified->body) || !digest_equal(&asked->parameters, &certified->parameters))
        return E_parameter_mismatch;
    return is_body(f, &certified->body) ? E_ok : E_body_mismatch;
}
