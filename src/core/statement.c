/* Statements and approvals: verified, in force, recorded. */
#include "config.h"

#include "attest/approval.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/admin.h"

static result verify_policy(struct admin *a, const struct jws *j)
{
    const struct core *c = a->core;
    TRY(verify_statement(c->config->policy_key, TYP_POLICY, j));
    TRY(policy_parse(j->payload, &a->policy));
    return policy_follows(c->policy, a->policy, c->config->domain);
}

static result verify_epoch(struct admin *a, const struct jws *j)
{
    const struct core *c = a->core;
    TRY(verify_statement(c->config->revocation_key, TYP_EPOCH, j));
    TRY(epoch_parse(j->payload, &a->epoch));
    return epoch_follows(c->has_epoch ? &c->epoch : NULL, &a->epoch, c->config->domain);
}

/* It is of this very log: of what was signed of it when this run began, as the keeper holds it too. */
static result verify_acknowledge(struct admin *a, const struct jws *j)
{
    const struct core *c = a->core;
    TRY(verify_statement(c->config->policy_key, TYP_ACKNOWLEDGE, j));
    TRY(acknowledge_parse(j->payload, &a->acknowledge));
    TRY(acknowledge_check(&a->acknowledge, c->config->domain, c->config->instance, clock_utc_ms() / 1000));
    bool same = a->acknowledge.size == c->resumed.size && digest_equal(&a->acknowledge.root, &c->resumed.root);
    return same ? OK : fail(E_acknowledge_mismatch);
}

result statement_verify(struct admin *a, const struct jws *statement)
{
    a->digest = sha256(statement->payload);
    TRY(jws_write(statement, &a->text));
    switch (a->what) {
    case LOADED_POLICY:
        return verify_policy(a, statement);
    case LOADED_EPOCH:
        return verify_epoch(a, statement);
    case LOADED_ACKNOWLEDGE:
        return verify_acknowledge(a, statement);
    default:
        return fail(E_invariant);
    }
}

/* As many countersigners as the policy wants: the chip can't see them, it takes the policy key's signature alone. */
static result countersigned(const struct admin *a, const struct approval_file *file)
{
    const struct core *c = a->core;
    const struct pubkey *keys[JWS_SIGNATURES_MAX];
    unsigned n = 0, distinct = 0;
    if (!c->policy)
        return fail(E_no_policy);
    while (n < policy_countersigners(c->policy) && n < JWS_SIGNATURES_MAX) {
        keys[n] = policy_countersigner(c->policy, n);
        n++;
    }
    TRY(approval_countersigned(file, c->config->policy_key, keys, n, &distinct));
    return distinct < policy_countersigners_needed(c->policy) ? fail(E_countersignatures_too_few) : OK;
}

result approval_verify(struct admin *a)
{
    const struct core *c = a->core;
    AUTO_APPROVAL_FILE file = { 0 };
    TRY(approval_open(buf_span(&a->file), c->config->policy_key, &file));
    a->digest = file.approval.digest;
    TRY(jws_write(&file.jws, &a->text));
    if (!span_is(span_text(file.approval.domain), c->config->domain))
        return fail(E_domain_mismatch);
    if (!span_is(span_text(file.approval.instance), c->config->instance))
        return fail(E_instance_mismatch);
    return countersigned(a, &file);
}

static void lift(struct core *c, const struct acknowledge *k)
{
    if (k->what != ACKNOWLEDGE_UNCLEAN || !c->certificates_from)
        return;
    c->certificates_from = 0;
    log_line(LOG_NOTE, "the unclean start is acknowledged: certificates issued before it serve again");
}

void statement_in_force(struct admin *a)
{
    struct core *c = a->core;
    struct buf text = c->policy_text; /* changes places with the new one's */
    switch (a->what) {
    case LOADED_POLICY:
        policy_free(c->policy);
        c->policy = policy_hold(a->policy);
        c->policy_text = a->text;
        a->text = text;
        attested_policy(c);
        break;
    case LOADED_EPOCH:
        c->epoch = a->epoch;
        c->has_epoch = true;
        break;
    case LOADED_ACKNOWLEDGE:
        lift(c, &a->acknowledge);
        break;
    default: /* an approval is the chip's */
        break;
    }
}

static struct entry entry_of(const struct admin *a)
{
    struct entry e = { .type = ENTRY_POLICY };
    switch (a->what) {
    case LOADED_POLICY:
        e.policy.policy = a->digest;
        e.policy.policy_epoch = policy_epoch_of(a->policy);
        break;
    case LOADED_EPOCH:
        e.type = ENTRY_EPOCH;
        e.epoch.statement = a->digest;
        e.epoch.epoch = a->epoch.epoch;
        break;
    default:
        e.type = ENTRY_ACKNOWLEDGE;
        e.acknowledge =
            (struct acknowledge_entry){ .size = a->acknowledge.size, .root = a->acknowledge.root, .statement = a->digest };
        break;
    }
    return e;
}

/* Signed or not: in force it is, and the record key signs as soon as it may. */
static void recorded(struct core *c, uint64_t slot, uint64_t index)
{
    json_t *reply = json_object();
    result r = reply ? json_put_text(reply, "status", "ok") : fail(E_no_memory);
    if (is_ok(r) && index != NO_INDEX)
        r = json_put_flag(reply, "signed", index < journal_signed_size(c->journal));
    if (is_ok(r)) {
        reply_json(c, slot, reply);
        return;
    }
    json_decref(reply);
    refuse(c, slot, r);
}

/* The keeper keeps it; the log has it beside its entries, for the evidence that names it. */
static result record_approval(struct admin *a)
{
    AUTO_RECORD *r = NULL;
    TRY(record_new(a->core, NULL, &r));
    TRY(record_blob(r, BLOB_APPROVAL, &a->digest, buf_span(&a->text)));
    return record_put(&r, recorded, a->slot);
}

/* A policy's is the core's, once it is in force. */
static struct span text_of(const struct admin *a)
{
    return buf_span(a->what == LOADED_POLICY ? &a->core->policy_text : &a->text);
}

result statement_record(struct admin *a)
{
    static const enum blob_kind kinds[] = {
        [LOADED_POLICY] = BLOB_POLICY, [LOADED_EPOCH] = BLOB_EPOCH, [LOADED_ACKNOWLEDGE] = BLOB_ACKNOWLEDGE
    };
    AUTO_RECORD *r = NULL;
    if (a->what == LOADED_APPROVAL)
        return record_approval(a);
    struct entry e = entry_of(a);
    if (e.type == ENTRY_ACKNOWLEDGE)
        TRY(span_copy_text(span_text(acknowledged_name(a->acknowledge.what)), e.acknowledge.what, sizeof e.acknowledge.what));
    TRY(record_new(a->core, &e, &r));
    TRY(record_blob(r, kinds[a->what], &a->digest, text_of(a)));
    if (a->what != LOADED_ACKNOWLEDGE)
        TRY(record_state(r, a->what == LOADED_POLICY ? STATE_POLICY : STATE_EPOCH, text_of(a)));
    return record_put(&r, recorded, a->slot);
}
