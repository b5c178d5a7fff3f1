/* sebctl fence kubernetes --check: tries every way around the fence that we know, with the credentials of a kubeconfig, so that
 * nothing changes; says which the cluster lets through. */
#include <config.h>

#include "base/random.h"
#include "base/secret.h"
#include "fence/kubernetes_check.h"
#include "sebctl/fence_check.h"
#include "sebctl/sebctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define SPACES_MAX 32
#define KINDS_MAX 32
#define TEXT_MAX 8192
#define HEADERS_MAX 8

static const char help[] =
    "usage: sebctl fence kubernetes --check --kubeconfig FILE [--context NAME] --namespace NAME... [--cluster-kind KIND]...\n"
    "Tries with the credentials of the kubeconfig, a cluster-admin's best, every way around the fence that is known, in each\n"
    "protected namespace (-n NAME too), and for the protected kinds without one. Nothing changes: calls are dry runs, or on\n"
    "objects that aren't there; what can't be tried so is asked of the API server (SelfSubjectAccessReview), and marked.\n"
    "One line an attempt: let through, refused, or not tried, and why.\n"
    "A refusal counts for the fence when the fence gave it: with credentials that may do little anyway, this shows nothing.\n"
    "Exit codes: 0 the fence refused all of it, 1 the cluster isn't fenced or nothing was shown, 2 the command line is wrong.\n";

struct options {
    const char *kubeconfig, *context, *space[SPACES_MAX], *kind[KINDS_MAX];
    unsigned spaces, kinds;
};
const char *check_text(const json_t *o, const char *object, const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(o, object), name));
    return text ? text : "";
}

static void report(struct checking *c, const struct attempt *a, const char *space, enum verdict v, const char *why)
{
    static const char *const words[VERDICTS] = { "LET THROUGH", "refused", "refused", "refused", "not tried" };
    static const char *const by[VERDICTS] = { "", "by the policy", "by the guard", "not by the fence: ", "" };
    c->count[v]++;
    printf("%-12s %s%s%s%s: %s%s\n", words[v], a->name, space ? " in " : "", space ? space : "",
        a->how == ATTEMPT_ASK ? " (asked)" : "", by[v], v == BY_POLICY || v == BY_GUARD ? "" : why);
}

static enum verdict refusal(const char *message)
{
    enum attempt_refusal by = attempt_refused_by(message);
    return by == REFUSED_BY_POLICY ? BY_POLICY : by == REFUSED_BY_GUARD ? BY_GUARD : OTHERWISE;
}

/* A path that the server doesn't know, and a namespace that isn't there, say nothing of the fence. */
static bool is_no_place(const struct kube_answer *a)
{
    const json_t *details = json_object_get(a->object, "details");
    const char *kind = json_string_value(json_object_get(details, "kind"));
    return !kind || !json_has(details, "name") || span_is(span_text(kind), "namespaces");
}

static enum verdict judge(const struct attempt *a, const struct kube_answer *answer)
{
    bool done = (answer->status >= 200 && answer->status < 300) || answer->status == 409;
    bool gone = a->how == ATTEMPT_NOBODY && answer->status == 404 && !is_no_place(answer);
    if (done || gone)
        return THROUGH;
    enum verdict v = refusal(answer->message);
    return v != OTHERWISE || answer->status == 403 || answer->status == 401 ? v : NOT_TRIED;
}

static void conclude(struct checking *c, const struct attempt *a, const char *space, result r, const struct kube_answer *answer)
{
    char why[TROUBLE_MAX + 16];
    if (!is_ok(r)) {
        report(c, a, space, NOT_TRIED, c->trouble.text[0] ? c->trouble.text : code_words(code_of(r)));
        return;
    }
    snprintf(why, sizeof why, "%u%s%s", answer->status, answer->message[0] ? " " : "", answer->message);
    report(c, a, space, judge(a, answer), why);
}

static result body_make(const struct attempt *a, const char *space, const char *name, struct buf *out)
{
    TRY(attempt_fill(a->body, space, name, out));
    out->n--; /* the NUL stays behind it */
    return OK;
}

/* Calls, with dryRun where something could be written. */
static result attempt_call(
    struct checking *c, const struct attempt *a, const char *space, const char *name, struct kube_answer *ret)
{
    AUTO_BUF path = BUF(TEXT_MAX), body = BUF(TEXT_MAX);
    TRY(attempt_fill(a->path, space, name, &path));
    struct span s = { path.p, path.n - 1 };
    path.n--;
    if (!span_is(span_text(a->method), "GET"))
        TRY(buf_printf(&path, "%sdryRun=All", span_find(s, 0, '?') < s.n ? "&" : "?"));
    TRY(buf_u8(&path, 0));
    if (a->body)
        TRY(body_make(a, space, name, &body));
    const struct kube_call call = { .method = a->method,
        .path = (const char *)path.p,
        .media_type = a->body ? attempt_media_type(a) : NULL,
        .body = buf_span(&body) };
    return kube_ask(c->kube, &call, ret, &c->trouble);
}

/* One object of the collection, into name; false where there is none to try it on. */
bool check_find(struct checking *c, const struct attempt *a, const char *space, char *name, size_t room)
{
    AUTO_BUF path = BUF(TEXT_MAX);
    AUTO_JSON *list = NULL;
    if (!is_ok(attempt_fill(a->find, space, "", &path)))
        return false;
    path.n--;
    if (!is_ok(buf_text(&path, "?limit=1")) || !is_ok(buf_u8(&path, 0)) ||
        !is_ok(kube_get(c->kube, (const char *)path.p, &list, &c->trouble)))
        return false;
    const char *found = check_text(json_array_get(json_object_get(list, "items"), 0), "metadata", "name");
    c->trouble.text[0] = 0;
    return found[0] && is_ok(span_copy_text(span_text(found), name, room));
}

void check_try(struct checking *c, const struct attempt *a, const char *space)
{
    char name[254];
    AUTO_ANSWER answer = { 0 };
    if (a->find && !check_find(c, a, space, name, sizeof name)) {
        report(c, a, space, NOT_TRIED, c->trouble.text[0] ? c->trouble.text : "there is none");
        return;
    }
    result r = attempt_call(c, a, space, a->find ? name : c->nobody, &answer);
    conclude(c, a, space, r, &answer);
}

/* GROUP/RESOURCE[/SUBRESOURCE][:NAME] */
static result review_make(const struct attempt *a, const char *space, json_t *attributes)
{
    struct span s = span_text(a->path);
    size_t colon = span_find(s, 0, ':');
    struct span kind = span_part(s, 0, colon);
    size_t group = span_find(kind, 0, '/'), sub = span_find(kind, group + 1, '/');
    AUTO_BUF in = BUF(256);
    TRY(json_put_text(attributes, "verb", a->method));
    TRY(json_put_span(attributes, "group", span_part(kind, 0, group)));
    TRY(json_put_span(attributes, "resource", span_part(kind, group + 1, sub - group - 1)));
    TRY(json_put_span(attributes, "subresource", span_part(kind, sub + 1, kind.n)));
    TRY(json_put_span(attributes, "name", span_part(s, colon + 1, s.n)));
    if (!a->body)
        return OK;
    TRY(attempt_fill(a->body, space, "", &in));
    return json_put_text(attributes, "namespace", (const char *)in.p);
}

static result review(struct checking *c, const struct attempt *a, const char *space, struct kube_answer *ret)
{
    AUTO_JSON *o = json_object(), *spec = json_object(), *attributes = json_object();
    AUTO_BUF body = BUF(TEXT_MAX);
    TRY(review_make(a, space, attributes));
    TRY(json_put_text(o, "apiVersion", "authorization.k8s.io/v1"));
    TRY(json_put_text(o, "kind", "SelfSubjectAccessReview"));
    TRY(json_put_new(spec, "resourceAttributes", json_incref(attributes)));
    TRY(json_put_new(o, "spec", json_incref(spec)));
    TRY(json_canonical(o, &body));
    const struct kube_call call = { .method = "POST",
        .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        .media_type = "application/json",
        .body = buf_span(&body) };
    return kube_ask(c->kube, &call, ret, &c->trouble);
}

static void try_asking(struct checking *c, const struct attempt *a, const char *space)
{
    AUTO_ANSWER answer = { 0 };
    result r = review(c, a, space, &answer);
    const json_t *status = json_object_get(answer.object, "status");
    if (!is_ok(r) || answer.status != 201 || !json_is_object(status)) {
        conclude(c, a, space, r, &answer);
        return;
    }
    const char *error = check_text(answer.object, "status", "evaluationError");
    enum verdict v = json_is_true(json_object_get(status, "allowed")) ? THROUGH : refusal(error);
    report(c, a, space, v, v == THROUGH ? "it would" : "no right to it");
}

static void try_as(struct checking *c, const struct attempt *a)
{
    static const char body[] = "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}";
    const char *headers[HEADERS_MAX + 1] = { NULL };
    char *lines[HEADERS_MAX] = { NULL };
    AUTO_ANSWER answer = { 0 };
    struct span s = span_text(a->path);
    unsigned n = 0;
    result r = OK;
    for (size_t at = 0; at < s.n && n < HEADERS_MAX && is_ok(r); n++) {
        size_t to = span_find(s, at, '\n');
        r = span_dup_text(span_part(s, at, to - at), &lines[n]);
        headers[n] = lines[n];
        at = to + 1;
    }
    const struct kube_call call = { .method = "POST",
        .path = "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        .media_type = "application/json",
        .body = span_text(body),
        .headers = headers };
    if (is_ok(r))
        r = kube_ask(c->kube, &call, &answer, &c->trouble);
    conclude(c, a, NULL, r, &answer);
    for (unsigned i = 0; i < n; i++)
        free(lines[i]);
}

static void try_all(struct checking *c, const struct attempt *attempts, const char *space)
{
    for (const struct attempt *a = attempts; a->name; a++) {
        c->trouble.text[0] = 0;
        if (a->how == ATTEMPT_ASK)
            try_asking(c, a, space);
        else if (a->how == ATTEMPT_AS)
            try_as(c, a);
        else
            check_try(c, a, space);
        fflush(stdout);
    }
}

/* ---- all of it */

static result nobody_make(struct checking *c)
{
    uint8_t random[8];
    AUTO_BUF name = BUF(sizeof c->nobody);
    TRY(random_bytes(random, sizeof random));
    TRY(buf_text(&name, "seb-fence-check-"));
    TRY(hex_put(&name, SPAN(random)));
    return span_copy_text(buf_span(&name), c->nobody, sizeof c->nobody);
}

/* not_fenced where anything passes or is missing, or where nothing was refused by the fence. */
static result end(const struct checking *c)
{
    unsigned by_fence = c->count[BY_POLICY] + c->count[BY_GUARD];
    printf("%u let through, %u refused by the fence, %u refused otherwise, %u not tried; %u parts of the fence missing or not to "
           "be seen\n",
        c->count[THROUGH], by_fence, c->count[OTHERWISE], c->count[NOT_TRIED], c->missing);
    return c->count[THROUGH] || c->missing || !by_fence ? fail(E_not_fenced) : OK;
}

static result run(const struct options *o, struct checking *c)
{
    AUTO_KUBECONFIG config = { .key = NULL };
    AUTO_KUBE *kube = NULL;
    AUTO_JSON *version = NULL;
    TRY(process_harden());
    TRY(nobody_make(c));
    TRY(kubeconfig_read(o->kubeconfig, o->context, &config, &c->trouble));
    TRY(kube_open(&config, &kube));
    TRY(kube_get(kube, "/version", &version, &c->trouble));
    c->kube = kube;
    check_parts(c);
    for (unsigned i = 0; i < o->spaces; i++) {
        try_all(c, attempts_in_namespace, o->space[i]);
        TRY(check_kinds(c, o->space[i]));
    }
    for (unsigned i = 0; i < o->kinds; i++)
        TRY(check_cluster_kind(c, o->kind[i]));
    try_all(c, attempts_everywhere, NULL);
    c->trouble.text[0] = 0;
    return end(c);
}

static result options_read(int argc, char **argv, struct options *o)
{
    enum { CHECK, KUBECONFIG, CONTEXT, SPACE, KIND, HELP };
    static const struct option names[] = {
        { "check", no_argument, NULL, CHECK },
        { "kubeconfig", required_argument, NULL, KUBECONFIG },
        { "context", required_argument, NULL, CONTEXT },
        { "namespace", required_argument, NULL, SPACE },
        { "cluster-kind", required_argument, NULL, KIND },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "n:", names, NULL)) != -1;) {
        if (c == HELP) {
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        }
        if (c == KUBECONFIG)
            o->kubeconfig = optarg;
        else if (c == CONTEXT)
            o->context = optarg;
        else if ((c == SPACE || c == 'n') && o->spaces < SPACES_MAX)
            o->space[o->spaces++] = optarg;
        else if (c == KIND && o->kinds < KINDS_MAX)
            o->kind[o->kinds++] = optarg;
        else if (c != CHECK)
            return fail(E_usage);
    }
    return optind == argc - 1 && o->kubeconfig && o->spaces ? OK : fail(E_usage);
}

int sebctl_fence_check(int argc, char **argv)
{
    struct options o = { .spaces = 0 };
    struct checking c = { .kube = NULL };
    char text[256];
    if (!is_ok(options_read(argc, argv, &o))) {
        fputs(help, stderr);
        return SEBCTL_USAGE;
    }
    result r = run(&o, &c);
    if (is_ok(r))
        return SEBCTL_OK;
    const char *about = c.trouble.text[0] ? c.trouble.text : o.kubeconfig;
    fprintf(stderr, "sebctl fence: %s: %s\n", about, result_text(r, text, sizeof text));
    return SEBCTL_FAILED;
}
