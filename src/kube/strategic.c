#include "config.h"

#include "kube/patch.h"

/* The lists of Kubernetes' own kinds that merge by a key (patchMergeKey in k8s.io/api), as far as they are found by their name. */
static const struct {
    const char *list, *key, *in;
} keys[] = {
    { "containers", "name", NULL },
    { "initContainers", "name", NULL },
    { "ephemeralContainers", "name", NULL },
    { "volumes", "name", NULL },
    { "env", "name", NULL },
    { "volumeMounts", "mountPath", NULL },
    { "volumeDevices", "devicePath", NULL },
    { "ports", "containerPort", "containers" },
    { "ports", "containerPort", "initContainers" },
    { "ports", "containerPort", "ephemeralContainers" },
    { "ports", "port", "" },
    { "imagePullSecrets", "name", NULL },
    { "secrets", "name", "" },
    { "hostAliases", "ip", NULL },
    { "topologySpreadConstraints", "topologyKey", NULL },
    { "resourceClaims", "name", NULL },
    { "schedulingGates", "name", NULL },
    { "ownerReferences", "uid", NULL },
    { "conditions", "type", NULL },
    { "webhooks", "name", NULL },
};

const char *list_key(const char *list, const char *in)
{
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        if (span_is(span_text(list), keys[i].list) && (!keys[i].in || span_is(span_text(in), keys[i].in)))
            return keys[i].key;
    return NULL;
}

/* Lists of plain values that are sets. */
static bool is_set(const char *list)
{
    return span_is(span_text(list), "finalizers");
}

#define PATCH "$patch"
#define RETAIN "$retainKeys"
#define DELETE "$deleteFromPrimitiveList/"
#define ORDER "$setElementOrder/"

static bool begins(const char *text, const char *with)
{
    struct span w = span_text(with);
    return span_equal(span_part(span_text(text), 0, w.n), w);
}

static bool is_directive(const json_t *o, const char *what)
{
    return span_is(span_text(json_string_value(json_object_get(o, PATCH))), what);
}

static bool is_same(const json_t *a, const json_t *b, const char *key)
{
    return key ? json_equal(json_object_get(a, key), json_object_get(b, key)) && json_has(a, key) : json_equal(a, b);
}

/* Where an item of that key stands; the list's size where none does. */
static size_t item_find(const json_t *list, const json_t *item, const char *key)
{
    size_t i;
    const json_t *one;
    json_array_foreach (list, i, one)
        if (is_same(one, item, key))
            return i;
    return json_array_size(list);
}

static bool item_in(const json_t *list, const json_t *item, const char *key)
{
    return item_find(list, item, key) < json_array_size(list);
}

/* How the server orders a merged list (apimachinery's normalizeElementOrder): what the patch names in the patch's order, what it
 * doesn't in the live order, and the two woven together; where nothing says which comes first, the patch's. */
static json_t *ordered(const json_t *all, const json_t *order, const json_t *live, const char *key)
{
    AUTO_JSON *named = json_array(), *other = json_array(), *out = json_array();
    size_t i;
    json_t *item;
    json_array_foreach (order, i, item)
        if (item_in(all, item, key) && !item_in(named, item, key))
            json_array_append(named, json_array_get(all, item_find(all, item, key)));
    json_array_foreach (all, i, item)
        if (!item_in(order, item, key))
            json_array_append(other, item);
    size_t n = 0, o = 0, names = json_array_size(named), others = json_array_size(other), lives = json_array_size(live);
    while (n < names || o < others) {
        size_t at_other = o < others ? item_find(live, json_array_get(other, o), key) : lives;
        size_t at_named = n < names ? item_find(live, json_array_get(named, n), key) : lives;
        bool take_other = n == names || (o < others && at_other < lives && at_named < lives && at_other < at_named);
        json_array_append(out, take_other ? json_array_get(other, o++) : json_array_get(named, n++));
    }
    return json_array_size(out) == names + others ? json_incref(out) : NULL;
}

/* What is being merged: the list's name that its items lie in. */
struct merging {
    struct trouble *trouble;
    const char *in;
};
static result map_merge(struct merging *m, json_t *o, const json_t *patch);

/* Items that speak of the list: replace the whole of it, or delete one. ret_left: the items that are to be merged. */
static result specials(struct merging *m, json_t *list, const json_t *patch, const char *key, json_t *left)
{
    size_t i;
    json_t *item;
    bool replace = false;
    json_array_foreach (patch, i, item) {
        if (!json_has(item, PATCH)) {
            json_array_append(left, item);
        } else if (is_directive(item, "replace")) {
            replace = true;
        } else if (is_directive(item, "delete") && key) {
            size_t at = item_find(list, item, key);
            if (at < json_array_size(list))
                json_array_remove(list, at);
        } else if (!is_directive(item, "merge")) {
            return trouble_say(m->trouble, E_bad_value, "a $patch directive that isn't known");
        }
    }
    if (replace)
        json_array_clear(list);
    return OK;
}

static result items_merge(struct merging *m, json_t *list, const json_t *patch, const char *name, const char *key)
{
    struct merging inner = { m->trouble, name };
    size_t i;
    json_t *item;
    json_array_foreach (patch, i, item) {
        if (!json_has(item, key))
            return trouble_say(m->trouble, E_bad_value, "an item of %s without its %s", name, key);
        size_t at = item_find(list, item, key);
        if (at < json_array_size(list)) {
            TRY(map_merge(&inner, json_array_get(list, at), item));
        } else if (json_array_append_new(list, json_deep_copy(item))) {
            return fail(E_no_memory);
        }
    }
    return OK;
}

static result list_merge(struct merging *m, json_t *o, const char *name, const json_t *patch, const json_t *order)
{
    const char *key = list_key(name, m->in);
    json_t *list = json_object_get(o, name);
    AUTO_JSON *left = json_array(), *live = NULL;
    size_t i;
    json_t *item;
    TRY(specials(m, list, patch, key, left));
    live = json_copy(list);
    if (key)
        TRY(items_merge(m, list, left, name, key));
    else
        json_array_foreach (left, i, item)
            if (!item_in(list, item, NULL) && json_array_append_new(list, json_deep_copy(item)))
                return fail(E_no_memory);
    json_t *sorted = ordered(list, order ? order : left, live, key);
    return sorted && !json_object_set_new(o, name, sorted) ? OK : fail(E_no_memory);
}

static void list_delete(json_t *o, const char *name, const json_t *values)
{
    size_t i;
    json_t *v, *list = json_object_get(o, name);
    json_array_foreach (values, i, v)
        while (item_in(list, v, NULL))
            json_array_remove(list, item_find(list, v, NULL));
}

static result retain(json_t *o, const json_t *names)
{
    AUTO_JSON *before = json_copy(o), *name = NULL;
    const char *key;
    json_t *v;
    json_object_foreach (before, key, v) {
        json_decref(name);
        name = json_string(key);
        if (!item_in(names, name, NULL))
            json_object_del(o, key);
    }
    return OK;
}

static result member_merge(struct merging *m, json_t *o, const char *name, const json_t *patch, const json_t *order)
{
    struct merging inner = { m->trouble, "" };
    json_t *mine = json_object_get(o, name);
    if (json_is_object(mine) && json_is_object(patch))
        return map_merge(&inner, mine, patch);
    bool merges = list_key(name, m->in) || is_set(name);
    if (merges && json_is_array(patch)) {
        if (!json_is_array(mine))
            TRY(json_put_new(o, name, json_array()));
        return list_merge(m, o, name, patch, order);
    }
    if (json_is_object(patch)) { /* new here: its own directives and nulls say nothing of what isn't there */
        TRY(json_put_new(o, name, json_object()));
        return map_merge(&inner, json_object_get(o, name), patch);
    }
    return json_put_new(o, name, json_deep_copy(patch));
}

static const json_t *order_of(const json_t *patch, const char *name)
{
    AUTO_BUF key = BUF(512);
    if (!is_ok(buf_printf(&key, ORDER "%s", name)) || !is_ok(buf_u8(&key, 0)))
        return NULL;
    return json_object_get(patch, (const char *)key.p);
}

/* $setElementOrder of a list that the patch has nothing else to say of. */
static result order_alone(struct merging *m, json_t *o, const json_t *patch, const char *name, const json_t *order)
{
    json_t *list = json_object_get(o, name);
    if (json_has(patch, name) || !json_is_array(list))
        return OK;
    json_t *sorted = ordered(list, order, list, list_key(name, m->in));
    return sorted && !json_object_set_new(o, name, sorted) ? OK : fail(E_no_memory);
}

static result map_merge(struct merging *m, json_t *o, const json_t *patch)
{
    const char *name;
    json_t *v;
    if (is_directive(patch, "replace") || is_directive(patch, "delete"))
        json_object_clear(o);
    if (is_directive(patch, "delete"))
        return OK;
    if (json_has(patch, RETAIN))
        TRY(retain(o, json_object_get(patch, RETAIN)));
    json_object_foreach ((json_t *)patch, name, v)
        if (begins(name, DELETE))
            list_delete(o, name + sizeof DELETE - 1, v);
    json_object_foreach ((json_t *)patch, name, v) {
        if (begins(name, ORDER))
            TRY(order_alone(m, o, patch, name + sizeof ORDER - 1, v));
        if (name[0] == '$')
            continue;
        if (json_is_null(v))
            json_object_del(o, name);
        else
            TRY(member_merge(m, o, name, v, order_of(patch, name)));
    }
    return OK;
}

result strategic_patch(const json_t *live, const json_t *patch, json_t **ret, struct trouble *t)
{
    struct merging m = { t, "" };
    AUTO_JSON *o = json_deep_copy(live);
    if (!o)
        return fail(E_no_memory);
    if (!json_is_object(patch))
        return trouble_say(t, E_bad_value, "a strategic merge patch is an object");
    TRY(map_merge(&m, o, patch));
    *ret = o;
    o = NULL;
    return OK;
}
