/* What the kinds of sebctl fence share: fence_<kind>.c each. */
#ifndef SEB_SEBCTL_FENCE_H
#define SEB_SEBCTL_FENCE_H

#include "base/pubkey.h"
#include "config/config.h"

#define FENCE_EXIT_USAGE 2
#define FENCE_KEYS 32

/* The public mint keys that a fence knows. Zeroed: none. */
struct fence_keys {
    const char *word[FENCE_KEYS]; /* KID=PEM, from the command line */
    unsigned words;
    struct pubkey *key[FENCE_KEYS]; /* held */
    unsigned n;
};
void fence_keys_free(struct fence_keys *k);
#define AUTO_FENCE_KEYS __attribute__((cleanup(fence_keys_free))) struct fence_keys
MUST_USE result fence_keys_add(struct fence_keys *k, const char *word); /* usage where there are too many */
/* Reads the named PEM files; where none is named, the instance's mint key. A name that isn't its key's own thumbprint is
 * key_mismatch. */
MUST_USE result fence_keys_read(struct fence_keys *k, const struct config *c);

/* "sebctl fence: WHAT: WHERE: why"; returns the exit code. */
int fence_say(const char *what, result r, const char *where);
/* Makes the folder where it isn't there; 0755. */
MUST_USE result fence_directory(const char *path);
MUST_USE result fence_write(const char *dir, const char *name, struct span text, unsigned mode, bool replace);
MUST_USE result fence_print(struct span text); /* to standard output, flushed */
void fence_config_free(struct config **c);
#define AUTO_FENCE_CONFIG __attribute__((cleanup(fence_config_free))) struct config

/* Each takes the words after "sebctl fence" (argv[0] is the kind) and returns the exit code. */
int fence_haproxy_main(int argc, char **argv);
int fence_kubernetes_main(int argc, char **argv);
extern const char fence_haproxy_help[], fence_kubernetes_help[];

#endif
