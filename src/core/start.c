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

/* What the keeper said of the keys: kept until the start is recorded. */
struct starting {
    struct core *core;
    struct keys_told *told;
    bool resumed;
    struct ticket ticket;
};

static void starting_free(struct starting *s)
{
    keys_told_free(s->told);
    free(s);
}

/* From what the TPM remembers of the log, anchored in it, to the newest note. Where the note is of a smaller log there is no such
 * proof: the keeper names that. */
static result anchor_proof(struct core *c, const struct merkle_source *source, struct resume_message *m)
{
    const struct keys_told *told = c->starting->told;
    struct merkle_proof proof;
    if (!told->has_anchor || told->anchor_size >= m->size)
        return OK;
    TRY(merkle_consistency(source, told->anchor_size, m->size, &proof));
    if (proof.n > sizeof m->proof / sizeof m->proof[0])
        return fail(E_invariant);
    m->proof_n = proof.n;
    for (unsigned i = 0; i < proof.n; i++)
        m->proof[i] = proof.hash[i];
    return OK;
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
    TRY(anchor_proof(c, &source, &m));
    TRY(resume_put(&fields, &m));
    return link_send(c->keeper, MESSAGE_RESUME, 0, buf_span(&fields));
}

static result keys_first(struct core *c, struct span json)
{
    struct starting *s = calloc(1, sizeof *s);
    if (!s)
        return fail(E_no_memory);
    s->core = c;
    c->starting = s;
    TRY(keys_told_new(&s->told));
    TRY(keys_told_read(json, s->told));
    TRY(span_copy(SPAN(s->told->run), c->run, RUN_SIZE));
    for (unsigned i = 0; i < ROLES; i++)
        c->key[i] = s->told->key[i];
    return resume(c);
}

result start_keys(struct core *c, struct span fields)
{
    struct span json;
    TRY(text_read(fields, &json));
    if (c->started || (c->starting && c->starting->resumed))
        return keys_changed(c, json);
    return c->starting ? fail(E_illegal_message) : keys_first(c, json);
}

/* The record key may have to wait for its lease or approval: the start is in the log, signed or not, and refusals can be served. */
static void started(struct ticket *t, result r)
{
    struct starting *s = t->context;
    struct core *c = s->core;
    starting_free(s);
    c->starting = NULL;
    c->started = true;
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

static result start_entry_fill(struct core *c, const struct keys_told *told, struct start_entry *start)
{
    start->config = c->config->digest;
    TRY(span_copy(SPAN(c->run), start->run, RUN_SIZE));
    TRY(span_copy_text(span_text(c->config->domain), start->domain, sizeof start->domain));
    TRY(span_copy_text(span_text(c->config->instance), start->instance, sizeof start->instance));
    TRY(span_copy_text(span_text("seb " PACKAGE_VERSION), start->program, sizeof start->program));
    for (unsigned i = 0; i < ROLES; i++)
        start->key[i] = told->key[i];
    start->certificates_from = c->certificates_from;
    start->counter = told->counter;
    start->head = c->head;
    start->measured_n = told->measured_n;
    for (unsigned i = 0; i < told->measured_n; i++)
        start->measured[i] = told->measured[i];
    return OK;
}

static result start_record(struct core *c, struct starting *s)
{
    struct entry e = { .type = ENTRY_START, .time = journal_now(c->journal) };
    const struct keys_told *told = s->told;
    struct placed placed;
    TRY(start_entry_fill(c, told, &e.start));
    for (unsigned i = 0; i < ROLES; i++)
        TRY(store_batch_blob(journal_batch(c->journal), BLOB_EVIDENCE, &told->key[i].evidence, buf_span(&told->evidence[i])));
    TRY(journal_add(c->journal, &e, NULL, &placed));
    s->ticket = (struct ticket){ .index = placed.index, .until = UNTIL_APPENDED, .context = s, .done = started };
    journal_wait(c->journal, &s->ticket);
    c->keys_since_ms = e.time;
    return OK;
}

result start_resumed(struct core *c, const struct code_message *m)
{
    struct starting *s = c->starting;
    struct merkle_source source = store_source(c->reader);
    if (!s || s->resumed)
        return fail(E_illegal_message);
    s->resumed = true;
    link_phase_set(c->keeper, PHASE_SERVING);
    c->head = store_size(c->store);
    c->resumed.size = journal_signed_size(c->journal);
    TRY(merkle_root(&source, c->resumed.size, &c->resumed.root));
    if (m->foreign & RESUMED_UNCLEAN) {
        /* A certificate of this very second may have been used by the run before. */
        c->certificates_from = journal_now(c->journal) / 1000 + 1;
        log_line(LOG_WARNING, "the last run's end isn't anchored: certificates issued before now are refused");
    }
    attestation_init(&c->attest, journal_now(c->journal));
    TRY(journal_replay(c->journal, c->reader));
    TRY(admin_restore(c));
    TRY(rekey_record(c));
    return start_record(c, s);
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
    admin_undo(c);
    records_free(c);
    attestation_free(&c->attest);
    json_decref(c->keeper_state);
    if (c->starting)
        starting_free(c->starting);
    journal_free(c->journal);
    store_reader_close(c->reader);
    store_close(c->store);
    keycache_free(c->keys);
    policy_free(c->policy);
    buf_free(&c->policy_text);
    link_free(c->front);
    link_free(c->keeper);
    link_free(c->runner);
    child_end(&c->child);
}
