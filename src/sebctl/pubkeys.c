#include "config.h"

#include "sebctl/sebctl.h"

#define TRUST_MINT_MAX 64

/* In the order in which they are printed; the first three are struct instance's. */
enum role { ROLE_ATTESTATION, ROLE_RECORD, ROLE_MINT, ROLE_POLICY, ROLE_REVOCATION, ROLES };
static const char *const role_names[ROLES] = { "attestation", "record", "mint", "policy", "revocation" };

static const struct pubkey *key_of(const struct instance *i, const struct config *c, enum role role)
{
    return role <= ROLE_MINT ? i->key[role] : role == ROLE_POLICY ? c->policy_key : c->revocation_key;
}

static result print_pem(struct sebctl_args *a, const struct instance *i)
{
    AUTO_BUF pem = BUF(4096);
    for (unsigned role = 0; role < ROLES; role++)
        if (span_is(span_text(a->value[OPT_PEM]), role_names[role])) {
            TRY(pubkey_pem(key_of(i, a->config, role), &pem));
            return sebctl_print(buf_span(&pem));
        }
    a->about = "--pem: attestation, record, mint, policy or revocation";
    return fail(E_usage);
}

static result put_jwk(json_t *o, const char *name, const struct pubkey *k)
{
    json_t *jwk = NULL;
    TRY(pubkey_jwk(k, &jwk));
    return json_put_new(o, name, jwk);
}

/* What seb-audit computes a credential's claims with. */
static result put_audiences(const struct config *c, json_t *o)
{
    json_t *audiences = json_object();
    TRY(json_put_new(o, "audiences", audiences));
    for (unsigned i = 0; i < c->targets; i++)
        TRY(json_put_text(audiences, c->target[i].name, c->target[i].audience));
    return OK;
}

/* Of targets that have issuers of ours, what their credentials' iss begins with, and whether groups are in them. */
static result put_issuers(const struct config *c, json_t *o)
{
    json_t *issuers = json_object(), *mappings = json_object();
    TRY(json_put_new(o, "issuers", issuers));
    TRY(json_put_new(o, "mappings", mappings));
    for (unsigned i = 0; i < c->targets; i++) {
        const struct config_target *t = &c->target[i];
        if (!t->issuer[0])
            continue;
        TRY(json_put_text(issuers, t->name, t->issuer));
        TRY(json_put_text(mappings, t->name, t->groups ? "groups" : "extra"));
    }
    if (json_object_size(issuers))
        return OK;
    json_object_del(o, "issuers");
    json_object_del(o, "mappings");
    return OK;
}

static result put_mint_key(json_t *list, const struct pubkey *k)
{
    json_t *jwk = NULL;
    TRY(pubkey_jwk(k, &jwk));
    return json_array_append_new(list, jwk) ? fail(E_no_memory) : OK;
}

/* docs/formats.md, "Trust file". There can be several mint keys: one for each revocation epoch. */
static result print_trust(const struct sebctl_args *a, const struct instance *i)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF origin = BUF(256);
    json_t *mint = json_array();
    TRY(json_put_new(o, "mint", mint));
    TRY(put_mint_key(mint, i->key[ROLE_MINT]));
    for (unsigned n = i->retired_n; n-- > 0 && json_array_size(mint) < TRUST_MINT_MAX;)
        if (i->retired[n].role == ROLE_MINT)
            TRY(put_mint_key(mint, i->retired[n].key));
    TRY(put_audiences(a->config, o));
    TRY(put_issuers(a->config, o));
    TRY(config_origin(a->config, &origin));
    TRY(json_put_span(o, "origin", buf_span(&origin)));
    TRY(json_put_text(o, "domain", a->config->domain));
    TRY(json_put_text(o, "instance", a->config->instance));
    for (unsigned role = 0; role < ROLES; role++)
        if (role != ROLE_MINT)
            TRY(put_jwk(o, role_names[role], key_of(i, a->config, role)));
    return sebctl_print_json(o);
}

static result print_json(const struct sebctl_args *a, const struct instance *i)
{
    AUTO_JSON *all = json_object();
    for (unsigned role = 0; role < ROLES; role++) {
        const struct pubkey *k = key_of(i, a->config, role);
        json_t *o = json_object();
        TRY(json_put_new(all, role_names[role], o));
        TRY(json_put_digest(o, "kid", pubkey_thumbprint(k)));
        TRY(put_jwk(o, "jwk", k));
    }
    return sebctl_print_json(all);
}

static result print_lines(const struct sebctl_args *a, const struct instance *i)
{
    AUTO_BUF out = BUF(4096);
    for (unsigned role = 0; role < ROLES; role++) {
        char kid[DIGEST_TEXT + 1];
        const struct pubkey *k = key_of(i, a->config, role);
        const char *what = role <= ROLE_MINT ? "this instance's" : "pinned";
        digest_text(pubkey_thumbprint(k), kid);
        TRY(buf_printf(&out, "%-12s %s  %s, %s\n", role_names[role], kid, alg_name(pubkey_alg(k)), what));
    }
    return sebctl_print(buf_span(&out));
}

result sebctl_pubkeys(struct sebctl_args *a)
{
    struct instance i = { .key = { NULL } };
    unsigned forms = !!a->value[OPT_JSON] + !!a->value[OPT_PEM] + !!a->value[OPT_TRUST];
    if (forms > 1) {
        a->about = "--json, --pem and --trust: one of them";
        return fail(E_usage);
    }
    a->about = "instance.json";
    TRY(instance_load(a->config, &i));
    a->about = "pubkeys";
    result r = a->value[OPT_PEM]     ? print_pem(a, &i)
               : a->value[OPT_TRUST] ? print_trust(a, &i)
               : a->value[OPT_JSON]  ? print_json(a, &i)
                                     : print_lines(a, &i);
    instance_free(&i);
    return r;
}
