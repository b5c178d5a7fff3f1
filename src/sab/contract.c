#include "config.h"

#include "policy/documents.h"
#include "sab/sab.h"

#define CREDENTIAL_S 10 /* where a proposal leaves it to the authority */

/* Puts what was computed, or holds what the proposal says of it to that. */
static result put_or_compare(json_t *o, const char *name, json_t *computed)
{
    AUTO_JSON *mine = computed;
    if (!mine)
        return fail(E_no_memory);
    if (json_has(o, name))
        return json_equal(json_object_get(o, name), mine) ? OK : fail(E_body_mismatch);
    return json_put_new(o, name, json_incref(mine));
}

static result body_put(struct sab_args *a, json_t *proposal)
{
    AUTO_BUF body = BUF(BODY_BYTES_MAX);
    char text[DIGEST_TEXT + 1];
    const json_t *parameters, *ref;
    TRY(sab_read(a, a->value[OPT_BODY], BODY_BYTES_MAX, &body));
    struct digest d = sha256(buf_span(&body));
    TRY(json_object_at(proposal, "parameters", &parameters));
    TRY(json_object_at(parameters, "body", &ref));
    TRY(put_or_compare((json_t *)ref, "length", json_integer((json_int_t)body.n)));
    return put_or_compare((json_t *)ref, "sha256", json_string(digest_text(&d, text)));
}

static result constraints_put(json_t *proposal)
{
    if (json_has(proposal, "constraints"))
        return OK;
    AUTO_JSON *constraints = json_object();
    if (!constraints)
        return fail(E_no_memory);
    TRY(json_put_int(constraints, "credential_s", CREDENTIAL_S));
    return json_put_new(proposal, "constraints", json_incref(constraints));
}

result sab_contract(struct sab_args *a)
{
    struct contract contract = { 0 };
    AUTO_JSON *v = NULL;
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    TRY(sab_read_json(a, a->operand, &v));
    if (!json_is_object(v))
        return fail(E_bad_type);
    if (a->value[OPT_BODY])
        TRY(body_put(a, v));
    TRY(constraints_put(v));
    TRY(json_canonical(v, &text));
    TRY(contract_parse(buf_span(&text), &contract));
    contract_free(&contract);
    return sab_print(buf_span(&text));
}
