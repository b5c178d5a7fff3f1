/* sebctl fence kubernetes --check, in two files: fence_check.c tries the attempts that are known by name, fence_check_kinds.c looks
 * at the fence's own parts, and tries every kind that the cluster serves. */
#ifndef SEB_SEBCTL_FENCE_CHECK_H
#define SEB_SEBCTL_FENCE_CHECK_H

#include "fence/kubernetes_check.h"
#include "kube/client.h"

enum verdict { THROUGH, BY_POLICY, BY_GUARD, OTHERWISE, NOT_TRIED, VERDICTS };
struct checking {
    struct kube *kube;
    char nobody[40]; /* a name that no object has */
    unsigned count[VERDICTS], missing; /* missing: parts of the fence that aren't there, or aren't as they must be */
    struct trouble trouble;
};

/* Each says what it finds on stdout, and counts it. */
void check_parts(struct checking *c);
void check_try(struct checking *c, const struct attempt *a, const char *space); /* of ATTEMPT_DRY and ATTEMPT_NOBODY */
MUST_USE result check_kinds(struct checking *c, const char *space); /* one object of each kind in the namespace */
MUST_USE result check_cluster_kind(
    struct checking *c, const char *word); /* of this kind, which has no namespaces: usage where it has */
/* One object of the attempt's collection, into name; false where there is none to try it on. */
bool check_find(struct checking *c, const struct attempt *a, const char *space, char *name, size_t room);
const char *check_text(const json_t *o, const char *object, const char *name); /* o.object.name; "" where it is no text */

#endif
