#include "config.h"

#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"

#define EXIT_USAGE 2
#define LOCK_WAIT_MS 3000

struct options {
    const char *config, *libexec;
    bool check;
};

static const char help[] =
    "usage: sebd [--config FILE] [--libexec DIR]\n"
    "       sebd --check-config [--config FILE]\n"
    "\n"
    "The Sovereign Execution Broker: executes certified mutations under identities that hardware keys mint.\n"
    "It stays in the foreground and logs to standard error; SIGTERM or SIGINT stops it.\n"
    "\n"
    "  --config FILE    configuration, sebd.json(5); default " SEB_SYSCONFDIR "/seb/sebd.json\n"
    "  --check-config   read the configuration, say what is wrong, do nothing else\n"
    "  --libexec DIR    where the broker's processes' programs are; default " SEB_LIBEXECDIR "\n"
    "  --foreground     the default, and the only way\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 stopped in order, 1 refused or failed, 2 usage.\n";

/* Says how the program ends, or -1: it goes on. */
static int read_options(int argc, char **argv, struct options *o)
{
    enum { CONFIG = 1, CHECK, LIBEXEC, FOREGROUND, HELP, VERSION_ };
    static const struct option known[] = {
        { "config", required_argument, NULL, CONFIG },
        { "check-config", no_argument, NULL, CHECK },
        { "libexec", required_argument, NULL, LIBEXEC },
        { "foreground", no_argument, NULL, FOREGROUND },
        { "help", no_argument, NULL, HELP },
        { "version", no_argument, NULL, VERSION_ },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case CONFIG:
            o->config = optarg;
            break;
        case CHECK:
            o->check = true;
            break;
        case LIBEXEC:
            o->libexec = optarg;
            break;
        case FOREGROUND:
            break;
        case HELP:
            return fputs(help, stdout) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
        case VERSION_:
            return puts("sebd (" PACKAGE_NAME ") " PACKAGE_VERSION) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    if (optind < argc) {
        fprintf(stderr, "sebd: usage: no such argument: %s\n", argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

static result load(const char *path, struct supervisor *s)
{
    AUTO_BUF text = BUF(CONFIG_MAX);
    const char *where = "";
    result r = config_load(path, &s->config, &where);
    if (!is_ok(r)) {
        log_line(LOG_ERROR, "%s: %s", path, where);
        return r;
    }
    TRY(file_read(path, CONFIG_MAX, &text));
    TRY(config_canonical(buf_span(&text), &s->config_text));
    /* Read twice: what the processes get must be what was checked. */
    struct digest given = sha256(buf_span(&s->config_text));
    return digest_equal(&given, &s->config->digest) ? OK : fail(E_no_config);
}

static result block_signals(struct supervisor *s)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGHUP);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR || sigprocmask(SIG_BLOCK, &wanted, NULL) != 0)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    s->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0 ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* Standard descriptors that are closed would be taken by the next open, and handed on as something else. */
static result fill_standard_fds(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return OK;
}

static result serve(struct supervisor *s, const struct options *o, bool *ret_orderly)
{
    const char *where = NULL;
    result r = place_make(s->config, &where);
    if (!is_ok(r)) {
        log_line(LOG_ERROR, "%s", where);
        return r;
    }
    TRY(place_lock(s->config, LOCK_WAIT_MS, &s->lock));
    TRY(block_signals(s));
    TRY(spawn_measure(s, o->libexec));
    TRY(spawn_all(s));
    return supervisor_run(s, ret_orderly);
}

int main(int argc, char **argv)
{
    struct supervisor s = { .config_text = BUF(CONFIG_MAX), .lock = -1, .signals = -1 };
    struct options o = { .config = SEB_SYSCONFDIR "/seb/sebd.json", .libexec = SEB_LIBEXECDIR };
    bool orderly = false;
    log_program("sebd");
    result r = fill_standard_fds();
    if (!is_ok(r))
        return EXIT_FAILURE; /* there is nowhere to say it */
    int end = read_options(argc, argv, &o);
    if (end >= 0)
        return end;
    r = process_harden();
    if (is_ok(r))
        r = load(o.config, &s);
    if (is_ok(r) && o.check) {
        char text[DIGEST_TEXT + 1];
        orderly = printf("%s: well-formed, digest %s\n", o.config, digest_text(&s.config->digest, text)) > 0 && !fflush(stdout);
    } else if (is_ok(r)) {
        r = serve(&s, &o, &orderly);
    }
    if (!is_ok(r))
        log_result(LOG_ERROR, "failed", r);
    config_free(s.config);
    buf_free(&s.config_text);
    return is_ok(r) && orderly ? EXIT_SUCCESS : EXIT_FAILURE;
}
