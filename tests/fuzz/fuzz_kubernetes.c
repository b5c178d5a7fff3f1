/* Whatever body is composed carries what the write must carry, and says all else as it was certified; whatever answer is read tells
 * causes that an entry can hold; whatever path is one gives a URL that the runner may call. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "target/target.h"

#include <stdlib.h>

static void hold(bool holds)
{
    if (!holds)
        abort();
}

static bool is_text(const json_t *v, const char *want)
{
    return json_is_string(v) && span_is(span_text(json_string_value(v)), want);
}

/* Without what we put in: the member, and metadata where nothing else is in it. */
static void strip(json_t *o)
{
    json_t *metadata = json_object_get(o, "metadata");
    json_object_del(metadata, "uid");
    json_object_del(metadata, "resourceVersion");
    if (json_is_object(metadata) && json_object_size(metadata) == 0)
        json_object_del(o, "metadata");
}

static void hold_object(struct span body, struct span sent)
{
    AUTO_JSON *was = NULL, *is = NULL;
    hold(is_ok(json_foreign(body, TARGET_SENT_MAX, &was)) && is_ok(json_foreign(sent, TARGET_SENT_MAX, &is)));
    const json_t *metadata = json_object_get(is, "metadata");
    hold(is_text(json_object_get(metadata, "uid"), "u-1") && is_text(json_object_get(metadata, "resourceVersion"), "41"));
    strip(was);
    strip(is);
    hold(json_equal(was, is));
}

static void hold_operations(struct span body, struct span sent)
{
    AUTO_JSON *was = NULL, *is = NULL;
    hold(is_ok(json_foreign(body, TARGET_SENT_MAX, &was)) && is_ok(json_foreign(sent, TARGET_SENT_MAX, &is)));
    size_t n = json_array_size(was);
    hold(json_array_size(is) == n + 2);
    for (size_t i = 0; i < n; i++)
        hold(json_equal(json_array_get(was, i), json_array_get(is, i)));
    const json_t *uid = json_array_get(is, n), *version = json_array_get(is, n + 1);
    hold(is_text(json_object_get(uid, "path"), "/metadata/uid") && is_text(json_object_get(uid, "value"), "u-1"));
    hold(
        is_text(json_object_get(version, "path"), "/metadata/resourceVersion") && is_text(json_object_get(version, "value"), "41"));
}

static void compose(struct span body)
{
    static const char *const forms[] = { "update", "merge", "strategic", "apply", "json", "create" };
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        AUTO_BUF out = BUF(TARGET_SENT_MAX);
        AUTO_JSON *details =
            json_pack("{ssssssssss}", "form", forms[i], "name", "web", "namespace", "prod", "uid", "u-1", "version", "41");
        if (!is_ok(target_compose("kubernetes", details, false, body, &out)))
            hold(out.n == 0);
        else if (i == 5)
            hold(span_equal(buf_span(&out), body));
        else if (i == 4)
            hold_operations(body, buf_span(&out));
        else
            hold_object(body, buf_span(&out));
    }
}

static void answer(struct span body)
{
    static const uint32_t statuses[] = { 200, 409 };
    static struct target_answer a;
    AUTO_JSON *details = json_pack("{sssss[ss]}", "name", "web", "namespace", "prod", "fields", "/metadata", "/spec/replicas");
    for (unsigned i = 0; i < 2; i++) {
        AUTO_JSON *causes = NULL;
        result r = target_answer_read("kubernetes", CALL_READ, details, statuses[i], body, &a);
        hold(is_ok(r) || (code_of(r) == E_read_failed && statuses[i] == 200));
        hold(!a.causes[0] || is_ok(json_strict(span_text(a.causes), TARGET_CAUSES_MAX, &causes)));
        hold(!is_ok(r) || statuses[i] == 409 || a.fields_n == 2);
    }
}

static void path(struct span text)
{
    AUTO_FREE char *resource = NULL;
    struct call_plan plan;
    if (!is_ok(span_dup_text(text, &resource)))
        return;
    bool good = target_resource("kubernetes", "https://h/", resource) == E_ok;
    struct target_mutation m = { .operation = "update",
        .resource = resource,
        .has_body = true,
        .media_type = "application/json",
        .has_version = true,
        .version = "41",
        .grace_s = -1 };
    if (!good) {
        hold(target_scope("kubernetes", "https://h/", &m) != E_ok);
        return;
    }
    hold(is_ok(target_plan("kubernetes", "https://h/", CALL_READ, &m, &plan)));
    hold(target_url("kubernetes", "https://h/", plan.method, plan.url) == E_ok);
    if (target_scope("kubernetes", "https://h/", &m) != E_ok)
        return;
    hold(is_ok(target_plan("kubernetes", "https://h/", CALL_MUTATE, &m, &plan)));
    hold(target_url("kubernetes", "https://h/", plan.method, plan.url) == E_ok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = { data, size };
    compose(s);
    answer(s);
    path(s);
    return 0;
}
