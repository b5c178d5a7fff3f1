/* Keys over time, and starts that follow a start: what leads from one key to the next, and what is acknowledged. */
#include "config.h"

#include "tests/unit/audit_internal.h"
#include "tests/unit/audit_story.h"

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
    struct testkey *stated_by; /* NULL: nothing is stated */
    const char *stated_use;
};

static void put_keys(json_t *o, const char *name, struct testkey *const key[ROLES])
{
    static const char *const roles[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };
    json_t *keys = json_object();
    for (unsigned role = 0; role < ROLES; role++) {
        json_t *jwk = NULL;
        must(is_ok(pubkey_jwk(testkey_public(key[role]), &jwk)) && is_ok(json_put_new(keys, roles[role], jwk)), "jwk");
    }
    must(is_ok(json_put_new(o, name, keys)), name);
}

static void state(struct rekeyed *k, struct rekey_entry *e)
{
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), text = BUF(JWS_TEXT_MAX);
    AUTO_JSON *o = json_pack("{s:s,s:s,s:s}", "domain", "prod.example", "instance", "seb-1", "use", k->stated_use);
    put_keys(o, "old", k->old);
    put_keys(o, "new", k->new);
    must(is_ok(json_canonical(o, &payload)), "statement");
    testkey_jws(&k->stated_by, 1, TYP_KEY_STATEMENT, buf_span(&payload), &text);
    e->has_statement = true;
    e->statement = sha256(buf_span(&text));
    aw_blob(&k->s.w, BLOB_DOCUMENT, &e->statement, buf_span(&text));
}

static struct entry rekey_entry(struct rekeyed *k)
{
    struct entry e = { .type = ENTRY_REKEY, .time = k->s.w.now_ms };
    for (unsigned role = 0; role < ROLES; role++) {
        e.rekey.old_kid[role] = *pubkey_thumbprint(testkey_public(k->old[role]));
        e.rekey.new_kid[role] = *pubkey_thumbprint(testkey_public(k->new[role]));
    }
    if (k->stated_by)
        state(k, &e.rekey);
    return e;
}

static void use(struct rekeyed *k, struct testkey *const key[ROLES])
{
    for (unsigned role = 0; role < ROLES; role++)
        k->s.tpm.key[role] = key[role];
}

static void rekeyed_begin(struct rekeyed *k)
{
    k->stated_by = NULL;
    k->stated_use = "rekey";
    story_begin(&k->s);
    aw_apply(&k->s.w, "one");
    story_put(&k->s, aw_stop(&k->s.w));
    aw_sign(&k->s.w);
    aw_quote(&k->s.w);
    for (unsigned role = 0; role < ROLES; role++) {
        k->old[role] = k->s.tpm.key[role];
        k->new[role] = testkey_new(ALG_ES256);
    }
}

/* With new keys: rekey 9, start 10. */
static void rekeyed_go_on(struct rekeyed *k)
{
    story_put(&k->s, rekey_entry(k));
    use(k, k->new);
    k->s.w.keys.bind(k->s.w.keys.ctx, testkey_public(k->s.w.policy_key));
    k->s.tpm.clock_ms = 5000; /* another TPM's */
    aw_measure(&k->s.w);
    story_put(&k->s, aw_start(&k->s.w));
}

/* 0 to 4, 5 6 7 applied, stop 8; 9 and 10. */
static void rekeyed_new(struct rekeyed *k)
{
    rekeyed_begin(k);
    rekeyed_go_on(k);
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

    /* The old record key says which follow it. */
    rekeyed_begin(&k);
    k.stated_by = k.old[ROLE_RECORD];
    rekeyed_go_on(&k);
    aw_sign(&k.s.w);
    aw_quote(&k.s.w);
    aw_export(&k.s.w, "out", NULL);
    use(&k, k.old);
    aw_trust(&k.s.w);
    check_clean(c, &k.s.w, "out", "unpinned, and stated by the old record key");
    use(&k, k.new);
    rekeyed_free(&k);
    for (unsigned wrong = 0; wrong < 3; wrong++) {
        rekeyed_begin(&k);
        k.stated_by = wrong == 0 ? k.new[ROLE_RECORD] : k.old[ROLE_RECORD];
        k.stated_use = wrong == 1 ? "mint" : "rekey";
        struct testkey *mint = k.new[ROLE_MINT];
        struct entry stated = rekey_entry(&k);
        if (wrong == 2) {
            k.new[ROLE_MINT] = testkey_new(ALG_ES256);
            struct entry other = rekey_entry(&k);
            stated.rekey.statement = other.rekey.statement;
            testkey_free(k.new[ROLE_MINT]);
            k.new[ROLE_MINT] = mint;
        }
        story_put(&k.s, stated);
        use(&k, k.new);
        k.s.w.keys.bind(k.s.w.keys.ctx, testkey_public(k.s.w.policy_key));
        k.s.tpm.clock_ms = 5000;
        aw_measure(&k.s.w);
        story_put(&k.s, aw_start(&k.s.w));
        aw_sign(&k.s.w);
        aw_quote(&k.s.w);
        aw_export(&k.s.w, "out", NULL);
        check_tampered(c, &k.s.w, "out", FOUND_rekey_statement, 9,
            wrong == 0   ? "a rekey statement by another key"
            : wrong == 1 ? "another statement than a rekey's"
                         : "a rekey statement about other keys");
        rekeyed_free(&k);
    }

    /* The first lease behind a rekey stands on what the old record key signed; the new TPM's counter moved once for the epoch. */
    rekeyed_begin(&k);
    rekeyed_go_on(&k);
    k.s.w.counter++;
    rekeyed_attested(&k);
    check_clean(c, &k.s.w, "out", "a result over the old record key's last note");
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
    aw_sign(&s.w);
    s.w.seen = (struct log_state){ aw_checkpoint(&s.w).size, aw_checkpoint(&s.w).root };
    story_put(&s, aw_stop(&s.w)); /* 5, which nobody signed */
    s.w.certificates_from = s.w.now_ms / 1000 + 1;
    s.w.now_ms += 1000;
    story_put(&s, aw_start(&s.w)); /* 6 */
    story_put(&s, aw_result(&s.w)); /* 7 */
    s.w.certificates_from = 0;
    aw_apply(&s.w, "one"); /* 8 9 10 */
    story_expect(c, &s, FOUND_decision_verdict, 9, FOUND_read_uncertified, "one that had seen all but an unsigned record");

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

/* A first answer that isn't affirmed moves what the verifier has seen all the same. */
static void moved(struct story *s)
{
    struct aw_result d;
    story_begin(s);
    aw_sign(&s->w);
    s->w.seen = log_state_empty();
    s->w.certificates_from = s->w.now_ms / 1000 + 1;
    s->w.now_ms += 1000;
    story_put(s, aw_start(&s->w)); /* 5 */
    aw_result_draft(&s->w, &d);
    d.c.status = EAR_CONTRAINDICATED;
    d.c.vector.value[EAR_EXECUTABLES] = 96;
    d.c.codes_n = 1;
    d.c.codes[0] = E_reference_mismatch;
    aw_result_quote(&s->w, &d);
    story_put(s, aw_result_done(&s->w, &d)); /* 6 */
    story_put(s, aw_result(&s->w)); /* 7: it had seen the head before, from this run */
}

static void second_answers(struct checks *c)
{
    struct story s;
    struct aw_change change;
    moved(&s);
    s.w.certificates_from = 0;
    aw_apply(&s.w, "one"); /* 8 9 10 */
    story_expect(
        c, &s, FOUND_decision_verdict, 9, FOUND_read_uncertified, "a verifier that knew the log's head from this run alone");

    moved(&s);
    aw_change_new(&s.w, "one", "one", "", &change);
    story_put(&s, aw_decision(&s.w, &change, NO_INDEX, false));
    aw_change_free(&change);
    story_clean(c, &s, "and a broker that goes on refusing");

    /* Evidence may have gone out of which no record tells: then a broker refuses what the records would let it permit. */
    story_begin(&s);
    aw_sign(&s.w);
    s.w.seen = (struct log_state){ aw_checkpoint(&s.w).size, aw_checkpoint(&s.w).root };
    s.w.certificates_from = s.w.now_ms / 1000 + 1;
    s.w.now_ms += 1000;
    story_put(&s, aw_start(&s.w)); /* 5 */
    story_put(&s, aw_result(&s.w)); /* 6 */
    aw_change_new(&s.w, "one", "one", "", &change);
    story_put(&s, aw_decision(&s.w, &change, NO_INDEX, false));
    aw_change_free(&change);
    story_clean(c, &s, "a broker that refuses longer than the records show");
}

/* What quotes show of the machine, in the run and at the epoch in which it was attested. */
static void quoted_states(struct checks *c)
{
    const struct digest other = sha256(span_text("another state")), another = sha256(span_text("and another"));
    struct story s;
    story_begin(&s);
    aw_apply(&s.w, "one"); /* 5 6 7 */
    aw_sign(&s.w);
    aw_soft_pcr(&s.tpm, 0, &other);
    aw_quote(&s.w); /* of 8 */
    story_expect(c, &s, FOUND_quote_state, 8, FINDINGS, "a checkpoint quoted in another state than the attested one");

    story_begin(&s);
    aw_soft_pcr(&s.tpm, 0, &another);
    aw_quote(&s.w); /* what the last run left, by one that never came to sign anything */
    aw_soft_pcr(&s.tpm, 0, &other);
    aw_quote(&s.w); /* and by the next */
    story_put(&s, aw_start(&s.w)); /* 5 */
    story_put(&s, aw_result(&s.w)); /* 6 */
    aw_apply(&s.w, "one");
    story_clean(c, &s, "the last run's checkpoint, quoted by the next in its own state");

    story_begin(&s);
    aw_soft_pcr(&s.tpm, 10, &other);
    story_put(&s, aw_result(&s.w)); /* 5 */
    aw_soft_pcr(&s.tpm, 10, &s.tpm.pcr[0]);
    aw_apply(&s.w, "one");
    story_clean(c, &s, "a PCR that goes on while the broker runs");
}

static void evidence_policies(struct checks *c)
{
    struct story s;
    struct aw_result d;
    story_begin(&s);
    aw_result_draft(&s.w, &d);
    d.e->policy.b[0] ^= 1;
    aw_result_quote(&s.w, &d);
    story_put(&s, aw_result_done(&s.w, &d));
    story_expect(c, &s, FOUND_evidence_policy, 5, FINDINGS, "evidence of a policy that was never in force");

    /* Made under the old policy, recorded under the new one, when a decision first names it. */
    for (int64_t late_ms = 1000; late_ms <= 101000; late_ms += 100000) {
        story_begin(&s);
        aw_result_draft(&s.w, &d);
        if (late_ms > 100000)
            d.c.iat += 90; /* by both clocks long behind the new policy */
        aw_result_quote(&s.w, &d);
        edit(s.w.policy.policy_json, "policy_epoch", "8");
        story_put(&s, aw_policy(&s.w)); /* 5 */
        story_put(&s, aw_result_done(&s.w, &d)); /* 6 */
        if (late_ms > 100000)
            story_expect(c, &s, FOUND_evidence_policy, 6, FINDINGS, "a result about a policy that was replaced long before");
        else
            story_clean(c, &s, "a result about the policy before, at its change");
    }
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
    keys(&c);
    rekeys(&c);
    restarts(&c);
    second_answers(&c);
    quoted_states(&c);
    evidence_policies(&c);
    acknowledgements(&c);
    return checks_end(&c);
}
