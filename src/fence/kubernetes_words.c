#include <config.h>

#include "fence/kubernetes_words.h"

#include "fence/words.h"

#define LABEL_MAX 63 /* DNS-1123 label */
#define NAME_MAX_ 253 /* DNS-1123 subdomain */
#define SERVICE_ACCOUNT "system:serviceaccount:"

/* DNS-1123: lower-case letters, digits and '-', and, of a subdomain, '.'. */
static bool is_dns(struct span s, bool dots, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (dots && c == '.')))
            return false;
    }
    return s.n > 0 && s.n <= max;
}

bool kind_word_read(struct span s, struct kind_word *ret)
{
    size_t dot = span_find(s, 0, '.');
    *ret = (struct kind_word){ span_part(s, 0, dot), dot < s.n ? span_part(s, dot + 1, s.n) : (struct span){ 0 } };
    return is_dns(ret->resource, false, LABEL_MAX) && (dot == s.n || is_dns(ret->group, true, NAME_MAX_));
}

static bool is_operation(struct span s)
{
    return span_is(s, "CREATE") || span_is(s, "UPDATE") || span_is(s, "DELETE") || span_is(s, "CONNECT");
}

static bool are_operations(struct span s)
{
    for (size_t at = 0; at <= s.n;) {
        size_t comma = span_find(s, at, ',');
        if (!is_operation(span_part(s, at, comma - at)))
            return false;
        at = comma + 1;
    }
    return true;
}

static bool is_kind(struct span s)
{
    struct kind_word kind;
    size_t colon = span_find(s, 0, ':'), slash = span_find(span_part(s, 0, colon), 0, '/');
    if (span_is(s, "*"))
        return true;
    return kind_word_read(span_part(s, 0, slash), &kind) &&
           (slash == colon || is_dns(span_part(s, slash + 1, colon - slash - 1), false, LABEL_MAX)) &&
           (colon == s.n || (s.n - colon - 1 <= NAME_MAX_ && word_is_plain(span_part(s, colon + 1, s.n), ":")));
}

bool exempt_word_read(struct span s, struct exempt_word *ret)
{
    size_t equals = span_find(s, 0, '='), colon = equals < s.n ? span_find(s, equals, ':') : s.n;
    if (colon == s.n)
        return false;
    *ret =
        (struct exempt_word){ span_part(s, 0, equals), span_part(s, equals + 1, colon - equals - 1), span_part(s, colon + 1, s.n) };
    return word_is_plain(ret->user, ":@/+") && are_operations(ret->operations) && is_kind(ret->kind);
}

struct span user_namespace(struct span user)
{
    const size_t head = sizeof SERVICE_ACCOUNT - 1;
    if (!span_is(span_part(user, 0, head), SERVICE_ACCOUNT))
        return (struct span){ 0 };
    return span_part(user, head, span_find(user, head, ':') - head);
}

void set_add(struct set *s, struct span word)
{
    for (unsigned i = 0; i < s->n; i++)
        if (span_equal(s->word[i], word))
            return;
    if (s->n < SET_MAX) /* the lists' maxima leave room */
        s->word[s->n++] = word;
}

void set_add_text(struct set *s, const char *word)
{
    set_add(s, span_text(word));
}

void set_add_list(struct set *s, const struct fence_kubernetes_list *list)
{
    for (unsigned i = 0; i < list->n; i++)
        set_add_text(s, list->text[i]);
}

result set_put(const struct set *s, struct buf *out)
{
    TRY(buf_u8(out, '['));
    for (unsigned i = 0; i < s->n; i++) {
        TRY(buf_text(out, i ? ", \"" : "\""));
        TRY(buf_put(out, s->word[i]));
        TRY(buf_u8(out, '"'));
    }
    return buf_u8(out, ']');
}

/* What no group of the operator's may be: the broker's own words, and what Kubernetes gives to everybody or to its own. */
static bool is_group(const char *text)
{
    static const char *const taken[] = { "seb-brokers", "seb-revokers", "seb-agents" };
    struct span s = span_text(text);
    for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++)
        if (span_is(s, taken[i]))
            return false;
    if (span_is(span_part(s, 0, 4), "seb:") || (span_is(span_part(s, 0, 7), "system:") && !span_is(s, "system:masters")))
        return false;
    return word_is_plain(s, ":@/+");
}

static result lists_check(const struct fence_kubernetes_args *a, const char **ret_where)
{
    struct kind_word kind;
    struct exempt_word exempt;
    TRY(word_want(a->namespaces.n >= 1, "--namespace: one at least", ret_where));
    for (unsigned i = 0; i < a->namespaces.n; i++) {
        struct span s = span_text(a->namespaces.text[i]);
        TRY(word_want(is_dns(s, false, LABEL_MAX), "--namespace: a namespace's name", ret_where));
        TRY(word_want(!span_is(s, KUBE_SYSTEM) && !span_is(s, "kube-node-lease"),
            "--namespace: not kube-system or kube-node-lease, where the cluster's own parts write; the guards hold what counts "
            "there",
            ret_where));
    }
    for (unsigned i = 0; i < a->cluster_kinds.n; i++) {
        struct span s = span_text(a->cluster_kinds.text[i]);
        TRY(word_want(kind_word_read(s, &kind), "--cluster-kind: RESOURCE.GROUP, or RESOURCE of the core group", ret_where));
        TRY(word_want(!span_is(s, "namespaces"), "--cluster-kind: namespaces are protected by --namespace", ret_where));
    }
    for (unsigned i = 0; i < a->exempt.n; i++)
        TRY(word_want(exempt_word_read(span_text(a->exempt.text[i]), &exempt),
            "--exempt: USER=OPERATION[,OPERATION...]:RESOURCE[.GROUP][/SUBRESOURCE][:NAME], operations CREATE, UPDATE, DELETE, "
            "CONNECT",
            ret_where));
    return OK;
}

static result names_check(const struct fence_kubernetes_args *a, const char **ret_where)
{
    TRY(word_want(span_is(span_text(a->target->kind), "kubernetes"), "targets.*.kind: the target is no cluster", ret_where));
    TRY(word_want(a->keys_n >= 1 && a->keys_n <= FENCE_KUBERNETES_KEYS_MAX, "mint keys: 1 to 32", ret_where));
    for (unsigned i = 0; i < a->keys_n; i++)
        TRY(word_want(pubkey_alg(a->keys[i]) == ALG_ES256, "mint keys: P-256 alone", ret_where));
    TRY(word_want(
        word_is_plain(span_text(a->target->name), ""), "targets: a name of letters, digits, '.', '_' and '-'", ret_where));
    TRY(word_want(word_is_plain(span_text(a->config->domain), "") && word_is_plain(span_text(a->config->instance), ""),
        "domain, instance", ret_where));
    TRY(word_want(word_is_plain(span_text(a->target->audience), ":/"), "targets.*.audience", ret_where));
    return word_want(word_is_plain(span_text(a->target->issuer), ":/[]~"), "targets.*.issuer", ret_where);
}

result fence_kubernetes_check(const struct fence_kubernetes_args *a, const char **ret_where)
{
    TRY(names_check(a, ret_where));
    TRY(lists_check(a, ret_where));
    TRY(word_want(!a->break_glass || is_group(a->break_glass), "--break-glass: a group of your own, or system:masters", ret_where));
    TRY(word_want(a->directory[0] == '/' && word_is_plain(span_text(a->directory), "/+@=~:"),
        "--directory: an absolute path of plain characters", ret_where));
    struct span url = span_text(a->discovery_url);
    bool https = span_is(span_part(url, 0, 8), "https://") && url.n > 8 && url.p[url.n - 1] != '/';
    return word_want(!a->discovery_url || (https && word_is_plain(url, ":/[]~")),
        "--discovery-url: https://host[:port][/path], without / at its end", ret_where);
}
