/* Canonical form, keys, signatures and signed documents against the vectors, and what must be refused. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/vectors.h"

#include "policy/verify.h"

static bool is_text(const struct buf *b, const json_t *v, const char *name)
{
    return span_is(buf_span(b), vector_text(v, name));
}

static bool is_digest(const struct digest *d, const json_t *v, const char *name)
{
    struct digest wanted = vector_digest(v, name);
    return digest_equal(d, &wanted);
}

static void check_keys(struct checks *c)
{
    AUTO_JSON *keys = vectors_load("keys");
    const json_t *v;
    size_t i;
    json_array_foreach (keys, i, v) {
        AUTO_PUBKEY *k = vector_key(vector_text(v, "name"));
        AUTO_BUF spki = BUF(1024), spki_wanted = BUF(1024), pem = BUF(1024);
        vector_bytes(v, "spki", &spki_wanted);
        bool same = is_ok(pubkey_spki(k, &spki)) && span_equal(buf_span(&spki), buf_span(&spki_wanted));
        same = same && is_ok(pubkey_pem(k, &pem)) && is_text(&pem, v, "pem") && is_digest(pubkey_thumbprint(k), v, "kid");
        check_that(c, same && span_is(span_text(alg_name(pubkey_alg(k))), vector_text(v, "alg")), vector_text(v, "name"));
    }
}

static void check_canonical(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("canonical");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_JSON *parsed = NULL;
        AUTO_BUF text = BUF(4096);
        bool same = is_ok(json_strict(span_text(vector_text(v, "input")), 4096, &parsed)) && is_ok(json_canonical(parsed, &text)) &&
                    is_text(&text, v, "canonical");
        struct digest d = sha256(buf_span(&text));
        check_that(c, same && is_digest(&d, v, "sha256"), vector_text(v, "canonical"));
    }
}

static void check_serialization(struct checks *c, const json_t *v, const struct pubkey *k, const char *form)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    struct jws j;
    check_code(c, jws_parse(json_object_get(v, form), &arena, &j), E_ok, form);
    check_that(c, j.n == 1 && span_is(j.payload, vector_text(v, "payload")), "its payload");
    check_code(c, jws_verify(k, vector_text(v, "typ"), j.payload, &j.sig[0]), E_ok, "its signature");
}

static void check_digest(struct checks *c, const json_t *v)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    struct jws j;
    struct digest d;
    bool same = is_ok(jws_parse(json_object_get(v, "general"), &arena, &j)) && is_ok(jws_digest(&j, &d));
    check_that(c, same && is_digest(&d, v, "digest"), "the digest of all of it");
}

static void check_compact(struct checks *c, const json_t *v, const struct pubkey *k)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX), again = BUF(JWS_TEXT_MAX);
    struct jws j;
    check_code(c, jws_parse_compact(span_text(vector_text(v, "compact")), &arena, &j), E_ok, "compact");
    check_that(c, j.n == 1 && span_is(j.payload, vector_text(v, "payload")), "its payload");
    check_code(c, jws_verify(k, vector_text(v, "typ"), j.payload, &j.sig[0]), E_ok, "its signature");
    check_that(c, is_ok(jws_compact(&j, &again)) && is_text(&again, v, "compact"), "and is written as the same bytes");
}

static void check_signatures(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("signatures");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_PUBKEY *k = vector_key(vector_text(v, "key"));
        AUTO_BUF header = BUF(JWS_HEADER_MAX), input = BUF(JWS_TEXT_MAX);
        check_code(c, jws_header(k, vector_text(v, "typ"), &header), E_ok, "a header");
        check_that(c, is_text(&header, v, "header"), "is the one");
        check_code(
            c, jws_signing_input(k, vector_text(v, "typ"), span_text(vector_text(v, "payload")), &input), E_ok, "a signing input");
        check_that(c, is_text(&input, v, "signing_input"), "is the one");
        check_serialization(c, v, k, "flattened");
        check_serialization(c, v, k, "general");
        check_digest(c, v);
        check_compact(c, v, k);
    }
}

static void check_contracts(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("contracts");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_JSON *parsed = NULL;
        struct contract contract = { 0 };
        struct digest state;
        struct span text = span_text(vector_text(v, "contract"));
        check_code(c, contract_parse(text, &contract), E_ok, vector_text(v, "name"));
        contract_free(&contract);
        bool same = is_ok(json_strict(text, text.n, &parsed)) && is_ok(json_is_canonical(parsed, text)) &&
                    is_ok(contract_state(parsed, &state));
        check_that(c, same && is_digest(&state, v, "state"), "and its state");
    }
}

/* The statement of one key: a request too, whose key is the one that its certificate carries. */
static bool statement_verifies(const json_t *v, const struct jws *j)
{
    AUTO_PUBKEY *k = vector_key(json_string_value(json_array_get(json_object_get(v, "signers"), 0)));
    return is_ok(verify_statement(k, vector_text(v, "typ"), j));
}

static const json_t *of_kind(const json_t *rows, const char *kind)
{
    size_t i = 0;
    while (!span_is(span_text(vector_text(json_array_get(rows, i), "kind")), kind))
        i++;
    return json_array_get(rows, i);
}

static bool certificate_verifies(const json_t *rows, const json_t *v, const struct jws *j)
{
    struct policy *p = NULL;
    struct certificate parsed = { 0 };
    if (!is_ok(policy_parse(span_text(vector_text(of_kind(rows, "policy"), "payload")), &p)))
        return false;
    struct signers s = verify_certificate(p, j);
    policy_free(p);
    bool same = is_ok(certificate_parse(j->payload, NULL, &parsed)) && is_digest(&parsed.digest, v, "digest");
    certificate_free(&parsed);
    return same && s.code == E_ok && s.authorities == (uint32_t)vector_int(v, "authorities") && s.distinct == j->n;
}

static bool request_verifies(const json_t *rows, const json_t *v, const struct jws *j)
{
    struct certificate of = { 0 };
    struct request q;
    const json_t *certificate = json_array_get(rows, (size_t)vector_int(v, "of"));
    if (!is_ok(certificate_parse(span_text(vector_text(certificate, "payload")), NULL, &of)))
        return false;
    bool same = is_ok(verify_request(&of, j)) && is_ok(request_parse(j->payload, &q)) && is_digest(&q.core, v, "core") &&
                digest_equal(&q.certificate, &of.digest) && is_digest(&q.digest, v, "digest");
    certificate_free(&of);
    return same;
}

/* By one of the verifiers that the policy names. */
static bool result_verifies(const json_t *rows, const json_t *v, const struct jws *j)
{
    struct policy *p = NULL;
    unsigned verifier = 99;
    struct digest d = sha256(j->payload);
    if (!is_ok(policy_parse(span_text(vector_text(of_kind(rows, "policy"), "payload")), &p)))
        return false;
    bool same = is_ok(verify_by_verifier(p, TYP_RESULT, j, &verifier)) && verifier == 0 && is_digest(&d, v, "digest");
    policy_free(p);
    return same;
}

static bool document_verifies(const json_t *rows, const json_t *v, const struct jws *j)
{
    struct span kind = span_text(vector_text(v, "kind"));
    struct policy *p = NULL;
    struct epoch_statement e;
    struct acknowledge a;
    if (span_is(kind, "certificate"))
        return certificate_verifies(rows, v, j);
    if (span_is(kind, "request"))
        return statement_verifies(v, j) && request_verifies(rows, v, j);
    if (span_is(kind, "epoch"))
        return statement_verifies(v, j) && is_ok(epoch_parse(j->payload, &e)) && is_digest(&e.digest, v, "digest");
    if (span_is(kind, "acknowledge"))
        return statement_verifies(v, j) && is_ok(acknowledge_parse(j->payload, &a)) && is_digest(&a.digest, v, "digest");
    if (span_is(kind, "result"))
        return result_verifies(rows, v, j);
    bool same = statement_verifies(v, j) && is_ok(policy_parse(j->payload, &p)) && is_digest(policy_digest(p), v, "digest");
    policy_free(p);
    return same;
}

static void check_documents(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("documents");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_BUF arena = BUF(JWS_TEXT_MAX), text = BUF(JWS_TEXT_MAX), canonical = BUF(JWS_TEXT_MAX);
        struct jws j;
        bool taken = is_ok(jws_parse(json_object_get(v, "jws"), &arena, &j)) && span_is(j.payload, vector_text(v, "payload"));
        check_that(c, taken && document_verifies(rows, v, &j), vector_text(v, "name"));
        taken = is_ok(jws_write(&j, &text)) && is_ok(json_canonical(json_object_get(v, "jws"), &canonical));
        check_that(c, taken && span_equal(buf_span(&text), buf_span(&canonical)), "and is written as the same bytes");
    }
}

static result parse(struct span kind, struct span input)
{
    AUTO_JSON *v = NULL;
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    struct jws j;
    struct contract contract;
    struct certificate certificate = { 0 };
    struct request request;
    struct epoch_statement epoch;
    struct policy *policy = NULL;
    if (span_is(kind, "json"))
        return json_strict(input, JWS_TEXT_MAX, &v);
    if (span_is(kind, "jws"))
        return jws_parse_text(input, &arena, &j);
    if (span_is(kind, "compact"))
        return jws_parse_compact(input, &arena, &j);
    if (span_is(kind, "contract"))
        return contract_parse(input, &contract);
    if (span_is(kind, "certificate"))
        return certificate_parse(input, NULL, &certificate);
    if (span_is(kind, "request"))
        return request_parse(input, &request);
    return span_is(kind, "policy") ? policy_parse(input, &policy) : epoch_parse(input, &epoch);
}

static void check_hostile(struct checks *c)
{
    static const char *const kinds[] = { "json", "jws", "compact", "contract", "certificate", "request", "policy", "epoch" };
    AUTO_JSON *rows = vectors_load("hostile");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        struct span kind = span_text(vector_text(v, "kind"));
        AUTO_BUF input = BUF(2 * JWS_TEXT_MAX);
        char name[160];
        vector_bytes(v, "input", &input);
        snprintf(name, sizeof name, "refused: %s: %s", vector_text(v, "kind"), vector_text(v, "name"));
        for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (span_is(kind, kinds[k]))
                check_code(c, parse(kind, buf_span(&input)), code_named(vector_text(v, "error")), name);
    }
}

int main(void)
{
    struct checks c = { 0 };
    check_keys(&c);
    check_canonical(&c);
    check_signatures(&c);
    check_contracts(&c);
    check_documents(&c);
    check_hostile(&c);
    return checks_end(&c);
}
