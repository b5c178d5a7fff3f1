/* Every way around a cluster's fence that we know and that can be tried without changing anything: one row each. Pure: sebctl tries
 * them (src/sebctl/fence_check.c). */
#ifndef SEB_FENCE_KUBERNETES_CHECK_H
#define SEB_FENCE_KUBERNETES_CHECK_H

#include "base/bytes.h"

enum attempt_how {
    ATTEMPT_DRY, /* the call with dryRun=All: 2xx and 409 are through */
    ATTEMPT_NOBODY, /* the call on an object that isn't there: 404 is through, too, since what guards is asked before it is looked
                       for */
    ATTEMPT_ASK, /* can't be tried without doing it: the API server is asked whether it would (SelfSubjectAccessReview) */
    ATTEMPT_AS, /* who am I, as somebody else (Impersonate-* headers): an answer is through */
};
struct attempt {
    const char *name; /* what is tried, for the report: "create a pod" */
    enum attempt_how how;
    const char *method; /* of ATTEMPT_ASK: the verb */
    const char *path; /* of ATTEMPT_ASK: GROUP/RESOURCE[/SUBRESOURCE][:NAME], in @NS@; of ATTEMPT_AS: the headers, one a line */
    const char *find; /* a collection, one object of which @NAME@ then is: without one it isn't tried. NULL: @NAME@ is of nobody */
    const char *body; /* NULL: none; of ATTEMPT_ASK: the namespace, NULL for none */
};
/* In path, find and body @NS@ is a protected namespace and @NAME@ a name. Those of `everywhere` are tried once, the others in each
 * protected namespace. Rows up to one without a name. */
extern const struct attempt attempts_in_namespace[], attempts_everywhere[];
/* A patch's media type where the method is PATCH: apply's where the path names a field manager. JSON else. */
const char *attempt_media_type(const struct attempt *a);
/* text with @NS@ and @NAME@ put in, and a NUL. */
MUST_USE result attempt_fill(const char *text, const char *space, const char *name, struct buf *out);

/* Whose refusal it is, as its words tell. */
enum attempt_refusal { REFUSED_BY_POLICY, REFUSED_BY_GUARD, REFUSED_OTHERWISE };
enum attempt_refusal attempt_refused_by(const char *message);

#endif
