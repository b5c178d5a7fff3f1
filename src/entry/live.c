#include "config.h"

#include "entry/live.h"

#include "entry/fields.h"

#define CAUSES_N 8
#define CAUSE_TEXT_MAX 256

static const struct member live_members[] = {
    FIELD(FLAG, struct live_state, exists),
    FIELD(INDEX, struct live_state, read),
};
static const struct member content_members[] = {
    FIELD(NUMBER, struct live_state, length),
    FIELD(BYTES, struct live_state, sha256),
};
static const struct member etag_members[] = {
    FIELD(TEXT, struct live_state, etag),
};
static const struct member uid_members[] = {
    FIELD(NAME, struct live_state, uid),
};
static const struct member version_members[] = {
    FIELD_AS("resource_version", NAME, struct live_state, version),
};

/* A field's digest, or null where nothing is there. */
static result put_found(json_t *o, const struct live_state *live)
{
    AUTO_JSON *list = json_array();
    char text[DIGEST_TEXT + 1];
    if (live->fields_n > LIVE_FIELDS_MAX)
        return fail(E_bad_value);
    for (unsigned i = 0; i < live->fields_n; i++) {
        const struct live_field *f = &live->field[i];
        if (json_array_append_new(list, f->exists ? json_string(digest_text(&f->sha256, text)) : json_null()))
            return fail(E_no_memory);
    }
    return json_put_new(o, "fields", json_incref(list));
}

static result get_found(const json_t *o, struct live_state *ret)
{
    const json_t *list, *one;
    size_t i;
    TRY(json_array_at(o, "fields", 1, LIVE_FIELDS_MAX, &list));
    json_array_foreach (list, i, one) {
        struct live_field *f = &ret->field[i];
        f->exists = !json_is_null(one);
        if (f->exists && !json_is_string(one))
            return fail(E_bad_type);
        if (f->exists)
            TRY(digest_read(span_text(json_string_value(one)), &f->sha256));
    }
    ret->fields_n = (unsigned)json_array_size(list);
    return OK;
}

result live_put(json_t *o, const struct live_state *live)
{
    AUTO_JSON *to = json_object();
    TRY(fields_put(to, FIELDS(live_members), live));
    if (live->exists)
        TRY(fields_put(to, FIELDS(content_members), live));
    if (live->exists && live->has_etag)
        TRY(fields_put(to, FIELDS(etag_members), live));
    if (live->exists && live->uid[0])
        TRY(fields_put(to, FIELDS(uid_members), live));
    if (live->exists && live->version[0])
        TRY(fields_put(to, FIELDS(version_members), live));
    if (live->exists && live->fields_n)
        TRY(put_found(to, live));
    return json_put_new(o, "live", json_incref(to));
}

result live_get(const json_t *o, struct live_state *ret)
{
    const json_t *live;
    TRY(json_object_at(o, "live", &live));
    TRY(fields_get(live, FIELDS(live_members), ret));
    ret->has_etag = json_has(live, "etag");
    if (ret->exists)
        TRY(fields_get(live, FIELDS(content_members), ret));
    if (ret->has_etag)
        TRY(fields_get(live, FIELDS(etag_members), ret));
    if (json_has(live, "uid"))
        TRY(fields_get(live, FIELDS(uid_members), ret));
    if (json_has(live, "resource_version"))
        TRY(fields_get(live, FIELDS(version_members), ret));
    return json_has(live, "fields") ? get_found(live, ret) : OK;
}

static result cause_check(const json_t *cause)
{
    static const char *const names[] = { "field", "message", "reason", NULL };
    const char *text;
    TRY(json_closed(cause, names));
    if (json_object_size(cause) == 0)
        return fail(E_bad_value);
    for (unsigned i = 0; names[i]; i++)
        if (json_has(cause, names[i]))
            TRY(json_text(cause, names[i], CAUSE_TEXT_MAX, &text));
    return OK;
}

static result causes_read(struct span text, json_t **ret)
{
    AUTO_JSON *list = NULL;
    const json_t *cause;
    size_t i;
    TRY(json_strict(text, CAUSES_MAX, &list));
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > CAUSES_N)
        return fail(E_bad_value);
    json_array_foreach (list, i, cause)
        TRY(cause_check(cause));
    TRY(json_is_canonical(list, text));
    *ret = list;
    list = NULL;
    return OK;
}

result entry_causes_check(struct span text)
{
    AUTO_JSON *list = NULL;
    result r = causes_read(text, &list);
    return is_ok(r) || code_of(r) == E_no_memory ? r : fail(E_bad_value);
}

result causes_put(json_t *o, const char *causes)
{
    json_t *list = NULL;
    TRY(causes_read(span_text(causes), &list));
    return json_put_new(o, "causes", list);
}

result causes_get(const json_t *o, char ret[CAUSES_MAX + 1])
{
    AUTO_BUF text = BUF(CAUSES_MAX);
    TRY(json_canonical(json_object_get(o, "causes"), &text));
    return span_copy_text(buf_span(&text), ret, CAUSES_MAX + 1);
}
