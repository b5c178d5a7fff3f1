#include "config.h"

#include "fence/kubernetes_check.h"

/* A row an attempt, however the formatter would break it. */
/* clang-format off */
#define CORE "/api/v1/namespaces/@NS@/"
#define APPS "/apis/apps/v1/namespaces/@NS@/"
#define BATCH "/apis/batch/v1/namespaces/@NS@/"
#define RBAC "/apis/rbac.authorization.k8s.io/v1/namespaces/@NS@/"
#define ADMISSION "/apis/admissionregistration.k8s.io/v1/"
#define META "\"metadata\":{\"name\":\"@NAME@\"}"
#define POD "{\"containers\":[{\"name\":\"c\",\"image\":\"none\"}]}"
#define ONCE "{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"none\"}]}"
#define LABELS "{\"seb-fence-check\":\"@NAME@\"}"
#define WORKLOAD \
    "{" META ",\"spec\":{\"selector\":{\"matchLabels\":" \
    LABELS "},\"template\":{\"metadata\":{\"labels\":" LABELS "},\"spec\":" POD "}}}"
#define SERVED \
    "{" META ",\"spec\":{\"serviceName\":\"none\",\"selector\":{\"matchLabels\":" \
    LABELS "},\"template\":{\"metadata\":{\"labels\":" LABELS "},\"spec\":" POD "}}}"
#define CONTROLLED \
    "{" META ",\"spec\":{\"selector\":" LABELS ",\"template\":{\"metadata\":{\"labels\":" \
    LABELS "},\"spec\":" POD "}}}"
#define JOB "{" META ",\"spec\":{\"template\":{\"spec\":" ONCE "}}}"
#define CRON "{" META ",\"spec\":{\"schedule\":\"0 0 1 1 *\",\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":" ONCE "}}}}}"
#define BIND "{" META ",\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"view\"}}"
#define NOTE "{\"metadata\":{\"annotations\":{\"seb-fence-check\":\"1\"}}}"
#define WEBHOOK "{" META ",\"webhooks\":[]}"

#define CREATE(what, collection, object) { "create " what, ATTEMPT_DRY, "POST", collection, NULL, object }
#define CHANGE(what, collection) \
    { "change " what, ATTEMPT_DRY, "PATCH", collection "/@NAME@", collection, NOTE }, \
    { "delete " what, ATTEMPT_DRY, "DELETE", collection "/@NAME@", collection, NULL }
#define PART(what, collection, part, object) { what, ATTEMPT_DRY, "PATCH", collection "/@NAME@/" part, collection, object }
#define NOBODY(what, method, path, object) { what, ATTEMPT_NOBODY, method, path, NULL, object }
#define ASK(what, verb, resource, space) { what, ATTEMPT_ASK, verb, resource, NULL, space }
#define AS(what, headers) { what, ATTEMPT_AS, "POST", headers, NULL, NULL }

const struct attempt attempts_in_namespace[] = {
    CREATE("a config map", CORE "configmaps", "{" META "}"),
    CREATE("a config map under a generated name", CORE "configmaps", "{\"metadata\":{\"generateName\":\"@NAME@\"}}"),
    CREATE("a secret", CORE "secrets", "{" META "}"),
    CREATE("a service account's token secret", CORE "secrets",
        "{\"metadata\":{\"name\":\"@NAME@\",\"annotations\":{\"kubernetes.io/service-account.name\":\"default\"}},"
        "\"type\":\"kubernetes.io/service-account-token\"}"),
    CREATE("a service account", CORE "serviceaccounts", "{" META "}"),
    CREATE("a pod", CORE "pods", "{" META ",\"spec\":" POD "}"),
    CREATE("a deployment", APPS "deployments", WORKLOAD),
    CREATE("a daemon set", APPS "daemonsets", WORKLOAD),
    CREATE("a replica set", APPS "replicasets", WORKLOAD),
    CREATE("a stateful set", APPS "statefulsets", SERVED),
    CREATE("a controller revision", APPS "controllerrevisions", "{" META ",\"revision\":1,\"data\":{}}"),
    CREATE("a replication controller", CORE "replicationcontrollers", CONTROLLED),
    CREATE("a pod template", CORE "podtemplates",
        "{" META ",\"template\":{\"metadata\":{\"labels\":" LABELS "},\"spec\":" POD "}}"),
    CREATE("a job", BATCH "jobs", JOB),
    CREATE("a cron job", BATCH "cronjobs", CRON),
    CREATE("a service", CORE "services", "{" META ",\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"x.invalid\"}}"),
    CREATE("endpoints", CORE "endpoints", "{" META "}"),
    CREATE("an endpoint slice", "/apis/discovery.k8s.io/v1/namespaces/@NS@/endpointslices",
        "{" META ",\"addressType\":\"IPv4\",\"endpoints\":[]}"),
    CREATE("an ingress", "/apis/networking.k8s.io/v1/namespaces/@NS@/ingresses",
        "{" META ",\"spec\":{\"defaultBackend\":{\"service\":{\"name\":\"x\",\"port\":{\"number\":80}}}}}"),
    CREATE("a network policy", "/apis/networking.k8s.io/v1/namespaces/@NS@/networkpolicies",
        "{" META ",\"spec\":{\"podSelector\":{}}}"),
    CREATE("a role", RBAC "roles", "{" META ",\"rules\":[]}"),
    CREATE("a role binding", RBAC "rolebindings", BIND),
    CREATE("a claim of a volume", CORE "persistentvolumeclaims",
        "{" META ",\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Mi\"}}}}"),
    CREATE("a disruption budget", "/apis/policy/v1/namespaces/@NS@/poddisruptionbudgets",
        "{" META ",\"spec\":{\"maxUnavailable\":1}}"),
    CREATE("an autoscaler", "/apis/autoscaling/v2/namespaces/@NS@/horizontalpodautoscalers",
        "{" META ",\"spec\":{\"maxReplicas\":9,\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\","
        "\"name\":\"x\"}}}"),
    CREATE("a lease", "/apis/coordination.k8s.io/v1/namespaces/@NS@/leases", "{" META "}"),
    CREATE("a limit range", CORE "limitranges", "{" META ",\"spec\":{\"limits\":[]}}"),
    CREATE("a resource quota", CORE "resourcequotas", "{" META "}"),
    NOBODY("bind a pod to a node", "POST", CORE "pods/@NAME@/binding",
        "{\"metadata\":{\"name\":\"@NAME@\"},\"target\":{\"kind\":\"Node\",\"name\":\"x\"}}"),
    NOBODY("evict a pod", "POST", CORE "pods/@NAME@/eviction",
        "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"@NAME@\"}}"),
    NOBODY("run a command in a pod", "GET", CORE "pods/@NAME@/exec?command=true&stdout=true", NULL),
    NOBODY("attach to a pod", "GET", CORE "pods/@NAME@/attach?stdout=true", NULL),
    NOBODY("forward a pod's port", "GET", CORE "pods/@NAME@/portforward?ports=1", NULL),
    NOBODY("call a pod through the API server", "GET", CORE "pods/@NAME@/proxy/", NULL),
    NOBODY("call a service through the API server", "GET", CORE "services/@NAME@/proxy/", NULL),
    { "apply a config map that isn't there", ATTEMPT_DRY, "PATCH",
        CORE "configmaps/@NAME@?fieldManager=seb-fence-check&force=true", NULL,
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"," META "}" },
    { "create endpoints by updating them", ATTEMPT_DRY, "PUT", CORE "endpoints/@NAME@", NULL,
        "{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\"," META "}" },
    CREATE("an event", CORE "events", "{" META ",\"involvedObject\":{\"namespace\":\"@NS@\",\"name\":\"x\"}}"),
    PART("scale a deployment", APPS "deployments", "scale", "{\"spec\":{\"replicas\":7}}"),
    PART("scale a stateful set", APPS "statefulsets", "scale", "{\"spec\":{\"replicas\":7}}"),
    PART("scale a replica set", APPS "replicasets", "scale", "{\"spec\":{\"replicas\":7}}"),
    PART("change a deployment's status", APPS "deployments", "status", NOTE),
    PART("change a pod's status", CORE "pods", "status", NOTE),
    PART("put a container into a pod", CORE "pods",
        "ephemeralcontainers", "{\"spec\":{\"ephemeralContainers\":[{\"name\":\"e\",\"image\":\"none\"}]}}"),
    { "delete all config maps", ATTEMPT_DRY, "DELETE", CORE "configmaps", CORE "configmaps", NULL },
    { "delete all pods", ATTEMPT_DRY, "DELETE", CORE "pods", CORE "pods", NULL },
    { "change the namespace", ATTEMPT_DRY, "PATCH", "/api/v1/namespaces/@NS@", NULL, NOTE },
    { "take the namespace's labels off", ATTEMPT_DRY, "PATCH", "/api/v1/namespaces/@NS@", NULL,
        "{\"metadata\":{\"labels\":{\"kubernetes.io/metadata.name\":null,\"seb-fence-check\":\"1\"}}}" },
    { "finalize the namespace", ATTEMPT_DRY, "PUT", "/api/v1/namespaces/@NS@/finalize", NULL,
        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"@NS@\"},\"spec\":{\"finalizers\":[]}}" },
    { "change the namespace's status", ATTEMPT_DRY, "PATCH", "/api/v1/namespaces/@NS@/status", NULL, NOTE },
    { "delete the namespace", ATTEMPT_DRY, "DELETE", "/api/v1/namespaces/@NS@", NULL, NULL },
    ASK("take a service account's token", "create", "/serviceaccounts/token:default", "@NS@"),
    { NULL, ATTEMPT_DRY, NULL, NULL, NULL, NULL },
};

#define DEFINITIONS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define MUTATES \
    "{\"reinvocationPolicy\":\"Never\",\"matchConstraints\":{\"resourceRules\":[{\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"]," \
    "\"operations\":[\"CREATE\"],\"resources\":[\"configmaps\"]}]},\"mutations\":[{\"patchType\":\"JSONPatch\",\"jsonPatch\":" \
    "{\"expression\":\"[JSONPatch{op: \\\"add\\\", path: \\\"/metadata/labels/x\\\", value: \\\"1\\\"}]\"}}]}"
#define IN_SYSTEM "/api/v1/namespaces/kube-system/"
#define IN_SEB "/api/v1/namespaces/seb-system/"
#define KEYS IN_SEB "configmaps/mint-keys"
#define ALLOWS "{\"data\":{\"allowed\":\"@NAME@\"}}"
#define RULE \
    "{\"matchConstraints\":{\"resourceRules\":[{\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"],\"operations\":[\"CREATE\"]," \
    "\"resources\":[\"configmaps\"]}]},\"validations\":[{\"expression\":\"true\"}]}"
#define BROKER "Impersonate-User: seb:check:x\nImpersonate-Group: seb-brokers"

const struct attempt attempts_everywhere[] = {
    CREATE("a mutating webhook", ADMISSION "mutatingwebhookconfigurations", WEBHOOK),
    CREATE("a validating webhook", ADMISSION "validatingwebhookconfigurations", WEBHOOK),
    CREATE("an admission policy", ADMISSION "validatingadmissionpolicies", "{" META ",\"spec\":" RULE "}"),
    CREATE("an admission policy's binding", ADMISSION "validatingadmissionpolicybindings",
        "{" META ",\"spec\":{\"policyName\":\"@NAME@\",\"validationActions\":[\"Audit\"]}}"),
    NOBODY("delete a mutating admission policy", "DELETE", ADMISSION "mutatingadmissionpolicies/@NAME@", NULL),
    NOBODY("delete the policy seb-fence", "DELETE", ADMISSION "validatingadmissionpolicies/seb-fence", NULL),
    NOBODY("delete the policy seb-credential", "DELETE", ADMISSION "validatingadmissionpolicies/seb-credential", NULL),
    NOBODY("unbind the policy seb-fence", "DELETE", ADMISSION "validatingadmissionpolicybindings/seb-fence", NULL),
    NOBODY("unbind the policy seb-credential", "DELETE", ADMISSION "validatingadmissionpolicybindings/seb-credential", NULL),
    NOBODY("let the policy seb-fence fail open", "PATCH", ADMISSION "validatingadmissionpolicies/seb-fence",
        "{\"spec\":{\"failurePolicy\":\"Ignore\"}}"),
    NOBODY("let the policy seb-credential fail open", "PATCH", ADMISSION "validatingadmissionpolicies/seb-credential",
        "{\"spec\":{\"failurePolicy\":\"Ignore\"}}"),
    NOBODY("let the binding seb-fence warn alone", "PATCH", ADMISSION "validatingadmissionpolicybindings/seb-fence",
        "{\"spec\":{\"validationActions\":[\"Warn\"]}}"),
    NOBODY("let the binding seb-credential warn alone", "PATCH", ADMISSION "validatingadmissionpolicybindings/seb-credential",
        "{\"spec\":{\"validationActions\":[\"Warn\"]}}"),
    CREATE("a mutating admission policy", ADMISSION "mutatingadmissionpolicies", "{" META ",\"spec\":" MUTATES "}"),
    CREATE("a mutating admission policy's binding", ADMISSION "mutatingadmissionpolicybindings",
        "{" META ",\"spec\":{\"policyName\":\"@NAME@\"}}"),
    { "unbind all policies", ATTEMPT_DRY, "DELETE", ADMISSION "validatingadmissionpolicybindings", NULL, NULL },
    NOBODY("change the status of the policy seb-fence", "PATCH", ADMISSION "validatingadmissionpolicies/seb-fence/status", NOTE),
    NOBODY("let the binding seb-fence match nothing", "PATCH", ADMISSION "validatingadmissionpolicybindings/seb-fence",
        "{\"spec\":{\"matchResources\":{\"namespaceSelector\":{\"matchLabels\":{\"no\":\"such\"}}}}}"),
    CHANGE("a custom resource's definition", DEFINITIONS),
    PART("change the status of a custom resource's definition", DEFINITIONS, "status", NOTE),
    { "delete all custom resources' definitions", ATTEMPT_DRY, "DELETE", DEFINITIONS, DEFINITIONS, NULL },
    NOBODY("change the API service of apps", "PATCH", "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps", NOTE),
    NOBODY("delete the API service of apps", "DELETE", "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps", NULL),
    CREATE("an API service", "/apis/apiregistration.k8s.io/v1/apiservices",
        "{\"metadata\":{\"name\":\"v1.@NAME@.invalid\"},\"spec\":{\"group\":\"@NAME@.invalid\",\"version\":\"v1\","
        "\"groupPriorityMinimum\":1,\"versionPriority\":1,\"insecureSkipTLSVerify\":true,"
        "\"service\":{\"namespace\":\"default\",\"name\":\"x\"}}}"),
    ASK("approve a client certificate", "update", "certificates.k8s.io/certificatesigningrequests/approval", NULL),
    ASK("sign a client certificate", "update", "certificates.k8s.io/certificatesigningrequests/status", NULL),
    ASK("approve for the signer of clients", "approve", "certificates.k8s.io/signers:kubernetes.io/kube-apiserver-client", NULL),
    ASK("sign for the signer of clients", "sign", "certificates.k8s.io/signers:kubernetes.io/kube-apiserver-client", NULL),
    ASK("read a kubelet's API", "get", "/nodes/proxy", NULL),
    ASK("call a kubelet's API", "create", "/nodes/proxy", NULL),
    AS("be a user of the broker's group", BROKER),
    AS("be a broker with a credential's words", BROKER "\nImpersonate-Extra-Seb.internal%2fuse: mutate"),
    AS("be a member of system:masters", "Impersonate-User: x\nImpersonate-Group: system:masters"),
    AS("be the controllers", "Impersonate-User: system:kube-controller-manager"),
    AS("be a controller's service account", "Impersonate-User: system:serviceaccount:kube-system:deployment-controller"),
    AS("be the garbage collector", "Impersonate-User: system:serviceaccount:kube-system:generic-garbage-collector"),
    AS("be the API server", "Impersonate-User: system:apiserver"),
    AS("be a node", "Impersonate-User: system:node:x\nImpersonate-Group: system:nodes"),
    AS("have a word of a credential", "Impersonate-User: x\nImpersonate-Extra-Seb.internal%2fverb: create"),
    AS("be a revoker", "Impersonate-User: x\nImpersonate-Group: seb-revokers"),
    ASK("take a token of a service account in kube-system", "create", "/serviceaccounts/token", "kube-system"),
    ASK("take a token of a service account in seb-system", "create", "/serviceaccounts/token", "seb-system"),
    ASK("list the secrets of all namespaces", "list", "/secrets", NULL),
    ASK("watch the secrets of all namespaces", "watch", "/secrets", NULL),
    ASK("read a secret in kube-system", "get", "/secrets", "kube-system"),
    ASK("list the secrets in kube-system", "list", "/secrets", "kube-system"),
    CREATE("a secret in kube-system", IN_SYSTEM "secrets", "{" META "}"),
    CREATE("a pod in kube-system", IN_SYSTEM "pods", "{" META ",\"spec\":" POD "}"),
    CREATE("a deployment in kube-system", "/apis/apps/v1/namespaces/kube-system/deployments", WORKLOAD),
    CREATE("a daemon set in kube-system", "/apis/apps/v1/namespaces/kube-system/daemonsets", WORKLOAD),
    CREATE("a replica set in kube-system", "/apis/apps/v1/namespaces/kube-system/replicasets", WORKLOAD),
    CREATE("a stateful set in kube-system", "/apis/apps/v1/namespaces/kube-system/statefulsets", SERVED),
    CREATE("a controller revision in kube-system", "/apis/apps/v1/namespaces/kube-system/controllerrevisions",
        "{" META ",\"revision\":1,\"data\":{}}"),
    CREATE("a replication controller in kube-system", IN_SYSTEM "replicationcontrollers", CONTROLLED),
    CREATE("a job in kube-system", "/apis/batch/v1/namespaces/kube-system/jobs", JOB),
    CREATE("a cron job in kube-system", "/apis/batch/v1/namespaces/kube-system/cronjobs", CRON),
    NOBODY("run a command in a pod of kube-system", "GET", IN_SYSTEM "pods/@NAME@/exec?command=true&stdout=true", NULL),
    NOBODY("attach to a pod of kube-system", "GET", IN_SYSTEM "pods/@NAME@/attach?stdout=true", NULL),
    NOBODY("forward a port of a pod of kube-system", "GET", IN_SYSTEM "pods/@NAME@/portforward?ports=1", NULL),
    NOBODY("call a pod of kube-system through the API server", "GET", IN_SYSTEM "pods/@NAME@/proxy/", NULL),
    ASK("change a pod of kube-system", "patch", "/pods", "kube-system"),
    ASK("change a daemon set of kube-system", "patch", "apps/daemonsets", "kube-system"),
    ASK("put a container into a pod of kube-system", "patch", "/pods/ephemeralcontainers", "kube-system"),
    NOBODY("allow a mint key", "PATCH", KEYS, ALLOWS),
    NOBODY("delete the list of mint keys", "DELETE", KEYS, NULL),
    CREATE("a config map in seb-system", IN_SEB "configmaps", "{" META "}"),
    CREATE("a role in seb-system", "/apis/rbac.authorization.k8s.io/v1/namespaces/seb-system/roles", "{" META ",\"rules\":[]}"),
    CREATE("a role binding in seb-system", "/apis/rbac.authorization.k8s.io/v1/namespaces/seb-system/rolebindings", BIND),
    NOBODY("delete the namespace seb-system", "DELETE", "/api/v1/namespaces/seb-system", NULL),
    { NULL, ATTEMPT_DRY, NULL, NULL, NULL, NULL },
};
/* clang-format on */

static bool holds(const char *text, const char *word)
{
    struct span s = span_text(text), w = span_text(word);
    for (size_t at = span_find(s, 0, w.p[0]); at < s.n; at = span_find(s, at + 1, w.p[0]))
        if (span_equal(span_part(s, at, w.n), w))
            return true;
    return false;
}

const char *attempt_media_type(const struct attempt *a)
{
    if (!span_is(span_text(a->method), "PATCH"))
        return "application/json";
    return holds(a->path, "fieldManager=") ? "application/apply-patch+yaml" : "application/merge-patch+json";
}

result attempt_fill(const char *text, const char *space, const char *name, struct buf *out)
{
    struct span s = span_text(text);
    for (size_t at = 0; at < s.n;) {
        size_t to = span_find(s, at, '@');
        TRY(buf_put(out, span_part(s, at, to - at)));
        if (to == s.n)
            break;
        bool is_space = span_is(span_part(s, to, 4), "@NS@"), is_name = span_is(span_part(s, to, 6), "@NAME@");
        TRY(buf_text(out, is_space ? space : is_name ? name : "@"));
        at = to + (is_space ? 4 : is_name ? 6 : 1);
    }
    return buf_u8(out, 0);
}

/* A policy's refusal names it; a guard is a webhook that can't be reached, whose address says what it is (authorization.yaml). */
enum attempt_refusal attempt_refused_by(const char *message)
{
    if (holds(message, "ValidatingAdmissionPolicy 'seb-"))
        return REFUSED_BY_POLICY;
    return holds(message, "denied-by-the-fence") ? REFUSED_BY_GUARD : REFUSED_OTHERWISE;
}
