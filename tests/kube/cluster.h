/* Direct calls to an API server, past the broker: what an administrator, a client of the usual way, or a thief does. libcurl at its
 * plainest, one kept connection a handle, one thread a handle. For tests and the bench alone. */
#ifndef SEB_TESTS_KUBE_CLUSTER_H
#define SEB_TESTS_KUBE_CLUSTER_H

#include "base/json.h"

struct cluster_args {
    const char *server; /* https://host:port */
    const char *ca; /* PEM files */
    const char *certificate, *key; /* NULL: none; then each call brings a token */
};
struct cluster; /* opaque */
struct cluster *cluster_open(const struct cluster_args *a);
void cluster_close(struct cluster *c);

struct cluster_call {
    const char *method, *path; /* path: from its first '/' */
    const char *media_type; /* NULL without a body */
    struct span body;
    const char *token; /* NULL: the certificate speaks */
};
/* The HTTP status; the answer's JSON in *ret, the caller's, unless ret is NULL. What isn't answered ends the program. */
long cluster_ask(struct cluster *c, const struct cluster_call *call, json_t **ret);
/* metadata.resourceVersion as the number that it is in etcd: later writes have larger ones. */
int64_t cluster_version(const json_t *object);

#endif
