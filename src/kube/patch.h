/* What a body makes of an object, as an API server would compute it: enough to tell what a fence will see of the change. Pure;
 * works on deep copies; nothing here is what the server itself does, which alone decides. */
#ifndef SEB_KUBE_PATCH_H
#define SEB_KUBE_PATCH_H

#include "base/json.h"
#include "kube/trouble.h"

enum patch_type {
    PATCH_NONE, /* not a patch: the body is the object */
    PATCH_MERGE,
    PATCH_JSON,
    PATCH_STRATEGIC,
    PATCH_APPLY,
};
/* "merge", "json", "strategic", "apply"; its media type. false: no such word. */
bool patch_type_named(const char *word, enum patch_type *ret, const char **ret_media_type);
bool patch_type_of(const char *media_type, enum patch_type *ret);

/* The object after it; live is NULL where there is none (apply alone takes that). manager: apply's, NULL: none. bad_value with *t
 * where the body isn't such a patch or doesn't fit the object. The caller owns *ret. */
MUST_USE result patch_apply(
    enum patch_type type, const json_t *live, const json_t *body, const char *manager, json_t **ret, struct trouble *t);

/* Each of them alone. RFC 7386. */
MUST_USE result merge_patch(const json_t *live, const json_t *patch, json_t **ret);
/* RFC 6902, all operations. */
MUST_USE result json_patch(const json_t *live, const json_t *patch, json_t **ret, struct trouble *t);
/* Lists of Kubernetes' own kinds merge by the key that their API gives them, with the directives $patch, $retainKeys,
 * $deleteFromPrimitiveList and $setElementOrder. Lists without a key are replaced. */
MUST_USE result strategic_patch(const json_t *live, const json_t *patch, json_t **ret, struct trouble *t);
/* Server-side apply: what the manager owned (metadata.managedFields), doesn't say any more and nobody else owns goes. */
MUST_USE result apply_patch(const json_t *live, const json_t *body, const char *manager, json_t **ret, struct trouble *t);

/* The member by which items of a list are told apart: "name" for containers; NULL where the list is one value. in: the list's name
 * one level up, "" for none (a container's ports have another key than a service's). */
const char *list_key(const char *list, const char *in);

#endif
