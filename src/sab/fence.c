#include <config.h>

#include "base/clock.h"
#include "sab/fence.h"
#include "sab/sab.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: sab fence allow FENCE KID --result JWT --verifier JWK [--evidence FILE --attestation JWK [--policy JWK]]\n"
    "       sab fence allow FENCE KID --unattested\n"
    "       sab fence retire FENCE KID\n"
    "       sab fence list FENCE\n"
    "Says at a fence which mint keys may mint. KID is the key's RFC 7638 thumbprint. FENCE is one of\n"
    "    --socket HAPROXY_SOCKET --map FILE         HAProxy's; FILE as haproxy.cfg names it\n"
    "    --kubeconfig FILE [--context NAME]         a cluster's: ConfigMap mint-keys in namespace seb-system\n"
    "A key retired is refused from this moment on. At HAProxy it stays so over reloads: the map file is written first, then the\n"
    "running process told, then asked. In a cluster the ConfigMap is changed upon the version that was read, then read back.\n"
    "A key is allowed because a verifier's result of now names it; with the evidence, also because the attestation key certifies "
    "it\n"
    "(and, with the policy key, because approval and lease bind it): then mint-KID.pem is written beside HAProxy's map where it "
    "is\n"
    "missing. --unattested does without, on nobody's word but yours.\n"
    "list says what holds now, and whether HAProxy's file says the same (exit code 1 if not).\n"
    "Exit codes: 0 done, 1 failed (what was done is said), 2 the command line is wrong.\n";

int fence_say(const char *what, result r)
{
    char text[256];
    fprintf(stderr, "sab fence: %s: %s\n", what, result_text(r, text, sizeof text));
    return EXIT_FAILURE;
}

/* All of it before anything is changed. */
static result allow_judge(const struct fence_order *o, struct fence_trusted *trusted, const char **ret_about)
{
    struct fence_trust_args trust = o->trust;
    trust.kid = &o->digest;
    trust.now = clock_utc_ms() / 1000;
    if (!o->unattested)
        TRY(fence_trust(&trust, trusted, ret_about));
    *ret_about = "the key's file beside the map";
    return o->kind->settle ? o->kind->settle(o, trusted->key) : OK;
}

static int allow(const struct fence_order *o)
{
    struct fence_trusted trusted = { .key = NULL };
    const char *about = o->kid;
    result r = allow_judge(o, &trusted, &about);
    pubkey_free(trusted.key);
    if (!is_ok(r))
        return fence_say(about, r);
    if (o->unattested)
        fprintf(
            stderr, "sab fence: warning: %s is allowed on your word alone: no verifier's result says whose key it is\n", o->kid);
    else
        fprintf(stderr, "sab fence: %s is the mint key of %s/%s, by its verifier%s\n", o->kid, trusted.domain, trusted.instance,
            o->trust.evidence ? " and its attestation key" : "");
    return o->kind->change(o);
}

static result action_read(const char *word, enum fence_action *ret)
{
    static const char *const words[] = { "list", "allow", "retire" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_is(span_text(word), words[i]))
            continue;
        *ret = (enum fence_action)i;
        return OK;
    }
    return fail(E_usage);
}

/* One fence is meant. */
static result kind_settle(struct fence_order *o)
{
    bool haproxy = o->socket || o->map;
    if (haproxy == (o->kubeconfig != NULL) || (o->context && haproxy))
        return fail(E_usage);
    o->kind = haproxy ? &sab_fence_haproxy : &sab_fence_kubernetes;
    return !haproxy || (o->socket && o->map && fence_map_is_plain(o->map)) ? OK : fail(E_usage);
}

static result options_read(int argc, char **argv, struct fence_order *o)
{
    enum { SOCKET, MAP, KUBECONFIG, CONTEXT, RESULT, VERIFIER, EVIDENCE, ATTESTATION, POLICY, UNATTESTED, HELP };
    static const struct option names[] = {
        { "socket", required_argument, NULL, SOCKET },
        { "map", required_argument, NULL, MAP },
        { "kubeconfig", required_argument, NULL, KUBECONFIG },
        { "context", required_argument, NULL, CONTEXT },
        { "result", required_argument, NULL, RESULT },
        { "verifier", required_argument, NULL, VERIFIER },
        { "evidence", required_argument, NULL, EVIDENCE },
        { "attestation", required_argument, NULL, ATTESTATION },
        { "policy", required_argument, NULL, POLICY },
        { "unattested", no_argument, NULL, UNATTESTED },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    const char **const to[] = { &o->socket, &o->map, &o->kubeconfig, &o->context, &o->trust.result, &o->trust.verifier,
        &o->trust.evidence, &o->trust.attestation, &o->trust.policy };
    optind = 0; /* the caller's own options were read with it */
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == HELP) {
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        }
        if (c == UNATTESTED)
            o->unattested = true;
        else if (c >= SOCKET && c <= POLICY)
            *to[c] = optarg;
        else
            return fail(E_usage);
    }
    TRY(kind_settle(o));
    return optind == argc - 1 ? action_read(argv[optind], &o->action) : fail(E_usage);
}

/* What is trusted is said for an allow alone, and there must be something: the verifier's result, or that there is none. */
static result trust_fits(const struct fence_order *o)
{
    const struct fence_trust_args *t = &o->trust;
    bool any = t->result || t->verifier || t->evidence || t->attestation || t->policy;
    bool whole = t->result && t->verifier && !t->evidence == !t->attestation && (!t->policy || t->evidence);
    if (o->action != FENCE_ALLOW)
        return any || o->unattested ? fail(E_usage) : OK;
    return (o->unattested && !any) || (!o->unattested && whole) ? OK : fail(E_usage);
}

/* KID is taken out before the options are read: a thumbprint may begin with '-'. */
static result order_read(int argc, char **argv, struct fence_order *o)
{
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (i > 0 && !o->kid && is_ok(digest_read(span_text(argv[i]), &o->digest)))
            o->kid = argv[i];
        else
            argv[n++] = argv[i];
    }
    argv[n] = NULL;
    TRY(options_read(n, argv, o));
    TRY(trust_fits(o));
    return (o->action == FENCE_LIST) == !o->kid ? OK : fail(E_usage);
}

int sab_fence(int argc, char **argv)
{
    struct fence_order o = { .action = FENCE_LIST };
    if (!is_ok(order_read(argc, argv, &o))) {
        fputs(help, stderr);
        return SAB_USAGE;
    }
    return o.action == FENCE_LIST ? o.kind->list(&o) : o.action == FENCE_ALLOW ? allow(&o) : o.kind->change(&o);
}
