/* Contracts over objects of a cluster, from the object and the body; and the table of ways around its fence. */
#include "config.h"

#include "check.h"
#include "fence/kubernetes_check.h"
#include "policy/documents.h"
#include "sab/contract_kubernetes.h"

#include <stdio.h>

#define LIVE                                                                                                                  \
    "{\"metadata\":{\"name\":\"c1\",\"namespace\":\"prod\",\"uid\":\"u-1\",\"resourceVersion\":\"7\"},\"data\":{\"a\":\"1\"," \
    "\"b\":\"2\"}}"

struct room {
    struct checks checks;
    struct kube_proposal p;
    struct trouble trouble;
    json_t *live;
};

/* A merge patch of config map c1, as a proposal begins. */
static void begin(struct room *r, const char *live, const char *body)
{
    json_decref(r->live);
    r->live = live ? json_loads(live, 0, NULL) : NULL;
    r->p = (struct kube_proposal){ .target = "cluster",
        .risk = "L2",
        .operation_name = "patch",
        .resource = "/api/v1/namespaces/prod/configmaps/c1",
        .operation = KUBE_PATCH,
        .kind = { .version = "v1", .resource = "configmaps", .kind = "ConfigMap", .namespaced = true },
        .name = "c1",
        .space = "prod",
        .live = r->live,
        .media_type = body ? "application/merge-patch+json" : NULL,
        .type = body ? PATCH_MERGE : PATCH_NONE,
        .body = span_text(body),
        .grace_s = -1,
        .credential_s = 10 };
}

/* What it is, without what is always the same; the broker's own parser takes it. */
static void gives(struct room *r, const char *want, unsigned seen_wanted, const char *name)
{
    AUTO_JSON *got = NULL, *wanted = json_loads(want, 0, NULL), *rest = json_object();
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    struct contract parsed = { 0 };
    unsigned seen = 0;
    result made = contract_compose(&r->p, &got, &seen, &r->trouble);
    check_code(&r->checks, made, E_ok, name);
    if (!is_ok(made)) {
        printf("# %s\n", r->trouble.text);
        return;
    }
    bool taken = is_ok(json_canonical(got, &text)) && is_ok(contract_parse(buf_span(&text), &parsed));
    contract_free(&parsed);
    check_that(&r->checks, taken, "and the broker's parser takes it");
    json_t *parameters = json_object_get(got, "parameters");
    json_object_del(parameters, "body");
    json_object_set(rest, "parameters", parameters);
    json_object_set(rest, "preconditions", json_object_get(got, "preconditions"));
    if (json_has(got, "postconditions"))
        json_object_set(rest, "postconditions", json_object_get(got, "postconditions"));
    bool same = json_equal(rest, wanted) && seen == seen_wanted;
    check_that(&r->checks, same, "as it should be");
    if (!same)
        printf("# %u seen: %.*s\n", seen, (int)text.n, (const char *)text.p);
}

static void refused(struct room *r, enum seb_code code, const char *name)
{
    AUTO_JSON *got = NULL;
    unsigned seen;
    r->trouble.text[0] = 0;
    check_code(&r->checks, contract_compose(&r->p, &got, &seen, &r->trouble), code, name);
    check_that(&r->checks, r->trouble.text[0] != 0, "and says why");
}

#define A2 "\"parameters\":{\"fields\":[{\"pointer\":\"/data/a\",\"value\":\"2\"}]}"
static void test_composed(struct room *r)
{
    begin(r, LIVE, "{\"data\":{\"a\":\"2\"}}");
    gives(r, "{" A2 ",\"preconditions\":{\"uid\":\"u-1\",\"fields\":[{\"pointer\":\"/data/a\",\"value\":\"1\"}]}}", 1,
        "by itself: the uid, and what was there");
    r->p.pin_version = true;
    gives(r, "{" A2 ",\"preconditions\":{\"resource_version\":\"7\"}}", 1, "pinned to the version");
    r->p.pin_uid = true;
    r->p.field[r->p.fields_n++] = "/data/b";
    r->p.field[r->p.fields_n++] = "/data/c";
    r->p.field[r->p.fields_n++] = "/data/b";
    gives(r,
        "{" A2
        ",\"preconditions\":{\"uid\":\"u-1\",\"resource_version\":\"7\",\"fields\":[{\"pointer\":\"/data/b\",\"value\":\"2\"},"
        "{\"pointer\":\"/data/c\",\"absent\":true}]}}",
        1, "to fields, there or not, each once");
    r->p.postconditions = true;
    gives(r,
        "{" A2
        ",\"preconditions\":{\"uid\":\"u-1\",\"resource_version\":\"7\",\"fields\":[{\"pointer\":\"/data/b\",\"value\":\"2\"},"
        "{\"pointer\":\"/data/c\",\"absent\":true}]},\"postconditions\":{\"fields\":[{\"pointer\":\"/data/a\",\"value\":\"2\"}]}}",
        1, "held to what a dry run gives");
    begin(r, LIVE, "{\"data\":{\"a\":\"1\"}}");
    gives(r, "{\"parameters\":{},\"preconditions\":{\"uid\":\"u-1\"}}", 0, "what changes nothing has no fields");
    r->p.postconditions = true;
    refused(r, E_usage, "and nothing that a dry run could be held to");
}

static void test_others(struct room *r)
{
    begin(r, NULL, NULL);
    r->p.operation = KUBE_CREATE;
    r->p.operation_name = "create";
    r->p.media_type = "application/json";
    r->p.body = span_text("{\"metadata\":{\"name\":\"c1\"},\"data\":{\"a\":\"1\"}}");
    gives(r, "{\"parameters\":{\"fields\":[{\"pointer\":\"/data/a\",\"value\":\"1\"}]},\"preconditions\":{\"absent\":true}}", 1,
        "a creation");
    r->p.body = span_text("{\"metadata\":{\"generateName\":\"c\"}}");
    refused(r, E_body_mismatch, "a creation under a generated name");
    r->p.body = span_text("{\"data\":{}}");
    refused(r, E_body_mismatch, "a creation under no name");
    begin(r, LIVE, NULL);
    r->p.operation = KUBE_DELETE;
    r->p.operation_name = "delete";
    r->p.propagation = "Foreground";
    r->p.grace_s = 0;
    gives(
        r, "{\"parameters\":{\"propagation\":\"Foreground\",\"grace_s\":0},\"preconditions\":{\"uid\":\"u-1\"}}", 0, "a deletion");
    r->p.operation = KUBE_CREATE;
    r->p.operation_name = "create";
    r->p.subresource = "eviction";
    r->p.propagation = NULL;
    gives(r, "{\"parameters\":{\"grace_s\":0},\"preconditions\":{\"uid\":\"u-1\"}}", 0, "an eviction");
}

static void test_secret(struct room *r)
{
    begin(r, LIVE, "{\"data\":{\"a\":\"2\"}}");
    check_code(&r->checks, span_copy_text(span_text("secrets"), r->p.kind.resource, sizeof r->p.kind.resource), E_ok, "the stand");
    r->p.resource = "/api/v1/namespaces/prod/secrets/c1";
    r->p.field[r->p.fields_n++] = "/data/a";
    /* printf '"1"' | openssl dgst -sha256 -binary | basenc --base64url */
    gives(r,
        "{\"parameters\":{},\"preconditions\":{\"fields\":[{\"pointer\":\"/data/"
        "a\",\"sha256\":\"ORVSwJnBAbEx_q8kxXlaahW8jsggFUJODStCdKNpoL8\"}]}}",
        0, "a Secret: digests alone");
}

static void test_refused(struct room *r)
{
    AUTO_BUF many = BUF(8192), long_one = BUF(8192);
    begin(r, NULL, "{\"data\":{}}");
    refused(r, E_not_found, "a patch of what isn't there");
    static const char *const others[] = { "{\"metadata\":{\"name\":\"c2\"}}", "{\"metadata\":{\"namespace\":\"other\"}}",
        "{\"metadata\":{\"uid\":\"u-2\"}}", "{\"metadata\":{\"resourceVersion\":\"7\"}}" };
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
        begin(r, LIVE, others[i]);
        refused(r, E_body_mismatch, others[i]);
    }
    begin(r, LIVE, "{\"data\":{\"a\":\"1\",\"a\":\"2\"}}");
    refused(r, E_bad_json, "a member twice");
    begin(r, LIVE, "[]");
    refused(r, E_bad_value, "a merge patch that is a list");
    result made = buf_text(&many, "{\"data\":{\"x\":\"1\"");
    for (unsigned i = 0; i < 32 && is_ok(made); i++)
        made = buf_printf(&many, ",\"k%u\":\"1\"", i);
    check_that(&r->checks, is_ok(made) && is_ok(buf_text(&many, "}}")) && is_ok(buf_u8(&many, 0)), "the stand");
    begin(r, LIVE, (const char *)many.p);
    refused(r, E_too_long, "33 values");
    made = buf_text(&long_one, "{\"data\":{\"x\":\"");
    for (unsigned i = 0; i < 1023 && is_ok(made); i++)
        made = buf_text(&long_one, "y");
    check_that(&r->checks, is_ok(made) && is_ok(buf_text(&long_one, "\"}}")) && is_ok(buf_u8(&long_one, 0)), "the stand");
    begin(r, LIVE, (const char *)long_one.p);
    refused(r, E_too_long, "a value of 1,025 bytes");
    begin(r, LIVE, "{\"data\":{\"a\":\"x\\u0001\"}}");
    refused(r, E_field_ambiguous, "a control character");
    begin(r, LIVE, "{\"data\":{\"a=b\":\"x\"}}");
    refused(r, E_field_ambiguous, "a pointer with the sign that ends it");
    begin(r, LIVE, "{\"data\":{\"a\":1.5}}");
    refused(r, E_bad_value, "a real number");
}

/* ---- kubernetes_check */

static bool fills(const char *text, bool json)
{
    AUTO_BUF out = BUF(8192);
    if (!text)
        return true;
    if (!is_ok(attempt_fill(text, "prod", "nobody", &out)) || span_find(buf_span(&out), 0, '@') < out.n)
        return false;
    AUTO_JSON *v = json ? json_loads((const char *)out.p, JSON_REJECT_DUPLICATES, NULL) : NULL;
    return !json || json_is_object(v);
}

static void test_table(struct room *r, const struct attempt *table, unsigned least)
{
    unsigned n = 0;
    for (; table[n].name; n++) {
        const struct attempt *a = &table[n];
        bool asks = a->how == ATTEMPT_ASK, path = a->how == ATTEMPT_DRY || a->how == ATTEMPT_NOBODY, once = true;
        for (unsigned i = 0; i < n; i++)
            once = once && !span_is(span_text(a->name), table[i].name);
        bool good = once && a->method && fills(a->path, false) && fills(a->find, false) && fills(a->body, !asks) &&
                    (!path || a->path[0] == '/') && (!a->body || asks || attempt_media_type(a));
        check_that(&r->checks, good, a->name);
    }
    check_that(&r->checks, n >= least, "as many as there should be");
}

static void test_refusals(struct checks *k)
{
    check_that(k,
        attempt_refused_by(
            "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'seb-fence' with binding 'seb-fence' denied request: x") ==
            REFUSED_BY_POLICY,
        "the policy's words");
    check_that(k, attempt_refused_by("Post \"https://127.0.0.1:0/denied-by-the-fence?timeout=1s\": dial tcp") == REFUSED_BY_GUARD,
        "the guard's words");
    check_that(k, attempt_refused_by("ValidatingAdmissionPolicy 'other' with binding 'other' denied request") == REFUSED_OTHERWISE,
        "another policy's");
    check_that(
        k, attempt_refused_by("pods is forbidden: User \"x\" cannot create resource") == REFUSED_OTHERWISE, "no right to it");
    check_that(k, attempt_refused_by("") == REFUSED_OTHERWISE, "no words");
}

int main(void)
{
    struct room r = { .live = NULL };
    test_composed(&r);
    test_others(&r);
    test_secret(&r);
    test_refused(&r);
    test_table(&r, attempts_in_namespace, 50);
    test_table(&r, attempts_everywhere, 65);
    test_refusals(&r.checks);
    json_decref(r.live);
    return checks_end(&r.checks);
}
