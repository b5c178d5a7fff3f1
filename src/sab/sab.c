/* sab: a reference assurance authority. sab(1) is its manual. */
#include "config.h"

#include "base/jws.h"
#include "base/secret.h"
#include "hsm/tpm.h"
#include "sab/sab.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define BIT(option) (UINT32_C(1) << (option))
#define KEY_OPTIONS \
    (BIT(OPT_MODULE) | BIT(OPT_TOKEN) | BIT(OPT_PIN_FILE) | BIT(OPT_KEY) | BIT(OPT_TPM) | BIT(OPT_HANDLE) | BIT(OPT_ATTESTATION))

static const struct {
    const char *name;
    bool flag;
} options[SAB_OPTIONS] = {
    [OPT_MODULE] = { "module" },
    [OPT_TOKEN] = { "token" },
    [OPT_PIN_FILE] = { "pin-file" },
    [OPT_KEY] = { "key" },
    [OPT_TPM] = { "tpm" },
    [OPT_HANDLE] = { "handle" },
    [OPT_ATTESTATION] = { "attestation" },
    [OPT_FOLDER] = { "folder" },
    [OPT_BODY] = { "body" },
    [OPT_CONTRACT] = { "contract" },
    [OPT_AGENT] = { "agent" },
    [OPT_EVIDENCE] = { "evidence" },
    [OPT_DOMAIN] = { "domain" },
    [OPT_CID] = { "cid" },
    [OPT_POLICY_EPOCH] = { "policy-epoch" },
    [OPT_EPOCH] = { "epoch" },
    [OPT_VALID_S] = { "valid-s" },
    [OPT_NOT_BEFORE] = { "not-before" },
    [OPT_PLAN] = { "plan" },
    [OPT_REFERENCE] = { "reference" },
    [OPT_COUNTERSIGN] = { "countersign", true },
    [OPT_COUNTER] = { "counter" },
    [OPT_INSTANCE] = { "instance" },
    [OPT_SIZE] = { "size" },
    [OPT_ROOT] = { "root" },
    [OPT_WHAT] = { "what" },
    [OPT_JSON] = { "json", true },
    [OPT_JWK] = { "jwk", true },
    [OPT_PEM] = { "pem", true },
};

/* A command of one word or two; what it takes, and what it can't do without. */
struct command {
    const char *words[2];
    result (*run)(struct sab_args *a);
    uint32_t takes, needs;
    bool operand;
};
#define CERTIFY_NEEDS                                                                                                    \
    (BIT(OPT_CONTRACT) | BIT(OPT_AGENT) | BIT(OPT_EVIDENCE) | BIT(OPT_DOMAIN) | BIT(OPT_POLICY_EPOCH) | BIT(OPT_EPOCH) | \
        BIT(OPT_VALID_S))
#define EPOCH_NEEDS (BIT(OPT_DOMAIN) | BIT(OPT_EPOCH) | BIT(OPT_VALID_S))
#define ACKNOWLEDGE_NEEDS (BIT(OPT_DOMAIN) | BIT(OPT_INSTANCE) | BIT(OPT_SIZE) | BIT(OPT_ROOT) | BIT(OPT_WHAT))
#define FORMS (BIT(OPT_JSON) | BIT(OPT_JWK) | BIT(OPT_PEM))
static const struct command commands[] = {
    { { "key", "new" }, sab_key_new, KEY_OPTIONS | BIT(OPT_FOLDER) | FORMS, 0, false },
    { { "key", "show" }, sab_key_show, KEY_OPTIONS | FORMS, 0, false },
    { { "contract" }, sab_contract, BIT(OPT_BODY), 0, true },
    { { "certify" }, sab_certify, KEY_OPTIONS | CERTIFY_NEEDS | BIT(OPT_CID) | BIT(OPT_NOT_BEFORE), CERTIFY_NEEDS, false },
    { { "countersign" }, sab_countersign, KEY_OPTIONS | BIT(OPT_CONTRACT), 0, true },
    { { "policy", "sign" }, sab_policy_sign, KEY_OPTIONS, 0, true },
    { { "epoch", "sign" }, sab_epoch_sign, KEY_OPTIONS | EPOCH_NEEDS, EPOCH_NEEDS, false },
    { { "revoke" }, sab_epoch_sign, KEY_OPTIONS | EPOCH_NEEDS, EPOCH_NEEDS, false },
    { { "approve" }, sab_approve,
        KEY_OPTIONS | BIT(OPT_COUNTERSIGN) | BIT(OPT_EPOCH) | BIT(OPT_PLAN) | BIT(OPT_REFERENCE) | BIT(OPT_COUNTER), 0, true },
    { { "reference", "sign" }, sab_reference_sign, KEY_OPTIONS, 0, true },
    { { "acknowledge" }, sab_acknowledge, KEY_OPTIONS | ACKNOWLEDGE_NEEDS, ACKNOWLEDGE_NEEDS, false },
};

static const char help[] =
    "usage: sab key new|show KEY [--folder DIR] [--json | --jwk | --pem]\n"
    "       sab contract PROPOSAL [--body FILE]\n"
    "       sab contract kubernetes --kubeconfig FILE ...                 (sab contract kubernetes --help)\n"
    "       sab certify KEY --contract FILE --agent JWK --evidence FILE --domain NAME --policy-epoch N --epoch N --valid-s N\n"
    "                       [--not-before SECONDS] [--cid NAME]\n"
    "       sab countersign CERTIFICATE KEY [--contract FILE]\n"
    "       sab policy sign FILE KEY\n"
    "       sab revoke KEY --domain NAME --epoch N --valid-s N         (also: sab epoch sign)\n"
    "       sab approve PLAN KEY [--epoch N] [--reference FILE] [--counter 0x01...]\n"
    "       sab approve --countersign FILE KEY [--plan PLAN] [--counter 0x01...]\n"
    "       sab reference sign FILE KEY\n"
    "       sab acknowledge KEY --domain NAME --instance NAME --size N --root DIGEST --what rollback|unclean\n"
    "       sab fence allow|retire|list ...                               (sab fence --help)\n"
    "KEY is --module PATH --token LABEL --pin-file FILE --key LABEL, on a PKCS#11 token;\n"
    "    or --tpm PATH --handle 0x81... [--attestation 0x81...], in a TPM 2.0. There are no keys in files.\n"
    "A file named - is stdin. Documents are printed to stdout.\n"
    "Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.\n"
    "sab(1) says it all.\n";

static bool is_word(const char *arg, const char *word)
{
    return arg && word && span_is(span_text(arg), word);
}

static const struct command *command_of(int argc, char **argv, int *ret_words)
{
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        int words = c->words[1] ? 2 : 1;
        if (argc <= words || !is_word(argv[1], c->words[0]) || (words == 2 && !is_word(argv[2], c->words[1])))
            continue;
        *ret_words = words;
        return c;
    }
    return NULL;
}

static int complain(enum seb_code code, const char *about)
{
    fprintf(
        stderr, "sab: %s: %s%s%s%s\n", code_name(code), code_words(code), about ? " [" : "", about ? about : "", about ? "]" : "");
    return code == E_usage ? SAB_USAGE : SAB_FAILED;
}

/* Into *a; false where the command doesn't take what is there, or lacks what it needs. */
static bool args_read(const struct command *c, int argc, char **argv, struct sab_args *a)
{
    struct option table[SAB_OPTIONS + 1] = { 0 };
    int index;
    for (unsigned o = 0; o < SAB_OPTIONS; o++)
        table[o] = (struct option){ options[o].name, options[o].flag ? no_argument : required_argument, NULL, 0 };
    opterr = 0;
    for (int got; (got = getopt_long(argc, argv, "", table, &index)) != -1;) {
        if (got != 0 || !(c->takes & BIT(index)) || a->value[index]) {
            a->about = got ? argv[optind - 1] : options[index].name;
            return false;
        }
        a->value[index] = optarg ? optarg : "";
    }
    for (unsigned o = 0; o < SAB_OPTIONS; o++)
        if ((c->needs & BIT(o)) && !a->value[o]) {
            a->about = options[o].name;
            return false;
        }
    if (argc - optind != (c->operand ? 1 : 0)) {
        a->about = c->operand ? "one file is wanted" : argv[optind];
        return false;
    }
    a->operand = argv[optind];
    return true;
}

result sab_number(struct sab_args *a, enum sab_option o, int64_t min, int64_t max, int64_t missing, int64_t *ret)
{
    char *end;
    if (!a->value[o]) {
        *ret = missing;
        return OK;
    }
    errno = 0;
    long long n = strtoll(a->value[o], &end, 10);
    if (errno || *end || a->value[o][0] < '0' || a->value[o][0] > '9' || n < min || n > max) {
        a->about = options[o].name;
        return fail(E_usage);
    }
    *ret = n;
    return OK;
}

result sab_read(struct sab_args *a, const char *path, size_t max, struct buf *out)
{
    a->about = path;
    TRY(file_read(is_word(path, "-") ? "/dev/stdin" : path, max, out));
    a->about = NULL;
    return OK;
}

result sab_read_json(struct sab_args *a, const char *path, json_t **ret)
{
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    TRY(sab_read(a, path, JWS_PAYLOAD_MAX, &text));
    a->about = path;
    TRY(json_strict(buf_span(&text), JWS_PAYLOAD_MAX, ret));
    a->about = NULL;
    return OK;
}

result sab_print(struct span text)
{
    bool written = fwrite(text.p, 1, text.n, stdout) == text.n && putchar('\n') != EOF && fflush(stdout) == 0;
    return written ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

result sab_print_json(const json_t *v)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    TRY(json_canonical(v, &text));
    return sab_print(buf_span(&text));
}

static int run(const struct command *c, struct sab_args *a)
{
    char text[256];
    result r = c->run(a);
    if (is_ok(r))
        return SAB_OK;
    if (foreign_of(r) == FOREIGN_NONE)
        return complain(code_of(r), a->about);
    fprintf(stderr, "sab: %s%s%s%s\n", result_text(r, text, sizeof text), a->about ? " [" : "", a->about ? a->about : "",
        a->about ? "]" : "");
    return SAB_FAILED;
}

int main(int argc, char **argv)
{
    struct sab_args a = { 0 };
    int words = 0;
    tpm_be_quiet();
    if (!is_ok(process_harden()))
        return complain(E_io, "process_harden");
    if (argc > 1 && is_word(argv[1], "fence"))
        return sab_fence(argc - 1, argv + 1);
    if (argc > 2 && is_word(argv[1], "contract") && is_word(argv[2], "kubernetes"))
        return sab_contract_kubernetes(argc - 2, argv + 2);
    for (int i = 1; i < argc; i++)
        if (is_word(argv[i], "--help") || is_word(argv[i], "--version")) {
            fputs(is_word(argv[i], "--help") ? help : PACKAGE_STRING "\n", stdout);
            return SAB_OK;
        }
    const struct command *c = command_of(argc, argv, &words);
    if (!c)
        return complain(E_usage, argc > 1 ? argv[1] : "no command");
    return args_read(c, argc - words, argv + words, &a) ? run(c, &a) : complain(E_usage, a.about);
}
