/* What sebctl rekey left behind for the log: state_dir/rekey.json, {"new", "old", "statement"} as in the entry, and rekey.jws. It
 * becomes the first record of the run: from there on notes are the new record key's. Then the file gets another name. */
#include "config.h"

#include "base/log.h"
#include "core/loop.h"

#include <errno.h>
#include <stdio.h>

#define REKEY "rekey.json"
#define REKEY_RECORDED "rekey.recorded.json"
#define STATEMENT "rekey.jws" /* the old record key's word for the new keys */
#define REKEY_MAX (64 * 1024)

static result read_kids(const json_t *o, const char *name, struct digest ret[ROLES])
{
    const json_t *kids;
    TRY(json_object_at(o, name, &kids));
    for (unsigned i = 0; i < ROLES; i++)
        TRY(json_digest_at(kids, key_role_name(i), &ret[i]));
    return OK;
}

static result parse(struct span text, struct rekey_entry *ret)
{
    AUTO_JSON *v = NULL;
    TRY(json_strict(text, REKEY_MAX, &v));
    TRY(json_closed(v, (const char *const[]){ "new", "old", "statement", NULL }));
    TRY(read_kids(v, "new", ret->new_kid));
    TRY(read_kids(v, "old", ret->old_kid));
    ret->has_statement = !json_is_null(json_object_get(v, "statement"));
    return ret->has_statement ? json_digest_at(v, "statement", &ret->statement) : OK;
}

static result file_name(struct core *c, const char *name, struct buf *path)
{
    return config_state_path(c->config, name, path);
}

static void put_aside(struct core *c, uint64_t about, uint64_t index)
{
    AUTO_BUF from = BUF(512), to = BUF(512);
    bool moved = is_ok(file_name(c, REKEY, &from)) && is_ok(file_name(c, REKEY_RECORDED, &to)) &&
                 rename((const char *)from.p, (const char *)to.p) == 0;
    if (!moved)
        log_result(LOG_WARNING, REKEY " is recorded and can't be renamed", fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno));
}

/* The attestation and the record key: the mint key changes with each epoch. */
static bool holds(const struct digest *attestation, const struct digest *record, const struct digest kid[ROLES])
{
    return digest_equal(attestation, &kid[ROLE_ATTESTATION]) && digest_equal(record, &kid[ROLE_RECORD]);
}

static bool is_done(const struct entry *e, const struct rekey_entry *k)
{
    if (e->type == ENTRY_REKEY)
        return holds(&e->rekey.new_kid[ROLE_ATTESTATION], &e->rekey.new_kid[ROLE_RECORD], k->new_kid);
    const struct key_identity *key = e->start.key;
    bool old = holds(&key[ROLE_ATTESTATION].kid, &key[ROLE_RECORD].kid, k->old_kid) &&
               digest_equal(&key[ROLE_MINT].kid, &k->old_kid[ROLE_MINT]);
    return !old && holds(&key[ROLE_ATTESTATION].kid, &key[ROLE_RECORD].kid, k->new_kid);
}

/* The run that recorded it may have died before it renamed the file: then the newest start is one with the new keys. */
static result is_recorded(struct core *c, const struct rekey_entry *k, bool *ret)
{
    *ret = false;
    for (uint64_t index = c->head; index > 0; index--) {
        AUTO_BUF text = BUF(ENTRY_MAX);
        struct entry e;
        TRY(store_read_entry(c->reader, index - 1, &text));
        TRY(entry_read(buf_span(&text), &e));
        if (e.type == ENTRY_START || e.type == ENTRY_REKEY) {
            *ret = is_done(&e, k);
            return OK;
        }
    }
    return OK;
}

/* Beside the log under the digest that the entry names. */
static result put_statement(struct core *c, const struct rekey_entry *k, struct record *r)
{
    AUTO_BUF path = BUF(512), text = BUF(REKEY_MAX);
    if (!k->has_statement)
        return OK;
    TRY(file_name(c, STATEMENT, &path));
    TRY(file_read((const char *)path.p, REKEY_MAX, &text));
    struct digest d = sha256(buf_span(&text));
    return digest_equal(&d, &k->statement) ? record_blob(r, BLOB_DOCUMENT, &d, buf_span(&text)) : fail(E_key_mismatch);
}

result rekey_record(struct core *c)
{
    AUTO_BUF path = BUF(512), text = BUF(REKEY_MAX);
    AUTO_RECORD *r = NULL;
    struct entry e = { .type = ENTRY_REKEY };
    bool recorded = false;
    TRY(file_name(c, REKEY, &path));
    result found = file_read((const char *)path.p, REKEY_MAX, &text);
    if (code_of(found) == E_io && foreign_code(found) == ENOENT)
        return OK;
    TRY(found);
    TRY(parse(buf_span(&text), &e.rekey));
    if (!holds(&c->key[ROLE_ATTESTATION].kid, &c->key[ROLE_RECORD].kid, e.rekey.new_kid)) {
        if (!holds(&c->key[ROLE_ATTESTATION].kid, &c->key[ROLE_RECORD].kid, e.rekey.old_kid))
            return fail(E_key_mismatch);
        log_line(LOG_WARNING, "sebctl rekey was cut off, and the old keys are in use: run it again");
        return OK;
    }
    TRY(is_recorded(c, &e.rekey, &recorded));
    if (recorded) {
        put_aside(c, 0, NO_INDEX);
        return OK;
    }
    TRY(record_new(c, &e, &r));
    TRY(put_statement(c, &e.rekey, r));
    return record_put(&r, put_aside, 0);
}
