#include "config.h"

#include "kube/discover.h"

#include <strings.h>

#define PATH_MAX_BYTES 1024
#define GROUPS_MAX 512

/* The word, taken apart: RESOURCE[.REST]. */
struct wanted {
    char resource[64], rest[254];
    const char *subresource;
};

static result wanted_read(const char *word, const char *subresource, struct wanted *ret)
{
    struct span s = span_text(word);
    size_t dot = span_find(s, 0, '.');
    ret->subresource = subresource;
    TRY(span_copy_text(span_part(s, 0, dot), ret->resource, sizeof ret->resource));
    return span_copy_text(span_part(s, dot + 1, s.n), ret->rest, sizeof ret->rest);
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static bool is_word(const json_t *o, const char *name, const char *word)
{
    return strcasecmp(text_of(o, name), word) == 0;
}

static bool is_named(const json_t *resource, const char *word)
{
    size_t i;
    const json_t *v;
    if (is_word(resource, "name", word) || is_word(resource, "singularName", word) || is_word(resource, "kind", word))
        return true;
    json_array_foreach (json_object_get(resource, "shortNames"), i, v)
        if (json_is_string(v) && strcasecmp(json_string_value(v), word) == 0)
            return true;
    return false;
}

static bool has_subresource(const json_t *list, const char *resource, const char *subresource)
{
    size_t i;
    const json_t *one;
    AUTO_BUF name = BUF(256);
    if (!is_ok(buf_printf(&name, "%s/%s", resource, subresource)))
        return false;
    json_array_foreach (list, i, one)
        if (span_is(buf_span(&name), text_of(one, "name")))
            return true;
    return false;
}

static result resource_take(const json_t *o, const char *group, const char *version, struct kube_resource *ret)
{
    struct kube_resource r = { .namespaced = json_is_true(json_object_get(o, "namespaced")) };
    TRY(span_copy_text(span_text(group), r.group, sizeof r.group));
    TRY(span_copy_text(span_text(version), r.version, sizeof r.version));
    TRY(span_copy_text(span_text(text_of(o, "name")), r.resource, sizeof r.resource));
    TRY(span_copy_text(span_text(text_of(o, "kind")), r.kind, sizeof r.kind));
    *ret = r;
    return OK;
}

/* In one APIResourceList. *ret_found says whether it is there. */
static result look_in(struct kube *k, const struct wanted *w, const char *group, const char *version, struct kube_resource *ret,
    bool *ret_found, struct trouble *t)
{
    AUTO_BUF path = BUF(PATH_MAX_BYTES);
    AUTO_JSON *answer = NULL;
    const json_t *list, *one;
    size_t i;
    *ret_found = false;
    TRY(group[0] ? buf_printf(&path, "/apis/%s/%s", group, version) : buf_printf(&path, "/api/%s", version));
    TRY(buf_u8(&path, 0));
    TRY(kube_get(k, (const char *)path.p, &answer, t));
    list = json_object_get(answer, "resources");
    json_array_foreach (list, i, one) {
        struct span name = span_text(text_of(one, "name"));
        if (span_find(name, 0, '/') < name.n || !is_named(one, w->resource))
            continue;
        if (w->subresource && !has_subresource(list, text_of(one, "name"), w->subresource))
            return trouble_say(t, E_not_found, "%s has no subresource %s", text_of(one, "name"), w->subresource);
        *ret_found = true;
        return resource_take(one, group, version, ret);
    }
    return OK;
}

/* The version that REST asks for in this group, or NULL where it is another group that is meant. */
static const char *version_wanted(const struct wanted *w, const json_t *group, char room[64])
{
    struct span rest = span_text(w->rest), name = span_text(text_of(group, "name"));
    size_t i, dot = span_find(rest, 0, '.');
    const json_t *v;
    const char *preferred = text_of(json_object_get(group, "preferredVersion"), "version");
    if (rest.n == 0 || span_equal(rest, name))
        return preferred;
    if (!span_equal(span_part(rest, dot + 1, rest.n), name) || !is_ok(span_copy_text(span_part(rest, 0, dot), room, 64)))
        return NULL;
    json_array_foreach (json_object_get(group, "versions"), i, v)
        if (span_is(span_text(text_of(v, "version")), room))
            return room;
    return NULL;
}

/* Groups whose server doesn't answer, or tells nothing to us, are passed over where the word doesn't name them. */
static result look_in_groups(struct kube *k, const struct wanted *w, struct kube_resource *ret, bool *ret_found, struct trouble *t)
{
    AUTO_JSON *answer = NULL;
    const json_t *groups, *group;
    size_t i;
    TRY(kube_get(k, "/apis", &answer, t));
    groups = json_object_get(answer, "groups");
    if (json_array_size(groups) > GROUPS_MAX)
        return trouble_say(t, E_too_long, "more than %d API groups", GROUPS_MAX);
    json_array_foreach (groups, i, group) {
        char room[64];
        const char *version = version_wanted(w, group, room);
        if (!version)
            continue;
        result r = look_in(k, w, text_of(group, "name"), version, ret, ret_found, t);
        if (!is_ok(r) && (w->rest[0] || w->subresource))
            return r;
        if (is_ok(r) && *ret_found)
            return OK;
    }
    return OK;
}

result kube_discover(struct kube *k, const char *word, const char *subresource, struct kube_resource *ret, struct trouble *t)
{
    struct wanted w;
    bool found = false;
    if (!is_ok(wanted_read(word, subresource, &w)))
        return trouble_say(t, E_bad_value, "%.64s: not a resource's name", word);
    if (!w.rest[0] || span_is(span_text(w.rest), "v1"))
        TRY(look_in(k, &w, "", "v1", ret, &found, t));
    if (!found)
        TRY(look_in_groups(k, &w, ret, &found, t));
    return found ? OK : trouble_say(t, E_not_found, "%s: the cluster serves no such resource", word);
}

static result each_of(struct kube *k, const char *group, const char *version, kube_each_fn *each, void *context, struct trouble *t)
{
    AUTO_BUF path = BUF(PATH_MAX_BYTES);
    AUTO_JSON *answer = NULL;
    const json_t *one;
    struct kube_resource r;
    size_t i;
    TRY(group[0] ? buf_printf(&path, "/apis/%s/%s", group, version) : buf_printf(&path, "/api/%s", version));
    TRY(buf_u8(&path, 0));
    TRY(kube_get(k, (const char *)path.p, &answer, t));
    json_array_foreach (json_object_get(answer, "resources"), i, one) {
        struct span name = span_text(text_of(one, "name"));
        if (span_find(name, 0, '/') == name.n && is_ok(resource_take(one, group, version, &r)))
            each(context, &r, json_object_get(one, "verbs"));
    }
    return OK;
}

result kube_each(struct kube *k, kube_each_fn *each, void *context, struct trouble *t)
{
    AUTO_JSON *answer = NULL;
    const json_t *group;
    size_t i;
    TRY(each_of(k, "", "v1", each, context, t));
    TRY(kube_get(k, "/apis", &answer, t));
    json_array_foreach (json_object_get(answer, "groups"), i, group) {
        const char *version = text_of(json_object_get(group, "preferredVersion"), "version");
        result r = each_of(k, text_of(group, "name"), version, each, context, t);
        if (code_of(r) == E_no_memory)
            return r;
    }
    return OK;
}

/* What a path's segment may be to Kubernetes (apimachinery's IsValidPathSegmentName), and needs no escape to us. */
static bool is_segment(const char *text)
{
    struct span s = span_text(text), also = span_text("-._~:@!$&'()*+,;=");
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) && span_find(also, 0, c) == also.n)
            return false;
    }
    return s.n > 0 && s.n <= 253 && !span_is(s, ".") && !span_is(s, "..");
}

result kube_path(const struct kube_resource *r, const char *space, const char *name, const char *subresource, struct buf *out)
{
    if (r->namespaced != (space && space[0]) || (space && space[0] && !is_segment(space)) || (name && !is_segment(name)) ||
        (subresource && (!name || !is_segment(subresource))))
        return fail(E_bad_value);
    TRY(r->group[0] ? buf_printf(out, "/apis/%s/%s", r->group, r->version) : buf_printf(out, "/api/%s", r->version));
    if (r->namespaced)
        TRY(buf_printf(out, "/namespaces/%s", space));
    TRY(buf_printf(out, "/%s", r->resource));
    if (name)
        TRY(buf_printf(out, "/%s", name));
    return subresource ? buf_printf(out, "/%s", subresource) : OK;
}
