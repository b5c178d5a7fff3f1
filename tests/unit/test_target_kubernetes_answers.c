/* Targets of kind kubernetes: what the API server answers. */
#include <config.h>

#include "check.h"
#include "target/target.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define META "\"metadata\":{\"name\":\"web\",\"namespace\":\"prod\",\"resourceVersion\":\"42\",\"uid\":\"u-1\"}"
#define AT ",\"name\":\"web\",\"namespace\":\"prod\"}"
#define PLAIN "{\"fields\":[]" AT
#define NOT_FOUND(name)                                                            \
    "{\"apiVersion\":\"v1\",\"details\":{\"kind\":\"configmaps\",\"name\":\"" name \
    "\"},\"kind\":\"Status\",\"reason\":\"NotFound\"}"

static result answer(enum call_use use, const char *details, uint32_t status, const char *body, struct target_answer *ret)
{
    AUTO_JSON *v = NULL;
    TRY(json_strict(span_text(details), TARGET_DETAILS_MAX, &v));
    return target_answer_read("kubernetes", use, v, status, span_text(body), ret);
}

static bool tells(const struct target_answer *a, const char *uid, const char *version)
{
    return span_is(span_text(a->uid), uid) && span_is(span_text(a->version), version);
}

static void test_objects(struct checks *c)
{
    struct target_answer a;
    check_code(c, answer(CALL_READ, PLAIN, 200, "{" META "}", &a), E_ok, "an object that was read");
    check_that(
        c, tells(&a, "u-1", "42") && a.fields_n == 0 && a.post_holds && !a.reason[0] && !a.causes[0], "tells uid and version");
    check_code(c, answer(CALL_MUTATE, PLAIN, 201, "{\"x\":[1.5,-0,1e300,99999999999999999999]," META "}", &a), E_ok, "any number");
    check_that(c, tells(&a, "u-1", "42"), "is in the way of nothing");
    check_code(c, answer(CALL_READ, PLAIN, 200, "{\"a\":\"\\u0000\"," META "}", &a), E_ok, "nor is a NUL");
    check_code(c, answer(CALL_READ, "{\"name\":\"n\"}", 200, "{\"metadata\":{\"name\":\"n\",\"resourceVersion\":\"1\"}}", &a), E_ok,
        "a cluster-scoped object without a uid");
    check_that(c, tells(&a, "", "1"), "tells its version");
    check_code(c, answer(CALL_READ, PLAIN, 404, NOT_FOUND("web"), &a), E_ok, "nothing there");
    check_that(c, tells(&a, "", "") && !a.post_holds, "tells nothing");
}

/* Only the API server's own word says that an object isn't there. */
static void test_not_there(struct checks *c)
{
    static const char *const bodies[] = {
        "",
        "404 page not found\n",
        "{}",
        NOT_FOUND("other"),
        "{\"apiVersion\":\"v1\",\"kind\":\"Status\",\"reason\":\"NotFound\"}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Status\",\"reason\":\"Gone\",\"details\":{\"name\":\"web\"}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Other\",\"reason\":\"NotFound\",\"details\":{\"name\":\"web\"}}",
    };
    struct target_answer a;
    for (unsigned i = 0; i < COUNT(bodies); i++)
        check_code(c, answer(CALL_READ, PLAIN, 404, bodies[i], &a), E_read_failed, "a 404 that says nothing of the object");
    check_code(c, answer(CALL_MUTATE, PLAIN, 404, "404 page not found", &a), E_ok, "to a write it is an answer like any other");
}

/* Never an object that isn't the one asked for, nor one that can't be read to its end. */
static void test_no_objects(struct checks *c)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "{}",
        "<html>",
        "{" META,
        "{" META "} x",
        "{\"metadata\":null}",
        "{\"metadata\":[]}",
        "{\"metadata\":{\"resourceVersion\":\"42\",\"uid\":\"u-1\"}}",
        "{\"metadata\":{\"name\":\"other\",\"namespace\":\"prod\",\"resourceVersion\":\"42\"}}",
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"other\",\"resourceVersion\":\"42\"}}",
        "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"42\"}}",
        "{\"metadata\":{\"name\":\"web\\u0000\",\"namespace\":\"prod\",\"resourceVersion\":\"42\"}}",
        "{\"metadata\":{\"name\":1,\"namespace\":\"prod\",\"resourceVersion\":\"42\"}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Status\"," META "}",
        "{" META "," META "}",
        "{\"a\":\"\xff\"," META "}",
        "{\"a\":1e999," META "}",
    };
    for (unsigned i = 0; i < COUNT(bodies); i++) {
        struct target_answer a;
        char name[80];
        snprintf(name, sizeof name, "no object, number %u", i);
        check_code(c, answer(CALL_READ, PLAIN, 200, bodies[i], &a), E_read_failed, name);
        check_that(c, tells(&a, "", ""), "tells nothing");
        check_code(c, answer(CALL_MUTATE, PLAIN, 200, bodies[i], &a), E_ok, "of a write the status says it");
        check_that(c, a.post_holds, "and nothing was asked of it");
        check_code(c, answer(CALL_MUTATE, "{\"post\":[{\"absent\":true,\"pointer\":\"/x\"}]" AT, 200, bodies[i], &a), E_ok, name);
        check_that(c, !a.post_holds, "but what can't be read holds nothing");
    }
}

static void test_versions(struct checks *c)
{
    static const char *const none[] = { "\"\"", "null", "42", "\"4 2\"", "\"4\\\"2\"", "\"42\\u0000\"", "\"\xc3\xa9\"",
        "\"12345678901234567890123456789012345678901234567890123456789012345\"" };
    for (unsigned i = 0; i < COUNT(none); i++) {
        struct target_answer a;
        char body[300];
        snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"web\",\"namespace\":\"prod\",\"resourceVersion\":%s,\"uid\":%s}}",
            none[i], none[i]);
        check_code(c, answer(CALL_READ, PLAIN, 200, body, &a), E_ok, "a version that no write could carry");
        check_that(c, tells(&a, "", ""), "isn't told");
    }
}

/* RFC 8785 forms by hand: of numbers those of its appendix B, and what the API server sends. */
static void test_fields(struct checks *c)
{
    static const struct {
        const char *value, *form;
    } rows[] = {
        { "3", "3" },
        { "3.0", "3" },
        { "-0", "0" },
        { "-0.0", "0" },
        { "0.5", "0.5" },
        { "0.1", "0.1" },
        { "-1.25e2", "-125" },
        { "1e21", "1e+21" },
        { "1e20", "100000000000000000000" },
        { "123456789012345678901234567890", "1.2345678901234568e+29" },
        { "9007199254740993", "9007199254740992" },
        { "9223372036854775807", "9223372036854776000" },
        { "0.000001", "0.000001" },
        { "0.0000001", "1e-7" },
        { "5e-324", "5e-324" },
        { "1.7976931348623157e308", "1.7976931348623157e+308" },
        { "4.35", "4.35" },
        { "333333333.33333329", "333333333.3333333" },
        { "1E30", "1e+30" },
        { "0.002", "0.002" },
        { "{\"b\":1,\"a\":[true,null,\"\\u00e9\\/\"]}", "{\"a\":[true,null,\"\xc3\xa9/\"],\"b\":1}" },
        { "null", "null" },
        { "\"\"", "\"\"" },
    };
    for (unsigned i = 0; i < COUNT(rows); i++) {
        struct target_answer a;
        struct digest want = sha256(span_text(rows[i].form));
        char body[300], name[100];
        snprintf(body, sizeof body, "{\"x\":[%s]," META "}", rows[i].value);
        snprintf(name, sizeof name, "the form of %s", rows[i].value);
        check_code(c, answer(CALL_READ, "{\"fields\":[\"/y\",\"/x/0\"]" AT, 200, body, &a), E_ok, name);
        check_that(c, a.fields_n == 2 && !a.field[0].exists && a.field[1].exists && digest_equal(&a.field[1].sha256, &want), name);
    }
    struct target_answer a;
    check_code(c, answer(CALL_READ, "{\"fields\":[\"/x\"]" AT, 200, "{\"x\":\"\\u0000\"," META "}", &a), E_read_failed,
        "a field that has no form");
    check_code(c, answer(CALL_MUTATE, "{\"fields\":[\"/x\"]" AT, 200, "{\"x\":\"\\u0000\"," META "}", &a), E_ok, "of a write");
    check_that(c, a.fields_n == 0, "isn't told");
    check_code(c, answer(CALL_READ, "{\"fields\":[1]" AT, 200, "{" META "}", &a), E_read_failed, "details that are none");
}

static void test_many_fields(struct checks *c)
{
    AUTO_BUF details = BUF(TARGET_DETAILS_MAX);
    struct target_answer a;
    check_code(c, buf_text(&details, "{\"fields\":[\"/metadata\""), E_ok, "fields begin");
    for (unsigned i = 1; i < TARGET_FIELDS_MAX; i++)
        if (!is_ok(buf_printf(&details, ",\"/x%u\"", i)))
            return;
    size_t before = details.n;
    check_code(c, buf_text(&details, "]" AT), E_ok, "they end");
    check_code(c, buf_u8(&details, 0), E_ok, "here");
    check_code(
        c, answer(CALL_READ, (const char *)details.p, 200, "{\"x63\":1," META "}", &a), E_ok, "as many fields as there can be");
    check_that(
        c, a.fields_n == TARGET_FIELDS_MAX && a.field[0].exists && !a.field[1].exists && a.field[63].exists, "each as it is");
    details.n = before;
    check_code(c, buf_text(&details, ",\"/one\"]" AT), E_ok, "one more");
    check_code(c, buf_u8(&details, 0), E_ok, "here");
    check_code(
        c, answer(CALL_READ, (const char *)details.p, 200, "{" META "}", &a), E_read_failed, "more fields than there can be");
}

static void test_postconditions(struct checks *c)
{
    struct digest three = sha256(span_text("3"));
    char text[DIGEST_TEXT + 1], details[400];
    struct target_answer a;
    snprintf(details, sizeof details,
        "{\"post\":[{\"pointer\":\"/spec/n\",\"sha256\":\"%s\"},{\"absent\":true,\"pointer\":\"/spec/p\"}]" AT,
        digest_text(&three, text));
    static const struct {
        bool holds;
        uint32_t status;
        const char *spec;
    } rows[] = {
        { true, 200, "{\"n\":3}" },
        { true, 201, "{\"n\":3.0}" },
        { false, 200, "{\"n\":\"3\"}" },
        { false, 200, "{\"n\":4}" },
        { false, 200, "{}" },
        { false, 200, "{\"n\":3,\"p\":null}" },
        { false, 409, "{\"n\":3}" },
        { false, 500, "{\"n\":3}" },
    };
    for (unsigned i = 0; i < COUNT(rows); i++) {
        char body[200];
        snprintf(body, sizeof body, "{\"spec\":%s," META "}", rows[i].spec);
        check_code(c, answer(CALL_MUTATE, details, rows[i].status, body, &a), E_ok, "a rehearsal's answer");
        check_that(c, a.post_holds == rows[i].holds, rows[i].spec);
    }
    check_code(
        c, answer(CALL_MUTATE, "{\"post\":[{\"pointer\":\"/spec\"}]" AT, 200, "{\"spec\":1," META "}", &a), E_ok, "no digest");
    check_that(c, !a.post_holds, "holds nothing");
}

static void refused(struct checks *c, const char *name, bool secret, const char *body, const char *reason, const char *causes)
{
    struct target_answer a;
    check_code(c, answer(CALL_MUTATE, secret ? "{\"secret\":true" AT : PLAIN, 422, body, &a), E_ok, name);
    bool same = span_is(span_text(a.reason), reason) && span_is(span_text(a.causes), causes) && !a.post_holds;
    check_that(c, same, name);
    if (!same)
        printf("# got %s %s\n", a.reason, a.causes);
}

#define STATUS "{\"apiVersion\":\"v1\",\"kind\":\"Status\",\"status\":\"Failure\""
static void test_refusals(struct checks *c)
{
    refused(c, "a cause", false,
        STATUS
        ",\"reason\":\"Invalid\",\"message\":\"all of it\",\"details\":{\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":"
        "\"no\",\"field\":\"spec.x\",\"more\":1}]}}",
        "Invalid", "[{\"field\":\"spec.x\",\"message\":\"no\",\"reason\":\"FieldValueInvalid\"}]");
    refused(c, "a Secret's message isn't told", true,
        STATUS ",\"reason\":\"Invalid\",\"message\":\"Invalid value: hunter2\",\"details\":{\"causes\":[{\"reason\":"
               "\"FieldValueInvalid\",\"message\":\"hunter2\",\"field\":\"data[p]\"}]}}",
        "Invalid", "[{\"field\":\"data[p]\",\"reason\":\"FieldValueInvalid\"}]");
    refused(c, "nor the whole one", true, STATUS ",\"reason\":\"Conflict\",\"message\":\"hunter2\"}", "Conflict", "");
    refused(c, "a message alone", false, STATUS ",\"reason\":\"Conflict\",\"message\":\"the object has been modified\"}",
        "Conflict", "[{\"message\":\"the object has been modified\"}]");
    refused(
        c, "an empty list of causes", false, STATUS ",\"message\":\"m\",\"details\":{\"causes\":[]}}", "", "[{\"message\":\"m\"}]");
    refused(c, "causes that say nothing", false, STATUS ",\"details\":{\"causes\":[{},null,1,{\"field\":\"\",\"message\":2}]}}", "",
        "");
    refused(c, "a message up to its NUL", false, STATUS ",\"message\":\"ab\\u0000cd\"}", "", "[{\"message\":\"ab\"}]");
    refused(c, "reason that is no text", false, STATUS ",\"reason\":{\"a\":1}}", "", "");
    refused(c, "no Status", false, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"reason\":\"x\",\"message\":\"m\"}", "", "");
    refused(c, "a Status of another group", false, "{\"kind\":\"Status\",\"apiVersion\":\"x/v1\",\"reason\":\"x\"}", "", "");
    refused(c, "no JSON", false, "<html>", "", "");
    refused(c, "nothing", false, "", "", "");
}

/* n times the text, into a body's message. */
static void cut_is(struct checks *c, const char *name, const char *head, const char *text, unsigned n, size_t want)
{
    AUTO_BUF body = BUF(8192);
    struct target_answer a;
    AUTO_JSON *v = NULL;
    bool put = is_ok(buf_printf(&body, STATUS ",\"message\":\"%s", head));
    for (unsigned i = 0; i < n; i++)
        put = put && is_ok(buf_text(&body, text));
    put = put && is_ok(buf_text(&body, "\"}")) && is_ok(buf_u8(&body, 0));
    check_that(c, put, name);
    check_code(c, answer(CALL_MUTATE, PLAIN, 403, (const char *)body.p, &a), E_ok, name);
    check_code(c, json_strict(span_text(a.causes), sizeof a.causes, &v), E_ok, "the causes are JSON");
    size_t got = json_string_length(json_object_get(json_array_get(v, 0), "message"));
    check_that(c, got == want, name);
    if (got != want)
        printf("# got %zu\n", got);
}

static void test_cuts(struct checks *c)
{
    cut_is(c, "256 bytes", "", "a", 256, 256);
    cut_is(c, "257 bytes", "", "a", 257, 256);
    cut_is(c, "characters of two bytes", "", "\xc3\xa9", 200, 256);
    cut_is(c, "one of them over the end", "a", "\xc3\xa9", 200, 255);
    cut_is(c, "characters of four bytes", "abc", "\xf0\x9f\x98\x80", 100, 255);
}

static void test_many_causes(struct checks *c)
{
    AUTO_BUF body = BUF(65536);
    struct target_answer a;
    AUTO_JSON *few = NULL, *fitting = NULL;
    check_code(c, buf_text(&body, STATUS ",\"details\":{\"causes\":[{\"field\":\"f\"}"), E_ok, "causes begin");
    for (unsigned i = 1; i < 100; i++)
        if (!is_ok(buf_printf(&body, ",{\"field\":\"f%u\"}", i)))
            return;
    check_code(c, buf_text(&body, "]}}"), E_ok, "they end");
    check_code(c, buf_u8(&body, 0), E_ok, "here");
    check_code(c, answer(CALL_MUTATE, PLAIN, 422, (const char *)body.p, &a), E_ok, "a hundred causes");
    check_code(c, json_strict(span_text(a.causes), sizeof a.causes, &few), E_ok, "are JSON");
    check_that(c, json_array_size(few) == TARGET_CAUSES, "of eight");
    buf_clear(&body);
    check_code(c, buf_text(&body, STATUS ",\"details\":{\"causes\":["), E_ok, "long causes begin");
    for (unsigned i = 0; i < 8; i++) {
        if (!is_ok(buf_text(&body, i ? ",{\"message\":\"" : "{\"message\":\"")))
            return;
        for (unsigned j = 0; j < 250; j++)
            if (!is_ok(buf_text(&body, "\\u0001")))
                return;
        if (!is_ok(buf_text(&body, "\"}")))
            return;
    }
    check_code(c, buf_text(&body, "]}}"), E_ok, "they end");
    check_code(c, buf_u8(&body, 0), E_ok, "here");
    check_code(c, answer(CALL_MUTATE, PLAIN, 422, (const char *)body.p, &a), E_ok, "causes that don't fit");
    check_code(c, json_strict(span_text(a.causes), sizeof a.causes, &fitting), E_ok, "are JSON");
    check_that(c, json_array_size(fitting) == 2, "of those that fit");
}

int main(void)
{
    struct checks c = { 0 };
    test_objects(&c);
    test_not_there(&c);
    test_no_objects(&c);
    test_versions(&c);
    test_fields(&c);
    test_many_fields(&c);
    test_postconditions(&c);
    test_refusals(&c);
    test_cuts(&c);
    test_many_causes(&c);
    return checks_end(&c);
}
