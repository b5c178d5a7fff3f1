/* What the operator asks over the administration socket: status, and loading signed statements. A statement is in force when its
 * pinned key signed it, it follows the last one, and the keeper, who verifies it again, took it; then it goes into the log. */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/core.h"

#include <stdlib.h>

struct admin { /* a statement on its way through the keeper; they are answered in the order in which they were sent */
    struct core *core;
    uint64_t slot;
    bool restoring; /* at start: nobody waits, and the log has it */
    enum state_kind kind;
    struct digest digest;
    struct policy *policy;
    struct epoch_statement epoch;
    struct buf text; /* JWS, general serialization */
    struct ticket ticket;
    struct admin *next;
};

static void admin_free(struct admin *a)
{
    policy_free(a->policy);
    buf_free(&a->text);
    free(a);
}

static void refuse(struct core *c, uint64_t slot, result r)
{
    reply_code(c, slot, code_blame(code_of(r)) == BLAME_US ? "unavailable" : "refused", NULL, code_of(r));
}

static result verify(struct core *c, struct admin *a, const struct jws *statement)
{
    bool is_policy = a->kind == STATE_POLICY;
    struct pubkey *pinned = is_policy ? c->config->policy_key : c->config->revocation_key;
    TRY(verify_statement(pinned, is_policy ? TYP_POLICY : TYP_EPOCH, statement));
    a->digest = sha256(statement->payload);
    TRY(jws_write(statement, &a->text));
    if (is_policy) {
        TRY(policy_parse(statement->payload, &a->policy));
        return policy_follows(c->policy, a->policy, c->config->domain);
    }
    TRY(epoch_parse(statement->payload, &a->epoch));
    return epoch_follows(c->has_epoch ? &c->epoch : NULL, &a->epoch, c->config->domain);
}

static result to_keeper(struct core *c, struct admin *a, const struct jws *statement)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    TRY(statement_put(&fields, statement));
    return link_send(c->keeper, a->kind == STATE_POLICY ? MESSAGE_POLICY : MESSAGE_EPOCH, a->slot, buf_span(&fields));
}

static result begin(struct core *c, const struct admin *how, const struct jws *statement)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return fail(E_no_memory);
    *a = *how;
    a->core = c;
    a->text = BUF(STORE_BLOB_MAX);
    result r = verify(c, a, statement);
    if (is_ok(r))
        r = to_keeper(c, a, statement);
    if (!is_ok(r)) {
        admin_free(a);
        return r;
    }
    struct admin **end = &c->loading;
    while (*end)
        end = &(*end)->next;
    *end = a;
    return OK;
}

static result restore(struct core *c, enum state_kind kind)
{
    AUTO_BUF text = BUF(STORE_BLOB_MAX);
    AUTO_BUF arena = BUF(JWS_PAYLOAD_MAX * 2);
    struct jws statement;
    result r = store_read_state(c->reader, kind, &text);
    if (code_of(r) == E_not_found)
        return OK;
    TRY(r);
    TRY(jws_parse_text(buf_span(&text), &arena, &statement));
    return begin(c, &(struct admin){ .restoring = true, .kind = kind }, &statement);
}

result admin_restore(struct core *c)
{
    TRY(restore(c, STATE_POLICY));
    return restore(c, STATE_EPOCH);
}

static void put_in_force(struct core *c, struct admin *a)
{
    if (a->kind == STATE_POLICY) {
        policy_free(c->policy);
        c->policy = policy_hold(a->policy);
    } else {
        c->epoch = a->epoch;
        c->has_epoch = true;
    }
}

static result record(struct core *c, struct admin *a);

/* A statement that is in force has to be in the log before any decision under it: where the disk refused it, it goes into the very
 * next commit, ahead of all that comes later, and whoever loads it waits. */
static void recorded(struct ticket *t, result r)
{
    struct admin *a = t->context;
    if (code_of(r) == E_disk) {
        r = record(a->core, a);
        if (is_ok(r))
            return;
    }
    if (is_ok(r))
        reply_code(a->core, a->slot, "ok", NULL, E_ok);
    else
        refuse(a->core, a->slot, r);
    admin_free(a);
}

static result record(struct core *c, struct admin *a)
{
    bool is_policy = a->kind == STATE_POLICY;
    struct entry e = { .type = is_policy ? ENTRY_POLICY : ENTRY_EPOCH, .time = journal_now(c->journal) };
    if (is_policy) {
        e.policy.policy = a->digest;
        e.policy.policy_epoch = policy_epoch_of(a->policy);
    } else {
        e.epoch.statement = a->digest;
        e.epoch.epoch = a->epoch.epoch;
    }
    struct store_batch *batch = journal_batch(c->journal);
    struct store_mark mark = store_batch_mark(batch);
    struct placed placed = { .index = NO_INDEX };
    result r = journal_add(c->journal, &e, NULL, &placed);
    if (is_ok(r))
        r = store_batch_blob(batch, is_policy ? BLOB_POLICY : BLOB_EPOCH, &a->digest, buf_span(&a->text));
    if (is_ok(r))
        r = store_batch_state(batch, a->kind, buf_span(&a->text));
    if (!is_ok(r)) {
        store_batch_rewind(batch, mark);
        return r;
    }
    a->ticket = (struct ticket){ .index = placed.index, .until = UNTIL_SIGNED, .context = a, .done = recorded };
    journal_wait(c->journal, &a->ticket);
    return OK;
}

void admin_loaded(struct core *c, const struct code_message *m)
{
    struct admin *a = c->loading;
    if (!a || m->what != (a->kind == STATE_POLICY ? LOADED_POLICY : LOADED_EPOCH))
        child_abort("the keeper speaks of a statement that it wasn't sent", fail(E_illegal_message));
    c->loading = a->next;
    result r = fail((enum seb_code)m->code);
    const char *what = a->kind == STATE_POLICY ? "policy" : "revocation epoch";
    if (!is_ok(r))
        log_result(LOG_ERROR, what, r);
    else
        put_in_force(c, a);
    if (is_ok(r) && !a->restoring)
        r = record(c, a);
    else if (is_ok(r) || a->restoring) {
        admin_free(a);
        return;
    }
    if (!is_ok(r)) {
        refuse(c, a->slot, r);
        admin_free(a);
    }
}

static result put_hash(json_t *o, const char *name, struct span bytes)
{
    return json_put_b64url(o, name, bytes);
}

static result status_log(struct core *c, json_t *reply)
{
    json_t *o = json_object();
    TRY(json_put_new(reply, "log", o));
    TRY(json_put_int(o, "size", (int64_t)journal_end(c->journal)));
    TRY(json_put_int(o, "signed", (int64_t)journal_signed_size(c->journal)));
    TRY(json_put_int(o, "quoted", (int64_t)journal_quoted_size(c->journal)));
    return json_put_int(o, "unquoted_ms", journal_unquoted_ms(c->journal));
}

static result status_statements(struct core *c, json_t *reply)
{
    if (c->policy) {
        json_t *o = json_object();
        TRY(json_put_new(reply, "policy", o));
        TRY(json_put_int(o, "policy_epoch", policy_epoch_of(c->policy)));
        TRY(json_put_digest(o, "digest", policy_digest(c->policy)));
    }
    if (c->has_epoch) {
        json_t *o = json_object();
        TRY(json_put_new(reply, "epoch", o));
        TRY(json_put_int(o, "epoch", c->epoch.epoch));
        TRY(json_put_int(o, "exp", c->epoch.exp));
    }
    return OK;
}

static result status_open(struct core *c, json_t *reply)
{
    json_t *all = json_array();
    TRY(json_put_new(reply, "open", all));
    struct work *w, *next;
    HASH_ITER(hh_id, c->by_id, w, next)
    {
        if (w->stage < STAGE_SETTLE || w->stage > STAGE_CONCLUDE)
            continue;
        json_t *o = json_object();
        if (json_array_append_new(all, o))
            return fail(E_no_memory);
        TRY(json_put_int(o, "decision", (int64_t)w->decision_index));
        TRY(json_put_text(o, "stage", stage_name(w->stage)));
        TRY(json_put_text(o, "cid", w->certificate.cid));
        TRY(json_put_text(o, "target", w->certificate.contract.mutation.target));
        TRY(json_put_text(o, "resource", w->certificate.contract.mutation.resource));
        TRY(json_put_int(o, "horizon", w->horizon_ms));
    }
    return OK;
}

static result status(struct core *c, json_t *reply)
{
    static const char *const roles[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };
    TRY(json_put_text(reply, "status", "ok"));
    TRY(json_put_text(reply, "domain", c->config->domain));
    TRY(json_put_text(reply, "instance", c->config->instance));
    TRY(put_hash(reply, "run", SPAN(c->run)));
    json_t *keys = json_object();
    TRY(json_put_new(reply, "keys", keys));
    TRY(json_put_text(keys, "state", code_name(code_of(c->keys_health))));
    TRY(json_put_int(keys, "since", c->keys_since_ms));
    for (unsigned i = 0; i < ROLES; i++)
        TRY(json_put_digest(keys, roles[i], &c->key[i].kid));
    TRY(status_log(c, reply));
    TRY(status_statements(c, reply));
    TRY(json_put_int(reply, "in_flight", (int64_t)HASH_CNT(hh_id, c->by_id)));
    TRY(status_open(c, reply));
    enum seb_code obstacle = core_obstacle(c);
    TRY(json_put_flag(reply, "mutations", obstacle == E_ok));
    if (obstacle == E_ok)
        return OK;
    TRY(json_put_text(reply, "code", code_name(obstacle)));
    return json_put_text(reply, "words", code_words(obstacle));
}

void admin_receive(struct core *c, uint64_t slot, const struct admin_message *m)
{
    if (m->operation == ADMIN_STATUS) {
        json_t *reply = json_object();
        result r = reply ? status(c, reply) : fail(E_no_memory);
        if (is_ok(r)) {
            reply_json(c, slot, reply);
            return;
        }
        json_decref(reply);
        refuse(c, slot, r);
        return;
    }
    enum state_kind kind = m->operation == ADMIN_POLICY ? STATE_POLICY : STATE_EPOCH;
    result r = begin(c, &(struct admin){ .slot = slot, .kind = kind }, &m->statement);
    if (!is_ok(r))
        refuse(c, slot, r);
}
