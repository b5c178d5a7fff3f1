#include "config.h"

#include "kube/visible.h"

#include "base/field.h"

#include <stdio.h>
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

/* Into seen: an object of values by their pointers. */
static result see(json_t *seen, const char *base, const char *name, const json_t *v)
{
    AUTO_BUF pointer = BUF(POINTER_MAX + 1);
    if (!v)
        return OK;
    TRY(buf_printf(&pointer, "%s/", base));
    TRY(token_put(&pointer, name));
    TRY(buf_u8(&pointer, 0));
    return json_put_new(seen, (const char *)pointer.p, json_incref((json_t *)v));
}

static bool is_among(const char *name, const char *const *names)
{
    for (; names && *names; names++)
        if (is(name, *names))
            return true;
    return false;
}

/* Each member of what the pointer leads to, but those named. */
static result see_members(json_t *seen, const json_t *o, const char *pointer, const char *const *but)
{
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)json_pointer(o, pointer), name, v)
        if (!is_among(name, but))
            TRY(see(seen, pointer, name, v));
    return OK;
}

static result see_one(json_t *seen, const json_t *o, const char *base, const char *name)
{
    return see(seen, base, name, json_object_get(json_pointer(o, base), name));
}

/* Of each item of the list there: the members named, or all of them but `but`. */
static result see_items(json_t *seen, const json_t *o, const char *list, const char *const *names, const char *const *but)
{
    const json_t *items = json_pointer(o, list), *item;
    size_t i;
    json_array_foreach (items, i, item) {
        AUTO_BUF base = BUF(POINTER_MAX + 1);
        TRY(buf_printf(&base, "%s/%zu", list, i));
        TRY(buf_u8(&base, 0));
        if (!names)
            TRY(see_members(seen, o, (const char *)base.p, but));
        for (const char *const *name = names; name && *name; name++)
            TRY(see_one(seen, o, (const char *)base.p, *name));
    }
    return OK;
}

static const char *const image[] = { "image", NULL };

/* Of the containers of a pod at that pointer: the members named, or all but those. */
static result see_containers(json_t *seen, const json_t *o, const char *pod, const char *const *names, const char *const *but)
{
    for (const char *const *list = visible_containers; *list; list++) {
        AUTO_BUF pointer = BUF(POINTER_MAX);
        TRY(buf_printf(&pointer, "%s/%s", pod, *list));
        TRY(buf_u8(&pointer, 0));
        TRY(see_items(seen, o, (const char *)pointer.p, names, but));
    }
    return OK;
}

/* Of no group that Kubernetes itself serves. */
static bool is_custom(const char *group)
{
    static const char *const own[] = { "", "apps", "autoscaling", "batch", "extensions", "policy", "admissionregistration.k8s.io",
        "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io",
        "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io",
        "networking.k8s.io", "node.k8s.io", RBAC, "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io", NULL };
    return !is_among(group, own);
}

static bool is_config_map(const struct visible_kind *k)
{
    return is(k->group, "") && is(k->resource, "configmaps");
}

/* What a credential has to name in any case. */
static result see_values(const struct visible_kind *k, const json_t *o, json_t *seen)
{
    static const char *const subject[] = { "kind", "apiGroup", "namespace", "name", NULL };
    const char *pod = visible_pod_of(k->group, k->resource);
    if (is_custom(k->group))
        TRY(see_members(seen, o, "/spec", NULL));
    else
        TRY(see_one(seen, o, "/spec", "replicas"));
    if (pod)
        TRY(see_containers(seen, o, pod, image, NULL));
    if (is_config_map(k)) {
        TRY(see_members(seen, o, "/data", NULL));
        TRY(see_members(seen, o, "/binaryData", NULL));
    }
    if (!is(k->group, RBAC))
        return OK;
    TRY(see_items(seen, o, "/subjects", subject, NULL));
    return see_members(seen, o, "/roleRef", NULL);
}

static result see_pod(const struct visible_kind *k, const json_t *o, const char *pod, json_t *seen)
{
    static const char *const template[] = { "template", NULL };
    TRY(see_members(seen, o, pod, visible_containers));
    TRY(see_containers(seen, o, pod, NULL, image));
    TRY(see_one(seen, o, "/spec/template", "metadata"));
    if (!is(k->resource, "cronjobs"))
        return OK;
    TRY(see_members(seen, o, "/spec/jobTemplate/spec", template));
    TRY(see_one(seen, o, "/spec/jobTemplate", "metadata"));
    return see_one(seen, o, "/spec/jobTemplate/spec/template", "metadata");
}

/* And of an object that is changed, all the rest that can be told apart there. */
static result see_rest(const struct visible_kind *k, const json_t *o, json_t *seen)
{
    static const char *const known[] = { "apiVersion", "kind", "metadata", "spec", "data", "binaryData", "status", "subjects",
        "roleRef", NULL };
    static const char *const of_pod[] = { "template", "jobTemplate", "containers", "initContainers", "ephemeralContainers", NULL };
    const char *pod = visible_pod_of(k->group, k->resource);
    TRY(see_members(seen, o, "", known));
    if (k->subresource)
        TRY(see_one(seen, o, "", "status"));
    if (!is_config_map(k)) {
        TRY(see_one(seen, o, "", "data"));
        TRY(see_one(seen, o, "", "binaryData"));
    }
    if (!json_is_object(json_object_get(o, "spec")))
        TRY(see_one(seen, o, "", "spec"));
    else if (!is_custom(k->group))
        TRY(see_members(seen, o, "/spec", pod ? of_pod : NULL));
    TRY(see_one(seen, o, "/metadata", "ownerReferences"));
    TRY(see_one(seen, o, "/metadata", "finalizers"));
    TRY(see_members(seen, o, "/metadata/labels", NULL));
    TRY(see_members(seen, o, "/metadata/annotations", NULL));
    return pod ? see_pod(k, o, pod, seen) : OK;
}

static int by_text(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    while (*x && *x == *y)
        x++, y++;
    return (uint8_t)*x < (uint8_t)*y ? -1 : (uint8_t)*x > (uint8_t)*y;
}

/* A plain value, nothing, or something empty: what a field says. Into found, by pointer: a field's other members. */
static result leaf_put(json_t *found, const char *pointer, const json_t *value, struct trouble *t)
{
    AUTO_JSON *field = json_object();
    if (json_is_real(value))
        return trouble_say(t, E_bad_value, "%s: a real number, which no contract can say: give another body", pointer);
    TRY(json_put_text(field, "pointer", pointer));
    TRY(value ? json_put_new(field, "value", json_incref((json_t *)value)) : json_put_flag(field, "absent", true));
    return json_put_new(found, pointer, json_incref(field));
}

static result differ(json_t *found, const char *pointer, const json_t *before, const json_t *after, struct trouble *t);

static result differ_at(
    json_t *found, const char *base, const char *name, const json_t *before, const json_t *after, struct trouble *t)
{
    AUTO_BUF pointer = BUF(POINTER_MAX + 1);
    if (!is_ok(buf_printf(&pointer, "%s/", base)) || !is_ok(token_put(&pointer, name)) || !is_ok(buf_u8(&pointer, 0)))
        return trouble_say(t, E_too_long, "%s: a member whose pointer is longer than %d bytes", base, POINTER_MAX);
    return differ(found, (const char *)pointer.p, before, after, t);
}

static result differ_members(json_t *found, const char *pointer, const json_t *before, const json_t *after, struct trouble *t)
{
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)after, name, v)
        TRY(differ_at(found, pointer, name, json_object_get(before, name), v, t));
    json_object_foreach ((json_t *)before, name, v)
        if (!json_has(after, name))
            TRY(differ_at(found, pointer, name, v, NULL, t));
    return OK;
}

static result differ_items(json_t *found, const char *pointer, const json_t *before, const json_t *after, struct trouble *t)
{
    size_t had = json_is_array(before) ? json_array_size(before) : 0, has = json_array_size(after);
    for (size_t i = 0; i < had || i < has; i++) {
        char at[24];
        snprintf(at, sizeof at, "%zu", i);
        TRY(differ_at(found, pointer, at, json_array_get(before, i), json_array_get(after, i), t));
    }
    return OK;
}

/* Down to where they differ: an API server may put defaults beside what is written, so that a whole object never compares. */
static result differ(json_t *found, const char *pointer, const json_t *before, const json_t *after, struct trouble *t)
{
    if (before && after && json_equal(before, after))
        return OK;
    if (json_is_object(after) && json_object_size(after) && (!before || json_is_object(before)))
        return differ_members(found, pointer, before, after, t);
    if (json_is_array(after) && json_array_size(after) && (!before || json_is_array(before)))
        return differ_items(found, pointer, before, after, t);
    return leaf_put(found, pointer, after, t);
}

static result sorted_put(const json_t *found, json_t *list)
{
    size_t n = 0;
    AUTO_FREE const char **pointers = calloc(json_object_size(found) + 1, sizeof *pointers);
    const char *pointer;
    json_t *v;
    if (!pointers)
        return fail(E_no_memory);
    json_object_foreach ((json_t *)found, pointer, v)
        pointers[n++] = pointer;
    qsort(pointers, n, sizeof *pointers, by_text);
    for (size_t i = 0; i < n; i++)
        if (json_array_append(list, json_object_get(found, pointers[i])))
            return fail(E_no_memory);
    return OK;
}

static result see_all(const struct visible_kind *k, bool changed, const json_t *o, json_t *seen)
{
    TRY(see_values(k, o, seen));
    return changed ? see_rest(k, o, seen) : OK;
}

result visible_changes(const struct visible_kind *k, const json_t *before, const json_t *after, json_t *list, struct trouble *t)
{
    AUTO_JSON *was = json_object(), *is_now = json_object(), *found = json_object();
    const char *pointer;
    json_t *v;
    if (!was || !is_now || !found)
        return fail(E_no_memory);
    if (before)
        TRY(see_all(k, true, before, was));
    TRY(see_all(k, before, after, is_now));
    json_object_foreach (is_now, pointer, v)
        TRY(differ(found, pointer, json_object_get(was, pointer), v, t));
    json_object_foreach (was, pointer, v)
        if (!json_has(is_now, pointer))
            TRY(differ(found, pointer, v, NULL, t));
    return sorted_put(found, list);
}
