/* What a body makes of an object: RFC 7386, RFC 6902, strategic merge, apply; and what of it a fence sees.
 * tests/kube/operators-tools compares the same with a real API server. */
#include "config.h"

#include "check.h"
#include "kube/client.h"
#include "kube/patch.h"
#include "kube/visible.h"

#include <stdio.h>

/* ' stands for ", where a text says so. */
static json_t *value_of(const char *text)
{
    char plain[4096];
    size_t n = 0;
    bool quoted = !span_text(text).n || span_find(span_text(text), 0, '"') < span_text(text).n;
    for (; text[n] && n + 1 < sizeof plain; n++)
        plain[n] = !quoted && text[n] == '\'' ? '"' : text[n];
    plain[n] = 0;
    json_t *v = json_loads(plain, JSON_DECODE_ANY, NULL);
    if (!v)
        printf("# not JSON: %s\n", text);
    return v;
}

static void show(const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    printf("# got %s\n", text ? text : "nothing");
    free_pointer(&text);
}

struct patch_case {
    const char *live, *body, *want; /* want NULL: refused */
};

static void check_cases(struct checks *k, enum patch_type type, const struct patch_case *cases, unsigned n, const char *what)
{
    for (unsigned i = 0; i < n; i++) {
        AUTO_JSON *live = value_of(cases[i].live), *body = value_of(cases[i].body), *got = NULL;
        AUTO_JSON *want = cases[i].want ? value_of(cases[i].want) : NULL, *before = json_deep_copy(live);
        struct trouble t = { .text = "" };
        char name[600];
        result r = patch_apply(type, live, body, "me", &got, &t);
        snprintf(name, sizeof name, "%s: %s + %s", what, cases[i].live, cases[i].body);
        bool holds = want ? is_ok(r) && json_equal(got, want) : code_of(r) == E_bad_value && t.text[0];
        check_that(k, holds && json_equal(live, before), name);
        if (!holds)
            show(got);
    }
}
#define CASES(list) list, sizeof list / sizeof *list

/* RFC 7386 appendix A; a patch that isn't an object replaces a whole document, which no API object is. */
static void test_merge(struct checks *k)
{
    static const struct patch_case cases[] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "{\"a\":\"foo\"}", "[\"c\"]", NULL },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
        { "{\"a\":1.5}", "{\"b\":2.5}", "{\"a\":1.5,\"b\":2.5}" },
    };
    check_cases(k, PATCH_MERGE, CASES(cases), "merge");
}

/* RFC 6902 appendix A, and what goes wrong. */
static void test_json(struct checks *k)
{
    static const struct patch_case cases[] = {
        { "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]", "{\"baz\":\"qux\",\"foo\":\"bar\"}" },
        { "{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
            "{\"foo\":[\"bar\",\"qux\",\"baz\"]}" },
        { "{\"foo\":[1]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[2]}]", "{\"foo\":[1,[2]]}" },
        { "{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}" },
        { "{\"foo\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]", "{\"foo\":[1,3]}" },
        { "{\"baz\":\"qux\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]", "{\"baz\":\"boo\"}" },
        { "{\"foo\":[1,2]}", "[{\"op\":\"replace\",\"path\":\"/foo/0\",\"value\":7}]", "{\"foo\":[7,2]}" },
        { "{\"foo\":{\"bar\":1,\"w\":2},\"qux\":{}}", "[{\"op\":\"move\",\"from\":\"/foo/w\",\"path\":\"/qux/t\"}]",
            "{\"foo\":{\"bar\":1},\"qux\":{\"t\":2}}" },
        { "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}", "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
            "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}" },
        { "{\"a\":{\"b\":1}}",
            "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"replace\",\"path\":\"/c/b\",\"value\":2}]",
            "{\"a\":{\"b\":1},\"c\":{\"b\":2}}" },
        { "{\"baz\":\"qux\"}",
            "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]",
            "{\"baz\":\"qux\",\"a\":null}" },
        { "{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL },
        { "{\"/\":9,\"~1\":10}",
            "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10},{\"op\":\"replace\",\"path\":\"/~1\",\"value\":8}]",
            "{\"/\":8,\"~1\":10}" },
        { "{}", "[]", "{}" },
        { "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":1}]", NULL },
        { "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":1}]", NULL },
        { "{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/-1\"}]", NULL },
        { "{\"a\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/a/01\"}]", NULL },
        { "{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/-\"}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":{}}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"b\",\"value\":1}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\"}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"destroy\",\"path\":\"/a\",\"value\":1}]", NULL },
        { "{\"a\":1}", "[{\"path\":\"/a\"}]", NULL },
        { "{\"a\":1}", "[7]", NULL },
        { "{\"a\":1}", "{\"op\":\"remove\",\"path\":\"/a\"}", NULL },
        { "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", NULL },
    };
    check_cases(k, PATCH_JSON, CASES(cases), "json");
}

#define TWO "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"2\",\"args\":[\"x\"]}]}"
static void test_strategic(struct checks *k)
{
    static const struct patch_case cases[] = {
        { TWO, "{\"containers\":[{\"name\":\"b\",\"image\":\"3\"}]}",
            "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"3\",\"args\":[\"x\"]}]}" },
        { TWO, "{\"containers\":[{\"name\":\"b\",\"args\":[\"y\"]}]}",
            "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"2\",\"args\":[\"y\"]}]}" },
        { TWO, "{\"containers\":[{\"name\":\"c\",\"image\":\"3\"}]}",
            "{\"containers\":[{\"name\":\"c\",\"image\":\"3\"},{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"2\","
            "\"args\":[\"x\"]}]}" },
        { TWO, "{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}",
            "{\"containers\":[{\"name\":\"b\",\"image\":\"2\",\"args\":[\"x\"]}]}" },
        { TWO, "{\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"z\",\"image\":\"9\"}]}",
            "{\"containers\":[{\"name\":\"z\",\"image\":\"9\"}]}" },
        { TWO,
            "{\"$setElementOrder/"
            "containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],\"containers\":[{\"name\":\"a\",\"image\":\"5\"}]}",
            "{\"containers\":[{\"name\":\"b\",\"image\":\"2\",\"args\":[\"x\"]},{\"name\":\"a\",\"image\":\"5\"}]}" },
        { TWO, "{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
            "{\"containers\":[{\"name\":\"b\",\"image\":\"2\",\"args\":[\"x\"]},{\"name\":\"a\",\"image\":\"1\"}]}" },
        { TWO, "{\"containers\":[{\"image\":\"3\"}]}", NULL },
        { TWO, "{\"containers\":[{\"name\":\"a\",\"$patch\":\"burn\"}]}", NULL },
        { TWO, "[]", NULL },
        { TWO, "{\"containers\":null}", "{}" },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"$patch\":\"replace\",\"d\":3}}", "{\"a\":{\"d\":3}}" },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"$patch\":\"delete\"}}", "{\"a\":{}}" },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"$retainKeys\":[\"c\",\"d\"],\"d\":3}}", "{\"a\":{\"c\":2,\"d\":3}}" },
        { "{\"finalizers\":[\"a\",\"b\"]}", "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"finalizers\":[\"c\"]}",
            "{\"finalizers\":[\"c\",\"b\"]}" },
        { "{\"subjects\":[{\"name\":\"a\"}]}", "{\"subjects\":[{\"name\":\"b\"}]}", "{\"subjects\":[{\"name\":\"b\"}]}" },
        { "{\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":1,\"name\":\"x\"}]}]}",
            "{\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":1,\"name\":\"y\"}]}]}",
            "{\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":1,\"name\":\"y\"}]}]}" },
        { "{\"a\":1}", "{\"new\":{\"x\":null,\"containers\":[{\"name\":\"a\"}]}}",
            "{\"a\":1,\"new\":{\"containers\":[{\"name\":\"a\"}]}}" },
    };
    check_cases(k, PATCH_STRATEGIC, CASES(cases), "strategic");
}

#define OWNED(manager, set) "{\"manager\":\"" manager "\",\"operation\":\"Apply\",\"fieldsV1\":" set "}"
#define META(entries) "\"metadata\":{\"managedFields\":[" entries "]}"
static void test_apply(struct checks *k)
{
    static const struct patch_case cases[] = {
        { "{\"a\":1,\"b\":2}", "{\"b\":3}", "{\"a\":1,\"b\":3}" },
        { "{\"data\":{\"x\":1,\"y\":2}," META(OWNED("me", "{\"f:data\":{\"f:x\":{},\"f:y\":{}}}")) "}", "{\"data\":{\"x\":5}}",
            "{\"data\":{\"x\":5}," META(OWNED("me", "{\"f:data\":{\"f:x\":{},\"f:y\":{}}}")) "}" },
        { "{\"data\":{\"x\":1,\"y\":2}," META(
              OWNED("me", "{\"f:data\":{\"f:y\":{}}}") "," OWNED("you", "{\"f:data\":{\"f:y\":{}}}")) "}",
            "{\"data\":{\"x\":5}}",
            "{\"data\":{\"x\":5,\"y\":2}," META(
                OWNED("me", "{\"f:data\":{\"f:y\":{}}}") "," OWNED("you", "{\"f:data\":{\"f:y\":{}}}")) "}" },
        { "{\"data\":{\"y\":2}," META(OWNED("you", "{\"f:data\":{\"f:y\":{}}}")) "}", "{\"data\":{\"x\":5}}",
            "{\"data\":{\"x\":5,\"y\":2}," META(OWNED("you", "{\"f:data\":{\"f:y\":{}}}")) "}" },
        { "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\",\"image\":\"2\"}]}",
            "{\"containers\":[{\"name\":\"c\",\"image\":\"3\"},{\"name\":\"b\",\"image\":\"4\"}]}",
            "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"c\",\"image\":\"3\"},{\"name\":\"b\",\"image\":\"4\"}]"
            "}" },
        { "{\"containers\":[{\"name\":\"a\",\"image\":\"1\",\"x\":0},{\"name\":\"b\",\"image\":\"2\"}]," META(
              OWNED("me", "{\"f:containers\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{\".\":{},\"f:name\":{},\"f:image\":{}}}}")) "}",
            "{\"containers\":[{\"name\":\"b\",\"image\":\"4\"}]}",
            "{\"containers\":[{\"name\":\"b\",\"image\":\"4\"}]," META(
                OWNED("me", "{\"f:containers\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{\".\":{},\"f:name\":{},\"f:image\":{}}}}")) "}" },
        { "{\"list\":[1,2]}", "{\"list\":[3]}", "{\"list\":[3]}" },
        { "{}", "[]", NULL },
    };
    check_cases(k, PATCH_APPLY, CASES(cases), "apply");
}

struct visible_case {
    const char *group, *resource, *before, *after, *want;
};

#define POD(image) "{'containers':[{'name':'a','image':'" image "'}],'initContainers':[{'name':'i','image':'j'}]}"
static void test_visible(struct checks *k)
{
    /* clang-format off */
    static const struct visible_case cases[] = {
        { "apps", "deployments", "{'spec':{'replicas':1,'paused':false}}", "{'spec':{'replicas':2,'paused':true}}",
            "[{'pointer':'/spec/paused','value':true},{'pointer':'/spec/replicas','value':2}]" },
        { "apps", "deployments", "{'spec':{'template':{'spec':" POD("1") "}}}", "{'spec':{'template':{'spec':" POD("2") "}}}",
            "[{'pointer':'/spec/template/spec/containers/0/image','value':'2'}]" },
        { "batch", "cronjobs", NULL, "{'spec':{'schedule':'x','jobTemplate':{'spec':{'template':{'spec':" POD("2") "}}}}}",
            "[{'pointer':'/spec/jobTemplate/spec/template/spec/containers/0/image','value':'2'},"
            "{'pointer':'/spec/jobTemplate/spec/template/spec/initContainers/0/image','value':'j'}]" },
        { "", "pods", "{'spec':" POD("1") "}", "{'spec':{'containers':[]}}",
            "[{'pointer':'/spec/containers/0/image','absent':true},{'pointer':'/spec/containers/0/name','absent':true},"
            "{'pointer':'/spec/initContainers/0/image','absent':true},{'pointer':'/spec/initContainers/0/name','absent':true}]" },
        { "", "configmaps", "{'data':{'a':'1','b':'2'}}", "{'data':{'b':'3','c.d/e~f':'4'},'binaryData':{'x':'eA=='}}",
            "[{'pointer':'/binaryData/x','value':'eA=='},{'pointer':'/data/a','absent':true},{'pointer':'/data/b','value':'3'},"
            "{'pointer':'/data/c.d~1e~0f','value':'4'}]" },
        { "rbac.authorization.k8s.io", "rolebindings", "{'subjects':[{'kind':'User','name':'a'}],'roleRef':{'name':'r'}}",
            "{'subjects':[{'kind':'User','name':'b'},{'kind':'Group','name':'g'}],'roleRef':{'name':'r'}}",
            "[{'pointer':'/subjects/0/name','value':'b'},{'pointer':'/subjects/1/kind','value':'Group'},"
            "{'pointer':'/subjects/1/name','value':'g'}]" },
        { "rbac.authorization.k8s.io", "roles", "{'rules':[{'verbs':['get']}]}", "{'rules':[{'verbs':['get','list']}]}",
            "[{'pointer':'/rules/0/verbs/1','value':'list'}]" },
        { "example.org", "widgets", "{'spec':{'size':1,'deep':{'x':1}}}", "{'spec':{'size':2,'on':true,'deep':{'x':2},'none':{}}}",
            "[{'pointer':'/spec/deep/x','value':2},{'pointer':'/spec/none','value':{}},{'pointer':'/spec/on','value':true},"
            "{'pointer':'/spec/size','value':2}]" },
        { "apps", "deployments", "{'metadata':{'labels':{'a':'1'},'uid':'u','resourceVersion':'1'}}",
            "{'metadata':{'labels':{'a/b':'2'},'resourceVersion':'2'}}",
            "[{'pointer':'/metadata/labels/a','absent':true},{'pointer':'/metadata/labels/a~1b','value':'2'}]" },
        { "apps", "deployments", "{'status':{'x':1}}", "{'status':{'x':2}}", "[]" },
        { "apps", "deployments", NULL, "{'metadata':{'labels':{'a':'1'}},'spec':{'replicas':1,'paused':true}}",
            "[{'pointer':'/spec/replicas','value':1}]" },
        { "example.org", "widgets", NULL, "{'spec':{'size':1.5}}", NULL },
    };
    /* clang-format on */
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct visible_case *c = &cases[i];
        AUTO_JSON *before = c->before ? value_of(c->before) : NULL, *after = value_of(c->after), *got = json_array();
        AUTO_JSON *want = c->want ? value_of(c->want) : NULL;
        struct trouble t = { .text = "" };
        char name[128];
        result r = visible_changes(&(struct visible_kind){ c->group, c->resource, NULL }, before, after, got, &t);
        snprintf(name, sizeof name, "what is seen of %s, case %u", c->resource, i);
        bool holds = want ? is_ok(r) && json_equal(got, want) : code_of(r) == E_bad_value;
        check_that(k, holds, name);
        if (!holds)
            show(got);
    }
}

static void defaults(struct checks *k, const char *group, const char *resource, const char *before, const char *want)
{
    AUTO_JSON *o = value_of(before), *w = value_of(want);
    bool holds = is_ok(visible_defaults(&(struct visible_kind){ group, resource, NULL }, o)) && json_equal(o, w);
    check_that(k, holds, before);
    if (!holds)
        show(o);
}

#define COMMON "'terminationMessagePath':'/dev/termination-log','terminationMessagePolicy':'File','resources':{}"
static void test_defaults(struct checks *k)
{
    /* clang-format off */
    defaults(k, "", "replicationcontrollers", "{'spec':{}}", "{'spec':{'replicas':1}}");
    defaults(k, "", "replicationcontrollers", "{'spec':{'replicas':0}}", "{'spec':{'replicas':0}}");
    defaults(k, "apps", "deployments", "{'spec':{'replicas':null}}",
        "{'spec':{'replicas':1,'revisionHistoryLimit':10,'progressDeadlineSeconds':600,"
        "'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':'25%','maxUnavailable':'25%'}}}}");
    defaults(k, "", "pods",
        "{'spec':{'containers':[{'image':'h:1/x'},{'image':'x:1'},{'image':'x:latest'},{'image':'x@sha256:1'}]}}",
        "{'spec':{'restartPolicy':'Always','dnsPolicy':'ClusterFirst','schedulerName':'default-scheduler',"
        "'terminationGracePeriodSeconds':30,'securityContext':{},'containers':["
        "{'image':'h:1/x','imagePullPolicy':'Always'," COMMON "},{'image':'x:1','imagePullPolicy':'IfNotPresent'," COMMON "},"
        "{'image':'x:latest','imagePullPolicy':'Always'," COMMON "},"
        "{'image':'x@sha256:1','imagePullPolicy':'IfNotPresent'," COMMON "}]}}");
    defaults(k, "rbac.authorization.k8s.io", "rolebindings",
        "{'roleRef':{'kind':'Role'},'subjects':[{'kind':'User'},{'kind':'ServiceAccount'},{'kind':'Group','apiGroup':''}]}",
        "{'roleRef':{'kind':'Role','apiGroup':'rbac.authorization.k8s.io'},'subjects':["
        "{'kind':'User','apiGroup':'rbac.authorization.k8s.io'},{'kind':'ServiceAccount'},"
        "{'kind':'Group','apiGroup':'rbac.authorization.k8s.io'}]}");
    /* clang-format on */
    static const char definition[] =
        "{\"spec\":{\"versions\":[{\"name\":\"v1\",\"schema\":{\"openAPIV3Schema\":{\"properties\":{\"spec\":{\"properties\":"
        "{\"size\":{\"type\":\"integer\",\"default\":3},\"on\":{\"type\":\"boolean\"},"
        "\"list\":{\"items\":{\"properties\":{\"a\":{\"default\":1}}}},\"any\":{\"additionalProperties\":{\"properties\":{\"b\":{}}"
        "}},"
        "\"free\":{\"x-kubernetes-preserve-unknown-fields\":true,\"properties\":{\"c\":{\"default\":2}}}}}}}}}]}}";
    AUTO_JSON *crd = value_of(definition),
              *o = value_of("{'spec':{'on':true,'typo':1,'list':[{},{'x':1}],'any':{'k':{'b':1,'y':2}},'free':{'z':1}}}");
    AUTO_JSON *want = value_of("{'spec':{'on':true,'size':3,'list':[{'a':1},{'a':1}],'any':{'k':{'b':1}},'free':{'z':1,'c':2}}}");
    check_that(
        k, is_ok(visible_custom(crd, "v1", o)) && json_equal(o, want), "a custom resource's defaults, and what its schema drops");
    check_that(k, is_ok(visible_custom(crd, "v2", o)) && json_equal(o, want), "another version's schema says nothing");
}

int main(void)
{
    struct checks k = { 0 };
    test_merge(&k);
    test_json(&k);
    test_strategic(&k);
    test_apply(&k);
    test_visible(&k);
    test_defaults(&k);
    return checks_end(&k);
}
