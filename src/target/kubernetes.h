/* What the files of this kind share. For src/target/kubernetes*.c alone. */
#ifndef SEB_TARGET_KUBERNETES_H
#define SEB_TARGET_KUBERNETES_H

#include "target/kind.h"

#define KUBERNETES_NAME_MAX 253 /* DNS-1123 subdomain */
#define KUBERNETES_LABEL_MAX 63 /* DNS-1123 label */
#define KUBERNETES_TYPE "application/json"

/* An API path, as kube-apiserver's RequestInfoFactory reads it. Views; empty where there is none: the core group, a cluster-scoped
 * kind, the collection instead of one object, the object itself instead of a subresource. */
struct kubernetes_path {
    struct span group, version, ns, resource, name, subresource;
    size_t collection, object; /* the path's bytes up to the end of the collection's, and of the object's name */
};
/* An object's path, or one of its subresources'; false where it is none. */
bool kubernetes_path_read(struct span path, struct kubernetes_path *ret);
/* A collection's: where a new object is posted to. */
bool kubernetes_path_collection(struct span path, struct kubernetes_path *ret);
/* Whether it is connected to, or gives away identities, rather than being a part of an object: never called, not even with GET. */
bool kubernetes_path_acts(const struct kubernetes_path *p);
bool kubernetes_path_evicts(const struct kubernetes_path *p); /* pods/eviction */
bool kubernetes_path_secret(const struct kubernetes_path *p); /* the core group's secrets */
/* What is read of it: the object itself where the subresource has no GET. */
struct kubernetes_path kubernetes_path_of_read(const struct kubernetes_path *p);

/* The ways to write, one a row; `name` is what the details call it. */
struct kubernetes_form {
    const char *name, *operation, *method;
    const char *media_type; /* of the certified body; NULL: there is none */
    const char *sent_type; /* of the body as it is sent */
    bool creates, evicts, deletes; /* deletes: by DeleteOptions, which hold a uid too */
    bool manages, applies; /* takes a field manager; server-side apply */
};
const struct kubernetes_form *kubernetes_form_of(const struct target_mutation *m, const struct kubernetes_path *p); /* NULL: none */
const struct kubernetes_form *kubernetes_form_named(const char *name); /* NULL: none */

static inline unsigned kubernetes_count(const struct fields *f)
{
    return f ? f->n : 0;
}
/* A uid or resourceVersion: of the characters that names have, TARGET_VERSION_MAX at most. */
bool kubernetes_is_version(const char *text);

enum seb_code kubernetes_scope(const char *prefix, const struct target_mutation *m);
enum seb_code kubernetes_url(const char *prefix, const char *method, const char *url);
result kubernetes_plan(const char *prefix, enum call_use use, const struct target_mutation *m, struct call_plan *ret);
result kubernetes_rehearsal(const char *url, char ret[TARGET_URL_MAX + 1]);
result kubernetes_claims(enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims);
/* The claim `fields`; fields_too_long beyond TARGET_FIELDS_CLAIM_MAX, field_ambiguous, bad_value. The caller owns *ret. */
result kubernetes_fields_claim(const struct fields *f, json_t **ret);
result kubernetes_details(enum call_use use, const struct target_mutation *m, struct buf *out);
result kubernetes_compose(const json_t *details, bool rehearsal, struct span body, struct buf *out);
result kubernetes_answer(enum call_use use, const json_t *details, uint32_t status, struct span body, struct target_answer *ret);

#endif
