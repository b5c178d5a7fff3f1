/* What the operator asks over the administration socket: status, what is to be approved, and loading statements and approvals. */
#include "config.h"

#include "core/admin.h"

#include "base/log.h"

#include <stdlib.h>

void refuse(struct core *c, uint64_t slot, result r)
{
    reply_code(c, slot, code_blame(code_of(r)) == BLAME_US ? "unavailable" : "refused", NULL, code_of(r));
}

static void admin_free(struct admin *a)
{
    policy_free(a->policy);
    buf_free(&a->text);
    buf_free(&a->file);
    free(a);
}

static result to_keeper(struct admin *a, const struct jws *statement)
{
    static const enum message_type types[] = { [LOADED_POLICY] = MESSAGE_POLICY,
        [LOADED_EPOCH] = MESSAGE_EPOCH,
        [LOADED_APPROVAL] = MESSAGE_APPROVAL,
        [LOADED_ACKNOWLEDGE] = MESSAGE_ACKNOWLEDGE };
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    TRY(a->what == LOADED_APPROVAL ? text_put(&fields, buf_span(&a->file)) : statement_put(&fields, statement));
    return link_send(a->core->keeper, types[a->what], a->slot, buf_span(&fields));
}

static result verify(struct admin *a, const struct jws *statement, struct span file)
{
    if (a->what != LOADED_APPROVAL)
        return statement_verify(a, statement);
    TRY(buf_put(&a->file, file));
    return approval_verify(a);
}

/* A statement, or an approval's file. */
static result begin(struct core *c, const struct admin *how, const struct jws *statement, struct span file)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return fail(E_no_memory);
    *a = *how;
    a->core = c;
    a->text = a->file = BUF(STORE_BLOB_MAX);
    result r = verify(a, statement, file);
    if (is_ok(r))
        r = to_keeper(a, statement);
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

static result restore_statement(struct core *c, enum state_kind kind, enum loaded_what what)
{
    AUTO_BUF text = BUF(STORE_BLOB_MAX);
    AUTO_BUF arena = BUF(JWS_PAYLOAD_MAX * 2);
    struct jws statement;
    result r = store_read_state(c->reader, kind, &text);
    if (code_of(r) == E_not_found)
        return OK;
    TRY(r);
    TRY(jws_parse_text(buf_span(&text), &arena, &statement));
    return begin(c, &(struct admin){ .restoring = true, .what = what }, &statement, (struct span){ NULL, 0 });
}

/* A policy of an earlier version's form can't be in force: the broker starts without one, and says so. */
result admin_restore(struct core *c)
{
    result r = restore_statement(c, STATE_POLICY, LOADED_POLICY);
    if (!is_ok(r) && code_of(r) != E_no_memory && code_of(r) != E_disk) {
        log_result(LOG_ERROR, "the stored policy isn't in force", r);
        r = OK;
    }
    TRY(r);
    return restore_statement(c, STATE_EPOCH, LOADED_EPOCH);
}

/* The first of its kind leaves the list. */
static struct admin *first_of(struct core *c, enum loaded_what what)
{
    struct admin **at = &c->loading;
    while (*at && (*at)->what != what)
        at = &(*at)->next;
    struct admin *a = *at;
    if (a)
        *at = a->next;
    return a;
}

static const char *what_name(enum loaded_what what)
{
    static const char *const names[] = { [LOADED_POLICY] = "policy",
        [LOADED_EPOCH] = "revocation epoch",
        [LOADED_APPROVAL] = "approval",
        [LOADED_ACKNOWLEDGE] = "acknowledgement" };
    return names[what];
}

result admin_loaded(struct core *c, const struct code_message *m)
{
    if (m->what == LOADED_RESULT)
        return attest_loaded(c, m);
    struct admin *a = m->what > LOADED_RESUME ? first_of(c, (enum loaded_what)m->what) : NULL;
    if (!a)
        return fail(E_illegal_message); /* it was sent no such statement */
    result r = fail((enum seb_code)m->code);
    if (is_ok(r))
        statement_in_force(a);
    else
        log_result(LOG_ERROR, what_name(a->what), r);
    if (is_ok(r) && !a->restoring)
        r = statement_record(a);
    if (!is_ok(r) && !a->restoring)
        refuse(c, a->slot, r);
    admin_free(a);
    return OK;
}

static result plan_ask(struct core *c, uint64_t slot)
{
    if (c->planning)
        return fail(E_busy);
    TRY(link_send(c->keeper, MESSAGE_PLAN, slot, (struct span){ NULL, 0 }));
    c->planning = true;
    c->plan_slot = slot;
    return OK;
}

result admin_plan(struct core *c, const struct evidence_message *m)
{
    json_t *plan = NULL;
    c->planning = false;
    result r = fail((enum seb_code)m->code);
    if (is_ok(r))
        r = json_strict(m->json, LINK_PACKET_MAX, &plan);
    if (is_ok(r))
        reply_value(c, c->plan_slot, "plan", plan);
    else
        refuse(c, c->plan_slot, r);
    return OK;
}

static void status_receive(struct core *c, uint64_t slot)
{
    json_t *reply = json_object();
    result r = reply ? status_write(c, reply) : fail(E_no_memory);
    if (is_ok(r)) {
        reply_json(c, slot, reply);
        return;
    }
    json_decref(reply);
    refuse(c, slot, r);
}

void admin_receive(struct core *c, uint64_t slot, const struct admin_message *m)
{
    static const enum loaded_what loads[] = { [ADMIN_POLICY] = LOADED_POLICY,
        [ADMIN_EPOCH] = LOADED_EPOCH,
        [ADMIN_APPROVAL] = LOADED_APPROVAL,
        [ADMIN_ACKNOWLEDGE] = LOADED_ACKNOWLEDGE };
    result r;
    if (m->operation == ADMIN_STATUS) {
        status_receive(c, slot);
        return;
    }
    if (m->operation == ADMIN_PLAN)
        r = plan_ask(c, slot);
    else
        r = begin(c, &(struct admin){ .slot = slot, .what = loads[m->operation] }, &m->statement, m->text);
    if (!is_ok(r))
        refuse(c, slot, r);
}

void admin_undo(struct core *c)
{
    while (c->loading)
        admin_free(first_of(c, c->loading->what));
}
