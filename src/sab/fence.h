/* sab fence, by kind of fence. What is trusted, and why, is the same for all of them (fence.c, fence_trust.c). */
#ifndef SEB_SAB_FENCE_H
#define SEB_SAB_FENCE_H

#include "base/digest.h"
#include "sab/fence_trust.h"

enum fence_action { FENCE_LIST, FENCE_ALLOW, FENCE_RETIRE };
struct fence_kind;
struct fence_order {
    const struct fence_kind *kind;
    enum fence_action action;
    const char *kid; /* NULL for list */
    struct digest digest; /* kid, read */
    const char *socket, *map; /* HAProxy's, both or neither */
    const char *kubeconfig, *context; /* a cluster's; context NULL: the file's own */
    bool unattested;
    struct fence_trust_args trust; /* its files */
};
/* Says on stderr what went wrong; EXIT_FAILURE. */
int fence_say(const char *what, result r);

/* A kind of fence, one file each. list and change print what holds now, and return the exit code. */
struct fence_kind {
    /* Before an allow: what lies beside the fence under the key's name. proved: the key, by the evidence; NULL without. NULL:
     * nothing. */
    result (*settle)(const struct fence_order *o, const struct pubkey *proved);
    int (*change)(const struct fence_order *o);
    int (*list)(const struct fence_order *o);
};
extern const struct fence_kind sab_fence_haproxy, sab_fence_kubernetes;
bool fence_map_is_plain(const char *path); /* can be named to HAProxy's runtime API */

#endif
