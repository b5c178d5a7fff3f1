/* sebctl target kubernetes: what sebd.json needs to say of a cluster, from its kubeconfig. */
#include <config.h>

#include "base/secret.h"
#include "config/config_target.h"
#include "kube/kubeconfig.h"
#include "sebctl/sebctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: sebctl target kubernetes --kubeconfig FILE [--context NAME] --name NAME --audience NAME --issuer URL\n"
    "                                [--mapping extra|groups] --ca-out FILE\n"
    "Prints the member of sebd.json's targets for the cluster that the kubeconfig leads to, and writes the cluster's CA "
    "certificates,\n"
    "which alone vouch for it, into FILE (PEM). No credential of the kubeconfig goes anywhere: the broker has its own.\n"
    "  --name NAME      what contracts call the target\n"
    "  --audience NAME  what the cluster's AuthenticationConfiguration wants to read in a credential\n"
    "  --issuer URL     https://..., where each mint key's discovery document is published, under the key's thumbprint\n"
    "  --mapping WORD   extra: the cluster maps claims (structured authentication); groups: it maps groups alone\n"
    "  --ca-out FILE    absolute path, as the broker will find it; replaced where it is there\n"
    "Exit codes: 0 done, 1 failed, 2 the command line is wrong.\n";

struct options {
    const char *kubeconfig, *context, *name, *audience, *issuer, *mapping, *ca_out;
};

static result options_read(int argc, char **argv, struct options *o)
{
    enum { KUBECONFIG, CONTEXT, NAME, AUDIENCE, ISSUER, MAPPING, CA_OUT, HELP };
    static const struct option names[] = {
        { "kubeconfig", required_argument, NULL, KUBECONFIG },
        { "context", required_argument, NULL, CONTEXT },
        { "name", required_argument, NULL, NAME },
        { "audience", required_argument, NULL, AUDIENCE },
        { "issuer", required_argument, NULL, ISSUER },
        { "mapping", required_argument, NULL, MAPPING },
        { "ca-out", required_argument, NULL, CA_OUT },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    const char **const to[] = { &o->kubeconfig, &o->context, &o->name, &o->audience, &o->issuer, &o->mapping, &o->ca_out };
    optind = 0; /* the caller's own options were read with it */
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == HELP) {
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        }
        if (c < 0 || c > CA_OUT)
            return fail(E_usage);
        *to[c] = optarg;
    }
    bool one = optind == argc - 1 && span_is(span_text(argv[optind]), "kubernetes");
    return one && o->kubeconfig && o->name && o->audience && o->issuer && o->ca_out && o->ca_out[0] == '/' ? OK : fail(E_usage);
}

/* A configuration that holds nothing but the target: its own reader says whether the member is one. */
static result member_check(const char *name, const json_t *member, const char **ret_where)
{
    AUTO_JSON *targets = json_object();
    struct config *c = calloc(1, sizeof *c);
    if (!c || !targets)
        return fail(E_no_memory);
    result r = json_put_new(targets, name, json_incref((json_t *)member));
    if (is_ok(r))
        r = targets_read(targets, c, ret_where);
    free(c);
    return r;
}

static result member_make(const struct options *o, const struct kubeconfig *c, json_t *member)
{
    AUTO_BUF prefix = BUF(KUBE_SERVER_MAX + 2);
    TRY(buf_printf(&prefix, "%s/", c->server));
    TRY(json_put_text(member, "kind", "kubernetes"));
    TRY(json_put_span(member, "prefix", buf_span(&prefix)));
    TRY(json_put_text(member, "audience", o->audience));
    TRY(json_put_text(member, "issuer", o->issuer));
    TRY(json_put_text(member, "ca", o->ca_out));
    return o->mapping ? json_put_text(member, "mapping", o->mapping) : OK;
}

/* "name": {…}, as it stands among the targets. */
static result member_print(const char *name, const json_t *member)
{
    AUTO_BUF text = BUF(8192);
    AUTO_JSON *o = json_object();
    TRY(json_put_new(o, name, json_incref((json_t *)member)));
    TRY(json_canonical(o, &text));
    struct span inner = span_part(buf_span(&text), 1, text.n - 2);
    AUTO_BUF line = BUF(8192);
    TRY(buf_put(&line, inner));
    TRY(buf_text(&line, "\n"));
    return sebctl_print(buf_span(&line));
}

static result run(const struct options *o, struct trouble *t)
{
    AUTO_KUBECONFIG c = { .key = NULL };
    AUTO_JSON *member = json_object();
    const char *where = NULL;
    TRY(kubeconfig_read(o->kubeconfig, o->context, &c, t));
    TRY(member_make(o, &c, member));
    result r = member_check(o->name, member, &where);
    if (!is_ok(r))
        return where ? trouble_say(t, code_of(r), "%s", where) : r;
    TRY(file_write(o->ca_out, buf_span(&c.ca), 0644, true));
    return member_print(o->name, member);
}

int sebctl_target(int argc, char **argv)
{
    struct options o = { .name = NULL };
    struct trouble t = { .text = "" };
    char text[256];
    if (!is_ok(options_read(argc, argv, &o))) {
        fputs(help, stderr);
        return SEBCTL_USAGE;
    }
    result r = process_harden();
    if (is_ok(r))
        r = run(&o, &t);
    if (is_ok(r))
        return SEBCTL_OK;
    fprintf(stderr, "sebctl target: %s: %s\n", t.text[0] ? t.text : o.kubeconfig, result_text(r, text, sizeof text));
    return SEBCTL_FAILED;
}
