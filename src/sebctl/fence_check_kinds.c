/* Whether the fence's own parts are there, and every kind that the cluster serves. */
#include <config.h>

#include "kube/discover.h"
#include "sebctl/fence_check.h"

#include <stdio.h>

#define TEXT_MAX 8192

static void say_missing(struct checking *c, const char *what, const char *why)
{
    c->missing++;
    printf("NOT FENCED   %s: %s\n", what, why);
}

/* The object at a path; NULL where it isn't there, or can't be seen, which was said then. The caller owns it. */
static json_t *part_get(struct checking *c, const char *what, const char *path)
{
    json_t *o = NULL;
    if (is_ok(kube_get(c->kube, path, &o, &c->trouble)))
        return o;
    say_missing(c, what, c->trouble.text[0] ? c->trouble.text : "it can't be read");
    return NULL;
}

static bool list_has(const json_t *list, const char *word)
{
    size_t i;
    const json_t *v;
    json_array_foreach (list, i, v)
        if (span_is(span_text(json_string_value(v)), word))
            return true;
    return false;
}

static void check_policy(struct checking *c, const char *what, const char *path)
{
    AUTO_JSON *o = part_get(c, what, path);
    if (!o)
        return;
    if (span_is(span_text(check_text(o, "spec", "failurePolicy")), "Fail"))
        printf("fence        %s: it is there, and fails closed\n", what);
    else
        say_missing(c, what, "its failurePolicy isn't Fail: where it can't be evaluated, everybody passes");
}

/* parameters: the policy looks into an object, and must deny where that isn't there. */
static void check_binding(struct checking *c, const char *what, const char *path, const char *policy, bool parameters)
{
    AUTO_JSON *o = part_get(c, what, path);
    const json_t *spec = json_object_get(o, "spec"), *ref = json_object_get(spec, "paramRef");
    if (!o)
        return;
    if (!span_is(span_text(check_text(o, "spec", "policyName")), policy))
        say_missing(c, what, "it binds another policy");
    else if (!list_has(json_object_get(spec, "validationActions"), "Deny"))
        say_missing(c, what, "its validationActions don't hold Deny: what it finds is logged, and passes");
    else if (json_has(spec, "matchResources"))
        say_missing(c, what, "its matchResources leave out some of what the policy is for");
    else if (parameters && !span_is(span_text(json_string_value(json_object_get(ref, "parameterNotFoundAction"))), "Deny"))
        say_missing(c, what, "without its parameters everybody passes (parameterNotFoundAction)");
    else
        printf("fence        %s: it denies\n", what);
}

#define POLICIES "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/"
#define BINDINGS "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/"
void check_parts(struct checking *c)
{
    check_policy(c, "policy seb-fence", POLICIES "seb-fence");
    check_binding(c, "binding seb-fence", BINDINGS "seb-fence", "seb-fence", false);
    check_policy(c, "policy seb-credential", POLICIES "seb-credential");
    check_binding(c, "binding seb-credential", BINDINGS "seb-credential", "seb-credential", true);
    AUTO_JSON *keys = part_get(c, "the allowed mint keys", "/api/v1/namespaces/seb-system/configmaps/mint-keys");
    if (keys)
        printf("fence        the allowed mint keys: configmap mint-keys is there\n");
}

/* Every kind that the cluster serves, custom ones too: whatever object of it is there. */
struct kinds {
    struct checking *checking;
    const char *space; /* NULL: kinds without namespace */
};

/* As one attempt, by names that are made for it. */
static void try_kind(struct checking *c, const char *what, const struct kube_resource *r, const char *space, const char *method,
    const char *path, const char *collection, const char *body)
{
    AUTO_BUF name = BUF(512);
    if (!is_ok(buf_printf(&name, "%s: %s%s%s", what, r->resource, r->group[0] ? "." : "", r->group)) || !is_ok(buf_u8(&name, 0)))
        return;
    const struct attempt a = {
        .name = (const char *)name.p, .how = ATTEMPT_DRY, .method = method, .path = path, .find = collection, .body = body
    };
    c->trouble.text[0] = 0;
    check_try(c, &a, space);
    fflush(stdout);
}

/* Kinds of which there is nothing aren't worth a line each. */
static bool has_object(struct checking *c, const char *collection, const char *space)
{
    char name[254];
    const struct attempt look = { .find = collection };
    return check_find(c, &look, space, name, sizeof name);
}

static result kind_paths(const struct kube_resource *r, const char *space, struct buf *collection, struct buf *object)
{
    TRY(kube_path(r, space, NULL, NULL, collection));
    TRY(buf_put(object, buf_span(collection)));
    TRY(buf_text(object, "/@NAME@"));
    TRY(buf_u8(object, 0));
    return buf_u8(collection, 0);
}

static void try_of_kind(void *context, const struct kube_resource *r, const json_t *verbs)
{
    static const char note[] = "{\"metadata\":{\"annotations\":{\"seb-fence-check\":\"1\"}}}";
    const struct kinds *k = context;
    struct checking *c = k->checking;
    AUTO_BUF collection = BUF(TEXT_MAX), object = BUF(TEXT_MAX);
    if (r->namespaced != (k->space != NULL) || !list_has(verbs, "list") || !is_ok(kind_paths(r, k->space, &collection, &object)) ||
        !has_object(c, (const char *)collection.p, k->space))
        return;
    const char *all = (const char *)collection.p, *one = (const char *)object.p;
    if (list_has(verbs, "patch"))
        try_kind(c, "change one of", r, k->space, "PATCH", one, all, note);
    if (list_has(verbs, "delete"))
        try_kind(c, "delete one of", r, k->space, "DELETE", one, all, NULL);
    if (list_has(verbs, "deletecollection"))
        try_kind(c, "delete all of", r, k->space, "DELETE", all, all, NULL);
}

result check_kinds(struct checking *c, const char *space)
{
    struct kinds k = { c, space };
    return kube_each(c->kube, try_of_kind, &k, &c->trouble);
}

result check_cluster_kind(struct checking *c, const char *word)
{
    /* All that a protected kind's objects are asked to be put to, whatever the API server says of its verbs. */
    AUTO_JSON *verbs = json_pack("[s,s,s,s]", "list", "patch", "delete", "deletecollection");
    struct kinds k = { c, NULL };
    struct kube_resource r;
    TRY(kube_discover(c->kube, word, NULL, &r, &c->trouble));
    if (r.namespaced)
        return trouble_say(&c->trouble, E_usage, "%s: a kind with namespaces", word);
    try_of_kind(&k, &r, verbs);
    return OK;
}
