#include "config.h"

#include "tests/int/core_room.h"

/* Operators and verifiers. */

static result put_signed(struct testkey *key, const char *typ, struct span payload, struct buf *arena, struct jws *ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    testkey_jws(&key, 1, typ, payload, &text);
    return jws_parse_text(buf_span(&text), arena, ret);
}

enum seb_code core_load(struct core_room *r, enum admin_operation op, struct testkey *key, const char *typ, const json_t *payload)
{
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX), arena = BUF(JWS_TEXT_MAX), fields = BUF(LINK_PACKET_MAX);
    struct admin_message m = { .operation = op };
    if (payload) {
        must_ok(json_canonical(payload, &text), "payload");
        must_ok(put_signed(key, typ, buf_span(&text), &arena, &m.statement), "statement");
    }
    must_ok(admin_put(&fields, &m), "ADMIN");
    return core_ask(r, MESSAGE_ADMIN, &fields);
}

enum seb_code core_load_all(struct core_room *r)
{
    int64_t now = clock_utc_ms() / 1000;
    must_ok(json_put_int(r->w.epoch_json, "iat", now - 10), "epoch");
    must_ok(json_put_int(r->w.epoch_json, "exp", now + 3600), "epoch");
    enum seb_code code = core_load(r, ADMIN_POLICY, r->policy_key, TYP_POLICY, r->w.policy_json);
    return code != E_ok ? code : core_load(r, ADMIN_EPOCH, r->revocation_key, TYP_EPOCH, r->w.epoch_json);
}

const char *core_status_text(struct core_room *r, const char *path)
{
    must(core_load(r, ADMIN_STATUS, NULL, NULL, NULL) != E_CODES, "status");
    const char *text = json_string_value(at_path(r->reply, path));
    return text ? text : "";
}

struct challenge core_challenge(struct core_room *r)
{
    struct challenge c = { .op = CHALLENGE_APPRAISE, .iat = clock_utc_ms() / 1000, .has_seen = r->has_seen, .seen = r->seen };
    must_ok(span_copy_text(span_text("prod.example"), c.domain, sizeof c.domain), "domain");
    must_ok(span_copy_text(span_text("b1"), c.instance, sizeof c.instance), "instance");
    c.nonce[0] = ++r->nonce[0];
    return c;
}

static enum seb_code attest_send(
    struct core_room *r, struct testkey *key, const char *typ, struct span payload, struct attest_message *m)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX), fields = BUF(LINK_PACKET_MAX);
    must_ok(put_signed(key, typ, payload, &arena, &m->statement), "statement");
    must_ok(attest_put(&fields, m), "ATTEST");
    return core_ask(r, MESSAGE_ATTEST, &fields);
}

enum seb_code core_challenge_send(struct core_room *r, const struct challenge *c, struct testkey *key)
{
    AUTO_BUF payload = BUF(CHALLENGE_MAX);
    must_ok(challenge_write(c, &payload), "challenge");
    return attest_send(r, key, TYP_CHALLENGE, buf_span(&payload), &(struct attest_message){ .operation = ATTEST_CHALLENGE });
}

enum seb_code core_challenge_honest(struct core_room *r)
{
    struct challenge c = core_challenge(r);
    AUTO_BUF text = BUF(EVIDENCE_TEXT_MAX);
    enum seb_code code = core_challenge_send(r, &c, r->w.verifier);
    if (code != E_ok)
        return code;
    must_ok(json_canonical(json_object_get(r->reply, "evidence"), &text), "evidence");
    r->evidence = sha256(buf_span(&text));
    return E_ok;
}

struct result_claims core_result(struct core_room *r)
{
    int64_t now = clock_utc_ms() / 1000;
    struct result_claims c = { .iat = now, .exp = now + 30, .status = EAR_AFFIRMING, .evidence = r->evidence };
    for (unsigned i = 0; i < EAR_CLAIMS; i++)
        c.vector.value[i] = 2;
    must_ok(span_copy_text(span_text("seb"), c.build, sizeof c.build), "build");
    must_ok(span_copy_text(span_text("seb"), c.developer, sizeof c.developer), "developer");
    must_ok(span_copy_text(span_text("urn:test"), c.appraisal_policy, sizeof c.appraisal_policy), "policy");
    must_ok(span_copy_text(span_text("prod.example"), c.domain, sizeof c.domain), "domain");
    must_ok(span_copy_text(span_text("b1"), c.instance, sizeof c.instance), "instance");
    c.nonce[0] = r->nonce[0];
    c.attestation = *pubkey_thumbprint(testkey_public(r->keys[ROLE_ATTESTATION]));
    c.record = *pubkey_thumbprint(testkey_public(r->keys[ROLE_RECORD]));
    c.mint = *pubkey_thumbprint(testkey_public(r->keys[ROLE_MINT]));
    c.log = (struct log_state){ .size = r->signed_size, .root = r->root[r->signed_size] };
    c.log_before = r->has_seen ? r->seen : log_state_empty();
    return c;
}

enum seb_code core_result_send(struct core_room *r, const struct result_claims *c, struct testkey *key, uint32_t lease_s)
{
    static const uint8_t signature[LEASE_SIGNATURE_SIZE] = { 9 };
    AUTO_BUF payload = BUF(RESULT_MAX);
    struct attest_message m = { .operation = ATTEST_RESULT, .lease.seconds = lease_s };
    if (lease_s)
        m.lease.signature = SPAN(signature);
    must_ok(result_write(c, &payload), "result");
    return attest_send(r, key, TYP_RESULT, buf_span(&payload), &m);
}

enum seb_code core_attest(struct core_room *r)
{
    enum seb_code code = core_challenge_honest(r);
    struct result_claims c = core_result(r);
    return code != E_ok ? code : core_result_send(r, &c, r->w.verifier, 30);
}

/* Agents, and what their requests left in the log. */

void core_certificate(struct core_room *r, const char *cid)
{
    int64_t now = clock_utc_ms() / 1000;
    must_ok(json_put_text(r->w.certificate_json, "cid", cid), "cid");
    must_ok(json_put_int(r->w.certificate_json, "iat", now - 60), "iat");
    must_ok(json_put_int(r->w.certificate_json, "nbf", now - 60), "nbf");
    must_ok(json_put_int(r->w.certificate_json, "exp", now + 600), "exp");
    must_ok(json_put_text(r->w.request_json, "id", cid), "id");
    must_ok(json_put_int(r->w.request_json, "iat", now), "iat");
    must_ok(json_put_int(r->w.request_json, "wait_ms", 5000), "wait_ms");
}

/* What follows a contract is the world's: the state, the request's mutation. */
static void follow(struct core_room *r, struct buf *certificate)
{
    static const char *const members[] = { "operation", "parameters", "resource", "target" };
    struct digest state, d;
    const json_t *contract = at_path(r->w.certificate_json, "contract");
    json_t *mutation = json_object_get(r->w.request_json, "mutation");
    must_ok(contract_state(contract, &state), "state");
    must_ok(json_put_digest(r->w.certificate_json, "state", &state), "state");
    must_ok(json_canonical(r->w.certificate_json, certificate), "certificate");
    for (unsigned i = 0; i < 4; i++)
        json_object_set_new(mutation, members[i], json_deep_copy(json_object_get(contract, members[i])));
    d = sha256(buf_span(certificate));
    must_ok(json_put_digest(r->w.request_json, "certificate", &d), "request");
}

enum seb_code core_submit(struct core_room *r)
{
    AUTO_BUF certificate = BUF(JWS_PAYLOAD_MAX), request = BUF(JWS_PAYLOAD_MAX), a = BUF(JWS_TEXT_MAX), b = BUF(JWS_TEXT_MAX),
             fields = BUF(LINK_PACKET_MAX);
    struct submit_message m = { .uid = 1000, .body = span_text("hello") };
    if (!at_path(r->w.certificate_json, "contract.parameters.body"))
        m.body = (struct span){ NULL, 0 };
    follow(r, &certificate);
    must_ok(json_canonical(r->w.request_json, &request), "request");
    must_ok(put_signed(r->w.authority[0], TYP_CERTIFICATE, buf_span(&certificate), &a, &m.certificate), "certificate");
    must_ok(put_signed(r->w.agent, TYP_REQUEST, buf_span(&request), &b, &m.request), "request");
    must_ok(submit_put(&fields, &m), "SUBMIT");
    return core_ask(r, MESSAGE_SUBMIT, &fields);
}

struct entry core_entry(struct core_room *r, unsigned n)
{
    struct entry e;
    must(n < r->entries, "an entry");
    must_ok(entry_read(buf_span(&r->entry[n]), &e), "an entry");
    return e;
}

unsigned core_entries_of(struct core_room *r, enum entry_type type)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->entries; i++)
        n += core_entry(r, i).type == type;
    return n;
}

struct entry core_newest(struct core_room *r, enum entry_type type, unsigned *ret_at)
{
    for (unsigned i = r->entries; i > 0; i--) {
        struct entry e = core_entry(r, i - 1);
        if (e.type == type) {
            if (ret_at)
                *ret_at = i - 1;
            return e;
        }
    }
    must(false, "an entry of the type");
    return (struct entry){ .type = type };
}
