/* Targets of kind kubernetes: paths, scope, plans and URLs. Claims, bodies and answers: test_target_kubernetes_texts.c. */
#include <config.h>

#include "check.h"
#include "target/target.h"

#include <stdio.h>

#define PREFIX "https://k8s.example:6443/"
#define SERVER "https://k8s.example:6443"
#define WEB "/apis/apps/v1/namespaces/prod/deployments/web"

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
    };
}

static struct target_mutation merge_of(const char *resource)
{
    return patch_of(resource, "application/merge-patch+json");
}

static struct target_mutation create_of(const char *resource)
{
    return (struct target_mutation){ .operation = "create",
        .resource = resource,
        .has_body = true,
        .media_type = "application/json",
        .absent = true,
        .grace_s = -1 };
}

static struct target_mutation update_of(const char *resource)
{
    struct target_mutation m = patch_of(resource, "application/json");
    m.operation = "update";
    return m;
}

static struct target_mutation bare_of(const char *operation, const char *resource)
{
    struct target_mutation m = patch_of(resource, NULL);
    m.operation = operation;
    m.has_body = false;
    return m;
}

static void scope_is(struct checks *c, const char *name, enum seb_code want, const struct target_mutation *m)
{
    enum seb_code got = target_scope("kubernetes", PREFIX, m);
    check_that(c, got == want, name);
    if (got != want)
        printf("# got %s, want %s\n", code_name(got), code_name(want));
}

#define LABEL_63 "a23456789-123456789-123456789-123456789-123456789-123456789-123"
static const char *const good_paths[] = {
    WEB,
    WEB "/scale",
    WEB "/status",
    "/api/v1/namespaces/prod/configmaps/c1",
    "/api/v1/namespaces/prod/pods/p",
    "/api/v1/namespaces/prod/pods/p/ephemeralcontainers",
    "/api/v1/namespaces/prod/pods/p/resize",
    "/api/v1/namespaces/" LABEL_63 "/configmaps/c1",
    "/api/v1/namespaces/prod",
    "/api/v1/namespaces/prod/status",
    "/api/v1/namespaces/prod/finalize",
    "/api/v1/namespaces/status/configmaps/c1",
    "/api/v1/namespaces/namespaces/configmaps/c1",
    "/api/v1/namespaces/status",
    "/api/v1/nodes/n1",
    "/api/v1/nodes/n1.example.org/status",
    "/api/v1/persistentvolumes/pv",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/r",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:aggregate-to-view",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings/Upper:Case@x",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests/c/approval",
    "/apis/example.org/v1alpha1/namespaces/prod/widgets/w",
    "/apis/example.org/v1alpha1/namespaces/prod/widgets/...",
    "/apis/example.org/v1alpha1/namespaces/prod/widgets/w/scale",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.org",
    "/apis/a-b.c-1.example/v1/x-y/n",
};
static const char *const bad_paths[] = {
    "",
    "/",
    "//",
    "api/v1/namespaces/prod/configmaps/c1",
    "/api",
    "/api/v1",
    "/api/v1/",
    "/api/v1/nodes",
    "/api/v1/nodes/",
    "/api/v1/namespaces",
    "/api/v1/namespaces/prod/configmaps",
    "/api/v1/namespaces/prod/configmaps/",
    "/api/v1/namespaces/prod/configmaps/c1/",
    "/api/v1//namespaces/prod/configmaps/c1",
    "/api/v1/namespaces//configmaps/c1",
    "//api/v1/namespaces/prod/configmaps/c1",
    "/api/v1/namespaces/prod/configmaps/.",
    "/api/v1/namespaces/prod/configmaps/..",
    "/api/v1/namespaces/./configmaps/c1",
    "/api/v1/namespaces/../configmaps/c1",
    "/api/v1/namespaces/prod/../configmaps/c1",
    "/api/v1/namespaces/prod/configmaps/%63",
    "/api/v1/namespaces/prod/configmaps/a%2fb",
    "/api/v1/namespaces/pr%6fd/configmaps/c1",
    "/api/v1/namespaces/prod/configmaps/c1?x",
    "/api/v1/namespaces/prod/configmaps/c1?dryRun=All",
    "/api/v1/namespaces/prod/configmaps/c1#f",
    "/api/v1/namespaces/prod/configmaps/c 1",
    "/api/v1/namespaces/prod/configmaps/c\t1",
    "/api/v1/namespaces/prod/configmaps/c\n1",
    "/api/v1/namespaces/prod/configmaps/c\\1",
    "/api/v1/namespaces/prod/configmaps/c\"1",
    "/api/v1/namespaces/prod/configmaps/\xc3\xa9",
    "/api/v1/namespaces/prod/configmaps/c\x7f",
    "/api/v1/namespaces/Prod/configmaps/c1",
    "/api/v1/namespaces/prod/ConfigMaps/c1",
    "/api/V1/namespaces/prod/configmaps/c1",
    "/API/v1/namespaces/prod/configmaps/c1",
    "/Apis/apps/v1/namespaces/prod/deployments/web",
    "/apis/Apps/v1/namespaces/prod/deployments/web",
    "/apis/apps/v1/Namespaces/prod/deployments/web",
    "/apis/apps/v1/namespaces/prod/deployments/web/Scale",
    "/apis/apps/v1/namespaces/prod/deployments/web/scale/x",
    "/apis/apps/v1/namespaces/prod/deployments/web/status/",
    "/apis//v1/namespaces/prod/deployments/web",
    "/apis/apps//namespaces/prod/deployments/web",
    "/apis/.apps/v1/namespaces/prod/deployments/web",
    "/apis/apps./v1/namespaces/prod/deployments/web",
    "/apis/a..b/v1/namespaces/prod/deployments/web",
    "/apis/apps/v1/namespaces/-prod/deployments/web",
    "/apis/apps/v1/namespaces/prod-/deployments/web",
    "/apis/apps/v1/namespaces/a.b/deployments/web",
    "/apis/apps/v1/namespaces/a" LABEL_63 "/deployments/web",
    "/apis/apps/1v/namespaces/prod/deployments/web",
    "/apis/apps/v1/namespaces/prod/1deployments/web",
    "/apis/apps/v1.1/namespaces/prod/deployments/web",
    /* Verbs that a path begins with (RequestInfoFactory's specialVerbs). */
    "/api/v1/watch/nodes",
    "/api/v1/watch/nodes/n1",
    "/api/v1/watch/namespaces/prod/configmaps/c1",
    "/api/v1/proxy/nodes/n1",
    "/api/v1/namespaces/prod/watch/x",
    "/api/v1/namespaces/prod/proxy/x",
    /* Subresources of the namespace, never a resource in it. */
    "/api/v1/namespaces/prod/status/x",
    "/api/v1/namespaces/prod/finalize/x",
    "/api/v1/namespaces/prod/status/x/y",
    "/api/v1/namespaces/prod/namespaces/x",
    "/api/v1/namespaces/prod/namespaces",
    "/api/v1/namespaces/a.b",
    "/apis/example.org/v1/namespaces/prod",
    "/apis/example.org/v1/namespaces/prod/status",
    /* Nothing of an API group. */
    "/healthz",
    "/version",
    "/openapi/v3",
    "/metrics/x",
    "/apis/apps",
    "/apis/apps/v1",
    "/apis/apps/v1/deployments",
    "https://k8s.example:6443" WEB,
};
static const char *const acting_paths[] = {
    "/api/v1/namespaces/prod/pods/p/exec",
    "/api/v1/namespaces/prod/pods/p/attach",
    "/api/v1/namespaces/prod/pods/p/portforward",
    "/api/v1/namespaces/prod/pods/p/proxy",
    "/api/v1/namespaces/prod/pods/p/log",
    "/api/v1/namespaces/prod/pods/p/binding",
    "/api/v1/namespaces/prod/bindings/p",
    "/api/v1/namespaces/prod/services/s/proxy",
    "/api/v1/nodes/n/proxy",
    "/api/v1/namespaces/prod/serviceaccounts/s/token",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void test_paths(struct checks *c)
{
    char name[200];
    for (unsigned i = 0; i < COUNT(good_paths); i++) {
        struct target_mutation m = merge_of(good_paths[i]);
        snprintf(name, sizeof name, "a path: %s", good_paths[i]);
        scope_is(c, name, E_ok, &m);
        check_that(c, target_resource("kubernetes", PREFIX, good_paths[i]) == E_ok, name);
    }
    for (unsigned i = 0; i < COUNT(bad_paths); i++) {
        struct target_mutation m = merge_of(bad_paths[i]);
        snprintf(name, sizeof name, "no path, number %u", i);
        scope_is(c, name, E_resource_invalid, &m);
        check_that(c, target_resource("kubernetes", PREFIX, bad_paths[i]) == E_resource_invalid, name);
    }
    for (unsigned i = 0; i < COUNT(acting_paths); i++) {
        struct target_mutation each[] = { merge_of(acting_paths[i]), create_of(acting_paths[i]), update_of(acting_paths[i]),
            bare_of("create", acting_paths[i]), bare_of("delete", acting_paths[i]) };
        snprintf(name, sizeof name, "nothing that acts: %s", acting_paths[i]);
        for (unsigned j = 0; j < COUNT(each); j++)
            scope_is(c, name, E_operation_unsupported, &each[j]);
        check_that(c, target_resource("kubernetes", PREFIX, acting_paths[i]) == E_resource_invalid, name);
    }
}

static void test_name_lengths(struct checks *c)
{
    AUTO_BUF path = BUF(2048);
    check_code(c, buf_text(&path, "/api/v1/namespaces/prod/configmaps/"), E_ok, "a path begins");
    size_t before = path.n;
    while (path.n < before + 253)
        if (!is_ok(buf_u8(&path, 'x')))
            return;
    check_code(c, buf_u8(&path, 0), E_ok, "it ends");
    struct target_mutation m = merge_of((const char *)path.p);
    scope_is(c, "a name of 253 bytes", E_ok, &m);
    path.n--;
    check_code(c, buf_text(&path, "x"), E_ok, "one more");
    check_code(c, buf_u8(&path, 0), E_ok, "it ends");
    m = merge_of((const char *)path.p);
    scope_is(c, "a name of 254 bytes", E_resource_invalid, &m);
}

static void test_operations(struct checks *c)
{
    static const char *const patches[] = { "application/json-patch+json", "application/merge-patch+json",
        "application/strategic-merge-patch+json" };
    static const char *const no_types[] = { "application/json", "application/yaml", "application/merge-patch+json; charset=utf-8",
        "Application/Merge-Patch+json", "application/apply-patch+cbor", "text/plain", "" };
    static const char *const no_operations[] = { "", "Patch", "PATCH", "PUT", "get", "list", "watch", "deletecollection", "bind",
        "impersonate", "create ", "connect" };
    struct target_mutation m;
    for (unsigned i = 0; i < COUNT(patches); i++) {
        m = patch_of(WEB, patches[i]);
        scope_is(c, patches[i], E_ok, &m);
    }
    for (unsigned i = 0; i < COUNT(no_types); i++) {
        m = patch_of(WEB, no_types[i]);
        scope_is(c, "a patch of no type", E_operation_unsupported, &m);
    }
    for (unsigned i = 0; i < COUNT(no_operations); i++) {
        m = merge_of(WEB);
        m.operation = no_operations[i];
        scope_is(c, "no operation with a body", E_operation_unsupported, &m);
        m = bare_of(no_operations[i], WEB);
        scope_is(c, "no operation without one", E_operation_unsupported, &m);
    }
    m = update_of(WEB);
    scope_is(c, "update", E_ok, &m);
    m.media_type = "application/merge-patch+json";
    scope_is(c, "update by a patch", E_operation_unsupported, &m);
    m = create_of(WEB);
    scope_is(c, "create", E_ok, &m);
    m.media_type = "application/yaml";
    scope_is(c, "create of YAML", E_operation_unsupported, &m);
    m = create_of(WEB "/scale");
    scope_is(c, "create of a subresource", E_operation_unsupported, &m);
    m = bare_of("delete", WEB);
    scope_is(c, "delete", E_ok, &m);
    m = bare_of("delete", WEB "/status");
    scope_is(c, "delete of a subresource", E_operation_unsupported, &m);
    m = merge_of(WEB);
    m.operation = "delete";
    scope_is(c, "delete with a body", E_operation_unsupported, &m);
    static const char *const bodiless[] = { "create", "update", "patch" };
    for (unsigned i = 0; i < COUNT(bodiless); i++) {
        m = bare_of(bodiless[i], WEB);
        scope_is(c, "no body", E_operation_unsupported, &m);
    }
    m = bare_of("create", "/api/v1/namespaces/prod/pods/p/eviction");
    scope_is(c, "eviction", E_ok, &m);
    m = bare_of("delete", "/api/v1/namespaces/prod/pods/p/eviction");
    scope_is(c, "eviction deleted", E_operation_unsupported, &m);
    m = merge_of("/api/v1/namespaces/prod/pods/p/eviction");
    scope_is(c, "eviction patched", E_operation_unsupported, &m);
    m = create_of("/api/v1/namespaces/prod/pods/p/eviction");
    scope_is(c, "eviction with a body", E_operation_unsupported, &m);
    m = bare_of("create", "/apis/example.org/v1/namespaces/prod/pods/p/eviction");
    scope_is(c, "eviction of another group", E_operation_unsupported, &m);
    m = bare_of("create", "/api/v1/namespaces/prod/services/p/eviction");
    scope_is(c, "eviction of no pod", E_operation_unsupported, &m);
    check_that(c, target_scope("kubernetes", "http://k8s.example/", &m) == E_resource_invalid, "no https prefix");
    check_that(c, target_scope("kubernetes", "https://k8s.example", &m) == E_resource_invalid, "a prefix that doesn't end");
}

static void test_parameters(struct checks *c)
{
    struct target_mutation apply = patch_of(WEB, "application/apply-patch+yaml"), merge = merge_of(WEB),
                           deletion = bare_of("delete", WEB),
                           eviction = bare_of("create", "/api/v1/namespaces/prod/pods/p/eviction");
    struct field one = { .pointer = (char *)(uintptr_t) "/spec/replicas", .value = (char *)(uintptr_t) "3" };
    const struct fields fields = { 1, &one };
    scope_is(c, "apply without a manager", E_field_manager_missing, &apply);
    apply.field_manager = "ci";
    scope_is(c, "apply", E_ok, &apply);
    apply.force = true;
    scope_is(c, "apply with force", E_ok, &apply);
    struct target_mutation m = merge;
    m.force = true;
    scope_is(c, "force of a merge patch", E_operation_unsupported, &m);
    m = merge;
    m.propagation = "Orphan";
    scope_is(c, "propagation of a patch", E_operation_unsupported, &m);
    m = merge;
    m.grace_s = 0;
    scope_is(c, "a grace period of a patch", E_operation_unsupported, &m);
    m = merge;
    m.has_etag = true;
    scope_is(c, "an ETag", E_operation_unsupported, &m);
    m = merge;
    m.has_sha256 = true;
    scope_is(c, "a digest of the whole", E_operation_unsupported, &m);
    m = merge;
    m.dry_run = true;
    m.fields = m.pre_fields = m.post_fields = &fields;
    scope_is(c, "a patch with fields everywhere", E_ok, &m);
    m = deletion;
    m.propagation = "Foreground";
    m.grace_s = 0;
    m.dry_run = true;
    m.pre_fields = &fields;
    scope_is(c, "a deletion's own parameters", E_ok, &m);
    m.fields = &fields;
    scope_is(c, "fields of what is deleted", E_operation_unsupported, &m);
    m = deletion;
    m.post_fields = &fields;
    scope_is(c, "postconditions of what is deleted", E_operation_unsupported, &m);
    m = deletion;
    m.field_manager = "ci";
    scope_is(c, "a manager of what is deleted", E_operation_unsupported, &m);
    m = eviction;
    m.grace_s = 5;
    scope_is(c, "an eviction's grace period", E_ok, &m);
    m.propagation = "Orphan";
    scope_is(c, "an eviction's propagation", E_operation_unsupported, &m);
}

static void test_preconditions(struct checks *c)
{
    struct field one = { .pointer = (char *)(uintptr_t) "/spec/replicas", .value = (char *)(uintptr_t) "3" };
    const struct fields fields = { 1, &one };
    struct target_mutation each[] = { merge_of(WEB), update_of(WEB), bare_of("delete", WEB),
        bare_of("create", "/api/v1/namespaces/prod/pods/p/eviction") };
    for (unsigned i = 0; i < COUNT(each); i++) {
        each[i].has_version = false;
        scope_is(c, "no precondition", E_precondition_missing, &each[i]);
        each[i].absent = true;
        scope_is(c, "absent", E_precondition_missing, &each[i]);
        each[i].has_uid = true;
        scope_is(c, "absent with a uid", E_precondition_missing, &each[i]);
        each[i].absent = false;
        scope_is(c, "a uid", E_ok, &each[i]);
        each[i].has_uid = false;
        each[i].pre_fields = &fields;
        scope_is(c, "a field", E_ok, &each[i]);
    }
    struct target_mutation m = create_of(WEB);
    m.has_version = true;
    scope_is(c, "a creation with a version", E_precondition_missing, &m);
    m.absent = m.has_version = false;
    scope_is(c, "a creation without a precondition", E_precondition_missing, &m);
    m.absent = true;
    m.pre_fields = &fields;
    scope_is(c, "a creation with live fields", E_precondition_missing, &m);
}

static void test_secrets(struct checks *c)
{
    struct field value = { .pointer = (char *)(uintptr_t) "/data/p", .value = (char *)(uintptr_t) "\"x\"" },
                 digest = { .pointer = (char *)(uintptr_t) "/data/p" },
                 absent = { .pointer = (char *)(uintptr_t) "/data/p", .absent = true };
    const struct fields values = { 1, &value }, digests = { 1, &digest }, absents = { 1, &absent };
    struct target_mutation base = merge_of("/api/v1/namespaces/prod/secrets/s"), m = base;
    scope_is(c, "a Secret", E_ok, &m);
    check_that(c, target_secret("kubernetes", &m), "whose body is secret");
    m.fields = &values;
    scope_is(c, "a value in its fields", E_secret_value, &m);
    m = base;
    m.pre_fields = &values;
    scope_is(c, "a value in its preconditions", E_secret_value, &m);
    m = base;
    m.post_fields = &values;
    scope_is(c, "a value in its postconditions", E_secret_value, &m);
    m = base;
    m.pre_fields = m.post_fields = &digests;
    m.fields = &absents;
    scope_is(c, "digests and absence", E_ok, &m);
    m = merge_of("/apis/example.org/v1/namespaces/prod/secrets/s");
    m.fields = &values;
    scope_is(c, "another group's", E_ok, &m);
    check_that(c, !target_secret("kubernetes", &m), "is none");
    m = bare_of("delete", "/api/v1/namespaces/prod/secrets/s");
    check_that(c, !target_secret("kubernetes", &m), "a deletion tells nothing");
}

static void plan_is(struct checks *c, const char *name, enum call_use use, const struct target_mutation *m, const char *method,
    const char *url, const char *type)
{
    struct call_plan plan = { .method = NULL };
    result r = target_plan("kubernetes", PREFIX, use, m, &plan);
    bool same = is_ok(r) && span_is(span_text(plan.method), method) && span_is(span_text(plan.url), url) &&
                span_is(span_text(plan.media_type), type) && !plan.precondition && !plan.audit_id[0];
    check_that(c, same, name);
    if (!same)
        printf("# %s: %s %s %s\n", code_name(code_of(r)), plan.method, plan.url, plan.media_type);
    else
        check_that(c, target_url("kubernetes", PREFIX, plan.method, plan.url) == E_ok, "and the runner may call it");
}

#define POD SERVER "/api/v1/namespaces/prod/pods/p"
#define STRICT "&fieldValidation=Strict"
#define QUERY "?fieldManager=seb" STRICT
static void test_plans(struct checks *c)
{
    struct target_mutation m = merge_of(WEB "/scale"), eviction = bare_of("create", "/api/v1/namespaces/prod/pods/p/eviction");
    plan_is(c, "a read of a subresource", CALL_READ, &m, "GET", SERVER WEB "/scale", "");
    plan_is(c, "a patch of it", CALL_MUTATE, &m, "PATCH", SERVER WEB "/scale" QUERY, "application/merge-patch+json");
    m = patch_of(WEB, "application/apply-patch+yaml");
    m.field_manager = "a/b:c.d_e-F 9";
    struct call_plan plan;
    check_code(c, target_plan("kubernetes", PREFIX, CALL_MUTATE, &m, &plan), E_bad_value, "a manager with a space");
    m.field_manager = "a/b:c.d_e-F&force=true%";
    plan_is(c, "an apply", CALL_MUTATE, &m, "PATCH", SERVER WEB "?fieldManager=a%2Fb%3Ac.d_e-F%26force%3Dtrue%25" STRICT,
        "application/apply-patch+yaml");
    m.field_manager = "ci";
    m.force = true;
    plan_is(c, "an apply with force", CALL_MUTATE, &m, "PATCH", SERVER WEB "?fieldManager=ci" STRICT "&force=true",
        "application/apply-patch+yaml");
    m = update_of(WEB);
    plan_is(c, "an update", CALL_MUTATE, &m, "PUT", SERVER WEB QUERY, "application/json");
    m = create_of(WEB);
    plan_is(c, "a creation's read", CALL_READ, &m, "GET", SERVER WEB, "");
    plan_is(c, "a creation goes to the collection", CALL_MUTATE, &m, "POST",
        SERVER "/apis/apps/v1/namespaces/prod/deployments" QUERY, "application/json");
    m = create_of("/api/v1/namespaces/prod");
    plan_is(c, "a namespace's creation", CALL_MUTATE, &m, "POST", SERVER "/api/v1/namespaces" QUERY, "application/json");
    m = create_of("/apis/rbac.authorization.k8s.io/v1/clusterroles/r");
    plan_is(c, "a cluster-scoped creation", CALL_MUTATE, &m, "POST", SERVER "/apis/rbac.authorization.k8s.io/v1/clusterroles" QUERY,
        "application/json");
    m = bare_of("delete", WEB);
    plan_is(c, "a deletion", CALL_MUTATE, &m, "DELETE", SERVER WEB, "application/json");
    plan_is(c, "an eviction", CALL_MUTATE, &eviction, "POST", POD "/eviction", "application/json");
    plan_is(c, "what an eviction reads", CALL_READ, &eviction, "GET", POD, "");
    m = merge_of("/api/v1/namespaces/prod/finalize");
    plan_is(c, "what finalize reads", CALL_READ, &m, "GET", SERVER "/api/v1/namespaces/prod", "");
    check_code(c, target_plan("kubernetes", "https://h/a/b/", CALL_READ, &m, &plan), E_ok, "a prefix with a path");
    check_that(c, span_is(span_text(plan.url), "https://h/a/b/api/v1/namespaces/prod"), "is the URL's");
    check_code(c, target_plan("kubernetes", NULL, CALL_READ, &m, &plan), E_ok, "no prefix, for claims alone");
}

static void test_unpinned_plans(struct checks *c)
{
    static const char *const unusable[] = { "", "a b", "1\"", "1,2", "\xc3\xa9",
        "12345678901234567890123456789012345678901234567890123456789012345" };
    struct target_mutation m = merge_of(WEB);
    struct call_plan plan;
    m.version = NULL;
    check_code(c, target_plan("kubernetes", PREFIX, CALL_MUTATE, &m, &plan), E_precondition_unusable, "a patch without a version");
    for (unsigned i = 0; i < COUNT(unusable); i++) {
        m.version = unusable[i];
        check_code(c, target_plan("kubernetes", PREFIX, CALL_MUTATE, &m, &plan), E_precondition_unusable, "a version that is none");
    }
    m.version = "1";
    m.uid = NULL;
    check_code(c, target_plan("kubernetes", PREFIX, CALL_MUTATE, &m, &plan), E_ok, "a patch without a uid");
    m.uid = "a\"b";
    check_code(c, target_plan("kubernetes", PREFIX, CALL_MUTATE, &m, &plan), E_precondition_unusable, "a uid that is none");
    m = bare_of("delete", WEB);
    m.uid = NULL;
    check_code(c, target_plan("kubernetes", PREFIX, CALL_MUTATE, &m, &plan), E_precondition_unusable, "a deletion without a uid");
    m = merge_of("/api/v1/namespaces/prod/pods/p/exec");
    check_code(c, target_plan("kubernetes", PREFIX, CALL_MUTATE, &m, &plan), E_operation_unsupported, "a call that acts");
    m = merge_of("/api/v1/nodes");
    check_code(c, target_plan("kubernetes", PREFIX, CALL_READ, &m, &plan), E_resource_invalid, "a read of all");
}

static void test_urls(struct checks *c)
{
    static const struct {
        const char *method, *url;
    } bad[] = {
        { "GET", SERVER WEB "?watch=true" },
        { "GET", SERVER WEB "?fieldManager=x" },
        { "GET", SERVER "/apis/apps/v1/namespaces/prod/deployments" },
        { "GET", SERVER "/api/v1/namespaces/prod/pods/p/exec" },
        { "GET", SERVER "/api/v1/namespaces/prod/pods/p/exec?command=sh" },
        { "DELETE", SERVER "/apis/apps/v1/namespaces/prod/deployments" },
        { "PUT", SERVER "/apis/apps/v1/namespaces/prod/deployments" QUERY },
        { "POST", SERVER WEB QUERY },
        { "POST", SERVER "/api/v1/namespaces/prod/bindings" },
        { "POST", SERVER "/api/v1/namespaces/prod/pods/p/binding" },
        { "POST", SERVER "/api/v1/namespaces/prod/serviceaccounts/s/token" },
        { "HEAD", SERVER WEB },
        { "CONNECT", SERVER WEB },
        { "get", SERVER WEB },
        { "PATCH", SERVER WEB "?" },
        { "PATCH", SERVER WEB "?fieldManager=" },
        { "PATCH", SERVER WEB "?fieldManager=a&" },
        { "PATCH", SERVER WEB "?fieldManager=a/b" },
        { "PATCH", SERVER WEB "?fieldManager=a%2fb" },
        { "PATCH", SERVER WEB "?fieldManager=%61" },
        { "PATCH", SERVER WEB "?fieldManager=a%2" },
        { "PATCH", SERVER WEB "?fieldManager=a+b" },
        { "PATCH", SERVER WEB "?fieldManager=a%20b" },
        { "PATCH", SERVER WEB "?fieldValidation=Ignore" },
        { "PATCH", SERVER WEB "?force=true&force=true" },
        { "PATCH", SERVER WEB "?force=true&fieldManager=a" },
        { "PATCH", SERVER WEB "?dryRun=All&dryRun=" },
        { "PATCH", SERVER WEB "?dryRun=All&force=true" },
        { "PATCH", SERVER WEB "?x" },
        { "PATCH", SERVER WEB "?dryRun=All#x" },
        { "PATCH", "https://other:6443" WEB },
        { "PATCH", "https://k8s.example:64430" WEB },
        { "PATCH", "http://k8s.example:6443" WEB },
        { "PATCH", WEB },
        { "PATCH", "" },
    };
    for (unsigned i = 0; i < COUNT(bad); i++) {
        char name[80];
        snprintf(name, sizeof name, "no call of ours, number %u", i);
        check_that(c, target_url("kubernetes", PREFIX, bad[i].method, bad[i].url) == E_resource_invalid, name);
    }
    char url[TARGET_URL_MAX + 1];
    check_code(c, target_rehearsal("kubernetes", SERVER WEB QUERY, url), E_ok, "a rehearsal");
    check_that(c, span_is(span_text(url), SERVER WEB QUERY "&dryRun=All"), "says so behind what is there");
    check_that(c, target_url("kubernetes", PREFIX, "PATCH", url) == E_ok, "and may be called");
    check_code(c, target_rehearsal("kubernetes", SERVER WEB, url), E_ok, "a rehearsal without a query");
    check_that(c, span_is(span_text(url), SERVER WEB "?dryRun=All"), "begins one");
    check_that(c, target_url("kubernetes", PREFIX, "DELETE", url) == E_ok, "and may be called");
}

static void test_meanings(struct checks *c)
{
    static const struct {
        uint32_t status;
        enum call_meaning meaning;
    } rows[] = { { 200, MEANS_APPLIED }, { 201, MEANS_APPLIED }, { 202, MEANS_APPLIED }, { 204, MEANS_OPEN }, { 301, MEANS_OPEN },
        { 400, MEANS_REJECTED }, { 401, MEANS_REJECTED }, { 403, MEANS_REJECTED }, { 404, MEANS_REJECTED }, { 409, MEANS_REJECTED },
        { 422, MEANS_REJECTED }, { 429, MEANS_REJECTED }, { 500, MEANS_OPEN }, { 503, MEANS_OPEN }, { 504, MEANS_OPEN },
        { 0, MEANS_OPEN } };
    static const char owned[] = "[{\"field\":\".spec.a\",\"reason\":\"FieldManagerConflict\"}]";
    bool exists = false;
    check_that(c, target_rejection("kubernetes", 409, "") == E_state_drifted, "a conflict is drift");
    check_that(
        c, target_rejection("kubernetes", 409, "[{\"message\":\"FieldManagerConflict\"}]") == E_state_drifted, "whatever is said");
    check_that(c, target_rejection("kubernetes", 409, "[{") == E_state_drifted, "or isn't");
    check_that(c, target_rejection("kubernetes", 409, owned) == E_field_owned, "but where another manager owns a field");
    check_that(c, target_rejection("kubernetes", 403, owned) == E_ok && target_rejection("kubernetes", 200, owned) == E_ok,
        "of a conflict");
    check_that(c, target_rejection("http", 409, owned) == E_ok, "of this kind");
    for (unsigned i = 0; i < COUNT(rows); i++)
        check_that(c, target_meaning("kubernetes", rows[i].status) == rows[i].meaning, "what a status means");
    check_that(c, is_ok(target_read_meaning("kubernetes", 200, &exists)) && exists, "it is there");
    check_that(c, is_ok(target_read_meaning("kubernetes", 404, &exists)) && !exists, "it isn't");
    check_code(c, target_read_meaning("kubernetes", 403, &exists), E_read_failed, "it can't be told");
    check_code(c, target_read_meaning("kubernetes", 410, &exists), E_read_failed, "410 is about versions");
    check_that(c, target_keeps_body("kubernetes") && target_cache_s("kubernetes") == 10, "bodies are kept, credentials cached");
    check_that(c, target_least_s("kubernetes") == 5 && target_least_s("http") <= 1, "for five seconds or more");
    struct digest leaf = sha256(span_text("leaf"));
    char id[DIGEST_TEXT + 1], want[DIGEST_TEXT + 1];
    target_audit_id("kubernetes", &leaf, id);
    check_that(c, span_is(span_text(digest_text(&leaf, want)), id), "a call is known by its leaf");
}

int main(void)
{
    struct checks c = { 0 };
    test_paths(&c);
    test_name_lengths(&c);
    test_operations(&c);
    test_parameters(&c);
    test_preconditions(&c);
    test_secrets(&c);
    test_plans(&c);
    test_unpinned_plans(&c);
    test_urls(&c);
    test_meanings(&c);
    return checks_end(&c);
}
