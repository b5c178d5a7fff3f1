/* A real core between a front, a keeper and a runner that the test plays: what is served while nothing can be signed, which
 * challenges and results are taken, what Phi_attest makes of them, and what of it is in the log. */
#include "config.h"

#include "tests/int/core_room.h"

#include "attest/enrolment.h"
#include "store/store.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_name(struct core_room *r, enum seb_code got, enum seb_code want, const char *what)
{
    check_code(r->c, fail(got), want, what);
}

static bool status_is(struct core_room *r, const char *path, const char *want)
{
    return span_is(span_text(core_status_text(r, path)), want);
}

static const char *rule_of(const struct core_room *r)
{
    const char *rule = json_string_value(json_object_get(r->reply, "rule"));
    return rule ? rule : "";
}

static bool blob_is_there(struct core_room *r, enum blob_kind kind, const struct digest *d)
{
    char path[256];
    AUTO_STORE_READER *reader = NULL;
    AUTO_BUF data = BUF(STORE_BLOB_MAX);
    snprintf(path, sizeof path, "%s/state/log.db", r->work);
    return is_ok(store_reader_open(path, &reader)) && is_ok(store_read_blob(reader, kind, d, &data)) && data.n > 0;
}

/* The size of the newest note that a core which died now would begin with. */
static uint64_t note_stored(struct core_room *r)
{
    char path[256];
    uint64_t size = 0;
    AUTO_STORE_READER *reader = NULL;
    AUTO_BUF note = BUF(NOTE_MAX);
    snprintf(path, sizeof path, "%s/state/log.db", r->work);
    return is_ok(store_reader_open(path, &reader)) && is_ok(store_read_newest_checkpoint(reader, &size, &note)) ? size : 0;
}

/* Nothing can be signed: no lease was granted yet. */
static void test_unsigned(struct core_room *r)
{
    core_start(r);
    check_that(r->c, r->ready && r->signed_size == 0, "it serves from RESUMED on, with nothing signed");
    struct entry e = core_entry(r, 0);
    check_that(r->c, e.type == ENTRY_START && e.start.counter == 7 && e.start.head == 0 && e.start.certificates_from == 0,
        "the start is appended");
    check_that(r->c,
        e.start.measured_n == 1 && span_is(span_text(e.start.measured[0].name), "sebd") && e.start.measured[0].digest.b[0] == 5,
        "with what was measured");
    struct challenge ch = core_challenge(r);
    check_name(r, core_challenge_send(r, &ch, r->w.verifier), E_no_policy, "nobody is a verifier before a policy is loaded");
    check_name(r, core_load_all(r), E_ok, "policy and epoch are loaded");
    check_that(r->c, json_is_false(json_object_get(r->reply, "signed")), "the loader is told that the record isn't signed");
    check_that(r->c, core_entries_of(r, ENTRY_POLICY) == 1 && core_entries_of(r, ENTRY_EPOCH) == 1, "they are recorded");
    check_that(r->c, status_is(r, "code", "lease_missing") && status_is(r, "attestation.state", "attestation_missing"),
        "the status names what is missing");
    core_certificate(r, "unattested");
    check_name(r, core_submit(r), E_attestation_missing, "no result is held: refused");
    check_that(r->c, span_is(span_text(rule_of(r)), "attest"), "by Phi_attest");
    check_that(r->c, span_is(span_text(json_string_value(json_object_get(r->reply, "status"))), "unproved"), "as unproved");
    e = core_newest(r, ENTRY_DECISION, NULL);
    check_that(r->c, !e.decision.permitted && !e.decision.has_attestation, "and recorded so");
}

static void test_challenges(struct core_room *r)
{
    struct challenge c = core_challenge(r);
    unsigned before = r->challenges;
    check_name(r, core_challenge_send(r, &c, r->w.stranger), E_verifier_unknown, "a stranger's challenge");
    check_name(r, core_challenge_send(r, &c, r->w.lease), E_verifier_unknown, "a challenge by the verifier's lease key");
    c.iat -= 61;
    check_name(r, core_challenge_send(r, &c, r->w.verifier), E_challenge_stale, "a challenge of more than a minute ago");
    c.iat += 130;
    check_name(r, core_challenge_send(r, &c, r->w.verifier), E_challenge_stale, "a challenge of the future");
    c = core_challenge(r);
    c.instance[0] = 'c';
    check_name(r, core_challenge_send(r, &c, r->w.verifier), E_instance_mismatch, "another instance's challenge");
    c = core_challenge(r);
    c.domain[0] = 'c';
    check_name(r, core_challenge_send(r, &c, r->w.verifier), E_domain_mismatch, "another domain's challenge");
    check_that(r->c, r->challenges == before, "none of them reaches the keeper");

    r->answers = false;
    AUTO_BUF fields = BUF(LINK_PACKET_MAX), arena = BUF(JWS_TEXT_MAX), payload = BUF(CHALLENGE_MAX), text = BUF(JWS_TEXT_MAX);
    struct attest_message m = { .operation = ATTEST_CHALLENGE };
    c = core_challenge(r);
    must(is_ok(challenge_write(&c, &payload)), "challenge");
    testkey_jws(&r->w.verifier, 1, TYP_CHALLENGE, buf_span(&payload), &text);
    must(is_ok(jws_parse_text(buf_span(&text), &arena, &m.statement)) && is_ok(attest_put(&fields, &m)), "ATTEST");
    uint64_t first = ++r->next_slot;
    must(is_ok(link_send(r->front, MESSAGE_ATTEST, first, buf_span(&fields))), "send");
    CORE_WAIT(r, r->challenges > before);
    c = core_challenge(r);
    check_name(r, core_challenge_send(r, &c, r->w.verifier), E_busy, "a second challenge while one is under way");
    AUTO_BUF no = BUF(64);
    must(is_ok(evidence_put(&no, &(struct evidence_message){ .code = E_tpm_unavailable })), "EVIDENCE");
    core_send_keeper(r, MESSAGE_EVIDENCE, r->challenge_slot, &no);
    CORE_WAIT(r, r->reply_slot == first);
    check_that(r->c,
        r->reply_slot == first && span_is(span_text(json_string_value(json_object_get(r->reply, "code"))), "tpm_unavailable"),
        "the keeper's refusal is handed on by its name");
    r->answers = true;
}

static void test_evidence(struct core_room *r)
{
    check_name(r, core_challenge_honest(r), E_ok, "a challenge is answered");
    const json_t *policy = at_path(r->reply, "evidence.policy");
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    must(is_ok(json_canonical(r->w.policy_json, &text)), "policy");
    struct digest d = sha256(buf_span(&text));
    char name[DIGEST_TEXT + 1];
    check_that(r->c, json_is_string(policy) && span_is(span_text(digest_text(&d, name)), json_string_value(policy)),
        "the evidence names the policy in force");
    struct challenge c = core_challenge(r);
    c.op = CHALLENGE_DOCUMENT;
    c.document = DOCUMENT_POLICY;
    unsigned before = r->challenges;
    check_name(r, core_challenge_send(r, &c, r->w.verifier), E_ok, "the policy is asked for");
    check_that(r->c,
        r->challenges == before && json_integer_value(at_path(r->reply, "evidence.total")) > 0 &&
            json_string_value(at_path(r->reply, "evidence.data")),
        "and comes from the core itself");
    c = core_challenge(r);
    c.op = CHALLENGE_DOCUMENT;
    c.document = DOCUMENT_CEL;
    check_name(r, core_challenge_send(r, &c, r->w.verifier), E_ok, "the event log is asked for");
    check_that(r->c, r->challenges == before + 1, "and comes from the keeper");
}

static void test_results_refused(struct core_room *r)
{
    unsigned before = r->results;
    check_name(r, core_challenge_honest(r), E_ok, "a challenge is answered");
    struct result_claims c = core_result(r);
    check_name(r, core_result_send(r, &c, r->w.stranger, 30), E_verifier_unknown, "a stranger's result");
    check_name(r, core_result_send(r, &c, r->w.lease, 30), E_verifier_unknown, "a result by the lease key");
    c.nonce[0]++;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_result_mismatch, "a result of another nonce");
    c = core_result(r);
    c.evidence.b[0] ^= 1;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_result_mismatch, "a result of other evidence");
    c = core_result(r);
    c.instance[0] = 'c';
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_instance_mismatch, "another instance's result");
    c = core_result(r);
    c.iat -= 60;
    c.exp = c.iat + 30;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_result_stale, "a result that is over");
    c = core_result(r);
    c.iat += 60;
    c.exp += 60;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_result_stale, "a result of the future");
    check_that(r->c, r->results == before && status_is(r, "attestation.state", "attestation_missing"),
        "none of them reaches the keeper, or is held");
    c = core_result(r);
    r->loaded_code = E_lease_invalid;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_lease_invalid, "a result that the keeper refuses");
    r->loaded_code = E_ok;
    check_that(r->c, status_is(r, "attestation.state", "attestation_missing"), "isn't held");
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_result_mismatch, "nor is it taken again: one for each challenge");
}

static void test_attested(struct core_room *r)
{
    r->signs = true;
    core_tell_health(r, E_ok);
    core_sign(r);
    check_name(r, core_attest(r), E_ok, "an affirming result is taken");
    check_that(r->c, r->lease.seconds == 30 && r->lease.signature.n == LEASE_SIGNATURE_SIZE, "its lease goes to the keeper");
    check_that(r->c, status_is(r, "attestation.state", "ok"), "the instance is attested");
    unsigned at, attested = core_entries_of(r, ENTRY_ATTESTATION);
    core_certificate(r, "attested");
    check_name(r, core_submit(r), E_ok, "a mutation is done");
    struct entry a = core_newest(r, ENTRY_ATTESTATION, &at), d = core_newest(r, ENTRY_DECISION, NULL);
    struct entry read = core_newest(r, ENTRY_READ, NULL);
    unsigned of_read, of_decision;
    (void)core_newest(r, ENTRY_READ, &of_read);
    (void)core_newest(r, ENTRY_DECISION, &of_decision);
    check_that(r->c, attested <= 1 && core_entries_of(r, ENTRY_ATTESTATION) == 1 && at < of_read && of_read < of_decision,
        "the result is in the log once, before what names it");
    check_that(r->c,
        d.decision.permitted && d.decision.has_attestation && digest_equal(&d.decision.attestation, &a.attestation.result),
        "the decision names it");
    check_that(r->c, read.read.has_attestation && digest_equal(&read.read.attestation, &a.attestation.result), "so does the read");
    check_that(r->c, span_is(span_text(a.attestation.status), "affirming") && digest_equal(&a.attestation.evidence, &r->evidence),
        "with its status, and the evidence that it judges");
    check_that(r->c, blob_is_there(r, BLOB_RESULT, &a.attestation.result) && blob_is_there(r, BLOB_DOCUMENT, &r->evidence),
        "both lie beside the log");
    struct digest cel = sha256(span_text("event log"));
    check_that(r->c, blob_is_there(r, BLOB_DOCUMENT, &cel), "and the event log that the evidence names");
    core_certificate(r, "attested-again");
    check_name(r, core_submit(r), E_ok, "another mutation");
    check_that(r->c, core_entries_of(r, ENTRY_ATTESTATION) == 1, "under the same result adds no second record of it");
    check_name(r, core_challenge_honest(r), E_ok, "a challenge right behind a new note");
    check_that(r->c, note_stored(r) == r->signed_size, "is answered when that note would survive a crash");
    check_name(r, core_attest(r), E_ok, "the next result");
    check_that(r->c, core_entries_of(r, ENTRY_ATTESTATION) == 1, "is not recorded as long as nothing names it");
    core_certificate(r, "attested-third");
    check_name(r, core_submit(r), E_ok, "a mutation under it");
    check_that(r->c, core_entries_of(r, ENTRY_ATTESTATION) == 2, "is what records it");
}

/* The next mutations are refused, by Phi_attest, under this name, and the refusal names the result. */
static void refused_by(struct core_room *r, const char *cid, enum seb_code want, const char *what)
{
    core_certificate(r, cid);
    check_name(r, core_submit(r), want, what);
    check_that(r->c, span_is(span_text(rule_of(r)), "attest"), "by Phi_attest");
    struct entry d = core_newest(r, ENTRY_DECISION, NULL), a = core_newest(r, ENTRY_ATTESTATION, NULL);
    check_that(
        r->c, !d.decision.permitted && digest_equal(&d.decision.attestation, &a.attestation.result), "under the recorded result");
}

static void test_not_attested(struct core_room *r)
{
    check_name(r, core_challenge_honest(r), E_ok, "a challenge is answered");
    struct result_claims c = core_result(r);
    c.status = EAR_CONTRAINDICATED;
    c.vector.value[EAR_EXECUTABLES] = 96;
    c.codes_n = 1;
    c.codes[0] = E_reference_mismatch;
    unsigned before = core_entries_of(r, ENTRY_ATTESTATION);
    r->loaded_code = E_attestation_failed;
    check_name(
        r, core_result_send(r, &c, r->w.verifier, 30), E_ok, "a result that doesn't affirm is held, whatever the keeper says");
    r->loaded_code = E_ok;
    check_that(r->c, r->lease.seconds == 0, "its lease doesn't reach the keeper");
    CORE_WAIT(r, core_entries_of(r, ENTRY_ATTESTATION) > before);
    check_that(r->c, core_entries_of(r, ENTRY_ATTESTATION) == before + 1, "the log has it at once: the status changed");
    check_that(r->c, status_is(r, "attestation.codes.0", "reference_mismatch"), "the status says what was wrong");
    refused_by(r, "not-affirmed", E_attestation_failed, "a mutation is refused");

    check_name(r, core_challenge_honest(r), E_ok, "a challenge is answered");
    c = core_result(r);
    c.status = EAR_WARNING;
    c.vector.value[EAR_STORAGE_OPAQUE] = 32;
    c.codes_n = 1;
    c.codes[0] = E_key_not_stated;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_ok, "one that lacks the mint key's statement alone");
    check_that(r->c, r->lease.seconds == 30, "leases the record key, which states it");
    refused_by(r, "not-stated", E_attestation_failed, "and a mutation is refused");

    check_name(r, core_challenge_honest(r), E_ok, "a challenge is answered");
    c = core_result(r);
    c.mint = *pubkey_thumbprint(testkey_public(r->w.stranger));
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_attestation_other_keys, "a result for other keys is named so");
    refused_by(r, "other-keys", E_attestation_other_keys, "a mutation is refused");

    check_name(r, core_challenge_honest(r), E_ok, "a challenge is answered");
    c = core_result(r);
    c.iat -= 29;
    c.exp = c.iat + 30;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_ok, "a result that is over in a second");
    CORE_WAIT(r, clock_utc_ms() / 1000 > c.exp);
    refused_by(r, "over", E_attestation_expired, "a mutation after it is refused");
    check_that(r->c, status_is(r, "attestation.state", "attestation_expired"), "the status says that results stopped");
    check_that(r->c, json_integer_value(at_path(r->reply, "attestation.since")) == c.exp * 1000, "and since when");
}

/* A credential ends with its attestation. */
static void test_lifetime(struct core_room *r)
{
    check_name(r, core_challenge_honest(r), E_ok, "a challenge is answered");
    struct result_claims c = core_result(r);
    c.exp = c.iat + 5;
    check_name(r, core_result_send(r, &c, r->w.verifier, 30), E_ok, "a result of five seconds");
    core_certificate(r, "short");
    check_name(r, core_submit(r), E_ok, "a mutation");
    struct entry d = core_newest(r, ENTRY_DECISION, NULL), read = core_newest(r, ENTRY_READ, NULL);
    check_that(
        r->c, d.decision.permitted && d.decision.exp <= c.exp && read.read.exp <= c.exp, "no credential outlives its attestation");
}

static void test_keys_change(struct core_room *r)
{
    check_name(r, core_attest(r), E_ok, "attested");
    core_tell_keys(r, r->keys[ROLE_MINT]);
    core_tell_keys(r, r->next_mint);
    CORE_WAIT(r, core_entries_of(r, ENTRY_KEYS));
    const struct digest *kid = pubkey_thumbprint(testkey_public(r->next_mint));
    struct entry k = core_newest(r, ENTRY_KEYS, NULL);
    check_that(r->c, core_entries_of(r, ENTRY_KEYS) == 1 && digest_equal(&k.keys.key[ROLE_MINT].kid, kid) && k.keys.epoch == 3,
        "another mint key is recorded, and the same one isn't");
    refused_by(r, "old-result", E_attestation_other_keys, "the result for the key before serves no more");
    struct testkey *old = r->keys[ROLE_MINT];
    r->keys[ROLE_MINT] = r->next_mint;
    r->next_mint = old;
    check_name(r, core_attest(r), E_ok, "a result for the new key");
    core_certificate(r, "new-key");
    check_name(r, core_submit(r), E_ok, "a mutation");
    struct entry d = core_newest(r, ENTRY_DECISION, NULL);
    check_that(r->c, digest_equal(&d.decision.mint_key, kid), "is decided under the new key");
}

static void test_plan_and_approval(struct core_room *r)
{
    AUTO_BUF plan = BUF(64), approval = BUF(256);
    must(is_ok(admin_put(&plan, &(struct admin_message){ .operation = ADMIN_PLAN })), "ADMIN");
    check_name(r, core_ask(r, MESSAGE_ADMIN, &plan), E_ok, "a plan is asked for");
    check_that(r->c, r->plans == 1 && json_integer_value(at_path(r->reply, "plan.counter")) == 7, "and is the keeper's");
    must(is_ok(admin_put(&approval,
             &(struct admin_message){ .operation = ADMIN_APPROVAL, .text = span_text("{\"approval\":{},\"signature\":\"\"}") })),
        "ADMIN");
    enum seb_code code = core_ask(r, MESSAGE_ADMIN, &approval);
    check_that(r->c, code != E_ok && code != E_CODES && r->approvals == 0, "an approval that nobody signed stays here");
}

static enum seb_code enrol(struct core_room *r, const struct enrolment_statement *s, const char *certificate, struct testkey *key)
{
    AUTO_BUF payload = BUF(4096), text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX), fields = BUF(LINK_PACKET_MAX);
    struct attest_message m = { .operation = ATTEST_ENROLLED, .extra = span_text(certificate) };
    must(is_ok(enrolment_write(s, &payload)), "enrolment");
    testkey_jws(&key, 1, TYP_ENROLMENT, buf_span(&payload), &text);
    must(is_ok(jws_parse_text(buf_span(&text), &arena, &m.statement)) && is_ok(attest_put(&fields, &m)), "ATTEST");
    return core_ask(r, MESSAGE_ATTEST, &fields);
}

static void test_enrolment(struct core_room *r)
{
    struct enrolment_statement s = { .activated = 1767225600,
        .ak = *pubkey_thumbprint(testkey_public(r->keys[ROLE_ATTESTATION])),
        .ek_certificate = sha256(span_text("certificate")),
        .verifier = *pubkey_thumbprint(testkey_public(r->w.verifier)) };
    s.ak_name[1] = 0x0b; /* nameAlg SHA-256 */
    must(is_ok(span_copy_text(span_text("prod.example"), s.domain, sizeof s.domain)) &&
             is_ok(span_copy_text(span_text("b1"), s.instance, sizeof s.instance)),
        "names");
    check_name(r, enrol(r, &s, "certificate", r->w.stranger), E_verifier_unknown, "a stranger's enrolment");
    check_name(r, enrol(r, &s, "another", r->w.verifier), E_ek_mismatch, "another EK's certificate");
    struct enrolment_statement other = s;
    other.ak.b[0] ^= 1;
    check_name(r, enrol(r, &other, "certificate", r->w.verifier), E_ak_mismatch, "another attestation key's enrolment");
    check_that(r->c, core_entries_of(r, ENTRY_ENROLMENT) == 0, "none of them is recorded");
    check_name(r, enrol(r, &s, "certificate", r->w.verifier), E_ok, "an enrolment");
    check_name(r, enrol(r, &s, "certificate", r->w.verifier), E_ok, "told again");
    struct entry e = core_newest(r, ENTRY_ENROLMENT, NULL);
    check_that(r->c, core_entries_of(r, ENTRY_ENROLMENT) == 1, "is in the log once");
    check_that(r->c, blob_is_there(r, BLOB_ENROLMENT, &e.enrolment.statement) && blob_is_there(r, BLOB_DOCUMENT, &s.ek_certificate),
        "statement and certificate lie beside it");
}

static enum seb_code acknowledge(struct core_room *r, const char *what, uint64_t size)
{
    AUTO_JSON *o = json_pack("{s:s,s:I,s:s,s:I,s:s}", "domain", "prod.example", "iat", (json_int_t)(clock_utc_ms() / 1000),
        "instance", "b1", "size", (json_int_t)size, "what", what);
    must(is_ok(json_put_digest(o, "root", &r->root[size])), "root");
    return core_load(r, ADMIN_ACKNOWLEDGE, r->policy_key, TYP_ACKNOWLEDGE, o);
}

/* The last run was killed: certificates issued before this one are refused until somebody vouches for the log's end. */
static void test_unclean(struct core_room *r)
{
    core_kill(r);
    r->resumed_bits = RESUMED_UNCLEAN;
    r->has_anchor = true;
    r->anchor_size = 1;
    core_start(r);
    check_that(r->c, r->ready && r->resume_proof > 0, "a start after a crash proves the log from its anchor on");
    struct entry e = core_newest(r, ENTRY_START, NULL);
    check_that(r->c, e.start.certificates_from > 0 && e.start.head >= r->resume_size, "and records from when certificates serve");
    CORE_WAIT(r, r->signed_size == r->frontier.size);
    check_name(r, core_attest(r), E_ok, "attested by a verifier that had seen nothing");
    core_certificate(r, "before");
    check_name(r, core_submit(r), E_certificate_before_restart, "a certificate issued before the start");
    check_that(r->c, span_is(span_text(rule_of(r)), "time"), "by Phi_time");
    /* What this run signed says nothing of what the last one did. */
    r->has_seen = true;
    r->seen = (struct log_state){ .size = r->signed_size, .root = r->root[r->signed_size] };
    check_name(r, core_attest(r), E_ok, "attested by a verifier that has seen this run's checkpoint");
    core_certificate(r, "before-again");
    check_name(r, core_submit(r), E_certificate_before_restart, "it is refused still");
    check_name(r, acknowledge(r, "unclean", r->signed_size), E_acknowledge_mismatch, "an acknowledgement of another size");
    check_name(r, acknowledge(r, "unclean", r->resume_size), E_ok, "an acknowledgement of the log as it was");
    check_that(r->c, r->acknowledges == 1 && core_entries_of(r, ENTRY_ACKNOWLEDGE) == 1, "the keeper has it, and the log");
    core_certificate(r, "before-acknowledged");
    check_name(r, core_submit(r), E_ok, "then it serves");
}

/* Evidence that wasn't affirmed showed the verifier the log's head: that it knows it from then on says nothing of before. */
static void test_moved(struct core_room *r)
{
    CORE_WAIT(r, r->signed_size == r->frontier.size);
    core_stop(r);
    r->has_seen = false;
    r->signs = false;
    core_start(r);
    check_name(r, core_challenge_honest(r), E_ok, "the first evidence of a run");
    struct result_claims claims = core_result(r);
    claims.status = EAR_CONTRAINDICATED;
    claims.vector.value[EAR_EXECUTABLES] = 96;
    claims.codes_n = 1;
    claims.codes[0] = E_reference_mismatch;
    check_name(r, core_result_send(r, &claims, r->w.verifier, 0), E_ok, "isn't affirmed");
    r->has_seen = true;
    r->seen = claims.log;
    check_that(r->c, r->seen.size == r->resume_size, "and shows the log's head");
    check_name(r, core_attest(r), E_ok, "the second is affirmed, by a verifier that knows the head");
    r->signs = true;
    core_tell_health(r, E_ok);
    core_sign(r);
    core_certificate(r, "moved");
    check_name(r, core_submit(r), E_certificate_before_restart, "a certificate issued before the start is refused");
}

/* The verifier's own last look before the crash covers the log's head. */
static void test_covered(struct core_room *r)
{
    CORE_WAIT(r, r->signed_size == r->frontier.size);
    core_stop(r);
    r->seen = (struct log_state){ .size = r->signed_size, .root = r->root[r->signed_size] };
    r->signs = false; /* nothing is, before the first lease: the evidence shows the note that the last run left */
    core_start(r);
    check_that(r->c, r->resume_size == r->seen.size, "all of the log was signed and stored when it stopped");
    core_certificate(r, "uncovered");
    check_name(r, core_submit(r), E_certificate_before_restart, "a certificate issued before the start");
    check_name(r, core_attest(r), E_ok, "the verifier's last checkpoint covers the log's head");
    r->signs = true;
    core_tell_health(r, E_ok);
    core_sign(r);
    core_certificate(r, "covered");
    check_name(r, core_submit(r), E_ok, "and it serves");
    CORE_WAIT(r, r->signed_size == r->frontier.size);
    core_stop(r);
    r->seen = (struct log_state){ .size = r->signed_size, .root = r->root[r->signed_size] };
    r->signs = false;
    core_start(r);
    check_name(r, core_challenge_honest(r), E_ok, "the log's head is shown, and the result gets lost");
    check_name(r, core_attest(r), E_ok, "from then on the verifier has it from this run");
    r->signs = true;
    core_tell_health(r, E_ok);
    core_sign(r);
    core_certificate(r, "shown-before");
    check_name(r, core_submit(r), E_certificate_before_restart, "a certificate issued before the start is refused still");
    r->resumed_bits = 0;
}

/* A policy that names another in place of the verifier whose result is held. */
static void test_withdrawn(struct core_room *r)
{
    json_t *named = at_path(r->w.policy_json, "verifiers.0"), *jwk = NULL;
    AUTO_JSON *before = json_deep_copy(r->w.policy_json);
    check_name(r, core_attest(r), E_ok, "attested");
    check_that(r->c, status_is(r, "attestation.state", "ok"), "so the status says");
    must(is_ok(pubkey_jwk(testkey_public(r->w.stranger), &jwk)) && json_object_set_new(named, "jwk", jwk) == 0, "verifier");
    edit(r->w.policy_json, "policy_epoch", "70");
    check_name(r, core_load(r, ADMIN_POLICY, r->policy_key, TYP_POLICY, r->w.policy_json), E_ok, "a policy with another verifier");
    check_that(r->c, status_is(r, "attestation.state", "attestation_missing"), "the result of the one before isn't held any more");
    must(json_object_update(r->w.policy_json, before) == 0, "policy");
    edit(r->w.policy_json, "policy_epoch", "71");
    edit(r->w.certificate_json, "policy_epoch", "71");
    check_name(r, core_load(r, ADMIN_POLICY, r->policy_key, TYP_POLICY, r->w.policy_json), E_ok, "the policy before");
    check_name(r, core_attest(r), E_ok, "and its verifier's next result");
    check_that(r->c, status_is(r, "attestation.state", "ok"), "are taken");
}

/* A supervisor that was killed closes the control link, too, and orders nothing. */
static void test_orphaned(struct core_room *r)
{
    (void)core_status_text(r, "log");
    const uint64_t size = (uint64_t)json_integer_value(at_path(r->reply, "log.size"));
    CORE_WAIT(r, r->frontier.size == size);
    core_orphan(r);
    core_start(r);
    check_that(r->c, core_newest(r, ENTRY_START, NULL).start.head == size, "and the log is as it was");
}

static void test_rekey(struct core_room *r)
{
    static const char *const names[] = { "attestation", "record", "mint" };
    char path[256], done[256];
    struct stat st;
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(4096);
    core_stop(r);
    json_t *old = json_object(), *new = json_object();
    for (unsigned i = 0; i < ROLES; i++) {
        must(is_ok(json_put_digest(old, names[i], pubkey_thumbprint(testkey_public(r->keys[i])))), "kid");
        if (i != ROLE_MINT) { /* another record and attestation key */
            testkey_free(r->keys[i]);
            r->keys[i] = testkey_new(ALG_ES256);
        }
        must(is_ok(json_put_digest(new, names[i], pubkey_thumbprint(testkey_public(r->keys[i])))), "kid");
    }
    must(is_ok(json_put_new(o, "old", old)) && is_ok(json_put_new(o, "new", new)) &&
             is_ok(json_put_new(o, "statement", json_null())) && is_ok(json_canonical(o, &text)),
        "rekey");
    snprintf(path, sizeof path, "%s/state/rekey.json", r->work);
    snprintf(done, sizeof done, "%s/state/rekey.recorded.json", r->work);
    must(is_ok(file_write(path, buf_span(&text), 0600, false)), "rekey.json");
    core_start(r);
    check_that(r->c, r->ready && core_entry(r, 0).type == ENTRY_REKEY && core_entry(r, 1).type == ENTRY_START,
        "a rekey is the first record of the run");
    CORE_WAIT(r, stat(done, &st) == 0);
    check_that(r->c, stat(done, &st) == 0 && stat(path, &st) != 0, "then its file has another name");
    core_stop(r);
    must(is_ok(file_write(path, buf_span(&text), 0600, false)), "rekey.json");
    core_start(r);
    check_that(r->c, r->ready && core_entries_of(r, ENTRY_REKEY) == 0, "told again, it isn't recorded again");
    core_stop(r);
}

int main(int argc, char **argv)
{
    struct checks c = { 0 };
    static struct core_room r; /* too large for a stack frame */
    if (argc != 3)
        return 2;
    core_make(&r, &c, argv[1], argv[2]);
    test_unsigned(&r);
    test_challenges(&r);
    test_evidence(&r);
    test_results_refused(&r);
    test_enrolment(&r);
    test_attested(&r);
    test_lifetime(&r);
    test_not_attested(&r);
    test_keys_change(&r);
    test_plan_and_approval(&r);
    test_unclean(&r);
    test_moved(&r);
    test_covered(&r);
    test_withdrawn(&r);
    test_orphaned(&r);
    test_rekey(&r);
    core_free(&r);
    return checks_end(&c);
}
