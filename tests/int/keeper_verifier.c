#include "config.h"

#include "tests/int/keeper_room.h"

#include "attest/approval.h"
#include "attest/evidence.h"
#include "base/random.h"

#include <stdio.h>

/* The policy authority: what the keeper plans is approved. */

static void sign_raw(struct testkey *key, const struct span *parts, unsigned n, uint8_t raw[SIGNATURE_SIZE])
{
    AUTO_BUF message = BUF(256);
    for (unsigned i = 0; i < n; i++)
        must_ok(buf_put(&message, parts[i]), "message");
    testkey_sign(key, buf_span(&message), raw);
}

enum seb_code room_plan(struct room *r, struct approval *ret)
{
    unsigned before = r->evidences;
    room_send(r, MESSAGE_PLAN, ++r->next_slot, NULL);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->evidences > before || r->gone);
    if (r->evidences == before)
        return E_peer_gone;
    if (r->evidence_code == E_ok)
        must_ok(approval_plan_parse(buf_span(&r->evidence), ret), "plan");
    return r->evidence_code;
}

void room_approval_text(struct room *r, const struct approval *plan, struct testkey *key, struct buf *out)
{
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
    struct approval a;
    struct jws j;
    uint8_t raw[SIGNATURE_SIZE];
    (void)r;
    must_ok(approval_payload(plan, &payload), "approval");
    must_ok(approval_parse(buf_span(&payload), &a), "approval");
    testkey_jws(&key, 1, TYP_APPROVAL, buf_span(&payload), &text);
    must_ok(jws_parse_text(buf_span(&text), &arena, &j), "approval");
    sign_raw(key, (const struct span[]){ digest_span(&a.policy), digest_span(&a.ref) }, 2, raw);
    must_ok(approval_write(&j, raw, out), "approval");
    approval_free(&a);
}

enum seb_code room_load_approval(struct room *r, struct span text)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    unsigned before = r->loaded;
    must_ok(text_put(&fields, text), "approval");
    room_send(r, MESSAGE_APPROVAL, ++r->next_slot, &fields);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->loaded > before || r->gone);
    return r->loaded > before ? r->loaded_code : E_peer_gone;
}

enum seb_code room_approve(struct room *r)
{
    struct approval plan;
    AUTO_BUF text = BUF(APPROVAL_TEXT_MAX);
    enum seb_code code = room_plan(r, &plan);
    if (code != E_ok)
        return code;
    room_approval_text(r, &plan, r->policy_key, &text);
    r->ref = plan.ref;
    approval_free(&plan);
    return room_load_approval(r, buf_span(&text));
}

enum seb_code room_acknowledge(struct room *r, struct testkey *key, const char *what)
{
    AUTO_JSON *o = json_pack("{s:s,s:I,s:s,s:I,s:s}", "domain", r->config->domain, "iat", (json_int_t)(clock_utc_ms() / 1000),
        "instance", r->config->instance, "size", (json_int_t)r->resumed_log.size, "what", what);
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    struct document d;
    unsigned before = r->loaded;
    must_ok(json_put_digest(o, "root", &r->resumed_log.root), "root");
    document_sign(&d, key, TYP_ACKNOWLEDGE, o);
    must_ok(statement_put(&fields, &d.jws), "acknowledge");
    room_send(r, MESSAGE_ACKNOWLEDGE, ++r->next_slot, &fields);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->loaded > before || r->gone);
    document_free(&d);
    return r->loaded > before ? r->loaded_code : E_peer_gone;
}

/* The verifier. */

struct challenge room_challenge_now(struct room *r)
{
    struct challenge c = { .op = CHALLENGE_APPRAISE, .iat = clock_utc_ms() / 1000 };
    must_ok(span_copy_text(span_text(r->config->domain), c.domain, sizeof c.domain), "domain");
    must_ok(span_copy_text(span_text(r->config->instance), c.instance, sizeof c.instance), "instance");
    must_ok(random_bytes(c.nonce, sizeof c.nonce), "nonce");
    return c;
}

static void post(struct room *r, const struct jws *j)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    must_ok(statement_put(&fields, j), "challenge");
    room_send(r, MESSAGE_CHALLENGE, ++r->next_slot, &fields);
}

enum seb_code room_challenge_raw(struct room *r, const struct jws *j)
{
    unsigned before = r->evidences;
    post(r, j);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->evidences > before || r->gone);
    return r->evidences > before ? r->evidence_code : E_peer_gone;
}

static void sign(struct document *d, const struct challenge *c, struct testkey *key)
{
    AUTO_BUF payload = BUF(CHALLENGE_MAX);
    must_ok(challenge_write(c, &payload), "challenge");
    document_sign_text(d, key, TYP_CHALLENGE, buf_span(&payload));
}

void room_challenge_post(struct room *r, const struct challenge *c, struct testkey *key)
{
    struct document d;
    sign(&d, c, key);
    post(r, &d.jws);
    document_free(&d);
}

enum seb_code room_challenge(struct room *r, const struct challenge *c, struct testkey *key)
{
    struct document d;
    sign(&d, c, key);
    enum seb_code code = room_challenge_raw(r, &d.jws);
    document_free(&d);
    return code;
}

/* What came as evidence, proved as far as this room goes: the quote is the attestation key's, over this challenge. */
void room_evidence_check(struct room *r, const struct challenge *c, struct quote_challenge *ret)
{
    AUTO_BUF whole = BUF(EVIDENCE_TEXT_MAX);
    AUTO_EVIDENCE *e = NULL;
    struct attest a;
    struct merkle_proof none = { .n = 0 };
    must_ok(evidence_complete(buf_span(&r->evidence), &r->policy.digest, &none, &whole), "evidence");
    must_ok(evidence_parse(buf_span(&whole), &e), "evidence");
    struct digest qualifying = sha256(buf_span(&e->preimage));
    room_hold(r,
        is_ok(attest_open(buf_span(&e->attest), buf_span(&e->signature), r->instance.key[ROLE_ATTESTATION], &a)) && a.is_quote &&
            span_equal(a.extra, digest_span(&qualifying)) && is_ok(quote_challenge_read(buf_span(&e->preimage), ret)) &&
            span_equal(SPAN(ret->nonce), SPAN(c->nonce)) && span_equal(SPAN(ret->lease_nonce), SPAN(e->lease_nonce)),
        "evidence is a quote by the attestation key over challenge and lease nonce");
    struct span values[TPM_PCRS];
    unsigned n = 0;
    for (unsigned i = 0; i < TPM_PCRS; i++)
        if (e->pcr_mask >> i & 1)
            values[n++] = digest_span(&e->pcr[i]);
    struct digest pcrs = sha256_parts(values, n);
    room_hold(r, span_equal(a.pcr_digest, digest_span(&pcrs)), "and over the PCR values that came");
    room_hold(r, span_equal(buf_span(&e->note), buf_span(&r->note)), "with the newest note");
}

static struct digest quote_of(const struct room *r)
{
    AUTO_BUF whole = BUF(EVIDENCE_TEXT_MAX);
    AUTO_EVIDENCE *e = NULL;
    struct merkle_proof none = { .n = 0 };
    must_ok(evidence_complete(buf_span(&r->evidence), &r->policy.digest, &none, &whole), "evidence");
    must_ok(evidence_parse(buf_span(&whole), &e), "evidence");
    return sha256(buf_span(&e->attest));
}

struct result_claims room_claims(struct room *r, const struct challenge *c)
{
    struct result_claims k = {
        .build = "test",
        .developer = "seb",
        .appraisal_policy = "seb",
        .iat = clock_utc_ms() / 1000,
        .status = EAR_AFFIRMING,
        .vector = { .value = { 2, 2, 3, 2, 2 } },
        .evidence = sha256(buf_span(&r->evidence)),
        .quote = quote_of(r),
        .attestation = *pubkey_thumbprint(r->instance.key[ROLE_ATTESTATION]),
        .record = *pubkey_thumbprint(r->instance.key[ROLE_RECORD]),
        .mint = *pubkey_thumbprint(r->instance.key[ROLE_MINT]),
        .log = { .size = r->signed_size, .root = r->root[r->signed_size] },
        .log_before = r->seen,
    };
    k.exp = k.iat + 300;
    must_ok(span_copy(SPAN(c->nonce), k.nonce, sizeof k.nonce), "nonce");
    must_ok(span_copy_text(span_text(r->config->domain), k.domain, sizeof k.domain), "domain");
    must_ok(span_copy_text(span_text(r->config->instance), k.instance, sizeof k.instance), "instance");
    return k;
}

void room_lease_sign(struct room *r, const uint8_t nonce[32], uint32_t seconds, struct testkey *key, uint8_t raw[SIGNATURE_SIZE])
{
    const int32_t expiration = -(int32_t)seconds;
    AUTO_BUF end = BUF(4);
    must_ok(buf_u32(&end, (uint32_t)expiration), "expiration");
    sign_raw(key, (const struct span[]){ { nonce, 32 }, buf_span(&end), digest_span(&r->ref) }, 3, raw);
}

/* Sends a result, with a lease where seconds aren't 0. */
enum seb_code room_result(
    struct room *r, const struct result_claims *claims, struct testkey *key, uint32_t seconds, const uint8_t raw[SIGNATURE_SIZE])
{
    AUTO_BUF payload = BUF(RESULT_MAX), fields = BUF(LINK_PACKET_MAX);
    struct document d;
    unsigned before = r->loaded;
    must_ok(result_write(claims, &payload), "result");
    document_sign_text(&d, key, TYP_RESULT, buf_span(&payload));
    struct result_message m = { .statement = d.jws, .lease = { .seconds = seconds } };
    if (seconds)
        m.lease.signature = (struct span){ raw, SIGNATURE_SIZE };
    must_ok(result_put(&fields, &m), "RESULT");
    room_send(r, MESSAGE_RESULT, ++r->next_slot, &fields);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->loaded > before || r->gone);
    enum seb_code code = r->loaded > before ? r->loaded_code : E_peer_gone;
    if (code == E_ok) {
        r->has_result = true;
        r->result = d.digest;
    }
    document_free(&d);
    return code;
}

/* One honest round: challenge, evidence, result and lease. */
enum seb_code room_lease(struct room *r, uint32_t seconds)
{
    struct challenge c = room_challenge_now(r);
    struct quote_challenge q;
    uint8_t raw[SIGNATURE_SIZE];
    enum seb_code code = room_challenge(r, &c, r->w.verifier);
    if (code != E_ok)
        return code;
    room_evidence_check(r, &c, &q);
    struct result_claims claims = room_claims(r, &c);
    room_lease_sign(r, q.lease_nonce, seconds, r->w.lease, raw);
    r->seen = claims.log;
    code = room_result(r, &claims, r->w.verifier, seconds, raw);
    return code;
}

/* Until a signature may be asked for, or for long. */
bool room_becomes_usable(struct room *r)
{
    ROOM_WAIT(r, ROOM_WAIT_MS, r->health == E_ok || r->gone);
    return r->health == E_ok;
}
