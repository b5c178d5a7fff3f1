#include <config.h>

#include "fence/kubernetes.h"

#include "fence/kubernetes_text.h"
#include "fence/kubernetes_words.h"
#include "fence/template.h"

#define POINTER_STEPS 12
#define GUARDS_GROUPS "request.groups"
#define POLICIES_GROUPS "request.userInfo.groups"
#define LIST_TEXT_MAX (64 * 1024)
#define WORD_NAMES "'use', 'verb', 'group', 'resource', 'subresource', 'namespace', 'name', 'uid', 'version', 'body'"
#define GROUP_KEYS "@GROUPS@.filter(g, g.startsWith('seb:'))"

/* How policies and guards read a credential's words. A kid has 43 characters, so that "seb:<kid>:" has 48. */
static const struct mapping {
    const char *broker, *one_key, *words, *fields;
} mappings[] = {
    { .broker = "'seb-brokers' in @GROUPS@",
        .one_key = "['key', " WORD_NAMES "].all(k, @EXTRA@['seb.internal/' + k].size() == 1)",
        .words = "['key', " WORD_NAMES "].map(k, k + '=' + @EXTRA@['seb.internal/' + k][0])",
        .fields = "@EXTRA@['seb.internal/fields']" },
    { .broker = "@GROUPS@.exists(g, g.startsWith('seb:'))",
        .one_key = "[" GROUP_KEYS "].all(l, l.all(g, g.substring(0, 48) == l[0].substring(0, 48)) && [" WORD_NAMES
                   "].all(k, l.exists_one(g, g.substring(48).startsWith(k + '='))))",
        .words = GROUP_KEYS ".map(g, g.substring(48)) + ['key=' + " GROUP_KEYS "[0].substring(4, 47)]",
        .fields = "variables.words.filter(w, w.startsWith('field=')).map(w, w.substring(6))" },
};

static const struct mapping *mapping_of(const struct fence_kubernetes_args *a)
{
    return &mappings[a->target->groups ? 1 : 0];
}

/* NUL-terminated, so that it can be a template's word. */
static result text_end(struct buf *b)
{
    TRY(buf_u8(b, 0));
    b->n--;
    return OK;
}

/* ---- authentication.yaml */

static result put_base(const struct fence_kubernetes_args *a, const struct pubkey *key, struct buf *out)
{
    char kid[DIGEST_TEXT + 1];
    return buf_printf(
        out, "%s/%s", a->discovery_url ? a->discovery_url : a->target->issuer, digest_text(pubkey_thumbprint(key), kid));
}

/* The certificates of a PEM text alone, indented for a block scalar: what else stands there is a comment. */
static result put_certificates(const char *pem, struct buf *out)
{
    struct span s = span_text(pem);
    bool inside = false;
    for (size_t at = 0; at < s.n;) {
        size_t end = span_find(s, at, '\n');
        struct span line = span_part(s, at, end - at);
        at = end + 1;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        inside = inside || span_is(line, "-----BEGIN CERTIFICATE-----");
        if (!inside)
            continue;
        TRY(buf_text(out, "      "));
        TRY(buf_put(out, line));
        TRY(buf_u8(out, '\n'));
        inside = !span_is(line, "-----END CERTIFICATE-----");
    }
    return OK;
}

static result put_discovery_words(const struct fence_kubernetes_args *a, const struct pubkey *key, struct buf *out)
{
    if (a->discovery_url) {
        TRY(buf_text(out, "    discoveryURL: \""));
        TRY(put_base(a, key, out));
        TRY(buf_text(out, "/.well-known/openid-configuration\"\n"));
    }
    if (a->discovery_ca) {
        TRY(buf_text(out, "    certificateAuthority: |\n"));
        TRY(put_certificates(a->discovery_ca, out));
    }
    return text_end(out);
}

static result put_issuer(const struct fence_kubernetes_args *a, const struct pubkey *key, struct buf *out)
{
    char kid[DIGEST_TEXT + 1];
    AUTO_BUF discovery = BUF(LIST_TEXT_MAX);
    TRY(put_discovery_words(a, key, &discovery));
    const struct template_word words[] = {
        { .name = "ISSUER", .text = a->target->issuer },
        { .name = "KID", .text = digest_text(pubkey_thumbprint(key), kid) },
        { .name = "DISCOVERY", .text = (const char *)discovery.p },
        { .name = "AUDIENCE", .text = a->target->audience },
        { .name = "DOMAIN", .text = a->config->domain },
        { .name = "INSTANCE", .text = a->config->instance },
    };
    const unsigned n = sizeof words / sizeof *words;
    TRY(template_put(kubernetes_issuer_yaml, words, n, out));
    return template_put(a->target->groups ? kubernetes_groups_yaml : kubernetes_extra_yaml, words, n, out);
}

result fence_kubernetes_authentication(const struct fence_kubernetes_args *a, struct buf *out)
{
    const struct template_word words[] = { { .name = "TARGET", .text = a->target->name } };
    TRY(template_put(kubernetes_authentication_yaml, words, 1, out));
    for (unsigned i = 0; i < a->keys_n; i++)
        TRY(put_issuer(a, a->keys[i], out));
    return OK;
}

result fence_kubernetes_discovery(const struct fence_kubernetes_args *a, const struct pubkey *key, struct buf *out)
{
    char kid[DIGEST_TEXT + 1];
    AUTO_BUF issuer = BUF(FENCE_KUBERNETES_WORD_MAX), jwks = BUF(FENCE_KUBERNETES_WORD_MAX);
    AUTO_JSON *o = json_pack("{s:[s],s:[s],s:[s]}", "response_types_supported", "id_token", "subject_types_supported", "public",
        "id_token_signing_alg_values_supported", alg_name(ALG_ES256));
    if (!o)
        return fail(E_no_memory);
    TRY(buf_printf(&issuer, "%s/%s", a->target->issuer, digest_text(pubkey_thumbprint(key), kid)));
    TRY(put_base(a, key, &jwks));
    TRY(buf_text(&jwks, "/jwks"));
    TRY(json_put_span(o, "issuer", buf_span(&issuer)));
    TRY(json_put_span(o, "jwks_uri", buf_span(&jwks)));
    return json_canonical(o, out);
}

result fence_kubernetes_jwks(const struct pubkey *key, struct buf *out)
{
    AUTO_JSON *o = json_object();
    json_t *jwk = NULL, *list = json_array();
    TRY(json_put_new(o, "keys", list));
    TRY(pubkey_jwk(key, &jwk));
    if (json_array_append_new(list, jwk))
        return fail(E_no_memory);
    TRY(json_put_text(jwk, "alg", alg_name(ALG_ES256)));
    TRY(json_put_text(jwk, "use", "sig"));
    TRY(json_put_digest(jwk, "kid", pubkey_thumbprint(key)));
    return json_canonical(o, out);
}

/* ---- authorization.yaml */

static result put_keeper(const struct fence_kubernetes_args *a, const char *groups, struct buf *out)
{
    if (a->break_glass)
        TRY(buf_printf(out, "'%s' in %s", a->break_glass, groups));
    else
        TRY(buf_text(out, "false"));
    return text_end(out);
}

static result put_set(const struct set *s, struct buf *out)
{
    TRY(set_put(s, out));
    return text_end(out);
}

/* Who may pass the fence, and where they live. */
static void identities(const struct fence_kubernetes_args *a, struct set *users, struct set *namespaces)
{
    set_add_text(users, "system:kube-controller-manager");
    set_add_text(users, "system:kube-scheduler");
    set_add_text(namespaces, KUBE_SYSTEM);
    for (unsigned i = 0; i < a->exempt.n; i++) {
        struct exempt_word w;
        if (!exempt_word_read(span_text(a->exempt.text[i]), &w))
            continue;
        set_add(users, w.user);
        if (user_namespace(w.user).n)
            set_add(namespaces, user_namespace(w.user));
    }
}

/* Who the API server is at a kubelet: kubeadm's name and two others that are usual, and what the operator calls it. */
static void kubelet_clients(const struct fence_kubernetes_args *a, struct set *users)
{
    set_add_text(users, "kube-apiserver-kubelet-client");
    set_add_text(users, "kube-apiserver");
    set_add_text(users, "system:kube-apiserver");
    for (unsigned i = 0; i < a->exempt.n; i++) {
        struct exempt_word w;
        if (exempt_word_read(span_text(a->exempt.text[i]), &w) && span_is(w.kind, "nodes/proxy"))
            set_add(users, w.user);
    }
}

result fence_kubernetes_authorization(const struct fence_kubernetes_args *a, struct buf *out)
{
    const struct mapping *m = mapping_of(a);
    struct set users = { .n = 0 }, homes = { .n = 0 }, tokens, secrets = { .n = 0 }, clients = { .n = 0 };
    AUTO_BUF nowhere = BUF(4096), keeper = BUF(FENCE_KUBERNETES_WORD_MAX), trusted = BUF(LIST_TEXT_MAX),
             at_home = BUF(LIST_TEXT_MAX), of_tokens = BUF(LIST_TEXT_MAX), of_secrets = BUF(LIST_TEXT_MAX),
             of_kubelets = BUF(LIST_TEXT_MAX);
    identities(a, &users, &homes);
    kubelet_clients(a, &clients);
    tokens = homes;
    set_add_text(&tokens, SYSTEM_NAMESPACE);
    set_add_list(&tokens, &a->namespaces);
    set_add_text(&secrets, ""); /* listed in all namespaces at once */
    for (unsigned i = 0; i < homes.n; i++)
        set_add(&secrets, homes.word[i]);
    TRY(put_keeper(a, GUARDS_GROUPS, &keeper));
    TRY(put_set(&users, &trusted));
    TRY(put_set(&homes, &at_home));
    TRY(put_set(&tokens, &of_tokens));
    TRY(put_set(&secrets, &of_secrets));
    TRY(put_set(&clients, &of_kubelets));
    TRY(template_put(kubernetes_nowhere_yaml, &(struct template_word){ .name = "DIRECTORY", .text = a->directory }, 1, &nowhere));
    TRY(text_end(&nowhere));
    const struct template_word words[] = {
        { .name = "TARGET", .text = a->target->name },
        { .name = "NOWHERE", .text = (const char *)nowhere.p },
        { .name = "BROKER", .text = m->broker, .open = true },
        { .name = "KEEPER", .text = (const char *)keeper.p },
        { .name = "ONE_KEY", .text = m->one_key, .open = true },
        { .name = "WORDS", .text = m->words, .open = true },
        { .name = "TRUSTED", .text = (const char *)trusted.p },
        { .name = "IDENTITY_NAMESPACES", .text = (const char *)at_home.p },
        { .name = "TOKEN_NAMESPACES", .text = (const char *)of_tokens.p },
        { .name = "KUBELET_CLIENTS", .text = (const char *)of_kubelets.p },
        { .name = "SECRET_NAMESPACES", .text = (const char *)of_secrets.p },
        { .name = "GROUPS", .text = GUARDS_GROUPS },
        { .name = "EXTRA", .text = "request.extra" },
    };
    return template_put(kubernetes_authorization_yaml, words, sizeof words / sizeof *words, out);
}

result fence_kubernetes_nowhere(struct buf *out)
{
    return template_put(kubernetes_nowhere_kubeconfig, NULL, 0, out);
}

/* ---- fence.yaml */

static result put_subjects(const struct fence_kubernetes_args *a, struct buf *out)
{
    static const char head[] = "- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: ";
    char kid[DIGEST_TEXT + 1];
    if (!a->target->groups)
        TRY(buf_printf(out, "%sseb-brokers}\n", head));
    for (unsigned i = 0; a->target->groups && i < a->keys_n; i++)
        TRY(buf_printf(out, "%s\"seb:%s:broker\"}\n", head, digest_text(pubkey_thumbprint(a->keys[i]), kid)));
    return text_end(out);
}

static result put_cluster_kinds(const struct fence_kubernetes_args *a, struct buf *out)
{
    for (unsigned i = 0; i < a->cluster_kinds.n; i++) {
        struct kind_word kind;
        if (!kind_word_read(span_text(a->cluster_kinds.text[i]), &kind))
            return fail(E_no_config);
        int group = (int)kind.group.n, resource = (int)kind.resource.n;
        const char *name = (const char *)kind.resource.p;
        TRY(buf_printf(out,
            "    - {apiGroups: [\"%.*s\"], apiVersions: [\"*\"], operations: [\"*\"], resources: [%.*s, %.*s/*], scope: Cluster}\n",
            group, group ? (const char *)kind.group.p : "", resource, name, resource, name));
    }
    return text_end(out);
}

static result put_exempt(const struct fence_kubernetes_args *a, struct buf *out)
{
    for (unsigned i = 0; i < a->exempt.n; i++) {
        struct exempt_word w;
        if (!exempt_word_read(span_text(a->exempt.text[i]), &w))
            return fail(E_no_config);
        TRY(buf_printf(out, "        {'user': '%.*s', 'may': '%.*s", (int)w.user.n, (const char *)w.user.p, (int)w.kind.n,
            (const char *)w.kind.p));
        for (size_t at = 0; at < w.operations.n;) {
            size_t comma = span_find(w.operations, at, ',');
            TRY(buf_printf(out, " %.*s", (int)(comma - at), (const char *)w.operations.p + at));
            at = comma + 1;
        }
        TRY(buf_text(out, "'},\n"));
    }
    return text_end(out);
}

/* From an object to what a pointer's tokens t lead to. The policy says how many it follows. */
static result put_steps(struct buf *out)
{
    for (unsigned i = 0; i < POINTER_STEPS; i++)
        TRY(buf_printf(out,
            "          .map(o, t.size() <= %u || type(o) == map && t[%u] in o || type(o) == list && int(t[%u]) < o.size(),"
            " t.size() <= %u ? o : type(o) == map ? o[t[%u]] : o[int(t[%u])])\n",
            i, i, i, i, i, i));
    return text_end(out);
}

result fence_kubernetes_fence(const struct fence_kubernetes_args *a, struct buf *out)
{
    const struct mapping *m = mapping_of(a);
    struct set protected = { .n = 0 };
    AUTO_BUF namespaces = BUF(LIST_TEXT_MAX), kinds = BUF(LIST_TEXT_MAX), exempt = BUF(LIST_TEXT_MAX),
             subjects = BUF(LIST_TEXT_MAX), keeper = BUF(FENCE_KUBERNETES_WORD_MAX), steps = BUF(LIST_TEXT_MAX);
    set_add_list(&protected, &a->namespaces);
    set_add_text(&protected, SYSTEM_NAMESPACE);
    TRY(put_set(&protected, &namespaces));
    TRY(put_cluster_kinds(a, &kinds));
    TRY(put_exempt(a, &exempt));
    TRY(put_subjects(a, &subjects));
    TRY(put_steps(&steps));
    TRY(put_keeper(a, POLICIES_GROUPS, &keeper));
    const struct template_word words[] = {
        { .name = "TARGET", .text = a->target->name },
        { .name = "BROKER_SUBJECTS", .text = (const char *)subjects.p },
        { .name = "PROTECTED", .text = (const char *)namespaces.p },
        { .name = "CLUSTER_KINDS", .text = (const char *)kinds.p },
        { .name = "EXEMPT", .text = (const char *)exempt.p },
        { .name = "BROKER", .text = m->broker, .open = true },
        { .name = "KEEPER", .text = (const char *)keeper.p },
        { .name = "ONE_KEY", .text = m->one_key, .open = true },
        { .name = "WORDS", .text = m->words, .open = true },
        { .name = "FIELDS", .text = m->fields, .open = true },
        { .name = "STEPS", .text = (const char *)steps.p },
        { .name = "GROUPS", .text = POLICIES_GROUPS },
        { .name = "EXTRA", .text = "request.userInfo.extra" },
    };
    return template_put(kubernetes_fence_yaml, words, sizeof words / sizeof *words, out);
}
