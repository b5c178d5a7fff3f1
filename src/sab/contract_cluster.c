#include <config.h>

#include "policy/documents.h"
#include "sab/contract_kubernetes.h"
#include "sab/sab.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: sab contract kubernetes --kubeconfig FILE [--context NAME] --target NAME --risk L0..L5\n"
    "           --operation create|update|patch|delete --resource RESOURCE[.VERSION][.GROUP]/NAME[/SUBRESOURCE] [-n NAMESPACE]\n"
    "           [--body FILE [--type merge|strategic|json|apply | --media-type TYPE]]\n"
    "           [--pin uid] [--pin version] [--field POINTER]... [--field-manager NAME [--force]]\n"
    "           [--propagation Foreground|Background|Orphan] [--grace-s N] [--dry-run] [--postconditions] [--credential-s N]\n"
    "Prints the contract over one change of one object of the cluster: reads the object as it is now, computes what the body "
    "makes\n"
    "of it, and says so in parameters.fields wherever the cluster's fence sees it. Changes nothing.\n"
    "  --pin, --field   what must still be so when the broker acts: the object's uid, its resourceVersion, the value at a JSON\n"
    "                   pointer (a Secret's as digest). Without any: its uid, and the present values of what changes\n"
    "  --type           the kind of patch that the body is; update and create take the whole object\n"
    "  --credential-s   how long the credential may live, 5 to 60 seconds (10)\n"
    "  --dry-run        have the broker try the change first, --postconditions hold the result of that to the fields\n"
    "Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.\n";

#define CREDENTIAL_LEAST_S 5 /* what the broker takes of a cluster (target_least_s) */

struct order {
    struct kube_proposal proposal; /* as far as the command line says it */
    const char *kubeconfig, *context, *resource, *space, *body, *type, *media_type;
};
/* What the proposal views. */
struct material {
    struct kubeconfig config;
    struct kube *kube;
    struct buf body, path, word, name, subresource;
    json_t *live, *custom;
};

static int complain(result r, const struct trouble *t, const char *about)
{
    char text[256];
    const char *words = t->text[0] ? t->text : about;
    fprintf(stderr, "sab: %s%s%s%s\n", result_text(r, text, sizeof text), words ? " [" : "", words ? words : "", words ? "]" : "");
    return code_of(r) == E_usage ? SAB_USAGE : SAB_FAILED;
}

static void material_free(struct material *m)
{
    kube_close(m->kube);
    kubeconfig_free(&m->config);
    buf_free(&m->body);
    buf_free(&m->path);
    buf_free(&m->word);
    buf_free(&m->name);
    buf_free(&m->subresource);
    json_decref(m->live);
    json_decref(m->custom);
}

static result text_put(struct buf *b, struct span s)
{
    TRY(buf_put(b, s));
    return buf_u8(b, 0);
}

/* RESOURCE/NAME[/SUBRESOURCE] */
static result resource_split(const struct order *o, struct material *m)
{
    struct span s = span_text(o->resource);
    size_t name = span_find(s, 0, '/'), sub = span_find(s, name + 1, '/');
    if (name == 0 || name + 1 >= s.n || sub == name + 1 || sub + 1 == s.n)
        return fail(E_usage);
    TRY(text_put(&m->word, span_part(s, 0, name)));
    TRY(text_put(&m->name, span_part(s, name + 1, sub - name - 1)));
    return sub < s.n ? text_put(&m->subresource, span_part(s, sub + 1, s.n)) : OK;
}

static const char *text_or_null(const struct buf *b)
{
    return b->n ? (const char *)b->p : NULL;
}

/* What is read is what the broker reads: the object itself where the subresource has no GET. */
static result live_read(struct material *m, const struct kube_proposal *p, struct trouble *t)
{
    AUTO_BUF path = BUF(1024);
    bool evicts = p->subresource && span_is(span_text(p->subresource), "eviction");
    TRY(kube_path(&p->kind, p->space, p->name, evicts ? NULL : p->subresource, &path));
    TRY(buf_u8(&path, 0));
    result r = kube_get(m->kube, (const char *)path.p, &m->live, t);
    return code_of(r) == E_not_found ? OK : r;
}

/* A custom resource's definition, where it may be read: what it says of defaults can be said on the command line too. */
static void custom_read(struct material *m, const struct kube_resource *kind)
{
    AUTO_BUF path = BUF(1024);
    struct trouble t;
    if (!kind->group[0] ||
        !is_ok(buf_printf(&path, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s.%s", kind->resource, kind->group)) ||
        !is_ok(buf_u8(&path, 0)))
        return;
    if (!is_ok(kube_get(m->kube, (const char *)path.p, &m->custom, &t)))
        m->custom = NULL;
}

static result cluster_read(struct order *o, struct material *m, struct trouble *t)
{
    struct kube_proposal *p = &o->proposal;
    TRY(kubeconfig_read(o->kubeconfig, o->context, &m->config, t));
    TRY(kube_open(&m->config, &m->kube));
    TRY(kube_discover(m->kube, (const char *)m->word.p, text_or_null(&m->subresource), &p->kind, t));
    const char *space = o->space ? o->space : m->config.space[0] ? m->config.space : "default";
    p->name = (const char *)m->name.p;
    p->subresource = text_or_null(&m->subresource);
    p->space = p->kind.namespaced ? space : NULL;
    if (!is_ok(kube_path(&p->kind, p->space, p->name, p->subresource, &m->path)))
        return trouble_say(t, E_bad_value, "%s: not an object's name, or not a namespace's", o->resource);
    TRY(buf_u8(&m->path, 0));
    p->resource = (const char *)m->path.p;
    TRY(live_read(m, p, t));
    custom_read(m, &p->kind);
    p->live = m->live;
    p->custom = m->custom;
    return OK;
}

static result body_read(struct order *o, struct material *m)
{
    struct kube_proposal *p = &o->proposal;
    if (!o->body)
        return OK;
    TRY(file_read(span_is(span_text(o->body), "-") ? "/dev/stdin" : o->body, BODY_BYTES_MAX, &m->body));
    p->body = buf_span(&m->body);
    return OK;
}

/* Parsed as the broker will. */
static result contract_print(const json_t *contract)
{
    struct contract parsed = { 0 };
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    TRY(json_canonical(contract, &text));
    TRY(contract_parse(buf_span(&text), &parsed));
    contract_free(&parsed);
    return sab_print(buf_span(&text));
}

static void say_seen(const struct kube_proposal *p, unsigned seen)
{
    if (!p->media_type)
        return;
    if (seen)
        fprintf(stderr, "sab: the fence sees %u value%s of this change; the rest of the body is the broker's to hold\n", seen,
            seen == 1 ? "" : "s");
    else
        fprintf(stderr, "sab: warning: the fence sees no value of this change: it holds the credential to the object alone\n");
}

static result compose(struct order *o, struct material *m, struct trouble *t)
{
    AUTO_JSON *contract = NULL;
    unsigned seen = 0;
    TRY(resource_split(o, m));
    TRY(body_read(o, m));
    TRY(cluster_read(o, m, t));
    TRY(contract_compose(&o->proposal, &contract, &seen, t));
    TRY(contract_print(contract));
    say_seen(&o->proposal, seen);
    return OK;
}

static result number_read(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || *end || text[0] < '0' || text[0] > '9' || n < min || n > max)
        return fail(E_usage);
    *ret = n;
    return OK;
}

static result pin_read(struct kube_proposal *p, const char *word)
{
    if (span_is(span_text(word), "uid"))
        p->pin_uid = true;
    else if (span_is(span_text(word), "version"))
        p->pin_version = true;
    else
        return fail(E_usage);
    return OK;
}

static result operation_read(struct kube_proposal *p, const char *word)
{
    static const char *const words[] = { "create", "update", "patch", "delete" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_is(span_text(word), words[i]))
            continue;
        p->operation = (enum kube_operation)i;
        p->operation_name = words[i];
        return OK;
    }
    return fail(E_usage);
}

static result type_settle(struct order *o)
{
    struct kube_proposal *p = &o->proposal;
    bool patches = p->operation == KUBE_PATCH, has = o->type || o->media_type;
    if (!o->body)
        return has || patches || p->operation == KUBE_UPDATE ? fail(E_usage) : OK;
    if (p->operation == KUBE_DELETE || (o->type && o->media_type))
        return fail(E_usage);
    p->media_type = o->media_type ? o->media_type : "application/json";
    if (o->type && !patch_type_named(o->type, &p->type, &p->media_type))
        return fail(E_usage);
    if (o->media_type && patches && !patch_type_of(o->media_type, &p->type))
        return fail(E_usage);
    return patches == (p->type != PATCH_NONE) ? OK : fail(E_usage);
}

enum {
    KUBECONFIG,
    CONTEXT,
    RESOURCE,
    SPACE,
    BODY,
    TYPE,
    MEDIA_TYPE,
    TARGET,
    RISK,
    MANAGER,
    PROPAGATION, /* texts up to here */
    OPERATION,
    PIN,
    FIELD,
    FORCE,
    GRACE,
    DRY_RUN,
    POSTCONDITIONS,
    CREDENTIAL,
    HELP
};

static result option_take(struct order *o, int c, const char *value)
{
    struct kube_proposal *p = &o->proposal;
    const char **const to[] = { &o->kubeconfig, &o->context, &o->resource, &o->space, &o->body, &o->type, &o->media_type,
        &p->target, &p->risk, &p->manager, &p->propagation };
    switch (c) {
    case OPERATION:
        return operation_read(p, value);
    case PIN:
        return pin_read(p, value);
    case FIELD:
        if (p->fields_n == PINNED_MAX)
            return fail(E_too_long);
        p->field[p->fields_n++] = value;
        return OK;
    case GRACE:
        return number_read(value, 0, 86400, &p->grace_s);
    case CREDENTIAL:
        return number_read(value, CREDENTIAL_LEAST_S, 60, &p->credential_s);
    case FORCE:
        p->force = true;
        return OK;
    case DRY_RUN:
        p->dry_run = true;
        return OK;
    case POSTCONDITIONS:
        p->postconditions = true;
        return OK;
    default:
        if (c < 0 || c > PROPAGATION)
            return fail(E_usage);
        *to[c] = value;
        return OK;
    }
}

static result options_read(int argc, char **argv, struct order *o)
{
    static const struct option names[] = {
        { "kubeconfig", required_argument, NULL, KUBECONFIG },
        { "context", required_argument, NULL, CONTEXT },
        { "resource", required_argument, NULL, RESOURCE },
        { "namespace", required_argument, NULL, SPACE },
        { "body", required_argument, NULL, BODY },
        { "type", required_argument, NULL, TYPE },
        { "media-type", required_argument, NULL, MEDIA_TYPE },
        { "target", required_argument, NULL, TARGET },
        { "risk", required_argument, NULL, RISK },
        { "field-manager", required_argument, NULL, MANAGER },
        { "propagation", required_argument, NULL, PROPAGATION },
        { "operation", required_argument, NULL, OPERATION },
        { "pin", required_argument, NULL, PIN },
        { "field", required_argument, NULL, FIELD },
        { "force", no_argument, NULL, FORCE },
        { "grace-s", required_argument, NULL, GRACE },
        { "dry-run", no_argument, NULL, DRY_RUN },
        { "postconditions", no_argument, NULL, POSTCONDITIONS },
        { "credential-s", required_argument, NULL, CREDENTIAL },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "n:", names, NULL)) != -1;) {
        if (c == HELP) {
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        }
        TRY(option_take(o, c == 'n' ? SPACE : c, optarg));
    }
    const struct kube_proposal *p = &o->proposal;
    bool whole = o->kubeconfig && o->resource && p->target && p->risk && p->operation_name && optind == argc;
    return whole ? type_settle(o) : fail(E_usage);
}

int sab_contract_kubernetes(int argc, char **argv)
{
    struct order o = { .proposal = { .grace_s = -1, .credential_s = 10 } };
    struct trouble t = { .text = "" };
    result r = options_read(argc, argv, &o);
    if (!is_ok(r)) {
        fputs(help, stderr);
        return SAB_USAGE;
    }
    struct material m = {
        .body = BUF(BODY_BYTES_MAX), .path = BUF(RESOURCE_LEN + 1), .word = BUF(512), .name = BUF(512), .subresource = BUF(128)
    };
    r = compose(&o, &m, &t);
    material_free(&m);
    return is_ok(r) ? SAB_OK : complain(r, &t, o.resource);
}
