/* The judge runs again on the recorded facts: `now` is the record's time, the certificate and the request lie beside the log,
 * policy and epoch are those in force, and what the log itself knows (whether the certificate was used) is not the record's to say.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "audit/audit.h"

#define ARENA_MAX ((size_t)JWS_PAYLOAD_MAX * 2)

struct decisions {
    struct table requests; /* (agent, id) */
    struct table used; /* cid of a permit */
    struct table epochs; /* mint key: the revocation epoch of its first permit */
};

static result decisions_begin(struct audit *a)
{
    a->decisions = calloc(1, sizeof *a->decisions);
    return a->decisions ? OK : fail(E_no_memory);
}

static void decisions_free(struct audit *a)
{
    if (!a->decisions)
        return;
    table_free(&a->decisions->requests);
    table_free(&a->decisions->used);
    table_free(&a->decisions->epochs);
    free(a->decisions);
    a->decisions = NULL;
}

/* All that is asked about one decision. */
struct question {
    struct audit *a;
    const struct record *r;
    const struct decision_entry *d;
    const struct certified *certified;
    struct jws request_jws;
    struct request request;
    bool has_request, has_body; /* they were in the export */
    int64_t body_length;
    struct target_facts target;
    struct live_facts live;
    struct facts facts;
};

static void found(const struct question *q, enum finding f, const char *about)
{
    report_found(&q->a->report, f, at_record(q->r->index), "%s", about);
}

static result load_request(struct question *q, struct buf *arena)
{
    TRY(document_jws(q->a, DOCUMENT_REQUEST, &q->d->request, q->r->index, arena, &q->request_jws, &q->has_request));
    if (!q->has_request) {
        q->a->summary.without_request++;
        return OK;
    }
    result r = request_parse(q->request_jws.payload, &q->request);
    q->has_request = is_ok(r);
    if (is_ok(r) || !is_exports_fault(r))
        return r;
    found(q, FOUND_blob_malformed, "its request");
    return OK;
}

/* The bus knows no difference between no body and an empty one, and nothing is stored of that. */
static result load_body(struct question *q)
{
    AUTO_BUF body = BUF(BODY_BYTES_MAX * 4);
    struct digest empty = sha256((struct span){ 0 });
    q->has_body = !q->d->has_body || digest_equal(&q->d->body, &empty);
    if (q->has_body)
        return OK;
    TRY(document_raw(q->a, DOCUMENT_BODY, &q->d->body, q->r->index, &body, &q->has_body));
    /* Left out: its digest is the record's, its length the request's, which the agent signed. */
    q->body_length = q->has_body ? (int64_t)body.n : q->request.mutation.body.length;
    q->a->summary.without_body += !q->has_body && q->has_request;
    return OK;
}

/* Of a kind of objects each field that the contract names was looked at, where there was an object. */
static bool fields_are_named(const struct question *q)
{
    const struct contract *c = &q->certified->certificate.contract;
    const struct live_state *live = &q->d->live;
    const bool looked = q->d->has_live && live->exists && q->d->has_target && target_keeps_body(q->d->target_kind);
    return !q->d->has_live || live->fields_n == (looked ? c->pre.fields.n + c->fields.n : 0);
}

/* What a decision repeats from what was signed. */
static bool facts_are_signed(const struct question *q)
{
    const struct certificate *c = &q->certified->certificate;
    bool certificate = digest_equal(&q->d->certificate, &c->digest) && span_is(span_text(q->d->cid), c->cid) &&
                       digest_equal(&q->d->agent, pubkey_thumbprint(c->agent));
    return certificate && fields_are_named(q) && (!q->has_request || span_is(span_text(q->d->request_id), q->request.id));
}

static void gather_target(struct question *q)
{
    struct target_mutation m = scope_mutation(&q->certified->certificate.contract, NULL);
    if (!q->d->has_target)
        return;
    q->target = (struct target_facts){ .kind = q->d->target_kind, .prefix = q->d->target_prefix };
    q->target.scope = target_scope(q->target.kind, q->target.prefix, &m);
    q->target.least_s = target_least_s(q->target.kind);
    q->target.secret = target_secret(q->target.kind, &m);
    q->facts.target = &q->target;
}

static void gather_live(struct question *q)
{
    const struct live_state *live = &q->d->live;
    if (!q->d->has_live)
        return;
    q->live = (struct live_facts){
        .exists = live->exists,
        .has_etag = live->has_etag,
        .etag = live->etag,
        .sha256 = live->sha256,
        .uid = live->uid,
        .version = live->version,
        .fields_n = live->fields_n,
        .field = live->field,
    };
    q->facts.live = &q->live;
}

/* Whether a result lifted it, is the broker's to know: evidence may have gone out of which no record tells. Who goes on refusing
 * does no harm. */
static int64_t certificates_from(const struct question *q)
{
    const struct run *run = run_now(q->a);
    const bool refuses = !q->d->permitted && span_is(span_text(q->d->code), code_name(E_certificate_before_restart));
    if (!run)
        return 0;
    return refuses && run->refused_from ? run->refused_from : run->certificates_from;
}

static void gather(struct question *q)
{
    q->facts = (struct facts){
        .now_ms = q->r->e.time,
        .domain = q->a->trust.domain,
        .policy = policy_now(q->a),
        .epoch = epoch_now(q->a),
        .certificate = &q->certified->certificate,
        .signers = verify_certificate(policy_now(q->a), &q->certified->jws),
        .has_body = q->d->has_body,
        .body = q->d->body,
        .body_length = q->body_length,
        .attested = attested_at(q->a, q->r),
        .certificates_from = certificates_from(q),
        .used = q->d->used,
    };
    if (q->has_request) {
        q->facts.pop = code_of(verify_request(&q->certified->certificate, &q->request_jws));
        q->facts.request = &q->request;
    }
    gather_target(q);
    gather_live(q);
}

static void compare_refusal(const struct question *q, const struct refusal *refusal)
{
    const struct decision_entry *d = q->d;
    if (d->permitted)
        report_found(&q->a->report, FOUND_decision_verdict, at_record(q->r->index), "permitted; the judge refuses: %s, %s",
            refusal->rule, code_name(refusal->code));
    else if (!span_is(span_text(d->rule), refusal->rule) || !span_is(span_text(d->code), code_name(refusal->code)))
        report_found(&q->a->report, FOUND_decision_verdict, at_record(q->r->index), "refused: %s, %s; the judge refuses: %s, %s",
            d->rule, d->code, refusal->rule, code_name(refusal->code));
}

/* Until when the target's caches may take the credential, by its kind; 0 where it has none. */
static int64_t accepted_until(const struct question *q, int64_t exp)
{
    const int64_t cache_s = target_cache_s(q->d->target_kind);
    return cache_s ? exp + cache_s : 0;
}

static void compare_permit(const struct question *q, const struct permit *permit)
{
    const struct decision_entry *d = q->d;
    if (!d->permitted)
        report_found(
            &q->a->report, FOUND_decision_verdict, at_record(q->r->index), "refused: %s, %s; the judge permits", d->rule, d->code);
    else if (d->iat != permit_iat(permit) || d->exp != permit_exp(permit))
        report_found(&q->a->report, FOUND_decision_lifetime, at_record(q->r->index),
            "%" PRId64 " to %" PRId64 "; the judge gives %" PRId64 " to %" PRId64, d->iat, d->exp, permit_iat(permit),
            permit_exp(permit));
    else if (d->accepted_until != accepted_until(q, d->exp))
        report_found(&q->a->report, FOUND_decision_lifetime, at_record(q->r->index),
            "accepted until %" PRId64 "; its target's caches give %" PRId64, d->accepted_until, accepted_until(q, d->exp));
}

/* Live state is read only for what every other rule lets pass; so without it there was a refusal. */
static void judge_without_live(const struct question *q)
{
    struct refusal refusal;
    if (q->d->permitted)
        found(q, FOUND_decision_verdict, "permitted without a look at live state");
    else if (!judge_before_read(&q->facts, &refusal))
        compare_refusal(q, &refusal);
    else
        found(q, FOUND_decision_verdict, "refused before live state was read; the judge doesn't");
}

static result judge_with_live(const struct question *q)
{
    struct refusal refusal = { 0 };
    AUTO_PERMIT *permit = judge(&q->facts, &refusal);
    if (!permit && !refusal.rule)
        return fail(refusal.code);
    if (permit)
        compare_permit(q, permit);
    else
        compare_refusal(q, &refusal);
    return OK;
}

/* Without the request: what the keeper holds again when it mints. */
static void judge_certificate(const struct question *q)
{
    struct refusal refusal;
    if (q->d->permitted && !judge_at_mint(&q->facts, &refusal))
        compare_refusal(q, &refusal);
}

static result judge_again(struct question *q)
{
    gather(q);
    if (!facts_are_signed(q))
        found(q, FOUND_decision_facts, "");
    if (!q->has_request) {
        judge_certificate(q);
        return OK;
    }
    if (q->d->has_live)
        return judge_with_live(q);
    judge_without_live(q);
    return OK;
}

static result check_judgement(struct audit *a, const struct record *r)
{
    AUTO_BUF arena = BUF(ARENA_MAX);
    struct question q = { .a = a, .r = r, .d = &r->e.decision };
    TRY(load_request(&q, &arena));
    TRY(load_body(&q));
    TRY(document_certificate(a, &q.d->signed_, r->index, &q.certified));
    return q.certified && policy_now(a) ? judge_again(&q) : OK;
}

static void check_in_force(struct audit *a, const struct record *r)
{
    const struct decision_entry *d = &r->e.decision;
    const struct policy *p = policy_now(a);
    const struct epoch_statement *e = epoch_now(a);
    if (!p || !digest_equal(&d->policy, policy_digest(p)) || d->policy_epoch != policy_epoch_of(p))
        report_found(&a->report, FOUND_decision_statement, at_record(r->index), "policy");
    if (!e || !digest_equal(&d->statement, &e->digest) || d->epoch != e->epoch)
        report_found(&a->report, FOUND_decision_statement, at_record(r->index), "revocation epoch");
}

/* The policy names the token that holds the mint key, and none where a TPM does. */
static bool is_approved(const struct policy *p, const struct run *run)
{
    const char *manufacturer, *model, *serial;
    bool in_token = span_is(span_text(run->key[ROLE_MINT].backend), "pkcs11");
    if (!p || !policy_hsm(p, &manufacturer, &model, &serial))
        return p && !in_token;
    return in_token && span_is(span_text(run->token.manufacturer), manufacturer) && span_is(span_text(run->token.model), model) &&
           span_is(span_text(run->token.serial), serial);
}

/* One mint key serves one revocation epoch: a fence that has retired it refuses what was stockpiled for later. */
static result check_epoch_of_key(struct audit *a, const struct record *r)
{
    const struct decision_entry *d = &r->e.decision;
    uint64_t *first;
    TRY(table_put(&a->decisions->epochs, key_of_digest(&d->mint_key), (uint64_t)d->epoch, &first));
    if (first && *first != (uint64_t)d->epoch)
        report_found(
            &a->report, FOUND_key_epoch, at_record(r->index), "epoch %" PRId64 "; it had served %" PRIu64, d->epoch, *first);
    return OK;
}

static result take_permit(struct audit *a, const struct record *r, bool used)
{
    const struct decision_entry *d = &r->e.decision;
    const struct run *run = run_now(a);
    struct digest cid = sha256(span_text(d->cid));
    uint64_t *before;
    a->summary.permits++;
    TRY(table_put(&a->decisions->used, key_of_digest(&cid), r->index, &before));
    if (used)
        report_found(&a->report, FOUND_certificate_reused, at_record(r->index), "record %" PRIu64, *before);
    if (run && (!digest_equal(&d->mint_key, &run->key[ROLE_MINT].kid) || !is_approved(policy_now(a), run) ||
                   (run->mint_epoch >= 0 && run->mint_epoch != d->epoch)))
        report_found(&a->report, FOUND_decision_key, at_record(r->index), "%s", "");
    keys_mint(a, r);
    TRY(check_epoch_of_key(a, r));
    return outcome_expect(a, r);
}

static result check_once(struct audit *a, const struct record *r)
{
    const struct decision_entry *d = &r->e.decision;
    struct digest request = sha256_parts((struct span[]){ digest_span(&d->agent), span_text(d->request_id) }, 2);
    struct digest cid = sha256(span_text(d->cid));
    uint64_t *before;
    TRY(table_put(&a->decisions->requests, key_of_digest(&request), r->index, &before));
    if (before)
        report_found(&a->report, FOUND_request_reused, at_record(r->index), "record %" PRIu64, *before);
    bool used = table_find(&a->decisions->used, key_of_digest(&cid)) != NULL;
    if (d->used != used)
        report_found(&a->report, FOUND_decision_used, at_record(r->index), used ? "it was" : "it was not");
    return d->permitted ? take_permit(a, r, used) : OK;
}

static result decisions_record(struct audit *a, const struct record *r)
{
    const struct decision_entry *d = &r->e.decision;
    if (r->e.type != ENTRY_DECISION)
        return OK;
    a->summary.decisions++;
    if (run_is_now(a, r, d->run) && d->has_live) {
        const struct known_read *read = read_use(a, r, d->live.read, &d->signed_);
        if (read && read->purpose != READ_DRIFT)
            report_found(&a->report, FOUND_read_unknown, at_record(r->index), "record %" PRIu64 " reconciles", read->index);
    }
    check_in_force(a, r);
    TRY(check_judgement(a, r));
    return check_once(a, r);
}

const struct audit_check check_decisions = {
    .name = "decisions", .judges = true, .begin = decisions_begin, .record = decisions_record, .free = decisions_free
};
