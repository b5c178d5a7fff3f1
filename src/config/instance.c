#include <config.h>

#include "config/config.h"

#include <errno.h>
#include <stdio.h>

#define INSTANCE_MAX 4096

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
    for (unsigned n = 0; n < 3; n++) {
        const json_t *jwk;
        TRY(json_object_at(keys, instance_roles[n], &jwk));
        TRY(pubkey_from_jwk(jwk, &i->key[n]));
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
    static const char *const names[] = { "domain", "instance", "keys", NULL };
    TRY(json_closed(o, names));
    TRY(name_read(o, "domain", i->domain, sizeof i->domain));
    TRY(name_read(o, "instance", i->instance, sizeof i->instance));
    if (!span_is(span_text(i->domain), c->domain) || !span_is(span_text(i->instance), c->instance))
        return fail(E_key_mismatch);
    return keys_read(o, i);
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

static result instance_text(const struct instance *i, struct buf *out)
{
    AUTO_JSON *o = json_object();
    json_t *keys = json_object();
    TRY(json_put_new(o, "keys", keys));
    TRY(json_put_text(o, "domain", i->domain));
    TRY(json_put_text(o, "instance", i->instance));
    for (unsigned n = 0; n < 3; n++) {
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

void instance_free(struct instance *i)
{
    for (unsigned n = 0; n < 3; n++) {
        pubkey_free(i->key[n]);
        i->key[n] = NULL;
    }
}
