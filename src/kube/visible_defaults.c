/* What an API server puts in by itself before its admission looks. */
#include "config.h"

#include "kube/visible.h"

#include "base/field.h"

#define RBAC "rbac.authorization.k8s.io"

static bool is(const char *a, const char *b)
{
    return span_is(span_text(a), b);
}

static bool ends(const char *text, const char *with)
{
    struct span s = span_text(text), w = span_text(with);
    return s.n >= w.n && span_equal(span_part(s, s.n - w.n, w.n), w);
}

/* Where a pod's specification lies in what makes pods. */
static const struct {
    const char *group, *resource, *spec;
} pod_makers[] = {
    { "", "pods", "/spec" },
    { "", "replicationcontrollers", "/spec/template/spec" },
    { "apps", "deployments", "/spec/template/spec" },
    { "apps", "replicasets", "/spec/template/spec" },
    { "apps", "statefulsets", "/spec/template/spec" },
    { "apps", "daemonsets", "/spec/template/spec" },
    { "batch", "jobs", "/spec/template/spec" },
    { "batch", "cronjobs", "/spec/jobTemplate/spec/template/spec" },
};

const char *visible_pod_of(const char *group, const char *resource)
{
    for (unsigned i = 0; i < sizeof pod_makers / sizeof *pod_makers; i++)
        if (is(group, pod_makers[i].group) && is(resource, pod_makers[i].resource))
            return pod_makers[i].spec;
    return NULL;
}

const char *const visible_containers[] = { "containers", "initContainers", "ephemeralContainers", NULL };
/* Plain defaults of the API server's own kinds (pkg/apis/{apps,batch,core}/v1/defaults.go), where the object leaves them out.
 * resource NULL: of every pod's specification. */
static const struct {
    const char *group, *resource, *at, *name, *value;
} standards[] = {
    { "apps", "deployments", "/spec", "replicas", "1" },
    { "apps", "deployments", "/spec", "revisionHistoryLimit", "10" },
    { "apps", "deployments", "/spec", "progressDeadlineSeconds", "600" },
    { "apps", "deployments", "/spec", "strategy",
        "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":\"25%\",\"maxUnavailable\":\"25%\"}}" },
    { "apps", "replicasets", "/spec", "replicas", "1" },
    { "apps", "statefulsets", "/spec", "replicas", "1" },
    { "apps", "statefulsets", "/spec", "revisionHistoryLimit", "10" },
    { "apps", "statefulsets", "/spec", "podManagementPolicy", "\"OrderedReady\"" },
    { "apps", "statefulsets", "/spec", "updateStrategy", "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"partition\":0}}" },
    { "apps", "statefulsets", "/spec", "persistentVolumeClaimRetentionPolicy",
        "{\"whenDeleted\":\"Retain\",\"whenScaled\":\"Retain\"}" },
    { "apps", "daemonsets", "/spec", "revisionHistoryLimit", "10" },
    { "apps", "daemonsets", "/spec", "updateStrategy",
        "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":0,\"maxUnavailable\":1}}" },
    { "", "replicationcontrollers", "/spec", "replicas", "1" },
    { "batch", "cronjobs", "/spec", "concurrencyPolicy", "\"Allow\"" },
    { "batch", "cronjobs", "/spec", "suspend", "false" },
    { "batch", "cronjobs", "/spec", "successfulJobsHistoryLimit", "3" },
    { "batch", "cronjobs", "/spec", "failedJobsHistoryLimit", "1" },
    { NULL, NULL, "", "restartPolicy", "\"Always\"" },
    { NULL, NULL, "", "dnsPolicy", "\"ClusterFirst\"" },
    { NULL, NULL, "", "schedulerName", "\"default-scheduler\"" },
    { NULL, NULL, "", "terminationGracePeriodSeconds", "30" },
    { NULL, NULL, "", "securityContext", "{}" },
};

static result standard_put(json_t *o, const char *name, const char *text)
{
    if (!json_is_object(o) || (json_has(o, name) && !json_is_null(json_object_get(o, name))))
        return OK;
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    return v ? json_put_new(o, name, v) : fail(E_no_memory);
}

static bool is_moving(const char *name)
{
    struct span s = span_text(name);
    size_t slash = 0, colon = s.n;
    for (size_t i = 0; i < s.n; i++) {
        slash = s.p[i] == '/' ? i : slash;
        colon = s.p[i] == ':' ? i : colon;
    }
    bool digest = span_find(s, 0, '@') < s.n;
    return !digest && (colon == s.n || colon < slash || ends(name, ":latest"));
}

/* SetDefaults_Container */
static result container_standards(json_t *c)
{
    const char *its = json_string_value(json_object_get(c, "image"));
    TRY(standard_put(c, "imagePullPolicy", is_moving(its) ? "\"Always\"" : "\"IfNotPresent\""));
    TRY(standard_put(c, "terminationMessagePath", "\"/dev/termination-log\""));
    TRY(standard_put(c, "terminationMessagePolicy", "\"File\""));
    return standard_put(c, "resources", "{}");
}

static result pod_standards(json_t *pod)
{
    size_t n;
    json_t *c;
    for (unsigned i = 0; i < sizeof standards / sizeof *standards; i++)
        if (!standards[i].resource)
            TRY(standard_put(pod, standards[i].name, standards[i].value));
    for (const char *const *list = visible_containers; *list; list++)
        json_array_foreach (json_object_get(pod, *list), n, c)
            TRY(container_standards(c));
    return OK;
}

static result kind_standards(const char *group, const char *resource, json_t *o)
{
    const char *pod = visible_pod_of(group, resource);
    for (unsigned i = 0; i < sizeof standards / sizeof *standards; i++)
        if (standards[i].resource && is(group, standards[i].group) && is(resource, standards[i].resource))
            TRY(standard_put((json_t *)json_pointer(o, standards[i].at), standards[i].name, standards[i].value));
    return pod ? pod_standards((json_t *)json_pointer(o, pod)) : OK;
}

/* pkg/apis/rbac/v1/defaults.go: users and groups are of RBAC's API group, service accounts of the core one. */
static result api_group_default(json_t *o)
{
    const char *said = json_string_value(json_object_get(o, "apiGroup")), *kind = json_string_value(json_object_get(o, "kind"));
    if ((said && *said) || !json_is_object(o))
        return OK;
    return is(kind, "ServiceAccount") ? OK : json_put_text(o, "apiGroup", RBAC);
}

result visible_defaults(const struct visible_kind *k, json_t *object)
{
    size_t i;
    json_t *subject;
    if (k->subresource)
        return OK; /* another kind of object than its resource's */
    if (ends(k->resource, "rolebindings") && is(k->group, RBAC)) {
        json_array_foreach (json_object_get(object, "subjects"), i, subject)
            TRY(api_group_default(subject));
        return api_group_default(json_object_get(object, "roleRef"));
    }
    return kind_standards(k->group, k->resource, object);
}

static const json_t *custom_spec_schema(const json_t *definition, const char *version)
{
    size_t i;
    const json_t *v;
    json_array_foreach (json_pointer(definition, "/spec/versions"), i, v)
        if (is(json_string_value(json_object_get(v, "name")), version))
            return json_pointer(v, "/schema/openAPIV3Schema/properties/spec");
    return NULL;
}

#define SCHEMA_DEPTH 32 /* a schema may not refer to itself; this is only a bound */

/* apiextensions/v1: pruning and defaulting by a structural schema, which says properties, additionalProperties and items. */
static result schema_settle(const json_t *schema, json_t *v, unsigned depth)
{
    const json_t *known = json_object_get(schema, "properties"), *other = json_object_get(schema, "additionalProperties");
    bool keeps = json_is_true(json_object_get(schema, "x-kubernetes-preserve-unknown-fields")) || other;
    AUTO_JSON *before = json_is_object(v) ? json_copy(v) : NULL;
    const char *name;
    json_t *member;
    size_t i;
    if (depth == SCHEMA_DEPTH)
        return OK;
    json_array_foreach (v, i, member)
        TRY(schema_settle(json_object_get(schema, "items"), member, depth + 1));
    if (!json_is_object(v) || (!json_is_object(known) && !json_is_object(other)))
        return OK;
    if (!keeps)
        json_object_foreach (before, name, member)
            if (!json_has(known, name))
                json_object_del(v, name);
    json_object_foreach ((json_t *)known, name, member)
        if (json_has(member, "default") && !json_has(v, name))
            TRY(json_put_new(v, name, json_deep_copy(json_object_get(member, "default"))));
    json_object_foreach (v, name, member)
        TRY(schema_settle(json_has(known, name) ? json_object_get(known, name) : other, member, depth + 1));
    return OK;
}

result visible_custom(const json_t *definition, const char *version, json_t *object)
{
    return schema_settle(custom_spec_schema(definition, version), json_object_get(object, "spec"), 0);
}
