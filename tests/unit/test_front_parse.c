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

int main(void)
{
    struct checks c = { 0 };
    struct keys k = { .agent = testkey_new(ALG_EDDSA) };
    for (unsigned i = 0; i < 8; i++)
        k.authority[i] = testkey_new(i % 2 ? ALG_EDDSA : ALG_ES256);
    well_formed(&c, &k);
    ill_formed(&c, &k);
    admin(&c, &k);
    damaged(&c, &k);
    for (unsigned i = 0; i < 8; i++)
        testkey_free(k.authority[i]);
    testkey_free(k.agent);
    return checks_end(&c);
}
