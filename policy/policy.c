#include "config.h"

#include "policy/fields.h"
#include "policy/terms.h"

#include <stdlib.h>

static result room_for(unsigned n, size_t size, void **ret)
{
    *ret = n ? calloc(n, size) : NULL;
    return n && !*ret ? fail(E_no_memory) : OK;
}

static void admit_free(struct admit *a)
{
    for (unsigned i = 0; i < a->resources_n; i++)
        free(a->resources[i].text);
    free(a->resources);
    free(a->operations);
}

static void authority_free(struct authority *a)
{
    for (unsigned i = 0; i < a->admits_n; i++)
        admit_free(&a->admits[i]);
    free(a->admits);
    pubkey_free(a->key);
}

void policy_free(struct policy *p)
{
    if (!p || __atomic_sub_fetch(&p->holders, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (unsigned i = 0; i < p->authorities_n; i++)
        authority_free(&p->authorities[i]);
    for (unsigned i = 0; i < p->freezes_n; i++)
        free(p->freezes[i].targets);
    for (unsigned i = 0; i < p->verifiers_n; i++) {
        pubkey_free(p->verifiers[i].key);
        pubkey_free(p->verifiers[i].lease);
    }
    for (unsigned i = 0; i < p->countersigners_n; i++)
        pubkey_free(p->countersigners[i]);
    free(p->authorities);
    free(p->freezes);
    free(p);
}

struct policy *policy_hold(struct policy *p)
{
    __atomic_add_fetch(&p->holders, 1, __ATOMIC_RELAXED);
    return p;
}

/* A list of names, each of at most max characters, into rows of max + 1 bytes at ret. */
static result names_read(const json_t *list, size_t max, char *ret)
{
    const json_t *one;
    size_t i;
    json_array_foreach (list, i, one)
        TRY(element_name(one, max, ret + i * (max + 1)));
    return OK;
}

static result resource_read(const json_t *o, struct resource_terms *ret)
{
    char text[RESOURCE_LEN + 1];
    TRY(json_closed(o, (const char *const[]){ "exact", "prefix", NULL }));
    if (json_has(o, "exact") == json_has(o, "prefix"))
        return fail(json_has(o, "exact") ? E_bad_value : E_missing_member);
    ret->is_prefix = json_has(o, "prefix");
    TRY(field_text(o, ret->is_prefix ? "prefix" : "exact", RESOURCE_LEN, text));
    struct span s = span_text(text);
    /* docs/formats.md: https://h/a/ doesn't cover https://h/ab. */
    if (ret->is_prefix && s.p[s.n - 1] != '/')
        return fail(E_bad_value);
    return span_dup_text(s, &ret->text);
}

static result admit_read(const json_t *o, struct admit *a)
{
    const json_t *operations, *resources;
    TRY(json_closed(o, (const char *const[]){ "operations", "resources", "risk", "target", NULL }));
    TRY(field_name(o, "target", NAME_LEN, a->target));
    TRY(field_risk(o, "risk", &a->risk));
    TRY(json_array_at(o, "operations", 1, OPERATIONS_MAX, &operations));
    TRY(room_for((unsigned)json_array_size(operations), sizeof *a->operations, (void **)&a->operations));
    a->operations_n = (unsigned)json_array_size(operations);
    TRY(names_read(operations, OPERATION_LEN, a->operations[0]));
    TRY(json_array_at(o, "resources", 1, RESOURCES_MAX, &resources));
    TRY(room_for((unsigned)json_array_size(resources), sizeof *a->resources, (void **)&a->resources));
    a->resources_n = (unsigned)json_array_size(resources);
    for (unsigned i = 0; i < a->resources_n; i++)
        TRY(resource_read(json_array_get(resources, i), &a->resources[i]));
    return OK;
}

static result authority_read(const json_t *o, struct authority *a)
{
    const json_t *jwk, *admit;
    TRY(json_closed(o, (const char *const[]){ "admit", "jwk", "name", NULL }));
    TRY(field_name(o, "name", NAME_LEN, a->name));
    TRY(json_object_at(o, "jwk", &jwk));
    TRY(pubkey_from_jwk(jwk, &a->key));
    TRY(json_array_at(o, "admit", 1, ADMITS_MAX, &admit));
    TRY(room_for((unsigned)json_array_size(admit), sizeof *a->admits, (void **)&a->admits));
    a->admits_n = (unsigned)json_array_size(admit);
    for (unsigned i = 0; i < a->admits_n; i++)
        TRY(admit_read(json_array_get(admit, i), &a->admits[i]));
    return OK;
}

/* One key under two names would count twice toward a threshold. */
static bool is_distinct(const struct policy *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (text_equal(p->authorities[i].name, p->authorities[n].name) ||
            pubkey_equal(p->authorities[i].key, p->authorities[n].key))
            return false;
    return true;
}

static result authorities_read(const json_t *o, struct policy *p)
{
    const json_t *list;
    TRY(json_array_at(o, "authorities", 1, AUTHORITIES_MAX, &list));
    TRY(room_for((unsigned)json_array_size(list), sizeof *p->authorities, (void **)&p->authorities));
    p->authorities_n = (unsigned)json_array_size(list);
    for (unsigned i = 0; i < p->authorities_n; i++) {
        TRY(authority_read(json_array_get(list, i), &p->authorities[i]));
        if (!is_distinct(p, i))
            return fail(E_bad_value);
    }
    return OK;
}

static result freeze_read(const json_t *o, struct freeze *f)
{
    const json_t *targets;
    TRY(json_closed(o, (const char *const[]){ "from", "targets", "until", NULL }));
    TRY(field_time(o, "from", &f->from));
    TRY(field_time(o, "until", &f->until));
    if (f->from >= f->until)
        return fail(E_bad_value);
    TRY(json_array_at(o, "targets", 0, FREEZE_TARGETS_MAX, &targets));
    TRY(room_for((unsigned)json_array_size(targets), sizeof *f->targets, (void **)&f->targets));
    f->targets_n = (unsigned)json_array_size(targets);
    return f->targets_n ? names_read(targets, NAME_LEN, f->targets[0]) : OK;
}

static result freezes_read(const json_t *o, struct policy *p)
{
    const json_t *list;
    TRY(json_array_at(o, "freezes", 0, FREEZES_MAX, &list));
    TRY(room_for((unsigned)json_array_size(list), sizeof *p->freezes, (void **)&p->freezes));
    p->freezes_n = (unsigned)json_array_size(list);
    for (unsigned i = 0; i < p->freezes_n; i++)
        TRY(freeze_read(json_array_get(list, i), &p->freezes[i]));
    return OK;
}

static result signatures_read(const json_t *o, struct policy *p)
{
    const json_t *levels;
    TRY(json_object_at(o, "signatures", &levels));
    TRY(json_closed(levels, (const char *const[]){ "L0", "L1", "L2", "L3", "L4", "L5", NULL }));
    for (enum risk r = RISK_L0; r < RISK_LEVELS; r++)
        TRY(json_int(levels, risk_name(r), 1, SIGNATURES_MAX, &p->signatures[r]));
    return OK;
}

static result verifier_key(const json_t *o, const char *name, struct pubkey **ret)
{
    const json_t *jwk;
    TRY(json_object_at(o, name, &jwk));
    TRY(pubkey_from_jwk(jwk, ret));
    /* TPM 2.0 Part 3, TPM2_PolicySigned: the chip verifies a lease; and a result is ES256. */
    return pubkey_alg(*ret) == ALG_ES256 ? OK : fail(E_bad_key);
}

/* A lease key signs leases and nothing else, so that no challenge or result can pass for one: all keys are distinct, and a name
 * stands for one verifier. */
static bool verifier_is_distinct(const struct policy *p, unsigned n)
{
    const struct verifier *new = &p->verifiers[n];
    if (pubkey_equal(new->key, new->lease))
        return false;
    for (unsigned i = 0; i < n; i++) {
        const struct verifier *v = &p->verifiers[i];
        if (text_equal(v->name, new->name) || pubkey_equal(v->key, new->key) || pubkey_equal(v->lease, new->lease) ||
            pubkey_equal(v->key, new->lease) || pubkey_equal(v->lease, new->key))
            return false;
    }
    return true;
}

static result verifiers_read(const json_t *o, struct policy *p)
{
    const json_t *list, *one;
    size_t i;
    TRY(json_array_at(o, "verifiers", 1, VERIFIERS_MAX, &list));
    json_array_foreach (list, i, one) {
        struct verifier *v = &p->verifiers[p->verifiers_n++]; /* what is half read is freed with the policy */
        TRY(json_closed(one, (const char *const[]){ "jwk", "lease", "name", NULL }));
        TRY(field_name(one, "name", NAME_LEN, v->name));
        TRY(verifier_key(one, "jwk", &v->key));
        TRY(verifier_key(one, "lease", &v->lease));
        if (!verifier_is_distinct(p, p->verifiers_n - 1))
            return fail(E_bad_value);
    }
    return OK;
}

/* One key that counts twice would make two signatures of one. */
static result countersigner_read(const json_t *jwk, struct policy *p)
{
    if (!json_is_object(jwk))
        return fail(E_bad_type);
    TRY(pubkey_from_jwk(jwk, &p->countersigners[p->countersigners_n]));
    unsigned n = p->countersigners_n++;
    for (unsigned i = 0; i < n; i++)
        if (pubkey_equal(p->countersigners[i], p->countersigners[n]))
            return fail(E_bad_value);
    return OK;
}

static result approval_read(const json_t *o, struct policy *p)
{
    const json_t *approval, *list, *one;
    size_t i;
    TRY(json_object_at(o, "approval", &approval));
    TRY(json_closed(approval, (const char *const[]){ "countersigners", "needed", NULL }));
    TRY(json_array_at(approval, "countersigners", 0, COUNTERSIGNERS_MAX, &list));
    json_array_foreach (list, i, one)
        TRY(countersigner_read(one, p));
    return json_int(approval, "needed", 0, p->countersigners_n, &p->countersigners_needed);
}

static result version_from_read(const json_t *o, struct policy *p)
{
    const char *text;
    TRY(json_text(o, "version_from", 5, &text));
    p->has_version_from = !text_equal(text, "never");
    if (!p->has_version_from)
        return OK;
    result r = field_risk(o, "version_from", &p->version_from);
    return code_of(r) == E_too_long ? fail(E_bad_value) : r;
}

static result secrets_read(const json_t *o, struct policy *p)
{
    const char *text;
    if (!json_has(o, "secrets"))
        return OK;
    TRY(json_text(o, "secrets", NAME_LEN, &text));
    p->secrets_unfenced = text_equal(text, "unfenced");
    return p->secrets_unfenced || text_equal(text, "refuse") ? OK : fail(E_bad_value);
}

static result hsm_read(const json_t *o, struct policy *p)
{
    const json_t *hsm;
    p->has_hsm = !json_is_null(json_object_get(o, "hsm"));
    if (!p->has_hsm)
        return OK;
    TRY(json_object_at(o, "hsm", &hsm));
    TRY(json_closed(hsm, (const char *const[]){ "manufacturer", "model", "serial", NULL }));
    TRY(field_text(hsm, "manufacturer", MANUFACTURER_LEN, p->manufacturer));
    TRY(field_text(hsm, "model", MODEL_LEN, p->model));
    return field_text(hsm, "serial", SERIAL_LEN, p->serial);
}

static result members_read(const json_t *o, struct policy *p)
{
    TRY(json_closed(
        o, (const char *const[]){ "approval", "authorities", "body_bytes", "credential_s", "domain", "freezes", "hsm",
               "policy_epoch", "request_age_s", "secrets", "signatures", "validity_s", "verifiers", "version_from", NULL }));
    TRY(field_name(o, "domain", DOMAIN_LEN, p->domain));
    TRY(json_int(o, "policy_epoch", 1, JSON_INT_MAX, &p->policy_epoch));
    TRY(json_int(o, "validity_s", 1, 86400, &p->validity_s));
    TRY(json_int(o, "credential_s", 1, 60, &p->credential_s));
    TRY(json_int(o, "request_age_s", 1, 3600, &p->request_age_s));
    TRY(json_int(o, "body_bytes", 0, BODY_BYTES_MAX, &p->body_bytes));
    TRY(version_from_read(o, p));
    TRY(secrets_read(o, p));
    TRY(hsm_read(o, p));
    TRY(signatures_read(o, p));
    TRY(authorities_read(o, p));
    TRY(verifiers_read(o, p));
    TRY(approval_read(o, p));
    return freezes_read(o, p);
}

result policy_parse(struct span payload, struct policy **ret)
{
    AUTO_JSON *v = NULL;
    TRY(json_strict(payload, JWS_PAYLOAD_MAX, &v));
    struct policy *p = calloc(1, sizeof *p);
    if (!p)
        return fail(E_no_memory);
    p->holders = 1;
    p->digest = sha256(payload);
    result r = members_read(v, p);
    if (is_ok(r))
        *ret = p;
    else
        policy_free(p);
    return r;
}

result policy_follows(const struct policy *last, const struct policy *next, const char *domain)
{
    if (!text_equal(next->domain, domain))
        return fail(E_domain_mismatch);
    return !last || next->policy_epoch > last->policy_epoch ? OK : fail(E_not_newer);
}

const struct digest *policy_digest(const struct policy *p)
{
    return &p->digest;
}

const char *policy_domain(const struct policy *p)
{
    return p->domain;
}

int64_t policy_epoch_of(const struct policy *p)
{
    return p->policy_epoch;
}

bool policy_hsm(const struct policy *p, const char **ret_manufacturer, const char **ret_model, const char **ret_serial)
{
    if (!p->has_hsm)
        return false;
    *ret_manufacturer = p->manufacturer;
    *ret_model = p->model;
    *ret_serial = p->serial;
    return true;
}

int64_t policy_credential_s(const struct policy *p)
{
    return p->credential_s;
}

unsigned policy_verifiers(const struct policy *p)
{
    return p->verifiers_n;
}

const struct pubkey *policy_verifier_key(const struct policy *p, unsigned i)
{
    return p->verifiers[i].key;
}

bool policy_names_verifier(const struct policy *p, const struct digest *kid)
{
    for (unsigned i = 0; i < policy_verifiers(p); i++)
        if (digest_equal(pubkey_thumbprint(policy_verifier_key(p, i)), kid))
            return true;
    return false;
}

const struct pubkey *policy_verifier_lease(const struct policy *p, unsigned i)
{
    return p->verifiers[i].lease;
}

const char *policy_verifier_name(const struct policy *p, unsigned i)
{
    return p->verifiers[i].name;
}

unsigned policy_countersigners(const struct policy *p)
{
    return p->countersigners_n;
}

const struct pubkey *policy_countersigner(const struct policy *p, unsigned i)
{
    return p->countersigners[i];
}

unsigned policy_countersigners_needed(const struct policy *p)
{
    return (unsigned)p->countersigners_needed;
}
