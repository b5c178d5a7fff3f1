#include "config.h"

#include "core/attest.h"

#include "attest/enrolment.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/core.h"

#define RESULT_AHEAD_S 30 /* rule_attest's */

static int64_t now_s(void)
{
    return clock_utc_ms() / 1000;
}

/* No verifier signed it: it is counted, as whatever nobody's signature vouches for. */
static void forged(struct core *c, uint64_t slot, result r, enum seb_code name)
{
    enum seb_code code = code_of(r) == E_bad_signature ? name : code_of(r);
    noise_count(c, code, 1);
    refuse(c, slot, fail(code));
}

/* The policy is the core's to answer: its text, as it was loaded. The log has it a moment after it is in force. */
static result policy_piece(struct core *c, const struct challenge *asked, json_t **ret)
{
    AUTO_JSON *o = json_object();
    const struct span text = buf_span(&c->policy_text);
    if (asked->offset > text.n)
        return fail(E_bad_value);
    TRY(json_put_b64url(o, "data", span_part(text, (size_t)asked->offset, DOCUMENT_PIECE_MAX)));
    TRY(json_put_int(o, "offset", (int64_t)asked->offset));
    TRY(json_put_int(o, "total", (int64_t)text.n));
    *ret = json_incref(o);
    return OK;
}

static void answer_policy(struct core *c, uint64_t slot, const struct challenge *asked)
{
    json_t *piece = NULL;
    result r = policy_piece(c, asked, &piece);
    if (is_ok(r))
        reply_value(c, slot, "evidence", piece);
    else
        refuse(c, slot, r);
}

static result to_keeper(struct core *c, uint64_t slot, const struct jws *j)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    TRY(statement_put(&fields, j));
    return link_send(c->keeper, MESSAGE_CHALLENGE, slot, buf_span(&fields));
}

static void challenge_receive(struct core *c, uint64_t slot, const struct jws *j)
{
    struct attestation *a = &c->attest;
    unsigned verifier;
    result r = verify_by_verifier(c->policy, TYP_CHALLENGE, j, &verifier);
    if (!is_ok(r)) {
        forged(c, slot, r, E_challenge_forged);
        return;
    }
    struct challenge asked;
    r = challenge_parse(j->payload, &asked);
    if (is_ok(r))
        r = challenge_check(&asked, c->config->domain, c->config->instance, now_s());
    if (is_ok(r) && a->asking)
        r = fail(E_busy);
    if (is_ok(r) && asked.op == CHALLENGE_DOCUMENT && asked.document == DOCUMENT_POLICY) {
        answer_policy(c, slot, &asked);
        return;
    }
    if (is_ok(r))
        r = to_keeper(c, slot, j);
    if (!is_ok(r)) {
        refuse(c, slot, r);
        return;
    }
    a->asking = true;
    a->ask_slot = slot;
    a->challenge = asked;
    a->challenger = *pubkey_thumbprint(policy_verifier_key(c->policy, verifier));
}

/* From what the challenger saw to the note that the evidence shows. Where the note is of a smaller log there is none, and the
 * verifier names that. */
static result proof_of(struct core *c, struct span part, struct merkle_proof *ret)
{
    AUTO_JSON *v = NULL;
    struct merkle_source source = store_source(c->reader);
    struct checkpoint newest;
    struct span text;
    ret->n = 0;
    TRY(json_strict(part, LINK_PACKET_MAX, &v));
    const json_t *note = json_object_get(v, "note");
    if (!json_is_string(note))
        return fail(E_illegal_message);
    struct span shown = { (const uint8_t *)json_string_value(note), json_string_length(note) };
    if (!shown.n || !c->attest.challenge.has_seen)
        return OK;
    TRY(checkpoint_parse(shown, &newest, &text));
    if (newest.size > journal_signed_size(c->journal))
        return fail(E_illegal_message);
    if (c->attest.challenge.seen.size > newest.size)
        return OK;
    return merkle_consistency(&source, c->attest.challenge.seen.size, newest.size, ret);
}

static result appraised(struct core *c, struct span part, json_t **ret)
{
    struct attestation *a = &c->attest;
    struct merkle_proof proof;
    AUTO_BUF whole = BUF(EVIDENCE_TEXT_MAX);
    TRY(proof_of(c, part, &proof));
    TRY(evidence_complete(part, a->shown_has_policy ? &a->shown_policy : NULL, &proof, &whole));
    TRY(json_strict(buf_span(&whole), EVIDENCE_TEXT_MAX, ret));
    buf_free(&a->evidence);
    a->evidence = whole;
    whole = BUF(0); /* given away */
    a->evidence_digest = sha256(buf_span(&a->evidence));
    a->answered_to = a->challenger;
    a->is_first = first_answer(&a->first, &a->challenger);
    a->answered = true;
    return span_copy(SPAN(a->challenge.nonce), a->nonce, sizeof a->nonce);
}

static result evidence_of(struct core *c, struct span json, json_t **ret)
{
    if (c->attest.challenge.op == CHALLENGE_APPRAISE)
        return appraised(c, json, ret);
    TRY(json_strict(json, LINK_PACKET_MAX, ret));
    documents_take(c, &c->attest.challenge, *ret);
    return OK;
}

static result answer(struct core *c, enum seb_code code, struct span json)
{
    struct attestation *a = &c->attest;
    json_t *evidence = NULL;
    a->asking = false;
    a->answered = a->answered && a->challenge.op != CHALLENGE_APPRAISE; /* an older one is void, whatever comes of this one */
    result r = fail(code);
    if (is_ok(r))
        r = evidence_of(c, json, &evidence);
    if (is_ok(r))
        reply_value(c, a->ask_slot, "evidence", evidence);
    else
        refuse(c, a->ask_slot, r);
    return code_of(r) == E_illegal_message ? r : OK;
}

static void note_is_stored(struct ticket *t, result stored)
{
    struct core *c = t->context;
    struct attestation *a = &c->attest;
    a->shown_ticket = (struct ticket){ .done = NULL };
    result r = answer(c, code_of(stored), buf_span(&a->shown));
    if (!is_ok(r))
        child_abort("the keeper's EVIDENCE", r);
}

/* A verifier holds a log for rolled back that shows less than it saw, and grants it no lease; without one nothing is signed that
 * would show more. So it is shown no note that a crash could take back. */
static result answer_when_stored(struct core *c, const struct evidence_message *m)
{
    struct attestation *a = &c->attest;
    uint64_t group;
    result r = journal_note_group(c->journal, &group);
    if (!is_ok(r))
        return answer(c, code_of(r), m->json);
    if (group == 0)
        return answer(c, E_ok, m->json);
    buf_clear(&a->shown);
    TRY(buf_put(&a->shown, m->json));
    a->shown_ticket = (struct ticket){ .index = group, .until = UNTIL_STORED, .context = c, .done = note_is_stored };
    journal_wait(c->journal, &a->shown_ticket);
    return OK;
}

result attest_evidence(struct core *c, uint64_t slot, const struct evidence_message *m)
{
    struct attestation *a = &c->attest;
    if (!a->asking || slot != a->ask_slot || a->shown_ticket.done)
        return fail(E_illegal_message);
    /* The quote is of the policy in force now, whatever comes into force while the note is stored. */
    a->shown_has_policy = c->policy != NULL;
    if (c->policy)
        a->shown_policy = *policy_digest(c->policy);
    if (a->challenge.op == CHALLENGE_APPRAISE && m->code == E_ok)
        return answer_when_stored(c, m);
    return answer(c, (enum seb_code)m->code, m->json);
}

/* It answers the last challenge, of this verifier, and judges just what was sent. */
static result result_fits(struct core *c, unsigned verifier, const struct result_claims *r)
{
    const struct attestation *a = &c->attest;
    const struct digest *signer = pubkey_thumbprint(policy_verifier_key(c->policy, verifier));
    if (!span_is(span_text(r->domain), c->config->domain))
        return fail(E_domain_mismatch);
    if (!span_is(span_text(r->instance), c->config->instance))
        return fail(E_instance_mismatch);
    if (!a->answered || !digest_equal(signer, &a->answered_to) || !span_equal(SPAN(r->nonce), SPAN(a->nonce)) ||
        !digest_equal(&r->evidence, &a->evidence_digest))
        return fail(E_result_mismatch);
    return now_s() >= r->exp || r->iat > now_s() + RESULT_AHEAD_S ? fail(E_result_stale) : OK;
}

/* docs/attestation.md, "Attestation result": the statement of an HSM's mint key takes the record key, and that takes a lease. */
static bool leases(const struct result_claims *r)
{
    return r->status == EAR_AFFIRMING || (r->codes_n == 1 && r->codes[0] == E_key_not_stated);
}

static result result_to_keeper(struct core *c, uint64_t slot, const struct attest_message *m)
{
    struct attestation *a = &c->attest;
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    struct result_message out = { .statement = m->statement };
    if (leases(&a->judged))
        out.lease = m->lease;
    buf_clear(&a->judged_text);
    buf_clear(&a->judged_of);
    TRY(buf_put(&a->judged_of, buf_span(&a->evidence)));
    TRY(jws_compact(&m->statement, &a->judged_text));
    TRY(result_put(&fields, &out));
    TRY(link_send(c->keeper, MESSAGE_RESULT, slot, buf_span(&fields)));
    a->judging = true;
    a->judge_slot = slot;
    a->answered = false; /* one result for each challenge */
    return OK;
}

static void result_receive(struct core *c, uint64_t slot, const struct attest_message *m)
{
    struct attestation *a = &c->attest;
    unsigned verifier;
    result r = verify_by_verifier(c->policy, TYP_RESULT, &m->statement, &verifier);
    if (!is_ok(r)) {
        forged(c, slot, r, E_result_forged);
        return;
    }
    struct result_claims claims;
    r = a->judging ? fail(E_busy) : result_parse(m->statement.payload, &claims);
    if (is_ok(r))
        r = result_fits(c, verifier, &claims);
    if (is_ok(r)) {
        a->judged = claims;
        a->judged_by = *pubkey_thumbprint(policy_verifier_key(c->policy, verifier));
        a->judging_fits = attested_fits(c, &claims);
        a->judging_first = a->is_first;
        r = result_to_keeper(c, slot, m);
    }
    if (!is_ok(r))
        refuse(c, slot, r);
}

/* A result that affirms the keys in use is held once the keeper, who verified it for itself, holds it too. Any other is held at
 * once, whatever the keeper says of it: from here on Phi_attest refuses by its name. */
result attest_loaded(struct core *c, const struct code_message *m)
{
    struct attestation *a = &c->attest;
    if (!a->judging)
        return fail(E_illegal_message);
    a->judging = false;
    result said = fail((enum seb_code)m->code), r = said;
    if (is_ok(said) || !a->judging_fits)
        r = attested_hold(c);
    if (is_ok(r) && a->judged.status == EAR_AFFIRMING && !a->judging_fits)
        r = fail(E_attestation_other_keys);
    else if (is_ok(r) && leases(&a->judged))
        r = said;
    if (is_ok(r))
        reply_code(c, a->judge_slot, "ok", NULL, E_ok);
    else
        refuse(c, a->judge_slot, r);
    return OK;
}

static result enrolment_fits(struct core *c, const struct enrolment_statement *e, struct span certificate)
{
    struct digest came = sha256(certificate);
    if (!span_is(span_text(e->domain), c->config->domain))
        return fail(E_domain_mismatch);
    if (!span_is(span_text(e->instance), c->config->instance))
        return fail(E_instance_mismatch);
    if (!digest_equal(&e->ak, &c->key[ROLE_ATTESTATION].kid))
        return fail(E_ak_mismatch);
    return digest_equal(&came, &e->ek_certificate) ? OK : fail(E_ek_mismatch);
}

static void enrolled(struct core *c, uint64_t slot, uint64_t index)
{
    reply_code(c, slot, "ok", NULL, E_ok);
}

static result enrolment_record(struct core *c, uint64_t slot, const struct attest_message *m, const struct enrolment_statement *e)
{
    AUTO_RECORD *r = NULL;
    AUTO_BUF text = BUF(STORE_BLOB_MAX);
    struct entry entry = { .type = ENTRY_ENROLMENT, .enrolment.statement = e->digest };
    TRY(jws_write(&m->statement, &text));
    TRY(record_new(c, &entry, &r));
    TRY(record_blob(r, BLOB_ENROLMENT, &e->digest, buf_span(&text)));
    TRY(record_blob(r, BLOB_DOCUMENT, &e->ek_certificate, m->extra));
    return record_put(&r, enrolled, slot);
}

static void enrolled_receive(struct core *c, uint64_t slot, const struct attest_message *m)
{
    unsigned verifier;
    struct enrolment_statement e;
    AUTO_BUF known = BUF(STORE_BLOB_MAX);
    result r = verify_by_verifier(c->policy, TYP_ENROLMENT, &m->statement, &verifier);
    if (!is_ok(r)) {
        forged(c, slot, r, E_enrolment_forged);
        return;
    }
    r = enrolment_open(&m->statement, policy_verifier_key(c->policy, verifier), &e);
    if (is_ok(r))
        r = enrolment_fits(c, &e, m->extra);
    if (!is_ok(r)) {
        refuse(c, slot, r);
        return;
    }
    r = store_read_blob(c->reader, BLOB_ENROLMENT, &e.digest, &known);
    if (is_ok(r)) /* the log has it: once is enough */
        reply_code(c, slot, "ok", NULL, E_ok);
    else if (code_of(r) == E_not_found)
        r = enrolment_record(c, slot, m, &e);
    if (!is_ok(r))
        refuse(c, slot, r);
}

void attest_receive(struct core *c, uint64_t slot, const struct attest_message *m)
{
    if (!c->policy) /* nobody is a verifier */
        refuse(c, slot, fail(E_no_policy));
    else if (c->stopping)
        refuse(c, slot, fail(E_unavailable));
    else if (m->operation == ATTEST_CHALLENGE)
        challenge_receive(c, slot, &m->statement);
    else if (m->operation == ATTEST_RESULT)
        result_receive(c, slot, m);
    else
        enrolled_receive(c, slot, m);
}
