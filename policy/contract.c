#include "config.h"

#include "policy/fields.h"

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

static result parameters_read(const json_t *parameters, struct body_ref *ret)
{
    struct body_ref body = { 0 };
    const json_t *o;
    TRY(json_closed(parameters, (const char *const[]){ "body", NULL }));
    if (json_has(parameters, "body")) {
        TRY(json_object_at(parameters, "body", &o));
        TRY(json_closed(o, (const char *const[]){ "length", "media_type", "sha256", NULL }));
        TRY(json_int(o, "length", 0, BODY_BYTES_MAX, &body.length));
        TRY(media_type_read(o, body.media_type));
        TRY(json_digest_at(o, "sha256", &body.sha256));
        body.present = true;
    }
    *ret = body;
    return OK;
}

result mutation_read(const json_t *o, struct mutation *ret)
{
    struct mutation m = { 0 };
    const json_t *parameters;
    TRY(field_name(o, "target", NAME_LEN, m.target));
    TRY(field_name(o, "operation", OPERATION_LEN, m.operation));
    TRY(field_text(o, "resource", RESOURCE_LEN, m.resource));
    TRY(json_object_at(o, "parameters", &parameters));
    TRY(parameters_read(parameters, &m.body));
    *ret = m;
    return OK;
}

static result preconditions_read(const json_t *o, struct precondition *ret)
{
    struct precondition pre = {
        .absent = json_has(o, "absent"), .has_etag = json_has(o, "etag"), .has_sha256 = json_has(o, "sha256")
    };
    TRY(json_closed(o, (const char *const[]){ "absent", "etag", "sha256", NULL }));
    if (pre.absent) {
        bool absent;
        TRY(json_flag(o, "absent", &absent));
        if (!absent || pre.has_etag || pre.has_sha256)
            return fail(E_bad_value);
    }
    if (pre.has_etag) {
        TRY(field_text(o, "etag", ETAG_LEN, pre.etag));
        if (!etag_is_strong(span_text(pre.etag)))
            return fail(E_bad_value);
    }
    if (pre.has_sha256)
        TRY(json_digest_at(o, "sha256", &pre.sha256));
    *ret = pre;
    return OK;
}

result contract_read(const json_t *o, struct contract *ret)
{
    struct contract c = { 0 };
    const json_t *preconditions, *constraints;
    TRY(json_closed(
        o, (const char *const[]){ "constraints", "operation", "parameters", "preconditions", "resource", "risk", "target", NULL }));
    TRY(mutation_read(o, &c.mutation));
    TRY(json_object_at(o, "preconditions", &preconditions));
    TRY(preconditions_read(preconditions, &c.pre));
    TRY(json_object_at(o, "constraints", &constraints));
    TRY(json_closed(constraints, (const char *const[]){ "credential_s", NULL }));
    TRY(json_int(constraints, "credential_s", 1, 60, &c.credential_s));
    TRY(field_risk(o, "risk", &c.risk));
    *ret = c;
    return OK;
}

result contract_parse(struct span text, struct contract *ret)
{
    AUTO_JSON *v = NULL;
    TRY(json_strict(text, JWS_PAYLOAD_MAX, &v));
    return contract_read(v, ret);
}

result contract_state(const json_t *contract, struct digest *ret)
{
    AUTO_JSON *seen = json_object();
    const json_t *preconditions;
    TRY(json_object_at(contract, "preconditions", &preconditions));
    if (!seen)
        return fail(E_no_memory);
    TRY(json_put_new(seen, "preconditions", json_incref((json_t *)preconditions)));
    return json_digest(seen, ret);
}
