/* A broker whose keys are real and whose records lie: every signature verifies, and the audit names the record. */
#include "config.h"

#include "tests/unit/audited.h"

struct story {
    struct aw_soft tpm;
    struct audit_world w;
};

/* Records 0 to 2: start, policy, epoch; signed and quoted. */
static void begin(struct story *s)
{
    aw_soft_new(&s->tpm);
    struct aw_keys keys = aw_soft_keys(&s->tpm);
    aw_new(&s->w, &keys);
    struct entry e = aw_start(&s->w);
    aw_put(&s->w, &e);
    e = aw_policy(&s->w);
    aw_put(&s->w, &e);
    e = aw_epoch(&s->w);
    aw_put(&s->w, &e);
    aw_sign(&s->w);
    aw_quote(&s->w);
}

static void end(struct story *s)
{
    aw_free(&s->w);
    aw_soft_free(&s->tpm);
}

/* Signs and quotes what was put, and checks. */
static void expect(struct checks *c, struct story *s, enum finding f, uint64_t n, enum finding also, const char *name)
{
    aw_sign(&s->w);
    aw_quote(&s->w);
    check_lie(c, &s->w, f, n, also, name);
    end(s);
}

static void put(struct story *s, struct entry e)
{
    aw_put(&s->w, &e);
}

/* A read (3) and what the judge says (4), for a test to change before it is put. */
static struct entry drafted(struct story *s, struct aw_change *ret, const char *certificate_edit)
{
    begin(s);
    aw_change_new(&s->w, "one", "one", certificate_edit, ret);
    put(s, aw_read(&s->w, ret, NO_INDEX));
    return aw_decision(&s->w, ret, 3, false);
}

static void apply(struct story *s, uint64_t decision, enum outcome_result r, enum evidence e)
{
    struct digest leaf = s->w.leaf;
    put(s, aw_outcome(&s->w, decision, &leaf, r, e));
}

static void honest(struct checks *c)
{
    struct story s;
    struct aw_change again;
    struct audited a;
    begin(&s);
    aw_apply(&s.w, "one"); /* 3 4 5 */
    aw_quote(&s.w);
    aw_change_new(&s.w, "one", "two", "", &again);
    put(&s, aw_decision(&s.w, &again, NO_INDEX, true)); /* 6: certificate_used */
    aw_change_free(&again);
    aw_sign(&s.w);
    aw_wait(&s.w, &s.tpm, 60000);
    put(&s, aw_stop(&s.w)); /* 7 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_wait(&s.w, &s.tpm, 3600000);
    put(&s, aw_start(&s.w)); /* 8 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    audited_run(&s.w, "out", NULL, 0, &a);
    audited_print(&a);
    check_that(c, a.a.report.findings == 0, "an honest log has no findings");
    check_that(c, a.a.summary.decisions == 2 && a.a.summary.permits == 1 && a.a.summary.outcomes == 1 && a.a.summary.runs == 2,
        "and is counted");
    check_that(c, a.a.summary.quoted_size == 9 && a.a.summary.has_quote, "complete up to its size");
    check_that(c, a.a.report.remarked[REMARK_quote_gap] == 1, "a stop a minute behind an unquoted refusal is remarked");
    audited_free(&a);
    end(&s);
}

static void verdicts(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    /* A refusal turned into a permit: live state has drifted. */
    struct entry e = drafted(&s, &ch, "");
    e.decision.live.sha256 = sha256(span_text("other"));
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_verdict, 4, FINDINGS, "a refusal turned into a permit");

    /* A permit turned into a refusal. */
    e = drafted(&s, &ch, "");
    e.decision.permitted = false;
    must(is_ok(span_copy_text(span_text("drift"), e.decision.rule, 16)) &&
             is_ok(span_copy_text(span_text("state_drifted"), e.decision.code, 40)),
        "text");
    put(&s, e);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_verdict, 4, FINDINGS, "a permit turned into a refusal");

    /* A credential that lives longer than the contract says. */
    e = drafted(&s, &ch, "");
    e.decision.exp += 1;
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_lifetime, 4, FINDINGS, "a credential one second too long");

    e = drafted(&s, &ch, "");
    e.decision.mint_key = sha256(span_text("another key"));
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_key, 4, FINDINGS, "a permit for another mint key");

    e = drafted(&s, &ch, "");
    e.decision.agent = sha256(span_text("another agent"));
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_facts, 4, FINDINGS, "a decision in another agent's name");

    e = drafted(&s, &ch, "");
    e.decision.policy = sha256(span_text("another policy"));
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_statement, 4, FINDINGS, "a policy that isn't in force");

    e = drafted(&s, &ch, "");
    e.decision.epoch += 1;
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_statement, 4, FINDINGS, "a revocation epoch that isn't in force");

    e = drafted(&s, &ch, "");
    e.decision.body = sha256(span_text("another body"));
    must(is_ok(store_batch_blob(s.w.batch, BLOB_BODY, &e.decision.body, span_text("another body"))), "body");
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_verdict, 4, FINDINGS, "a body that the contract doesn't hold");

    e = drafted(&s, &ch, "");
    e.decision.run[0] ^= 1;
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_run_other, 4, FINDINGS, "a decision of another run");
}

static void repeats(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    /* A second permit for one certificate, said to be unused. */
    begin(&s);
    aw_apply(&s.w, "one"); /* 3 4 5 */
    aw_change_new(&s.w, "one", "two", "", &ch);
    put(&s, aw_read(&s.w, &ch, NO_INDEX));
    put(&s, aw_decision(&s.w, &ch, 6, false)); /* 7 */
    apply(&s, 7, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_certificate_reused, 7, FOUND_decision_used, "a second permit for one certificate");

    begin(&s);
    aw_apply(&s.w, "one");
    aw_change_new(&s.w, "two", "one", "", &ch);
    put(&s, aw_read(&s.w, &ch, NO_INDEX));
    put(&s, aw_decision(&s.w, &ch, 6, false));
    apply(&s, 7, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_request_reused, 7, FINDINGS, "a second decision for one request");

    begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    put(&s, aw_decision(&s.w, &ch, NO_INDEX, true)); /* 3 */
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_used, 3, FINDINGS, "a refusal for a certificate that nobody used");
}

static void reads(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    struct entry e;
    begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    e = aw_read(&s.w, &ch, NO_INDEX);
    must(is_ok(span_copy_text(span_text("https://docs.example/pages/other"), e.read.resource, RESOURCE_MAX)), "text");
    put(&s, e);
    aw_change_free(&ch);
    expect(c, &s, FOUND_read_mismatch, 3, FINDINGS, "a read of another resource");

    begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    e = aw_read(&s.w, &ch, NO_INDEX);
    e.read.exp += 1;
    put(&s, e);
    aw_change_free(&ch);
    expect(c, &s, FOUND_read_lifetime, 3, FINDINGS, "a read's credential one second too long");

    begin(&s);
    aw_change_new(&s.w, "one", "one", "exp=1767225590", &ch);
    put(&s, aw_read(&s.w, &ch, NO_INDEX));
    aw_change_free(&ch);
    expect(c, &s, FOUND_read_uncertified, 3, FINDINGS, "a read for a certificate that was over");

    begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    put(&s, aw_decision(&s.w, &ch, 2, false)); /* 3 */
    apply(&s, 3, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_read_unknown, 3, FINDINGS, "a permit without a read before it");

    e = drafted(&s, &ch, "");
    aw_wait(&s.w, &s.tpm, 90000);
    aw_change_free(&ch);
    aw_change_new(&s.w, "one", "one", "", &ch);
    put(&s, aw_decision(&s.w, &ch, 3, false));
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_read_expired, 4, FINDINGS, "a permit on live state of long ago");
}

static void outcomes(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    struct entry e = drafted(&s, &ch, "");
    put(&s, e);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_outcome_again, 6, FINDINGS, "a second final outcome");

    begin(&s);
    apply(&s, 2, RESULT_APPLIED, EVIDENCE_RESPONSE);
    expect(c, &s, FOUND_outcome_unknown, 3, FINDINGS, "an outcome of what was no permit");

    e = drafted(&s, &ch, "");
    put(&s, e);
    s.w.leaf.b[0] ^= 1;
    apply(&s, 4, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_outcome_leaf, 5, FINDINGS, "an outcome that names another leaf");

    e = drafted(&s, &ch, "");
    put(&s, e);
    struct entry o = aw_outcome(&s.w, 4, &s.w.leaf, RESULT_APPLIED, EVIDENCE_RESPONSE);
    o.outcome.http_status = 412;
    put(&s, o);
    aw_change_free(&ch);
    expect(c, &s, FOUND_outcome_evidence, 5, FINDINGS, "applied, on a refusal of the target");

    /* Concluded from a look at once, while the call might still land. */
    e = drafted(&s, &ch, "");
    put(&s, e);
    struct digest leaf = s.w.leaf;
    put(&s, aw_read(&s.w, &ch, 4)); /* 5 */
    o = aw_outcome(&s.w, 4, &leaf, RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED);
    o.outcome.read = 5;
    put(&s, o);
    aw_change_free(&ch);
    expect(c, &s, FOUND_outcome_early, 6, FINDINGS, "not applied, concluded too early");

    /* The same after the credential's end is honest; so is an open outcome before it. */
    e = drafted(&s, &ch, "");
    put(&s, e);
    leaf = s.w.leaf;
    aw_sign(&s.w);
    aw_quote(&s.w);
    put(&s, aw_outcome(&s.w, 4, &leaf, RESULT_OPEN, EVIDENCE_NONE)); /* 5 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_wait(&s.w, &s.tpm, 11000);
    put(&s, aw_read(&s.w, &ch, 4)); /* 6 */
    o = aw_outcome(&s.w, 4, &leaf, RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED);
    o.outcome.read = 6;
    put(&s, o);
    aw_change_free(&ch);
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "late", NULL);
    check_clean(c, &s.w, "late", "not applied, concluded when the call could no longer land");
    end(&s);

    /* No outcome: for a while that may be so; then the run went on without. */
    e = drafted(&s, &ch, "");
    put(&s, e);
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "open", NULL);
    struct audited a;
    audited_run(&s.w, "open", NULL, 0, &a);
    check_that(c, a.a.report.findings == 0 && audited_remarked(&a, REMARK_open, 4) && a.a.summary.open == 1,
        "a permit open at the end is remarked");
    audited_free(&a);
    aw_wait(&s.w, &s.tpm, 200000);
    put(&s, aw_stop(&s.w));
    aw_change_free(&ch);
    expect(c, &s, FOUND_outcome_missing, 4, FINDINGS, "a permit that never had an outcome");
}

static void times(struct checks *c)
{
    struct story s;
    begin(&s);
    s.w.now_ms -= 1000;
    put(&s, aw_stop(&s.w));
    expect(c, &s, FOUND_time_backwards, 3, FINDINGS, "time going back");

    /* The broker's clock stood still for an hour while it permitted. */
    begin(&s);
    aw_apply(&s.w, "one");
    s.tpm.clock_ms += 3600000;
    expect(c, &s, FOUND_clock_disagrees, 6, FINDINGS, "the broker's clock was held back");

    begin(&s);
    aw_apply(&s.w, "one");
    s.w.now_ms += 3600000;
    put(&s, aw_stop(&s.w));
    expect(c, &s, FOUND_clock_disagrees, 7, FINDINGS, "the broker's clock was put forward");

    begin(&s);
    s.tpm.clock_ms -= 100;
    put(&s, aw_stop(&s.w));
    expect(c, &s, FOUND_clock_stopped, 4, FINDINGS, "the TPM's clock going back");

    begin(&s);
    s.tpm.reset_next = 2;
    put(&s, aw_stop(&s.w));
    expect(c, &s, FOUND_clock_reset, 4, FINDINGS, "the TPM's reset count going back");

    /* The TPM is away for a minute: one quote comes late, the next is in time again. */
    struct aw_change ch;
    struct audited a;
    for (int reset = 0; reset < 2; reset++) {
        begin(&s);
        aw_change_new(&s.w, "one", "one", "policy_epoch=6", &ch);
        put(&s, aw_decision(&s.w, &ch, NO_INDEX, false)); /* 3: a refusal */
        aw_change_free(&ch);
        aw_sign(&s.w);
        s.tpm.clock_ms += 60000;
        s.tpm.reset_next = reset ? 4 : 0;
        aw_quote(&s.w); /* of size 4 */
        s.w.now_ms += 60000;
        aw_apply(&s.w, "two");
        aw_quote(&s.w);
        aw_wait(&s.w, &s.tpm, 1000);
        aw_apply(&s.w, "three");
        aw_quote(&s.w);
        aw_export(&s.w, "away", NULL);
        audited_run(&s.w, "away", NULL, 0, &a);
        check_that(c, a.a.report.findings == 0 && audited_remarked(&a, REMARK_clock_gap, 4) == !reset,
            reset ? "a TPM that was away and reset is no finding" : "a TPM that was away without a reset is remarked");
        audited_print(&a);
        audited_free(&a);
        end(&s);
    }

    /* A permit ten seconds behind the last quoted checkpoint, in one run. */
    begin(&s);
    aw_apply(&s.w, "one"); /* signed at 5 */
    aw_wait(&s.w, &s.tpm, 10000);
    aw_apply(&s.w, "two"); /* 6 7 8 */
    expect(c, &s, FOUND_quote_late, 7, FINDINGS, "a permit while no quote covered the log");
}

static void quotes(struct checks *c)
{
    struct story s;
    struct checkpoint other;
    begin(&s);
    put(&s, aw_stop(&s.w));
    aw_sign(&s.w);
    other = aw_checkpoint(&s.w);
    other.root.b[0] ^= 1;
    aw_quote_of(&s.w, &other, 7, 3);
    expect(c, &s, FOUND_quote_note, 4, FINDINGS, "a quote of another note");

    begin(&s);
    aw_apply(&s.w, "one");
    aw_sign(&s.w);
    other = aw_checkpoint(&s.w);
    aw_quote_of(&s.w, &other, 6, 3);
    check_lie(c, &s.w, FOUND_quote_epochs, 6, FINDINGS, "a quote with an older policy epoch");
    end(&s);

    /* No policy yet in a run's first quote, and the statement that the keeper has and the log hasn't yet. */
    begin(&s);
    put(&s, aw_stop(&s.w));
    put(&s, aw_start(&s.w));
    aw_sign(&s.w);
    other = aw_checkpoint(&s.w);
    aw_quote_of(&s.w, &other, 0, 0);
    aw_quote_of(&s.w, &other, 8, 3);
    edit(s.w.policy.policy_json, "policy_epoch", "8");
    put(&s, aw_policy(&s.w));
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "ahead", NULL);
    check_clean(c, &s.w, "ahead", "the keeper's epochs may be ahead of the log's for a moment, and none at a run's start");
    end(&s);
}

static void statements(struct checks *c)
{
    struct story s;
    begin(&s);
    edit(s.w.policy.epoch_json, "epoch", "2");
    put(&s, aw_epoch(&s.w)); /* 3 */
    expect(c, &s, FOUND_statement_order, 3, FINDINGS, "the revocation epoch going back");

    begin(&s);
    put(&s, aw_policy(&s.w)); /* 3: the same once more */
    expect(c, &s, FOUND_statement_order, 3, FINDINGS, "a policy that isn't newer");

    begin(&s);
    edit(s.w.policy.policy_json, "policy_epoch", "8");
    struct entry e = aw_policy(&s.w);
    e.policy.policy_epoch = 9;
    put(&s, e);
    aw_sign(&s.w);
    struct checkpoint now = aw_checkpoint(&s.w);
    aw_quote_of(&s.w, &now, 9, 3);
    check_lie(c, &s.w, FOUND_statement_mismatch, 3, FINDINGS, "a policy of another number");
    end(&s);

    begin(&s);
    struct testkey *right = s.w.policy_key;
    s.w.policy_key = s.w.policy.stranger;
    edit(s.w.policy.policy_json, "policy_epoch", "8");
    put(&s, aw_policy(&s.w));
    s.w.policy_key = right;
    expect(c, &s, FOUND_statement_signature, 3, FINDINGS, "a policy by another key");
}

/* Records 0 to 3: a policy by which the second authority may not admit this. Then (4) the refusal of what it alone signed. */
static void begin_refused(struct story *s)
{
    struct aw_change first;
    begin(s);
    edit(s->w.policy.policy_json, "policy_epoch", "8");
    edit(s->w.policy.policy_json, "authorities.1.admit.1.operations", "[\"DELETE\"]");
    put(s, aw_policy(&s->w));
    aw_change_new(&s->w, "one", "one", "policy_epoch=8", &first);
    aw_change_sign(&first, &s->w.policy.authority[1], 1);
    struct entry e = aw_decision(&s->w, &first, NO_INDEX, false);
    must(span_is(span_text(e.decision.code), "not_admissible"), "the refusal");
    put(s, e);
    aw_change_free(&first);
}

static void signatures(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    begin_refused(&s);
    aw_change_new(&s.w, "one", "two", "policy_epoch=8", &ch);
    aw_change_sign(&ch, s.w.policy.authority, 2);
    put(&s, aw_read(&s.w, &ch, NO_INDEX)); /* 5 */
    put(&s, aw_decision(&s.w, &ch, 5, false)); /* 6 */
    apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    aw_change_new(&s.w, "one", "three", "policy_epoch=8", &ch);
    aw_change_sign(&ch, &s.w.policy.authority[1], 1);
    put(&s, aw_decision(&s.w, &ch, NO_INDEX, true)); /* 8: not_admissible once more, beside the permit's signatures */
    aw_change_free(&ch);
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "countersigned", NULL);
    check_clean(c, &s.w, "countersigned", "refused with one signature, and permitted with two");
    end(&s);

    /* The export holds the one signature; that there was another is the broker's word. */
    begin_refused(&s);
    aw_change_new(&s.w, "one", "two", "policy_epoch=8", &ch);
    aw_change_sign(&ch, s.w.policy.authority, 2);
    struct entry e = aw_decision(&s.w, &ch, 5, false);
    aw_change_sign(&ch, &s.w.policy.authority[1], 1);
    AUTO_BUF text = BUF(STORE_BLOB_MAX);
    must(is_ok(jws_write(&ch.certificate_jws, &text)), "jws");
    must(is_ok(store_batch_blob_replace(s.w.batch, BLOB_CERTIFICATE, &ch.certificate.digest, buf_span(&text))), "blob");
    put(&s, aw_read(&s.w, &ch, NO_INDEX)); /* 5 */
    put(&s, e); /* 6 */
    apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_verdict, 6, FOUND_read_uncertified, "a permit that only more signatures would justify");

    /* No part of the signatures leads to what was recorded. */
    begin_refused(&s);
    aw_change_new(&s.w, "one", "two", "policy_epoch=8", &ch);
    aw_change_sign(&ch, s.w.policy.authority, 2);
    put(&s, aw_read(&s.w, &ch, NO_INDEX)); /* 5 */
    put(&s, aw_decision(&s.w, &ch, 5, false)); /* 6 */
    apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    aw_change_new(&s.w, "one", "three", "policy_epoch=8", &ch);
    e = aw_decision(&s.w, &ch, NO_INDEX, true);
    must(is_ok(span_copy_text(span_text("rev"), e.decision.rule, 16)) &&
             is_ok(span_copy_text(span_text("epoch_mismatch"), e.decision.code, 40)),
        "text");
    put(&s, e); /* 8 */
    aw_change_free(&ch);
    expect(c, &s, FOUND_decision_verdict, 8, FINDINGS, "a refusal that no part of the signatures explains");
}

static void runs(struct checks *c)
{
    struct story s;
    begin(&s);
    put(&s, aw_stop(&s.w));
    s.w.runs--;
    put(&s, aw_start(&s.w)); /* 4 */
    expect(c, &s, FOUND_run_reused, 4, FINDINGS, "a run's name used twice");

    begin(&s);
    put(&s, aw_stop(&s.w)); /* 3 */
    aw_apply(&s.w, "one"); /* 4 5 6 */
    expect(c, &s, FOUND_run_ended, 5, FINDINGS, "a permit after the run's stop");

    begin(&s);
    struct entry e = aw_start(&s.w);
    must(is_ok(span_copy_text(span_text("seb-2"), e.start.instance, 64)), "text");
    put(&s, e);
    expect(c, &s, FOUND_start_identity, 3, FINDINGS, "another instance");

    begin(&s);
    e = aw_start(&s.w);
    e.start.key[ROLE_RECORD].kid = e.start.key[ROLE_ATTESTATION].kid;
    put(&s, e);
    expect(c, &s, FOUND_key_unknown, 3, FOUND_key_evidence, "another record key");

    begin(&s);
    s.tpm.attributes = 0x40030; /* not fixedTPM: it was made elsewhere */
    put(&s, aw_start(&s.w));
    expect(c, &s, FOUND_key_evidence, 3, FINDINGS, "keys that aren't bound to hardware");
}

int main(void)
{
    struct checks c = { 0 };
    honest(&c);
    verdicts(&c);
    repeats(&c);
    reads(&c);
    outcomes(&c);
    times(&c);
    quotes(&c);
    statements(&c);
    signatures(&c);
    runs(&c);
    return checks_end(&c);
}
