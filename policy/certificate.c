#include "config.h"

#include "policy/fields.h"

#define NONCE_MIN 16
#define NONCE_MAX 32
#define CRIT_MAX 8

static result nonce_check(const json_t *o)
{
    AUTO_BUF nonce = BUF(NONCE_MAX);
    TRY(json_bytes_at(o, "nonce", NONCE_MAX, &nonce));
    return nonce.n < NONCE_MIN ? fail(E_bad_value) : OK;
}

/* Extensions are ignored unless crit names them; none that could be understood is defined. */
static result extensions_check(const json_t *o)
{
    const json_t *ext = NULL, *crit, *name;
    size_t i;
    if (json_has(o, "ext"))
        TRY(json_object_at(o, "ext", &ext));
    if (!json_has(o, "crit"))
        return OK;
    TRY(json_array_at(o, "crit", 1, CRIT_MAX, &crit));
    json_array_foreach (crit, i, name) {
        if (!json_is_string(name))
            return fail(E_bad_type);
        if (!ext || !json_has(ext, json_string_value(name)))
            return fail(E_bad_value);
    }
    return fail(E_unknown_critical);
}

static result state_check(const json_t *contract, const struct digest *state)
{
    struct digest expected;
    TRY(contract_state(contract, &expected));
    return digest_equal(&expected, state) ? OK : fail(E_bad_value);
}

static result window_read(const json_t *o, struct certificate *c)
{
    TRY(field_time(o, "iat", &c->iat));
    TRY(field_time(o, "nbf", &c->nbf));
    TRY(field_time(o, "exp", &c->exp));
    return c->nbf < c->exp ? OK : fail(E_bad_value);
}

static result plain_members_read(const json_t *o, struct certificate *c)
{
    const json_t *contract;
    TRY(json_closed(o, (const char *const[]){ "aud", "cid", "cnf", "contract", "crit", "epoch", "evidence", "exp", "ext", "iat",
                           "nbf", "nonce", "policy_epoch", "risk", "state", NULL }));
    TRY(field_name(o, "aud", DOMAIN_LEN, c->aud));
    TRY(field_name(o, "cid", NAME_LEN, c->cid));
    TRY(json_object_at(o, "contract", &contract));
    TRY(contract_read(contract, &c->contract));
    TRY(json_int(o, "epoch", 0, JSON_INT_MAX, &c->epoch));
    TRY(json_int(o, "policy_epoch", 1, JSON_INT_MAX, &c->policy_epoch));
    TRY(json_digest_at(o, "evidence", &c->evidence));
    TRY(json_digest_at(o, "state", &c->state));
    TRY(state_check(contract, &c->state));
    TRY(window_read(o, c));
    TRY(nonce_check(o));
    TRY(field_risk(o, "risk", &c->risk));
    return c->risk == c->contract.risk ? extensions_check(o) : fail(E_bad_value);
}

static result agent_read(const json_t *o, struct keycache *keys, struct pubkey **ret)
{
    const json_t *cnf, *jwk;
    TRY(json_object_at(o, "cnf", &cnf));
    TRY(json_closed(cnf, (const char *const[]){ "jwk", NULL }));
    TRY(json_object_at(cnf, "jwk", &jwk));
    return keys ? keycache_get(keys, jwk, ret) : pubkey_from_jwk(jwk, ret);
}

result certificate_parse(struct span payload, struct keycache *keys, struct certificate *ret)
{
    struct certificate c = { .digest = sha256(payload) };
    AUTO_JSON *v = NULL;
    TRY(json_strict(payload, JWS_PAYLOAD_MAX, &v));
    result r = plain_members_read(v, &c);
    if (is_ok(r))
        r = agent_read(v, keys, &c.agent);
    if (is_ok(r))
        *ret = c;
    else
        certificate_free(&c);
    return r;
}

void certificate_free(struct certificate *c)
{
    pubkey_free(c->agent);
    c->agent = NULL;
    contract_free(&c->contract);
}
