#include <config.h>

#include "fence/kubernetes.h"

#include "sebctl/fence.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define CA_MAX (64 * 1024)
#define WELL_KNOWN ".well-known"

const char fence_kubernetes_help[] =
    "usage: sebctl fence kubernetes --target NAME --namespace NS... --write DIR [OPTION]...\n"
    "       sebctl fence kubernetes --check --kubeconfig FILE --namespace NS...         (sebctl fence kubernetes --check --help)\n"
    "Writes what makes a Kubernetes cluster (1.34 and later) refuse every change in the namespaces but the broker's, and hold the\n"
    "broker's credentials to what they say:\n"
    "  authentication.yaml       for kube-apiserver --authentication-config: an issuer for each mint key\n"
    "  authorization.yaml        for kube-apiserver --authorization-config, with nowhere.kubeconfig\n"
    "  fence.yaml                for kubectl apply: roles, policies, and the ConfigMap of allowed keys, which allows none: who "
    "may\n"
    "                            mint is the revocation authority's to say (sab fence allow)\n"
    "  www/KID/                  each issuer's discovery document and key set, to be published\n"
    "Options:\n"
    "  --target NAME             a kubernetes target of the configuration\n"
    "  --namespace NS            a namespace to protect; repeatable\n"
    "  --cluster-kind KIND       a kind without namespace to protect: RESOURCE.GROUP, or RESOURCE of the core group; repeatable\n"
    "  --exempt USER=OPS:KIND    who may do what in spite of it, beside Kubernetes' own controllers: the exact user name; OPS of\n"
    "                            CREATE, UPDATE, DELETE, CONNECT, with commas; KIND is RESOURCE[.GROUP][/SUBRESOURCE][:NAME] or "
    "*;\n"
    "                            repeatable\n"
    "  --break-glass GROUP       who passes, named in the audit log (seb-fence/break-glass)\n"
    "  --keys KID=PEM            a public mint key, PEM file; without any, the instance's mint key; repeatable, for an overlap\n"
    "  --directory PATH          where the files lie at the API server; default DIR\n"
    "  --discovery-url URL       where the API server finds www/, if not at the target's issuer\n"
    "  --discovery-ca FILE       PEM certificates that it verifies that server by; default the machine's\n"
    "  --config FILE             " SEB_SYSCONFDIR "/seb/sebd.json\n"
    "Exit codes: 0 done, 1 failed, 2 the command line is wrong.\n";

struct options {
    const char *config, *target, *write, *directory, *discovery_ca;
    struct fence_keys keys;
    struct fence_kubernetes_args args;
};

static result list_add(struct fence_kubernetes_list *list, const char *word)
{
    if (list->n == FENCE_KUBERNETES_LIST_MAX || span_text(word).n > FENCE_KUBERNETES_WORD_MAX)
        return fail(E_usage);
    list->text[list->n++] = word;
    return OK;
}

enum { TARGET, NAMESPACE, CLUSTER_KIND, EXEMPT, BREAK_GLASS, KEYS, DIRECTORY, DISCOVERY_URL, DISCOVERY_CA, WRITE, CONFIG, HELP };

static result option_read(int c, const char *word, struct options *o)
{
    switch (c) {
    case NAMESPACE:
        return list_add(&o->args.namespaces, word);
    case CLUSTER_KIND:
        return list_add(&o->args.cluster_kinds, word);
    case EXEMPT:
        return list_add(&o->args.exempt, word);
    case KEYS:
        return fence_keys_add(&o->keys, word);
    case TARGET:
        o->target = word;
        return OK;
    case BREAK_GLASS:
        o->args.break_glass = word;
        return OK;
    case DIRECTORY:
        o->directory = word;
        return OK;
    case DISCOVERY_URL:
        o->args.discovery_url = word;
        return OK;
    case DISCOVERY_CA:
        o->discovery_ca = word;
        return OK;
    case WRITE:
        o->write = word;
        return OK;
    case CONFIG:
        o->config = word;
        return OK;
    default:
        return fail(E_usage);
    }
}

static result options_read(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        { "target", required_argument, NULL, TARGET },
        { "namespace", required_argument, NULL, NAMESPACE },
        { "cluster-kind", required_argument, NULL, CLUSTER_KIND },
        { "exempt", required_argument, NULL, EXEMPT },
        { "break-glass", required_argument, NULL, BREAK_GLASS },
        { "keys", required_argument, NULL, KEYS },
        { "directory", required_argument, NULL, DIRECTORY },
        { "discovery-url", required_argument, NULL, DISCOVERY_URL },
        { "discovery-ca", required_argument, NULL, DISCOVERY_CA },
        { "write", required_argument, NULL, WRITE },
        { "config", required_argument, NULL, CONFIG },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    optind = 0; /* the caller's own options were read with it */
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == HELP) {
            fputs(fence_kubernetes_help, stdout);
            exit(EXIT_SUCCESS);
        }
        TRY(option_read(c, optarg, o));
    }
    return optind == argc && o->target && o->write && o->args.namespaces.n ? OK : fail(E_usage);
}

/* www/KID/.well-known/openid-configuration and www/KID/jwks, as the issuer's URL has them. */
static result write_issuer(const struct fence_kubernetes_args *a, const struct pubkey *key, const char *www)
{
    char kid[DIGEST_TEXT + 1];
    AUTO_BUF dir = BUF(PATH_MAX), known = BUF(PATH_MAX), text = BUF(FENCE_KUBERNETES_TEXT_MAX);
    TRY(buf_printf(&dir, "%s/%s", www, digest_text(pubkey_thumbprint(key), kid)));
    TRY(buf_u8(&dir, 0));
    TRY(buf_printf(&known, "%s/%s", (const char *)dir.p, WELL_KNOWN));
    TRY(buf_u8(&known, 0));
    TRY(fence_directory((const char *)dir.p));
    TRY(fence_directory((const char *)known.p));
    TRY(fence_kubernetes_jwks(key, &text));
    TRY(fence_write((const char *)dir.p, "jwks", buf_span(&text), 0644, true));
    buf_clear(&text);
    TRY(fence_kubernetes_discovery(a, key, &text));
    return fence_write((const char *)known.p, "openid-configuration", buf_span(&text), 0644, true);
}

static result write_issuers(const struct fence_kubernetes_args *a, const char *dir)
{
    AUTO_BUF www = BUF(PATH_MAX);
    TRY(buf_printf(&www, "%s/www", dir));
    TRY(buf_u8(&www, 0));
    TRY(fence_directory((const char *)www.p));
    for (unsigned i = 0; i < a->keys_n; i++)
        TRY(write_issuer(a, a->keys[i], (const char *)www.p));
    return OK;
}

/* The API server reads its files when they change: a document is published before it is asked for. */
static result write_all(const struct fence_kubernetes_args *a, const char *dir)
{
    AUTO_BUF text = BUF(FENCE_KUBERNETES_TEXT_MAX);
    TRY(write_issuers(a, dir));
    TRY(fence_kubernetes_nowhere(&text));
    TRY(fence_write(dir, "nowhere.kubeconfig", buf_span(&text), 0644, true));
    buf_clear(&text);
    TRY(fence_kubernetes_fence(a, &text));
    TRY(fence_write(dir, "fence.yaml", buf_span(&text), 0644, true));
    buf_clear(&text);
    TRY(fence_kubernetes_authorization(a, &text));
    TRY(fence_write(dir, "authorization.yaml", buf_span(&text), 0644, true));
    buf_clear(&text);
    TRY(fence_kubernetes_authentication(a, &text));
    return fence_write(dir, "authentication.yaml", buf_span(&text), 0644, true);
}

static result ca_read(const char *path, struct buf *out)
{
    if (!path)
        return OK;
    TRY(file_read(path, CA_MAX, out));
    return buf_u8(out, 0);
}

static int write_fence(struct options *o, const struct config *config)
{
    const char *where = NULL;
    AUTO_BUF ca = BUF(CA_MAX + 1);
    AUTO_FREE char *path = NULL;
    result r = fence_keys_read(&o->keys, config);
    if (!is_ok(r))
        return fence_say("mint keys", r, NULL);
    r = ca_read(o->discovery_ca, &ca);
    if (!is_ok(r))
        return fence_say(o->discovery_ca, r, NULL);
    r = fence_directory(o->write);
    path = realpath(o->write, NULL);
    if (is_ok(r) && !path)
        r = fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    if (!is_ok(r))
        return fence_say(o->write, r, NULL);
    o->args.config = config;
    o->args.keys = (const struct pubkey *const *)o->keys.key;
    o->args.keys_n = o->keys.n;
    o->args.directory = o->directory ? o->directory : path;
    o->args.discovery_ca = o->discovery_ca ? (const char *)ca.p : NULL;
    r = fence_kubernetes_check(&o->args, &where);
    if (is_ok(r))
        r = write_all(&o->args, o->write);
    return is_ok(r) ? EXIT_SUCCESS : fence_say(where ? o->target : o->write, r, where);
}

int fence_kubernetes_main(int argc, char **argv)
{
    struct options o = { .config = SEB_SYSCONFDIR "/seb/sebd.json" };
    AUTO_FENCE_CONFIG *config = NULL;
    const char *where = NULL;
    result r = options_read(argc, argv, &o);
    if (!is_ok(r)) {
        fputs(fence_kubernetes_help, stderr);
        return FENCE_EXIT_USAGE;
    }
    r = config_load(o.config, &config, &where);
    if (!is_ok(r))
        return fence_say(o.config, r, where);
    o.args.target = config_target_named(config, o.target);
    if (!o.args.target)
        return fence_say(o.target, fail(E_target_unknown), NULL);
    int end = write_fence(&o, config);
    fence_keys_free(&o.keys);
    return end;
}
