#include "config.h"

#include "entry/identity.h"

#include "entry/fields.h"

static const char *const role_names[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };

static const struct member start_fields[] = {
    FIELD(NUMBER, struct start_entry, certificates_from),
    FIELD(BYTES, struct start_entry, config),
    FIELD(NUMBER, struct start_entry, counter),
    FIELD(NAME, struct start_entry, domain),
    FIELD(INDEX, struct start_entry, head),
    FIELD(NAME, struct start_entry, instance),
    FIELD(TEXT, struct start_entry, program),
    FIELD(BYTES, struct start_entry, run),
};
static const struct member key_fields[] = {
    FIELD(WORD, struct key_identity, backend),
    FIELD(BYTES, struct key_identity, evidence),
    FIELD(BYTES, struct key_identity, kid),
};
static const struct member keys_fields[] = {
    FIELD(NUMBER, struct keys_entry, epoch),
    FIELD(BYTES, struct keys_entry, run),
};
static const struct member rekey_fields[] = {
    FIELD(BYTES, struct rekey_entry, statement),
};

static result put_identities(json_t *o, const struct key_identity key[ROLES])
{
    AUTO_JSON *keys = json_object();
    for (unsigned role = 0; role < ROLES; role++) {
        AUTO_JSON *one = json_object();
        TRY(fields_put(one, FIELDS(key_fields), &key[role]));
        TRY(json_put_new(keys, role_names[role], json_incref(one)));
    }
    return json_put_new(o, "keys", json_incref(keys));
}

static result get_identities(const json_t *o, struct key_identity ret[ROLES])
{
    const json_t *keys, *key;
    TRY(json_object_at(o, "keys", &keys));
    for (unsigned role = 0; role < ROLES; role++) {
        TRY(json_object_at(keys, role_names[role], &key));
        TRY(fields_get(key, FIELDS(key_fields), &ret[role]));
    }
    return OK;
}

static result put_measured(json_t *o, const struct start_entry *e)
{
    AUTO_JSON *all = json_object();
    if (e->measured_n > MEASURED_MAX)
        return fail(E_bad_value);
    for (unsigned i = 0; i < e->measured_n; i++) {
        if (!is_a_name(e->measured[i].name) || json_has(all, e->measured[i].name))
            return fail(E_bad_value);
        TRY(json_put_digest(all, e->measured[i].name, &e->measured[i].digest));
    }
    return json_put_new(o, "measured", json_incref(all));
}

static result get_measured(const json_t *o, struct start_entry *ret)
{
    const json_t *all;
    const char *name;
    json_t *value;
    TRY(json_object_at(o, "measured", &all));
    json_object_foreach ((json_t *)all, name, value) {
        if (ret->measured_n == MEASURED_MAX)
            return fail(E_bad_value);
        struct measured *m = &ret->measured[ret->measured_n++];
        TRY(span_copy_text(span_text(name), m->name, sizeof m->name));
        TRY(json_digest_at(all, name, &m->digest));
    }
    return OK;
}

result start_put(json_t *o, const struct start_entry *e)
{
    TRY(fields_put(o, FIELDS(start_fields), e));
    TRY(put_identities(o, e->key));
    return put_measured(o, e);
}

result start_get(const json_t *o, struct start_entry *ret)
{
    TRY(fields_get(o, FIELDS(start_fields), ret));
    TRY(get_identities(o, ret->key));
    return get_measured(o, ret);
}

result keys_put(json_t *o, const struct keys_entry *e)
{
    TRY(fields_put(o, FIELDS(keys_fields), e));
    return put_identities(o, e->key);
}

result keys_get(const json_t *o, struct keys_entry *ret)
{
    TRY(fields_get(o, FIELDS(keys_fields), ret));
    return get_identities(o, ret->key);
}

static result put_kids(json_t *o, const char *name, const struct digest kid[ROLES])
{
    AUTO_JSON *kids = json_object();
    for (unsigned role = 0; role < ROLES; role++)
        TRY(json_put_digest(kids, role_names[role], &kid[role]));
    return json_put_new(o, name, json_incref(kids));
}

static result get_kids(const json_t *o, const char *name, struct digest ret[ROLES])
{
    const json_t *kids;
    TRY(json_object_at(o, name, &kids));
    for (unsigned role = 0; role < ROLES; role++)
        TRY(json_digest_at(kids, role_names[role], &ret[role]));
    return OK;
}

result rekey_put(json_t *o, const struct rekey_entry *e)
{
    TRY(put_kids(o, "new", e->new_kid));
    TRY(put_kids(o, "old", e->old_kid));
    return e->has_statement ? fields_put(o, FIELDS(rekey_fields), e) : json_put_new(o, "statement", json_null());
}

result rekey_get(const json_t *o, struct rekey_entry *ret)
{
    TRY(get_kids(o, "new", ret->new_kid));
    TRY(get_kids(o, "old", ret->old_kid));
    ret->has_statement = !json_is_null(json_object_get(o, "statement"));
    return ret->has_statement ? fields_get(o, FIELDS(rekey_fields), ret) : OK;
}
