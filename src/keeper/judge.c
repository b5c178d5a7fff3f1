#include "config.h"

#include "keeper/judge.h"

#include "entry/entry.h"
#include "mint/mint.h"

/* The core's clock is this machine's; it stepped back at most by this between entry and now. */
#define CLOCK_SLACK_S 2

/* What is put together while judging. */
struct question {
    const struct grounds *g;
    int64_t now_ms;
    const struct remembered *r;
    const struct mint_message *m;
    const struct entry *entry;
    struct facts facts;
    struct attested_facts attested;
    const struct config_target *target; /* NULL: none of that name is configured */
    struct target_facts target_facts;
    struct certificate certificate; /* owned */
    struct target_mutation mutation;
};

static bool text_is(const char *a, const char *b)
{
    return span_equal(span_text(a), span_text(b));
}

void warrant_free(struct warrant *w)
{
    buf_free(&w->claims);
    buf_free(&w->details);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The entry names the certificate by its payload's digest, and the signatures that it was judged with by the whole's: this comes
 * before anything of the certificate is looked at. */
static result hold_named(const struct question *q)
{
    const bool read = q->entry->type == ENTRY_READ;
    const struct digest *certificate = read ? &q->entry->read.certificate : &q->entry->decision.certificate;
    const struct digest *signed_ = read ? &q->entry->read.signed_ : &q->entry->decision.signed_;
    struct digest came = sha256(q->m->certificate.payload);
    if (!digest_equal(&came, certificate))
        return fail(E_certificate_mismatch);
    TRY(jws_digest(&q->m->certificate, &came));
    return digest_equal(&came, signed_) ? OK : fail(E_decision_mismatch);
}

static result read_certificate(struct question *q)
{
    TRY(hold_named(q));
    q->facts.signers = vouched_signers(q->g->vouched, q->g->policy, &q->m->certificate);
    if (q->facts.signers.code != E_ok)
        return fail(q->facts.signers.code);
    TRY(certificate_parse(q->m->certificate.payload, q->g->keys, &q->certificate));
    q->facts.certificate = &q->certificate;
    return OK;
}

/* The entry names the result that it was judged by: it must be one that this process verified itself, whatever the core holds. */
static void find_attestation(struct question *q)
{
    const bool read = q->entry->type == ENTRY_READ;
    const struct digest *named = read ? &q->entry->read.attestation : &q->entry->decision.attestation;
    if (!(read ? q->entry->read.has_attestation : q->entry->decision.has_attestation))
        return;
    for (unsigned i = 0; i < HELD_RESULTS; i++) {
        const struct held_result *h = &q->g->results.result[i];
        if (h->exp == 0 || !digest_equal(&h->digest, named))
            continue;
        q->attested = (struct attested_facts){
            .result = h->digest,
            .affirming = h->affirming,
            .keys_match = digest_equal(&h->mint_key, &q->g->mint_key),
            .iat = h->iat,
            .exp = h->exp,
        };
        q->facts.attested = &q->attested;
    }
}

static result hold_rule(const struct question *q, const char *name)
{
    enum seb_code code = E_invariant;
    for (unsigned i = 0; i < rules_n; i++)
        if (text_is(rules[i].name, name))
            code = rules[i].holds(&q->facts);
    return code == E_ok ? OK : fail(code);
}

/* A reconciling read comes when the certificate's window may be long over, and its policy and epoch gone: of the rules that hold at
 * mint time only the signature's and the attestation's do. It is a GET on what an authority once certified. */
static result hold_rules(const struct question *q)
{
    struct refusal refusal = { .code = E_invariant };
    if (q->entry->type == ENTRY_READ && q->entry->read.purpose == READ_RECONCILE) {
        TRY(hold_rule(q, "sig"));
        return hold_rule(q, "attest");
    }
    return judge_at_mint(&q->facts, &refusal) ? OK : fail(refusal.code);
}

static result hold_life(const struct question *q, int64_t iat, int64_t exp)
{
    int64_t most = least(policy_credential_s(q->g->policy), q->certificate.contract.credential_s);
    int64_t now_s = q->now_ms / 1000;
    if (q->entry->type == ENTRY_DECISION && q->target && most < q->target_facts.least_s)
        return fail(E_credential_too_short);
    if (exp - iat > most || (q->entry->type == ENTRY_DECISION && exp > q->certificate.exp) || exp > q->attested.exp)
        return fail(E_credential_too_long);
    if (now_s < iat - CLOCK_SLACK_S || now_s >= exp || exp <= iat)
        return fail(E_decision_stale);
    return OK;
}

static result hold_decision(const struct question *q, const struct config_target *target)
{
    const struct decision_entry *d = &q->entry->decision;
    const struct body_ref *body = &q->certificate.contract.mutation.body;
    if (!text_is(d->cid, q->certificate.cid) || !digest_equal(&d->agent, pubkey_thumbprint(q->certificate.agent)))
        return fail(E_certificate_mismatch);
    if (!digest_equal(&d->policy, policy_digest(q->g->policy)) || d->policy_epoch != policy_epoch_of(q->g->policy) ||
        d->epoch != q->g->epoch.epoch || !digest_equal(&d->mint_key, &q->g->mint_key))
        return fail(E_decision_mismatch);
    if (!d->has_target || !text_is(d->target_kind, target->kind) || !text_is(d->target_prefix, target->prefix))
        return fail(E_decision_mismatch);
    const int64_t cache_s = target_cache_s(target->kind);
    if (d->accepted_until != (cache_s ? d->exp + cache_s : 0)) /* what the record says of the credential's end is no mere word */
        return fail(E_decision_mismatch);
    if (d->has_body != body->present || (d->has_body && !digest_equal(&d->body, &body->sha256)))
        return fail(E_decision_mismatch);
    return hold_life(q, d->iat, d->exp);
}

static result hold_read(const struct question *q)
{
    const struct read_entry *e = &q->entry->read;
    const struct mutation *m = &q->certificate.contract.mutation;
    if (!text_is(e->target, m->target) || !text_is(e->resource, m->resource) || !digest_equal(&e->mint_key, &q->g->mint_key))
        return fail(E_decision_mismatch);
    /* It reconciles a decision that was recorded before it. */
    if (e->purpose == READ_RECONCILE && e->decision >= q->r->index)
        return fail(E_decision_mismatch);
    return hold_life(q, e->iat, e->exp);
}

/* The bytes that the runner will send, or none for a read. */
static result hold_body(const struct question *q)
{
    const struct body_ref *body = &q->certificate.contract.mutation.body;
    if (q->entry->type == ENTRY_READ || !body->present)
        return q->m->body.n ? fail(E_body_mismatch) : OK;
    struct digest came = sha256(q->m->body);
    if ((int64_t)q->m->body.n != body->length || !digest_equal(&came, &body->sha256))
        return fail(E_body_mismatch);
    return OK;
}

/* What the entry says was read. A read's own credential knows of nothing yet. */
static struct live_view live_read(const struct entry *e)
{
    if (e->type != ENTRY_DECISION || !e->decision.has_live)
        return (struct live_view){ NULL, NULL, NULL };
    return (struct live_view){ e->decision.live.etag, e->decision.live.uid, e->decision.live.version };
}

/* The contract as its target takes it, and what the target's own file says of it. */
static void find_target(struct question *q)
{
    const struct config_target *t = config_target_named(q->g->config, q->certificate.contract.mutation.target);
    const struct live_view live = live_read(q->entry);
    if (!t)
        return;
    q->target = t;
    q->mutation = scope_mutation(&q->certificate.contract, &live);
    q->target_facts = (struct target_facts){
        .kind = t->kind,
        .prefix = t->prefix,
        .scope = target_scope(t->kind, t->prefix, &q->mutation),
        .least_s = target_least_s(t->kind),
        .secret = target_secret(t->kind, &q->mutation),
    };
    q->facts.target = &q->target_facts;
}

static result hold_scope(const struct question *q)
{
    enum seb_code code = q->target ? q->target_facts.scope : E_target_unknown;
    return code == E_ok ? OK : fail(code);
}

static result write_claims(const struct question *q, const struct warrant *w, int64_t iat, struct buf *out)
{
    AUTO_JSON *claims = json_object();
    if (!claims)
        return fail(E_no_memory);
    char attestation[DIGEST_TEXT + 1];
    const struct config_target *t = q->target;
    TRY(target_claims(t->kind, w->use, &q->mutation, &w->plan, claims));
    const struct mint_words words = {
        .domain = q->g->config->domain,
        .instance = q->g->config->instance,
        .audience = t->audience,
        .cid = q->certificate.cid,
        .attestation = digest_text(&q->attested.result, attestation),
        .issuer = t->issuer,
        .key = q->g->mint_key,
        .groups = t->groups,
        .leaf = q->r->leaf,
        .iat = iat,
        .exp = w->exp,
        .target_claims = claims,
    };
    return mint_claims(&words, out);
}

static result hold_question(struct question *q)
{
    const bool read = q->entry->type == ENTRY_READ;
    find_attestation(q);
    TRY(read_certificate(q));
    find_target(q);
    TRY(hold_rules(q));
    TRY(hold_scope(q));
    TRY(read ? hold_read(q) : hold_decision(q, q->target));
    return hold_body(q);
}

/* The one call, what its credential says, and what the runner needs beside both. */
static result write_warrant(const struct question *q, struct warrant *w)
{
    const bool read = q->entry->type == ENTRY_READ;
    const struct config_target *t = q->target;
    TRY(target_plan(t->kind, t->prefix, w->use, &q->mutation, &w->plan));
    target_audit_id(t->kind, &q->r->leaf, w->plan.audit_id);
    w->target = t;
    w->exp = read ? q->entry->read.exp : q->entry->decision.exp;
    w->policy_epoch = policy_epoch_of(q->g->policy);
    w->has_epoch = !(read && q->entry->read.purpose == READ_RECONCILE);
    w->epoch = q->g->epoch.epoch;
    TRY(write_claims(q, w, read ? q->entry->read.iat : q->entry->decision.iat, &w->claims));
    return target_details(t->kind, w->use, &q->mutation, &w->details);
}

static result judge_question(struct question *q, struct warrant *ret)
{
    struct warrant w = {
        .use = q->entry->type == ENTRY_READ ? CALL_READ : CALL_MUTATE,
        .claims = BUF(CREDENTIAL_TEXT_MAX),
        .details = BUF(TARGET_DETAILS_MAX),
    };
    TRY(hold_question(q));
    result r = write_warrant(q, &w);
    if (is_ok(r))
        *ret = w;
    else
        warrant_free(&w);
    return r;
}

result warrant_judge(
    const struct grounds *g, int64_t now_ms, const struct remembered *r, const struct mint_message *m, struct warrant *ret)
{
    struct question q = { .g = g, .now_ms = now_ms, .r = r, .m = m, .entry = r->entry };
    if (g->hsm != E_ok)
        return fail(g->hsm);
    if (!g->policy)
        return fail(E_no_policy);
    q.facts = (struct facts){
        .now_ms = now_ms,
        .domain = g->config->domain,
        .policy = g->policy,
        .epoch = g->has_epoch ? &g->epoch : NULL,
        .certificates_from = g->certificates_from,
    };
    result made = judge_question(&q, ret);
    certificate_free(&q.certificate);
    return made;
}

result warrant_holds(const struct grounds *g, int64_t now_ms, const struct warrant *w)
{
    if (now_ms / 1000 >= w->exp)
        return fail(E_decision_stale);
    if (g->hsm != E_ok)
        return fail(g->hsm);
    if (!w->has_epoch)
        return OK;
    if (policy_epoch_of(g->policy) != w->policy_epoch)
        return fail(E_policy_epoch_mismatch);
    if (g->epoch.epoch != w->epoch)
        return fail(E_epoch_mismatch);
    return OK;
}
