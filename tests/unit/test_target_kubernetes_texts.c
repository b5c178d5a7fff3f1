/* Targets of kind kubernetes: claims, details, composed bodies and answers. */
#include <config.h>

#include "check.h"
#include "target/target.h"

#include <stdio.h>

#define WEB "/apis/apps/v1/namespaces/prod/deployments/web"
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static struct field value_of(const char *pointer, const char *value)
{
    return (struct field){ .pointer = TEXT(pointer), .value = TEXT(value), .sha256 = sha256(span_text(value)) };
}

static struct target_mutation patch_of(const char *resource, const char *media_type)
{
    return (struct target_mutation){
        .operation = "patch",
        .resource = resource,
        .has_body = true,
        .media_type = media_type,
        .has_version = true,
        .uid = "u-1",
        .version = "41",
        .grace_s = -1,
        .contract = sha256(span_text("contract")),
    };
}

static void text_is(struct checks *c, const char *name, result r, const struct buf *got, const char *want)
{
    bool same = is_ok(r) && span_is(buf_span(got), want);
    check_that(c, same, name);
    if (!same)
        printf("# %s: got %.*s\n#      want %s\n", code_name(code_of(r)), (int)got->n, (const char *)got->p, want);
}

static void claims_are(struct checks *c, const char *name, enum call_use use, const struct target_mutation *m, const char *want)
{
    AUTO_JSON *claims = json_object();
    AUTO_BUF text = BUF(8192);
    struct call_plan plan;
    result r = target_plan("kubernetes", NULL, use, m, &plan);
    if (is_ok(r))
        r = target_claims("kubernetes", use, m, &plan, claims);
    if (is_ok(r))
        r = json_canonical(claims, &text);
    text_is(c, name, r, &text, want);
}

#define CONTRACT "\"contract\":\"zIMh1jdcSU0EP90CYPIbwOxR2syfart_kJzc0wQbeL8\""
static void test_claims(struct checks *c)
{
    struct field each[] = { value_of("/spec/replicas", "3"), value_of("/metadata/labels/a~1b", "\"x=\\\"y\\\"\""),
        { .pointer = TEXT("/spec/paused"), .absent = true } };
    const struct fields fields = { 3, each };
    struct target_mutation m = patch_of(WEB "/scale", "application/merge-patch+json");
    claims_are(c, "claims of a read", CALL_READ, &m,
        "{\"body\":\"none\"," CONTRACT
        ",\"fields\":[\"-\"],\"group\":\"apps\",\"name\":\"web\",\"namespace\":\"prod\",\"resource\":"
        "\"deployments\",\"subresource\":\"scale\",\"uid\":\"-\",\"use\":\"read\",\"verb\":\"get\",\"version\":\"-\"}");
    claims_are(c, "claims of a patch without fields", CALL_MUTATE, &m,
        "{\"body\":\"unfenced\"," CONTRACT ",\"fields\":[\"-\"],\"group\":\"apps\",\"name\":\"web\",\"namespace\":\"prod\","
        "\"resource\":\"deployments\",\"subresource\":\"scale\",\"uid\":\"u-1\",\"use\":\"mutate\",\"verb\":\"patch\",\"version\":"
        "\"41\"}");
    m.resource = WEB;
    m.fields = &fields;
    claims_are(c, "claims with fields", CALL_MUTATE, &m,
        "{\"body\":\"fenced\"," CONTRACT ",\"fields\":[\"/spec/replicas=3\",\"/metadata/labels/a~1b=\\\"x=\\\\\\\"y\\\\\\\"\\\"\","
        "\"/spec/paused\"],\"group\":\"apps\",\"name\":\"web\",\"namespace\":\"prod\",\"resource\":\"deployments\",\"subresource\":"
        "\"-\",\"uid\":\"u-1\",\"use\":\"mutate\",\"verb\":\"patch\",\"version\":\"41\"}");
    m = patch_of("/api/v1/namespaces/prod", "application/json");
    m.operation = "create";
    m.absent = true;
    claims_are(c, "claims of a namespace's creation", CALL_MUTATE, &m,
        "{\"body\":\"unfenced\"," CONTRACT ",\"fields\":[\"-\"],\"group\":\"-\",\"name\":\"prod\",\"namespace\":\"-\",\"resource\":"
        "\"namespaces\",\"subresource\":\"-\",\"uid\":\"-\",\"use\":\"mutate\",\"verb\":\"create\",\"version\":\"-\"}");
    m = patch_of("/api/v1/namespaces/prod/secrets/s", "application/merge-patch+json");
    const struct fields absent = { 1, &each[2] };
    m.fields = &absent;
    claims_are(c, "claims of a Secret", CALL_MUTATE, &m,
        "{\"body\":\"unfenced\"," CONTRACT ",\"fields\":[\"/spec/paused\"],\"group\":\"-\",\"name\":\"s\",\"namespace\":\"prod\","
        "\"resource\":\"secrets\",\"subresource\":\"-\",\"uid\":\"u-1\",\"use\":\"mutate\",\"verb\":\"patch\",\"version\":\"41\"}");
    m = patch_of("/api/v1/namespaces/prod/pods/p/eviction", NULL);
    m.operation = "create";
    m.has_body = false;
    claims_are(c, "claims of an eviction", CALL_MUTATE, &m,
        "{\"body\":\"none\"," CONTRACT ",\"fields\":[\"-\"],\"group\":\"-\",\"name\":\"p\",\"namespace\":\"prod\",\"resource\":"
        "\"pods\",\"subresource\":\"eviction\",\"uid\":\"u-1\",\"use\":\"mutate\",\"verb\":\"create\",\"version\":\"41\"}");
    claims_are(c, "claims of what it reads", CALL_READ, &m,
        "{\"body\":\"none\"," CONTRACT ",\"fields\":[\"-\"],\"group\":\"-\",\"name\":\"p\",\"namespace\":\"prod\",\"resource\":"
        "\"pods\",\"subresource\":\"-\",\"uid\":\"-\",\"use\":\"read\",\"verb\":\"get\",\"version\":\"-\"}");
}

static void field_gives(struct checks *c, const char *name, enum seb_code want, struct field f)
{
    const struct fields fields = { 1, &f };
    struct target_mutation m = patch_of(WEB, "application/merge-patch+json");
    m.fields = &fields;
    enum seb_code got = target_scope("kubernetes", "https://h/", &m);
    check_that(c, got == want, name);
    if (got != want)
        printf("# got %s, want %s\n", code_name(got), code_name(want));
}

static void test_fields_claim(struct checks *c)
{
    static char long_value[FIELD_VALUE_MAX + 1];
    struct field many[5];
    const struct fields four = { 4, many }, three = { 3, many };
    long_value[0] = long_value[FIELD_VALUE_MAX - 1] = '"';
    for (unsigned i = 1; i < FIELD_VALUE_MAX - 1; i++)
        long_value[i] = 'x';
    for (unsigned i = 0; i < 5; i++)
        many[i] = value_of("/a", long_value);
    struct target_mutation m = patch_of(WEB, "application/merge-patch+json");
    m.fields = &three;
    check_that(c, target_scope("kubernetes", "https://h/", &m) == E_ok, "fields that fit");
    m.fields = &four;
    check_that(c, target_scope("kubernetes", "https://h/", &m) == E_fields_too_long, "fields that don't");
    field_gives(c, "a pointer with '='", E_field_ambiguous, value_of("/a=b", "1"));
    field_gives(c, "an absent one too", E_field_ambiguous, (struct field){ .pointer = TEXT("/a=1"), .absent = true });
    field_gives(c, "a control character that CEL writes otherwise", E_field_ambiguous, value_of("/a", "\"\\u0001\""));
    field_gives(c, "a backslash before a u", E_ok, value_of("/a", "\"\\\\u0001\""));
    field_gives(c, "a backslash, then a control character", E_field_ambiguous, value_of("/a", "\"\\\\\\u0001\""));
    field_gives(c, "a line's end", E_ok, value_of("/a", "\"\\n\""));
    field_gives(c, "a digest alone can't be told", E_bad_value, (struct field){ .pointer = TEXT("/a") });
}

static void details_are(struct checks *c, const char *name, enum call_use use, const struct target_mutation *m, const char *want)
{
    AUTO_BUF text = BUF(TARGET_DETAILS_MAX);
    text_is(c, name, target_details("kubernetes", use, m, &text), &text, want);
}

static void test_details(struct checks *c)
{
    struct field pre[] = { value_of("/spec/replicas", "2") }, own[] = { value_of("/spec/replicas", "3") },
                 post[] = { value_of("/spec/paused", "true"), { .pointer = TEXT("/x"), .absent = true } };
    const struct fields pre_fields = { 1, pre }, fields = { 1, own }, post_fields = { 2, post };
    struct target_mutation m = patch_of(WEB, "application/merge-patch+json");
    m.pre_fields = &pre_fields;
    m.fields = &fields;
    details_are(c, "details of a read", CALL_READ, &m,
        "{\"fields\":[\"/spec/replicas\",\"/spec/replicas\"],\"name\":\"web\",\"namespace\":\"prod\"}");
    details_are(c, "details of a patch", CALL_MUTATE, &m,
        "{\"fields\":[\"/spec/replicas\",\"/spec/replicas\"],\"form\":\"merge\",\"name\":\"web\",\"namespace\":\"prod\","
        "\"uid\":\"u-1\",\"version\":\"41\"}");
    m.pre_fields = m.fields = NULL;
    m.post_fields = &post_fields;
    details_are(c, "postconditions ask for a rehearsal", CALL_MUTATE, &m,
        "{\"dry_run\":true,\"fields\":[],\"form\":\"merge\",\"name\":\"web\",\"namespace\":\"prod\",\"post\":[{\"pointer\":"
        "\"/spec/paused\",\"sha256\":\"tb6kG2xiP3wJ8b8k3K5Y66s8DN2QrZZrxDpFtEhn4Ss\"},{\"absent\":true,\"pointer\":\"/x\"}],"
        "\"uid\":\"u-1\",\"version\":\"41\"}");
    m = patch_of("/api/v1/namespaces/prod/secrets/s", NULL);
    m.operation = "delete";
    m.has_body = false;
    m.propagation = "Orphan";
    m.grace_s = 0;
    m.dry_run = true;
    details_are(c, "details of a deletion", CALL_MUTATE, &m,
        "{\"dry_run\":true,\"fields\":[],\"form\":\"delete\",\"grace_s\":0,\"name\":\"s\",\"namespace\":\"prod\",\"propagation\":"
        "\"Orphan\",\"secret\":true,\"uid\":\"u-1\",\"version\":\"41\"}");
    m = patch_of("/api/v1/nodes/n", "application/json");
    m.operation = "create";
    details_are(c, "details of a creation", CALL_MUTATE, &m, "{\"fields\":[],\"form\":\"create\",\"name\":\"n\"}");
    AUTO_JSON *v = NULL;
    check_code(c, json_strict(span_text("{\"dry_run\":true}"), 100, &v), E_ok, "details");
    check_that(c, target_rehearses(v), "that ask for a rehearsal");
    check_that(c, !target_rehearses(NULL), "none don't");
}

#define AT ",\"name\":\"web\",\"namespace\":\"prod\",\"uid\":\"u-1\",\"version\":\"41\"}"
#define PINS "\"resourceVersion\":\"41\",\"uid\":\"u-1\""
static result compose(const char *details, bool rehearsal, const char *body, struct buf *out)
{
    AUTO_JSON *v = NULL;
    TRY(json_strict(span_text(details), TARGET_DETAILS_MAX, &v));
    return target_compose("kubernetes", v, rehearsal, span_text(body), out);
}

static void composed_is(struct checks *c, const char *name, const char *details, const char *body, const char *want)
{
    AUTO_BUF out = BUF(TARGET_SENT_MAX);
    text_is(c, name, compose(details, false, body, &out), &out, want);
}

static void composed_not(struct checks *c, enum seb_code want, const char *details, const char *body)
{
    AUTO_BUF out = BUF(TARGET_SENT_MAX);
    char name[160];
    snprintf(name, sizeof name, "not sent: %.*s", (int)span_find(span_part(span_text(body), 0, 120), 0, 0x0a), body);
    check_code(c, compose(details, false, body, &out), want, name);
    check_that(c, out.n == 0, "nothing of it");
}

#define MERGE "{\"form\":\"merge\"" AT
#define STRATEGIC "{\"form\":\"strategic\"" AT
#define APPLY "{\"form\":\"apply\"" AT
#define UPDATE "{\"form\":\"update\"" AT
#define JSON "{\"form\":\"json\"" AT
#define CREATE "{\"form\":\"create\",\"name\":\"web\",\"namespace\":\"prod\"}"
#define CREATE_NODE "{\"form\":\"create\",\"name\":\"n\"}"
static void test_composed_objects(struct checks *c)
{
    composed_is(c, "an empty patch", MERGE, "{}", "{\"metadata\":{" PINS "}}");
    composed_is(c, "without metadata", MERGE, " {\n\"spec\": 1.50 }", " {\"metadata\":{" PINS "},\n\"spec\": 1.50 }");
    composed_is(c, "with empty metadata", MERGE, "{\"metadata\":{ }}", "{\"metadata\":{" PINS " }}");
    composed_is(c, "bytes as they are", STRATEGIC, "{ \"spec\" : [1e2,{\"a\":\"}\\\"]\"}] , \"metadata\" : {\"labels\":{}} }\n",
        "{ \"spec\" : [1e2,{\"a\":\"}\\\"]\"}] , \"metadata\" : {" PINS ",\"labels\":{}} }\n");
    composed_is(c, "an inner metadata isn't it", APPLY, "{\"spec\":{\"metadata\":{}},\"metadata\":{\"name\":\"web\"}}",
        "{\"spec\":{\"metadata\":{}},\"metadata\":{" PINS ",\"name\":\"web\"}}");
    composed_is(c, "a text isn't it", MERGE, "{\"a\":\"metadata\",\"metadata\":{\"x\":1}}",
        "{\"a\":\"metadata\",\"metadata\":{" PINS ",\"x\":1}}");
    composed_is(c, "pins that are there", UPDATE, "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"41\",\"uid\":\"u-1\"}}",
        "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"41\",\"uid\":\"u-1\"}}");
    composed_is(c, "one that is there", UPDATE, "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"41\"}}",
        "{\"metadata\":{\"uid\":\"u-1\",\"name\":\"web\",\"resourceVersion\":\"41\"}}");
    composed_is(c, "no uid known", "{\"form\":\"merge\",\"name\":\"web\",\"version\":\"41\"}", "{\"metadata\":{\"labels\":{}}}",
        "{\"metadata\":{\"resourceVersion\":\"41\",\"labels\":{}}}");
    composed_is(c, "huge integers and small reals as they are", MERGE, "{\"a\":123456789012345678901234567890,\"b\":0.1}",
        "{\"metadata\":{" PINS "},\"a\":123456789012345678901234567890,\"b\":0.1}");
    composed_is(c, "a creation as it is", CREATE, " {\"metadata\":{\"name\":\"web\",\"namespace\":\"prod\"},\"x\":1.0}",
        " {\"metadata\":{\"name\":\"web\",\"namespace\":\"prod\"},\"x\":1.0}");
    composed_is(
        c, "a creation without a namespace", CREATE, "{\"metadata\":{\"name\":\"web\"}}", "{\"metadata\":{\"name\":\"web\"}}");
    composed_is(c, "a cluster-scoped creation", CREATE_NODE, "{\"metadata\":{\"name\":\"n\",\"namespace\":\"\"}}",
        "{\"metadata\":{\"name\":\"n\",\"namespace\":\"\"}}");
    composed_is(c, "a pod's own generateName", MERGE, "{\"metadata\":{\"generateName\":\"web-\"}}",
        "{\"metadata\":{" PINS ",\"generateName\":\"web-\"}}");
}

static void test_hostile_objects(struct checks *c)
{
    static const char *const mismatched[] = {
        "{\"metadata\":{\"name\":\"other\"}}",
        "{\"metadata\":{\"name\":null}}",
        "{\"metadata\":{\"name\":[\"web\"]}}",
        "{\"metadata\":{\"name\":\"web\\u0000x\"}}",
        "{\"metadata\":{\"namespace\":\"other\"}}",
        "{\"metadata\":{\"namespace\":\"\"}}",
        "{\"metadata\":{\"uid\":\"u-2\"}}",
        "{\"metadata\":{\"uid\":\"\"}}",
        "{\"metadata\":{\"uid\":null}}",
        "{\"metadata\":{\"resourceVersion\":\"40\"}}",
        "{\"metadata\":{\"resourceVersion\":\"\"}}",
        "{\"metadata\":{\"resourceVersion\":\"0\"}}",
        "{\"metadata\":{\"resourceVersion\":41}}",
        "{\"metadata\":{\"resourceVersion\":null}}",
        "{\"metadata\":{\"resourceversion\":\"\"}}",
        "{\"metadata\":{\"ResourceVersion\":\"41\"}}",
        "{\"metadata\":{\"UID\":\"u-2\"}}",
        "{\"metadata\":{\"Name\":\"web\"}}",
        "{\"Metadata\":{}}",
        "{\"METADATA\":null,\"metadata\":{}}",
        "{\"\\u006detadata\":{}}",
        "{\"metadat\\u0061\":{\"x\":{\"metadata\":{}}}}",
    };
    for (unsigned i = 0; i < COUNT(mismatched); i++) {
        composed_not(c, E_body_mismatch, MERGE, mismatched[i]);
        composed_not(c, E_body_mismatch, UPDATE, mismatched[i]);
    }
    static const struct {
        enum seb_code code;
        const char *body;
    } rows[] = {
        { E_bad_json, "" },
        { E_bad_json, "{" },
        { E_bad_json, "{\"a\":1,}" },
        { E_bad_json, "metadata: {name: web}" },
        { E_bad_json, "{'a':1}" },
        { E_trailing_bytes, "{}{}" },
        { E_trailing_bytes, "{}\n---\n{}" },
        { E_bad_utf8, "{\"a\":\"\xff\"}" },
        { E_duplicate_member, "{\"a\":1,\"a\":1}" },
        { E_duplicate_member, "{\"metadata\":{},\"metadata\":{}}" },
        { E_duplicate_member, "{\"metadata\":{},\"metadat\\u0061\":{}}" },
        { E_duplicate_member, "{\"metadata\":{\"uid\":\"u-1\",\"uid\":\"u-2\"}}" },
        { E_not_integer, "{\"a\":1e999}" },
        { E_bad_type, "[]" },
        { E_bad_type, "{\"metadata\":null}" },
        { E_bad_type, "{\"metadata\":[]}" },
        { E_bad_type, "{\"metadata\":\"x\"}" },
    };
    for (unsigned i = 0; i < COUNT(rows); i++)
        composed_not(c, rows[i].code, MERGE, rows[i].body);
    composed_not(c, E_body_mismatch, UPDATE, "{\"spec\":{}}");
    composed_not(c, E_body_mismatch, CREATE, "{\"spec\":{}}");
    composed_not(c, E_body_mismatch, CREATE, "{\"metadata\":{\"generateName\":\"web\"}}");
    composed_not(c, E_body_mismatch, CREATE, "{\"metadata\":{\"name\":\"web\",\"generateName\":\"web\"}}");
    composed_not(c, E_body_mismatch, CREATE, "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"41\"}}");
    composed_not(c, E_body_mismatch, CREATE, "{\"metadata\":{\"name\":\"web\",\"uid\":\"u-1\"}}");
    composed_not(c, E_body_mismatch, CREATE_NODE, "{\"metadata\":{\"name\":\"n\",\"namespace\":\"prod\"}}");
    composed_not(c, E_body_mismatch, STRATEGIC, "{\"$patch\":\"replace\"}");
    composed_not(c, E_body_mismatch, STRATEGIC, "{\"metadata\":{\"$patch\":\"delete\"}}");
    composed_not(c, E_body_mismatch, STRATEGIC, "{\"metadata\":{\"$retainKeys\":[\"name\"]}}");
}

static void test_big_and_deep(struct checks *c)
{
    AUTO_BUF deep = BUF(1000), big = BUF(2 * TARGET_SENT_MAX), out = BUF(TARGET_SENT_MAX);
    for (unsigned i = 0; i < 128; i++)
        if (!is_ok(buf_text(&deep, "[")))
            return;
    check_code(c, buf_u8(&deep, 0), E_ok, "129 levels");
    AUTO_BUF body = BUF(2000);
    check_code(c, buf_printf(&body, "{\"a\":%s", (const char *)deep.p), E_ok, "of a body");
    check_code(c, buf_u8(&body, 0), E_ok, "end");
    composed_not(c, E_too_deep, MERGE, (const char *)body.p);
    check_code(c, buf_text(&big, "{\"a\":\""), E_ok, "a big body");
    while (big.n < TARGET_SENT_MAX - 2)
        if (!is_ok(buf_u8(&big, 'x')))
            return;
    check_code(c, buf_text(&big, "\"}"), E_ok, "ends");
    check_code(c, buf_u8(&big, 0), E_ok, "here");
    check_code(c, compose(MERGE, false, (const char *)big.p, &out), E_too_long, "no room for what we put in");
    check_that(c, out.n == 0, "nothing is sent");
}

#define OURS                                                                                                      \
    "{\"op\":\"replace\",\"path\":\"/metadata/uid\",\"value\":\"u-1\"},{\"op\":\"replace\",\"path\":\"/metadata/" \
    "resourceVersion\","                                                                                          \
    "\"value\":\"41\"}]"
static void test_operations(struct checks *c)
{
    static const char *const mismatched[] = {
        "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]",
        "[{\"op\":\"replace\",\"path\":\"/metadata\",\"value\":{}}]",
        "[{\"op\":\"remove\",\"path\":\"/metadata\"}]",
        "[{\"op\":\"replace\",\"path\":\"/metadata/name\",\"value\":\"x\"}]",
        "[{\"op\":\"replace\",\"path\":\"/metadata/namespace\",\"value\":\"x\"}]",
        "[{\"op\":\"add\",\"path\":\"/metadata/generateName\",\"value\":\"x\"}]",
        "[{\"op\":\"remove\",\"path\":\"/metadata/uid\"}]",
        "[{\"op\":\"remove\",\"path\":\"/metadata/resourceVersion\"}]",
        "[{\"op\":\"move\",\"from\":\"/metadata/uid\",\"path\":\"/spec/x\"}]",
        "[{\"op\":\"move\",\"path\":\"/spec/x\"}]",
        "[{\"op\":\"copy\",\"from\":\"/spec/x\",\"path\":\"/metadata/uid\"}]",
        "[{\"op\":\"remove\",\"path\":\"metadata/uid\"}]",
        "[{\"op\":\"remove\",\"path\":\"x/metadata/uid\"}]",
    };
    for (unsigned i = 0; i < COUNT(mismatched); i++)
        composed_not(c, E_body_mismatch, JSON, mismatched[i]);
    composed_not(c, E_bad_type, JSON, "{}");
    composed_not(c, E_bad_type, JSON, "[1]");
    composed_not(c, E_missing_member, JSON, "[{\"path\":\"/a\"}]");
    composed_not(c, E_bad_type, JSON, "[{\"op\":\"remove\"}]");
    composed_not(c, E_bad_type, JSON, "[{\"op\":\"remove\",\"path\":1}]");
    composed_not(c, E_bad_type, JSON, "[{\"op\":\"move\",\"path\":\"/a\",\"from\":{}}]");
    composed_not(c, E_bad_type, JSON, "[{\"op\":\"remove\",\"path\":\"/a\\u0000\"}]");
    composed_not(c, E_duplicate_member, JSON, "[{\"op\":\"test\",\"op\":\"remove\",\"path\":\"/metadata/uid\"}]");
    composed_not(c, E_trailing_bytes, JSON, "[] []");
    composed_is(c, "no operation of the contract's", JSON, "[ ] ", "[ " OURS " ");
    composed_is(c, "operations, and ours behind them", JSON, "[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"]\"}]\n",
        "[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"]\"}," OURS "\n");
    composed_is(c, "a label is no identity", JSON, "[{\"op\":\"remove\",\"path\":\"/metadata/labels/name\"}]",
        "[{\"op\":\"remove\",\"path\":\"/metadata/labels/name\"}," OURS);
    composed_is(c, "nor what only begins like metadata", JSON, "[{\"op\":\"remove\",\"path\":\"/metadatas\"}]",
        "[{\"op\":\"remove\",\"path\":\"/metadatas\"}," OURS);
}

static void test_deletions(struct checks *c)
{
    AUTO_BUF out = BUF(TARGET_SENT_MAX);
    composed_is(c, "a deletion", "{\"form\":\"delete\"" AT, "",
        "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{" PINS "}}");
    composed_is(c, "its parameters", "{\"form\":\"delete\",\"grace_s\":0,\"propagation\":\"Foreground\"" AT, "",
        "{\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0,\"kind\":\"DeleteOptions\",\"preconditions\":{" PINS
        "},\"propagationPolicy\":\"Foreground\"}");
    text_is(c, "its rehearsal", compose("{\"form\":\"delete\"" AT, true, "", &out), &out,
        "{\"apiVersion\":\"v1\",\"dryRun\":[\"All\"],\"kind\":\"DeleteOptions\",\"preconditions\":{" PINS "}}");
    composed_is(c, "an eviction", "{\"form\":\"evict\",\"grace_s\":5" AT, "",
        "{\"apiVersion\":\"policy/v1\",\"deleteOptions\":{\"gracePeriodSeconds\":5,\"preconditions\":{" PINS
        "}},\"kind\":\"Eviction\",\"metadata\":{\"name\":\"web\",\"namespace\":\"prod\"}}");
    buf_clear(&out);
    text_is(c, "its rehearsal", compose("{\"form\":\"evict\"" AT, true, "", &out), &out,
        "{\"apiVersion\":\"policy/v1\",\"deleteOptions\":{\"dryRun\":[\"All\"],\"preconditions\":{" PINS
        "}},\"kind\":\"Eviction\",\"metadata\":{\"name\":\"web\",\"namespace\":\"prod\"}}");
    composed_not(c, E_body_mismatch, "{\"form\":\"delete\"" AT, "{}");
    composed_not(c, E_precondition_unusable, "{\"form\":\"delete\",\"name\":\"web\",\"version\":\"41\"}", "");
    composed_not(c, E_precondition_unusable, "{\"form\":\"delete\",\"name\":\"web\",\"uid\":\"u\"}", "");
    composed_not(c, E_precondition_unusable, "{\"form\":\"merge\",\"name\":\"web\"}", "{}");
    composed_not(c, E_precondition_unusable, "{\"form\":\"merge\",\"name\":\"web\",\"version\":\"4\\\"1\"}", "{}");
    composed_not(c, E_bad_value, "{\"form\":\"merge\",\"name\":\"web\",\"uid\":\"\\\"\",\"version\":\"41\"}", "{}");
    composed_not(c, E_bad_value, "{\"form\":\"merge\",\"version\":\"41\"}", "{}");
    composed_not(c, E_bad_value, "{\"name\":\"web\",\"version\":\"41\"}", "{}");
    composed_not(c, E_bad_value, "{\"form\":\"exec\"" AT, "{}");
    composed_not(c, E_bad_value, "{}", "{}");
}

int main(void)
{
    struct checks c = { 0 };
    test_claims(&c);
    test_fields_claim(&c);
    test_details(&c);
    test_composed_objects(&c);
    test_hostile_objects(&c);
    test_big_and_deep(&c);
    test_operations(&c);
    test_deletions(&c);
    return checks_end(&c);
}
