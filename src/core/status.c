/* What `sebctl status` asks for. */
#include "config.h"

#include "core/core.h"

static result status_log(struct core *c, json_t *reply)
{
    json_t *o = json_object();
    TRY(json_put_new(reply, "log", o));
    TRY(json_put_int(o, "size", (int64_t)journal_end(c->journal)));
    TRY(json_put_int(o, "signed", (int64_t)journal_signed_size(c->journal)));
    TRY(json_put_int(o, "quoted", (int64_t)journal_quoted_size(c->journal)));
    TRY(put_log_state(o, "resumed", &c->resumed));
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

result status_write(struct core *c, json_t *reply)
{
    TRY(json_put_text(reply, "status", "ok"));
    TRY(json_put_text(reply, "domain", c->config->domain));
    TRY(json_put_text(reply, "instance", c->config->instance));
    TRY(json_put_b64url(reply, "run", SPAN(c->run)));
    json_t *keys = json_object();
    TRY(json_put_new(reply, "keys", keys));
    TRY(json_put_text(keys, "state", code_name(code_of(c->keys_health))));
    TRY(json_put_int(keys, "since", c->keys_since_ms));
    for (unsigned i = 0; i < ROLES; i++)
        TRY(json_put_digest(keys, key_role_name(i), &c->key[i].kid));
    TRY(status_log(c, reply));
    TRY(status_statements(c, reply));
    TRY(attested_status(c, reply));
    if (c->keeper_state)
        TRY(json_put_new(reply, "keeper", json_incref(c->keeper_state)));
    TRY(json_put_int(reply, "in_flight", (int64_t)HASH_CNT(hh_id, c->by_id)));
    TRY(status_open(c, reply));
    enum seb_code obstacle = core_obstacle(c);
    if (obstacle == E_ok)
        obstacle = attested_code(c);
    TRY(json_put_flag(reply, "mutations", obstacle == E_ok));
    if (obstacle == E_ok)
        return OK;
    TRY(json_put_text(reply, "code", code_name(obstacle)));
    return json_put_text(reply, "words", code_words(obstacle));
}
