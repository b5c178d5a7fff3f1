#include "config.h"

#include "kube/patch.h"

#include <stdlib.h>

#define TOKEN_MAX 1024

static const struct {
    const char *word, *media_type;
    enum patch_type type;
} types[] = {
    { "merge", "application/merge-patch+json", PATCH_MERGE },
    { "json", "application/json-patch+json", PATCH_JSON },
    { "strategic", "application/strategic-merge-patch+json", PATCH_STRATEGIC },
    { "apply", "application/apply-patch+yaml", PATCH_APPLY },
};

bool patch_type_named(const char *word, enum patch_type *ret, const char **ret_media_type)
{
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        if (!span_is(span_text(word), types[i].word))
            continue;
        *ret = types[i].type;
        *ret_media_type = types[i].media_type;
        return true;
    }
    return false;
}

bool patch_type_of(const char *media_type, enum patch_type *ret)
{
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        if (!span_is(span_text(media_type), types[i].media_type))
            continue;
        *ret = types[i].type;
        return true;
    }
    return false;
}

result patch_apply(
    enum patch_type type, const json_t *live, const json_t *body, const char *manager, json_t **ret, struct trouble *t)
{
    if (type == PATCH_APPLY)
        return apply_patch(live, body, manager, ret, t);
    if (type != PATCH_NONE && !live)
        return trouble_say(t, E_not_found, "there is no object to patch");
    switch (type) {
    case PATCH_MERGE:
        return json_is_object(body) ? merge_patch(live, body, ret) : trouble_say(t, E_bad_value, "a merge patch is an object");
    case PATCH_JSON:
        return json_patch(live, body, ret, t);
    case PATCH_STRATEGIC:
        return strategic_patch(live, body, ret, t);
    default:
        *ret = json_deep_copy(body);
        return *ret ? OK : fail(E_no_memory);
    }
}

/* RFC 7386 section 2, as it is written there. */
static json_t *merged(const json_t *target, const json_t *patch)
{
    const char *name;
    json_t *v;
    if (!json_is_object(patch))
        return json_deep_copy(patch);
    AUTO_JSON *o = json_is_object(target) ? json_copy((json_t *)target) : json_object();
    if (!o)
        return NULL;
    json_object_foreach ((json_t *)patch, name, v) {
        if (json_is_null(v)) {
            json_object_del(o, name);
            continue;
        }
        json_t *member = merged(json_object_get(target, name), v);
        if (!member || json_object_set_new(o, name, member))
            return NULL;
    }
    return json_incref(o);
}

result merge_patch(const json_t *live, const json_t *patch, json_t **ret)
{
    AUTO_JSON *shared = merged(live, patch);
    json_t *own = shared ? json_deep_copy(shared) : NULL;
    *ret = own;
    return own ? OK : fail(E_no_memory);
}

/* RFC 6901 section 4: one reference token, unescaped, with its NUL; *pointer goes on behind it. */
static bool token_next(const char **pointer, char to[TOKEN_MAX])
{
    const char *p = *pointer;
    size_t n = 0;
    if (*p++ != '/')
        return false;
    for (; *p && *p != '/'; p++) {
        if (n + 1 == TOKEN_MAX || (*p == '~' && p[1] != '0' && p[1] != '1'))
            return false;
        to[n++] = *p != '~' ? *p : *++p == '0' ? '~' : '/';
    }
    to[n] = 0;
    *pointer = p;
    return true;
}

/* RFC 6901 section 4: no sign, no leading zero. */
static bool index_read(const char *token, size_t *ret)
{
    char *end;
    if (token[0] < '0' || token[0] > '9' || (token[0] == '0' && token[1]))
        return false;
    unsigned long long n = strtoull(token, &end, 10);
    *ret = (size_t)n;
    return !*end && n < 1000000;
}

static json_t *child(json_t *v, const char *token)
{
    size_t at;
    if (json_is_object(v))
        return json_object_get(v, token);
    return json_is_array(v) && index_read(token, &at) ? json_array_get(v, at) : NULL;
}

/* A place in the document: what holds it, and its last token. */
struct place {
    json_t *holder;
    char token[TOKEN_MAX];
};

static bool place_find(json_t *root, const char *pointer, struct place *ret)
{
    ret->holder = root;
    if (!token_next(&pointer, ret->token))
        return false;
    while (*pointer) {
        ret->holder = child(ret->holder, ret->token);
        if (!ret->holder || !token_next(&pointer, ret->token))
            return false;
    }
    return json_is_object(ret->holder) || json_is_array(ret->holder);
}

static json_t *place_value(const struct place *p)
{
    return child(p->holder, p->token);
}

/* Both steal nothing; v is shared. */
static bool place_add(const struct place *p, json_t *v)
{
    size_t at;
    if (json_is_object(p->holder))
        return !json_object_set(p->holder, p->token, v);
    if (span_is(span_text(p->token), "-"))
        return !json_array_append(p->holder, v);
    return index_read(p->token, &at) && at <= json_array_size(p->holder) && !json_array_insert(p->holder, at, v);
}

static bool place_remove(const struct place *p)
{
    size_t at;
    if (!place_value(p))
        return false;
    return json_is_object(p->holder) ? !json_object_del(p->holder, p->token)
                                     : index_read(p->token, &at) && !json_array_remove(p->holder, at);
}

static bool is_op(const json_t *op, const char *name)
{
    return span_is(span_text(json_string_value(json_object_get(op, "op"))), name);
}

static bool step_from(json_t *root, const json_t *op, const struct place *to)
{
    struct place from;
    const char *path = json_string_value(json_object_get(op, "from"));
    if (!path || !place_find(root, path, &from) || !place_value(&from))
        return false;
    AUTO_JSON *v = json_deep_copy(place_value(&from));
    if (!v || (is_op(op, "move") && !place_remove(&from)))
        return false;
    struct place again = *to;
    /* What was moved may have stood before the target in one list. */
    return place_find(root, json_string_value(json_object_get(op, "path")), &again) && place_add(&again, v);
}

/* One operation (RFC 6902 section 4) at a place below the root: no operation on an API object replaces the whole of it. */
static bool step(json_t *root, const json_t *op)
{
    struct place at;
    const char *path = json_string_value(json_object_get(op, "path"));
    if (!path || !place_find(root, path, &at))
        return false;
    if (is_op(op, "remove"))
        return place_remove(&at);
    if (is_op(op, "move") || is_op(op, "copy"))
        return step_from(root, op, &at);
    if (!json_has(op, "value"))
        return false;
    if (is_op(op, "test"))
        return place_value(&at) && json_equal(place_value(&at), json_object_get(op, "value"));
    AUTO_JSON *v = json_deep_copy(json_object_get(op, "value"));
    if (!v)
        return false;
    if (is_op(op, "add"))
        return place_add(&at, v);
    return is_op(op, "replace") && place_remove(&at) && place_add(&at, v);
}

result json_patch(const json_t *live, const json_t *patch, json_t **ret, struct trouble *t)
{
    AUTO_JSON *o = json_deep_copy(live);
    const json_t *op;
    size_t i;
    if (!o)
        return fail(E_no_memory);
    if (!json_is_array(patch))
        return trouble_say(t, E_bad_value, "a JSON patch is a list of operations (RFC 6902)");
    json_array_foreach (patch, i, op)
        if (!step(o, op))
            return trouble_say(t, E_bad_value, "operation %zu of the JSON patch can't be done on the object", i);
    *ret = o;
    o = NULL;
    return OK;
}
