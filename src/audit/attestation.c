/* Attestation results and enrolments: each is a verifier's, whom the policy in force names; an affirming result rests on evidence
 * that says so; decisions name the result that they were made on. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "attest/enrolment.h"
#include "policy/verify.h"
#include "audit/evidence.h"

#define ARENA_MAX ((size_t)JWS_PAYLOAD_MAX * 2)
/* A broker holds the newest result; so many back is looked for what a decision names. */
#define HELD 64
/* How much later than its evidence, by both clocks, a result may be dated: 10 s for documents, 30 s between clocks. */
#define POLICY_S 60

struct held {
    bool there;
    struct attested_facts facts;
    struct digest verifier, kid[ROLES];
};
struct attestations {
    struct table recorded; /* results: their records */
    struct table enrolled; /* statements: their records */
    struct table noted; /* texts of signed notes: their sizes */
    struct held held[HELD];
    unsigned next;
    struct first_answers first; /* verifiers whose results this run's records brought */
    struct attested_facts answer;
};

static result attestations_begin(struct audit *a)
{
    a->attestations = calloc(1, sizeof *a->attestations);
    return a->attestations ? OK : fail(E_no_memory);
}

static void attestations_free(struct audit *a)
{
    if (!a->attestations)
        return;
    table_free(&a->attestations->recorded);
    table_free(&a->attestations->enrolled);
    table_free(&a->attestations->noted);
    free(a->attestations);
    a->attestations = NULL;
}

static bool is_noted(void *ctx, const struct digest *note_text)
{
    const struct audit *a = ctx;
    return table_find(&a->attestations->noted, key_of_digest(note_text)) != NULL;
}

static bool is_at(const struct table *t, const struct digest *d, uint64_t *ret_index)
{
    const uint64_t *index = table_find(t, key_of_digest(d));
    if (index)
        *ret_index = *index;
    return index != NULL;
}

bool enrolment_is_at(const struct audit *a, const struct digest *statement, uint64_t *ret_index)
{
    return is_at(&a->attestations->enrolled, statement, ret_index);
}

/* Results. */

/* The result's parts, verified; *ret_signed false where it can't be had or no verifier signed it, which is reported. */
static result open_result(
    struct audit *a, const struct record *r, struct buf *arena, struct jws *ret, unsigned *ret_verifier, bool *ret_signed)
{
    const struct policy *p = policy_now(a);
    TRY(document_result(a, &r->e.attestation.result, r->index, arena, ret, ret_signed));
    if (!*ret_signed)
        return OK;
    *ret_signed = p && is_ok(verify_by_verifier(p, TYP_RESULT, ret, ret_verifier));
    if (!*ret_signed)
        report_found(&a->report, FOUND_result_signature, at_record(r->index), "%s", "");
    else if (!trust_verifies(&a->trust, pubkey_thumbprint(policy_verifier_key(p, *ret_verifier))))
        report_found(&a->report, FOUND_verifier_unknown, at_record(r->index), "%s", policy_verifier_name(p, *ret_verifier));
    return OK;
}

static bool says_the_same(const struct audit *a, const struct attestation_entry *e, const struct result_claims *c)
{
    return digest_equal(&e->evidence, &c->evidence) && span_is(span_text(e->status), ear_status_name(c->status)) &&
           span_is(span_text(c->domain), a->trust.domain) && span_is(span_text(c->instance), a->trust.instance);
}

static result judge_evidence(
    struct audit *a, const struct record *r, unsigned verifier, const struct result_claims *c, const struct evidence *e)
{
    struct fault fault;
    struct ground g = { .export = &a->export,
        .trust = &a->trust,
        .policy = policy_now(a),
        .verifier = verifier,
        .ak = key_now(a, ROLE_ATTESTATION),
        .record = key_now(a, ROLE_RECORD),
        .run = run_now(a),
        .rekeyed = rekeyed_at(a),
        .noted = is_noted,
        .ctx = a };
    if (!g.run || !ak_name_now(a, g.ak_name)) /* which was said */
        return OK;
    TRY(document_name(a, &e->cel, r->index));
    if (e->has_approval)
        TRY(document_name(a, &e->approval, r->index));
    if (e->has_firmware)
        TRY(document_name(a, &e->firmware, r->index));
    TRY(evidence_judge(&g, c, e, &fault));
    if (fault.what == FINDINGS && !(e->has_policy && policy_was(a, &e->policy, c->policy_epoch, c->iat - POLICY_S)))
        fault = (struct fault){ .what = FOUND_evidence_policy };
    if (fault.what == FINDINGS)
        states_attested(states_now(a), &fault.state);
    else
        report_found(&a->report, fault.what, at_record(r->index), "%s", fault.about);
    return OK;
}

/* What a verifier didn't affirm is bad in some way that it names; what it affirmed must be good. */
static result take_evidence(struct audit *a, const struct record *r, unsigned verifier, const struct result_claims *c)
{
    AUTO_BUF text = BUF(BLOB_MAX);
    AUTO_EVIDENCE *e = NULL;
    bool there;
    TRY(document_raw(a, DOCUMENT_NEEDED, &c->evidence, r->index, &text, &there));
    if (!there)
        return OK;
    result read = evidence_parse(buf_span(&text), &e);
    if (!is_ok(read) && !is_exports_fault(read))
        return read;
    if (is_ok(read))
        return c->status == EAR_AFFIRMING ? judge_evidence(a, r, verifier, c, e) : OK;
    if (c->status == EAR_AFFIRMING)
        report_found(&a->report, FOUND_blob_malformed, at_record(r->index), "its evidence: %s", code_name(code_of(read)));
    return OK;
}

static void hold(struct attestations *s, const struct digest *verifier, const struct result_claims *c)
{
    s->held[s->next++ % HELD] = (struct held){ .there = true,
        .verifier = *verifier,
        .facts = { .result = c->digest, .affirming = c->status == EAR_AFFIRMING, .iat = c->iat, .exp = c->exp },
        .kid = { [ROLE_ATTESTATION] = c->attestation, [ROLE_RECORD] = c->record, [ROLE_MINT] = c->mint } };
}

/* What the verifier had seen last is the log as this run found it, all of it, and this run has shown nothing of its own yet. */
static bool covers_head(const struct run *run, const struct result_claims *c)
{
    return run->head == run->resumed && c->log_before.size == run->head && c->log.size == run->head;
}

static result take_claims(struct audit *a, const struct record *r, unsigned verifier, const struct result_claims *c)
{
    const bool ours = says_the_same(a, &r->e.attestation, c);
    hold(a->attestations, pubkey_thumbprint(policy_verifier_key(policy_now(a), verifier)), c);
    if (!ours)
        report_found(&a->report, FOUND_result_mismatch, at_record(r->index), "%s", "");
    if (c->status != EAR_AFFIRMING)
        report_remark(&a->report, REMARK_not_affirmed, at_record(r->index), "%s%s%s", ear_status_name(c->status),
            c->codes_n ? ", " : "", c->codes_n ? code_name(c->codes[0]) : "");
    else if (!table_find(&a->attestations->enrolled, key_of_digest(&c->enrolment)))
        report_found(&a->report, FOUND_enrolment_missing, at_record(r->index), "%s", "");
    if (ours && c->status == EAR_AFFIRMING)
        identity_vouched(a, &c->attestation, &c->record);
    /* The first that it says of this run: later on it knows the head from the run itself. */
    const bool first = first_answer(&a->attestations->first, pubkey_thumbprint(policy_verifier_key(policy_now(a), verifier)));
    if (first && c->status == EAR_AFFIRMING && run_now(a) && covers_head(run_now(a), c))
        run_covered(a);
    return take_evidence(a, r, verifier, c);
}

static result take_result(struct audit *a, const struct record *r)
{
    AUTO_BUF arena = BUF(ARENA_MAX);
    struct result_claims c;
    struct jws jws;
    uint64_t *before;
    unsigned verifier = 0;
    bool is_signed;
    a->summary.results++;
    TRY(table_put(&a->attestations->recorded, key_of_digest(&r->e.attestation.result), r->index, &before));
    if (before) {
        report_found(&a->report, FOUND_result_again, at_record(r->index), "record %" PRIu64, *before);
        return OK;
    }
    TRY(open_result(a, r, &arena, &jws, &verifier, &is_signed));
    if (!is_signed)
        return OK;
    result read = result_parse(jws.payload, &c);
    if (is_ok(read))
        return take_claims(a, r, verifier, &c);
    if (!is_exports_fault(read))
        return read;
    report_found(&a->report, FOUND_blob_malformed, at_record(r->index), "the result: %s", code_name(code_of(read)));
    return OK;
}

static struct held *find(struct attestations *s, const struct digest *result_)
{
    for (unsigned i = 0; i < HELD; i++)
        if (s->held[i].there && digest_equal(&s->held[i].facts.result, result_))
            return &s->held[i];
    return NULL;
}

/* Exactly the keys that are in use. */
static bool names_keys_of(const struct held *h, const struct run *run)
{
    for (unsigned role = 0; role < ROLES; role++)
        if (!run || !digest_equal(&h->kid[role], &run->key[role].kid))
            return false;
    return true;
}

const struct attested_facts *attested_at(struct audit *a, const struct record *r)
{
    const bool read = r->e.type == ENTRY_READ;
    const struct digest *named = read ? &r->e.read.attestation : &r->e.decision.attestation;
    struct attestations *s = a->attestations;
    if (!(read ? r->e.read.has_attestation : r->e.decision.has_attestation))
        return NULL;
    const struct held *h = find(s, named);
    if (!h && !table_find(&s->recorded, key_of_digest(named)))
        report_found(&a->report, FOUND_result_unknown, at_record(r->index), "%s", "");
    /* Whom a newer policy doesn't name any more, nobody believes. */
    if (!h || !policy_now(a) || !policy_names_verifier(policy_now(a), &h->verifier))
        return NULL;
    s->answer = h->facts;
    s->answer.keys_match = names_keys_of(h, run_now(a));
    return &s->answer;
}

/* Enrolments. */

static void mismatch(struct audit *a, const struct record *r, const char *what)
{
    report_found(&a->report, FOUND_enrolment_mismatch, at_record(r->index), "%s", what);
}

/* The certificate is public, and lies beside the log by its digest. Its window was a matter of when it was activated. */
static result check_certificate(struct audit *a, const struct record *r, const struct enrolment_statement *s)
{
    AUTO_BUF der = BUF(BLOB_MAX);
    struct ek ek;
    bool there;
    TRY(document_raw(a, DOCUMENT_NEEDED, &s->ek_certificate, r->index, &der, &there));
    if (!there || !a->trust.ek_roots)
        return OK;
    result checked = ek_certificate_check(a->trust.ek_roots, buf_span(&der), s->activated, &ek);
    if (!is_ok(checked) && !is_exports_fault(checked))
        return checked;
    if (!is_ok(checked))
        report_found(&a->report, FOUND_enrolment_chain, at_record(r->index), "%s", code_name(code_of(checked)));
    else if (!digest_equal(&ek.spki, &s->ek))
        mismatch(a, r, "another endorsement key than the certificate's");
    return OK;
}

static result check_statement(struct audit *a, const struct record *r, const struct enrolment_statement *s)
{
    uint8_t name[TPM_NAME_SIZE];
    if (!span_is(span_text(s->domain), a->trust.domain) || !span_is(span_text(s->instance), a->trust.instance))
        mismatch(a, r, "domain or instance");
    if (!digest_equal(&s->ak, pubkey_thumbprint(key_now(a, ROLE_ATTESTATION))))
        mismatch(a, r, "the attestation key");
    else if (ak_name_now(a, name) && !span_equal(SPAN(name), SPAN(s->ak_name)))
        mismatch(a, r, "the attestation key's Name");
    return check_certificate(a, r, s);
}

static result open_enrolment(
    struct audit *a, const struct record *r, struct buf *arena, struct enrolment_statement *ret, bool *ret_signed)
{
    const struct policy *p = policy_now(a);
    struct jws jws;
    unsigned verifier;
    TRY(document_jws(a, DOCUMENT_NEEDED, &r->e.enrolment.statement, r->index, arena, &jws, ret_signed));
    if (!*ret_signed)
        return OK;
    *ret_signed = p && is_ok(verify_by_verifier(p, TYP_ENROLMENT, &jws, &verifier)) &&
                  is_ok(enrolment_open(&jws, policy_verifier_key(p, verifier), ret));
    if (!*ret_signed)
        report_found(&a->report, FOUND_enrolment_signature, at_record(r->index), "%s", "");
    else if (!trust_verifies(&a->trust, &ret->verifier))
        report_found(&a->report, FOUND_verifier_unknown, at_record(r->index), "%s", policy_verifier_name(p, verifier));
    return OK;
}

static result take_enrolment(struct audit *a, const struct record *r)
{
    AUTO_BUF arena = BUF(ARENA_MAX);
    struct enrolment_statement s;
    uint64_t *before;
    bool is_signed;
    a->summary.enrolments++;
    TRY(table_put(&a->attestations->enrolled, key_of_digest(&r->e.enrolment.statement), r->index, &before));
    TRY(open_enrolment(a, r, &arena, &s, &is_signed));
    return is_signed ? check_statement(a, r, &s) : OK;
}

static result attestations_record(struct audit *a, const struct record *r)
{
    if (r->e.type == ENTRY_START) { /* a broker that starts holds none */
        a->attestations->first.n = 0;
        for (unsigned i = 0; i < HELD; i++)
            a->attestations->held[i].there = false;
    }
    if (r->e.type == ENTRY_ATTESTATION)
        return take_result(a, r);
    return r->e.type == ENTRY_ENROLMENT ? take_enrolment(a, r) : OK;
}

static result attestations_signed_at(struct audit *a, const struct signed_size *s)
{
    uint64_t *old;
    a->noted = s->size;
    return table_put(&a->attestations->noted, key_of_digest(&s->text), s->size, &old);
}

const struct audit_check check_attestations = { .name = "attestations",
    .begin = attestations_begin,
    .record = attestations_record,
    .signed_at = attestations_signed_at,
    .free = attestations_free };
