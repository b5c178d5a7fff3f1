#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/loop.h"
#include "merkle/checkpoint.h"

#include <stdlib.h>

#define DATABASE "log.db"

static result last_time(struct core *c, int64_t *ret)
{
    uint64_t size = store_frontier(c->store)->size;
    AUTO_BUF text = BUF(ENTRY_MAX);
    struct entry e;
    if (!size) {
        *ret = 0;
        return OK;
    }
    TRY(store_read_entry(c->reader, size - 1, &text));
    TRY(entry_read(buf_span(&text), &e));
    *ret = e.time;
    return OK;
}

result start_store(struct core *c)
{
    AUTO_BUF path = BUF(512);
    AUTO_BUF note = BUF(NOTE_MAX);
    struct journal_args args = { .keeper = c->keeper };
    TRY(config_state_path(c->config, DATABASE, &path));
    TRY(store_open((const char *)path.p, &c->store));
    TRY(store_reader_open((const char *)path.p, &c->reader));
    TRY(last_time(c, &args.last_time_ms));
    result r = store_read_newest_checkpoint(c->reader, &args.signed_size, &note);
    if (code_of(r) != E_not_found)
        TRY(r);
    args.store = c->store;
    args.note = buf_span(&note);
    return journal_new(&args, &c->journal);
}

/* The keys' identities and what proves them to be in hardware: kept until the start is recorded. */
struct starting {
    struct core *core;
    struct entry entry;
    struct buf evidence[ROLES];
    struct ticket ticket;
};

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

static result read_keys(struct core *c, struct starting *s, struct span json)
{
    static const char *const roles[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };
    AUTO_JSON *v = NULL;
    const json_t *keys;
    AUTO_BUF run = BUF(RUN_SIZE);
    TRY(json_strict(json, LINK_PACKET_MAX, &v));
    TRY(json_bytes_at(v, "run", RUN_SIZE, &run));
    TRY(span_copy(buf_span(&run), c->run, RUN_SIZE));
    TRY(json_object_at(v, "keys", &keys));
    for (unsigned i = 0; i < ROLES; i++) {
        s->evidence[i] = BUF(STORE_BLOB_MAX);
        TRY(read_key(keys, roles[i], &c->key[i], &s->evidence[i]));
        s->entry.start.key[i] = c->key[i];
    }
    return OK;
}

static void starting_free(struct starting *s)
{
    for (unsigned i = 0; i < ROLES; i++)
        buf_free(&s->evidence[i]);
    free(s);
}

static result resume(struct core *c)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    struct merkle_source source = store_source(c->reader);
    struct frontier f;
    struct resume_message m = { .size = journal_signed_size(c->journal), .note = journal_note(c->journal) };
    TRY(merkle_frontier(&source, m.size, &f));
    m.n = f.n;
    for (unsigned i = 0; i < f.n; i++)
        m.hash[i] = f.hash[i];
    TRY(resume_put(&fields, &m));
    return link_send(c->keeper, MESSAGE_RESUME, 0, buf_span(&fields));
}

result start_keys(struct core *c, struct span fields)
{
    struct span json;
    if (c->starting)
        return fail(E_illegal_message);
    TRY(text_read(fields, &json));
    struct starting *s = calloc(1, sizeof *s);
    if (!s)
        return fail(E_no_memory);
    s->core = c;
    c->starting = s;
    TRY(read_keys(c, s, json));
    return resume(c);
}

static void started(struct ticket *t, result r)
{
    struct starting *s = t->context;
    struct core *c = s->core;
    starting_free(s);
    if (!is_ok(r))
        child_abort("the start can't be recorded", r);
    r = recover_open(c);
    if (!is_ok(r))
        child_abort("open decisions can't be read", r);
    c->serving = true;
    r = child_ready(&c->child);
    if (!is_ok(r))
        child_abort("the supervisor can't be told", r);
}

result start_resumed(struct core *c)
{
    struct starting *s = c->starting;
    if (!s)
        return fail(E_illegal_message);
    struct start_entry *start = &s->entry.start;
    link_phase_set(c->keeper, PHASE_SERVING);
    TRY(journal_replay(c->journal, c->reader));
    TRY(admin_restore(c));
    s->entry.type = ENTRY_START;
    s->entry.time = journal_now(c->journal);
    start->config = c->config->digest;
    TRY(span_copy(SPAN(c->run), start->run, RUN_SIZE));
    TRY(span_copy_text(span_text(c->config->domain), start->domain, sizeof start->domain));
    TRY(span_copy_text(span_text(c->config->instance), start->instance, sizeof start->instance));
    TRY(span_copy_text(span_text("seb " PACKAGE_VERSION), start->program, sizeof start->program));
    for (unsigned i = 0; i < ROLES; i++)
        TRY(store_batch_blob(journal_batch(c->journal), BLOB_EVIDENCE, &start->key[i].evidence, buf_span(&s->evidence[i])));
    struct placed placed;
    TRY(journal_add(c->journal, &s->entry, NULL, &placed));
    s->ticket = (struct ticket){ .index = placed.index, .until = UNTIL_SIGNED, .context = s, .done = started };
    journal_wait(c->journal, &s->ticket);
    c->keys_since_ms = s->entry.time;
    return OK;
}

void start_undo(struct core *c)
{
    struct work *w, *next;
    struct agent *a, *other;
    HASH_ITER(hh_id, c->by_id, w, next)
    work_free(c, w);
    HASH_ITER(hh, c->agents, a, other)
    {
        HASH_DEL(c->agents, a);
        free(a);
    }
    journal_free(c->journal);
    store_reader_close(c->reader);
    store_close(c->store);
    keycache_free(c->keys);
    policy_free(c->policy);
    link_free(c->front);
    link_free(c->keeper);
    link_free(c->runner);
    child_end(&c->child);
}
