/* seb-verifier: the second party, on another machine. seb-verifier(1) is its manual. */
#include "config.h"

#include "base/log.h"
#include "base/secret.h"
#include "hsm/tpm.h"
#include "verifier/verifier.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define BIT(option) (UINT32_C(1) << (option))
#define DEFAULT_CONFIG SEB_SYSCONFDIR "/seb/verifier.json"

static const struct {
    const char *name;
    bool flag;
} options[VERIFIER_OPTIONS] = {
    [OPT_CONFIG] = { "config" },
    [OPT_JSON] = { "json", true },
    [OPT_JWT] = { "jwt", true },
    [OPT_EK] = { "ek" },
    [OPT_SIZE] = { "size" },
    [OPT_ROOT] = { "root" },
    [OPT_FIRMWARE] = { "firmware", true },
    [OPT_LIBEXEC] = { "libexec" },
    [OPT_SEBD] = { "sebd" },
    [OPT_RELEASE] = { "release" },
    [OPT_PCR] = { "pcr" },
    [OPT_NAME] = { "name" },
    [OPT_REFERENCE] = { "reference" },
    [OPT_POLICY_KEY] = { "policy-key" },
    [OPT_VERIFIER] = { "verifier" },
    [OPT_RESULT] = { "result" },
    [OPT_LOGS] = { "logs" },
};

enum operand { OPERAND_NONE, OPERAND_ONE, OPERAND_MAYBE };
struct command {
    const char *word;
    result (*run)(struct verifier_args *a);
    uint32_t takes, needs; /* of options */
    enum operand operand;
    bool no_settings; /* --config isn't the verifier's own, or there is none */
};
#define CONFIG BIT(OPT_CONFIG)
#define APPRAISE_NEEDS (BIT(OPT_REFERENCE) | BIT(OPT_POLICY_KEY) | BIT(OPT_VERIFIER))
static const struct command commands[] = {
    { "serve", verifier_serve, CONFIG, 0, OPERAND_NONE, false },
    { "enrol", verifier_enrol, CONFIG, 0, OPERAND_ONE, false },
    { "confirm", verifier_confirm, CONFIG | BIT(OPT_EK), 0, OPERAND_ONE, false },
    { "withdraw", verifier_withdraw, CONFIG, 0, OPERAND_ONE, false },
    { "list", verifier_list, CONFIG | BIT(OPT_JSON), 0, OPERAND_NONE, false },
    { "results", verifier_results, CONFIG | BIT(OPT_JWT), 0, OPERAND_MAYBE, false },
    { "acknowledge", verifier_acknowledge, CONFIG | BIT(OPT_SIZE) | BIT(OPT_ROOT) | BIT(OPT_FIRMWARE), 0, OPERAND_ONE, false },
    { "keys", verifier_keys, CONFIG | BIT(OPT_NAME), 0, OPERAND_NONE, false },
    { "reference", verifier_reference, CONFIG | BIT(OPT_LIBEXEC) | BIT(OPT_SEBD) | BIT(OPT_RELEASE) | BIT(OPT_PCR), CONFIG,
        OPERAND_NONE, true },
    { "appraise", verifier_appraise, APPRAISE_NEEDS | BIT(OPT_RESULT) | BIT(OPT_LOGS) | BIT(OPT_JSON), APPRAISE_NEEDS, OPERAND_ONE,
        true },
};

static const char help[] =
    "usage: seb-verifier [serve]                              asks, judges, signs results and leases, until it is stopped\n"
    "       seb-verifier enrol INSTANCE                       proves an instance's TPM and keys; then it is pending\n"
    "       seb-verifier confirm INSTANCE [--ek FINGERPRINT]  from now on it is challenged\n"
    "       seb-verifier withdraw INSTANCE                    no results any more\n"
    "       seb-verifier list [--json]\n"
    "       seb-verifier results [INSTANCE] [--jwt]           the last ones\n"
    "       seb-verifier acknowledge INSTANCE [--size N --root DIGEST] [--firmware]\n"
    "       seb-verifier keys [--name NAME]                   for the signed policy's `verifiers`\n"
    "       seb-verifier reference [--libexec DIR] [--sebd FILE] [--release TEXT] [--pcr N=HEX ...] --config SEBD.JSON ...\n"
    "       seb-verifier appraise DIR --reference FILE --policy-key JWK --verifier JWK [--result DIGEST]\n"
    "                             [--logs DIR] [--json]       offline, an export or a bundle\n"
    "--config FILE (" DEFAULT_CONFIG ") is its configuration, but for `reference`, which reads brokers'.\n"
    "Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.\n"
    "seb-verifier(1) says it all.\n";

static bool is_word(const char *arg, const char *word)
{
    return span_is(span_text(arg), word);
}

static const struct command *command_of(const char *word)
{
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
        if (is_word(word, commands[i].word))
            return &commands[i];
    return NULL;
}

static int complain(result r, const char *about)
{
    char text[256];
    fprintf(stderr, "seb-verifier: %s%s%s%s\n", result_text(r, text, sizeof text), about ? " [" : "", about ? about : "",
        about ? "]" : "");
    return code_of(r) == E_usage ? VERIFIER_USAGE : VERIFIER_FAILED;
}

/* --config and --pcr may come several times where a command takes lists of them; the last of another is never taken for the first.
 */
static bool option_take(const struct command *c, int option, const char *value, struct verifier_args *a)
{
    const bool list = c->run == verifier_reference && (option == OPT_CONFIG || option == OPT_PCR);
    if (!(c->takes & BIT(option)) || (a->value[option] && !list))
        return false;
    a->value[option] = value ? value : "";
    if (option == OPT_CONFIG && a->configs < VALUES_MAX)
        a->config[a->configs++] = value;
    else if (option == OPT_PCR && a->pcrs < VALUES_MAX)
        a->pcr[a->pcrs++] = value;
    else
        return option != OPT_CONFIG && option != OPT_PCR;
    return true;
}

static bool args_read(const struct command *c, int argc, char **argv, struct verifier_args *a)
{
    struct option table[VERIFIER_OPTIONS + 1] = { 0 };
    int index;
    for (unsigned o = 0; o < VERIFIER_OPTIONS; o++)
        table[o] = (struct option){ options[o].name, options[o].flag ? no_argument : required_argument, NULL, 0 };
    opterr = 0;
    for (int got; (got = getopt_long(argc, argv, "", table, &index)) != -1;)
        if (got != 0 || !option_take(c, index, optarg, a)) {
            a->about = got ? argv[optind - 1] : options[index].name;
            return false;
        }
    for (unsigned o = 0; o < VERIFIER_OPTIONS; o++)
        if ((c->needs & BIT(o)) && !a->value[o]) {
            a->about = options[o].name;
            return false;
        }
    int operands = argc - optind;
    if (operands > 1 || (operands == 1 && c->operand == OPERAND_NONE) || (operands == 0 && c->operand == OPERAND_ONE)) {
        a->about = c->operand == OPERAND_NONE ? argv[optind] : "one operand is wanted";
        return false;
    }
    a->operand = operands ? argv[optind] : NULL;
    return true;
}

result verifier_instance(struct verifier_args *a, const struct settings_instance **ret)
{
    a->about = a->operand;
    const struct settings_instance *i = settings_named(a->settings, a->operand);
    if (!i)
        return fail(E_not_found);
    *ret = i;
    a->about = NULL;
    return OK;
}

result verifier_print(struct span text)
{
    bool written = fwrite(text.p, 1, text.n, stdout) == text.n && putchar('\n') != EOF && fflush(stdout) == 0;
    return written ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

result verifier_print_json(const json_t *v)
{
    AUTO_BUF text = BUF((size_t)16 << 20);
    TRY(json_canonical(v, &text));
    return verifier_print(buf_span(&text));
}

static int run(const struct command *c, struct verifier_args *a)
{
    AUTO_SETTINGS *settings = NULL;
    const char *where = NULL;
    if (!c->no_settings) {
        result r = settings_load(a->value[OPT_CONFIG] ? a->value[OPT_CONFIG] : DEFAULT_CONFIG, &settings, &where);
        if (!is_ok(r))
            return complain(r, where);
    }
    a->settings = settings;
    result r = c->run(a);
    return is_ok(r) ? VERIFIER_OK : complain(r, a->about);
}

int main(int argc, char **argv)
{
    struct verifier_args a = { 0 };
    log_program("seb-verifier");
    tpm_be_quiet();
    result hardened = process_harden();
    if (!is_ok(hardened))
        return complain(hardened, "process_harden");
    for (int i = 1; i < argc; i++)
        if (is_word(argv[i], "--help") || is_word(argv[i], "--version")) {
            fputs(is_word(argv[i], "--help") ? help : PACKAGE_STRING "\n", stdout);
            return VERIFIER_OK;
        }
    /* Without a command it serves. */
    const bool named = argc > 1 && argv[1][0] != '-';
    const struct command *c = command_of(named ? argv[1] : "serve");
    if (!c)
        return complain(fail(E_usage), argv[1]);
    return args_read(c, argc - named, argv + named, &a) ? run(c, &a) : complain(fail(E_usage), a.about);
}
