#include "config.h"

#include "tests/unit/busframes.h"
#include "tests/unit/check.h"

#include "front/parse.h"
#include "link/messages.h"

#include <stdlib.h>

struct keys {
    struct testkey *authority[8], *agent;
};

static void well_formed(struct checks *c, const struct keys *k)
{
    for (unsigned n = 1; n <= 8; n += 7) {
        AUTO_BUF frame = BUF(BUS_FRAME_MAX), fields = BUF(LINK_PACKET_MAX);
        struct submit_message m = { 0 };
        frame_submit(&(struct submit_frame){ k->authority, n, k->agent, "certificate", "request", span_text("body") }, &frame);
        bool taken = is_ok(front_parse_submit(buf_span(&frame), 1000, &fields)) && is_ok(submit_read(buf_span(&fields), &m));
        check_that(c,
            taken && m.uid == 1000 && m.certificate.n == n && span_is(m.certificate.payload, "certificate") &&
                span_is(m.request.payload, "request") && span_is(m.body, "body"),
            n == 1 ? "one signature: the core gets the parts" : "eight signatures: the core gets the parts");
        check_that(c,
            is_ok(jws_verify(testkey_public(k->agent), TYP_REQUEST, m.request.payload, &m.request.sig[0])) &&
                is_ok(jws_verify(
                    testkey_public(k->authority[n - 1]), TYP_CERTIFICATE, m.certificate.payload, &m.certificate.sig[n - 1])),
            "and they verify");
        check_that(c, fields.n <= frame.n, "the message is no larger than the frame");
    }
}

static void refuses_submit(struct checks *c, const char *json, enum seb_code want, const char *name)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX), fields = BUF(LINK_PACKET_MAX);
    frame_of(json, (struct span){ 0 }, &frame);
    check_code(c, front_parse_submit(buf_span(&frame), 0, &fields), want, name);
}

static void ill_formed(struct checks *c, const struct keys *k)
{
    AUTO_BUF two = BUF(BUS_FRAME_MAX), request = BUF(8192), json = BUF(BUS_FRAME_MAX);
    refuses_submit(c, "{}", E_missing_member, "no operation");
    refuses_submit(c, "[]", E_bad_type, "not an object");
    refuses_submit(c, "{\"op\":\"submit\",\"op\":\"submit\"}", E_duplicate_member, "a member twice");
    refuses_submit(c, "{\"op\":\"status\"}", E_bad_value, "root's operation on the agents' socket");
    refuses_submit(c, "{\"op\":\"submit\",\"x\":1}", E_unknown_member, "a member that isn't known");
    refuses_submit(c, "{\"op\":\"submit\",\"certificate\":1,\"request\":{}}", E_bad_type, "a certificate that isn't an object");
    refuses_submit(c, "{\"op\":\"submit\"} ", E_missing_member, "no certificate");
    refuses_submit(c, "{\"op\":\"submit\"}x", E_trailing_bytes, "bytes after the value");
    refuses_submit(c, "{\"op\":1.5}", E_not_integer, "a real");
    refuses_submit(c, "", E_bad_json, "nothing");
    testkey_jws(k->authority, 2, TYP_REQUEST, span_text("request"), &two);
    testkey_jws(&k->agent, 1, TYP_REQUEST, span_text("request"), &request);
    if (!is_ok(buf_printf(&json, "{\"op\":\"submit\",\"certificate\":%.*s,\"request\":%.*s}", (int)request.n,
            (const char *)request.p, (int)two.n, (const char *)two.p)) ||
        !is_ok(buf_u8(&json, 0)))
        abort();
    refuses_submit(c, (const char *)json.p, E_bad_jws, "a request with two signatures");
}

static void admin(struct checks *c, const struct keys *k)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX), fields = BUF(LINK_PACKET_MAX);
    struct admin_message m;
    frame_of("{\"op\":\"status\"}", (struct span){ 0 }, &frame);
    check_that(c,
        is_ok(front_parse_admin(buf_span(&frame), &fields)) && is_ok(admin_read(buf_span(&fields), &m)) &&
            m.operation == ADMIN_STATUS && m.statement.n == 0,
        "status");
    buf_clear(&fields);
    frame_statement("policy_load", k->authority[0], "policy", &frame);
    check_that(c,
        is_ok(front_parse_admin(buf_span(&frame), &fields)) && is_ok(admin_read(buf_span(&fields), &m)) &&
            m.operation == ADMIN_POLICY && span_is(m.statement.payload, "policy"),
        "policy_load");
    buf_clear(&fields);
    frame_statement("epoch_load", k->authority[0], "epoch", &frame);
    check_that(c,
        is_ok(front_parse_admin(buf_span(&frame), &fields)) && is_ok(admin_read(buf_span(&fields), &m)) &&
            m.operation == ADMIN_EPOCH,
        "epoch_load");
    buf_clear(&fields);
    frame_statement("acknowledge", k->authority[0], "x", &frame);
    check_that(c,
        is_ok(front_parse_admin(buf_span(&frame), &fields)) && is_ok(admin_read(buf_span(&fields), &m)) &&
            m.operation == ADMIN_ACKNOWLEDGE && m.statement.n == 1,
        "acknowledge");
    buf_clear(&fields);
    frame_of("{\"op\":\"plan\"}", (struct span){ 0 }, &frame);
    check_that(c,
        is_ok(front_parse_admin(buf_span(&frame), &fields)) && is_ok(admin_read(buf_span(&fields), &m)) &&
            m.operation == ADMIN_PLAN,
        "plan");
    buf_clear(&fields);
    frame_of("{\"op\":\"approval\",\"file\":{\"b\":1,\"a\":2}}", (struct span){ 0 }, &frame);
    check_that(c,
        is_ok(front_parse_admin(buf_span(&frame), &fields)) && is_ok(admin_read(buf_span(&fields), &m)) &&
            m.operation == ADMIN_APPROVAL && span_is(m.text, "{\"a\":2,\"b\":1}"),
        "an approval file, in RFC 8785 form");
    frame_of("{\"op\":\"approval\",\"file\":\"x\"}", (struct span){ 0 }, &frame);
    check_code(c, front_parse_admin(buf_span(&frame), &fields), E_bad_type, "an approval file that is no object");
    frame_statement("submit", k->authority[0], "x", &frame);
    check_code(c, front_parse_admin(buf_span(&frame), &fields), E_bad_value, "an agent's operation on root's socket");
    frame_statement("status", k->authority[0], "x", &frame);
    check_code(c, front_parse_admin(buf_span(&frame), &fields), E_unknown_member, "a status with a statement");
    frame_of("{\"op\":\"policy_load\"}", (struct span){ 0 }, &frame);
    check_code(c, front_parse_admin(buf_span(&frame), &fields), E_missing_member, "a load without one");
    frame_of("{\"op\":\"status\"}", span_text("x"), &frame);
    check_code(c, front_parse_admin(buf_span(&frame), &fields), E_bad_value, "a body where none belongs");
}

/* Whatever is damaged is refused by a name or still well-formed for the core: it never gets a message that it would have to end the
 * broker for. */
static void damaged(struct checks *c, const struct keys *k)
{
    AUTO_BUF frame = BUF(BUS_FRAME_MAX), copy = BUF(BUS_FRAME_MAX);
    unsigned wrong = 0, refused = 0;
    frame_submit(&(struct submit_frame){ k->authority, 2, k->agent, "certificate", "request", span_text("body") }, &frame);
    for (size_t n = 0; n < frame.n; n++) {
        AUTO_BUF fields = BUF(LINK_PACKET_MAX);
        wrong += is_ok(front_parse_submit(span_part(buf_span(&frame), 0, n), 0, &fields));
    }
    check_that(c, wrong == 0, "each beginning of a submit is refused");
    for (size_t bit = 0; bit < frame.n * 8; bit++) {
        AUTO_BUF fields = BUF(LINK_PACKET_MAX);
        struct submit_message m;
        buf_clear(&copy);
        if (!is_ok(buf_put(&copy, buf_span(&frame))))
            abort();
        copy.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        result r = front_parse_submit(buf_span(&copy), 0, &fields);
        refused += !is_ok(r);
        wrong += is_ok(r) ? !is_ok(submit_read(buf_span(&fields), &m)) : code_blame(code_of(r)) != BLAME_AGENT;
    }
    check_that(c, wrong == 0 && refused > frame.n, "each flipped bit is refused as the agent's, or well-formed for the core");
}

/* Text of a JWS by the key: general, or compact. */
static void jws_text(const struct keys *k, bool compact, struct buf *out)
{
    AUTO_BUF general = BUF(8192), arena = BUF(8192);
    struct jws j;
    testkey_jws(&k->authority[0], 1, TYP_RESULT, span_text("payload"), &general);
    if (!is_ok(jws_parse_text(buf_span(&general), &arena, &j)) || !is_ok(compact ? jws_compact(&j, out) : jws_write(&j, out)) ||
        !is_ok(buf_u8(out, 0)))
        abort();
}

#define SIGNATURE_64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static result parse_verifier(const char *format, const char *text, struct buf *fields)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX), frame = BUF(BUS_FRAME_MAX);
    struct span f = span_text(format);
    size_t at = span_find(f, 0, '@'); /* where the text goes */
    if (!is_ok(buf_put(&json, span_part(f, 0, at))) || !is_ok(at < f.n ? buf_text(&json, text) : OK) ||
        !is_ok(buf_put(&json, span_part(f, at + 1, f.n))) || !is_ok(buf_u8(&json, 0)))
        abort();
    frame_of((const char *)json.p, (struct span){ 0 }, &frame);
    return front_parse_verifier(buf_span(&frame), fields);
}

static void verifier(struct checks *c, const struct keys *k)
{
    AUTO_BUF general = BUF(8192), compact = BUF(8192), fields = BUF(LINK_PACKET_MAX);
    struct attest_message m;
    jws_text(k, false, &general);
    jws_text(k, true, &compact);
    const char *g = (const char *)general.p, *t = (const char *)compact.p;
    check_code(c, parse_verifier("{\"op\":\"challenge\",\"challenge\":@}", g, &fields), E_ok, "a challenge");
    check_that(c,
        is_ok(attest_read(buf_span(&fields), &m)) && m.operation == ATTEST_CHALLENGE && span_is(m.statement.payload, "payload") &&
            is_ok(jws_verify(testkey_public(k->authority[0]), TYP_RESULT, m.statement.payload, &m.statement.sig[0])),
        "its parts verify");
    buf_clear(&fields);
    check_code(
        c, parse_verifier("{\"op\":\"result\",\"result\":\"@\",\"lease\":null}", t, &fields), E_ok, "a result without a lease");
    check_that(c,
        is_ok(attest_read(buf_span(&fields), &m)) && m.operation == ATTEST_RESULT && !m.lease.seconds &&
            is_ok(jws_verify(testkey_public(k->authority[0]), TYP_RESULT, m.statement.payload, &m.statement.sig[0])),
        "its parts verify");
    buf_clear(&fields);
    check_code(c,
        parse_verifier(
            "{\"op\":\"result\",\"result\":\"@\",\"lease\":{\"seconds\":30,\"signature\":\"" SIGNATURE_64 "\"}}", t, &fields),
        E_ok, "a result with a lease");
    check_that(
        c, is_ok(attest_read(buf_span(&fields), &m)) && m.lease.seconds == 30 && m.lease.signature.n == 64, "which is there");
    buf_clear(&fields);
    check_code(
        c, parse_verifier("{\"op\":\"enrolled\",\"statement\":@,\"certificate\":\"AQID\"}", g, &fields), E_ok, "an enrolment");
    check_that(
        c, is_ok(attest_read(buf_span(&fields), &m)) && m.operation == ATTEST_ENROLLED && m.extra.n == 3, "with its certificate");

    static const struct {
        const char *json;
        bool compact;
        enum seb_code code;
        const char *name;
    } bad[] = {
        { "{\"op\":\"submit\",\"challenge\":@}", false, E_bad_value, "an agent's operation at the verifiers' door" },
        { "{\"op\":\"policy_load\",\"statement\":@}", false, E_bad_value, "root's operation" },
        { "{\"op\":\"challenge\"}", false, E_missing_member, "no challenge" },
        { "{\"op\":\"challenge\",\"challenge\":@,\"lease\":null}", false, E_unknown_member, "a challenge with a lease" },
        { "{\"op\":\"challenge\",\"challenge\":\"@\"}", true, E_bad_type, "a challenge in compact serialization" },
        { "{\"op\":\"result\",\"result\":@,\"lease\":null}", false, E_bad_type, "a result in JSON serialization" },
        { "{\"op\":\"result\",\"result\":\"@\"}", true, E_missing_member, "a result that doesn't say whether there is a lease" },
        { "{\"op\":\"result\",\"result\":\"@.AA\",\"lease\":null}", true, E_bad_jws, "a result of four parts" },
        { "{\"op\":\"result\",\"result\":\"@\",\"lease\":{\"seconds\":0,\"signature\":\"" SIGNATURE_64 "\"}}", true, E_bad_value,
            "a lease of no time" },
        { "{\"op\":\"result\",\"result\":\"@\",\"lease\":{\"seconds\":3601,\"signature\":\"" SIGNATURE_64 "\"}}", true, E_bad_value,
            "a lease of more than an hour" },
        { "{\"op\":\"result\",\"result\":\"@\",\"lease\":{\"seconds\":30,\"signature\":\"AQID\"}}", true, E_bad_value,
            "a lease with a short signature" },
        { "{\"op\":\"enrolled\",\"statement\":@,\"certificate\":\"\"}", false, E_bad_value, "an enrolment without a certificate" },
        { "{\"op\":\"enrolled\",\"statement\":@}", false, E_missing_member, "nor with one that isn't there" },
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        AUTO_BUF none = BUF(LINK_PACKET_MAX);
        check_code(c, parse_verifier(bad[i].json, bad[i].compact ? t : g, &none), bad[i].code, bad[i].name);
    }
}

int main(void)
{
    struct checks c = { 0 };
    struct keys k = { .agent = testkey_new(ALG_EDDSA) };
    for (unsigned i = 0; i < 8; i++)
        k.authority[i] = testkey_new(i % 2 ? ALG_EDDSA : ALG_ES256);
    well_formed(&c, &k);
    ill_formed(&c, &k);
    admin(&c, &k);
    verifier(&c, &k);
    damaged(&c, &k);
    for (unsigned i = 0; i < 8; i++)
        testkey_free(k.authority[i]);
    testkey_free(k.agent);
    return checks_end(&c);
}
