#include <config.h>

#include "config/config.h"

#include <errno.h>
#include <stdio.h>

#define INSTANCE_MAX 65536

const char *const instance_roles[INSTANCE_ROLES] = { "attestation", "record", "mint" };

static result path_of(const struct config *c, struct buf *out)
{
    return config_state_path(c, "instance.json", out);
}

static result keys_read(const json_t *o, struct instance *i)
{
    static const char *const names[] = { "attestation", "record", "mint", NULL };
    const json_t *keys;
    TRY(json_object_at(o, "keys", &keys));
    TRY(json_closed(keys, names));
    for (unsigned n = 0; n < INSTANCE_ROLES; n++) {
        const json_t *jwk;
        TRY(json_object_at(keys, instance_roles[n], &jwk));
        TRY(pubkey_from_jwk(jwk, &i->key[n]));
    }
    return OK;
}

static bool role_named(const char *name, unsigned *ret)
{
    for (*ret = 0; *ret < INSTANCE_ROLES; ++*ret)
        if (span_is(span_text(name), instance_roles[*ret]))
            return true;
    return false;
}

static result retired_read(const json_t *o, struct instance *i)
{
    static const char *const names[] = { "jwk", "role", NULL };
    const json_t *list, *jwk;
    json_t *row;
    size_t n;
    TRY(json_array_at(o, "retired", 0, INSTANCE_RETIRED, &list));
    json_array_foreach (list, n, row) {
        const char *role;
        TRY(json_closed(row, names));
        TRY(json_text(row, "role", 16, &role));
        TRY(json_object_at(row, "jwk", &jwk));
        if (!role_named(role, &i->retired[n].role))
            return fail(E_bad_value);
        TRY(pubkey_from_jwk(jwk, &i->retired[n].key));
        i->retired_n++;
    }
    return OK;
}

static result name_read(const json_t *o, const char *member, char *to, size_t room)
{
    const char *text;
    TRY(json_text(o, member, room - 1, &text));
    snprintf(to, room, "%s", text);
    return OK;
}

static result instance_read(const json_t *o, const struct config *c, struct instance *i)
{
    static const char *const names[] = { "domain", "instance", "keys", "mint_epoch", "retired", NULL };
    TRY(json_closed(o, names));
    TRY(name_read(o, "domain", i->domain, sizeof i->domain));
    TRY(name_read(o, "instance", i->instance, sizeof i->instance));
    if (!span_is(span_text(i->domain), c->domain) || !span_is(span_text(i->instance), c->instance))
        return fail(E_key_mismatch);
    TRY(keys_read(o, i));
    /* An instance that was initialized before there were keys bound to an approved state has neither. */
    i->mint_epoch = INSTANCE_NO_EPOCH;
    if (json_has(o, "mint_epoch"))
        TRY(json_int(o, "mint_epoch", INSTANCE_NO_EPOCH, JSON_INT_MAX, &i->mint_epoch));
    return json_has(o, "retired") ? retired_read(o, i) : OK;
}

result instance_load(const struct config *c, struct instance *ret)
{
    AUTO_BUF path = BUF(512);
    AUTO_BUF text = BUF(INSTANCE_MAX);
    AUTO_JSON *o = NULL;
    struct instance i = { .key = { NULL } };
    TRY(path_of(c, &path));
    result r = file_read((const char *)path.p, INSTANCE_MAX, &text);
    if (foreign_of(r) == FOREIGN_ERRNO && foreign_code(r) == ENOENT)
        return fail_foreign(E_key_missing, FOREIGN_ERRNO, ENOENT);
    TRY(r);
    TRY(json_strict(buf_span(&text), INSTANCE_MAX, &o));
    r = instance_read(o, c, &i);
    if (!is_ok(r)) {
        instance_free(&i);
        return r;
    }
    *ret = i;
    return OK;
}

static result put_retired(const struct instance *i, json_t *o)
{
    json_t *list = json_array();
    TRY(json_put_new(o, "retired", list));
    for (unsigned n = 0; n < i->retired_n; n++) {
        json_t *row = json_object(), *jwk = NULL;
        if (!row || json_array_append_new(list, row))
            return fail(E_no_memory);
        TRY(json_put_text(row, "role", instance_roles[i->retired[n].role]));
        TRY(pubkey_jwk(i->retired[n].key, &jwk));
        TRY(json_put_new(row, "jwk", jwk));
    }
    return OK;
}

static result instance_text(const struct instance *i, struct buf *out)
{
    AUTO_JSON *o = json_object();
    json_t *keys = json_object();
    TRY(json_put_new(o, "keys", keys));
    TRY(json_put_text(o, "domain", i->domain));
    TRY(json_put_text(o, "instance", i->instance));
    TRY(json_put_int(o, "mint_epoch", i->mint_epoch));
    TRY(put_retired(i, o));
    for (unsigned n = 0; n < INSTANCE_ROLES; n++) {
        json_t *jwk = NULL;
        TRY(pubkey_jwk(i->key[n], &jwk));
        TRY(json_put_new(keys, instance_roles[n], jwk));
    }
    TRY(json_canonical(o, out));
    return buf_text(out, "\n");
}

result instance_write(const struct config *c, const struct instance *i, bool *ret_made)
{
    AUTO_BUF path = BUF(512);
    AUTO_BUF text = BUF(INSTANCE_MAX);
    AUTO_BUF there = BUF(INSTANCE_MAX);
    TRY(path_of(c, &path));
    TRY(instance_text(i, &text));
    result r = file_write((const char *)path.p, buf_span(&text), 0644, false);
    if (code_of(r) != E_exists) {
        TRY(r);
        *ret_made = true;
        return OK;
    }
    TRY(file_read((const char *)path.p, INSTANCE_MAX, &there));
    if (!span_equal(buf_span(&there), buf_span(&text)))
        return fail(E_exists);
    *ret_made = false;
    return OK;
}

result instance_update(const struct config *c, const struct instance *i)
{
    AUTO_BUF path = BUF(512);
    AUTO_BUF text = BUF(INSTANCE_MAX);
    TRY(path_of(c, &path));
    TRY(instance_text(i, &text));
    return file_write((const char *)path.p, buf_span(&text), 0644, true);
}

static bool is_retired(const struct instance *i, unsigned role, const struct pubkey *key)
{
    for (unsigned n = 0; n < i->retired_n; n++)
        if (i->retired[n].role == role && pubkey_equal(i->retired[n].key, key))
            return true;
    return false;
}

/* Attestation and record keys are few, and what they signed is as long as the log; mint keys are many, their credentials lived for
 * seconds, and the log's own entries hold each one. */
static bool forget_oldest_mint_key(struct instance *i)
{
    unsigned oldest = 0;
    while (oldest < i->retired_n && i->retired[oldest].role != 2)
        oldest++;
    if (oldest == i->retired_n)
        return false;
    pubkey_free(i->retired[oldest].key);
    i->retired_n--;
    for (unsigned n = oldest; n < i->retired_n; n++)
        i->retired[n] = i->retired[n + 1];
    return true;
}

result instance_retire(struct instance *i, unsigned role, struct pubkey *key)
{
    if (role >= INSTANCE_ROLES)
        return fail(E_bad_value);
    if (is_retired(i, role, key))
        return OK;
    if (i->retired_n == INSTANCE_RETIRED && !forget_oldest_mint_key(i))
        return fail(E_too_long);
    i->retired[i->retired_n].role = role;
    i->retired[i->retired_n++].key = pubkey_hold(key);
    return OK;
}

void instance_free(struct instance *i)
{
    for (unsigned n = 0; n < INSTANCE_ROLES; n++) {
        pubkey_free(i->key[n]);
        i->key[n] = NULL;
    }
    for (unsigned n = 0; n < i->retired_n; n++)
        pubkey_free(i->retired[n].key);
    i->retired_n = 0;
}
