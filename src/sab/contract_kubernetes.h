/* A contract over one object of a cluster, from the object as it is and the body that is to be written. */
#ifndef SEB_SAB_CONTRACT_KUBERNETES_H
#define SEB_SAB_CONTRACT_KUBERNETES_H

#include "kube/discover.h"
#include "kube/patch.h"

#define PINNED_MAX 32

enum kube_operation { KUBE_CREATE, KUBE_UPDATE, KUBE_PATCH, KUBE_DELETE };

struct kube_proposal {
    const char *target, *risk, *operation_name, *resource; /* resource: the API path */
    enum kube_operation operation;
    struct kube_resource kind;
    const char *name, *space, *subresource; /* NULL: none */
    const json_t *live; /* NULL: the object isn't there */
    const json_t *custom; /* its CustomResourceDefinition; NULL: it isn't of one, or who asks mustn't read it */
    const char *media_type; /* of the body; NULL: no body */
    enum patch_type type;
    struct span body;
    bool pin_uid, pin_version;
    const char *field[PINNED_MAX]; /* pointers: what is there now must still be there */
    unsigned fields_n;
    const char *manager, *propagation; /* NULL: none */
    bool force, dry_run, postconditions; /* postconditions: a dry run must give what the fields say */
    int64_t grace_s; /* -1: none */
    int64_t credential_s;
};
/* The contract. exists, not_found (there is an object where none must be, or none where one must), body_mismatch (the body is of
 * another object), bad_value, bad_json, too_long: with *t. *ret_seen: how many values of the change a fence sees. The caller owns
 * *ret. */
MUST_USE result contract_compose(const struct kube_proposal *p, json_t **ret, unsigned *ret_seen, struct trouble *t);

#endif
