/* Which resource of a cluster a word names, by the API server's own discovery documents: any group, version and resource, custom
 * ones too. And the path of an object of it. */
#ifndef SEB_KUBE_DISCOVER_H
#define SEB_KUBE_DISCOVER_H

#include "kube/client.h"

struct kube_resource {
    char group[254]; /* "" for the core group */
    char version[64], resource[64], kind[64];
    bool namespaced;
};
/* word: a resource's plural, singular or short name or its kind in any case, alone, or followed by ".<group>", by
 * ".<version>.<group>", or for the core group by ".<version>": deploy, Deployment, deployments.apps, deployments.v1.apps, pods.v1.
 * Without a version it is the group's preferred one; without a group the core group comes first, then the order of the API server.
 * subresource: one that it must have, or NULL. not_found with *t; kube_get's. */
MUST_USE result kube_discover(
    struct kube *k, const char *word, const char *subresource, struct kube_resource *ret, struct trouble *t);
/* Every resource that the cluster serves, in its group's preferred version, with what can be done to it (a list of Kubernetes'
 * verbs). Groups that can't be asked are passed over. */
typedef void kube_each_fn(void *context, const struct kube_resource *r, const json_t *verbs);
MUST_USE result kube_each(struct kube *k, kube_each_fn *each, void *context, struct trouble *t);
/* "/apis/apps/v1/namespaces/prod/deployments/web/scale", appended without a NUL. name NULL: of the collection. subresource NULL:
 * none. bad_value: a namespace or name that can't stand in a path, or a namespace of what has none, or none where there must be
 * one. */
MUST_USE result kube_path(
    const struct kube_resource *r, const char *space, const char *name, const char *subresource, struct buf *out);

#endif
