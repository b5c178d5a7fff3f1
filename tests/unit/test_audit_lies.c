/* A broker whose keys are real and whose records lie: every signature verifies, and the audit names the record. */
#include "config.h"

#include "tests/unit/audit_story.h"

static void honest(struct checks *c)
{
    struct story s;
    struct aw_change again;
    struct audited a;
    story_begin(&s);
    aw_apply(&s.w, "one"); /* 5 6 7 */
    aw_quote(&s.w);
    aw_change_new(&s.w, "one", "two", "", &again);
    story_put(&s, aw_decision(&s.w, &again, NO_INDEX, true)); /* 8: certificate_used */
    aw_change_free(&again);
    aw_sign(&s.w);
    aw_wait(&s.w, &s.tpm, 60000);
    story_put(&s, aw_stop(&s.w)); /* 9 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_wait(&s.w, &s.tpm, 3600000);
    story_put(&s, aw_start(&s.w)); /* 10 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    audited_run(&s.w, "out", NULL, 0, &a);
    audited_print(&a);
    check_that(c, a.a.report.findings == 0, "an honest log has no findings");
    check_that(c, a.a.summary.decisions == 2 && a.a.summary.permits == 1 && a.a.summary.outcomes == 1 && a.a.summary.runs == 2,
        "and is counted");
    check_that(c, a.a.summary.quoted_size == 11 && a.a.summary.has_quote, "complete up to its size");
    check_that(c, a.a.report.remarked[REMARK_quote_gap] == 1, "a stop a minute behind an unquoted refusal is remarked");
    audited_free(&a);
    story_end(&s);
}

static void verdicts(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    /* A refusal turned into a permit: live state has drifted. */
    struct entry e = story_drafted(&s, &ch, "");
    e.decision.live.sha256 = sha256(span_text("other"));
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_verdict, 6, FINDINGS, "a refusal turned into a permit");

    /* A permit turned into a refusal. */
    e = story_drafted(&s, &ch, "");
    e.decision.permitted = false;
    must(is_ok(span_copy_text(span_text("drift"), e.decision.rule, 16)) &&
             is_ok(span_copy_text(span_text("state_drifted"), e.decision.code, 40)),
        "text");
    story_put(&s, e);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_verdict, 6, FINDINGS, "a permit turned into a refusal");

    /* A credential that lives longer than the contract says. */
    e = story_drafted(&s, &ch, "");
    e.decision.exp += 1;
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_lifetime, 6, FINDINGS, "a credential one second too long");

    e = story_drafted(&s, &ch, "");
    e.decision.mint_key = sha256(span_text("another key"));
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_key, 6, FINDINGS, "a permit for another mint key");

    e = story_drafted(&s, &ch, "");
    e.decision.agent = sha256(span_text("another agent"));
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_facts, 6, FINDINGS, "a decision in another agent's name");

    e = story_drafted(&s, &ch, "");
    e.decision.policy = sha256(span_text("another policy"));
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_statement, 6, FINDINGS, "a policy that isn't in force");

    e = story_drafted(&s, &ch, "");
    e.decision.epoch += 1;
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_statement, 6, FINDINGS, "a revocation epoch that isn't in force");

    e = story_drafted(&s, &ch, "");
    e.decision.body = sha256(span_text("another body"));
    must(is_ok(store_batch_blob(s.w.batch, BLOB_BODY, &e.decision.body, span_text("another body"))), "body");
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_verdict, 6, FINDINGS, "a body that the contract doesn't hold");

    e = story_drafted(&s, &ch, "");
    e.decision.run[0] ^= 1;
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_run_other, 6, FINDINGS, "a decision of another run");
}

static void repeats(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    /* A second permit for one certificate, said to be unused. */
    story_begin(&s);
    aw_apply(&s.w, "one"); /* 5 6 7 */
    aw_change_new(&s.w, "one", "two", "", &ch);
    story_put(&s, aw_read(&s.w, &ch, NO_INDEX));
    story_put(&s, aw_decision(&s.w, &ch, 8, false)); /* 9 */
    story_apply(&s, 9, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_certificate_reused, 9, FOUND_decision_used, "a second permit for one certificate");

    story_begin(&s);
    aw_apply(&s.w, "one");
    aw_change_new(&s.w, "two", "one", "", &ch);
    story_put(&s, aw_read(&s.w, &ch, NO_INDEX));
    story_put(&s, aw_decision(&s.w, &ch, 8, false));
    story_apply(&s, 9, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_request_reused, 9, FINDINGS, "a second decision for one request");

    story_begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    story_put(&s, aw_decision(&s.w, &ch, NO_INDEX, true)); /* 5 */
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_decision_used, 5, FINDINGS, "a refusal for a certificate that nobody used");
}

static void reads(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    struct entry e;
    story_begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    e = aw_read(&s.w, &ch, NO_INDEX);
    must(is_ok(span_copy_text(span_text("https://docs.example/pages/other"), e.read.resource, RESOURCE_MAX)), "text");
    story_put(&s, e);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_read_mismatch, 5, FINDINGS, "a read of another resource");

    story_begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    e = aw_read(&s.w, &ch, NO_INDEX);
    e.read.exp += 1;
    story_put(&s, e);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_read_lifetime, 5, FINDINGS, "a read's credential one second too long");

    story_begin(&s);
    aw_change_new(&s.w, "one", "one", "exp=1767225590", &ch);
    story_put(&s, aw_read(&s.w, &ch, NO_INDEX));
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_read_uncertified, 5, FINDINGS, "a read for a certificate that was over");

    story_begin(&s);
    aw_change_new(&s.w, "one", "one", "", &ch);
    story_put(&s, aw_decision(&s.w, &ch, 2, false)); /* 5 */
    story_apply(&s, 5, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_read_unknown, 5, FINDINGS, "a permit without a read before it");

    story_drafted(&s, &ch, "");
    aw_wait(&s.w, &s.tpm, 90000);
    story_put(&s, aw_decision(&s.w, &ch, 5, false));
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_read_expired, 6, FINDINGS, "a permit on live state of long ago");
}

static void outcomes(struct checks *c)
{
    struct story s;
    struct aw_change ch;
    struct entry e = story_drafted(&s, &ch, "");
    story_put(&s, e);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_outcome_again, 8, FINDINGS, "a second final outcome");

    story_begin(&s);
    story_apply(&s, 2, RESULT_APPLIED, EVIDENCE_RESPONSE);
    story_expect(c, &s, FOUND_outcome_unknown, 5, FINDINGS, "an outcome of what was no permit");

    e = story_drafted(&s, &ch, "");
    story_put(&s, e);
    s.w.leaf.b[0] ^= 1;
    story_apply(&s, 6, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_outcome_leaf, 7, FINDINGS, "an outcome that names another leaf");

    e = story_drafted(&s, &ch, "");
    story_put(&s, e);
    struct entry o = aw_outcome(&s.w, 6, &s.w.leaf, RESULT_APPLIED, EVIDENCE_RESPONSE);
    o.outcome.http_status = 412;
    story_put(&s, o);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_outcome_evidence, 7, FINDINGS, "applied, on a refusal of the target");

    /* Concluded from a look at once, while the call might still land. */
    e = story_drafted(&s, &ch, "");
    story_put(&s, e);
    struct digest leaf = s.w.leaf;
    story_put(&s, aw_read(&s.w, &ch, 6)); /* 7 */
    o = aw_outcome(&s.w, 6, &leaf, RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED);
    o.outcome.read = 7;
    story_put(&s, o);
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_outcome_early, 8, FINDINGS, "not applied, concluded too early");

    /* The same after the credential's end is honest; so is an open outcome before it. */
    e = story_drafted(&s, &ch, "");
    story_put(&s, e);
    leaf = s.w.leaf;
    aw_sign(&s.w);
    aw_quote(&s.w);
    story_put(&s, aw_outcome(&s.w, 6, &leaf, RESULT_OPEN, EVIDENCE_NONE)); /* 7 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_wait(&s.w, &s.tpm, 11000);
    story_put(&s, aw_read(&s.w, &ch, 6)); /* 8 */
    o = aw_outcome(&s.w, 6, &leaf, RESULT_NOT_APPLIED, EVIDENCE_STATE_UNCHANGED);
    o.outcome.read = 8;
    story_put(&s, o);
    aw_change_free(&ch);
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "late", NULL);
    check_clean(c, &s.w, "late", "not applied, concluded when the call could no longer land");
    story_end(&s);

    /* No outcome: for a while that may be so; then the run went on without. */
    e = story_drafted(&s, &ch, "");
    story_put(&s, e);
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "open", NULL);
    struct audited a;
    audited_run(&s.w, "open", NULL, 0, &a);
    check_that(c, a.a.report.findings == 0 && audited_remarked(&a, REMARK_open, 6) && a.a.summary.open == 1,
        "a permit open at the end is remarked");
    audited_free(&a);
    aw_wait(&s.w, &s.tpm, 200000);
    story_put(&s, aw_stop(&s.w));
    aw_change_free(&ch);
    story_expect(c, &s, FOUND_outcome_missing, 6, FINDINGS, "a permit that never had an outcome");
}

static void times(struct checks *c)
{
    struct story s;
    story_begin(&s);
    s.w.now_ms -= 1000;
    story_put(&s, aw_stop(&s.w));
    story_expect(c, &s, FOUND_time_backwards, 5, FINDINGS, "time going back");

    /* The broker's clock stood still for an hour while it permitted. */
    story_begin(&s);
    aw_apply(&s.w, "one");
    s.tpm.clock_ms += 3600000;
    story_expect(c, &s, FOUND_clock_disagrees, 8, FINDINGS, "the broker's clock was held back");

    story_begin(&s);
    aw_apply(&s.w, "one");
    s.w.now_ms += 3600000;
    story_put(&s, aw_stop(&s.w));
    story_expect(c, &s, FOUND_clock_disagrees, 9, FINDINGS, "the broker's clock was put forward");

    story_begin(&s);
    s.tpm.clock_ms -= 100;
    story_put(&s, aw_stop(&s.w));
    story_expect(c, &s, FOUND_clock_stopped, 6, FINDINGS, "the TPM's clock going back");

    story_begin(&s);
    s.tpm.reset_next = 2;
    story_put(&s, aw_stop(&s.w));
    story_expect(c, &s, FOUND_clock_reset, 6, FINDINGS, "the TPM's reset count going back");

    /* The TPM is away for a minute: one quote comes late, the next is in time again. */
    struct aw_change ch;
    struct audited a;
    for (int reset = 0; reset < 2; reset++) {
        story_begin(&s);
        aw_change_new(&s.w, "one", "one", "policy_epoch=6", &ch);
        story_put(&s, aw_decision(&s.w, &ch, NO_INDEX, false)); /* 5: a refusal */
        aw_change_free(&ch);
        aw_sign(&s.w);
        s.tpm.clock_ms += 60000;
        s.tpm.reset_next = reset ? 4 : 0;
        aw_quote(&s.w); /* of size 6 */
        s.w.now_ms += 60000;
        aw_apply(&s.w, "two");
        aw_quote(&s.w);
        aw_wait(&s.w, &s.tpm, 1000);
        aw_apply(&s.w, "three");
        aw_quote(&s.w);
        aw_export(&s.w, "away", NULL);
        audited_run(&s.w, "away", NULL, 0, &a);
        check_that(c, a.a.report.findings == 0 && audited_remarked(&a, REMARK_clock_gap, 6) == !reset,
            reset ? "a TPM that was away and reset is no finding" : "a TPM that was away without a reset is remarked");
        audited_print(&a);
        audited_free(&a);
        story_end(&s);
    }

    /* A quote that comes late by more than the slack alone, by less than what the TPM's rate may explain besides. */
    story_begin(&s);
    aw_wait(&s.w, &s.tpm, 10000);
    aw_change_new(&s.w, "one", "one", "policy_epoch=6", &ch);
    story_put(&s, aw_decision(&s.w, &ch, NO_INDEX, false)); /* 5: a refusal */
    aw_change_free(&ch);
    aw_sign(&s.w);
    s.tpm.clock_ms += 6200;
    aw_quote(&s.w);
    s.w.now_ms += 6200;
    aw_apply(&s.w, "two");
    aw_quote(&s.w);
    aw_export(&s.w, "late", NULL);
    check_clean(c, &s.w, "late", "a quote that waited for a lease is nothing to measure the next one by");
    story_end(&s);

    /* A permit ten seconds behind the last quoted checkpoint, in one run. */
    story_begin(&s);
    aw_apply(&s.w, "one"); /* signed at 7 */
    aw_wait(&s.w, &s.tpm, 10000);
    aw_apply(&s.w, "two"); /* 8 9 10 */
    story_expect(c, &s, FOUND_quote_late, 9, FINDINGS, "a permit while no quote covered the log");
}

static void quotes(struct checks *c)
{
    struct story s;
    struct checkpoint other;
    story_begin(&s);
    story_put(&s, aw_stop(&s.w));
    aw_sign(&s.w);
    other = aw_checkpoint(&s.w);
    other.root.b[0] ^= 1;
    aw_quote_of(&s.w, &other, 7, 3);
    story_expect(c, &s, FOUND_quote_note, 6, FINDINGS, "a quote of another note");

    story_begin(&s);
    aw_apply(&s.w, "one");
    aw_sign(&s.w);
    other = aw_checkpoint(&s.w);
    aw_quote_of(&s.w, &other, 6, 3);
    check_lie(c, &s.w, FOUND_quote_epochs, 8, FINDINGS, "a quote with an older policy epoch");
    story_end(&s);

    /* No policy yet in a run's first quote, and the statement that the keeper has and the log hasn't yet. */
    story_begin(&s);
    story_put(&s, aw_stop(&s.w));
    story_put(&s, aw_start(&s.w));
    aw_sign(&s.w);
    other = aw_checkpoint(&s.w);
    aw_quote_of(&s.w, &other, 0, 0);
    aw_quote_of(&s.w, &other, 8, 3);
    edit(s.w.policy.policy_json, "policy_epoch", "8");
    story_put(&s, aw_policy(&s.w));
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "ahead", NULL);
    check_clean(c, &s.w, "ahead", "the keeper's epochs may be ahead of the log's for a moment, and none at a run's start");
    story_end(&s);
}

static void statements(struct checks *c)
{
    struct story s;
    story_begin(&s);
    edit(s.w.policy.epoch_json, "epoch", "2");
    story_put(&s, aw_epoch(&s.w)); /* 5 */
    story_expect(c, &s, FOUND_statement_order, 5, FINDINGS, "the revocation epoch going back");

    story_begin(&s);
    story_put(&s, aw_policy(&s.w)); /* 5: the same once more */
    story_expect(c, &s, FOUND_statement_order, 5, FINDINGS, "a policy that isn't newer");

    story_begin(&s);
    edit(s.w.policy.policy_json, "policy_epoch", "8");
    struct entry e = aw_policy(&s.w);
    e.policy.policy_epoch = 9;
    story_put(&s, e);
    aw_sign(&s.w);
    struct checkpoint now = aw_checkpoint(&s.w);
    aw_quote_of(&s.w, &now, 9, 3);
    check_lie(c, &s.w, FOUND_statement_mismatch, 5, FINDINGS, "a policy of another number");
    story_end(&s);

    story_begin(&s);
    struct testkey *right = s.w.policy_key;
    s.w.policy_key = s.w.policy.stranger;
    edit(s.w.policy.policy_json, "policy_epoch", "8");
    story_put(&s, aw_policy(&s.w));
    s.w.policy_key = right;
    story_expect(c, &s, FOUND_statement_signature, 5, FINDINGS, "a policy by another key");
}

static void runs(struct checks *c)
{
    struct story s;
    story_begin(&s);
    story_put(&s, aw_stop(&s.w));
    s.w.runs--;
    story_put(&s, aw_start(&s.w)); /* 6 */
    story_expect(c, &s, FOUND_run_reused, 6, FINDINGS, "a run's name used twice");

    story_begin(&s);
    story_put(&s, aw_stop(&s.w)); /* 5 */
    aw_apply(&s.w, "one"); /* 6 7 8 */
    story_expect(c, &s, FOUND_run_ended, 7, FINDINGS, "a permit after the run's stop");

    story_begin(&s);
    struct entry e = aw_start(&s.w);
    must(is_ok(span_copy_text(span_text("seb-2"), e.start.instance, 64)), "text");
    story_put(&s, e);
    story_expect(c, &s, FOUND_start_identity, 5, FINDINGS, "another instance");

    story_begin(&s);
    e = aw_start(&s.w);
    e.start.key[ROLE_RECORD].kid = e.start.key[ROLE_ATTESTATION].kid;
    story_put(&s, e);
    story_expect(c, &s, FOUND_key_unknown, 5, FOUND_key_evidence, "another record key");

    story_begin(&s);
    s.tpm.attributes = 0x40030; /* not fixedTPM: it was made elsewhere */
    story_put(&s, aw_start(&s.w));
    story_expect(c, &s, FOUND_key_evidence, 5, FOUND_key_unknown, "keys that aren't bound to hardware");
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
    runs(&c);
    return checks_end(&c);
}
