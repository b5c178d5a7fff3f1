/* Attestation, enrolment and keys over time: a verifier's word that isn't one, or that the evidence doesn't bear out, is named. */
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

static void keys(struct checks *c)
{
    struct story s;
    struct testkey *first;
    /* A new mint key for a new revocation epoch, in one run. */
    story_begin(&s);
    aw_apply(&s.w, "one"); /* 5 6 7 */
    first = s.tpm.key[ROLE_MINT];
    s.tpm.key[ROLE_MINT] = testkey_new(ALG_ES256);
    edit(s.w.policy.epoch_json, "epoch", "4");
    edit(s.w.policy.certificate_json, "epoch", "4");
    story_put(&s, aw_epoch(&s.w)); /* 8 */
    s.w.counter++;
    aw_approve(&s.w, NULL);
    story_put(&s, aw_keys_entry(&s.w, 4)); /* 9 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    story_put(&s, aw_result(&s.w)); /* 10 */
    aw_apply(&s.w, "two"); /* 11 12 13 */
    testkey_free(first);
    story_clean(c, &s, "a new mint key for a new revocation epoch");

    /* The old one goes on. */
    story_begin(&s);
    aw_apply(&s.w, "one"); /* 5 6 7 */
    edit(s.w.policy.epoch_json, "epoch", "4");
    edit(s.w.policy.certificate_json, "epoch", "4");
    story_put(&s, aw_epoch(&s.w)); /* 8 */
    s.w.counter++;
    aw_approve(&s.w, NULL);
    aw_sign(&s.w);
    aw_quote(&s.w);
    story_put(&s, aw_result(&s.w)); /* 9 */
    aw_apply(&s.w, "two"); /* 10 11 12 */
    story_expect(c, &s, FOUND_key_epoch, 11, FINDINGS, "a mint key that outlives its revocation epoch");

    /* A token's key before the first lease: the record key can't have stated it. */
    for (int stated = 0; stated < 2; stated++) {
        story_begin(&s);
        struct entry start = aw_start(&s.w);
        start.start.key[ROLE_MINT].evidence = sha256(span_text("{}"));
        aw_blob(&s.w, BLOB_EVIDENCE, &start.start.key[ROLE_MINT].evidence, span_text("{}"));
        story_put(&s, start); /* 5 */
        if (stated)
            story_put(&s, aw_keys_entry(&s.w, 3)); /* 6 */
        story_put(&s, aw_result(&s.w));
        aw_apply(&s.w, "one");
        if (stated)
            story_clean(c, &s, "a token's key that was stated later, and served from then on");
        else
            story_expect(c, &s, FOUND_key_evidence, 8, FOUND_decision_key, "one that served without");
    }

    /* One that was made for an epoch to come. */
    story_begin(&s);
    first = s.tpm.key[ROLE_MINT];
    s.tpm.key[ROLE_MINT] = testkey_new(ALG_ES256);
    story_put(&s, aw_keys_entry(&s.w, 4)); /* 5 */
    aw_sign(&s.w);
    aw_quote(&s.w);
    story_put(&s, aw_result(&s.w)); /* 6 */
    aw_apply(&s.w, "one"); /* 7 8 9 */
    testkey_free(first);
    story_expect(c, &s, FOUND_decision_key, 8, FINDINGS, "a mint key of another revocation epoch");

    /* A key that whoever has it can use. */
    story_begin(&s);
    s.tpm.key_policy = (struct digest){ { 0 } };
    story_put(&s, aw_start(&s.w)); /* 5 */
    story_expect(c, &s, FOUND_key_policy, 5, FINDINGS, "a record key without the approved policy");

    /* A statement about the token by another key than the record key, and a mint key that nobody pins or proves. */
    story_begin(&s);
    first = s.tpm.key[ROLE_RECORD];
    struct entry e = aw_keys_entry(&s.w, 3);
    s.tpm.key[ROLE_RECORD] = s.w.policy.stranger;
    AUTO_BUF forged = BUF(8192);
    s.w.keys.evidence(s.w.keys.ctx, ROLE_MINT, &forged);
    s.tpm.key[ROLE_RECORD] = first;
    e.keys.key[ROLE_MINT].evidence = sha256(buf_span(&forged));
    aw_blob(&s.w, BLOB_EVIDENCE, &e.keys.key[ROLE_MINT].evidence, buf_span(&forged));
    story_put(&s, e); /* 5 */
    story_expect(c, &s, FOUND_key_evidence, 5, FOUND_key_unknown, "a token's key that the record key doesn't state");
}

/* New keys behind a stop: the record key of the one, or of the other, is pinned. */
struct rekeyed {
    struct story s;
    struct testkey *old[ROLES], *new[ROLES];
};

static struct entry rekey_entry(struct rekeyed *k)
{
    struct entry e = { .type = ENTRY_REKEY, .time = k->s.w.now_ms };
    for (unsigned role = 0; role < ROLES; role++) {
        e.rekey.old_kid[role] = *pubkey_thumbprint(testkey_public(k->old[role]));
        e.rekey.new_kid[role] = *pubkey_thumbprint(testkey_public(k->new[role]));
    }
    return e;
}

static void use(struct rekeyed *k, struct testkey *const key[ROLES])
{
    for (unsigned role = 0; role < ROLES; role++)
        k->s.tpm.key[role] = key[role];
}

/* 0 to 4, 5 6 7 applied, stop 8; then, with new keys, rekey 9, start 10. */
static void rekeyed_new(struct rekeyed *k)
{
    story_begin(&k->s);
    aw_apply(&k->s.w, "one");
    story_put(&k->s, aw_stop(&k->s.w));
    aw_sign(&k->s.w);
    aw_quote(&k->s.w);
    for (unsigned role = 0; role < ROLES; role++) {
        k->old[role] = k->s.tpm.key[role];
        k->new[role] = testkey_new(ALG_ES256);
    }
    story_put(&k->s, rekey_entry(k));
    use(k, k->new);
    k->s.w.keys.bind(k->s.w.keys.ctx, testkey_public(k->s.w.policy_key));
    k->s.tpm.clock_ms = 5000; /* another TPM's */
    aw_measure(&k->s.w);
    story_put(&k->s, aw_start(&k->s.w));
    aw_sign(&k->s.w);
    aw_quote(&k->s.w);
}

/* Approved, enrolled and affirmed anew: 11, 12; applied: 13 14 15. */
static void rekeyed_attested(struct rekeyed *k)
{
    aw_approve(&k->s.w, NULL);
    story_put(&k->s, aw_enrolment(&k->s.w));
    story_put(&k->s, aw_result(&k->s.w));
    aw_apply(&k->s.w, "two");
    aw_sign(&k->s.w);
    aw_quote(&k->s.w);
    aw_export(&k->s.w, "out", NULL);
}

static void rekeyed_free(struct rekeyed *k)
{
    for (unsigned role = 0; role < ROLES; role++)
        testkey_free(k->old[role]);
    use(k, k->new);
    story_end(&k->s);
}

static void rekeys(struct checks *c)
{
    struct rekeyed k;
    struct audited a;
    rekeyed_new(&k);
    rekeyed_attested(&k);
    audited_run(&k.s.w, "out", NULL, 0, &a);
    audited_print(&a);
    check_that(c, a.a.report.findings == 0 && audited_remarked(&a, REMARK_rekeyed, 9),
        "keys followed back from the newest, which is pinned");
    audited_free(&a);
    use(&k, k.old);
    aw_trust(&k.s.w);
    audited_run(&k.s.w, "out", NULL, 0, &a);
    audited_print(&a);
    check_that(c, a.a.report.findings == 0 && audited_remarked(&a, REMARK_rekeyed, 9),
        "and from the oldest, because the verifier names the new ones");
    audited_free(&a);
    use(&k, k.new);
    rekeyed_free(&k);

    /* Nobody vouches for the new ones. */
    rekeyed_new(&k);
    aw_export(&k.s.w, "out", NULL);
    check_clean(c, &k.s.w, "out", "keys that no verifier has seen yet, pinned");
    use(&k, k.old);
    aw_trust(&k.s.w);
    check_tampered(c, &k.s.w, "out", FOUND_rekey_unproved, 9, "and unpinned");
    use(&k, k.new);
    rekeyed_free(&k);

    /* A rekey from keys that weren't in use, and one that no start follows. */
    struct story s;
    story_begin(&s);
    struct entry e = { .type = ENTRY_REKEY, .time = s.w.now_ms };
    for (unsigned role = 0; role < ROLES; role++)
        e.rekey.old_kid[role] = e.rekey.new_kid[role] = *pubkey_thumbprint(testkey_public(s.w.policy.stranger));
    story_put(&s, e); /* 5 */
    story_expect(c, &s, FOUND_rekey_mismatch, 5, FINDINGS, "a rekey of other keys");
}

static void restarts(struct checks *c)
{
    struct story s;
    struct entry e;
    /* After an unclean start certificates of before are refused, until a verifier turns out to have seen the log. */
    story_begin(&s);
    aw_sign(&s.w);
    s.w.seen = (struct log_state){ aw_checkpoint(&s.w).size, aw_checkpoint(&s.w).root };
    s.w.certificates_from = s.w.now_ms / 1000 + 1;
    s.w.now_ms += 1000;
    story_put(&s, aw_start(&s.w)); /* 5 */
    story_put(&s, aw_result(&s.w)); /* 6 */
    s.w.certificates_from = 0;
    aw_apply(&s.w, "one");
    story_clean(c, &s, "an unclean start, and a verifier that had seen the log as it was");

    story_begin(&s);
    aw_sign(&s.w);
    s.w.certificates_from = s.w.now_ms / 1000 + 1;
    s.w.now_ms += 1000;
    s.w.seen = log_state_empty();
    story_put(&s, aw_start(&s.w)); /* 5 */
    story_put(&s, aw_result(&s.w)); /* 6 */
    s.w.certificates_from = 0;
    aw_apply(&s.w, "one"); /* 7 8 9 */
    story_expect(c, &s, FOUND_decision_verdict, 8, FOUND_read_uncertified, "and one that hadn't");

    story_begin(&s);
    s.w.certificates_from = s.w.now_ms / 1000 - 7200;
    story_put(&s, aw_start(&s.w)); /* 5 */
    story_expect(c, &s, FOUND_start_restart, 5, FINDINGS, "certificates refused from another time than the start's");

    story_begin(&s);
    e = aw_start(&s.w);
    e.start.head += 5;
    story_put(&s, e); /* 5 */
    story_expect(c, &s, FOUND_start_head, 5, FINDINGS, "a start behind a log of another size");
}

static void acknowledge(struct audit_world *w, const char *what, struct testkey *key, struct entry *ret)
{
    AUTO_BUF payload = BUF(4096), text = BUF(8192);
    struct checkpoint now = aw_checkpoint(w);
    AUTO_JSON *o = json_pack("{s:s,s:s,s:s}", "domain", "prod.example", "instance", "seb-1", "what", what);
    must(is_ok(json_put_int(o, "iat", w->now_ms / 1000)) && is_ok(json_put_int(o, "size", (int64_t)now.size)) &&
             is_ok(json_put_digest(o, "root", &now.root)) && is_ok(json_canonical(o, &payload)),
        "acknowledge");
    testkey_jws(&key, 1, TYP_ACKNOWLEDGE, buf_span(&payload), &text);
    *ret = (struct entry){ .type = ENTRY_ACKNOWLEDGE, .time = w->now_ms };
    ret->acknowledge = (struct acknowledge_entry){ .size = now.size, .root = now.root, .statement = sha256(buf_span(&payload)) };
    aw_text(what, ret->acknowledge.what, sizeof ret->acknowledge.what);
    aw_blob(w, BLOB_ACKNOWLEDGE, &ret->acknowledge.statement, buf_span(&text));
}

static void acknowledgements(struct checks *c)
{
    struct story s;
    struct entry e;
    story_begin(&s);
    aw_sign(&s.w);
    s.w.seen = log_state_empty();
    s.w.certificates_from = s.w.now_ms / 1000 + 1;
    s.w.now_ms += 1000;
    acknowledge(&s.w, "unclean", s.w.policy_key, &e);
    story_put(&s, aw_start(&s.w)); /* 5 */
    story_put(&s, aw_result(&s.w)); /* 6 */
    e.time = s.w.now_ms;
    story_put(&s, e); /* 7 */
    s.w.certificates_from = 0;
    aw_apply(&s.w, "one");
    story_clean(c, &s, "an unclean start that an operator acknowledged");

    story_begin(&s);
    acknowledge(&s.w, "rollback", s.w.policy.stranger, &e);
    story_put(&s, e);
    story_expect(c, &s, FOUND_statement_signature, 5, FINDINGS, "an acknowledgement by a stranger");

    story_begin(&s);
    acknowledge(&s.w, "rollback", s.w.policy_key, &e);
    e.acknowledge.size++;
    story_put(&s, e);
    story_expect(c, &s, FOUND_statement_mismatch, 5, FINDINGS, "an acknowledgement of another size");
}

int main(void)
{
    struct checks c = { 0 };
    honest(&c);
    results(&c);
    kept(&c);
    evidence(&c);
    approvals(&c);
    enrolments(&c);
    keys(&c);
    rekeys(&c);
    restarts(&c);
    acknowledgements(&c);
    return checks_end(&c);
}
