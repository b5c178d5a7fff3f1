/* Links and their messages: the table of what is legal, frames that aren't, descriptors, slow peers; and each message's fields,
 * put, read, cut short and with a bit turned. */
#include "config.h"

#include "link/messages.h"
#include "unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends {
    struct link *first, *second;
    int raw; /* the first end's descriptor, for sending what no link would */
};

static struct ends ends_of(enum link_kind kind)
{
    int fd[2];
    struct ends e = { .raw = -1 };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) || !is_ok(link_new(fd[0], kind, END_FIRST, &e.first)) ||
        !is_ok(link_new(fd[1], kind, END_SECOND, &e.second)))
        abort();
    e.raw = fd[0];
    return e;
}

static void ends_free(struct ends *e)
{
    link_free(e->first);
    link_free(e->second);
}

static void test_legal(struct checks *c)
{
    struct ends e = ends_of(LINK_CORE_KEEPER);
    struct message m;
    bool got = true;
    struct span fields = span_text("fields");
    check_code(c, link_receive(e.second, &m, &got), E_ok, "an empty link gives nothing");
    check_that(c, !got, "and says so");
    check_code(c, link_send(e.first, MESSAGE_MINT, 7, fields), E_illegal_message, "MINT isn't legal while starting");
    check_code(c, link_send(e.first, MESSAGE_RESUME, 7, fields), E_ok, "RESUME is");
    check_code(c, link_receive(e.second, &m, &got), E_ok, "it arrives");
    check_that(c, got && m.type == MESSAGE_RESUME && m.slot == 7 && span_equal(m.fields, fields), "whole");
    check_code(c, link_send(e.second, MESSAGE_RESUME, 7, fields), E_illegal_message, "but not from the keeper");
    check_code(c, link_send(e.first, MESSAGE_SUBMIT, 7, fields), E_illegal_message, "nor another link's message");
    link_phase_set(e.first, PHASE_SERVING);
    check_code(c, link_send(e.first, MESSAGE_MINT, 8, fields), E_ok, "MINT is legal when serving");
    check_code(c, link_receive(e.second, &m, &got), E_illegal_message, "and refused by an end that still starts");
    ends_free(&e);
}

static void test_frames(struct checks *c)
{
    struct ends e = ends_of(LINK_FRONT_CORE);
    struct message m;
    bool got;
    static const uint8_t lies[] = { 0, 0, 0, 99, MESSAGE_NOISE, 0, 0, 0, 0, 0, 0, 0, 1 };
    static const uint8_t unknown[] = { 0, 0, 0, 9, 200, 0, 0, 0, 0, 0, 0, 0, 1 };
    for (size_t n = 1; n < sizeof lies; n++) {
        (void)!send(e.raw, lies, n, 0);
        if (code_of(link_receive(e.second, &m, &got)) != E_illegal_message)
            break;
        if (n == sizeof lies - 1)
            check_that(c, true, "a header cut short is illegal, however short");
    }
    (void)!send(e.raw, lies, sizeof lies, 0);
    check_code(c, link_receive(e.second, &m, &got), E_illegal_message, "a length that lies is illegal");
    (void)!send(e.raw, unknown, sizeof unknown, 0);
    check_code(c, link_receive(e.second, &m, &got), E_illegal_message, "so is an unknown type");
    int size = 1 << 20;
    setsockopt(e.raw, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    uint8_t *huge = calloc(1, LINK_PACKET_MAX + 100);
    if (send(e.raw, huge, LINK_PACKET_MAX + 100, 0) > 0)
        check_code(c, link_receive(e.second, &m, &got), E_illegal_message, "and a packet over the limit");
    free(huge);
    link_free(e.first);
    check_code(c, link_receive(e.second, &m, &got), E_peer_gone, "a closed end is gone");
    check_code(c, link_send(e.second, MESSAGE_REPLY, 1, span_text("")), E_peer_gone, "for sending too");
    link_free(e.second);
}

static void test_slow_peer(struct checks *c)
{
    struct ends e = ends_of(LINK_FRONT_CORE);
    AUTO_BUF big = BUF(100000);
    uint8_t *room;
    struct message m;
    bool got = true, whole = true;
    if (!is_ok(buf_room(&big, 100000, &room)))
        abort();
    for (uint64_t i = 0; i < 64; i++)
        whole = whole && is_ok(link_send(e.first, MESSAGE_SUBMIT, i, buf_span(&big)));
    check_that(c, whole && (link_events(e.first) & 4), "what a slow peer doesn't take is queued");
    for (uint64_t i = 0; i < 64 && whole; i++) {
        whole = is_ok(link_receive(e.second, &m, &got)) && got && m.slot == i && m.fields.n == big.n;
        whole = whole && is_ok(link_flush(e.first));
    }
    check_that(c, whole && !(link_events(e.first) & 4), "and comes whole and in order as it takes it");
    ends_free(&e);
}

static void test_descriptor(struct checks *c)
{
    struct ends e = ends_of(LINK_CONTROL);
    struct message m;
    bool got;
    int fd = -1, pipe_[2];
    if (pipe(pipe_))
        abort();
    check_code(c, link_send_fd(e.first, MESSAGE_TPM, 0, span_text(""), pipe_[1]), E_ok, "a descriptor is sent");
    check_code(c, link_receive_fd(e.second, &m, &got, &fd), E_ok, "and taken");
    check_that(c, got && fd >= 0 && write(fd, "x", 1) == 1, "and is the one");
    check_code(c, link_send_fd(e.first, MESSAGE_TPM, 0, span_text(""), pipe_[1]), E_ok, "one that nobody wants");
    check_code(c, link_receive(e.second, &m, &got), E_illegal_message, "is illegal");
    close(fd);
    close(pipe_[0]);
    close(pipe_[1]);
    ends_free(&e);
}

/* A JWS of n signatures, over static bytes. */
static struct jws jws_of(unsigned n)
{
    static const uint8_t signature[SIGNATURE_SIZE] = { 1, 2, 3 };
    struct jws j = { .payload = span_text("{\"a\":1}"), .n = n };
    for (unsigned i = 0; i < n; i++)
        j.sig[i] = (struct jws_signature){ .kid = { { (uint8_t)i } }, .protected_ = span_text("{}"), .signature = SPAN(signature) };
    return j;
}

static result put_submit(struct buf *b)
{
    struct submit_message m = { .uid = 1000, .certificate = jws_of(8), .request = jws_of(1), .body = span_text("body") };
    return submit_put(b, &m);
}
static result get_submit(struct span s)
{
    struct submit_message m;
    TRY(submit_read(s, &m));
    bool same = m.uid == 1000 && m.certificate.n == 8 && m.certificate.sig[7].kid.b[0] == 7 && span_is(m.body, "body");
    return same ? OK : fail(E_bad_value);
}
static result put_admin(struct buf *b)
{
    return admin_put(b, &(struct admin_message){ .operation = ADMIN_POLICY, .statement = jws_of(1) });
}
static result get_admin(struct span s)
{
    struct admin_message m;
    TRY(admin_read(s, &m));
    return m.operation == ADMIN_POLICY && m.statement.n == 1 ? OK : fail(E_bad_value);
}
static result put_approval_file(struct buf *b)
{
    return admin_put(b, &(struct admin_message){ .operation = ADMIN_APPROVAL, .text = span_text("{}") });
}
static result get_approval_file(struct span s)
{
    struct admin_message m;
    TRY(admin_read(s, &m));
    return m.operation == ADMIN_APPROVAL && !m.statement.n && span_is(m.text, "{}") ? OK : fail(E_bad_value);
}
static const uint8_t lease[LEASE_SIGNATURE_SIZE] = { 7 };
static result put_attest(struct buf *b)
{
    return attest_put(
        b, &(struct attest_message){
               .operation = ATTEST_RESULT, .statement = jws_of(1), .lease = { .seconds = 30, .signature = SPAN(lease) } });
}
static result get_attest(struct span s)
{
    struct attest_message m;
    TRY(attest_read(s, &m));
    bool same = m.operation == ATTEST_RESULT && m.statement.n == 1 && m.lease.seconds == 30 && m.lease.signature.p[0] == 7;
    return same && !m.extra.n ? OK : fail(E_bad_value);
}
static result put_enrolled(struct buf *b)
{
    return attest_put(
        b, &(struct attest_message){ .operation = ATTEST_ENROLLED, .statement = jws_of(1), .extra = span_text("certificate") });
}
static result get_enrolled(struct span s)
{
    struct attest_message m;
    TRY(attest_read(s, &m));
    return m.operation == ATTEST_ENROLLED && span_is(m.extra, "certificate") ? OK : fail(E_bad_value);
}
static result put_result(struct buf *b)
{
    return result_put(b, &(struct result_message){ .statement = jws_of(1), .lease = { .seconds = 30, .signature = SPAN(lease) } });
}
static result get_result(struct span s)
{
    struct result_message m;
    TRY(result_read(s, &m));
    return m.statement.n == 1 && m.lease.seconds == 30 && m.lease.signature.p[0] == 7 ? OK : fail(E_bad_value);
}
static result put_evidence(struct buf *b)
{
    return evidence_put(b, &(struct evidence_message){ .json = span_text("{\"keys\":{}}") });
}
static result get_evidence(struct span s)
{
    struct evidence_message m;
    TRY(evidence_read(s, &m));
    return m.code == E_ok && span_is(m.json, "{\"keys\":{}}") ? OK : fail(E_bad_value);
}
static result put_no_evidence(struct buf *b)
{
    return evidence_put(b, &(struct evidence_message){ .code = E_challenge_stale });
}
static result get_no_evidence(struct span s)
{
    struct evidence_message m;
    TRY(evidence_read(s, &m));
    return m.code == E_challenge_stale && !m.json.n ? OK : fail(E_bad_value);
}
static result put_noise(struct buf *b)
{
    return noise_put(b, &(struct noise_message){ .code = E_bad_json, .count = 77 });
}
static result get_noise(struct span s)
{
    struct noise_message m;
    TRY(noise_read(s, &m));
    return m.code == E_bad_json && m.count == 77 ? OK : fail(E_bad_value);
}
static result put_text(struct buf *b)
{
    return text_put(b, span_text("{\"status\":\"ok\"}"));
}
static result get_text(struct span s)
{
    struct span json;
    TRY(text_read(s, &json));
    return span_is(json, "{\"status\":\"ok\"}") ? OK : fail(E_bad_value);
}
static result put_resume(struct buf *b)
{
    struct resume_message m = {
        .size = 5, .n = 2, .hash = { { { 1 } }, { { 2 } } }, .note = span_text("note"), .proof_n = 1, .proof = { { { 3 } } }
    };
    return resume_put(b, &m);
}
static result get_resume(struct span s)
{
    struct resume_message m;
    TRY(resume_read(s, &m));
    return m.size == 5 && m.n == 2 && m.hash[1].b[0] == 2 && span_is(m.note, "note") && m.proof_n == 1 && m.proof[0].b[0] == 3
               ? OK
               : fail(E_bad_value);
}
static result put_statement(struct buf *b)
{
    struct jws j = jws_of(1);
    return statement_put(b, &j);
}
static result get_statement(struct span s)
{
    struct jws j;
    TRY(statement_read(s, &j));
    return j.n == 1 && span_is(j.payload, "{\"a\":1}") ? OK : fail(E_bad_value);
}
static result put_append(struct buf *b)
{
    TRY(append_begin(b, 41));
    TRY(append_add(b, span_text("one")));
    return append_add(b, span_text("two"));
}
static result get_append(struct span s)
{
    struct append_reader a;
    struct span one, two;
    TRY(append_open(s, &a));
    if (a.left != 2)
        return fail(E_illegal_message);
    TRY(append_next(&a, &one));
    bool first = a.index == 41;
    TRY(append_next(&a, &two));
    return first && a.index == 42 && span_is(one, "one") && span_is(two, "two") && !a.left ? OK : fail(E_bad_value);
}
static result put_mint(struct buf *b)
{
    return mint_put(b, &(struct mint_message){ .index = 9, .certificate = jws_of(2), .body = span_text("body") });
}
static result get_mint(struct span s)
{
    struct mint_message m;
    TRY(mint_read(s, &m));
    return m.index == 9 && m.certificate.n == 2 && span_is(m.body, "body") ? OK : fail(E_bad_value);
}
static result put_code(struct buf *b)
{
    return code_put(b, &(struct code_message){ .code = E_expired, .what = LOADED_POLICY, .foreign = 0x921 });
}
static result get_code(struct span s)
{
    struct code_message m;
    TRY(code_read(s, &m));
    return m.code == E_expired && m.what == LOADED_POLICY && m.foreign == 0x921 ? OK : fail(E_bad_value);
}
static result put_checkpoint(struct buf *b)
{
    return checkpoint_put(b, &(struct checkpoint_message){ .size = 12, .note = span_text("note") });
}
static result get_checkpoint(struct span s)
{
    struct checkpoint_message m;
    TRY(checkpoint_read(s, &m));
    return m.size == 12 && span_is(m.note, "note") ? OK : fail(E_bad_value);
}
static result put_quote(struct buf *b)
{
    struct quote_message m = { .size = 12, .attest = span_text("a"), .signature = span_text("s"), .preimage = span_text("p") };
    return quote_put(b, &m);
}
static result get_quote(struct span s)
{
    struct quote_message m;
    TRY(quote_read(s, &m));
    return m.size == 12 && span_is(m.attest, "a") && span_is(m.signature, "s") && span_is(m.preimage, "p") ? OK : fail(E_bad_value);
}
static result put_call(struct buf *b)
{
    struct call_message m = { .use = 2,
        .target = span_text("docs"),
        .method = span_text("PUT"),
        .url = span_text("https://h/a"),
        .precondition = span_text("If-Match"),
        .precondition_value = span_text("\"1\""),
        .media_type = span_text("text/plain"),
        .audit_id = span_text("leaf"),
        .credential = span_text("jwt"),
        .body = span_text("body"),
        .details = span_text("{}") };
    return call_put(b, &m);
}
static result get_call(struct span s)
{
    struct call_message m;
    TRY(call_read(s, &m));
    bool same = m.use == 2 && span_is(m.target, "docs") && span_is(m.credential, "jwt") && span_is(m.body, "body");
    return same && span_is(m.audit_id, "leaf") && span_is(m.details, "{}") ? OK : fail(E_bad_value);
}
static result put_answer(struct buf *b)
{
    struct answer_message m = { .phase = ANSWER_WHOLE,
        .http_status = 204,
        .has_etag = true,
        .etag = span_text("\"1\""),
        .has_body = true,
        .body_sha256 = { { 5 } },
        .body_length = 3,
        .uid = span_text("u"),
        .version = span_text("7"),
        .reason = span_text("Conflict"),
        .causes = span_text("[]"),
        .fields_n = 2,
        .field = { { .exists = true, .sha256 = { { 6 } } } } };
    return answer_put(b, &m);
}
static result get_answer(struct span s)
{
    struct answer_message m;
    TRY(answer_read(s, &m));
    bool same = m.phase == ANSWER_WHOLE && m.http_status == 204 && m.has_etag && span_is(m.etag, "\"1\"") && m.body_length == 3;
    same = same && span_is(m.uid, "u") && span_is(m.version, "7") && span_is(m.reason, "Conflict") && span_is(m.causes, "[]");
    same = same && m.fields_n == 2 && m.field[0].exists && m.field[0].sha256.b[0] == 6 && !m.field[1].exists;
    return same && m.body_sha256.b[0] == 5 ? OK : fail(E_bad_value);
}

static const struct {
    const char *name;
    result (*put)(struct buf *b);
    result (*get)(struct span s);
} messages[] = {
    { "SUBMIT", put_submit, get_submit },
    { "ADMIN", put_admin, get_admin },
    { "ADMIN with a file", put_approval_file, get_approval_file },
    { "ATTEST", put_attest, get_attest },
    { "ATTEST of an enrolment", put_enrolled, get_enrolled },
    { "RESULT", put_result, get_result },
    { "EVIDENCE", put_evidence, get_evidence },
    { "EVIDENCE that says why not", put_no_evidence, get_no_evidence },
    { "NOISE", put_noise, get_noise },
    { "REPLY", put_text, get_text },
    { "RESUME", put_resume, get_resume },
    { "POLICY", put_statement, get_statement },
    { "APPEND", put_append, get_append },
    { "MINT", put_mint, get_mint },
    { "LOADED", put_code, get_code },
    { "CHECKPOINT", put_checkpoint, get_checkpoint },
    { "QUOTE", put_quote, get_quote },
    { "CALL", put_call, get_call },
    { "ANSWER", put_answer, get_answer },
};

static void test_messages(struct checks *c)
{
    char name[64];
    for (unsigned i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        AUTO_BUF b = BUF(LINK_PACKET_MAX);
        check_code(c, messages[i].put(&b), E_ok, messages[i].name);
        check_code(c, messages[i].get(buf_span(&b)), E_ok, "is read as it was put");
        bool refused = true;
        for (size_t n = 0; n < b.n; n++)
            refused = refused && code_of(messages[i].get((struct span){ b.p, n })) == E_illegal_message;
        snprintf(name, sizeof name, "%s cut short anywhere is illegal", messages[i].name);
        check_that(c, refused, name);
        if (!is_ok(buf_u8(&b, 0)))
            abort();
        snprintf(name, sizeof name, "%s with a byte left over is illegal", messages[i].name);
        check_code(c, messages[i].get(buf_span(&b)), E_illegal_message, name);
        b.n--;
        bool named = true; /* a turned bit is read as something else, or refused by this one name */
        for (size_t bit = 0; bit < b.n * 8; bit++) {
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            enum seb_code code = code_of(messages[i].get(buf_span(&b)));
            named = named && (code == E_ok || code == E_bad_value || code == E_illegal_message);
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        snprintf(name, sizeof name, "%s with any bit turned is read or illegal", messages[i].name);
        check_that(c, named, name);
    }
}

/* What an operation doesn't bring along is illegal, however well-formed. */
static void test_fitting(struct checks *c)
{
    const struct admin_message admins[] = {
        { .operation = ADMIN_STATUS, .text = span_text("{}") },
        { .operation = ADMIN_PLAN, .statement = jws_of(1) },
        { .operation = ADMIN_APPROVAL },
        { .operation = ADMIN_APPROVAL, .text = span_text("{}"), .statement = jws_of(1) },
        { .operation = ADMIN_ACKNOWLEDGE },
        { .operation = ADMIN_POLICY, .statement = jws_of(2) },
        { .operation = ADMIN_PLAN + 1 },
    };
    const struct attest_message attests[] = {
        { .operation = ATTEST_CHALLENGE, .statement = jws_of(2) },
        { .operation = ATTEST_CHALLENGE },
        { .operation = ATTEST_CHALLENGE, .statement = jws_of(1), .lease = { .seconds = 9, .signature = SPAN(lease) } },
        { .operation = ATTEST_RESULT, .statement = jws_of(1), .lease = { .seconds = 9 } },
        { .operation = ATTEST_RESULT, .statement = jws_of(1), .lease = { .signature = SPAN(lease) } },
        { .operation = ATTEST_RESULT, .statement = jws_of(1), .extra = span_text("x") },
        { .operation = ATTEST_ENROLLED, .statement = jws_of(1) },
        { .operation = ATTEST_ENROLLED + 1, .statement = jws_of(1) },
    };
    bool refused = true;
    for (unsigned i = 0; i < sizeof admins / sizeof admins[0]; i++) {
        AUTO_BUF b = BUF(LINK_PACKET_MAX);
        struct admin_message m;
        refused = refused && is_ok(admin_put(&b, &admins[i])) && code_of(admin_read(buf_span(&b), &m)) == E_illegal_message;
    }
    check_that(c, refused, "an ADMIN that brings what its operation has no use for is illegal");
    refused = true;
    for (unsigned i = 0; i < sizeof attests / sizeof attests[0]; i++) {
        AUTO_BUF b = BUF(LINK_PACKET_MAX);
        struct attest_message m;
        refused = refused && is_ok(attest_put(&b, &attests[i])) && code_of(attest_read(buf_span(&b), &m)) == E_illegal_message;
    }
    check_that(c, refused, "so is such an ATTEST");
}

int main(void)
{
    struct checks c = { 0 };
    test_legal(&c);
    test_frames(&c);
    test_slow_peer(&c);
    test_descriptor(&c);
    test_messages(&c);
    test_fitting(&c);
    return checks_end(&c);
}
