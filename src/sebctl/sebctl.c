#include "config.h"

#include "sebctl/sebctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/secret.h"
#include "hsm/tpm.h"

#define BIT(option) (1u << OPT_##option)

static const struct command {
    const char *name, *verb; /* "policy", "load" */
    unsigned options; /* beside --config */
    const char *operand; /* its name in messages; NULL: there is none */
    result (*run)(struct sebctl_args *a);
} commands[] = {
    { .name = "init", .options = BIT(JSON), .run = sebctl_init },
    { .name = "rekey", .options = BIT(JSON), .run = sebctl_rekey },
    { .name = "status", .options = BIT(JSON), .run = sebctl_status },
    { .name = "policy", .verb = "load", .options = BIT(JSON), .operand = "FILE", .run = sebctl_policy_load },
    { .name = "epoch", .verb = "advance", .options = BIT(JSON), .operand = "FILE", .run = sebctl_epoch_advance },
    { .name = "approve",
        .options = BIT(JSON) | BIT(PLAN) | BIT(LOAD) | BIT(COMING) | BIT(REBOOTED) | BIT(LIBEXEC) | BIT(SEBD),
        .run = sebctl_approve },
    { .name = "acknowledge", .options = BIT(JSON), .operand = "FILE", .run = sebctl_acknowledge },
    { .name = "pubkeys", .options = BIT(JSON) | BIT(PEM) | BIT(TRUST), .run = sebctl_pubkeys },
    { .name = "export",
        .options = BIT(JSON) | BIT(WITHOUT_BODIES) | BIT(WITHOUT_REQUESTS),
        .operand = "DIR",
        .run = sebctl_export },
};

static const char help[] =
    "usage: sebctl COMMAND [OPTION]...\n"
    "Provisions and runs an instance of the Sovereign Execution Broker.\n"
    "\n"
    "  init                    make the instance's keys in TPM and HSM, and record who it is; changes nothing that is there\n"
    "  rekey                   put new keys in the place of those without policy, and of a replaced TPM's\n"
    "  status                  what the running broker says of itself\n"
    "  policy load FILE        load a signed policy (- for standard input)\n"
    "  epoch advance FILE      load a signed revocation epoch statement\n"
    "  approve --plan          print what is to be approved of the running broker, for sab approve\n"
    "      --coming            foresee the state after a start with this --config (and what follows)\n"
    "      --libexec DIR       with the broker's processes there\n"
    "      --sebd PATH         with this sebd\n"
    "      --rebooted          after the machine was started anew\n"
    "  approve --load FILE     hand an approval to the broker (- for standard input)\n"
    "  acknowledge FILE        go on with a log that was found to be behind, or after an unclean start\n"
    "  pubkeys                 the public keys: of this instance, and those that it trusts\n"
    "      --pem ROLE          one as PEM: attestation, record, mint, policy or revocation\n"
    "      --trust             what an auditor pins, for seb-audit --trust\n"
    "  fence haproxy|kubernetes ...   a target's fence; sebctl fence --help\n"
    "  target kubernetes ...   what sebd.json says of a cluster, from its kubeconfig; sebctl target --help\n"
    "  export DIR              the log as a new folder, for seb-audit\n"
    "      --without-bodies    leave out what was written\n"
    "      --without-requests  leave out the requests\n"
    "\n"
    "  --config FILE           configuration, sebd.json(5); default " SEB_SYSCONFDIR "/seb/sebd.json\n"
    "  --json                  print JSON\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.\n";

static int wrong_usage(const char *what, const char *word)
{
    fprintf(stderr, "sebctl: usage: %s%s%s: see sebctl --help\n", what, word ? ": " : "", word ? word : "");
    return SEBCTL_USAGE;
}

static int print_text(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) ? SEBCTL_FAILED : SEBCTL_OK;
}

/* -1: go on. */
static int read_options(int argc, char **argv, const struct command *c, struct sebctl_args *a)
{
    enum { HELP = SEBCTL_OPTIONS };
    static const struct option known[] = {
        { "config", required_argument, NULL, OPT_CONFIG },
        { "json", no_argument, NULL, OPT_JSON },
        { "pem", required_argument, NULL, OPT_PEM },
        { "trust", no_argument, NULL, OPT_TRUST },
        { "without-bodies", no_argument, NULL, OPT_WITHOUT_BODIES },
        { "without-requests", no_argument, NULL, OPT_WITHOUT_REQUESTS },
        { "plan", no_argument, NULL, OPT_PLAN },
        { "load", required_argument, NULL, OPT_LOAD },
        { "coming", no_argument, NULL, OPT_COMING },
        { "rebooted", no_argument, NULL, OPT_REBOOTED },
        { "libexec", required_argument, NULL, OPT_LIBEXEC },
        { "sebd", required_argument, NULL, OPT_SEBD },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    for (int o, at; at = optind, (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == HELP)
            return print_text(help);
        if (o == '?')
            return SEBCTL_USAGE; /* getopt said what is wrong */
        if (o != OPT_CONFIG && !(c->options >> o & 1))
            return wrong_usage("this command has no such option", argv[at]);
        a->value[o] = optarg ? optarg : "";
    }
    int wanted = c->operand ? 1 : 0;
    if (argc - optind < wanted)
        return wrong_usage("missing", c->operand);
    if (argc - optind > wanted)
        return wrong_usage("no such argument", argv[optind + wanted]);
    a->operand = wanted ? argv[optind] : NULL;
    return -1;
}

static int fail_about(const char *about, const char *where, result r)
{
    char text[512];
    fprintf(stderr, "sebctl: %s: %s%s%s\n", about, where ? where : "", where ? ": " : "", result_text(r, text, sizeof text));
    return code_of(r) == E_usage ? SEBCTL_USAGE : SEBCTL_FAILED;
}

static int run(const struct command *c, struct sebctl_args *a)
{
    const char *path = a->value[OPT_CONFIG] ? a->value[OPT_CONFIG] : SEB_SYSCONFDIR "/seb/sebd.json", *where = NULL;
    struct config *config = NULL;
    result r = process_harden();
    if (!is_ok(r))
        return fail_about(c->name, NULL, r);
    r = config_load(path, &config, &where);
    if (!is_ok(r))
        return fail_about(path, where, r);
    a->config = config;
    a->about = c->name;
    r = c->run(a);
    int end = is_ok(r) ? SEBCTL_OK : fail_about(a->about, NULL, r); /* what it is about may be a text of the configuration */
    config_free(config);
    return end;
}

/* argv[1] is a command's name; its verb may follow. */
static int find_and_run(int argc, char **argv)
{
    struct sebctl_args a = { .operand = NULL };
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        int words = c->verb ? 2 : 1;
        if (!span_is(span_text(argv[1]), c->name))
            continue;
        if (argc > 2 && span_is(span_text(argv[2]), "--help"))
            return print_text(help);
        if (c->verb && (argc < 3 || !span_is(span_text(argv[2]), c->verb)))
            return wrong_usage("after it comes", c->verb);
        int end = read_options(argc - words, argv + words, c, &a);
        return end >= 0 ? end : run(c, &a);
    }
    return wrong_usage("no such command", argv[1]);
}

int main(int argc, char **argv)
{
    log_program("sebctl");
    tpm_be_quiet();
    if (argc < 2)
        return wrong_usage("no command", NULL);
    struct span first = span_text(argv[1]);
    if (span_is(first, "--help") || span_is(first, "help"))
        return print_text(help);
    if (span_is(first, "--version"))
        return print_text("sebctl (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
    if (span_is(first, "fence"))
        return sebctl_fence(argc - 1, argv + 1);
    if (span_is(first, "target"))
        return sebctl_target(argc - 1, argv + 1);
    return find_and_run(argc, argv);
}
