#include "config.h"

#include "kube/visible.h"

#include "base/field.h"

#include <stdlib.h>

#define RBAC "rbac.authorization.k8s.io"

static bool is(const char *a, const char *b)
{
    return span_is(span_text(a), b);
}

/* RFC 6901 section 3: '~' and '/' in a member's name. */
static result token_put(struct buf *pointer, const char *name)
{
    for (; *name; name++) {
        if (*name == '~' || *name == '/')
            TRY(buf_text(pointer, *name == '~' ? "~0" : "~1"));
        else
            TRY(buf_u8(pointer, (uint8_t)*name));
    }
    return OK;
}

static bool is_scalar(const json_t *v)
{
    return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

/* Into seen: an object of values by their pointers. */
static result see(json_t *seen, const char *base, const char *name, const json_t *v)
{
    AUTO_BUF pointer = BUF(POINTER_MAX + 1);
    if (!is_scalar(v))
        return OK;
    TRY(buf_printf(&pointer, "%s/", base));
    TRY(token_put(&pointer, name));
    TRY(buf_u8(&pointer, 0));
    return json_put_new(seen, (const char *)pointer.p, json_incref((json_t *)v));
}

/* Each scalar member of what the pointer leads to. */
static result see_members(json_t *seen, const json_t *o, const char *pointer)
{
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)json_pointer(o, pointer), name, v)
        TRY(see(seen, pointer, name, v));
    return OK;
}

/* Of each item of the list there: one member, or all of them. */
static result see_items(json_t *seen, const json_t *o, const char *list, const char *member)
{
    AUTO_BUF base = BUF(POINTER_MAX + 1);
    const json_t *items = json_pointer(o, list), *item;
    size_t i;
    json_array_foreach (items, i, item) {
        buf_clear(&base);
        TRY(buf_printf(&base, "%s/%zu", list, i));
        TRY(buf_u8(&base, 0));
        if (member)
            TRY(see(seen, (const char *)base.p, member, json_object_get(item, member)));
        else
            TRY(see_members(seen, o, (const char *)base.p));
    }
    return OK;
}

/* Where a pod's spec lies in what makes pods. */
static const char *const pod_specs[] = { "/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/template/spec" };
static const char *const container_lists[] = { "containers", "initContainers", "ephemeralContainers" };
static const struct {
    const char *group, *resource;
    unsigned spec;
} pod_makers[] = {
    { "", "pods", 0 },
    { "", "replicationcontrollers", 1 },
    { "", "podtemplates", 3 },
    { "apps", "deployments", 1 },
    { "apps", "replicasets", 1 },
    { "apps", "statefulsets", 1 },
    { "apps", "daemonsets", 1 },
    { "batch", "jobs", 1 },
    { "batch", "cronjobs", 2 },
};

static result see_images(json_t *seen, const char *group, const char *resource, const json_t *o)
{
    for (unsigned i = 0; i < sizeof pod_makers / sizeof *pod_makers; i++) {
        if (!is(group, pod_makers[i].group) || !is(resource, pod_makers[i].resource))
            continue;
        for (unsigned list = 0; list < sizeof container_lists / sizeof *container_lists; list++) {
            AUTO_BUF pointer = BUF(POINTER_MAX);
            TRY(buf_printf(&pointer, "%s/%s", pod_specs[pod_makers[i].spec], container_lists[list]));
            TRY(buf_u8(&pointer, 0));
            TRY(see_items(seen, o, (const char *)pointer.p, "image"));
        }
    }
    return OK;
}

static bool ends(const char *text, const char *with)
{
    struct span s = span_text(text), w = span_text(with);
    return s.n >= w.n && span_equal(span_part(s, s.n - w.n, w.n), w);
}

/* Kubernetes' own groups have no dot, or are k8s.io's. */
static bool is_custom(const char *group)
{
    struct span s = span_text(group);
    return span_find(s, 0, '.') < s.n && !ends(group, ".k8s.io");
}

static result see_all(const char *group, const char *resource, const json_t *o, json_t *seen)
{
    if (is_custom(group))
        return see_members(seen, o, "/spec");
    TRY(see(seen, "/spec", "replicas", json_pointer(o, "/spec/replicas")));
    TRY(see_images(seen, group, resource, o));
    if (is(group, "") && is(resource, "configmaps"))
        TRY(see_members(seen, o, "/data"));
    if (!is(group, RBAC))
        return OK;
    TRY(see_items(seen, o, "/subjects", NULL));
    return see_members(seen, o, "/roleRef");
}

static int by_text(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    while (*x && *x == *y)
        x++, y++;
    return (uint8_t)*x < (uint8_t)*y ? -1 : (uint8_t)*x > (uint8_t)*y;
}

static result field_put(json_t *list, const char *pointer, const json_t *value)
{
    AUTO_JSON *field = json_object();
    TRY(json_put_text(field, "pointer", pointer));
    TRY(value ? json_put_new(field, "value", json_incref((json_t *)value)) : json_put_flag(field, "absent", true));
    return json_array_append(list, field) ? fail(E_no_memory) : OK;
}

static result difference_put(json_t *list, const char *pointer, const json_t *before, const json_t *after, struct trouble *t)
{
    if (before && after && json_equal(before, after))
        return OK;
    if (json_is_real(after))
        return trouble_say(t, E_bad_value, "%s: a real number, which no contract can say: give another body", pointer);
    return field_put(list, pointer, after);
}

/* All pointers of both, in order. */
static result differences_put(json_t *list, const json_t *before, const json_t *after, struct trouble *t)
{
    size_t n = 0, room = json_object_size(before) + json_object_size(after) + 1;
    AUTO_FREE const char **pointers = calloc(room, sizeof *pointers);
    const char *pointer;
    json_t *v;
    if (!pointers)
        return fail(E_no_memory);
    json_object_foreach ((json_t *)before, pointer, v)
        pointers[n++] = pointer;
    json_object_foreach ((json_t *)after, pointer, v)
        if (!json_has(before, pointer))
            pointers[n++] = pointer;
    qsort(pointers, n, sizeof *pointers, by_text);
    for (size_t i = 0; i < n; i++)
        TRY(difference_put(list, pointers[i], json_object_get(before, pointers[i]), json_object_get(after, pointers[i]), t));
    return OK;
}

result visible_changes(
    const char *group, const char *resource, const json_t *before, const json_t *after, json_t *list, struct trouble *t)
{
    AUTO_JSON *seen_before = json_object(), *seen_after = json_object();
    if (!seen_before || !seen_after)
        return fail(E_no_memory);
    if (before)
        TRY(see_all(group, resource, before, seen_before));
    if (after)
        TRY(see_all(group, resource, after, seen_after));
    return differences_put(list, seen_before, seen_after, t);
}

static const struct {
    const char *group, *resource;
} scaled[] = {
    { "apps", "deployments" },
    { "apps", "replicasets" },
    { "apps", "statefulsets" },
    { "", "replicationcontrollers" },
};

/* pkg/apis/apps/v1/defaults.go and its like. */
static result replicas_default(const char *group, const char *resource, json_t *o)
{
    json_t *spec = json_object_get(o, "spec");
    for (unsigned i = 0; i < sizeof scaled / sizeof *scaled; i++)
        if (is(group, scaled[i].group) && is(resource, scaled[i].resource) && json_is_object(spec) &&
            !is_scalar(json_object_get(spec, "replicas")))
            TRY(json_put_int(spec, "replicas", 1));
    return OK;
}

/* pkg/apis/rbac/v1/defaults.go: users and groups are of RBAC's API group, service accounts of the core one. */
static result api_group_default(json_t *o)
{
    const char *said = json_string_value(json_object_get(o, "apiGroup")), *kind = json_string_value(json_object_get(o, "kind"));
    if ((said && *said) || !json_is_object(o))
        return OK;
    return is(kind, "ServiceAccount") ? OK : json_put_text(o, "apiGroup", RBAC);
}

result visible_defaults(const char *group, const char *resource, json_t *object)
{
    size_t i;
    json_t *subject;
    if (ends(resource, "rolebindings") && is(group, RBAC)) {
        json_array_foreach (json_object_get(object, "subjects"), i, subject)
            TRY(api_group_default(subject));
        return api_group_default(json_object_get(object, "roleRef"));
    }
    return replicas_default(group, resource, object);
}

static const json_t *custom_spec_schema(const json_t *definition, const char *version)
{
    size_t i;
    const json_t *v;
    json_array_foreach (json_pointer(definition, "/spec/versions"), i, v)
        if (is(json_string_value(json_object_get(v, "name")), version))
            return json_pointer(v, "/schema/openAPIV3Schema/properties/spec");
    return NULL;
}

/* apiextensions/v1: pruning and defaulting by a structural schema. */
result visible_custom(const json_t *definition, const char *version, json_t *object)
{
    const json_t *schema = custom_spec_schema(definition, version), *known = json_object_get(schema, "properties");
    json_t *spec = json_object_get(object, "spec"), *v;
    AUTO_JSON *before = json_copy(spec);
    const char *name;
    bool keeps =
        json_is_true(json_object_get(schema, "x-kubernetes-preserve-unknown-fields")) || json_has(schema, "additionalProperties");
    if (!json_is_object(spec) || !json_is_object(known))
        return OK;
    if (!keeps)
        json_object_foreach (before, name, v)
            if (!json_has(known, name))
                json_object_del(spec, name);
    json_object_foreach ((json_t *)known, name, v)
        if (json_has(v, "default") && !json_has(spec, name))
            TRY(json_put_new(spec, name, json_deep_copy(json_object_get(v, "default"))));
    return OK;
}
