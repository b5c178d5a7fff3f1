#include "config.h"

#include "policy/fields.h"

#define WAIT_MS_MAX 60000

/* docs/formats.md: a request's core is its payload without iat and wait_ms. */
static result core_digest(const json_t *request, struct digest *ret)
{
    AUTO_JSON *core = json_copy((json_t *)request);
    if (!core)
        return fail(E_no_memory);
    json_object_del(core, "iat");
    json_object_del(core, "wait_ms");
    return json_digest(core, ret);
}

result request_parse(struct span payload, struct request *ret)
{
    struct request q = { .digest = sha256(payload) };
    const json_t *mutation;
    struct parameters parameters;
    AUTO_JSON *v = NULL;
    TRY(json_strict(payload, JWS_PAYLOAD_MAX, &v));
    TRY(json_closed(v, (const char *const[]){ "certificate", "iat", "id", "mutation", "wait_ms", NULL }));
    TRY(json_digest_at(v, "certificate", &q.certificate));
    TRY(field_name(v, "id", NAME_LEN, q.id));
    TRY(field_time(v, "iat", &q.iat));
    TRY(json_int(v, "wait_ms", 0, WAIT_MS_MAX, &q.wait_ms));
    TRY(json_object_at(v, "mutation", &mutation));
    TRY(json_closed(mutation, (const char *const[]){ "operation", "parameters", "resource", "target", NULL }));
    TRY(mutation_read(mutation, &q.mutation, &parameters));
    fields_free(&parameters.fields); /* their digest is the mutation's, and rule_match compares that */
    TRY(core_digest(v, &q.core));
    *ret = q;
    return OK;
}
