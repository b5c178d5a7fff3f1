/* Which values of an object a cluster's fence sees (docs/kubernetes.md, "What the fence sees"), and so what a contract must say of
 * a change in its parameters.fields: replicas, images, subjects and roles, the data of config maps, and the first level of a custom
 * resource's spec. The same rows as the policies of `sebctl fence kubernetes` have. Pure. */
#ifndef SEB_KUBE_VISIBLE_H
#define SEB_KUBE_VISIBLE_H

#include "base/json.h"
#include "kube/trouble.h"

/* Appends to list one field ({"pointer","value"}, or {"pointer","absent"}) for each such value that differs between the two, in the
 * order of pointers. before NULL: the object is created. bad_value with *t: a value that no contract can carry (a real number). */
MUST_USE result visible_changes(
    const char *group, const char *resource, const json_t *before, const json_t *after, json_t *list, struct trouble *t);

/* What the API server puts in before its fence looks: a workload's replicas, the API groups of a role binding. Changes object. */
MUST_USE result visible_defaults(const char *group, const char *resource, json_t *object);

/* The same of a custom resource's spec, by the schema of its definition in that version: first-level defaults that are put in, and
 * members that it doesn't know, which are dropped. Without such a schema nothing changes. */
MUST_USE result visible_custom(const json_t *definition, const char *version, json_t *object);

#endif
