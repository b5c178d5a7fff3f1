#include "config.h"

#include "keeper/keeper.h"

#include "attest/ima.h"
#include "attest/tcg_log.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/verify.h"

#define ANSWER_MAX (LINK_PACKET_MAX - 64)

void challenge_begin(struct keeper *k)
{
    k->challenge.firmware = BUF(TCG_LOG_MAX);
    k->challenge.ima = BUF(IMA_LOG_MAX);
    evidence_read_logs(k);
}

void challenge_end(struct keeper *k)
{
    struct keeper_challenge *c = &k->challenge;
    buf_free(&c->firmware);
    buf_free(&c->ima);
    buf_free(&c->evidence.preimage);
    tpm_quote_free(&c->evidence.quote);
    buf_free(&c->enrol.ak);
    for (unsigned i = 0; i < EK_KINDS; i++) {
        buf_free(&c->enrol.ek[i].certificate);
        buf_free(&c->enrol.ek[i].public);
    }
    buf_free(&c->activate.credential);
    buf_free(&c->activate.secret);
    buf_free(&c->activate.activated);
}

result evidence_tell(struct keeper *k, uint64_t slot, enum seb_code code, struct span json)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    if (code != E_ok)
        json.n = 0;
    TRY(evidence_put(&fields, &(struct evidence_message){ .code = (uint16_t)code, .json = json }));
    return link_send(k->core, MESSAGE_EVIDENCE, slot, buf_span(&fields));
}

static result refuse(struct keeper *k, uint64_t slot, const char *what, result r)
{
    log_result(LOG_WARNING, what, r);
    return evidence_tell(k, slot, code_of(r), (struct span){ NULL, 0 });
}

/* Signed by one of the policy's verifiers, for this instance, of this minute: or anybody could keep the chip busy. */
static result open_challenge(struct keeper *k, const struct jws *j, struct challenge *ret, unsigned *ret_verifier)
{
    if (!k->grounds.policy)
        return fail(E_no_policy);
    result r = verify_by_verifier(k->grounds.policy, TYP_CHALLENGE, j, ret_verifier);
    if (code_of(r) == E_bad_signature)
        return fail(E_challenge_forged);
    TRY(r);
    TRY(challenge_parse(j->payload, ret));
    return challenge_check(ret, k->config->domain, k->config->instance, clock_utc_ms() / 1000);
}

static result document(struct keeper *k, uint64_t slot, const struct challenge *c)
{
    AUTO_BUF json = BUF(ANSWER_MAX);
    result r = evidence_document(k, c, &json);
    return is_ok(r) ? evidence_tell(k, slot, E_ok, buf_span(&json)) : refuse(k, slot, "a document for a verifier", r);
}

/* Whoever listens to a verifier can send its challenges once more for a minute. The last ones are kept from the
 * chip. */
static bool is_replayed(struct keeper_challenge *c, const struct challenge *challenge)
{
    for (unsigned i = 0; i < CHALLENGES_SEEN; i++)
        if (span_equal(digest_span(&c->seen[i]), SPAN(challenge->nonce)))
            return true;
    c->seen_next = (c->seen_next + 1) % CHALLENGES_SEEN;
    return !is_ok(span_copy(SPAN(challenge->nonce), c->seen[c->seen_next].b, DIGEST_SIZE));
}

static result may_wait(struct keeper *k, const struct challenge *challenge)
{
    if (k->challenge.wanted || k->challenge.under_way)
        return fail(E_busy);
    if (k->chip_lost)
        return k->chip_health;
    return is_replayed(&k->challenge, challenge) ? fail(E_challenge_replayed) : OK;
}

result challenge_take(struct keeper *k, uint64_t slot, struct span fields)
{
    struct keeper_challenge *c = &k->challenge;
    struct jws j;
    struct challenge challenge;
    unsigned verifier;
    TRY(statement_read(fields, &j));
    result r = open_challenge(k, &j, &challenge, &verifier);
    if (is_ok(r) && challenge.op == CHALLENGE_DOCUMENT)
        return document(k, slot, &challenge);
    if (is_ok(r))
        r = may_wait(k, &challenge);
    if (!is_ok(r))
        return refuse(k, slot, "a verifier's challenge", r);
    c->challenge = challenge;
    c->verifier = *pubkey_thumbprint(policy_verifier_key(k->grounds.policy, verifier));
    c->slot = slot;
    c->wanted = true;
    return OK;
}

static uint64_t policy_epoch_now(const struct keeper *k)
{
    return k->grounds.policy ? (uint64_t)policy_epoch_of(k->grounds.policy) : 0;
}

static uint64_t epoch_now(const struct keeper *k)
{
    return k->grounds.has_epoch ? (uint64_t)k->grounds.epoch.epoch : 0;
}

static result begin_evidence(struct keeper *k)
{
    struct keeper_challenge *c = &k->challenge;
    struct quote_challenge *q = &c->evidence.challenge;
    *q = (struct quote_challenge){
        .has_note = k->log.has_note,
        .note_text = k->log.newest_text,
        .policy_epoch = policy_epoch_now(k),
        .epoch = epoch_now(k),
    };
    TRY(span_copy(SPAN(c->challenge.nonce), q->nonce, sizeof q->nonce));
    /* Another session waits for a lease from here on: what an earlier challenge asked for comes too late. */
    k->verdict.open = false;
    chip_give(k->chip, &c->evidence.work, WORK_EVIDENCE);
    return OK;
}

static result begin_activate(struct keeper *k)
{
    struct keeper_challenge *c = &k->challenge;
    buf_free(&c->activate.credential);
    buf_free(&c->activate.secret);
    c->activate.credential = BUF(sizeof c->challenge.credential);
    c->activate.secret = BUF(sizeof c->challenge.secret);
    TRY(buf_put(&c->activate.credential, (struct span){ c->challenge.credential, c->challenge.credential_n }));
    TRY(buf_put(&c->activate.secret, (struct span){ c->challenge.secret, c->challenge.secret_n }));
    chip_give(k->chip, &c->activate.work, WORK_ACTIVATE);
    return OK;
}

result challenge_turn(struct keeper *k, int64_t now_ms)
{
    struct keeper_challenge *c = &k->challenge;
    (void)now_ms;
    if (!c->wanted)
        return OK;
    c->wanted = false;
    c->under_way = true;
    if (c->challenge.op == CHALLENGE_APPRAISE)
        return begin_evidence(k);
    if (c->challenge.op == CHALLENGE_ACTIVATE)
        return begin_activate(k);
    chip_give(k->chip, &c->enrol.work, WORK_ENROL);
    return OK;
}

result challenge_lost(struct keeper *k, enum seb_code code)
{
    if (!k->challenge.wanted && !k->challenge.under_way)
        return OK;
    k->challenge.wanted = k->challenge.under_way = false;
    return evidence_tell(k, k->challenge.slot, code, (struct span){ NULL, 0 });
}

static result activated_json(const struct keeper *k, struct buf *out)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    TRY(json_put_b64url(o, "secret", buf_span(&k->challenge.activate.activated)));
    return json_canonical(o, out);
}

/* The verdict that answers this evidence is the only one that is taken. */
static void expect_verdict(struct keeper *k)
{
    const struct keeper_challenge *c = &k->challenge;
    struct keeper_verdict *v = &k->verdict;
    v->open = true;
    v->verifier = c->verifier;
    v->quote = sha256(buf_span(&c->evidence.quote.attest));
    v->is_first = first_answer(&v->first, &c->verifier);
    v->begun_ms = c->evidence.begun_ms;
    v->shows_resumed = k->log.newest.size == k->log.resumed.size;
    for (unsigned i = 0; i < sizeof v->nonce; i++)
        v->nonce[i] = c->challenge.nonce[i];
}

/* Somebody else extended the PCR: the event log doesn't explain it any more, and the approval doesn't fit. */
static void hold_measured(struct keeper *k)
{
    const struct digest *now = &k->challenge.evidence.pcr[k->config->measured_pcr];
    if (digest_equal(now, &k->opening.pcr_value))
        return;
    k->opening.pcr_value = *now;
    k->opening.measured = fail(E_event_log_mismatch);
    approval_choose(k);
}

static result answer_json(struct keeper *k, enum work_kind kind, struct buf *out)
{
    if (kind == WORK_ACTIVATE)
        return activated_json(k, out);
    if (kind == WORK_ENROL)
        return evidence_offer(k, out);
    hold_measured(k);
    /* Behind the quote: what the kernel measured meanwhile may be more than was quoted, and never less. */
    evidence_read_logs(k);
    TRY(evidence_part(k, out));
    expect_verdict(k);
    return OK;
}

/* A policy, a revocation epoch or an approval came while the chip quoted: the core names what is in force now, and nobody could
 * tell such evidence from a lie. */
static bool is_overtaken(const struct keeper *k, enum work_kind kind)
{
    const struct quote_challenge *q = &k->challenge.evidence.challenge;
    return kind == WORK_EVIDENCE && (k->approval.give_wanted || q->policy_epoch != policy_epoch_now(k) || q->epoch != epoch_now(k));
}

/* Whether a credential was for this TPM is the verifier's mistake, not the chip's. */
result challenge_answered(struct keeper *k, struct keeper_work *w)
{
    AUTO_BUF json = BUF(ANSWER_MAX);
    result r = w->r;
    if (!is_ok(r) && code_of(r) != E_activation_failed)
        return chip_failed(k, "a verifier's challenge", r);
    k->challenge.under_way = false;
    if (is_ok(r) && is_overtaken(k, w->kind)) {
        k->challenge.wanted = true; /* once more, of what holds now */
        return OK;
    }
    if (is_ok(r))
        r = answer_json(k, w->kind, &json);
    return is_ok(r) ? evidence_tell(k, k->challenge.slot, E_ok, buf_span(&json))
                    : refuse(k, k->challenge.slot, "the answer to a verifier's challenge", r);
}
