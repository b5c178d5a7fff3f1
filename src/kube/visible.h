/* What of a change to an object a cluster's fence sees (docs/kubernetes.md), and so what a contract must say of it in
 * parameters.fields. The same places as the policies of `sebctl fence kubernetes` look at (src/fence/kubernetes/fence.yaml): of
 * what is created, replicas, images, subjects and roles, the data of config maps, the first level of a custom resource's spec; of
 * what is changed, all that can be told apart. Pure. */
#ifndef SEB_KUBE_VISIBLE_H
#define SEB_KUBE_VISIBLE_H

#include "base/json.h"
#include "kube/trouble.h"

struct visible_kind {
    const char *group, *resource, *subresource; /* group "" for the core's; subresource NULL for none */
};
/* Appends to list one field ({"pointer","value"}, or {"pointer","absent"}) for each plain value that differs between the two where
 * the fence looks, in the order of pointers. before NULL: the object is created. bad_value or too_long with *t: a value that no
 * contract can carry (a real number, a pointer of more than POINTER_MAX bytes). */
MUST_USE result visible_changes(
    const struct visible_kind *k, const json_t *before, const json_t *after, json_t *list, struct trouble *t);

/* What the API server puts in before its fence looks, where the object leaves it out. Changes object. */
MUST_USE result visible_defaults(const struct visible_kind *k, json_t *object);

/* The same of a custom resource's spec, by the schema of its definition in that version: defaults that are put in, and members that
 * it doesn't know, which are dropped. Without such a schema nothing changes. */
MUST_USE result visible_custom(const json_t *definition, const char *version, json_t *object);

/* Where a pod's specification lies in what makes pods, as a pointer; NULL: it makes none. The lists in there, up to NULL. */
const char *visible_pod_of(const char *group, const char *resource);
extern const char *const visible_containers[];

#endif
