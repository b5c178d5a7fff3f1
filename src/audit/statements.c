/* Policies and revocation epochs: signed by the pinned keys, each newer than the last, in force from their record on. */
#include "config.h"

#include <stdlib.h>

#include "policy/verify.h"
#include "audit/audit.h"

#define ARENA_MAX ((size_t)JWS_PAYLOAD_MAX * 2)

struct statements {
    struct policy *policy;
    struct epoch_statement epoch;
    bool has_epoch;
    struct digest before; /* the policy before the newest, */
    int64_t before_epoch, since_ms; /* its version, and when the newest took its place */
};

static result statements_begin(struct audit *a)
{
    a->statements = calloc(1, sizeof *a->statements);
    return a->statements ? OK : fail(E_no_memory);
}

static void statements_free(struct audit *a)
{
    if (!a->statements)
        return;
    policy_free(a->statements->policy);
    free(a->statements);
    a->statements = NULL;
}

const struct policy *policy_now(const struct audit *a)
{
    return a->statements->policy;
}

bool policy_was(const struct audit *a, const struct digest *policy, uint64_t policy_epoch, int64_t when_s)
{
    const struct statements *s = a->statements;
    if (s->policy && digest_equal(policy, policy_digest(s->policy)))
        return policy_epoch == (uint64_t)policy_epoch_of(s->policy);
    return digest_equal(policy, &s->before) && policy_epoch == (uint64_t)s->before_epoch && s->since_ms / 1000 >= when_s;
}

const struct epoch_statement *epoch_now(const struct audit *a)
{
    return a->statements->has_epoch ? &a->statements->epoch : NULL;
}

/* The statement's parts, verified; false where it can't be had or isn't signed so, which is reported. */
static result open_statement(struct audit *a, const struct record *r, const struct digest *d, const struct pubkey *pinned,
    const char *typ, struct buf *arena, struct jws *ret, bool *ret_signed)
{
    TRY(document_jws(a, DOCUMENT_NEEDED, d, r->index, arena, ret, ret_signed));
    if (!*ret_signed || is_ok(verify_statement(pinned, typ, ret)))
        return OK;
    *ret_signed = false;
    report_found(&a->report, FOUND_statement_signature, at_record(r->index), "%s", "");
    return OK;
}

static void mismatch(struct audit *a, const struct record *r, result why)
{
    if (code_of(why) == E_not_newer)
        report_found(&a->report, FOUND_statement_order, at_record(r->index), "%s", "");
    else
        report_found(&a->report, FOUND_statement_mismatch, at_record(r->index), "%s", code_name(code_of(why)));
}

static result policy_check(const struct audit *a, const struct record *r, const struct policy *p)
{
    if (policy_epoch_of(p) != r->e.policy.policy_epoch)
        return fail(E_policy_epoch_mismatch);
    return policy_follows(a->statements->policy, p, a->trust.domain);
}

static result take_policy(struct audit *a, const struct record *r)
{
    struct statements *s = a->statements;
    AUTO_BUF arena = BUF(ARENA_MAX);
    struct policy *p = NULL;
    struct jws jws;
    bool is_signed;
    TRY(open_statement(a, r, &r->e.policy.policy, a->trust.policy, TYP_POLICY, &arena, &jws, &is_signed));
    if (!is_signed)
        return OK;
    result read = policy_parse(jws.payload, &p);
    if (is_ok(read))
        read = policy_check(a, r, p);
    if (!is_ok(read) && !is_exports_fault(read)) {
        policy_free(p);
        return read;
    }
    if (!is_ok(read))
        mismatch(a, r, read);
    /* One that comes out of order was in force all the same: what follows is judged by it. */
    if (p) {
        if (s->policy) {
            s->before = *policy_digest(s->policy);
            s->before_epoch = policy_epoch_of(s->policy);
        }
        s->since_ms = r->e.time;
        policy_free(s->policy);
        s->policy = p;
    }
    return OK;
}

static result epoch_check(const struct audit *a, const struct record *r, const struct epoch_statement *e)
{
    if (e->epoch != r->e.epoch.epoch)
        return fail(E_epoch_mismatch);
    return epoch_follows(epoch_now(a), e, a->trust.domain);
}

static result take_epoch(struct audit *a, const struct record *r)
{
    AUTO_BUF arena = BUF(ARENA_MAX);
    struct epoch_statement e;
    struct jws jws;
    bool is_signed;
    TRY(open_statement(a, r, &r->e.epoch.statement, a->trust.revocation, TYP_EPOCH, &arena, &jws, &is_signed));
    if (!is_signed)
        return OK;
    result read = epoch_parse(jws.payload, &e);
    bool parsed = is_ok(read);
    if (parsed)
        read = epoch_check(a, r, &e);
    if (!is_ok(read) && !is_exports_fault(read))
        return read;
    if (!is_ok(read))
        mismatch(a, r, read);
    if (parsed) {
        a->statements->epoch = e;
        a->statements->has_epoch = true;
    }
    return OK;
}

static result acknowledged(const struct audit *a, const struct record *r, struct span payload, struct acknowledge *ret)
{
    const struct acknowledge_entry *e = &r->e.acknowledge;
    TRY(acknowledge_parse(payload, ret));
    TRY(acknowledge_check(ret, a->trust.domain, a->trust.instance, r->e.time / 1000));
    bool same =
        span_is(span_text(acknowledged_name(ret->what)), e->what) && ret->size == e->size && digest_equal(&ret->root, &e->root);
    return same ? OK : fail(E_bad_value);
}

/* An operator goes on though the log is shorter than it was, or though a run ended so that nobody knows whether it is. */
static result take_acknowledge(struct audit *a, const struct record *r)
{
    const struct acknowledge_entry *e = &r->e.acknowledge;
    AUTO_BUF arena = BUF(ARENA_MAX);
    struct acknowledge s;
    struct jws jws;
    bool is_signed;
    TRY(open_statement(a, r, &e->statement, a->trust.policy, TYP_ACKNOWLEDGE, &arena, &jws, &is_signed));
    if (!is_signed)
        return OK;
    result read = acknowledged(a, r, jws.payload, &s);
    if (!is_ok(read) && !is_exports_fault(read))
        return read;
    if (!is_ok(read))
        mismatch(a, r, read);
    else
        report_remark(&a->report, REMARK_acknowledged, at_record(r->index), "%s, size %llu", e->what, (unsigned long long)e->size);
    if (is_ok(read) && s.what == ACKNOWLEDGE_UNCLEAN)
        run_lifted(a);
    return OK;
}

static result statements_record(struct audit *a, const struct record *r)
{
    if (r->e.type == ENTRY_POLICY)
        return take_policy(a, r);
    if (r->e.type == ENTRY_ACKNOWLEDGE)
        return take_acknowledge(a, r);
    return r->e.type == ENTRY_EPOCH ? take_epoch(a, r) : OK;
}

const struct audit_check check_statements = {
    .name = "statements", .begin = statements_begin, .record = statements_record, .free = statements_free
};
