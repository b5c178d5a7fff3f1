/* What makes a Kubernetes cluster (1.34 and later) hold a kubernetes target's calls to what the broker's credentials say, and
 * refuse everybody else: docs/decisions/0014-kubernetes-fence.md. Pure: words in, text out. */
#ifndef SEB_FENCE_KUBERNETES_H
#define SEB_FENCE_KUBERNETES_H

#include "base/pubkey.h"
#include "config/config.h"

#define FENCE_KUBERNETES_TEXT_MAX (512 * 1024)
#define FENCE_KUBERNETES_KEYS_MAX 32 /* the API server takes 64 issuers */
#define FENCE_KUBERNETES_LIST_MAX 64
#define FENCE_KUBERNETES_WORD_MAX 512

struct fence_kubernetes_list {
    const char *text[FENCE_KUBERNETES_LIST_MAX];
    unsigned n;
};
struct fence_kubernetes_args {
    const struct config *config;
    const struct config_target *target; /* of kind kubernetes */
    const struct pubkey *const *keys; /* mint keys, 1 to FENCE_KUBERNETES_KEYS_MAX, ES256: an issuer each */
    unsigned keys_n;
    struct fence_kubernetes_list namespaces; /* protected, 1 at least; seb-system always is */
    struct fence_kubernetes_list cluster_kinds; /* protected too: RESOURCE.GROUP, or RESOURCE of the core group */
    struct fence_kubernetes_list exempt; /* USER=OPERATION[,OPERATION...]:RESOURCE[.GROUP][/SUBRESOURCE][:NAME] */
    const char *break_glass; /* group that passes, and is named in the audit log; NULL: nobody does */
    const char *directory; /* where authorization.yaml and nowhere.kubeconfig lie at the API server: an absolute path */
    const char *discovery_url; /* where the API server finds the discovery documents, if not at the issuers; NULL */
    const char *discovery_ca; /* PEM certificates that it verifies that server by; NULL: the machine's */
};
/* All words fit: each is of characters that mean nothing but themselves where it is written. no_config, with *ret_where. The
 * functions below expect that. */
MUST_USE result fence_kubernetes_check(const struct fence_kubernetes_args *a, const char **ret_where);
MUST_USE result fence_kubernetes_authentication(const struct fence_kubernetes_args *a, struct buf *out);
MUST_USE result fence_kubernetes_authorization(const struct fence_kubernetes_args *a, struct buf *out);
MUST_USE result fence_kubernetes_nowhere(struct buf *out); /* the kubeconfig of the guards */
MUST_USE result fence_kubernetes_fence(const struct fence_kubernetes_args *a, struct buf *out);
/* Of one key's issuer: OpenID Connect Discovery 1.0, section 3, and RFC 7517, section 5; JSON. */
MUST_USE result fence_kubernetes_discovery(const struct fence_kubernetes_args *a, const struct pubkey *key, struct buf *out);
MUST_USE result fence_kubernetes_jwks(const struct pubkey *key, struct buf *out);

#endif
