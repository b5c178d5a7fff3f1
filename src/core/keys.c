/* The keys that are in use, and what proves them to be in hardware, as the keeper tells it: at the start, and again where the mint
 * key changed within the run (a new revocation epoch has a mint key of its own). */
#include "config.h"

#include "base/log.h"
#include "core/core.h"
#include "core/keys.h"

#include <stdlib.h>

static const char *const role_names[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };

const char *key_role_name(enum key_role role)
{
    return role_names[role];
}

result keys_told_new(struct keys_told **ret)
{
    struct keys_told *k = calloc(1, sizeof *k);
    if (!k)
        return fail(E_no_memory);
    for (unsigned i = 0; i < ROLES; i++)
        k->evidence[i] = BUF(STORE_BLOB_MAX);
    *ret = k;
    return OK;
}

void keys_told_free(struct keys_told *k)
{
    if (!k)
        return;
    for (unsigned i = 0; i < ROLES; i++)
        buf_free(&k->evidence[i]);
    free(k);
}

void keys_told_free_pointer(struct keys_told **k)
{
    keys_told_free(*k);
    *k = NULL;
}

static result read_key(const json_t *keys, const char *role, struct key_identity *ret, struct buf *evidence)
{
    const json_t *key;
    const char *backend;
    TRY(json_object_at(keys, role, &key));
    TRY(json_digest_at(key, "kid", &ret->kid));
    TRY(json_text(key, "backend", sizeof ret->backend - 1, &backend));
    TRY(span_copy_text(span_text(backend), ret->backend, sizeof ret->backend));
    TRY(json_bytes_at(key, "evidence", STORE_BLOB_MAX, evidence));
    ret->evidence = sha256(buf_span(evidence));
    return OK;
}

static result read_anchor(const json_t *o, struct keys_told *k)
{
    const json_t *anchor = json_object_get(o, "anchor");
    int64_t size;
    if (!anchor)
        return fail(E_missing_member);
    k->has_anchor = !json_is_null(anchor);
    if (!k->has_anchor)
        return OK;
    TRY(json_object_at(o, "anchor", &anchor));
    TRY(json_int(anchor, "size", 0, JSON_INT_MAX, &size));
    k->anchor_size = (uint64_t)size;
    return OK;
}

static result read_measured(const json_t *o, struct keys_told *k)
{
    const json_t *all;
    const char *name;
    json_t *value;
    TRY(json_object_at(o, "measured", &all));
    json_object_foreach ((json_t *)(uintptr_t)all, name, value) { /* jansson's iterator takes no const */
        if (k->measured_n == MEASURED_MAX)
            return fail(E_too_long);
        struct measured *m = &k->measured[k->measured_n++];
        TRY(span_copy_text(span_text(name), m->name, sizeof m->name));
        TRY(json_digest_at(all, name, &m->digest));
    }
    return OK;
}

result keys_told_read(struct span json, struct keys_told *ret)
{
    AUTO_JSON *v = NULL;
    const json_t *keys;
    AUTO_BUF run = BUF(RUN_SIZE);
    TRY(json_strict(json, LINK_PACKET_MAX, &v));
    TRY(json_bytes_at(v, "run", RUN_SIZE, &run));
    TRY(span_copy(buf_span(&run), ret->run, RUN_SIZE));
    TRY(json_object_at(v, "keys", &keys));
    for (unsigned i = 0; i < ROLES; i++)
        TRY(read_key(keys, role_names[i], &ret->key[i], &ret->evidence[i]));
    TRY(json_int(v, "counter", 0, JSON_INT_MAX, &ret->counter));
    TRY(read_anchor(v, ret));
    return read_measured(v, ret);
}

static result record_change(struct core *c, const struct keys_told *k)
{
    AUTO_RECORD *r = NULL;
    struct entry e = { .type = ENTRY_KEYS, .keys.epoch = c->has_epoch ? c->epoch.epoch : 0 };
    TRY(span_copy(SPAN(c->run), e.keys.run, sizeof e.keys.run));
    for (unsigned i = 0; i < ROLES; i++)
        e.keys.key[i] = k->key[i];
    TRY(record_new(c, &e, &r));
    for (unsigned i = 0; i < ROLES; i++)
        TRY(record_blob(r, BLOB_EVIDENCE, &k->key[i].evidence, buf_span(&k->evidence[i])));
    return record_put(&r, NULL, 0);
}

/* Another record or attestation key would be another instance: that takes a restart. */
result keys_changed(struct core *c, struct span json)
{
    AUTO_KEYS_TOLD *k = NULL;
    TRY(keys_told_new(&k));
    TRY(keys_told_read(json, k));
    bool same = span_equal(SPAN(k->run), SPAN(c->run));
    for (unsigned i = 0; i < ROLES; i++)
        same = same && (i == ROLE_MINT || digest_equal(&k->key[i].kid, &c->key[i].kid));
    if (!same)
        return fail(E_illegal_message);
    bool other = !digest_equal(&k->key[ROLE_MINT].kid, &c->key[ROLE_MINT].kid);
    /* The same key is told again where it is proved anew: a key in an HSM is stated by the record key, once that may sign. */
    if (!other && digest_equal(&k->key[ROLE_MINT].evidence, &c->key[ROLE_MINT].evidence))
        return OK;
    TRY(record_change(c, k));
    c->key[ROLE_MINT] = k->key[ROLE_MINT];
    char kid[DIGEST_TEXT + 1];
    if (other)
        log_line(LOG_NOTE, "the mint key is %s from now on", digest_text(&c->key[ROLE_MINT].kid, kid));
    return OK;
}
