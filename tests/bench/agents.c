#include "config.h"

#include "tests/bench/agents.h"

#include "base/random.h"
#include "bus/bus.h"
#include "hsm/pkcs11.h"
#include "policy/documents.h"
#include "tests/bench/measure.h"
#include "tests/unit/testkey.h"

#include <stdlib.h>
#include <time.h>

#define BODY                                                                                                               \
    "a document of some two hundred bytes, which is what the bench writes; its length does not matter much, since what a " \
    "mutation costs is mostly round trips through processes, and signatures all over.\n"
#define WAIT_MS 30000

struct authority {
    struct authority_args args;
    struct p11_token *token;
    struct hsm_key *key;
};

struct authority *authority_open(const struct authority_args *args)
{
    struct authority *a = calloc(1, sizeof *a);
    must_hold(a != NULL, "memory");
    a->args = *args;
    must(p11_open(&(struct p11_args){ .module = args->module, .token = args->token, .pin_file = args->pin_file }, &a->token),
        "authority's HSM");
    must(p11_key(a->token, args->label, &a->key), "authority's key");
    return a;
}

void authority_close(struct authority *a)
{
    hsm_close(a->key);
    p11_close(a->token);
    free(a);
}

struct agent {
    struct testkey *key;
};

struct agent *agent_new(enum alg alg)
{
    struct agent *a = calloc(1, sizeof *a);
    must_hold(a != NULL, "memory");
    a->key = testkey_new(alg);
    return a;
}

void agent_free(struct agent *a)
{
    testkey_free(a->key);
    free(a);
}

static void put(json_t *o, const char *name, json_t *v)
{
    must(json_put_new(o, name, v), name);
}

static void put_random(json_t *o, const char *name)
{
    uint8_t bytes[16];
    must(random_bytes(bytes, sizeof bytes), name);
    must(json_put_b64url(o, name, SPAN(bytes)), name);
}

static const char * or (const char *given, const char *otherwise)
{
    return given ? given : otherwise;
}

static struct span body_of(const struct mutation_args *m)
{
    if (m->operation && !span_is(span_text(m->operation), "PUT"))
        return span_text("");
    return m->body.p ? m->body : span_text(BODY);
}

static json_t *mutation_of(const struct mutation_args *m)
{
    json_t *parameters = json_object();
    if (span_is(span_text(or (m->operation, "PUT")), "PUT")) {
        json_t *body = json_object();
        struct digest d = sha256(body_of(m));
        must(json_put_digest(body, "sha256", &d), "body");
        put(body, "length", json_integer((json_int_t)body_of(m).n));
        put(body, "media_type", json_string(or (m->media_type, "text/plain")));
        put(parameters, "body", body);
    }
    return json_pack("{s:s, s:o, s:s, s:s}", "operation", or (m->operation, "PUT"), "parameters", parameters, "resource",
        m->resource, "target", m->target);
}

static json_t *contract_of(const struct mutation_args *m, const json_t *mutation)
{
    json_t *contract = json_deep_copy(mutation), *preconditions = json_object();
    put(contract, "constraints", json_pack("{s:i}", "credential_s", 5));
    if (m->etag)
        must(json_put_text(preconditions, "etag", m->etag), "etag");
    if (m->sha256)
        must(json_put_digest(preconditions, "sha256", m->sha256), "sha256");
    if (!m->etag && !m->sha256)
        must(json_put_flag(preconditions, "absent", true), "absent");
    put(contract, "preconditions", preconditions);
    put(contract, "risk", json_string(or (m->risk, "L1")));
    return contract;
}

/* The payload of Ω (docs/formats.md, "Certificate"). */
static void certificate_of(const struct authority *a, const struct agent *agent, const json_t *contract, struct buf *out)
{
    AUTO_JSON *c = json_object();
    json_t *jwk = NULL;
    struct digest state, evidence = sha256(span_text("bench"));
    must(pubkey_jwk(testkey_public(agent->key), &jwk), "jwk");
    must(contract_state(contract, &state), "state");
    must(json_put_text(c, "aud", a->args.domain), "aud");
    put_random(c, "cid");
    put(c, "cnf", json_pack("{s:o}", "jwk", jwk));
    put(c, "contract", json_deep_copy(contract));
    put(c, "epoch", json_integer(a->args.epoch));
    must(json_put_digest(c, "evidence", &evidence), "evidence");
    must(json_put_digest(c, "state", &state), "state");
    put(c, "iat", json_integer(time(NULL)));
    put(c, "nbf", json_integer(time(NULL)));
    put(c, "exp", json_integer(time(NULL) + 3000));
    put_random(c, "nonce");
    put(c, "policy_epoch", json_integer(a->args.policy_epoch));
    must(json_put_text(c, "risk", json_string_value(json_object_get(contract, "risk"))), "risk");
    must(json_canonical(c, out), "certificate");
}

static json_t *certify(const struct authority *a, struct span payload)
{
    AUTO_BUF header = BUF(JWS_HEADER_MAX), input = BUF(JWS_TEXT_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    json_t *text = NULL;
    must(jws_header(hsm_public(a->key), TYP_CERTIFICATE, &header), "header");
    must(jws_signing_input(hsm_public(a->key), TYP_CERTIFICATE, payload, &input), "certificate");
    struct digest d = sha256(buf_span(&input));
    must(hsm_sign(a->key, &d, raw), "certificate");
    struct jws jws = { .payload = payload, .n = 1 };
    jws.sig[0] = (struct jws_signature){ .protected_ = buf_span(&header), .signature = SPAN(raw) };
    must(jws_json(&jws, &text), "certificate");
    return text;
}

static json_t *request_of(const struct agent *agent, struct span certificate, const json_t *mutation)
{
    AUTO_JSON *r = json_object();
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), text = BUF(JWS_TEXT_MAX);
    json_t *parsed = NULL;
    struct digest d = sha256(certificate);
    must(json_put_digest(r, "certificate", &d), "certificate");
    put(r, "iat", json_integer(time(NULL)));
    put_random(r, "id");
    put(r, "mutation", json_deep_copy(mutation));
    put(r, "wait_ms", json_integer(WAIT_MS));
    must(json_canonical(r, &payload), "request");
    testkey_jws(&agent->key, 1, TYP_REQUEST, buf_span(&payload), &text);
    must(json_strict(buf_span(&text), JWS_TEXT_MAX, &parsed), "request");
    return parsed;
}

/* The mutation that a contract is about (docs/formats.md, "Request"). */
static json_t *mutation_in(const json_t *contract)
{
    static const char *const names[] = { "operation", "parameters", "resource", "target" };
    json_t *mutation = json_object();
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        put(mutation, names[i], json_deep_copy(json_object_get(contract, names[i])));
    return mutation;
}

void agent_frame_of(struct authority *authority, struct agent *agent, const json_t *contract, struct span body, struct buf *out)
{
    AUTO_JSON *mutation = mutation_in(contract), *submit = json_object();
    AUTO_BUF certificate = BUF(JWS_PAYLOAD_MAX), json = BUF(BUS_FRAME_MAX);
    certificate_of(authority, agent, contract, &certificate);
    must(json_put_text(submit, "op", "submit"), "op");
    put(submit, "certificate", certify(authority, buf_span(&certificate)));
    put(submit, "request", request_of(agent, buf_span(&certificate), mutation));
    must(json_canonical(submit, &json), "frame");
    must(bus_frame_put(out, &(struct bus_frame){ .json = buf_span(&json), .body = body }), "frame");
}

void agent_frame(struct authority *authority, struct agent *agent, const struct mutation_args *m, struct buf *out)
{
    AUTO_JSON *mutation = mutation_of(m), *contract = contract_of(m, mutation);
    agent_frame_of(authority, agent, contract, body_of(m), out);
}
