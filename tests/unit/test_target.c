#include <config.h>

#include "check.h"
#include "target/target.h"

#include <stdio.h>

#define PREFIX "https://docs.example:8443/d/"

static struct target_mutation put_of(const char *resource)
{
    return (struct target_mutation){
        .operation = "PUT",
        .resource = resource,
        .has_body = true,
        .body_length = 3,
        .body_sha256 = sha256(span_text("two")),
        .media_type = "text/plain",
        .has_etag = true,
        .etag = "\"e\"",
        .grace_s = -1,
    };
}

static struct target_mutation delete_of(const char *resource)
{
    return (
        struct target_mutation){ .operation = "DELETE", .resource = resource, .has_etag = true, .etag = "\"e\"", .grace_s = -1 };
}

static void scope_is(struct checks *c, const char *name, enum seb_code want, const struct target_mutation *m)
{
    enum seb_code got = target_scope("http", PREFIX, m);
    check_that(c, got == want, name);
    if (got != want)
        printf("# got %s, want %s\n", code_name(got), code_name(want));
}

static void test_resources(struct checks *c)
{
    static const char *const good[] = {
        PREFIX "a",
        PREFIX "a/b/c",
        PREFIX "...",
        PREFIX ".a",
        PREFIX "a.",
        PREFIX "A-Za-z0-9._~!$&'()*+,;=:@-",
        PREFIX "a:b@c",
    };
    static const char *const bad[] = {
        "",
        "a",
        "/d/a",
        PREFIX,
        PREFIX "/a",
        PREFIX "a/",
        PREFIX "a//b",
        PREFIX ".",
        PREFIX "..",
        PREFIX "./a",
        PREFIX "../a",
        PREFIX "a/.",
        PREFIX "a/..",
        PREFIX "a/../b",
        PREFIX "a?",
        PREFIX "a?x",
        PREFIX "a#",
        PREFIX "a#f",
        PREFIX "%61",
        PREFIX "a%2fb",
        PREFIX "a b",
        PREFIX "a\tb",
        PREFIX "a\nb",
        PREFIX "a\\b",
        PREFIX "a\"b",
        PREFIX "a<b",
        PREFIX "a|b",
        PREFIX "a^b",
        PREFIX "a`b",
        PREFIX "a{b",
        PREFIX "\x7f",
        PREFIX "\xc3\xa9",
        PREFIX "a[b]",
        "http://docs.example:8443/d/a",
        "HTTPS://docs.example:8443/d/a",
        "https://docs.example/d/a",
        "https://docs.example:8443/da",
        "https://docs.example:8443/D/a",
        "https://u@docs.example:8443/d/a",
        "https://u:p@docs.example:8443/d/a",
        "https://docs.example:8443@evil/d/a",
        "https://other:8443/d/a",
        "https:///d/a",
        "https://docs.example:8443",
        " " PREFIX "a",
        PREFIX "a ",
    };
    char name[160];
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        struct target_mutation m = put_of(good[i]);
        snprintf(name, sizeof name, "a resource: %s", good[i]);
        scope_is(c, name, E_ok, &m);
        check_that(c, target_resource("http", PREFIX, good[i]) == E_ok, name);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct target_mutation m = put_of(bad[i]);
        snprintf(name, sizeof name, "no resource, number %u", i);
        scope_is(c, name, E_resource_invalid, &m);
        check_that(c, target_resource("http", PREFIX, bad[i]) == E_resource_invalid, name);
    }
}

static void test_longest(struct checks *c)
{
    AUTO_BUF url = BUF(2048);
    check_code(c, buf_text(&url, PREFIX), E_ok, "a URL begins");
    while (url.n < TARGET_URL_MAX)
        if (!is_ok(buf_u8(&url, 'x')))
            return;
    check_code(c, buf_u8(&url, 0), E_ok, "a URL ends");
    struct target_mutation m = put_of((const char *)url.p);
    struct call_plan plan;
    scope_is(c, "a URL of 1,024 bytes", E_ok, &m);
    check_code(c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_ok, "its plan");
    url.n--;
    check_code(c, buf_text(&url, "x"), E_ok, "one more");
    check_code(c, buf_u8(&url, 0), E_ok, "a URL ends");
    m = put_of((const char *)url.p);
    scope_is(c, "a URL of 1,025 bytes", E_resource_invalid, &m);
}

static void test_scope(struct checks *c)
{
    struct target_mutation m = put_of(PREFIX "a");
    check_that(c, target_scope("nothing", PREFIX, &m) == E_target_unknown, "an unknown kind");
    check_that(
        c, target_scope("http", "https://docs.example:8443/d", &m) == E_resource_invalid, "a prefix that ends within a segment");
    m.operation = "PATCH";
    scope_is(c, "PATCH", E_operation_unsupported, &m);
    m.operation = "put";
    scope_is(c, "put", E_operation_unsupported, &m);
    m = put_of(PREFIX "a");
    m.has_body = false;
    scope_is(c, "PUT without a body", E_operation_unsupported, &m);
    m = delete_of(PREFIX "a");
    scope_is(c, "DELETE", E_ok, &m);
    m.has_body = true;
    m.media_type = "text/plain";
    scope_is(c, "DELETE with a body", E_operation_unsupported, &m);
    m = put_of(PREFIX "a");
    m.has_etag = false;
    scope_is(c, "no precondition", E_precondition_missing, &m);
    m.has_sha256 = true;
    scope_is(c, "only a digest: the ETag is read", E_ok, &m);
    m.absent = true;
    scope_is(c, "absent, and there", E_precondition_missing, &m);
    m.has_sha256 = false;
    scope_is(c, "absent", E_ok, &m);
    m = delete_of(PREFIX "a");
    m.has_etag = false;
    m.absent = true;
    scope_is(c, "DELETE of what is absent", E_precondition_missing, &m);
}

/* What is for targets of objects alone. */
static void test_other_members(struct checks *c)
{
    struct field one = { .pointer = (char *)(uintptr_t) "/a", .absent = true };
    const struct fields fields = { 1, &one };
    struct target_mutation each[10];
    for (unsigned i = 0; i < 10; i++)
        each[i] = put_of(PREFIX "a");
    each[0].fields = &fields;
    each[1].pre_fields = &fields;
    each[2].post_fields = &fields;
    each[3].field_manager = "m";
    each[4].propagation = "Orphan";
    each[5].force = true;
    each[6].dry_run = true;
    each[7].grace_s = 0;
    each[8].has_uid = true;
    each[9].has_version = true;
    for (unsigned i = 0; i < 10; i++)
        scope_is(c, "a member that only objects have", E_operation_unsupported, &each[i]);
}

static void test_neutral_answers(struct checks *c)
{
    struct target_mutation m = put_of(PREFIX "a");
    struct digest leaf = sha256(span_text("leaf"));
    struct target_answer answer;
    AUTO_BUF out = BUF(100);
    char id[DIGEST_TEXT + 1] = "x", url[TARGET_URL_MAX + 1];
    check_that(c, target_url("http", PREFIX, "PUT", PREFIX "a") == E_ok, "a URL is a resource");
    check_that(c, target_url("http", PREFIX, "PUT", PREFIX "a?b") == E_resource_invalid, "without a query");
    check_that(
        c, !target_keeps_body("http") && target_cache_s("http") == 0 && !target_secret("http", &m), "nothing kept, nothing secret");
    target_audit_id("http", &leaf, id);
    check_that(c, !id[0], "no id of an audit log");
    check_code(c, target_details("http", CALL_MUTATE, &m, &out), E_ok, "details");
    check_that(c, out.n == 0 && !target_rehearses(NULL), "are none");
    check_code(c, target_compose("http", NULL, false, span_text("two"), &out), E_ok, "a body");
    check_that(c, span_is(buf_span(&out), "two"), "is sent as it is");
    check_code(c, target_rehearsal("http", PREFIX "a", url), E_unsupported, "a rehearsal");
    check_code(c, target_answer_read("http", CALL_READ, NULL, 200, span_text("{}"), &answer), E_ok, "an answer");
    check_that(c, !answer.uid[0] && !answer.version[0] && !answer.fields_n && !answer.post_holds, "tells nothing");
}

static void test_plans(struct checks *c)
{
    static const char *const usable[] = { "\"e\"", "\"1-2f\"", "\"a,b\"", "\"\\\"", "\"!#~\"" };
    static const char *const unusable[] = { NULL, "", "\"", "\"\"", "e", "W/\"e\"", "\"e", "e\"", "\"a\"b\"", "\"a b\"",
        "\"\xc3\xa9\"", "*", "\"a\", \"b\"", "\"a\r\n\"" };
    struct target_mutation m = put_of(PREFIX "a");
    struct call_plan plan = { .method = NULL };
    check_code(c, target_plan("http", PREFIX, CALL_READ, &m, &plan), E_ok, "a read");
    check_that(c, span_is(span_text(plan.method), "GET") && !plan.precondition && !plan.media_type[0], "reads nothing but");
    check_code(c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_ok, "a write");
    check_that(c,
        span_is(span_text(plan.method), "PUT") && span_is(span_text(plan.precondition), "If-Match") &&
            span_is(span_text(plan.precondition_value), "\"e\"") && span_is(span_text(plan.media_type), "text/plain"),
        "as the contract has it");
    for (unsigned i = 0; i < sizeof usable / sizeof *usable; i++) {
        m.etag = usable[i];
        check_code(c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_ok, usable[i]);
    }
    for (unsigned i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        m.etag = unusable[i];
        check_code(
            c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_precondition_unusable, "an ETag that can't be compared");
    }
    m.absent = true;
    m.has_etag = false;
    check_code(c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_ok, "create");
    check_that(c, span_is(span_text(plan.precondition), "If-None-Match") && span_is(span_text(plan.precondition_value), "*"),
        "only if absent");
    m = put_of(PREFIX "a");
    m.media_type = "text/plain\r\nX: y";
    check_code(c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_bad_value, "a header in the media type");
    m.media_type = "text/plain ";
    check_code(c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_bad_value, "a media type that HTTP would cut");
    m = delete_of(PREFIX "a");
    check_code(c, target_plan("http", PREFIX, CALL_MUTATE, &m, &plan), E_ok, "delete");
    check_that(c, span_is(span_text(plan.method), "DELETE") && !plan.media_type[0], "without a media type");
    check_code(c, target_plan("nothing", PREFIX, CALL_READ, &m, &plan), E_target_unknown, "an unknown kind");
}

/* The claims of docs/formats.md, "Credential", in RFC 8785 form. */
static void claims_are(struct checks *c, const char *name, enum call_use use, const struct target_mutation *m, const char *want)
{
    AUTO_JSON *claims = json_object();
    AUTO_BUF text = BUF(4096);
    struct call_plan plan;
    bool made = is_ok(target_plan("http", PREFIX, use, m, &plan)) && is_ok(target_claims("http", use, m, &plan, claims)) &&
                is_ok(json_canonical(claims, &text)) && span_is(buf_span(&text), want);
    check_that(c, made, name);
    if (!made)
        printf("# got %.*s\n", (int)text.n, (const char *)text.p);
}

#define TWO "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
static void test_claims(struct checks *c)
{
    struct target_mutation m = put_of(PREFIX "a/b");
    claims_are(c, "claims of a write", CALL_MUTATE, &m,
        "{\"ctype\":\"text/plain\",\"hth\":\"docs.example:8443\",\"htm\":\"PUT\",\"htu\":\"/d/a/"
        "b\",\"if_match\":\"\\\"e\\\"\",\"sha256\":\"" TWO "\",\"use\":\"mutate\"}");
    claims_are(c, "claims of a read", CALL_READ, &m,
        "{\"hth\":\"docs.example:8443\",\"htm\":\"GET\",\"htu\":\"/d/a/b\",\"sha256\":\"" EMPTY "\",\"use\":\"read\"}");
    m.absent = true;
    m.has_etag = false;
    claims_are(c, "claims of a creation", CALL_MUTATE, &m,
        "{\"ctype\":\"text/plain\",\"hth\":\"docs.example:8443\",\"htm\":\"PUT\",\"htu\":\"/d/a/"
        "b\",\"if_none_match\":\"*\",\"sha256\":\"" TWO "\",\"use\":\"mutate\"}");
    m = delete_of(PREFIX "a");
    claims_are(c, "claims of a deletion", CALL_MUTATE, &m,
        "{\"hth\":\"docs.example:8443\",\"htm\":\"DELETE\",\"htu\":\"/d/a\",\"if_match\":\"\\\"e\\\"\",\"sha256\":\"" EMPTY
        "\",\"use\":\"mutate\"}");
}

static void test_meanings(struct checks *c)
{
    static const struct {
        uint32_t status;
        enum call_meaning meaning;
    } rows[] = {
        { 0, MEANS_OPEN },
        { 100, MEANS_OPEN },
        { 101, MEANS_OPEN },
        { 199, MEANS_OPEN },
        { 200, MEANS_APPLIED },
        { 201, MEANS_APPLIED },
        { 202, MEANS_OPEN },
        { 204, MEANS_APPLIED },
        { 207, MEANS_OPEN },
        { 299, MEANS_APPLIED },
        { 300, MEANS_OPEN },
        { 304, MEANS_OPEN },
        { 400, MEANS_REJECTED },
        { 403, MEANS_REJECTED },
        { 404, MEANS_REJECTED },
        { 412, MEANS_REJECTED },
        { 499, MEANS_REJECTED },
        { 500, MEANS_OPEN },
        { 502, MEANS_OPEN },
        { 503, MEANS_OPEN },
        { 504, MEANS_OPEN },
        { 599, MEANS_OPEN },
        { 600, MEANS_OPEN },
        { 999, MEANS_OPEN },
    };
    char name[64];
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(name, sizeof name, "what %u means", rows[i].status);
        check_that(c, target_meaning("http", rows[i].status) == rows[i].meaning, name);
    }
    check_that(c, target_meaning("nothing", 200) == MEANS_OPEN, "of an unknown kind nothing is concluded");
    bool exists = false;
    check_code(c, target_read_meaning("http", 200, &exists), E_ok, "200 is there");
    check_that(c, exists, "and said so");
    check_code(c, target_read_meaning("http", 404, &exists), E_ok, "404 isn't");
    check_that(c, !exists, "and said so");
    check_code(c, target_read_meaning("http", 410, &exists), E_ok, "410 isn't");
    exists = true;
    static const uint32_t untold[] = { 0, 204, 206, 301, 304, 401, 403, 412, 500, 503 };
    for (unsigned i = 0; i < sizeof untold / sizeof *untold; i++)
        check_code(c, target_read_meaning("http", untold[i], &exists), E_read_failed, "a status that tells nothing");
    check_that(c, exists, "leaves the output alone");
    check_code(c, target_read_meaning("nothing", 200, &exists), E_target_unknown, "an unknown kind");
}

int main(void)
{
    struct checks c = { 0 };
    test_resources(&c);
    test_longest(&c);
    test_scope(&c);
    test_other_members(&c);
    test_neutral_answers(&c);
    test_plans(&c);
    test_claims(&c);
    test_meanings(&c);
    return checks_end(&c);
}
