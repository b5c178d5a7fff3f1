#include <config.h>

#include "fence/haproxy.h"
#include "sebctl/fence.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define PEM_MAX 4096

const char fence_haproxy_help[] =
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
    struct fence_keys keys;
};

static result write_keys(const char *dir, const struct fence_keys *k)
{
    for (unsigned i = 0; i < k->n; i++) {
        AUTO_BUF name = BUF(128), pem = BUF(PEM_MAX);
        TRY(fence_key_file(k->key[i], &name));
        TRY(buf_u8(&name, 0));
        TRY(pubkey_pem(k->key[i], &pem));
        TRY(fence_write(dir, (const char *)name.p, buf_span(&pem), 0644, true));
    }
    return OK;
}

/* Nobody may mint until the revocation authority says so: which key is the broker's isn't the broker's word to give. And a key that
 * was retired stays so, however often the fence is written. */
static result write_map(const char *dir)
{
    result r = fence_write(dir, FENCE_MAP_FILE, span_text(""), 0600, false);
    if (code_of(r) != E_exists)
        return r;
    fprintf(stderr, "sebctl fence: %s/%s is there and stays as it is: sab fence says which keys may mint\n", dir, FENCE_MAP_FILE);
    return OK;
}

static result write_all(const char *dir, const struct fence_keys *k, struct span text)
{
    TRY(fence_directory(dir));
    TRY(write_keys(dir, k));
    TRY(write_map(dir));
    return fence_write(dir, "haproxy.cfg", text, 0644, true);
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
            TRY(fence_keys_add(&o->keys, optarg));
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
            fputs(fence_haproxy_help, stdout);
            exit(EXIT_SUCCESS);
        default:
            return fail(E_usage);
        }
    }
    return optind == argc && o->target ? OK : fail(E_usage);
}

static int run(struct options *o)
{
    AUTO_FENCE_CONFIG *config = NULL;
    AUTO_BUF text = BUF(FENCE_TEXT_MAX);
    const char *where = NULL;
    result r = config_load(o->config, &config, &where);
    if (!is_ok(r))
        return fence_say(o->config, r, where);
    const struct config_target *target = config_target_named(config, o->target);
    if (!target)
        return fence_say(o->target, fail(E_target_unknown), NULL);
    r = fence_keys_read(&o->keys, config);
    if (!is_ok(r))
        return fence_say("mint keys", r, NULL);
    const struct fence_haproxy_args args = {
        .config = config,
        .target = target,
        .keys = (const struct pubkey *const *)o->keys.key,
        .keys_n = o->keys.n,
        .rate = o->rate,
    };
    r = fence_haproxy(&args, &text, &where);
    if (!is_ok(r))
        return fence_say(o->target, r, where);
    if (o->write)
        r = write_all(o->write, &o->keys, buf_span(&text));
    else
        r = fence_print(buf_span(&text));
    return is_ok(r) ? EXIT_SUCCESS : fence_say(o->write ? o->write : "standard output", r, NULL);
}

int fence_haproxy_main(int argc, char **argv)
{
    struct options o = { .config = SEB_SYSCONFDIR "/seb/sebd.json", .rate = 2000 };
    result r = options_read(argc, argv, &o);
    if (!is_ok(r)) {
        fputs(fence_haproxy_help, stderr);
        return FENCE_EXIT_USAGE;
    }
    int end = run(&o);
    fence_keys_free(&o.keys);
    return end;
}
