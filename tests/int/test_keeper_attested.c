/* A keeper whose keys the chip lets work in the approved state alone, while a verifier's lease lasts: each way to have a signature
 * without them is refused by its name, and all comes back by itself.
 *
 * test_keeper_attested WORK KEEPER MINT, in the world of tests/int/keeper-attested; MINT says where the mint key is, hsm or tpm. */
#include "config.h"

#include "tests/int/keeper_plays.h"

#include "attest/evidence.h"

#include <stdio.h>
#include <stdlib.h>

#define SHORT_LEASE_S 2
#define LOST_MAX 16 /* entries of a database that is copied back */
#define QUIET_MS 400 /* long enough for a signature that isn't to come */

static json_t *state_of(struct room *r)
{
    json_t *o = NULL;
    must_ok(json_strict(buf_span(&r->state), LINK_PACKET_MAX, &o), "STATE");
    return o;
}

static void nothing_is_signed(struct room *r, const char *why)
{
    static const char noise[] = "{\"counts\":{},\"from\":0,\"time\":1,\"type\":\"noise\",\"until\":1,\"v\":1}";
    unsigned checkpoints = r->checkpoints;
    room_append(r, span_text(noise));
    room_send(r, MESSAGE_SIGN, 0, NULL);
    ROOM_WAIT(r, QUIET_MS, r->checkpoints > checkpoints);
    check_that(r->c, r->checkpoints == checkpoints, why);
}

static void wait_health(struct room *r, enum seb_code code, const char *what)
{
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == code || r->gone);
    check_code(r->c, fail(r->health), code, what);
}

static enum seb_code mint_of(struct room *r, void (*spoil)(struct room *, struct entry *))
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d);
    if (spoil)
        spoil(r, &e);
    uint64_t index = room_append_entry(r, &e);
    if (r->health == E_ok)
        room_sign(r);
    enum seb_code code = room_mint(r, index, &d.jws, ROOM_BODY);
    document_free(&d);
    return code;
}

static enum seb_code read_of(struct room *r, void (*spoil)(struct room *, struct entry *))
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_read(r, &d);
    if (spoil)
        spoil(r, &e);
    uint64_t index = room_append_entry(r, &e);
    enum seb_code code = room_mint(r, index, &d.jws, (struct span){ NULL, 0 });
    document_free(&d);
    return code;
}

/* Approvals. */

static enum seb_code load_edited(struct room *r, struct testkey *key, void (*edit_plan)(struct approval *))
{
    struct approval plan;
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    enum seb_code code = room_plan(r, &plan);
    if (code != E_ok)
        return code;
    if (edit_plan)
        edit_plan(&plan);
    room_approval_text(r, &plan, key, &text);
    approval_free(&plan);
    return room_load_approval(r, buf_span(&text));
}

static void of_another_ak(struct approval *a)
{
    a->ak.b[0] ^= 1;
}
static void with_another_ref(struct approval *a)
{
    a->ref.b[0] ^= 1;
}
static void of_another_state(struct approval *a)
{
    static const char other[] = "another seb-core";
    struct digest d = sha256(span_text(other));
    a->pcr_value.b[0] ^= 1;
    must_ok(cel_put(&a->measured, "seb-core", &d), "measured");
}
static void of_another_counter(struct approval *a)
{
    a->counter += 5;
}

static void approvals(struct room *r)
{
    struct checks *c = r->c;
    wait_health(r, E_approval_missing, "without an approval HEALTH says approval_missing");
    check_code(c, fail(load_edited(r, r->w.stranger, NULL)), E_approval_invalid, "an approval that the policy key didn't sign");
    check_code(c, fail(load_edited(r, r->policy_key, of_another_ak)), E_approval_other_tpm, "an approval of another TPM");
    check_code(
        c, fail(load_edited(r, r->policy_key, with_another_ref)), E_approval_other_tpm, "an approval with another policyRef");
    check_code(c, fail(load_edited(r, r->policy_key, of_another_state)), E_ok, "an approval of another state is kept");
    wait_health(r, E_state_not_approved, "and HEALTH says state_not_approved");
    AUTO_JSON *state = state_of(r);
    const json_t *differs = json_object_get(state, "unapproved");
    check_that(c,
        json_array_size(differs) == 1 &&
            span_is(span_text(json_string_value(json_object_get(json_array_get(differs, 0), "name"))), "seb-core"),
        "STATE names what differs");
    check_code(c, fail(load_edited(r, r->policy_key, of_another_counter)), E_ok, "an approval for a counter to come is kept");
    nothing_is_signed(r, "and nothing is signed without the approval");
    check_code(c, fail(room_approve(r)), E_ok, "the approval of this state");
    wait_health(r, E_lease_missing, "then a lease is missing");
    nothing_is_signed(r, "and nothing is signed without a lease");
}

/* Challenges. */

static enum seb_code challenge_with(struct room *r, struct testkey *key, void (*edit_challenge)(struct challenge *))
{
    struct challenge c = room_challenge_now(r);
    if (edit_challenge)
        edit_challenge(&c);
    return room_challenge(r, &c, key);
}
static void an_hour_ago(struct challenge *c)
{
    c->iat -= 3600;
}
static void to_another_instance(struct challenge *c)
{
    c->instance[0] ^= 1;
}
static void to_another_domain(struct challenge *c)
{
    c->domain[0] ^= 1;
}

static void challenges(struct room *r)
{
    struct checks *k = r->c;
    check_code(k, fail(challenge_with(r, r->w.stranger, NULL)), E_verifier_unknown, "a stranger's challenge");
    check_code(k, fail(challenge_with(r, r->w.lease, NULL)), E_verifier_unknown, "a challenge by the lease key");
    check_code(k, fail(challenge_with(r, r->w.verifier, an_hour_ago)), E_challenge_stale, "a challenge of an hour ago");
    check_code(k, fail(challenge_with(r, r->w.verifier, to_another_instance)), E_instance_mismatch, "another instance's challenge");
    check_code(k, fail(challenge_with(r, r->w.verifier, to_another_domain)), E_domain_mismatch, "another domain's challenge");
    struct challenge c = room_challenge_now(r);
    check_code(k, fail(room_challenge(r, &c, r->w.verifier)), E_ok, "a verifier's challenge is answered");
    check_code(k, fail(room_challenge(r, &c, r->w.verifier)), E_challenge_replayed, "the same once more");
    AUTO_BUF payload = BUF(CHALLENGE_MAX);
    struct document d;
    c = room_challenge_now(r);
    must_ok(challenge_write(&c, &payload), "challenge");
    document_sign_text(&d, r->w.verifier, TYP_CHALLENGE, buf_span(&payload));
    ((uint8_t *)(uintptr_t)d.jws.sig[0].signature.p)[40] ^= 1;
    check_code(k, fail(room_challenge_raw(r, &d.jws)), E_challenge_forged, "a challenge with a bit of the signature changed");
    document_free(&d);
    check_code(k, fail(challenge_with(r, r->w.verifier, NULL)), E_ok, "the next one is answered");
}

/* Documents are handed out in pieces. */
static void documents(struct room *r)
{
    struct challenge c = room_challenge_now(r);
    AUTO_JSON *o = NULL;
    AUTO_BUF data = BUF(CEL_LOG_MAX);
    struct digest value;
    struct cel_state state;
    c.op = CHALLENGE_DOCUMENT;
    c.document = DOCUMENT_CEL;
    check_code(r->c, fail(room_challenge(r, &c, r->w.verifier)), E_ok, "the event log is asked for");
    must_ok(json_strict(buf_span(&r->evidence), LINK_PACKET_MAX, &o), "document");
    must_ok(json_bytes_at(o, "data", CEL_LOG_MAX, &data), "document");
    const struct digest *front = NULL;
    if (is_ok(cel_replay(buf_span(&data), (unsigned)r->config->measured_pcr, &value, &state)))
        front = cel_find(&state, "seb-front");
    check_that(r->c, front && digest_equal(front, &r->measured[CHILD_FRONT]), "it says what the supervisor measured");
    c = room_challenge_now(r);
    c.op = CHALLENGE_DOCUMENT;
    c.document = DOCUMENT_CEL;
    c.offset = data.n + 1;
    check_code(r->c, fail(room_challenge(r, &c, r->w.verifier)), E_bad_value, "a piece from behind the end");
}

/* Results. */

struct round { /* a challenge that was answered, and what would be said to it */
    struct challenge challenge;
    struct quote_challenge quote;
    struct result_claims claims;
    uint8_t lease[SIGNATURE_SIZE];
};

static struct round begin_round(struct room *r)
{
    struct round n = { .challenge = room_challenge_now(r) };
    check_code(r->c, fail(room_challenge(r, &n.challenge, r->w.verifier)), E_ok, "a challenge");
    room_evidence_check(r, &n.challenge, &n.quote);
    n.claims = room_claims(r, &n.challenge);
    room_lease_sign(r, n.quote.lease_nonce, ROOM_LEASE_S, r->w.lease, n.lease);
    return n;
}

static void with_another_nonce(struct result_claims *c)
{
    c->nonce[0] ^= 1;
}
static void for_another_instance(struct result_claims *c)
{
    c->instance[0] ^= 1;
}
static void of_yesterday(struct result_claims *c)
{
    c->iat -= 86400;
    c->exp -= 86400;
}
static void for_another_ak(struct result_claims *c)
{
    c->attestation.b[0] ^= 1;
}
static void for_another_record_key(struct result_claims *c)
{
    c->record.b[0] ^= 1;
}
static void contraindicated(struct result_claims *c)
{
    c->status = EAR_CONTRAINDICATED;
    c->vector.value[EAR_EXECUTABLES] = 96;
    c->codes_n = 1;
    c->codes[0] = E_reference_mismatch;
}

static void refused_result(
    struct room *r, struct testkey *key, void (*spoil)(struct result_claims *), enum seb_code want, const char *name)
{
    struct round n = begin_round(r);
    if (spoil)
        spoil(&n.claims);
    check_code(r->c, fail(room_result(r, &n.claims, key, ROOM_LEASE_S, n.lease)), want, name);
    check_that(r->c, r->health == E_lease_missing, "and there is no lease");
}

static void results(struct room *r)
{
    refused_result(r, r->w.stranger, NULL, E_verifier_unknown, "a result by another verifier");
    refused_result(r, r->w.verifier, with_another_nonce, E_result_mismatch, "a result for another nonce");
    refused_result(r, r->w.verifier, for_another_instance, E_result_mismatch, "a result for another instance");
    refused_result(r, r->w.verifier, of_yesterday, E_result_stale, "an expired result");
    refused_result(r, r->w.verifier, for_another_ak, E_attestation_other_keys, "a result for another attestation key");
    refused_result(r, r->w.verifier, for_another_record_key, E_attestation_other_keys, "a result for another record key");
    refused_result(r, r->w.verifier, contraindicated, E_attestation_failed, "a result that doesn't affirm");
}

static void leases(struct room *r)
{
    struct round old = begin_round(r), n = begin_round(r);
    check_code(r->c, fail(room_result(r, &old.claims, r->w.verifier, ROOM_LEASE_S, old.lease)), E_result_mismatch,
        "the result of a challenge before the last");
    check_code(r->c, fail(room_result(r, &n.claims, r->w.verifier, ROOM_LEASE_S, old.lease)), E_lease_invalid,
        "a lease for another session's nonce");
    check_code(r->c, fail(room_result(r, &n.claims, r->w.verifier, ROOM_LEASE_S, n.lease)), E_result_mismatch,
        "the same result once more");
    n = begin_round(r);
    room_lease_sign(r, n.quote.lease_nonce, ROOM_LEASE_S, r->w.verifier, n.lease);
    check_code(r->c, fail(room_result(r, &n.claims, r->w.verifier, ROOM_LEASE_S, n.lease)), E_lease_invalid,
        "a lease that another key signed");
    n = begin_round(r);
    check_code(r->c, fail(room_result(r, &n.claims, r->w.verifier, ROOM_LEASE_S + 1, n.lease)), E_lease_invalid,
        "a lease with other seconds than were signed");
    nothing_is_signed(r, "of all these nothing was signed");
}

/* The lease ends by itself, and comes back with the verifier. */
static void lease_over(struct room *r)
{
    check_code(r->c, fail(room_lease(r, SHORT_LEASE_S)), E_ok, "a lease of two seconds");
    check_that(r->c, room_becomes_usable(r), "the keys can be used");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->signed_size == r->frontier.size);
    check_that(r->c, r->signed_size == r->frontier.size, "what waited is signed");
    wait_health(r, E_lease_over, "then the lease is over, and HEALTH says so");
    nothing_is_signed(r, "after it nothing is signed");
    check_code(r->c, fail(mint_of(r, NULL)), E_lease_over, "and no credential is minted");
    check_code(r->c, fail(read_of(r, NULL)), E_lease_over, "nor one for a read");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "the verifier leases again");
    check_that(r->c, room_becomes_usable(r), "and all comes back");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "a credential");
}

/* What an entry says of the attestation that it was judged by. */
static void without_attestation(struct room *r, struct entry *e)
{
    (void)r;
    e->decision.has_attestation = false;
}
static void read_without_attestation(struct room *r, struct entry *e)
{
    (void)r;
    e->read.has_attestation = false;
}
static void reconcile_without_attestation(struct room *r, struct entry *e)
{
    (void)r;
    e->read.purpose = READ_RECONCILE;
    e->read.decision = 0;
    e->read.has_attestation = false;
}
static void with_a_forged_attestation(struct room *r, struct entry *e)
{
    (void)r;
    e->decision.attestation.b[0] ^= 1;
}

static void judged(struct room *r)
{
    check_code(r->c, fail(mint_of(r, without_attestation)), E_attestation_missing, "a decision without attestation");
    check_code(r->c, fail(mint_of(r, with_a_forged_attestation)), E_attestation_missing, "a decision by a result that never was");
    check_code(r->c, fail(read_of(r, read_without_attestation)), E_attestation_missing, "a read without attestation");
    check_code(
        r->c, fail(read_of(r, reconcile_without_attestation)), E_attestation_missing, "a reconciling read without attestation");
    /* A result that is over in a few seconds: no credential outlives it. */
    struct round n = begin_round(r);
    n.claims.exp = n.claims.iat + 5;
    check_code(r->c, fail(room_result(r, &n.claims, r->w.verifier, ROOM_LEASE_S, n.lease)), E_ok, "a result of five seconds");
    check_code(r->c, fail(mint_of(r, NULL)), E_credential_too_long, "a credential that outlives its attestation");
    n = begin_round(r);
    n.claims.mint.b[0] ^= 1;
    check_code(r->c, fail(room_result(r, &n.claims, r->w.verifier, ROOM_LEASE_S, n.lease)), E_ok, "a result for another mint key");
    check_code(r->c, fail(mint_of(r, NULL)), E_attestation_other_keys, "no credential by it");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a result for the keys in use");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "a credential by it");
}

/* The measured state. */

static struct digest pcr_value(struct room *r)
{
    AUTO_JSON *state = state_of(r);
    struct digest d;
    must_ok(json_digest_at(state, "pcr_value", &d), "pcr_value");
    return d;
}

static void start_again(struct room *r)
{
    room_start(r, r->tpm);
    check_code(r->c, fail(room_resume(r, &r->frontier, buf_span(&r->note))), E_ok, "the log goes on");
    check_code(r->c, fail(room_load(r, MESSAGE_POLICY, &r->policy.jws)), E_ok, "policy");
    check_code(r->c, fail(room_load(r, MESSAGE_EPOCH, &r->epoch.jws)), E_ok, "epoch");
}

static void restarts(struct room *r)
{
    struct digest before = pcr_value(r);
    room_stop(r);
    start_again(r);
    wait_health(r, E_lease_missing, "after a restart in the same state a lease alone is missing: the approval was kept");
    struct digest after = pcr_value(r);
    check_that(r->c, digest_equal(&before, &after), "the PCR wasn't extended");
    check_that(r->c, !(r->resumed_bits & RESUMED_UNCLEAN), "and the stop was clean");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease");
    check_that(r->c, room_becomes_usable(r), "and it works on");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "with certificates of before");
    room_stop(r);
    r->measured[CHILD_CORE].b[7] ^= 1;
    start_again(r);
    wait_health(r, E_state_not_approved, "another seb-core: HEALTH says state_not_approved");
    AUTO_JSON *state = state_of(r);
    const json_t *differs = json_object_get(state, "unapproved");
    check_that(r->c,
        json_array_size(differs) == 1 &&
            span_is(span_text(json_string_value(json_object_get(json_array_get(differs, 0), "name"))), "seb-core"),
        "and STATE says exactly which measurement isn't approved");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_approval_missing, "no lease helps");
    nothing_is_signed(r, "nothing is signed");
    check_code(r->c, fail(room_approve(r)), E_ok, "the new state is approved");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "and leased");
    check_that(r->c, room_becomes_usable(r), "and works");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "as before");
}

/* Revocation epochs. */

static struct document epoch_of(struct room *r, int64_t epoch)
{
    AUTO_JSON *o = json_deep_copy(r->w.epoch_json);
    struct document d;
    must_ok(json_put_int(o, "epoch", epoch), "epoch");
    must_ok(json_put_int(r->w.epoch_json, "epoch", epoch), "epoch");
    must_ok(json_put_int(r->w.certificate_json, "epoch", epoch), "epoch");
    document_sign(&d, r->revocation_key, TYP_EPOCH, o);
    return d;
}

static void advance(struct room *r, int64_t epoch)
{
    struct document d = epoch_of(r, epoch);
    check_code(r->c, fail(room_load(r, MESSAGE_EPOCH, &d.jws)), E_ok, "the epoch is advanced");
    document_free(&r->epoch);
    r->epoch = d;
}

static void for_the_next_epoch(struct approval *a)
{
    a->counter++;
    a->epoch++;
}

static void at_this_counter(struct approval *a)
{
    a->epoch++;
}

static void epochs(struct room *r)
{
    struct digest old = *pubkey_thumbprint(r->instance.key[ROLE_MINT]);
    advance(r, 4);
    wait_health(r, E_epoch_not_approved, "the chip refuses until the state is approved for the new epoch");
    nothing_is_signed(r, "nothing is signed");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease can be renewed meanwhile");
    nothing_is_signed(r, "nothing is signed then either");
    check_code(r->c, fail(r->health), E_epoch_not_approved, "and it is still the epoch");
    unsigned told = r->keys_told;
    check_code(r->c, fail(room_approve(r)), E_ok, "a new approval");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->keys_told > told && r->health == E_ok);
    struct digest now = *pubkey_thumbprint(r->instance.key[ROLE_MINT]);
    check_that(r->c, r->keys_told > told && !digest_equal(&old, &now), "the new epoch has a mint key of its own");
    check_that(r->c, r->instance.mint_epoch == 4 && r->instance.retired_n > 0, "and instance.json says so");
    check_code(r->c, fail(mint_of(r, NULL)), E_attestation_other_keys, "which is used once it is attested");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "it is attested");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "and mints");
    /* A switch that was approved ahead. */
    check_code(r->c, fail(load_edited(r, r->policy_key, for_the_next_epoch)), E_ok, "this state at the next epoch, approved ahead");
    told = r->keys_told;
    advance(r, 5);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->keys_told > told && r->health == E_ok);
    check_code(r->c, fail(r->health), E_ok, "at the switch the keys are armed under it at once");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "the mint key is attested");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "and mints");
    room_stop(r);
    start_again(r);
    wait_health(r, E_lease_missing, "after a restart the counter stays where it is");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease");
    check_that(r->c, room_becomes_usable(r), "and the epoch's key is in use");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "and mints");
    /* What was approved of the epoch before can be used at this counter for ever. */
    check_code(r->c, fail(load_edited(r, r->policy_key, at_this_counter)), E_ok, "the next epoch, approved for the counter of now");
    advance(r, 6);
    wait_health(r, E_epoch_not_approved, "doesn't keep the counter from moving");
    nothing_is_signed(r, "and nothing is signed at either");
    check_code(r->c, fail(room_approve(r)), E_ok, "approved as it is now");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease");
    check_that(r->c, room_becomes_usable(r), "it works");
    ROOM_WAIT(r, ROOM_WAIT_MS, r->instance.mint_epoch == 6);
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "the mint key is attested");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "and mints");
}

/* The anchor. */

static void anchored(struct room *r)
{
    AUTO_BUF note = BUF(NOTE_MAX);
    struct frontier old = r->frontier;
    must_ok(buf_put(&note, buf_span(&r->note)), "note");
    must(r->signed_size == r->frontier.size, "all is signed");
    uint64_t old_size = r->signed_size;
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "work goes on");
    room_stop(r);
    struct frontier newest = r->frontier;
    struct digest leaf[LOST_MAX], root[LOST_MAX];
    must(newest.size - old_size <= LOST_MAX, "few entries");
    for (unsigned i = 0; i < LOST_MAX; i++) {
        leaf[i] = r->leaf[old_size + i];
        root[i] = r->root[old_size + 1 + i];
    }
    AUTO_BUF newest_note = BUF(NOTE_MAX);
    must_ok(buf_put(&newest_note, buf_span(&r->note)), "note");

    r->signed_size = old_size;
    room_start(r, r->tpm);
    check_code(r->c, fail(room_resume(r, &old, buf_span(&note))), E_log_rolled_back, "a database that was copied back");
    check_code(r->c, fail(room_load(r, MESSAGE_POLICY, &r->policy.jws)), E_ok, "policy");
    check_code(r->c, fail(room_load(r, MESSAGE_EPOCH, &r->epoch.jws)), E_ok, "epoch");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease, by a verifier who was deceived");
    wait_health(r, E_log_rolled_back, "HEALTH says log_rolled_back");
    nothing_is_signed(r, "nothing is signed");
    check_code(r->c, fail(mint_of(r, NULL)), E_certificate_before_restart, "earlier certificates are refused");
    check_code(r->c, fail(room_acknowledge(r, r->revocation_key, "rollback")), E_bad_header, "an acknowledgement by another key");
    r->resumed_log.size++;
    check_code(r->c, fail(room_acknowledge(r, r->policy_key, "rollback")), E_acknowledge_mismatch, "one of another size");
    r->resumed_log.size--;
    room_kill(r);

    for (unsigned i = 0; i < LOST_MAX; i++) {
        r->leaf[old_size + i] = leaf[i];
        r->root[old_size + 1 + i] = root[i];
    }
    r->frontier = newest;
    r->signed_size = newest.size;
    buf_clear(&r->note);
    must_ok(buf_put(&r->note, buf_span(&newest_note)), "note");
    start_again(r);
    check_that(r->c, !(r->resumed_bits & RESUMED_UNCLEAN), "the right database is taken, as if nothing had been");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease");
    check_that(r->c, room_becomes_usable(r), "and it works");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "on");
}

/* Shows the verifier the log all the same. */
static void not_affirmed(struct room *r)
{
    struct challenge c = room_challenge_now(r);
    check_code(r->c, fail(room_challenge(r, &c, r->w.verifier)), E_ok, "the first evidence of a run");
    struct result_claims claims = room_claims(r, &c);
    claims.status = EAR_CONTRAINDICATED;
    claims.vector.value[EAR_EXECUTABLES] = 96;
    claims.codes_n = 1;
    claims.codes[0] = E_reference_mismatch;
    r->seen = claims.log;
    claims.quote.b[0] ^= 1;
    check_code(r->c, fail(room_result(r, &claims, r->w.verifier, 0, NULL)), E_result_mismatch, "a result about another quote");
    claims.quote.b[0] ^= 1;
    check_code(r->c, fail(room_result(r, &claims, r->w.verifier, 0, NULL)), E_attestation_failed, "isn't affirmed");
}

static void killed(struct room *r)
{
    room_kill(r);
    start_again(r);
    check_that(r->c, r->resumed_bits & RESUMED_UNCLEAN, "after a kill the start is unclean");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease by a verifier who saw less than the log");
    check_that(r->c, room_becomes_usable(r), "it works");
    check_code(r->c, fail(mint_of(r, NULL)), E_certificate_before_restart, "but for earlier certificates");
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "what the verifier saw of this run");
    check_code(r->c, fail(mint_of(r, NULL)), E_certificate_before_restart, "says nothing of the one before");
    room_kill(r);
    r->seen = log_state_empty();
    start_again(r);
    not_affirmed(r);
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease by a verifier who knows the log's head from this run");
    check_that(r->c, room_becomes_usable(r), "it works");
    check_code(r->c, fail(mint_of(r, NULL)), E_certificate_before_restart, "but for earlier certificates");
    room_sign(r);
    r->seen = (struct log_state){ .size = r->signed_size, .root = r->root[r->signed_size] };
    room_kill(r);
    start_again(r);
    check_code(r->c, fail(room_lease(r, ROOM_LEASE_S)), E_ok, "a lease by a verifier who saw the whole log");
    check_that(r->c, room_becomes_usable(r), "it works");
    check_code(r->c, fail(mint_of(r, NULL)), E_ok, "with earlier certificates too");
}

int main(int argc, char **argv)
{
    struct checks c = { 0 };
    struct room r;
    must(argc == 4, "usage: test_keeper_attested WORK KEEPER hsm|tpm");
    room_make(&r, &c, argv[1], argv[2], span_is(span_text(argv[3]), "hsm"));
    room_start(&r, r.tpm);
    check_that(&c, r.has_run && r.ready, "the keeper starts, and tells its keys");
    check_code(
        &c, fail(room_resume(&r, &r.frontier, buf_span(&r.note))), E_ok, "an empty log is taken before anything can be signed");
    check_code(&c, fail(challenge_with(&r, r.w.verifier, NULL)), E_no_policy, "before a policy is loaded no verifier is known");
    check_code(&c, fail(room_load(&r, MESSAGE_POLICY, &r.policy.jws)), E_ok, "policy");
    check_code(&c, fail(room_load(&r, MESSAGE_EPOCH, &r.epoch.jws)), E_ok, "epoch");
    approvals(&r);
    challenges(&r);
    documents(&r);
    results(&r);
    leases(&r);
    lease_over(&r);
    judged(&r);
    restarts(&r);
    epochs(&r);
    anchored(&r);
    killed(&r);
    room_stop(&r);
    check_that(&c, r.wrong == 0, "the keeper sent nothing that was wrong");
    room_free(&r);
    return checks_end(&c);
}
