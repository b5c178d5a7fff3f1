#include "config.h"

#include "kube/patch.h"

/* Server-side apply (structured-merge-diff): merge, then take away what the manager had applied before and doesn't say any more.
 * Sets of field names as metadata.managedFields has them (fieldsV1): "f:<name>" a member, "k:<json>" a list's item by its keys,
 * "v:<json>" one of a set, "." the thing itself. */

static bool begins(const char *text, const char *with)
{
    return span_equal(span_part(span_text(text), 0, 2), span_text(with));
}

static const char *keyed(const char *list, const char *in)
{
    return list ? list_key(list, in) : NULL;
}

static size_t item_find(const json_t *list, const json_t *item, const char *key)
{
    size_t i;
    const json_t *one;
    json_array_foreach (list, i, one)
        if (json_has(one, key) && json_equal(json_object_get(one, key), json_object_get(item, key)))
            return i;
    return json_array_size(list);
}

static const json_t *item_of(const json_t *list, const json_t *item, const char *key)
{
    return json_array_get(list, item_find(list, item, key));
}

static json_t *merged(const json_t *live, const json_t *body, const char *name, const char *in);

/* The order of both is kept; what only the live list has comes before what only the body has. */
static json_t *list_merged(const json_t *live, const json_t *body, const char *name, const char *key)
{
    AUTO_JSON *out = json_array();
    size_t l = 0, b = 0, lives = json_array_size(live), bodies = json_array_size(body);
    while (l < lives || b < bodies) {
        const json_t *mine = json_array_get(live, l), *its = json_array_get(body, b), *take = its;
        if (mine && !item_of(body, mine, key)) {
            take = mine;
            l++;
        } else if (mine && item_of(out, mine, key)) { /* the body had it earlier */
            l++;
            continue;
        } else {
            b++;
        }
        json_t *both = take == mine ? json_deep_copy(mine) : merged(item_of(live, its, key), its, NULL, name);
        if (json_array_append_new(out, both))
            return NULL;
    }
    return json_incref(out);
}

static json_t *merged(const json_t *live, const json_t *body, const char *name, const char *in)
{
    const char *member;
    json_t *v;
    if (json_is_array(body) && json_is_array(live) && keyed(name, in))
        return list_merged(live, body, name, keyed(name, in));
    if (!json_is_object(body) || !json_is_object(live))
        return json_deep_copy(body);
    AUTO_JSON *o = json_deep_copy(live);
    json_object_foreach ((json_t *)body, member, v)
        if (json_object_set_new(o, member, merged(json_object_get(live, member), v, member, name ? "" : in)))
            return NULL;
    return json_incref(o);
}

/* Whether somebody of the others owns anything at this path. */
static bool is_owned(const json_t *others, const char *path)
{
    size_t i;
    const json_t *set;
    json_array_foreach (others, i, set)
        if (json_has(set, path))
            return true;
    return false;
}

/* Their sets below it. */
static json_t *below(const json_t *others, const char *path)
{
    json_t *sets = json_array();
    size_t i;
    const json_t *set;
    json_array_foreach (others, i, set)
        if (json_has(set, path))
            json_array_append(sets, json_object_get(set, path));
    return sets;
}

static void prune(json_t *o, const json_t *mine, const json_t *others, const json_t *body);

static void prune_member(json_t *o, const char *path, const json_t *mine, const json_t *others, const json_t *body)
{
    const char *name = path + 2;
    json_t *v = json_object_get(o, name);
    const json_t *said = json_object_get(body, name);
    if (!said && !is_owned(others, path)) {
        json_object_del(o, name);
        return;
    }
    AUTO_JSON *sets = below(others, path);
    prune(v, mine, sets, said);
}

static void prune_item(json_t *list, const char *path, const json_t *mine, const json_t *others, const json_t *body)
{
    AUTO_JSON *keys = json_loads(path + 2, 0, NULL);
    const char *key = json_object_iter_key(json_object_iter(keys));
    if (!key || item_find(list, keys, key) == json_array_size(list))
        return;
    size_t at = item_find(list, keys, key);
    const json_t *said = item_of(body, keys, key);
    if (!said && !is_owned(others, path)) {
        json_array_remove(list, at);
        return;
    }
    AUTO_JSON *sets = below(others, path);
    prune(json_array_get(list, at), mine, sets, said);
}

/* An item that is told apart by two keys is found by its first: good enough to see that the whole of it goes. */
static void prune(json_t *o, const json_t *mine, const json_t *others, const json_t *body)
{
    const char *path;
    json_t *v;
    json_object_foreach ((json_t *)mine, path, v) {
        if (begins(path, "f:") && json_is_object(o))
            prune_member(o, path, v, others, body);
        else if (begins(path, "k:") && json_is_array(o))
            prune_item(o, path, v, others, body);
    }
}

static bool is_managers(const json_t *entry, const char *manager)
{
    return manager && span_is(span_text(json_string_value(json_object_get(entry, "manager"))), manager) &&
           span_is(span_text(json_string_value(json_object_get(entry, "operation"))), "Apply") && !json_has(entry, "subresource");
}

result apply_patch(const json_t *live, const json_t *body, const char *manager, json_t **ret, struct trouble *t)
{
    size_t i;
    const json_t *entry, *mine = NULL;
    AUTO_JSON *o = NULL, *others = json_array();
    if (!json_is_object(body))
        return trouble_say(t, E_bad_value, "what is applied is an object");
    json_array_foreach (json_object_get(json_object_get(live, "metadata"), "managedFields"), i, entry) {
        if (is_managers(entry, manager))
            mine = json_object_get(entry, "fieldsV1");
        else if (json_array_append(others, json_object_get(entry, "fieldsV1")))
            return fail(E_bad_value);
    }
    o = merged(live, body, NULL, "");
    if (!o)
        return fail(E_no_memory);
    prune(o, mine, others, body);
    *ret = o;
    o = NULL;
    return OK;
}
