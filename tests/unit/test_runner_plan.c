#include <config.h>

#include "runner/runner.h"
#include "check.h"

#define PREFIX "https://docs.example:8443/d/"
#define CLUSTER "https://cluster.example:6443/"
#define MAP CLUSTER "api/v1/namespaces/n/configmaps/c"
#define LEAF "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

static struct call_message read_call(void)
{
    return (struct call_message){
        .use = CALL_READ,
        .target = span_text("docs"),
        .method = span_text("GET"),
        .url = span_text(PREFIX "a"),
        .credential = span_text("a.b.c"),
    };
}

static struct call_message put_call(void)
{
    return (struct call_message){
        .use = CALL_MUTATE,
        .target = span_text("docs"),
        .method = span_text("PUT"),
        .url = span_text(PREFIX "a"),
        .precondition = span_text("If-Match"),
        .precondition_value = span_text("\"e\""),
        .media_type = span_text("text/plain"),
        .credential = span_text("a.b.c"),
        .body = span_text("two"),
    };
}

static struct call_message delete_call(void)
{
    struct call_message m = put_call();
    m.method = span_text("DELETE");
    m.media_type = m.body = (struct span){ 0 };
    return m;
}

static struct call_message get_object(void)
{
    return (struct call_message){
        .use = CALL_READ,
        .target = span_text("cluster"),
        .method = span_text("GET"),
        .url = span_text(MAP),
        .audit_id = span_text(LEAF),
        .credential = span_text("a.b.c"),
        .details = span_text("{}"),
    };
}

static struct call_message patch_object(void)
{
    struct call_message m = get_object();
    m.use = CALL_MUTATE;
    m.method = span_text("PATCH");
    m.url = span_text(MAP "?fieldManager=m");
    m.media_type = span_text("application/merge-patch+json");
    m.body = span_text("{}");
    return m;
}

static struct call_message delete_object(void)
{
    struct call_message m = patch_object();
    m.method = span_text("DELETE");
    m.url = span_text(MAP);
    m.media_type = span_text("application/json");
    m.body = (struct span){ 0 }; /* composed of the details alone */
    return m;
}

#define PEERS 3
struct room {
    struct checks checks;
    struct runner_peer peer[PEERS];
};

static void is(struct room *r, const char *name, enum seb_code want, struct call_message m)
{
    const struct runner_peer *peer = NULL;
    struct call_plan plan = { 0 };
    check_code(&r->checks, runner_plan(&m, r->peer, PEERS, &peer, &plan), want, name);
    if (want == E_ok)
        check_that(&r->checks,
            peer && span_equal(span_text(peer->target->name), m.target) && span_equal(span_text(plan.audit_id), m.audit_id) &&
                span_equal(span_text(plan.url), m.url) && span_equal(span_text(plan.method), m.method) &&
                span_equal(span_text(plan.precondition_value), m.precondition_value),
            name);
    else
        check_that(&r->checks, !peer && !plan.method, "outputs stay as they are");
}
#define ILLEGAL(name, of, member, text)     \
    do {                                    \
        struct call_message m_ = of();      \
        m_.member = span_text(text);        \
        is(r, name, E_illegal_message, m_); \
    } while (0)

static void test_plans(struct room *r)
{
    is(r, "a read", E_ok, read_call());
    is(r, "a write", E_ok, put_call());
    is(r, "a deletion", E_ok, delete_call());
    struct call_message m = put_call();
    m.body = (struct span){ 0 };
    is(r, "an empty body", E_ok, m);
    m.precondition = span_text("If-None-Match");
    m.precondition_value = span_text("*");
    is(r, "a creation", E_ok, m);
    m.use = 0;
    is(r, "no use", E_illegal_message, m);
    m.use = 3;
    is(r, "an unknown use", E_illegal_message, m);
    m = put_call();
    m.use = CALL_READ;
    is(r, "a write that says it reads", E_illegal_message, m);
    m = read_call();
    m.use = CALL_MUTATE;
    is(r, "a read that says it writes", E_illegal_message, m);
    ILLEGAL("a target that isn't configured", read_call, target, "other");
    ILLEGAL("no target", read_call, target, "");
    ILLEGAL("another host", read_call, url, "https://evil.example:8443/d/a");
    ILLEGAL("outside the prefix", read_call, url, "https://docs.example:8443/e");
    ILLEGAL("another target's prefix", read_call, url, "https://first.example/a");
    ILLEGAL("out of the prefix by dots", read_call, url, PREFIX "../e");
    ILLEGAL("a query", read_call, url, PREFIX "a?x");
    ILLEGAL("no URL", read_call, url, "");
    ILLEGAL("another method", put_call, method, "PATCH");
    ILLEGAL("a precondition on a read", read_call, precondition, "If-Match");
    ILLEGAL("a precondition's value on a read", read_call, precondition_value, "*");
    ILLEGAL("no precondition", put_call, precondition, "");
    ILLEGAL("another header for a precondition", put_call, precondition, "Content-Range");
    ILLEGAL("a precondition without a value", put_call, precondition_value, "");
    ILLEGAL("a body on a read", read_call, body, "x");
    ILLEGAL("a media type on a read", read_call, media_type, "text/plain");
    ILLEGAL("a body on a deletion", delete_call, body, "x");
    ILLEGAL("a write without a media type", put_call, media_type, "");
    struct call_message nul = read_call();
    nul.url = SPAN(PREFIX "a"); /* with its NUL */
    is(r, "a NUL in the URL", E_illegal_message, nul);
}

static void test_objects(struct room *r)
{
    is(r, "an object is read", E_ok, get_object());
    is(r, "patched", E_ok, patch_object());
    is(r, "deleted, with a body that is composed", E_ok, delete_object());
    struct call_message m = patch_object();
    m.method = span_text("PUT");
    is(r, "updated", E_ok, m);
    m.method = span_text("POST");
    m.url = span_text(CLUSTER "api/v1/namespaces/n/configmaps");
    is(r, "created, at its collection", E_ok, m);
    m.url = span_text(CLUSTER "api/v1/namespaces/n/pods/p/eviction");
    is(r, "a pod is evicted", E_ok, m);
    m = patch_object();
    m.use = CALL_READ;
    is(r, "a patch that says it reads", E_illegal_message, m);
    m = get_object();
    m.use = CALL_MUTATE;
    is(r, "a read that says it writes", E_illegal_message, m);
    ILLEGAL("no details", get_object, details, "");
    ILLEGAL("details for a target that has none", read_call, details, "{}");
    ILLEGAL("an Audit-ID for one that keeps no such log", read_call, audit_id, LEAF);
    ILLEGAL("one that is no leaf", get_object, audit_id, "x");
    ILLEGAL("one with a line end", get_object, audit_id, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZ\r\n");
    ILLEGAL("a precondition in a header", patch_object, precondition, "If-Match");
    ILLEGAL("its value", patch_object, precondition_value, "*");
    ILLEGAL("a body on a read", get_object, body, "{}");
    ILLEGAL("a media type on a read", get_object, media_type, "application/json");
    ILLEGAL("a write without one", patch_object, media_type, "");
    ILLEGAL("another method", patch_object, method, "CONNECT");
    ILLEGAL("HEAD", get_object, method, "HEAD");
    ILLEGAL("another host", get_object, url, "https://evil.example/api/v1/namespaces/n/configmaps/c");
    ILLEGAL("a list", get_object, url, CLUSTER "api/v1/namespaces/n/configmaps");
    ILLEGAL("a watch", get_object, url, MAP "?watch=true");
    ILLEGAL("a query that isn't a write's", patch_object, url, MAP "?pretty=true");
    ILLEGAL("all of a kind", delete_object, url, CLUSTER "api/v1/namespaces/n/configmaps");
    ILLEGAL("what is no API", get_object, url, CLUSTER "metrics");
    ILLEGAL("another object by dots", get_object, url, CLUSTER "api/v1/namespaces/n/configmaps/../secrets/s");
    ILLEGAL("another by an escape", get_object, url, CLUSTER "api/v1/namespaces/n/configmaps/%2e%2e");
    ILLEGAL("a way through a pod", get_object, url, CLUSTER "api/v1/namespaces/n/pods/p/proxy");
    ILLEGAL("a way into a pod", patch_object, url, CLUSTER "api/v1/namespaces/n/pods/p/exec");
    ILLEGAL("a token of a service account", patch_object, url, CLUSTER "api/v1/namespaces/n/serviceaccounts/s/token");
    ILLEGAL("a method of http's on an object's name", patch_object, target, "docs");
}

/* An answer's fields, as many as there may be, and one more. */
static void test_told(struct checks *c)
{
    static struct target_answer told = { .uid = "u-1", .version = "7", .reason = "Invalid", .causes = "[{\"message\":\"x\"}]" };
    static struct answer_message m;
    struct call_answer a = { .phase = CALL_ANSWERED, .status = 422 };
    AUTO_BUF fields = BUF(16384);
    told.fields_n = TARGET_FIELDS_MAX;
    told.field[TARGET_FIELDS_MAX - 1] = (struct live_field){ .exists = true, .sha256 = { { 9 } } };
    check_code(c, runner_answer(&a, &told, &fields), E_ok, "all that a body can tell fits");
    check_code(c, answer_read(buf_span(&fields), &m), E_ok, "and is read");
    check_that(c,
        span_is(m.uid, "u-1") && span_is(m.version, "7") && span_is(m.reason, "Invalid") && m.causes.n == 17 &&
            m.fields_n == TARGET_FIELDS_MAX && m.field[TARGET_FIELDS_MAX - 1].exists &&
            m.field[TARGET_FIELDS_MAX - 1].sha256.b[0] == 9 && !m.field[0].exists,
        "the same");
    size_t count = fields.n - TARGET_FIELDS_MAX * (1 + DIGEST_SIZE) - 1;
    fields.p[count] = TARGET_FIELDS_MAX + 1;
    check_code(c, answer_read(buf_span(&fields), &m), E_illegal_message, "one field more is illegal");
    fields.p[count] = TARGET_FIELDS_MAX;
    fields.p[count + 1] = 2;
    check_code(c, answer_read(buf_span(&fields), &m), E_illegal_message, "and one that is neither there nor not");
}

static void test_answers(struct checks *c)
{
    static const struct {
        enum call_phase phase;
        enum answer_phase want;
    } rows[] = { { CALL_NEVER_SENT, ANSWER_NEVER_SENT }, { CALL_NO_ANSWER, ANSWER_NONE }, { CALL_ANSWERED, ANSWER_WHOLE } };
    for (unsigned i = 0; i < 3; i++) {
        AUTO_BUF fields = BUF(4096);
        struct answer_message m = { .code = 1 };
        struct call_answer a = { .phase = rows[i].phase,
            .code = E_no_answer,
            .foreign = 7,
            .status = 200,
            .has_etag = true,
            .etag = "\"e\"",
            .has_body = true,
            .body_sha256 = sha256(span_text("x")),
            .body_length = 1 };
        check_code(c, runner_answer(&a, &(struct target_answer){ .fields_n = 0 }, &fields), E_ok, "an answer is put");
        check_code(c, answer_read(buf_span(&fields), &m), E_ok, "and read");
        check_that(c,
            m.phase == rows[i].want && m.code == E_no_answer && m.foreign == 7 && m.http_status == 200 && m.has_etag &&
                span_is(m.etag, "\"e\"") && m.has_body && digest_equal(&m.body_sha256, &a.body_sha256) && m.body_length == 1,
            "the same");
    }
}

int main(void)
{
    static const struct config_target targets[PEERS] = {
        { .name = "first", .kind = "http", .prefix = "https://first.example/" },
        { .name = "docs", .kind = "http", .prefix = PREFIX },
        { .name = "cluster", .kind = "kubernetes", .prefix = CLUSTER },
    };
    struct room r = { .peer = { { .target = &targets[0] }, { .target = &targets[1] }, { .target = &targets[2] } } };
    test_plans(&r);
    test_objects(&r);
    test_told(&r.checks);
    test_answers(&r.checks);
    return checks_end(&r.checks);
}
