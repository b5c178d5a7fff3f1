/* seb-audit: verifies an exported log, offline. seb-audit(1) and docs/auditing.md are its manuals. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/secret.h"
#include "audit/cover.h"

#define AGENT_KEYS 4096

static const char help[] =
    "usage: seb-audit --trust FILE [--expect NOTE-FILE] [--at-least SIZE] [--json] EXPORT-DIR\n"
    "       seb-audit trace --trust FILE [--ek-roots PEM] [--json] EXPORT-DIR TOKEN|FILE|-\n"
    "       seb-audit claims --trust FILE EXPORT-DIR INDEX\n"
    "       seb-audit show EXPORT-DIR [FROM [TO]]\n"
    "       seb-audit cover kubernetes --trust FILE --audit-log FILE... --target NAME --namespace NAME... [OPTION...] EXPORT-DIR\n"
    "Verifies an exported log against the pinned keys in the trust file (sebctl pubkeys --trust): every hash, signature, quote, "
    "order,\n"
    "document and outcome, and judges each decision again.\n"
    "  --trust FILE        the keys and names that this log must be of\n"
    "  --expect NOTE-FILE  a checkpoint that was seen before: the log must contain it\n"
    "  --at-least SIZE     the log must have this many records\n"
    "  --json              one JSON object in place of lines\n"
    "  --ek-roots PEM      certificates of TPM manufacturers, in place of the trust file's\n"
    "trace follows a token that a target saw back to the TPM's endorsement key, one line a step, up to the first that fails;\n"
    "claims prints the claims of the credential that record INDEX allowed; show lists the records.\n"
    "cover verifies the log, and then holds each mutation in a cluster's audit log against its record, and each record against "
    "it:\n"
    "  --audit-log FILE... the API server's audit log, rotated files too, the oldest first\n"
    "  --target NAME       the target that the records call the cluster by\n"
    "  --namespace NAME... protected namespaces\n"
    "  --cluster-kind RESOURCE.GROUP...  protected kinds without a namespace\n"
    "  --since TIME        what came before isn't asked about: 2026-01-31T00:00:00Z\n"
    "  --exempt USER...    those whom the fence was told to exempt; Kubernetes' own it marks itself\n"
    "  --break-glass GROUP besides those that the fence itself marks so\n"
    "Exit codes: 0 no findings, 1 findings, 2 the command line is wrong, 3 a file can't be read,\n"
    "            4 no findings, but the export leaves requests or bodies out, so that not every decision was judged again;\n"
    "              or records and audit log don't reach over the same time;\n"
    "              or no root is given that an EK certificate could be followed to.\n"
    "seb-audit(1) says it all.\n";

static int usage(const char *about)
{
    fprintf(stderr, "seb-audit: %s; see --help\n", about);
    return AUDIT_USAGE;
}

struct options {
    const char *trust, *expect, *ek_roots;
    uint64_t at_least;
    bool json;
};

/* NULL, or what is wrong. */
static const char *options_read(int argc, char **argv, struct options *ret)
{
    static const struct option table[] = { { "trust", required_argument, NULL, 't' }, { "expect", required_argument, NULL, 'e' },
        { "at-least", required_argument, NULL, 'a' }, { "json", no_argument, NULL, 'j' },
        { "ek-roots", required_argument, NULL, 'k' }, { 0 } };
    opterr = 0;
    for (int got; (got = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (got == 't')
            ret->trust = optarg;
        else if (got == 'e')
            ret->expect = optarg;
        else if (got == 'k')
            ret->ek_roots = optarg;
        else if (got == 'j')
            ret->json = true;
        else if (got != 'a')
            return "an unknown option, or one without its value";
        else if (!number_of(optarg, &ret->at_least))
            return "--at-least wants a number";
    }
    return NULL;
}

static result pass(struct audit *a, bool json, int *ret_exit)
{
    TRY(report_open(&a->report, json, a->cover != NULL));
    TRY(keycache_new(AGENT_KEYS, &a->keys));
    TRY(audit_pass(a));
    if (a->cover)
        TRY(cover_logs(a));
    a->summary.cover = a->cover;
    a->summary.expected = a->expect || a->at_least;
    *ret_exit = report_summary(&a->report, &a->summary);
    return OK;
}

/* Given on the command line, they stand in for the trust file's. */
static result roots_load(struct trust *t, const char *path)
{
    AUTO_BUF pem = BUF(EK_ROOTS_MAX);
    if (!path)
        return OK;
    TRY(file_read(path, EK_ROOTS_MAX, &pem));
    return trust_roots(t, buf_span(&pem));
}

static int audit_open(struct audit *a, const struct options *o, const char *export)
{
    const char *what;
    result r = trust_load(o->trust, &a->trust, &what);
    if (!is_ok(r)) {
        fprintf(stderr, "seb-audit: trust file %s: %s: %s\n", o->trust, what, code_words(code_of(r)));
        return AUDIT_UNREADABLE;
    }
    r = roots_load(&a->trust, o->ek_roots);
    if (!is_ok(r))
        return audit_complain(AUDIT_UNREADABLE, o->ek_roots, r);
    r = export_open(export, &a->export);
    if (!is_ok(r))
        return audit_complain(AUDIT_UNREADABLE, export, r);
    r = log_size(&a->export, &a->size);
    return is_ok(r) ? AUDIT_CLEAN
                    : audit_complain(AUDIT_UNREADABLE, "neither checkpoint nor log.json says how large the log is", r);
}

/* cover NULL: of the log alone. */
static int audit(const struct options *o, const struct cover_options *cover, const char *export)
{
    struct audit a = { .export.fd = -1, .expect = o->expect, .at_least = o->at_least };
    int code = audit_open(&a, o, export);
    if (code == AUDIT_CLEAN && cover && !trust_issuer(&a.trust, cover->target))
        code = audit_complain(
            AUDIT_UNREADABLE, "the trust file names no issuer for this target: is it a cluster's name?", fail(E_target_unknown));
    if (code == AUDIT_CLEAN) {
        result r = cover ? cover_new(cover, &a.cover) : OK;
        if (is_ok(r))
            r = pass(&a, o->json, &code);
        if (!is_ok(r))
            code =
                audit_complain(AUDIT_UNREADABLE, a.cover && a.cover->unreadable ? a.cover->unreadable : "the audit broke off", r);
    }
    report_close(&a.report);
    cover_free(a.cover);
    keycache_free(a.keys);
    export_close(&a.export);
    trust_free(&a.trust);
    return code;
}

static bool is_word(const char *arg, const char *word)
{
    return arg && span_is(span_text(arg), word);
}

static int show(int operands, char **operand)
{
    if (operands < 1 || operands > 3)
        return usage("show wants EXPORT-DIR [FROM [TO]]");
    uint64_t from = 0, to = UINT64_MAX;
    if ((operands > 1 && !number_of(operand[1], &from)) || (operands > 2 && !number_of(operand[2], &to)))
        return usage("FROM and TO are indices of records");
    return audit_show(operand[0], from, operands == 2 ? from : to);
}

static int claims(const struct options *o, int operands, char **operand)
{
    uint64_t index;
    if (!o->trust || operands != 2 || !number_of(operand[1], &index))
        return usage("claims wants --trust FILE EXPORT-DIR INDEX");
    return audit_claims(o->trust, operand[0], index);
}

static int trace(const struct options *o, int operands, char **operand)
{
    if (!o->trust || operands != 2)
        return usage("trace wants --trust FILE EXPORT-DIR TOKEN, or - for a token from stdin");
    return audit_trace(
        &(struct trace_options){ .trust = o->trust, .ek_roots = o->ek_roots, .json = o->json }, operand[0], operand[1]);
}

static int cover(int argc, char **argv)
{
    static struct cover_options c; /* its lists are too long for a stack */
    const char *wrong = cover_options_read(argc, argv, &c);
    if (wrong)
        return usage(wrong);
    for (unsigned i = 0; i < c.logs.n; i++)
        if (access(c.logs.list[i], R_OK) != 0)
            return audit_complain(AUDIT_UNREADABLE, c.logs.list[i], fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno));
    const struct options o = {
        .trust = c.trust, .expect = c.expect, .ek_roots = c.ek_roots, .at_least = c.at_least, .json = c.json
    };
    return audit(&o, &c, c.export);
}

int main(int argc, char **argv)
{
    struct options o = { 0 };
    if (!is_ok(process_harden()))
        return audit_complain(AUDIT_UNREADABLE, "process", fail(E_io));
    for (int i = 1; i < argc; i++)
        if (is_word(argv[i], "--help") || is_word(argv[i], "--version")) {
            fputs(is_word(argv[i], "--help") ? help : PACKAGE_STRING "\n", stdout);
            return AUDIT_CLEAN;
        }
    if (argc > 1 && is_word(argv[1], "cover"))
        return cover(argc - 2, argv + 2);
    const char *wrong = options_read(argc, argv, &o);
    if (wrong)
        return usage(wrong);
    int operands = argc - optind;
    char **operand = argv + optind;
    if (operands > 0 && is_word(operand[0], "trace"))
        return trace(&o, operands - 1, operand + 1);
    if (operands > 0 && is_word(operand[0], "claims"))
        return claims(&o, operands - 1, operand + 1);
    if (operands > 0 && is_word(operand[0], "show"))
        return show(operands - 1, operand + 1);
    if (operands != 1)
        return usage("one EXPORT-DIR is wanted");
    return o.trust ? audit(&o, NULL, operand[0]) : usage("--trust FILE is wanted: without pinned keys nothing can be verified");
}
