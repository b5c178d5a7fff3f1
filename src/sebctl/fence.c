#include <config.h>

#include "sebctl/fence.h"

#include "sebctl/sebctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PEM_MAX 4096
#define PATH_ROOM 4096
#define MINT_KEY 2 /* struct instance's order */

void fence_keys_free(struct fence_keys *k)
{
    for (unsigned i = 0; i < k->n; i++)
        pubkey_free(k->key[i]);
}

void fence_config_free(struct config **c)
{
    config_free(*c);
}

int fence_say(const char *what, result r, const char *where)
{
    char text[256];
    fprintf(stderr, "sebctl fence: %s%s%s: %s\n", what, where ? ": " : "", where ? where : "", result_text(r, text, sizeof text));
    return code_of(r) == E_usage ? FENCE_EXIT_USAGE : EXIT_FAILURE;
}

result fence_keys_add(struct fence_keys *k, const char *word)
{
    if (k->words == FENCE_KEYS)
        return fail(E_usage);
    k->word[k->words++] = word;
    return OK;
}

/* KID=PEM: a name that isn't the key's own thumbprint would let one key pass under another's revocation. */
static result key_read(const char *word, struct fence_keys *k)
{
    AUTO_BUF path = BUF(PATH_ROOM), pem = BUF(PEM_MAX);
    struct span s = span_text(word);
    struct digest kid;
    size_t equals = span_find(s, 0, '=');
    if (equals == s.n || k->n == FENCE_KEYS)
        return fail(E_usage);
    TRY(digest_read(span_part(s, 0, equals), &kid));
    TRY(buf_put(&path, span_part(s, equals + 1, s.n)));
    TRY(buf_u8(&path, 0));
    TRY(file_read((const char *)path.p, PEM_MAX, &pem));
    TRY(pubkey_from_pem(buf_span(&pem), &k->key[k->n]));
    k->n++;
    return digest_equal(pubkey_thumbprint(k->key[k->n - 1]), &kid) ? OK : fail(E_key_mismatch);
}

result fence_keys_read(struct fence_keys *k, const struct config *c)
{
    for (unsigned i = 0; i < k->words; i++)
        TRY(key_read(k->word[i], k));
    if (k->n)
        return OK;
    struct instance instance;
    TRY(instance_load(c, &instance));
    k->key[k->n++] = pubkey_hold(instance.key[MINT_KEY]);
    instance_free(&instance);
    return OK;
}

result fence_directory(const char *path)
{
    if (mkdir(path, 0755) && errno != EEXIST)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return OK;
}

result fence_write(const char *dir, const char *name, struct span text, unsigned mode, bool replace)
{
    AUTO_BUF path = BUF(PATH_ROOM);
    TRY(buf_printf(&path, "%s/%s", dir, name));
    TRY(buf_u8(&path, 0));
    return file_write((const char *)path.p, text, mode, replace);
}

result fence_print(struct span text)
{
    if (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout))
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return OK;
}

static const struct kind {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} kinds[] = {
    { "haproxy", fence_haproxy_main, fence_haproxy_help },
    { "kubernetes", fence_kubernetes_main, fence_kubernetes_help },
};

static void print_help(FILE *to)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        fprintf(to, "%s%s", i ? "\n" : "", kinds[i].help);
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
    struct span word = span_text(argc > 1 ? argv[1] : "");
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(word, kinds[i].name))
            return kinds[i].run(argc - 1, argv + 1);
    bool asked = span_is(word, "--help");
    print_help(asked ? stdout : stderr);
    return asked ? EXIT_SUCCESS : FENCE_EXIT_USAGE;
}
