#include "config.h"

#include "policy/fields.h"

/* "-" would stand for none in a credential. */
static result version_read(const json_t *o, const char *name, bool has, char ret[VERSION_LEN + 1])
{
    if (!has)
        return OK;
    TRY(field_name(o, name, VERSION_LEN, ret));
    return span_is(span_text(ret), "-") ? fail(E_bad_value) : OK;
}

static result absent_check(const json_t *o, const struct precondition *pre)
{
    bool absent;
    TRY(json_flag(o, "absent", &absent));
    return absent && json_object_size(o) == 1 && pre->absent ? OK : fail(E_bad_value);
}

static result preconditions_read(const json_t *o, struct precondition *pre)
{
    TRY(json_closed(o, (const char *const[]){ "absent", "etag", "fields", "resource_version", "sha256", "uid", NULL }));
    pre->absent = json_has(o, "absent");
    pre->has_etag = json_has(o, "etag");
    pre->has_sha256 = json_has(o, "sha256");
    pre->has_uid = json_has(o, "uid");
    pre->has_version = json_has(o, "resource_version");
    if (pre->absent)
        return absent_check(o, pre);
    if (pre->has_etag) {
        TRY(field_text(o, "etag", ETAG_LEN, pre->etag));
        if (!etag_is_strong(span_text(pre->etag)))
            return fail(E_bad_value);
    }
    if (pre->has_sha256)
        TRY(json_digest_at(o, "sha256", &pre->sha256));
    TRY(version_read(o, "uid", pre->has_uid, pre->uid));
    TRY(version_read(o, "resource_version", pre->has_version, pre->version));
    return json_has(o, "fields") ? fields_read(json_object_get(o, "fields"), &pre->fields) : OK;
}

static result postconditions_read(const json_t *o, struct fields *ret)
{
    const json_t *post;
    if (!json_has(o, "postconditions"))
        return OK;
    TRY(json_object_at(o, "postconditions", &post));
    TRY(json_closed(post, (const char *const[]){ "fields", NULL }));
    return json_has(post, "fields") ? fields_read(json_object_get(post, "fields"), ret) : fail(E_missing_member);
}

/* Postconditions are held to a dry run's result, so they ask for one. */
static result constraints_read(const json_t *o, struct contract *c)
{
    const json_t *constraints;
    TRY(json_object_at(o, "constraints", &constraints));
    TRY(json_closed(constraints, (const char *const[]){ "credential_s", "dry_run", NULL }));
    TRY(json_int(constraints, "credential_s", 1, 60, &c->credential_s));
    c->dry_run = c->post.n > 0;
    if (!json_has(constraints, "dry_run"))
        return OK;
    TRY(json_flag(constraints, "dry_run", &c->dry_run));
    return c->post.n && !c->dry_run ? fail(E_bad_value) : OK;
}

static result members_read(const json_t *o, struct contract *c)
{
    const json_t *preconditions;
    struct parameters p;
    TRY(json_closed(o, (const char *const[]){ "constraints", "operation", "parameters", "postconditions", "preconditions",
                           "resource", "risk", "target", NULL }));
    TRY(mutation_read(o, &c->mutation, &p));
    c->fields = p.fields; /* the contract's from here on */
    c->force = p.force;
    c->grace_s = p.grace_s;
    TRY(span_copy(SPAN(p.field_manager), c->field_manager, sizeof c->field_manager));
    TRY(span_copy(SPAN(p.propagation), c->propagation, sizeof c->propagation));
    TRY(json_object_at(o, "preconditions", &preconditions));
    TRY(preconditions_read(preconditions, &c->pre));
    TRY(postconditions_read(o, &c->post));
    TRY(constraints_read(o, c));
    TRY(field_risk(o, "risk", &c->risk));
    return json_digest(o, &c->digest);
}

result contract_read(const json_t *o, struct contract *ret)
{
    struct contract c = { .grace_s = GRACE_NONE };
    result r = members_read(o, &c);
    if (is_ok(r))
        *ret = c;
    else
        contract_free(&c);
    return r;
}

void contract_free(struct contract *c)
{
    fields_free(&c->pre.fields);
    fields_free(&c->fields);
    fields_free(&c->post);
}

result contract_parse(struct span text, struct contract *ret)
{
    AUTO_JSON *v = NULL;
    TRY(json_strict(text, JWS_PAYLOAD_MAX, &v));
    return contract_read(v, ret);
}

result contract_state(const json_t *contract, struct digest *ret)
{
    AUTO_JSON *seen = json_object();
    const json_t *preconditions;
    TRY(json_object_at(contract, "preconditions", &preconditions));
    if (!seen)
        return fail(E_no_memory);
    TRY(json_put_new(seen, "preconditions", json_incref((json_t *)preconditions)));
    return json_digest(seen, ret);
}
