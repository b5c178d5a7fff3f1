#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/testkey.h"

#include "base/log.h"

#define KID "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

static void round_trip(struct checks *c, enum alg alg)
{
    struct testkey *k = testkey_new(alg), *other = testkey_new(alg);
    const struct pubkey *public = testkey_public(k);
    const struct span payload = span_text("{\"a\":1}");
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    struct jws jws;
    testkey_jws(&k, 1, TYP_REQUEST, payload, &text);
    check_code(c, jws_parse_text(buf_span(&text), &arena, &jws), E_ok, "a JWS is taken apart");
    check_that(c, jws.n == 1 && span_equal(jws.payload, payload), "its payload is there");
    check_that(c, digest_equal(&jws.sig[0].kid, pubkey_thumbprint(public)), "its kid is the key's thumbprint");
    check_code(c, jws_verify(public, TYP_REQUEST, jws.payload, &jws.sig[0]), E_ok, "it verifies");
    check_code(c, jws_verify(public, TYP_CERTIFICATE, jws.payload, &jws.sig[0]), E_bad_header, "of another type it doesn't");
    check_code(c, jws_verify(testkey_public(other), TYP_REQUEST, jws.payload, &jws.sig[0]), E_bad_header, "nor for another key");
    check_code(
        c, jws_verify(public, TYP_REQUEST, span_text("{\"a\":2}"), &jws.sig[0]), E_bad_signature, "nor over another payload");
    struct jws_signature shorter = jws.sig[0];
    shorter.signature.n--;
    check_code(c, jws_verify(public, TYP_REQUEST, jws.payload, &shorter), E_bad_signature, "nor with a byte less");

    bool refused = true;
    for (size_t n = 0; n < text.n; n++) {
        AUTO_BUF room = BUF(JWS_TEXT_MAX);
        struct jws cut;
        refused = refused && !is_ok(jws_parse_text(span_part(buf_span(&text), 0, n), &room, &cut)) && room.n == 0;
    }
    check_that(c, refused, "each truncation is refused");
    for (size_t bit = 0; bit < text.n * 8; bit++) {
        AUTO_BUF room = BUF(JWS_TEXT_MAX);
        struct jws bad;
        text.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (is_ok(jws_parse_text(buf_span(&text), &room, &bad)))
            refused = refused && !is_ok(jws_verify(public, TYP_REQUEST, bad.payload, &bad.sig[0]));
        text.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_that(c, refused, "with any bit flipped it is refused or doesn't verify");
    testkey_free(k);
    testkey_free(other);
}

static void many_signatures(struct checks *c)
{
    struct testkey *keys[JWS_SIGNATURES_MAX];
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    AUTO_BUF again = BUF(JWS_TEXT_MAX);
    struct jws jws = { 0 };
    for (unsigned i = 0; i < JWS_SIGNATURES_MAX; i++)
        keys[i] = testkey_new(i % 2 ? ALG_EDDSA : ALG_ES256);
    testkey_jws(keys, JWS_SIGNATURES_MAX, TYP_CERTIFICATE, span_text("payload"), &text);
    check_code(c, jws_parse_text(buf_span(&text), &arena, &jws), E_ok, "eight signatures are taken apart");
    bool all = jws.n == JWS_SIGNATURES_MAX;
    for (unsigned i = 0; i < jws.n; i++)
        all = all && is_ok(jws_verify(testkey_public(keys[i]), TYP_CERTIFICATE, jws.payload, &jws.sig[i]));
    check_that(c, all, "and all verify");
    check_that(c, is_ok(jws_write(&jws, &again)) && span_equal(buf_span(&text), buf_span(&again)), "written again it is the same");
    AUTO_JSON *v = NULL;
    check_that(c, is_ok(jws_json(&jws, &v)) && is_ok(json_is_canonical(v, buf_span(&text))), "it is in RFC 8785 form");
    struct digest whole, came = sha256(buf_span(&text)), swapped;
    check_that(c, is_ok(jws_digest(&jws, &whole)) && digest_equal(&whole, &came), "its digest is that of these bytes");
    struct jws_signature first = jws.sig[0];
    jws.sig[0] = jws.sig[1];
    jws.sig[1] = first;
    check_that(c, is_ok(jws_digest(&jws, &swapped)) && !digest_equal(&whole, &swapped), "another order is another digest");
    jws.n--;
    check_that(c, is_ok(jws_digest(&jws, &came)) && !digest_equal(&swapped, &came), "and so are fewer signatures");
    jws.n = JWS_SIGNATURES_MAX + 1;
    check_code(c, jws_write(&jws, &again), E_bad_jws, "nine signatures aren't written");
    jws.n = 0;
    check_code(c, jws_write(&jws, &again), E_bad_jws, "nor none");
    for (unsigned i = 0; i < JWS_SIGNATURES_MAX; i++)
        testkey_free(keys[i]);
}

struct header_row {
    const char *header;
    enum seb_code code;
};

static const struct header_row headers[] = {
    { "{\"alg\":\"EdDSA\",\"kid\":\"" KID "\",\"typ\":\"JWT\"}", E_ok },
    { "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"typ\":\"x\"}", E_ok },
    { "", E_bad_header },
    { "{}", E_bad_header },
    { "{\"alg\":\"none\",\"kid\":\"" KID "\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"alg\":\"HS256\",\"kid\":\"" KID "\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"alg\":\"ES384\",\"kid\":\"" KID "\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"kid\":\"" KID "\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"typ\":\"\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"typ\":\"JWT\",\"x\":\"\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"typ\":\"J\\u0057T\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"typ\":\"JWT\"} ", E_bad_header },
    { "{\"alg\": \"ES256\",\"kid\":\"" KID "\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"kid\":\"" KID "\",\"alg\":\"ES256\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4l\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"kid\":\"kPrK\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"crit\":[\"x\"],\"kid\":\"" KID "\",\"typ\":\"JWT\"}", E_bad_header },
    { "{\"alg\":\"ES256\",\"jwk\":{},\"kid\":\"" KID "\",\"typ\":\"JWT\"}", E_bad_header },
};

static void closed_headers(struct checks *c)
{
    uint8_t zeros[SIGNATURE_SIZE] = { 0 };
    for (unsigned i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct jws jws = { .payload = span_text("x"), .n = 1 }, back;
        jws.sig[0] = (struct jws_signature){ .protected_ = span_text(headers[i].header), .signature = SPAN(zeros) };
        AUTO_BUF text = BUF(JWS_TEXT_MAX);
        AUTO_BUF arena = BUF(JWS_TEXT_MAX);
        check_that(c, is_ok(jws_write(&jws, &text)), "a JWS with the header");
        check_code(c, jws_parse_text(buf_span(&text), &arena, &back), headers[i].code, headers[i].header);
    }
}

#define HEADER "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsiLCJ0eXAiOiJKV1QifQ"
#define SIG_84 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SIG SIG_84 "AA"
#define ONE "{\"protected\":\"" HEADER "\",\"signature\":\"" SIG "\"}"
#define FOUR ONE "," ONE "," ONE "," ONE

static const struct header_row shapes[] = {
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER "\",\"signature\":\"" SIG "\"}", E_ok },
    { "{\"payload\":\"eA\",\"signatures\":[" FOUR "," FOUR "]}", E_ok },
    { " {\"signatures\" : [" ONE "], \"payload\" : \"eA\"}\n", E_ok },
    { "{\"payload\":\"\",\"signatures\":[" ONE "]}", E_ok },
    { "{\"payload\":\"eA\",\"signatures\":[" FOUR "," FOUR "," ONE "]}", E_bad_jws },
    { "{\"payload\":\"eA\",\"signatures\":[]}", E_bad_jws },
    { "[]", E_bad_jws },
    { "{}", E_missing_member },
    { "{\"payload\":\"eA\"}", E_missing_member },
    { "{\"signatures\":[" ONE "]}", E_missing_member },
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER "\"}", E_missing_member },
    { "{\"payload\":\"eA\",\"signatures\":[{\"protected\":\"" HEADER "\"}]}", E_missing_member },
    { "{\"payload\":\"eA\",\"header\":{},\"protected\":\"" HEADER "\",\"signature\":\"" SIG "\"}", E_unknown_member },
    { "{\"payload\":\"eA\",\"signatures\":[" ONE "],\"x\":1}", E_unknown_member },
    { "{\"payload\":\"eA\",\"signatures\":[" ONE "],\"signature\":\"" SIG "\"}", E_unknown_member },
    { "{\"payload\":\"eA\",\"signatures\":[{\"header\":{},\"protected\":\"" HEADER "\",\"signature\":\"" SIG "\"}]}",
        E_unknown_member },
    { "{\"payload\":\"eA\",\"signatures\":[1]}", E_bad_type },
    { "{\"payload\":\"eA\",\"signatures\":{}}", E_bad_type },
    { "{\"payload\":1,\"signatures\":[" ONE "]}", E_bad_type },
    { "{\"payload\":\"eB\",\"signatures\":[" ONE "]}", E_bad_base64url },
    { "{\"payload\":\"eA==\",\"signatures\":[" ONE "]}", E_bad_base64url },
    { "{\"payload\":\"eA\",\"payload\":\"eA\",\"signatures\":[" ONE "]}", E_duplicate_member },
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER "\",\"signature\":\"" SIG_84 "\"}", E_bad_signature },
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER "\",\"signature\":\"" SIG "AA\"}", E_bad_signature },
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER "\",\"signature\":\"\"}", E_bad_signature },
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER "\",\"signature\":\"" SIG_84 "AB\"}", E_bad_base64url },
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER "\",\"signature\":\"" SIG "\"}{}", E_trailing_bytes },
    { "{\"payload\":\"eA\",\"protected\":\"" HEADER HEADER HEADER "\",\"signature\":\"" SIG "\"}", E_too_long },
    { "eA.eA.eA", E_bad_json },
};

static void closed_shapes(struct checks *c)
{
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        AUTO_BUF arena = BUF(JWS_TEXT_MAX);
        struct jws jws;
        char name[160];
        check_that(c, is_ok(buf_text(&arena, "held")), "an arena in use");
        result r = jws_parse_text(span_text(shapes[i].header), &arena, &jws);
        check_code(c, r, shapes[i].code, log_quote(span_text(shapes[i].header), name, sizeof name));
        check_that(c, is_ok(r) || span_is(buf_span(&arena), "held"), "a refusal leaves it as it was");
    }
    AUTO_BUF small = BUF(100);
    struct jws jws;
    check_code(c, jws_parse_text(span_text(shapes[0].header), &small, &jws), E_too_long, "an arena that is too small");
}

static void largest(struct checks *c)
{
    struct testkey *k = testkey_new(ALG_EDDSA);
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX + 1);
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    struct jws jws = { 0 };
    uint8_t *p;
    check_code(c, buf_room(&payload, JWS_PAYLOAD_MAX, &p), E_ok, "the largest payload");
    testkey_jws(&k, 1, TYP_POLICY, buf_span(&payload), &text);
    check_code(c, jws_parse_text(buf_span(&text), &arena, &jws), E_ok, "is read");
    check_code(c, jws_verify(testkey_public(k), TYP_POLICY, jws.payload, &jws.sig[0]), E_ok, "and verifies");
    check_code(c, buf_u8(&payload, 0), E_ok, "a byte more");
    buf_clear(&text);
    testkey_jws(&k, 1, TYP_POLICY, buf_span(&payload), &text);
    check_code(c, jws_parse_text(buf_span(&text), &arena, &jws), E_too_long, "is refused");
    testkey_free(k);
}

int main(void)
{
    struct checks c = { 0 };
    round_trip(&c, ALG_ES256);
    round_trip(&c, ALG_EDDSA);
    many_signatures(&c);
    closed_headers(&c);
    closed_shapes(&c);
    largest(&c);
    return checks_end(&c);
}
