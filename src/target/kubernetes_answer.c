/* What the API server answers: an object, or meta/v1 Status. */
#include <config.h>

#include "target/kubernetes.h"

#define ANSWER_MAX ((size_t)64 << 20) /* the configuration's answer_bytes is the bound; this is only one */
#define TEXT_MAX 256

/* As many bytes of valid UTF-8 as fit whole characters into max, up to a NUL. */
static struct span cut(const json_t *v, size_t max)
{
    struct span s = { (const uint8_t *)json_string_value(v), json_string_length(v) };
    s = span_part(s, 0, span_find(s, 0, 0));
    if (s.n <= max)
        return s;
    while (max > 0 && (s.p[max] & 0xc0) == 0x80)
        max--;
    return span_part(s, 0, max);
}

static result put_cut(json_t *o, const char *name, const json_t *v)
{
    struct span s = cut(v, TEXT_MAX);
    return s.n ? json_put_span(o, name, s) : OK;
}

/* A cause that the record would be too long with is left out. */
static result add_cause(const json_t *field, const json_t *message, const json_t *reason, json_t *list)
{
    AUTO_BUF form = BUF(TARGET_CAUSES_MAX);
    AUTO_JSON *cause = json_object();
    if (!cause)
        return fail(E_no_memory);
    TRY(put_cut(cause, "field", field));
    TRY(put_cut(cause, "message", message));
    TRY(put_cut(cause, "reason", reason));
    if (json_object_size(cause) == 0)
        return OK;
    if (json_array_append(list, cause) != 0)
        return fail(E_no_memory);
    if (!is_ok(json_canonical(list, &form)))
        json_array_remove(list, json_array_size(list) - 1);
    return OK;
}

/* Status.details.causes; its message alone where it has none. A Secret's messages may quote its values. */
static result read_causes(const json_t *status, bool secret, struct target_answer *ret)
{
    const json_t *causes = json_object_get(json_object_get(status, "details"), "causes");
    AUTO_JSON *list = json_array();
    AUTO_BUF form = BUF(TARGET_CAUSES_MAX);
    if (!list)
        return fail(E_no_memory);
    for (size_t i = 0; i < json_array_size(causes) && i < TARGET_CAUSES; i++) {
        const json_t *each = json_array_get(causes, i);
        TRY(add_cause(json_object_get(each, "field"), secret ? NULL : json_object_get(each, "message"),
            json_object_get(each, "reason"), list));
    }
    if (!json_array_size(causes) && !secret)
        TRY(add_cause(NULL, json_object_get(status, "message"), NULL, list));
    if (!json_array_size(list))
        return OK;
    TRY(json_canonical(list, &form));
    return span_copy_text(buf_span(&form), ret->causes, sizeof ret->causes);
}

static bool is_status(const json_t *v)
{
    const char *kind = json_string_value(json_object_get(v, "kind")),
               *version = json_string_value(json_object_get(v, "apiVersion"));
    return kind && version && span_is(span_text(kind), "Status") && span_is(span_text(version), "v1");
}

static result read_status(const json_t *v, bool secret, struct target_answer *ret)
{
    if (!is_status(v))
        return OK;
    struct span reason = cut(json_object_get(v, "reason"), TARGET_REASON_MAX);
    TRY(span_copy_text(reason, ret->reason, sizeof ret->reason));
    return read_causes(v, secret, ret);
}

/* Left empty where it isn't one that a write could carry. */
static result read_version(const json_t *metadata, const char *name, char ret[TARGET_VERSION_MAX + 1])
{
    const json_t *v = json_object_get(metadata, name);
    const char *text = json_string_value(v);
    if (!text || json_string_length(v) != span_text(text).n || !kubernetes_is_version(text))
        return OK;
    return span_copy_text(span_text(text), ret, TARGET_VERSION_MAX + 1);
}

static bool is_same(const json_t *a, const json_t *b)
{
    struct span x = { (const uint8_t *)json_string_value(a), json_string_length(a) };
    struct span y = { (const uint8_t *)json_string_value(b), json_string_length(b) };
    return span_equal(x, y); /* nothing and an empty text are the same */
}

/* The object that was asked for, and not another. */
static bool is_object(const json_t *v, const json_t *details)
{
    const json_t *metadata = json_object_get(v, "metadata");
    return json_is_object(metadata) && !is_status(v) &&
           is_same(json_object_get(metadata, "name"), json_object_get(details, "name")) &&
           is_same(json_object_get(metadata, "namespace"), json_object_get(details, "namespace"));
}

static result look(const json_t *object, const char *pointer, struct live_field *ret)
{
    const json_t *v = json_pointer(object, pointer);
    ret->exists = v != NULL;
    return v ? json_foreign_digest(v, &ret->sha256) : OK;
}

static result read_fields(const json_t *object, const json_t *pointers, struct target_answer *ret)
{
    size_t n = json_array_size(pointers);
    if (n > TARGET_FIELDS_MAX)
        return fail(E_too_long);
    for (size_t i = 0; i < n; i++) {
        const char *pointer = json_string_value(json_array_get(pointers, i));
        if (!pointer)
            return fail(E_bad_type);
        TRY(look(object, pointer, &ret->field[i]));
    }
    ret->fields_n = (unsigned)n;
    return OK;
}

static bool holds(const json_t *object, const json_t *field)
{
    struct live_field live = { 0 };
    struct digest want;
    const char *pointer = json_string_value(json_object_get(field, "pointer"));
    if (!pointer || !is_ok(look(object, pointer, &live)))
        return false;
    if (json_is_true(json_object_get(field, "absent")))
        return !live.exists;
    return live.exists && is_ok(json_digest_at(field, "sha256", &want)) && digest_equal(&want, &live.sha256);
}

static bool post_holds(const json_t *object, const json_t *details)
{
    const json_t *post = json_object_get(details, "post");
    for (size_t i = 0; i < json_array_size(post); i++)
        if (!holds(object, json_array_get(post, i)))
            return false;
    return true;
}

static result read_object(const json_t *v, const json_t *details, struct target_answer *ret)
{
    const json_t *metadata = json_object_get(v, "metadata");
    if (!is_object(v, details))
        return fail(E_read_failed);
    TRY(read_version(metadata, "uid", ret->uid));
    TRY(read_version(metadata, "resourceVersion", ret->version));
    return read_fields(v, json_object_get(details, "fields"), ret);
}

/* The API server's own word that this object isn't there. A 404 of a proxy, or of a version that isn't served, says nothing of it.
 */
static bool is_missing(const json_t *v, const json_t *details)
{
    const char *reason = json_string_value(json_object_get(v, "reason"));
    const json_t *name = json_object_get(json_object_get(v, "details"), "name");
    return is_status(v) && reason && span_is(span_text(reason), "NotFound") && is_same(name, json_object_get(details, "name"));
}

result kubernetes_answer(enum call_use use, const json_t *details, uint32_t status, struct span body, struct target_answer *ret)
{
    AUTO_JSON *v = NULL;
    bool success = status >= 200 && status <= 299, secret = json_is_true(json_object_get(details, "secret"));
    struct target_answer a = { .post_holds = success && !json_array_size(json_object_get(details, "post")) };
    result r = json_foreign(body, ANSWER_MAX, &v);
    if (is_ok(r) && !success)
        r = read_status(v, secret, &a);
    else if (is_ok(r))
        r = read_object(v, details, &a);
    if (use == CALL_READ && status == 404 && code_of(r) != E_no_memory && !(is_ok(r) && is_missing(v, details)))
        return fail(E_read_failed);
    if (code_of(r) == E_no_memory || (use == CALL_READ && success && !is_ok(r)))
        return code_of(r) == E_no_memory ? r : fail(E_read_failed);
    if (success && is_ok(r))
        a.post_holds = post_holds(v, details);
    *ret = a;
    return OK;
}
