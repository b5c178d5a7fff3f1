#include "config.h"

#include "tools/submit_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/submit_reply.h"

static const char help[] =
    "usage: seb-submit --certificate FILE --key FILE [--body FILE] [OPTION]...\n"
    "       seb-submit --certificate FILE --module PATH --token LABEL --pin-file FILE --key LABEL [--body FILE] [OPTION]...\n"
    "       seb-submit keygen [--ed25519] FILE\n"
    "       seb-submit jwk FILE\n"
    "Signs a request with the agent's key, sends it to the broker, and waits for what becomes of it.\n"
    "\n"
    "  --certificate FILE    the certificate: a JWS in JSON serialization\n"
    "  --key FILE            the agent's private key: PEM, EC P-256 or Ed25519, mode 0600\n"
    "  --module PATH, --token LABEL, --pin-file FILE\n"
    "                        the key is on this PKCS#11 token; --key is its label\n"
    "  --body FILE           the body of the mutation\n"
    "  --socket PATH         the broker's socket for agents (/run/seb/agents.sock)\n"
    "  --id ID               name of the request (random); the same id asks for the same request's outcome\n"
    "  --wait-ms N           how long the broker may take for each answer, 0 to 60000 (10000)\n"
    "  --timeout SECONDS     how long to ask while it is pending (60)\n"
    "  --record-key FILE     the broker's record key (PEM): verify the checkpoint and the records' inclusion in it\n"
    "  --request-only        print the signed request and send nothing\n"
    "  --json                print the broker's answer as it is\n"
    "  --target NAME, --operation NAME, --resource URL, --media-type TYPE, --describe-body\n"
    "                        ask for another mutation than the certificate's contract (and be refused)\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 applied; 3 refused; 4 rejected by the target, failed, not applied or still open; 5 busy, unavailable or\n"
    "pending: ask again with the same --id; 1 a local failure, or a proof that doesn't hold; 2 the command line is wrong.\n";

/* clang-format off */
enum word {
    OPTION_CERTIFICATE = 1, OPTION_KEY, OPTION_MODULE, OPTION_TOKEN, OPTION_PIN_FILE, OPTION_BODY, OPTION_SOCKET, OPTION_ID,
    OPTION_WAIT_MS, OPTION_TIMEOUT, OPTION_RECORD_KEY, OPTION_REQUEST_ONLY, OPTION_JSON, OPTION_TARGET, OPTION_OPERATION,
    OPTION_RESOURCE, OPTION_MEDIA_TYPE, OPTION_DESCRIBE_BODY, OPTION_ED25519, OPTION_HELP, OPTION_VERSION
};
/* clang-format on */

static const struct option options[] = {
    { "certificate", required_argument, NULL, OPTION_CERTIFICATE },
    { "key", required_argument, NULL, OPTION_KEY },
    { "module", required_argument, NULL, OPTION_MODULE },
    { "token", required_argument, NULL, OPTION_TOKEN },
    { "pin-file", required_argument, NULL, OPTION_PIN_FILE },
    { "body", required_argument, NULL, OPTION_BODY },
    { "socket", required_argument, NULL, OPTION_SOCKET },
    { "id", required_argument, NULL, OPTION_ID },
    { "wait-ms", required_argument, NULL, OPTION_WAIT_MS },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "record-key", required_argument, NULL, OPTION_RECORD_KEY },
    { "request-only", no_argument, NULL, OPTION_REQUEST_ONLY },
    { "json", no_argument, NULL, OPTION_JSON },
    { "target", required_argument, NULL, OPTION_TARGET },
    { "operation", required_argument, NULL, OPTION_OPERATION },
    { "resource", required_argument, NULL, OPTION_RESOURCE },
    { "media-type", required_argument, NULL, OPTION_MEDIA_TYPE },
    { "describe-body", no_argument, NULL, OPTION_DESCRIBE_BODY },
    { "ed25519", no_argument, NULL, OPTION_ED25519 },
    { "help", no_argument, NULL, OPTION_HELP },
    { "version", no_argument, NULL, OPTION_VERSION },
    { 0 },
};

static int usage(const char *what)
{
    fprintf(stderr, "seb-submit: %s: see seb-submit --help\n", what);
    return SUBMIT_USAGE;
}

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

/* Where an option's text goes; NULL for one that isn't a text. */
static const char **text_of(struct submit_options *o, int option)
{
    switch (option) {
    case OPTION_CERTIFICATE:
        return &o->certificate;
    case OPTION_KEY:
        return &o->key.key;
    case OPTION_MODULE:
        return &o->key.module;
    case OPTION_TOKEN:
        return &o->key.token;
    case OPTION_PIN_FILE:
        return &o->key.pin_file;
    case OPTION_BODY:
        return &o->body;
    case OPTION_SOCKET:
        return &o->socket;
    case OPTION_ID:
        return &o->id;
    case OPTION_RECORD_KEY:
        return &o->record_key;
    case OPTION_TARGET:
        return &o->overrides.target;
    case OPTION_OPERATION:
        return &o->overrides.operation;
    case OPTION_RESOURCE:
        return &o->overrides.resource;
    case OPTION_MEDIA_TYPE:
        return &o->overrides.media_type;
    default:
        return NULL;
    }
}

/* false: an option that isn't one, or a value that can't be. */
static bool take(struct submit_options *o, int option, const char *value)
{
    const char **text = text_of(o, option);
    if (text) {
        *text = value;
        return true;
    }
    switch (option) {
    case OPTION_WAIT_MS:
        return read_number(value, 60000, &o->wait_ms);
    case OPTION_TIMEOUT:
        return read_number(value, 86400, &o->timeout_s);
    case OPTION_REQUEST_ONLY:
        o->request_only = true;
        return true;
    case OPTION_JSON:
        o->json = true;
        return true;
    case OPTION_DESCRIBE_BODY:
        o->overrides.describe_body = true;
        return true;
    case OPTION_ED25519:
        o->alg = ALG_EDDSA;
        return true;
    default:
        return false;
    }
}

/* NULL, or what is missing. */
static const char *missing_in(const struct submit_options *o)
{
    if (!o->certificate)
        return "--certificate is missing";
    if (!o->key.key)
        return "--key is missing";
    if (o->key.module && (!o->key.token || !o->key.pin_file))
        return "--module wants --token and --pin-file";
    if (!o->key.module && (o->key.token || o->key.pin_file))
        return "--token and --pin-file want --module";
    return NULL;
}

static const char *place_command(struct submit_options *o, int argc, char **argv)
{
    if (optind == argc)
        return missing_in(o);
    if (optind + 2 != argc)
        return "too few or too many words";
    o->key.key = argv[optind + 1];
    if (span_is(span_text(argv[optind]), "keygen"))
        o->command = SUBMIT_KEYGEN;
    else if (span_is(span_text(argv[optind]), "jwk"))
        o->command = SUBMIT_JWK;
    else
        return "an unknown command";
    return NULL;
}

bool submit_options_read(int argc, char **argv, struct submit_options *ret, int *ret_exit)
{
    struct submit_options o = { .socket = "/run/seb/agents.sock", .wait_ms = 10000, .timeout_s = 60, .alg = ALG_ES256 };
    *ret_exit = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            fputs(option == OPTION_HELP ? help : "seb-submit " PACKAGE_VERSION "\n", stdout);
            return false;
        }
        if (!take(&o, option, optarg)) {
            *ret_exit = usage(option == '?' ? "an option is wrong" : "a number is out of its range");
            return false;
        }
    }
    const char *wrong = place_command(&o, argc, argv);
    if (wrong) {
        *ret_exit = usage(wrong);
        return false;
    }
    *ret = o;
    return true;
}
