/* Attestation and enrolment: a verifier's word that isn't one, or that the evidence doesn't bear out, is named. */
#include "config.h"

#include "tests/unit/audit_internal.h"
#include "tests/unit/audit_story.h"

/* Records 0 to 4 of a story; a result in the making, to be spoiled. */
static void drafted(struct story *s, struct aw_result *ret)
{
    story_begin(s);
    aw_wait(&s->w, &s->tpm, 10000);
    aw_result_draft(&s->w, ret);
}

/* Record 5 is that result. */
static void done(struct checks *c, struct story *s, struct aw_result *d, enum finding f, const char *name)
{
    story_put(s, aw_result_done(&s->w, d));
    story_expect(c, s, f, 5, FINDINGS, name);
}

static void honest(struct checks *c)
{
    struct story s;
    struct audited a;
    story_begin(&s);
    aw_apply(&s.w, "one"); /* 5 6 7 */
    aw_quote(&s.w);
    aw_wait(&s.w, &s.tpm, 10000);
    story_put(&s, aw_result(&s.w)); /* 8: of the log up to there */
    aw_apply(&s.w, "two");
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    audited_run(&s.w, "out", NULL, 0, &a);
    audited_print(&a);
    check_that(c, a.a.report.findings == 0 && a.a.summary.results == 2 && a.a.summary.enrolments == 1,
        "two results, each with its evidence, and what was decided on them");
    audited_free(&a);
    s.w.pin_mint = s.w.pin_verifier = true;
    aw_trust(&s.w);
    check_clean(c, &s.w, "out", "the same with the mint key and the verifier pinned");
    story_end(&s);

    /* Keys that are all in the TPM. */
    s = (struct story){ 0 };
    aw_soft_new(&s.tpm);
    s.tpm.in_tpm = true;
    struct aw_keys keys = aw_soft_keys(&s.tpm);
    aw_new(&s.w, &keys);
    aw_begin(&s.w);
    aw_apply(&s.w, "one");
    story_clean(c, &s, "a mint key in the TPM, that nobody pins");
}

/* A read (6) and a permit (7) by a broker that thinks its result good for longer. */
static void outlives(struct checks *c, struct story *s, enum finding f, const char *name)
{
    struct audited a;
    aw_apply(&s->w, "one");
    aw_sign(&s->w);
    aw_quote(&s->w);
    aw_export(&s->w, "out", NULL);
    audited_run(&s->w, "out", NULL, 0, &a);
    check_that(c, audited_found(&a, f, 7) && audited_found(&a, FOUND_read_lifetime, 6), name);
    audited_free(&a);
    story_end(s);
}

static void results(struct checks *c)
{
    struct story s;
    struct aw_result d;
    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    d.verifier = s.w.policy.stranger;
    done(c, &s, &d, FOUND_result_signature, "a result by somebody whom the policy doesn't name");

    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    struct entry e = aw_result_done(&s.w, &d);
    aw_text("warning", e.attestation.status, sizeof e.attestation.status);
    story_put(&s, e);
    story_expect(c, &s, FOUND_result_mismatch, 5, FINDINGS, "a record that says another status than its result");

    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    aw_text("seb-2", d.c.instance, sizeof d.c.instance);
    done(c, &s, &d, FOUND_result_mismatch, "a result for another instance");

    story_begin(&s);
    e = aw_result(&s.w);
    story_put(&s, e);
    story_put(&s, e); /* 6 */
    story_expect(c, &s, FOUND_result_again, 6, FINDINGS, "a result recorded twice");

    story_begin(&s);
    s.w.attested.result.b[0] ^= 1;
    aw_apply(&s.w, "one"); /* 5 6 7 */
    struct audited a;
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    audited_run(&s.w, "out", NULL, 0, &a);
    check_that(c,
        audited_found(&a, FOUND_result_unknown, 6) && audited_found(&a, FOUND_decision_verdict, 6) &&
            audited_found(&a, FOUND_read_uncertified, 5),
        "a permit on a result that the log doesn't have");
    audited_free(&a);
    story_end(&s);

    /* One that the verifier didn't affirm is no finding, and nothing can be permitted on it. */
    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    d.c.status = EAR_CONTRAINDICATED;
    d.c.vector.value[EAR_EXECUTABLES] = 96;
    d.c.codes_n = 1;
    d.c.codes[0] = E_reference_mismatch;
    story_put(&s, aw_result_done(&s.w, &d));
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    audited_run(&s.w, "out", NULL, 0, &a);
    check_that(
        c, a.a.report.findings == 0 && audited_remarked(&a, REMARK_not_affirmed, 5), "a result that doesn't affirm is remarked");
    audited_free(&a);
    s.w.attested.affirming = true; /* the broker takes it all the same */
    aw_apply(&s.w, "one"); /* 6 7 8 */
    story_expect(c, &s, FOUND_decision_verdict, 7, FOUND_read_uncertified, "a permit on a result that doesn't affirm");

    /* The same of one that is over, and of one for other keys. */
    drafted(&s, &d);
    d.c.exp = d.c.iat + 5;
    aw_result_quote(&s.w, &d);
    story_put(&s, aw_result_done(&s.w, &d)); /* 5 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_wait(&s.w, &s.tpm, 6000);
    s.w.attested.exp += 1000;
    outlives(c, &s, FOUND_decision_verdict, "a permit on a result that is over");
    drafted(&s, &d);
    d.c.mint = sha256(span_text("another key"));
    d.e->key[EVIDENCE_MINT].kid = d.c.mint;
    aw_result_quote(&s.w, &d);
    story_put(&s, aw_result_done(&s.w, &d));
    s.w.attested.keys_match = true;
    aw_apply(&s.w, "one"); /* 6 7 8 */
    story_expect(c, &s, FOUND_decision_verdict, 7, FOUND_read_uncertified, "a permit on a result for other keys");

    /* A credential that outlives it. */
    drafted(&s, &d);
    d.c.exp = d.c.iat + 5;
    aw_result_quote(&s.w, &d);
    story_put(&s, aw_result_done(&s.w, &d)); /* 5 */
    s.w.attested.exp += 1000;
    outlives(c, &s, FOUND_decision_lifetime, "a credential that outlives its attestation");
    drafted(&s, &d);
    d.c.exp = d.c.iat + 5;
    aw_result_quote(&s.w, &d);
    story_put(&s, aw_result_done(&s.w, &d)); /* 5 */
    aw_apply(&s.w, "one");
    story_clean(c, &s, "and one that was cut to it");
}

/* A broker that was started anew goes on with what the run before was attested by. */
static void kept(struct checks *c)
{
    struct story s;
    struct audited a;
    story_begin(&s);
    struct attested_facts before = s.w.attested;
    story_put(&s, aw_stop(&s.w)); /* 5 */
    story_put(&s, aw_start(&s.w)); /* 6 */
    s.w.has_attested = true;
    s.w.attested = before;
    aw_apply(&s.w, "one"); /* 7 8 9 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    audited_run(&s.w, "out", NULL, 0, &a);
    check_that(c, audited_found(&a, FOUND_decision_verdict, 8) && audited_found(&a, FOUND_read_uncertified, 7),
        "a permit on a result of the run before");
    audited_free(&a);
    story_end(&s);
}

/* Another policy: what it says of the verifier so far decides whether the result that he gave before it still serves. */
static void next_policy(struct story *s, struct testkey *verifier)
{
    json_t *named, *jwk = NULL;
    story_begin(s);
    must(is_ok(pubkey_jwk(testkey_public(verifier ? verifier : s->w.policy.verifier), &jwk)), "jwk");
    named = at_path(s->w.policy.policy_json, "verifiers.0");
    must(json_object_set_new(named, "jwk", jwk) == 0, "verifier");
    edit(s->w.policy.policy_json, "policy_epoch", "8");
    edit(s->w.policy.certificate_json, "policy_epoch", "8");
    story_put(s, aw_policy(&s->w)); /* 5 */
    aw_apply(&s->w, "one"); /* 6 7 8 */
    aw_sign(&s->w);
    aw_quote(&s->w);
    aw_export(&s->w, "out", NULL);
}

static void withdrawn(struct checks *c)
{
    struct story s;
    struct audited a;
    struct testkey *other = testkey_new(ALG_ES256);
    next_policy(&s, NULL);
    audited_run(&s.w, "out", NULL, 0, &a);
    check_that(c, a.a.report.findings == 0, "a result serves on under a policy that names its verifier too");
    audited_free(&a);
    story_end(&s);
    next_policy(&s, other);
    audited_run(&s.w, "out", NULL, 0, &a);
    check_that(c, audited_found(&a, FOUND_decision_verdict, 7) && audited_found(&a, FOUND_read_uncertified, 6),
        "a permit on the result of a verifier who was withdrawn");
    audited_free(&a);
    story_end(&s);
    testkey_free(other);
}

static void evidence(struct checks *c)
{
    struct story s;
    struct aw_result d;
    /* Another TPM's quote. */
    drafted(&s, &d);
    struct testkey *right = s.tpm.key[ROLE_ATTESTATION];
    s.tpm.key[ROLE_ATTESTATION] = s.w.policy.stranger;
    aw_result_quote(&s.w, &d);
    s.tpm.key[ROLE_ATTESTATION] = right;
    done(c, &s, &d, FOUND_evidence_quote, "a quote by another attestation key");

    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    d.c.quote.b[0] ^= 1;
    done(c, &s, &d, FOUND_evidence_quote, "another quote than the verifier names");

    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    buf_clear(&d.e->preimage);
    d.q.epoch++;
    must(is_ok(quote_challenge_preimage(&d.q, &d.e->preimage)), "preimage");
    done(c, &s, &d, FOUND_evidence_quote, "a quote over another preimage");

    drafted(&s, &d);
    d.q.nonce[0] ^= 1;
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_nonce, "a quote for another nonce");

    drafted(&s, &d);
    d.q.lease_nonce[0] ^= 1;
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_nonce, "a quote for another session's lease");

    drafted(&s, &d);
    d.q.policy_epoch = 6;
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_nonce, "a quote under another policy epoch than the result says");

    /* A checkpoint's quote passed off as an answer. */
    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    buf_clear(&d.e->preimage);
    buf_clear(&d.e->attest);
    buf_clear(&d.e->signature);
    must(is_ok(quote_preimage(&d.q.note_text, 7, 3, &d.e->preimage)), "preimage");
    struct digest qualifying = sha256(buf_span(&d.e->preimage));
    s.w.keys.quote(s.w.keys.ctx, &qualifying, &d.e->attest, &d.e->signature);
    d.c.quote = sha256(buf_span(&d.e->attest));
    done(c, &s, &d, FOUND_evidence_nonce, "a checkpoint's quote in place of a challenge's");

    /* A fork: a checkpoint of this record key that the log doesn't have. */
    drafted(&s, &d);
    struct checkpoint other = aw_checkpoint(&s.w);
    AUTO_BUF text = BUF(NOTE_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    other.root.b[0] ^= 1;
    must(is_ok(checkpoint_text(&other, &text)), "note");
    testkey_sign(s.tpm.key[ROLE_RECORD], buf_span(&text), raw);
    buf_clear(&d.e->note);
    must(is_ok(checkpoint_note(&other, testkey_public(s.tpm.key[ROLE_RECORD]), raw, &d.e->note)), "note");
    d.q.note_text = sha256(buf_span(&text));
    d.c.log.root = other.root;
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_note, "a checkpoint that isn't this log's");

    drafted(&s, &d);
    d.c.log_before = (struct log_state){ 3, sha256(span_text("another log")) };
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_note, "a verifier that had seen another log");

    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    d.e->pcr[0].b[0] ^= 1;
    done(c, &s, &d, FOUND_evidence_pcrs, "a PCR's value that wasn't quoted");

    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    d.e->pcr_mask &= ~1u;
    done(c, &s, &d, FOUND_evidence_pcrs, "a PCR fewer than was quoted");

    /* An event log that gives another value; one that gives the value of another state. */
    drafted(&s, &d);
    struct digest event, changed = sha256(span_text("another binary"));
    must(is_ok(cel_append(&s.w.cel, AW_PCR, "sebd", &changed, &event)), "event log");
    d.e->cel = sha256(buf_span(&s.w.cel));
    aw_blob(&s.w, BLOB_DOCUMENT, &d.e->cel, buf_span(&s.w.cel));
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_events, "an event log that doesn't give the PCR");

    drafted(&s, &d);
    aw_result_quote(&s.w, &d);
    d.e->run[0] ^= 1;
    done(c, &s, &d, FOUND_evidence_keys, "evidence of another run");

    drafted(&s, &d);
    d.c.enrolment.b[0] ^= 1;
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_enrolment_missing, "a result on an enrolment that the log doesn't have");
}

/* The state was measured, quoted and affirmed: the authority's approval is for something else. */
static void for_another_tpm(struct approval *a)
{
    a->ref.b[0] ^= 1;
}
static void for_another_counter(struct approval *a)
{
    a->counter += 2;
}
static void for_another_epoch(struct approval *a)
{
    a->epoch++;
}
static void for_another_value(struct approval *a)
{
    a->pcr_value.b[0] ^= 1;
}
static void for_another_state(struct approval *a)
{
    struct digest d = sha256(span_text("another binary"));
    must(is_ok(cel_put(&a->measured, "sebd", &d)), "state");
}
static void for_another_instance(struct approval *a)
{
    aw_text("seb-2", a->instance, sizeof a->instance);
}

static void approvals(struct checks *c)
{
    static const struct {
        void (*edit)(struct approval *a);
        const char *name;
    } wrong[] = { { for_another_tpm, "an approval for another TPM" }, { for_another_counter, "an approval for another counter" },
        { for_another_epoch, "an approval for another revocation epoch" }, { for_another_value, "an approval for another PCR" },
        { for_another_state, "an approval for another state" }, { for_another_instance, "an approval for another instance" } };
    struct story s;
    struct aw_result d;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        story_begin(&s);
        aw_approve(&s.w, wrong[i].edit);
        aw_result_draft(&s.w, &d);
        aw_result_quote(&s.w, &d);
        done(c, &s, &d, FOUND_evidence_approval, wrong[i].name);
    }
    /* By somebody else; for the lease of somebody whom the policy doesn't name; not at all. */
    story_begin(&s);
    struct testkey *right = s.w.policy_key;
    s.w.policy_key = s.w.policy.stranger;
    s.w.now_ms += 2000; /* another approval than the one that is there */
    aw_approve(&s.w, NULL);
    s.w.policy_key = right;
    aw_result_draft(&s.w, &d);
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_approval, "an approval by another than the policy authority");

    story_begin(&s);
    right = s.w.policy.lease;
    s.w.policy.lease = s.w.policy.stranger;
    aw_approve(&s.w, NULL);
    s.w.policy.lease = right;
    aw_result_draft(&s.w, &d);
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_approval, "an approval for another lease key");

    drafted(&s, &d);
    d.e->has_approval = false;
    aw_result_quote(&s.w, &d);
    done(c, &s, &d, FOUND_evidence_approval, "no approval at all");
}

static void enrolments(struct checks *c)
{
    struct story s;
    story_begin(&s);
    struct testkey *right = s.w.policy.verifier;
    s.w.policy.verifier = s.w.policy.stranger;
    story_put(&s, aw_enrolment(&s.w)); /* 5 */
    s.w.policy.verifier = right;
    story_expect(c, &s, FOUND_enrolment_signature, 5, FINDINGS, "an enrolment by a stranger");

    story_begin(&s);
    struct testkey *ak = s.tpm.key[ROLE_ATTESTATION];
    s.tpm.key[ROLE_ATTESTATION] = s.w.policy.stranger;
    story_put(&s, aw_enrolment(&s.w));
    s.tpm.key[ROLE_ATTESTATION] = ak;
    story_expect(c, &s, FOUND_enrolment_mismatch, 5, FINDINGS, "an enrolment of another attestation key");

    /* A root that signed nothing here: the world's EK certificate isn't one at all. */
    story_begin(&s);
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    check_clean(c, &s.w, "out", "without roots the EK certificate isn't followed");
    story_end(&s);

    story_begin(&s);
    s.w.pin_verifier = true;
    right = s.w.policy.verifier;
    s.w.policy.verifier = s.w.policy.stranger; /* pinned, and another signed */
    aw_sign(&s.w);
    aw_quote(&s.w);
    aw_export(&s.w, "out", NULL);
    s.w.policy.verifier = right;
    struct audited a;
    audited_run(&s.w, "out", NULL, 0, &a);
    check_that(c,
        audited_found(&a, FOUND_verifier_unknown, 3) && audited_found(&a, FOUND_verifier_unknown, 4) && a.a.report.findings == 2,
        "a verifier of the policy that the trust file doesn't pin");
    audited_free(&a);
    story_end(&s);
}

int main(void)
{
    struct checks c = { 0 };
    honest(&c);
    results(&c);
    kept(&c);
    withdrawn(&c);
    evidence(&c);
    approvals(&c);
    enrolments(&c);
    return checks_end(&c);
}
