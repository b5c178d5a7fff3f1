/* A kubeconfig file, as kubectl reads it, narrowed to what is safe to take from one: where the API server is, whose certificates
 * vouch for it, and the operator's own credential. Of the file, the chosen context with its cluster and user alone is judged.
 *
 * Refused by name (kubeconfig_refused): plugins (exec, auth-provider), since a configuration file would start programs;
 * insecure-skip-tls-verify, tls-server-name and proxy-url, which say that it's another than it seems; passwords; impersonation. */
#ifndef SEB_KUBE_KUBECONFIG_H
#define SEB_KUBE_KUBECONFIG_H

#include "base/bytes.h"
#include "base/secret.h"
#include "kube/trouble.h"

#define KUBE_SERVER_MAX 512

struct kubeconfig { /* all owned */
    char server[KUBE_SERVER_MAX + 1]; /* https://host[:port][/path], no '/' at its end */
    char context[129], space[64]; /* the context's name; its namespace, "" for none */
    struct buf ca; /* PEM, certificates alone: who vouches for the server */
    struct buf certificate; /* PEM; empty where the user has none */
    struct secret *key; /* PEM: the operator's own, for TLS; NULL without certificate */
    struct secret *token; /* NULL: none */
};
/* context NULL: the file's current one. bad_kubeconfig, kubeconfig_refused, yaml_read's codes, or io with errno; *t says what and
 * where. A user without any credential is taken: the server then says what anybody may. */
MUST_USE result kubeconfig_read(const char *path, const char *context, struct kubeconfig *ret, struct trouble *t);
void kubeconfig_free(struct kubeconfig *c); /* wipes; accepts a zeroed one */
#define AUTO_KUBECONFIG __attribute__((cleanup(kubeconfig_free))) struct kubeconfig

/* The blocks of a PEM text that are certificates, and nothing else of it, appended. bad_kubeconfig where there is none. */
MUST_USE result pem_certificates(struct span pem, struct buf *out);

#endif
