#include <config.h>

#include "fence/haproxy.h"
#include "sebctl/sebctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PEM_MAX 4096
#define EXIT_USAGE 2

static const char help[] =
    "usage: sebctl fence haproxy --target NAME [--keys KID=PEM]... [--rate N] [--write DIR] [--config FILE]\n"
    "Prints the HAProxy configuration that makes the target refuse every call but the broker's, or writes it into DIR as\n"
    "haproxy.cfg, with mint-KID.pem for each key, and an empty kids.map where there is none yet. That allows no key: who may\n"
    "mint is the revocation authority's to say (sab fence allow), so a map that is there is left as it is.\n"
    "  --target NAME   an http target of the configuration, with a fence\n"
    "  --keys KID=PEM  a public mint key, PEM file; without any, the instance's mint key\n"
    "  --rate N        mutations a second that the fence must remember (2000)\n"
    "  --write DIR     where to write; lies at the fence as the configuration's fence.directory\n"
    "  --config FILE   " SEB_SYSCONFDIR "/seb/sebd.json\n"
    "Exit codes: 0 done, 1 failed, 2 the command line is wrong.\n";

struct options {
    const char *config, *target, *write;
    int64_t rate;
    const char *keys[FENCE_KEYS_MAX];
    unsigned keys_n;
};
struct keys {
    struct pubkey *key[FENCE_KEYS_MAX];
    unsigned n;
};

static void keys_free(struct keys *k)
{
    for (unsigned i = 0; i < k->n; i++)
        pubkey_free(k->key[i]);
}
#define AUTO_KEYS __attribute__((cleanup(keys_free))) struct keys
static void config_free_pointer(struct config **c)
{
    config_free(*c);
}

static int say(const char *what, result r, const char *where)
{
    char text[256];
    fprintf(stderr, "sebctl fence: %s%s%s: %s\n", what, where ? ": " : "", where ? where : "", result_text(r, text, sizeof text));
    return code_of(r) == E_usage ? EXIT_USAGE : EXIT_FAILURE;
}

/* KID=PEM: a name that isn't the key's own thumbprint would let one key pass under another's revocation. */
static result key_read(const char *word, struct keys *k)
{
    AUTO_BUF path = BUF(4096), pem = BUF(PEM_MAX);
    struct span s = span_text(word);
    struct digest kid;
    size_t equals = span_find(s, 0, '=');
    if (equals == s.n || k->n == FENCE_KEYS_MAX)
        return fail(E_usage);
    TRY(digest_read(span_part(s, 0, equals), &kid));
    TRY(buf_put(&path, span_part(s, equals + 1, s.n)));
    TRY(buf_u8(&path, 0));
    TRY(file_read((const char *)path.p, PEM_MAX, &pem));
    TRY(pubkey_from_pem(buf_span(&pem), &k->key[k->n]));
    k->n++;
    return digest_equal(pubkey_thumbprint(k->key[k->n - 1]), &kid) ? OK : fail(E_key_mismatch);
}

static result keys_read(const struct options *o, const struct config *c, struct keys *k)
{
    for (unsigned i = 0; i < o->keys_n; i++)
        TRY(key_read(o->keys[i], k));
    if (k->n)
        return OK;
    struct instance instance;
    TRY(instance_load(c, &instance));
    k->key[k->n++] = pubkey_hold(instance.key[2]);
    instance_free(&instance);
    return OK;
}

static result path_in(const char *dir, struct span name, struct buf *out)
{
    buf_clear(out);
    TRY(buf_printf(out, "%s/", dir));
    TRY(buf_put(out, name));
    return buf_u8(out, 0);
}

static result write_keys(const char *dir, const struct keys *k)
{
    AUTO_BUF path = BUF(4096);
    for (unsigned i = 0; i < k->n; i++) {
        AUTO_BUF name = BUF(128), pem = BUF(PEM_MAX);
        TRY(fence_key_file(k->key[i], &name));
        TRY(path_in(dir, buf_span(&name), &path));
        TRY(pubkey_pem(k->key[i], &pem));
        TRY(file_write((const char *)path.p, buf_span(&pem), 0644, true));
    }
    return OK;
}

/* Nobody may mint until the revocation authority says so: which key is the broker's isn't the broker's word to give. And a key that
 * was retired stays so, however often the fence is written. */
static result write_map(const char *dir)
{
    AUTO_BUF path = BUF(4096);
    TRY(path_in(dir, span_text(FENCE_MAP_FILE), &path));
    result r = file_write((const char *)path.p, span_text(""), 0600, false);
    if (code_of(r) != E_exists)
        return r;
    fprintf(stderr, "sebctl fence: %s is there and stays as it is: sab fence says which keys may mint\n", (const char *)path.p);
    return OK;
}

static result write_all(const char *dir, const struct keys *k, struct span text)
{
    AUTO_BUF path = BUF(4096);
    if (mkdir(dir, 0755) && errno != EEXIST)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    TRY(write_keys(dir, k));
    TRY(write_map(dir));
    TRY(path_in(dir, span_text("haproxy.cfg"), &path));
    return file_write((const char *)path.p, text, 0644, true);
}

static result keys_option(const char *word, struct options *o)
{
    if (o->keys_n == FENCE_KEYS_MAX)
        return fail(E_usage);
    o->keys[o->keys_n++] = word;
    return OK;
}

static result rate_option(const char *text, int64_t *ret)
{
    char *end;
    long long n = strtoll(text, &end, 10);
    if (*end || n < 1 || n > FENCE_RATE_MAX)
        return fail(E_usage);
    *ret = n;
    return OK;
}

static result options_read(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        { "target", required_argument, NULL, 't' },
        { "keys", required_argument, NULL, 'k' },
        { "rate", required_argument, NULL, 'r' },
        { "write", required_argument, NULL, 'w' },
        { "config", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    optind = 0; /* the caller's own options were read with it */
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 't':
            o->target = optarg;
            break;
        case 'k':
            TRY(keys_option(optarg, o));
            break;
        case 'r':
            TRY(rate_option(optarg, &o->rate));
            break;
        case 'w':
            o->write = optarg;
            break;
        case 'c':
            o->config = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            return fail(E_usage);
        }
    }
    bool one = optind == argc - 1 && span_is(span_text(argv[optind]), "haproxy");
    return one && o->target ? OK : fail(E_usage);
}

/* Whether a word is among the arguments. */
static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (span_is(span_text(argv[i]), word))
            return true;
    return false;
}

int sebctl_fence(int argc, char **argv)
{
    if (has_word(argc, argv, "--check") && has_word(argc, argv, "kubernetes"))
        return sebctl_fence_check(argc, argv);
    struct options o = { .config = SEB_SYSCONFDIR "/seb/sebd.json", .rate = 2000 };
    __attribute__((cleanup(config_free_pointer))) struct config *config = NULL;
    AUTO_KEYS keys = { .n = 0 };
    AUTO_BUF text = BUF(FENCE_TEXT_MAX);
    const char *where = NULL;
    result r = options_read(argc, argv, &o);
    if (!is_ok(r)) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    r = config_load(o.config, &config, &where);
    if (!is_ok(r))
        return say(o.config, r, where);
    const struct config_target *target = config_target_named(config, o.target);
    if (!target)
        return say(o.target, fail(E_target_unknown), NULL);
    r = keys_read(&o, config, &keys);
    if (!is_ok(r))
        return say("mint keys", r, NULL);
    const struct fence_haproxy_args args = {
        .config = config,
        .target = target,
        .keys = (const struct pubkey *const *)keys.key,
        .keys_n = keys.n,
        .rate = o.rate,
    };
    r = fence_haproxy(&args, &text, &where);
    if (!is_ok(r))
        return say(o.target, r, where);
    if (o.write)
        r = write_all(o.write, &keys, buf_span(&text));
    else if (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout))
        r = fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return is_ok(r) ? EXIT_SUCCESS : say(o.write ? o.write : "standard output", r, NULL);
}
