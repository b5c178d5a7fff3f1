#include "config.h"

#include "base/field.h"
#include "kube/visible.h"
#include "policy/documents.h"
#include "sab/contract_kubernetes.h"

struct composing {
    const struct kube_proposal *p;
    struct trouble *trouble;
    json_t *after; /* owned: the object as the fence will see it; NULL where nothing is written */
    json_t *changes; /* owned: the fields that a fence sees change */
};

static bool is(const char *a, const char *b)
{
    return a && span_is(span_text(a), b);
}

static bool is_secret(const struct kube_proposal *p)
{
    return p->kind.group[0] == 0 && is(p->kind.resource, "secrets");
}

static bool evicts(const struct kube_proposal *p)
{
    return p->operation == KUBE_CREATE && is(p->subresource, "eviction");
}

static bool creates(const struct kube_proposal *p)
{
    return p->operation == KUBE_CREATE && !evicts(p);
}

static const char *text_at(const json_t *o, const char *pointer)
{
    return json_string_value(json_pointer(o, pointer));
}

/* What the body says of whose it is must be the path's: the broker refuses another's as body_mismatch, and so do we, now. */
static result body_fits(const struct composing *c, const json_t *body)
{
    const struct kube_proposal *p = c->p;
    const char *name = text_at(body, "/metadata/name"), *space = text_at(body, "/metadata/namespace");
    const char *uid = text_at(body, "/metadata/uid"), *live_uid = text_at(p->live, "/metadata/uid");
    if (p->type == PATCH_JSON)
        return OK;
    if (json_pointer(body, "/metadata/generateName"))
        return trouble_say(c->trouble, E_body_mismatch, "metadata.generateName: a contract is over one name");
    if ((p->type == PATCH_NONE && !name) || (name && !is(name, p->name)))
        return trouble_say(c->trouble, E_body_mismatch, "metadata.name of the body isn't %s", p->name);
    if (space && !is(space, p->space ? p->space : ""))
        return trouble_say(c->trouble, E_body_mismatch, "metadata.namespace of the body isn't %s", p->space ? p->space : "-");
    if (uid && !is(uid, live_uid ? live_uid : ""))
        return trouble_say(c->trouble, E_body_mismatch, "metadata.uid of the body isn't the live object's");
    if (json_pointer(body, "/metadata/resourceVersion") && !p->pin_version)
        return trouble_say(c->trouble, E_body_mismatch, "metadata.resourceVersion of the body would pin it: --pin version says so");
    return OK;
}

static result existence_fits(const struct composing *c)
{
    if (creates(c->p) && c->p->live)
        return trouble_say(c->trouble, E_exists, "%s: it is there", c->p->resource);
    if (!creates(c->p) && !c->p->live)
        return trouble_say(c->trouble, E_not_found, "%s: nothing is there", c->p->resource);
    return OK;
}

static result look(struct composing *c)
{
    const struct kube_proposal *p = c->p;
    AUTO_JSON *body = NULL;
    c->changes = json_array();
    if (!c->changes)
        return fail(E_no_memory);
    TRY(existence_fits(c));
    if (creates(p) != (p->operation == KUBE_CREATE && p->media_type))
        return trouble_say(c->trouble, E_usage, creates(p) ? "what is created has a body" : "an eviction has no body");
    if (!p->media_type)
        return OK;
    if (!is_ok(kube_json(p->body, &body)))
        return trouble_say(c->trouble, E_bad_json, "the body isn't JSON, or has a member twice");
    TRY(body_fits(c, body));
    TRY(patch_apply(p->type, p->live, body, p->manager, &c->after, c->trouble));
    const struct visible_kind kind = { p->kind.group, p->kind.resource, p->subresource };
    TRY(visible_defaults(&kind, c->after));
    if (p->custom)
        TRY(visible_custom(p->custom, p->kind.version, c->after));
    return is_secret(p) ? OK : visible_changes(&kind, p->live, c->after, c->changes, c->trouble);
}

/* {"pointer", "value"}, {"pointer", "sha256"} where the value must not be told or is too long to be, or {"pointer", "absent"}. */
static result pinned_put(const struct composing *c, const char *pointer, json_t *list)
{
    const json_t *v = json_pointer(c->p->live, pointer);
    AUTO_JSON *field = json_object();
    AUTO_BUF text = BUF(FIELD_VALUE_MAX);
    struct digest d;
    TRY(json_put_text(field, "pointer", pointer));
    if (!v) {
        TRY(json_put_flag(field, "absent", true));
    } else {
        if (!is_ok(json_digest(v, &d)))
            return trouble_say(c->trouble, E_bad_value, "%s: what is there has no RFC 8785 form of integers", pointer);
        bool told = !is_secret(c->p) && is_ok(json_canonical(v, &text));
        TRY(told ? json_put_new(field, "value", json_incref((json_t *)v)) : json_put_digest(field, "sha256", &d));
    }
    return json_array_append(list, field) ? fail(E_no_memory) : OK;
}

static bool has_pointer(const json_t *list, const char *pointer)
{
    size_t i;
    const json_t *v;
    json_array_foreach (list, i, v)
        if (is(text_at(v, "/pointer"), pointer))
            return true;
    return false;
}

/* What the authority named; where it named nothing, the object itself and what it was where the fence sees it change. */
static result pinned_fields(const struct composing *c, bool named, json_t *ret)
{
    size_t i;
    const json_t *v;
    for (unsigned f = 0; f < c->p->fields_n; f++)
        if (!has_pointer(ret, c->p->field[f]))
            TRY(pinned_put(c, c->p->field[f], ret));
    if (!named)
        json_array_foreach (c->changes, i, v)
            TRY(pinned_put(c, text_at(v, "/pointer"), ret));
    return OK;
}

static result text_put(const struct composing *c, json_t *o, const char *name, const char *pointer)
{
    const char *text = text_at(c->p->live, pointer);
    return text ? json_put_text(o, name, text) : trouble_say(c->trouble, E_bad_value, "the live object has no %s", pointer);
}

static result preconditions_put(const struct composing *c, json_t *contract)
{
    const struct kube_proposal *p = c->p;
    AUTO_JSON *o = json_object(), *fields = json_array();
    bool named = p->pin_uid || p->pin_version || p->fields_n;
    if (creates(p)) {
        if (named)
            return trouble_say(c->trouble, E_usage, "what isn't there yet has nothing to pin");
        TRY(json_put_flag(o, "absent", true));
        return json_put_new(contract, "preconditions", json_incref(o));
    }
    TRY(pinned_fields(c, named, fields));
    if (p->pin_uid || !named)
        TRY(text_put(c, o, "uid", "/metadata/uid"));
    if (p->pin_version)
        TRY(text_put(c, o, "resource_version", "/metadata/resourceVersion"));
    if (json_array_size(fields))
        TRY(json_put_new(o, "fields", json_incref(fields)));
    return json_put_new(contract, "preconditions", json_incref(o));
}

static result body_put(const struct composing *c, json_t *parameters)
{
    const struct kube_proposal *p = c->p;
    AUTO_JSON *body = json_object();
    struct digest d = sha256(p->body);
    if (!p->media_type)
        return OK;
    TRY(json_put_int(body, "length", (int64_t)p->body.n));
    TRY(json_put_text(body, "media_type", p->media_type));
    TRY(json_put_digest(body, "sha256", &d));
    return json_put_new(parameters, "body", json_incref(body));
}

/* A credential's "pointer=value" must be the same text to the broker (RFC 8785) and to CEL, which escapes fewer control characters.
 */
static bool is_ambiguous(struct span pointer, struct span value)
{
    for (size_t i = 0; i + 1 < value.n; i++)
        if (value.p[i] == '\\' && value.p[++i] == 'u')
            return true;
    return span_find(pointer, 0, '=') < pointer.n;
}

static result changes_check(const struct composing *c)
{
    size_t i;
    const json_t *v;
    if (json_array_size(c->changes) > FIELDS_MAX)
        return trouble_say(c->trouble, E_too_long, "the fence sees %zu values change, and a contract carries %d: do it in parts",
            json_array_size(c->changes), FIELDS_MAX);
    json_array_foreach (c->changes, i, v) {
        AUTO_BUF text = BUF(FIELD_VALUE_MAX);
        if (json_has(v, "value") && !is_ok(json_canonical(json_object_get(v, "value"), &text)))
            return trouble_say(c->trouble, E_too_long, "%s: the fence sees this value, and a contract carries values of %d bytes",
                text_at(v, "/pointer"), FIELD_VALUE_MAX);
        if (is_ambiguous(span_text(text_at(v, "/pointer")), buf_span(&text)))
            return trouble_say(
                c->trouble, E_field_ambiguous, "%s: a control character, or '=' in a member's name", text_at(v, "/pointer"));
    }
    return OK;
}

static result parameters_put(const struct composing *c, json_t *contract)
{
    const struct kube_proposal *p = c->p;
    AUTO_JSON *o = json_object();
    TRY(body_put(c, o));
    TRY(changes_check(c));
    if (json_array_size(c->changes))
        TRY(json_put_new(o, "fields", json_incref(c->changes)));
    if (p->manager)
        TRY(json_put_text(o, "field_manager", p->manager));
    if (p->force)
        TRY(json_put_flag(o, "force", true));
    if (p->propagation)
        TRY(json_put_text(o, "propagation", p->propagation));
    if (p->grace_s >= 0)
        TRY(json_put_int(o, "grace_s", p->grace_s));
    return json_put_new(contract, "parameters", json_incref(o));
}

static result rest_put(const struct composing *c, json_t *contract)
{
    const struct kube_proposal *p = c->p;
    AUTO_JSON *constraints = json_object(), *post = json_object();
    TRY(json_put_int(constraints, "credential_s", p->credential_s));
    if (p->dry_run)
        TRY(json_put_flag(constraints, "dry_run", true));
    TRY(json_put_new(contract, "constraints", json_incref(constraints)));
    if (!p->postconditions)
        return OK;
    if (!json_array_size(c->changes))
        return trouble_say(c->trouble, E_usage, "there is nothing that a dry run's result could be held to");
    TRY(json_put_new(post, "fields", json_deep_copy(c->changes)));
    return json_put_new(contract, "postconditions", json_incref(post));
}

static result compose(struct composing *c, json_t *contract)
{
    const struct kube_proposal *p = c->p;
    TRY(look(c));
    TRY(json_put_text(contract, "target", p->target));
    TRY(json_put_text(contract, "operation", p->operation_name));
    TRY(json_put_text(contract, "resource", p->resource));
    TRY(json_put_text(contract, "risk", p->risk));
    TRY(parameters_put(c, contract));
    TRY(preconditions_put(c, contract));
    return rest_put(c, contract);
}

result contract_compose(const struct kube_proposal *p, json_t **ret, unsigned *ret_seen, struct trouble *t)
{
    struct composing c = { .p = p, .trouble = t };
    json_t *contract = json_object();
    result r = contract ? compose(&c, contract) : fail(E_no_memory);
    *ret_seen = (unsigned)json_array_size(c.changes);
    json_decref(c.after);
    json_decref(c.changes);
    if (!is_ok(r)) {
        json_decref(contract);
        return r;
    }
    *ret = contract;
    return OK;
}
