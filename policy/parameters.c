/* A mutation: what is asked for, in a contract and in a request alike (docs/formats.md, "Contract"). */
#include "config.h"

#include "policy/fields.h"

#define GRACE_MAX_S 86400

/* RFC 9110 section 5.6.2 (token), and what joins tokens to a media type. */
static bool is_media_type_character(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           span_find(span_text("!#$%&'*+-.^_`|~/;= "), 0, c) < span_text("!#$%&'*+-.^_`|~/;= ").n;
}

static result media_type_read(const json_t *o, char ret[MEDIA_TYPE_LEN + 1])
{
    const char *text;
    TRY(json_text(o, "media_type", MEDIA_TYPE_LEN, &text));
    struct span s = span_text(text);
    /* RFC 9110 section 5.5: HTTP strips space at a field's ends, so what arrived would not be what was certified. */
    if (s.p[0] == ' ' || s.p[s.n - 1] == ' ')
        return fail(E_bad_value);
    for (size_t i = 0; i < s.n; i++)
        if (!is_media_type_character(s.p[i]))
            return fail(E_bad_value);
    ret[s.n] = 0;
    return span_copy(s, ret, s.n);
}

static result body_read(const json_t *parameters, struct body_ref *ret)
{
    const json_t *o;
    if (!json_has(parameters, "body"))
        return OK;
    TRY(json_object_at(parameters, "body", &o));
    TRY(json_closed(o, (const char *const[]){ "length", "media_type", "sha256", NULL }));
    TRY(json_int(o, "length", 0, BODY_BYTES_MAX, &ret->length));
    TRY(media_type_read(o, ret->media_type));
    TRY(json_digest_at(o, "sha256", &ret->sha256));
    ret->present = true;
    return OK;
}

/* What it makes of the object is said by value: a credential holds the call to it, and a digest alone holds nothing. */
static result fields_of(const json_t *o, struct fields *ret)
{
    if (!json_has(o, "fields"))
        return OK;
    TRY(fields_read(json_object_get(o, "fields"), ret));
    for (unsigned i = 0; i < ret->n; i++)
        if (!ret->field[i].value && !ret->field[i].absent)
            return fail(E_bad_value);
    return OK;
}

/* Kubernetes: 1 to 128 bytes, printable; ours are those that need no escaping in a query (RFC 3986 section 3.4). */
static result field_manager_read(const json_t *o, char ret[MANAGER_LEN + 1])
{
    const char *text;
    if (!json_has(o, "field_manager"))
        return OK;
    TRY(json_text(o, "field_manager", MANAGER_LEN, &text));
    struct span s = span_text(text);
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_character(s.p[i]) && s.p[i] != '/' && s.p[i] != ':')
            return fail(E_bad_value);
    return span_copy_text(s, ret, MANAGER_LEN + 1);
}

/* Kubernetes meta/v1, DeletionPropagation. */
static result propagation_read(const json_t *o, char ret[PROPAGATION_LEN + 1])
{
    static const char *const known[] = { "Background", "Foreground", "Orphan" };
    const char *text;
    if (!json_has(o, "propagation"))
        return OK;
    TRY(json_text(o, "propagation", PROPAGATION_LEN, &text));
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (text_equal(text, known[i]))
            return span_copy_text(span_text(text), ret, PROPAGATION_LEN + 1);
    return fail(E_bad_value);
}

static result members_read(const json_t *o, struct parameters *p)
{
    TRY(json_closed(o, (const char *const[]){ "body", "field_manager", "fields", "force", "grace_s", "propagation", NULL }));
    TRY(body_read(o, &p->body));
    TRY(field_manager_read(o, p->field_manager));
    TRY(propagation_read(o, p->propagation));
    if (json_has(o, "force"))
        TRY(json_flag(o, "force", &p->force));
    if (json_has(o, "grace_s"))
        TRY(json_int(o, "grace_s", 0, GRACE_MAX_S, &p->grace_s));
    TRY(json_digest(o, &p->digest));
    return fields_of(o, &p->fields);
}

static result parameters_read(const json_t *o, struct parameters *ret)
{
    struct parameters p = { .grace_s = GRACE_NONE };
    result r = members_read(o, &p);
    if (is_ok(r))
        *ret = p;
    else
        fields_free(&p.fields);
    return r;
}

result mutation_read(const json_t *o, struct mutation *ret, struct parameters *ret_parameters)
{
    struct mutation m = { 0 };
    struct parameters p;
    const json_t *parameters;
    TRY(field_name(o, "target", NAME_LEN, m.target));
    TRY(field_name(o, "operation", OPERATION_LEN, m.operation));
    TRY(field_text(o, "resource", RESOURCE_LEN, m.resource));
    TRY(json_object_at(o, "parameters", &parameters));
    TRY(parameters_read(parameters, &p));
    m.body = p.body;
    m.parameters = p.digest;
    *ret = m;
    *ret_parameters = p;
    return OK;
}
