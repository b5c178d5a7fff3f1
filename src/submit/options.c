#include "config.h"

#include "submit/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "submit/reply.h"

static const char help[] =
    "usage: seb-submit --certificate FILE KEY [--body FILE] [OPTION]...\n"
    "       seb-submit --certificate FILE --unsigned [OPTION]...\n"
    "       seb-submit --certificate FILE --request FILE [--body FILE] [OPTION]...\n"
    "       seb-submit key new|show KEY [--folder DIR] [--json | --jwk | --pem]\n"
    "Signs a request with the agent's key, sends it to the broker, and waits for what becomes of it.\n"
    "KEY is --module PATH --token LABEL --pin-file FILE --key LABEL, on a PKCS#11 token;\n"
    "    or --tpm PATH --handle 0x81... [--attestation 0x81...], in a TPM 2.0. There are no keys in files.\n"
    "An agent whose key is elsewhere has --unsigned print what to sign, signs it there, and sends it with --request.\n"
    "A file named - is stdin.\n"
    "\n"
    "  --certificate FILE    the certificate: a JWS in JSON serialization\n"
    "  --body FILE           the body of the mutation\n"
    "  --socket PATH         the broker's socket for agents (/run/seb/agents.sock)\n"
    "  --id ID               name of the request (random); the same id asks for the same request's outcome\n"
    "  --wait-ms N           how long the broker may take for each answer, 0 to 60000 (10000)\n"
    "  --timeout SECONDS     how long to ask while it is pending (60)\n"
    "  --record-key FILE     the broker's record key (PEM): verify the checkpoint and the records' inclusion in it\n"
    "  --request-only        print the signed request and send nothing\n"
    "  --unsigned            print {\"payload\",\"protected\"} of the request, which the certificate's key is to sign; send "
    "nothing\n"
    "  --request FILE        send this request, which was signed elsewhere: a JWS in JSON serialization\n"
    "  --json                print the broker's answer as it is\n"
    "  --target NAME, --operation NAME, --resource URL, --media-type TYPE, --describe-body\n"
    "                        ask for another mutation than the certificate's contract (and be refused)\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 applied; 3 refused; 4 rejected by the target, failed, not applied or still open; 5 busy, unavailable or\n"
    "pending: ask again with the same --id; 1 a local failure, or a proof that doesn't hold; 2 the command line is wrong.\n";

#define BIT(command) (1u << (command))
#define HERE BIT(SUBMIT_SIGNED_HERE)
#define ELSEWHERE BIT(SUBMIT_SIGNED_ELSEWHERE)
#define UNSIGNED BIT(SUBMIT_UNSIGNED)
#define KEY_NEW BIT(SUBMIT_KEY_NEW)
#define KEY_SHOW BIT(SUBMIT_KEY_SHOW)

enum kind { TEXT, FLAG, MILLISECONDS, SECONDS };
/* Each option: where its value goes, and which commands take it. */
static const struct {
    const char *name;
    size_t at;
    enum kind kind;
    unsigned commands;
} rows[] = {
    { "certificate", offsetof(struct submit_options, certificate), TEXT, HERE | ELSEWHERE | UNSIGNED },
    { "body", offsetof(struct submit_options, body), TEXT, HERE | ELSEWHERE | UNSIGNED },
    { "request", offsetof(struct submit_options, request), TEXT, ELSEWHERE },
    { "unsigned", offsetof(struct submit_options, unsigned_), FLAG, UNSIGNED },
    { "module", offsetof(struct submit_options, key.module), TEXT, HERE | KEY_NEW | KEY_SHOW },
    { "token", offsetof(struct submit_options, key.token), TEXT, HERE | KEY_NEW | KEY_SHOW },
    { "pin-file", offsetof(struct submit_options, key.pin_file), TEXT, HERE | KEY_NEW | KEY_SHOW },
    { "key", offsetof(struct submit_options, key.key), TEXT, HERE | KEY_NEW | KEY_SHOW },
    { "tpm", offsetof(struct submit_options, key.tpm), TEXT, HERE | KEY_NEW | KEY_SHOW },
    { "handle", offsetof(struct submit_options, key.handle), TEXT, HERE | KEY_NEW | KEY_SHOW },
    { "attestation", offsetof(struct submit_options, key.attestation), TEXT, HERE | KEY_NEW | KEY_SHOW },
    { "folder", offsetof(struct submit_options, key.folder), TEXT, KEY_NEW },
    { "socket", offsetof(struct submit_options, socket), TEXT, HERE | ELSEWHERE },
    { "timeout", offsetof(struct submit_options, timeout_s), SECONDS, HERE | ELSEWHERE },
    { "record-key", offsetof(struct submit_options, record_key), TEXT, HERE | ELSEWHERE },
    { "request-only", offsetof(struct submit_options, request_only), FLAG, HERE },
    { "json", offsetof(struct submit_options, json), FLAG, HERE | ELSEWHERE | KEY_NEW | KEY_SHOW },
    { "jwk", offsetof(struct submit_options, jwk), FLAG, KEY_NEW | KEY_SHOW },
    { "pem", offsetof(struct submit_options, pem), FLAG, KEY_NEW | KEY_SHOW },
    /* What the request says: of one that is signed already it can't be said again. */
    { "id", offsetof(struct submit_options, id), TEXT, HERE | UNSIGNED },
    { "wait-ms", offsetof(struct submit_options, wait_ms), MILLISECONDS, HERE | UNSIGNED },
    { "target", offsetof(struct submit_options, overrides.target), TEXT, HERE | UNSIGNED },
    { "operation", offsetof(struct submit_options, overrides.operation), TEXT, HERE | UNSIGNED },
    { "resource", offsetof(struct submit_options, overrides.resource), TEXT, HERE | UNSIGNED },
    { "media-type", offsetof(struct submit_options, overrides.media_type), TEXT, HERE | UNSIGNED },
    { "describe-body", offsetof(struct submit_options, overrides.describe_body), FLAG, HERE | UNSIGNED },
};
#define ROWS ((int)(sizeof rows / sizeof rows[0]))
enum { OPTION_HELP = 1, OPTION_VERSION, OPTION_ROW };

static bool read_number(const char *text, int64_t max, int64_t *ret)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || end == text || *end || n < 0 || n > max)
        return false;
    *ret = n;
    return true;
}

/* false: a number that can't be. */
static bool take(struct submit_options *o, int row, const char *value)
{
    void *to = (char *)o + rows[row].at;
    switch (rows[row].kind) {
    case TEXT:
        *(const char **)to = value;
        return true;
    case FLAG:
        *(bool *)to = true;
        return true;
    case MILLISECONDS:
        return read_number(value, SUBMIT_WAIT_MS_MAX, to);
    default:
        return read_number(value, 86400, to);
    }
}

static int usage(const char *what, const char *about)
{
    fprintf(stderr, "seb-submit: %s%s: see seb-submit --help\n", about, what);
    return SUBMIT_USAGE;
}

/* 0, or the exit code after a message. */
static int place_command(struct submit_options *o, int words, char **word)
{
    o->command = o->unsigned_ ? SUBMIT_UNSIGNED : o->request ? SUBMIT_SIGNED_ELSEWHERE : SUBMIT_SIGNED_HERE;
    if (words == 0)
        return 0;
    bool key = words == 2 && span_is(span_text(word[0]), "key");
    if (key && span_is(span_text(word[1]), "new"))
        o->command = SUBMIT_KEY_NEW;
    else if (key && span_is(span_text(word[1]), "show"))
        o->command = SUBMIT_KEY_SHOW;
    else
        return usage(": not a command", word[0]);
    return 0;
}

static int check(const struct submit_options *o, uint32_t given)
{
    for (int i = 0; i < ROWS; i++)
        if (given & (UINT32_C(1) << i) && !(rows[i].commands & BIT(o->command)))
            return usage(" doesn't go with the other options", rows[i].name);
    bool key = o->command == SUBMIT_KEY_NEW || o->command == SUBMIT_KEY_SHOW;
    if (!key && !o->certificate)
        return usage("--certificate is missing", "");
    const char *wrong = NULL;
    if (key || o->command == SUBMIT_SIGNED_HERE)
        wrong = signer_place_wrong(&o->key, o->command == SUBMIT_KEY_NEW);
    return wrong ? usage(wrong, "") : 0;
}

static void table_fill(struct option *table)
{
    for (int i = 0; i < ROWS; i++)
        table[i] = (struct option){
            .name = rows[i].name, .has_arg = rows[i].kind == FLAG ? no_argument : required_argument, .val = OPTION_ROW + i
        };
    table[ROWS] = (struct option){ .name = "help", .val = OPTION_HELP };
    table[ROWS + 1] = (struct option){ .name = "version", .val = OPTION_VERSION };
}

bool submit_options_read(int argc, char **argv, struct submit_options *ret, int *ret_exit)
{
    struct submit_options o = { .socket = "/run/seb/agents.sock", .wait_ms = 10000, .timeout_s = 60, .key.blob = "agent" };
    struct option table[sizeof rows / sizeof rows[0] + 3] = { 0 };
    uint32_t given = 0;
    table_fill(table);
    *ret_exit = 0;
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            fputs(option == OPTION_HELP ? help : "seb-submit " PACKAGE_VERSION "\n", stdout);
            return false;
        }
        if (option == '?' || !take(&o, option - OPTION_ROW, optarg)) {
            *ret_exit = usage(option == '?' ? "an option is wrong" : "a number is out of its range", "");
            return false;
        }
        given |= UINT32_C(1) << (option - OPTION_ROW);
    }
    *ret_exit = place_command(&o, argc - optind, argv + optind);
    if (*ret_exit == 0)
        *ret_exit = check(&o, given);
    if (*ret_exit != 0)
        return false;
    *ret = o;
    return true;
}
