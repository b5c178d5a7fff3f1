#include <config.h>

#include "check.h"
#include "testkey.h"
#include "fence/kubernetes.h"
#include "fence/template.h"

#include <stdio.h>

struct room {
    struct checks checks;
    struct config config;
    const struct pubkey *keys[2];
    struct fence_kubernetes_args args;
};

static void world(struct room *r)
{
    r->config = (struct config){
        .domain = "d.example",
        .instance = "one",
        .targets = 1,
        .target = { {
            .name = "cluster",
            .kind = "kubernetes",
            .prefix = "https://api.example:6443/",
            .audience = "cluster-a",
            .issuer = "https://tokens.example/seb",
        } },
    };
    r->args = (struct fence_kubernetes_args){
        .config = &r->config,
        .target = &r->config.target[0],
        .keys = r->keys,
        .keys_n = 1,
        .namespaces = { .text = { "prod" }, .n = 1 },
        .directory = "/etc/kubernetes/seb",
    };
}

typedef result (*writer)(const struct fence_kubernetes_args *a, struct buf *out);
static const struct {
    const char *name;
    writer write;
} files[] = {
    { "authentication.yaml", fence_kubernetes_authentication },
    { "authorization.yaml", fence_kubernetes_authorization },
    { "fence.yaml", fence_kubernetes_fence },
};
enum { AUTHENTICATION, AUTHORIZATION, FENCE, FILES };

/* How often a text is among the others. */
static unsigned count(struct span text, const char *what)
{
    struct span w = span_text(what);
    unsigned n = 0;
    for (size_t at = 0; at + w.n <= text.n; at++)
        n += span_equal(span_part(text, at, w.n), w);
    return n;
}

/* Nothing that was to be replaced is left, and no line ends with a space or has a tab, which YAML doesn't indent with. */
static bool is_clean(struct span text)
{
    for (size_t at = 0; at < text.n; at++) {
        size_t name = 1;
        while (text.p[at] == '@' && at + name < text.n &&
               ((text.p[at + name] >= 'A' && text.p[at + name] <= 'Z') || text.p[at + name] == '_'))
            name++;
        if ((text.p[at] == '@' && name > 1 && at + name < text.n && text.p[at + name] == '@') || text.p[at] == '\t')
            return false;
        if (text.p[at] == ' ' && (at + 1 == text.n || text.p[at + 1] == '\n'))
            return false;
    }
    return text.n > 0 && text.p[text.n - 1] == '\n';
}

static void write_file(struct room *r, unsigned file, struct buf *out)
{
    const char *where = NULL;
    buf_clear(out);
    check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_ok, "the words fit");
    check_code(&r->checks, files[file].write(&r->args, out), E_ok, files[file].name);
    check_that(&r->checks, is_clean(buf_span(out)), "every placeholder was one that is known");
}

static void holds(struct room *r, const struct buf *text, unsigned n, const char *what)
{
    char name[256];
    snprintf(name, sizeof name, "%u times: %.200s", n, what);
    check_that(&r->checks, count(buf_span(text), what) == n, name);
}

static void test_authentication(struct room *r)
{
    AUTO_BUF out = BUF(FENCE_KUBERNETES_TEXT_MAX);
    char kid[DIGEST_TEXT + 1], line[256];
    world(r);
    r->args.keys_n = 2;
    r->args.discovery_ca = "somebody's note\n-----BEGIN CERTIFICATE-----\r\nMIIB\n-----END CERTIFICATE-----\n\n\"evil\": yaml\n";
    write_file(r, AUTHENTICATION, &out);
    holds(r, &out, 2, "\n- issuer:\n");
    holds(r, &out, 2, "    audiences: [\"cluster-a\"]\n");
    holds(r, &out, 2, "claims.dom == 'd.example' && claims.ins == 'one' && claims.sub.startsWith('seb:one:')");
    holds(r, &out, 2,
        "    certificateAuthority: |\n      -----BEGIN CERTIFICATE-----\n      MIIB\n      -----END CERTIFICATE-----\n    "
        "audiences");
    holds(r, &out, 0, "evil");
    holds(r, &out, 0, "discoveryURL");
    for (unsigned i = 0; i < 2; i++) {
        digest_text(pubkey_thumbprint(r->keys[i]), kid);
        snprintf(line, sizeof line, "    url: \"https://tokens.example/seb/%s\"\n", kid);
        holds(r, &out, 1, line);
        snprintf(line, sizeof line, "{key: seb.internal/key, valueExpression: \"'%s'\"}", kid);
        holds(r, &out, 1, line);
    }
    r->args.discovery_url = "https://inside.example:8443/www";
    r->config.target[0].groups = true;
    write_file(r, AUTHENTICATION, &out);
    digest_text(pubkey_thumbprint(r->keys[1]), kid);
    snprintf(line, sizeof line, "    discoveryURL: \"https://inside.example:8443/www/%s/.well-known/openid-configuration\"\n", kid);
    holds(r, &out, 1, line);
    snprintf(line, sizeof line, "    groups: {claim: groups, prefix: \"seb:%s:\"}\n", kid);
    holds(r, &out, 1, line);
    holds(r, &out, 0, "seb.internal/key");
}

/* OpenID Connect Discovery 1.0, section 3: the issuer is the one of the token; RFC 7517, section 5. */
static void test_published(struct room *r)
{
    AUTO_BUF out = BUF(FENCE_KUBERNETES_TEXT_MAX);
    AUTO_JSON *document = NULL, *set = NULL;
    AUTO_PUBKEY *key = NULL;
    char kid[DIGEST_TEXT + 1], url[256];
    const char *text = NULL;
    world(r);
    r->args.discovery_url = "https://inside.example";
    digest_text(pubkey_thumbprint(r->keys[0]), kid);
    check_code(&r->checks, fence_kubernetes_discovery(&r->args, r->keys[0], &out), E_ok, "a discovery document");
    check_code(&r->checks, json_strict(buf_span(&out), out.n, &document), E_ok, "it is JSON");
    snprintf(url, sizeof url, "https://tokens.example/seb/%s", kid);
    check_that(&r->checks, is_ok(json_text(document, "issuer", 255, &text)) && span_is(span_text(text), url), "its issuer");
    snprintf(url, sizeof url, "https://inside.example/%s/jwks", kid);
    check_that(
        &r->checks, is_ok(json_text(document, "jwks_uri", 255, &text)) && span_is(span_text(text), url), "where its keys are");
    buf_clear(&out);
    check_code(&r->checks, fence_kubernetes_jwks(r->keys[0], &out), E_ok, "a key set");
    check_code(&r->checks, json_strict(buf_span(&out), out.n, &set), E_ok, "it is JSON too");
    json_t *jwk = json_array_get(json_object_get(set, "keys"), 0);
    check_that(&r->checks, json_array_size(json_object_get(set, "keys")) == 1, "with one key");
    check_that(&r->checks, is_ok(json_text(jwk, "kid", 64, &text)) && span_is(span_text(text), kid), "by its thumbprint");
    json_object_del(jwk, "kid");
    json_object_del(jwk, "alg");
    json_object_del(jwk, "use");
    check_code(&r->checks, pubkey_from_jwk(jwk, &key), E_ok, "it is a key");
    check_that(&r->checks, key && pubkey_equal(key, r->keys[0]), "that key");
}

static void test_guards(struct room *r)
{
    AUTO_BUF out = BUF(FENCE_KUBERNETES_TEXT_MAX);
    static const char *const guards[] = { "seb-guard-broker", "seb-guard-admission", "seb-guard-impersonation",
        "seb-guard-certificates", "seb-guard-nodes", "seb-guard-identities", "seb-guard-keys" };
    const unsigned n = sizeof guards / sizeof *guards;
    char line[128];
    world(r);
    r->args.exempt = (struct fence_kubernetes_list){
        .text = { "system:serviceaccount:argo:ctl=UPDATE:deployments.apps", "api-to-kubelet=CONNECT:nodes/proxy" }, .n = 2
    };
    write_file(r, AUTHORIZATION, &out);
    for (unsigned i = 0; i < n; i++) {
        snprintf(line, sizeof line, "\n  name: %s\n", guards[i]);
        holds(r, &out, 1, line);
    }
    /* Each of them denies, and none can be answered. */
    holds(r, &out, n, "    failurePolicy: Deny\n");
    holds(r, &out, n, "    connectionInfo: {type: KubeConfigFile, kubeConfigFile: \"/etc/kubernetes/seb/nowhere.kubeconfig\"}\n");
    holds(r, &out, n - 1, " && !(false)"); /* no break-glass: nobody passes but the broker, whose guard is the first */
    holds(r, &out, 1, "request.resourceAttributes.subresource == 'token' &&");
    holds(r, &out, 1, "request.resourceAttributes.namespace in [\"kube-system\", \"argo\", \"seb-system\", \"prod\"]");
    holds(r, &out, 1, "request.resourceAttributes.namespace in [\"\", \"kube-system\", \"argo\"]");
    holds(r, &out, 1, "\"system:kube-apiserver\", \"api-to-kubelet\"])");
    r->args.break_glass = "fence-keepers";
    write_file(r, AUTHORIZATION, &out);
    holds(r, &out, n - 1, " && !('fence-keepers' in request.groups)");
    buf_clear(&out);
    check_code(&r->checks, fence_kubernetes_nowhere(&out), E_ok, "nowhere.kubeconfig");
    holds(r, &out, 1, "server: \"https://127.0.0.1:0/");
}

static void test_policies(struct room *r)
{
    AUTO_BUF out = BUF(FENCE_KUBERNETES_TEXT_MAX);
    char kid[DIGEST_TEXT + 1], line[256];
    world(r);
    r->args.namespaces = (struct fence_kubernetes_list){ .text = { "prod", "pay", "prod" }, .n = 3 };
    r->args.cluster_kinds = (struct fence_kubernetes_list){ .text = { "clusterroles.rbac.authorization.k8s.io", "nodes" }, .n = 2 };
    r->args.exempt = (struct fence_kubernetes_list){
        .text = { "system:serviceaccount:argo:ctl=CREATE,UPDATE:deployments.apps/scale", "ops@d.example=CONNECT:pods/exec:web-0" },
        .n = 2
    };
    write_file(r, FENCE, &out);
    holds(r, &out, 1, "operator: In, values: [\"prod\", \"pay\", \"seb-system\"]}");
    holds(r, &out, 2, "  failurePolicy: Fail\n");
    holds(r, &out, 2, "validationActions: [Deny, Audit]");
    holds(r, &out, 1, "parameterNotFoundAction: Deny");
    holds(r, &out, 1,
        "    - {apiGroups: [\"rbac.authorization.k8s.io\"], apiVersions: [\"*\"], operations: [\"*\"], resources: [clusterroles, "
        "clusterroles/*], scope: Cluster}\n");
    holds(r, &out, 1,
        "    - {apiGroups: [\"\"], apiVersions: [\"*\"], operations: [\"*\"], resources: [nodes, nodes/*], scope: Cluster}\n");
    holds(r, &out, 1, "        {'user': 'system:serviceaccount:argo:ctl', 'may': 'deployments.apps/scale CREATE UPDATE'},\n");
    holds(r, &out, 1, "        {'user': 'ops@d.example', 'may': 'pods/exec:web-0 CONNECT'},\n");
    holds(r, &out, 0, "\ndata:"); /* no key is allowed by who writes the fence */
    holds(r, &out, 1, "name: seb-brokers}");
    r->config.target[0].groups = true;
    r->args.keys_n = 2;
    write_file(r, FENCE, &out);
    holds(r, &out, 0, "seb-brokers");
    for (unsigned i = 0; i < 2; i++) {
        snprintf(line, sizeof line, "name: \"seb:%s:broker\"}", digest_text(pubkey_thumbprint(r->keys[i]), kid));
        holds(r, &out, 1, line);
    }
}

/* Where a word of the configuration or the command line comes to stand: what stands around it there. */
static const struct {
    const char *name, *before, *after;
} places[] = {
    { "domain", "", "" },
    { "instance", "", "" },
    { "audience", "", "" },
    { "target", "", "" },
    { "issuer", "", "" },
    { "--namespace", "", "" },
    { "--cluster-kind", "", ".apps" },
    { "--exempt, user", "", "=UPDATE:pods" },
    { "--exempt, kind", "joe=UPDATE:", "" },
    { "--break-glass", "", "" },
    { "--directory", "", "" },
    { "--discovery-url", "https://", "" },
};

static result put_at(struct room *r, unsigned place, const char *text)
{
    struct config_target *t = &r->config.target[0];
    struct span s = span_text(text);
    const struct fence_kubernetes_list one = { .text = { text }, .n = 1 };
    switch (place) {
    case 0:
        return span_copy_text(s, r->config.domain, sizeof r->config.domain);
    case 1:
        return span_copy_text(s, r->config.instance, sizeof r->config.instance);
    case 2:
        return span_copy_text(s, t->audience, sizeof t->audience);
    case 3:
        return span_copy_text(s, t->name, sizeof t->name);
    case 4:
        return span_copy_text(s, t->issuer, sizeof t->issuer);
    case 5:
        r->args.namespaces = one;
        return OK;
    case 6:
        r->args.cluster_kinds = one;
        return OK;
    case 9:
        r->args.break_glass = text;
        return OK;
    case 10:
        r->args.directory = text;
        return OK;
    case 11:
        r->args.discovery_url = text;
        return OK;
    default:
        r->args.exempt = one;
        return OK;
    }
}

/* Words that would be more than words in YAML or CEL, each in each place. */
static void test_injection(struct room *r)
{
    static const char *const bad[] = { "", "a b", "a\nb", "a\tb", "a'b", "a\"b", "a\\b", "a#b", "a{b", "a}b", "a,b", "a@GROUPS@ ",
        "a*", "a\x7f", "\xc3\xa9" };
    char text[128], name[128];
    for (unsigned b = 0; b < sizeof bad / sizeof *bad; b++) {
        for (unsigned place = 0; place < sizeof places / sizeof *places; place++) {
            const char *where = NULL;
            world(r);
            snprintf(text, sizeof text, "%s%s%s", places[place].before, bad[b], places[place].after);
            snprintf(name, sizeof name, "%s, word %u", places[place].name, b);
            check_code(&r->checks, put_at(r, place, text), E_ok, "the word is put");
            check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, name);
            check_that(&r->checks, where != NULL, "it says where");
        }
    }
}

static void test_forms(struct room *r)
{
    static const char *const namespaces[] = { "kube-system", "kube-node-lease", "Prod", "a.b", NULL };
    static const char *const kinds[] = { "namespaces", "Nodes", "nodes.", ".apps", "nodes/status", NULL };
    static const char *const exempts[] = { "joe", "joe=UPDATE", "joe=:pods", "joe=PATCH:pods", "joe=UPDATE,:pods", "joe=*:pods",
        "joe=UPDATE:", "joe=UPDATE:pods/", "joe=UPDATE:pods:", "joe=UPDATE:pods/a/b", "=UPDATE:pods", NULL };
    static const char *const groups[] = { "seb-brokers", "seb-revokers", "seb-agents", "seb:x:broker", "system:authenticated",
        "system:nodes", NULL };
    const char *where;
    for (unsigned i = 0; namespaces[i]; i++) {
        world(r);
        r->args.namespaces.text[0] = namespaces[i];
        check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, namespaces[i]);
    }
    for (unsigned i = 0; kinds[i]; i++) {
        world(r);
        r->args.cluster_kinds = (struct fence_kubernetes_list){ .text = { kinds[i] }, .n = 1 };
        check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, kinds[i]);
    }
    for (unsigned i = 0; exempts[i]; i++) {
        world(r);
        r->args.exempt = (struct fence_kubernetes_list){ .text = { exempts[i] }, .n = 1 };
        check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, exempts[i]);
    }
    for (unsigned i = 0; groups[i]; i++) {
        world(r);
        r->args.break_glass = groups[i];
        check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, groups[i]);
    }
    world(r);
    r->args.break_glass = "system:masters";
    check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_ok, "system:masters can be the break-glass group");
    world(r);
    snprintf(r->config.target[0].kind, sizeof r->config.target[0].kind, "http");
    check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, "a target of another kind");
    world(r);
    r->args.namespaces.n = 0;
    check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, "nothing to protect");
    world(r);
    r->args.keys_n = 0;
    check_code(&r->checks, fence_kubernetes_check(&r->args, &where), E_no_config, "no key");
}

static void test_template(struct room *r)
{
    static const char *const lines[] = { "@EMPTY@\n", "  a@X@b @Y@ @PLAIN@ @ @@ @x@ joe@host\n", "@BLOCK@\n", "end\n", NULL };
    static const char *const unknown[] = { "@NOBODY@\n", NULL }, *const upwards[] = { "@LATE@\n", NULL };
    const struct template_word words[] = { { .name = "EMPTY", .text = "" }, { .name = "BLOCK", .text = "one\ntwo\n" },
        { .name = "X", .text = "<@Y@>", .open = true }, { .name = "PLAIN", .text = "@Y@" }, { .name = "Y", .text = "y" },
        { .name = "LATE", .text = "@X@", .open = true } };
    AUTO_BUF out = BUF(1024);
    check_code(&r->checks, template_put(lines, words, 6, &out), E_ok, "a template");
    check_that(&r->checks, span_is(buf_span(&out), "  a<y>b y @Y@ @ @@ @x@ joe@host\none\ntwo\nend\n"),
        "each placeholder and nothing else");
    check_code(&r->checks, template_put(unknown, words, 6, &out), E_invariant, "a placeholder that nobody knows");
    check_code(&r->checks, template_put(upwards, words, 6, &out), E_invariant, "a word that needs one further up");
}

int main(void)
{
    static struct room r; /* a config is large */
    struct testkey *es256 = testkey_new(ALG_ES256), *other = testkey_new(ALG_ES256), *eddsa = testkey_new(ALG_EDDSA);
    const char *where;
    r.keys[0] = testkey_public(es256);
    r.keys[1] = testkey_public(other);
    test_template(&r);
    test_authentication(&r);
    test_published(&r);
    test_guards(&r);
    test_policies(&r);
    test_injection(&r);
    test_forms(&r);
    world(&r);
    r.keys[0] = testkey_public(eddsa);
    check_code(&r.checks, fence_kubernetes_check(&r.args, &where), E_no_config, "a key of another kind");
    testkey_free(es256);
    testkey_free(other);
    testkey_free(eddsa);
    return checks_end(&r.checks);
}
