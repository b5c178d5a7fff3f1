/* kubeconfig files, hostile ones too: what is taken, and what is refused by name. */
#include "config.h"

#include "check.h"
#include "kube/kubeconfig.h"
#include "kube/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CA "-----BEGIN CERTIFICATE-----\nY2E=\n-----END CERTIFICATE-----\n"
/* The same in base64. */
#define CA_DATA "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyRT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define SERVER "    server: https://api.example:6443\n"
#define CLUSTER SERVER "    certificate-authority-data: " CA_DATA "\n"
#define HEAD "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
#define CONTEXT "contexts:\n- name: here\n  context: {cluster: c, user: u, namespace: prod}\n"
#define FILE_OF(cluster, user) HEAD CONTEXT "clusters:\n- name: c\n  cluster:\n" cluster "users:\n- name: u\n  user:\n" user
#define TOKEN "    token: abc.def-1_\n"

struct room {
    struct checks checks;
    char dir[64], path[128];
    struct trouble trouble;
};

static result put(const char *path, const char *text)
{
    return file_write(path, span_text(text), 0600, true);
}

static result read_text(struct room *r, const char *text, const char *context, struct kubeconfig *ret)
{
    TRY(put(r->path, text));
    return kubeconfig_read(r->path, context, ret, &r->trouble);
}

static bool says(const struct room *r, const char *words)
{
    struct span s = span_text(r->trouble.text), w = span_text(words);
    for (size_t i = 0; i + w.n <= s.n; i++)
        if (span_equal(span_part(s, i, w.n), w))
            return true;
    printf("# it says: %s\n", r->trouble.text);
    return false;
}

/* Refused with the code, and in words that name what it was. */
static void refused(struct room *r, const char *text, enum seb_code code, const char *words, const char *name)
{
    AUTO_KUBECONFIG c = { .key = NULL };
    r->trouble.text[0] = 0;
    check_code(&r->checks, read_text(r, text, NULL, &c), code, name);
    check_that(&r->checks, says(r, words), words);
}

static void test_taken(struct room *r)
{
    AUTO_KUBECONFIG c = { .key = NULL }, other = { .key = NULL };
    struct checks *k = &r->checks;
    check_code(k, read_text(r, FILE_OF(CLUSTER, TOKEN), NULL, &c), E_ok, "a file with a token is taken");
    check_that(k, span_is(span_text(c.server), "https://api.example:6443"), "its server");
    check_that(k, span_is(buf_span(&c.ca), CA), "its CA");
    check_that(k, span_is(span_text(c.space), "prod") && span_is(span_text(c.context), "here"), "its context and namespace");
    check_that(k, c.token && secret_equal(c.token, span_text("abc.def-1_")) && !c.key, "its token");
    check_code(k, read_text(r, FILE_OF(CLUSTER, TOKEN), "there", &other), E_bad_kubeconfig, "a context that isn't in it");
    check_that(k, says(r, "contexts: none is named there"), "it says which");
}

static void test_files(struct room *r)
{
    AUTO_KUBECONFIG c = { .key = NULL };
    AUTO_BUF path = BUF(256);
    struct checks *k = &r->checks;
    struct {
        const char *name, *text;
    } files[] = { { "ca.crt", "noise\n" CA "-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----\n" CA },
        { "me.crt", CA }, { "me.key", "-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----\n" }, { "token", "t-1\n" } };
    for (unsigned i = 0; i < 4; i++) {
        buf_clear(&path);
        result made = buf_printf(&path, "%s/%s", r->dir, files[i].name);
        if (!is_ok(made) || !is_ok(buf_u8(&path, 0)) || !is_ok(put((const char *)path.p, files[i].text)))
            check_that(k, false, "the stand");
    }
    check_code(k,
        read_text(r,
            FILE_OF(SERVER "    certificate-authority: ca.crt\n",
                "    client-certificate: me.crt\n    client-key: me.key\n    tokenFile: token\n"),
            NULL, &c),
        E_ok, "files beside the kubeconfig");
    check_that(k, span_is(buf_span(&c.ca), CA CA), "of the CA's file the certificates alone");
    check_that(k, c.key && secret_equal(c.key, span_text("-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----")),
        "the client's key");
    check_that(k, c.token && secret_equal(c.token, span_text("t-1")), "the token of a file, without its newline");
    refused(r, FILE_OF(SERVER "    certificate-authority: nowhere.crt\n", TOKEN), E_io, "", "a CA's file that isn't there");
    refused(r, FILE_OF(SERVER "    certificate-authority: me.key\n", TOKEN), E_bad_kubeconfig, "no certificate is in it",
        "a CA's file without a certificate");
}

static void test_refused(struct room *r)
{
    static const char *const cluster[][3] = {
        { "insecure-skip-tls-verify: true", "insecure-skip-tls-verify", "an unverified server" },
        { "insecure-skip-tls-verify: yes", "insecure-skip-tls-verify", "an unverified server, in YAML 1.1's words" },
        { "insecure-skip-tls-verify: 'false '", "insecure-skip-tls-verify", "an unverified server, perhaps" },
        { "tls-server-name: other", "tls-server-name", "another server's name" },
        { "proxy-url: http://proxy.example", "proxy-url", "a proxy" },
        { "extra: x", "extra", "a cluster's member that isn't known" },
    };
    static const char *const user[][3] = {
        { "exec: {command: sh}", "exec", "a credential plugin" },
        { "auth-provider: {name: oidc}", "auth-provider", "an auth provider" },
        { "username: x", "username", "a user's name" },
        { "password: x", "password", "a password" },
        { "as: root", "as:", "impersonation" },
        { "as-groups: [system:masters]", "as-groups", "impersonated groups" },
        { "as-user-extra: {a: [b]}", "as-user-extra", "impersonated extra" },
        { "key: x", "key", "a user's member that isn't known" },
    };
    for (unsigned i = 0; i < sizeof cluster / sizeof *cluster; i++) {
        AUTO_BUF text = BUF(4096);
        if (!is_ok(buf_printf(&text, "%s%s    %s\nusers:\n- name: u\n  user:\n" TOKEN,
                HEAD CONTEXT "clusters:\n- name: c\n  cluster:\n", CLUSTER, cluster[i][0])) ||
            !is_ok(buf_u8(&text, 0)))
            return;
        refused(r, (const char *)text.p, E_kubeconfig_refused, cluster[i][1], cluster[i][2]);
    }
    for (unsigned i = 0; i < sizeof user / sizeof *user; i++) {
        AUTO_BUF text = BUF(4096);
        if (!is_ok(buf_printf(&text, "%s    %s\n", FILE_OF(CLUSTER, TOKEN), user[i][0])) || !is_ok(buf_u8(&text, 0)))
            return;
        refused(r, (const char *)text.p, E_kubeconfig_refused, user[i][1], user[i][2]);
    }
}

/* What says nothing is as if it weren't there; and of contexts that aren't chosen nothing is judged. */
static void test_harmless(struct room *r)
{
    AUTO_KUBECONFIG c = { .key = NULL }, d = { .key = NULL };
    check_code(&r->checks,
        read_text(
            r, FILE_OF(CLUSTER "    insecure-skip-tls-verify: false\n    proxy-url: ''\n", TOKEN "    exec: null\n"), NULL, &c),
        E_ok, "what is said to be off is off");
    check_code(&r->checks, read_text(r, FILE_OF(CLUSTER, TOKEN) "- name: other\n  user: {exec: {command: sh}}\n", NULL, &d), E_ok,
        "another user's plugin isn't ours to refuse");
}

static void test_servers(struct room *r)
{
    static const char *const servers[] = { "http://api.example", "https://", "https:///x", "https://user@api.example",
        "https://api.example/?x", "https://api.example/#x", "https://api.example/%2e", "https://api.example//x",
        "https://api.example/../x", "ftp://x", "api.example", "https://api example", "https://:6443" };
    for (unsigned i = 0; i < sizeof servers / sizeof *servers; i++) {
        AUTO_BUF text = BUF(4096);
        if (!is_ok(buf_printf(&text,
                HEAD CONTEXT "clusters:\n- name: c\n  cluster:\n    server: \"%s\"\n    certificate-authority-data: " CA_DATA
                             "\nusers:\n- name: u\n  user:\n" TOKEN,
                servers[i])) ||
            !is_ok(buf_u8(&text, 0)))
            return;
        refused(r, (const char *)text.p, E_bad_kubeconfig, "server", servers[i]);
    }
}

static void test_lacking(struct room *r)
{
    refused(r, FILE_OF(SERVER, TOKEN), E_bad_kubeconfig, "certificate-authority", "no CA");
    refused(
        r, FILE_OF(SERVER "    certificate-authority-data: '*'\n", TOKEN), E_bad_kubeconfig, "base64", "a CA that isn't base64");
    refused(r, FILE_OF(CLUSTER, "    client-certificate-data: " CA_DATA "\n"), E_bad_kubeconfig, "client-key", "no key");
    refused(r, FILE_OF(CLUSTER, "    client-key-data: " CA_DATA "\n"), E_bad_kubeconfig, "client-certificate", "no certificate");
    refused(r, FILE_OF(CLUSTER, "    token: \"a b\"\n"), E_bad_kubeconfig, "RFC 6750", "a token that is no token");
    refused(
        r, FILE_OF(CLUSTER, "    token: \"a\\r\\nX-Header: b\"\n"), E_bad_kubeconfig, "RFC 6750", "a token with a header in it");
    refused(r, FILE_OF(CLUSTER, "    token: [x]\n"), E_bad_kubeconfig, "token", "a token that is a list");
    refused(r, HEAD "contexts: []\n", E_bad_kubeconfig, "contexts: none is named here", "no contexts");
    refused(r, HEAD "contexts: here\n", E_bad_kubeconfig, "contexts: none is named here", "contexts that are no list");
    refused(r, "apiVersion: v1\n", E_bad_kubeconfig, "current-context", "no current context");
    refused(r, "- x\n", E_bad_kubeconfig, "not a kubeconfig", "a list");
    refused(r, HEAD CONTEXT "- name: here\n  context: {cluster: c, user: v}\n", E_bad_kubeconfig, "two of them",
        "two contexts of one name");
    refused(r, HEAD CONTEXT "clusters:\n- name: c\n  cluster: x\n", E_bad_kubeconfig, "has no cluster", "a cluster that is a text");
    refused(r, HEAD CONTEXT "clusters:\n- name: c\n  cluster: {server: x}\n", E_bad_kubeconfig, "users: none", "no users");
}

static void test_yaml(struct room *r)
{
    refused(r, "", E_bad_yaml, "nothing is in it", "nothing");
    refused(r, "a: &x 1\n", E_bad_yaml, "line 1: anchors", "an anchor");
    refused(r, "a: 1\nb: *x\n", E_bad_yaml, "line 2", "an alias");
    refused(r, "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", E_bad_yaml, "anchors", "a bomb of aliases");
    refused(r, "a: &a {b: *a}\n", E_bad_yaml, "anchors", "a value inside itself");
    refused(r, "a: !!binary eA==\n", E_bad_yaml, "tags", "a tag");
    refused(r, "a: !<tag:yaml.org,2002:python/object/apply:os.system> x\n", E_bad_yaml, "tags", "a tag that names a program");
    refused(r, "%TAG ! tag:x,2000:\n---\na: 1\n", E_bad_yaml, "directives", "a directive");
    refused(r, "<<: {a: 1}\n", E_bad_yaml, "plain text", "a merge key");
    refused(r, "? [a]\n: 1\n", E_bad_yaml, "plain text", "a key that is a list");
    refused(r, "a: 1\na: 2\n", E_duplicate_member, "line 2", "a key twice");
    refused(r, "a: {b: 1, \"b\": 2}\n", E_duplicate_member, "there already", "a key twice, quoted once");
    refused(r, "a: 1\n---\nb: 2\n", E_bad_yaml, "more than one document", "two documents");
    refused(r, "a: [1\n", E_bad_yaml, "line", "a list without an end");
    refused(r, "a: \"\\0\"\n", E_bad_yaml, "NUL", "a NUL inside a text");
    refused(r, "a: \xff\xfe\n", E_bad_utf8, "byte", "bytes that aren't UTF-8");
    refused(r, "\t- x\n", E_bad_yaml, "line", "a tab for indentation");
}

/* Many of something: nested, listed, or just long. */
static void many(struct room *r, const char *one, unsigned n, enum seb_code code, const char *name)
{
    AUTO_BUF text = BUF(4u << 20);
    AUTO_JSON *v = NULL;
    result made = OK;
    for (unsigned i = 0; i < n && is_ok(made); i++)
        made = buf_text(&text, one);
    check_that(&r->checks, is_ok(made), "the stand");
    check_code(&r->checks, yaml_read(buf_span(&text), &v, &r->trouble), code, name);
}

static void test_huge(struct room *r)
{
    many(r, "[", 17, E_too_deep, "17 levels");
    many(r, "[", 900000, E_too_deep, "900,000 levels");
    many(r, "{a: ", 900, E_too_deep, "mappings in mappings");
    many(r, "- x\n", 65535, E_ok, "65,535 values in a list");
    many(r, "- x\n", 65536, E_too_long, "65,536 values in a list");
    many(r, "- x\n", 300000, E_too_long, "more than 1 MiB");
    many(r, "? ", 500000, E_bad_yaml, "keys in keys");
}

int main(void)
{
    struct room r = { .dir = "/tmp/seb-kubeconfig.XXXXXX" };
    if (!mkdtemp(r.dir) || snprintf(r.path, sizeof r.path, "%s/config", r.dir) < 0)
        return 1;
    test_taken(&r);
    test_files(&r);
    test_refused(&r);
    test_harmless(&r);
    test_servers(&r);
    test_lacking(&r);
    test_yaml(&r);
    test_huge(&r);
    static const char *const files[] = { "config", "ca.crt", "me.crt", "me.key", "token" };
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        char path[160];
        if (snprintf(path, sizeof path, "%s/%s", r.dir, files[i]) > 0)
            unlink(path);
    }
    rmdir(r.dir);
    return checks_end(&r.checks);
}
