/* Strict YAML by libyaml, as kubeconfig files are written in it: one document of mappings with plain keys, sequences and scalars.
 * No anchors and aliases (a few lines of them are gigabytes), no tags, no key twice. */
#ifndef SEB_KUBE_YAML_H
#define SEB_KUBE_YAML_H

#include "base/json.h"
#include "kube/trouble.h"

#define YAML_BYTES_MAX (1u << 20)
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 65536

/* The document as JSON values, of which the caller owns the root. Plain true, false, null, ~ and nothing at all are JSON's; every
 * other scalar is a string, numbers too: what they mean is the reader's to know. bad_yaml, duplicate_member, too_deep, too_long
 * (bytes or nodes), bad_utf8, with the line in *t. */
MUST_USE result yaml_read(struct span text, json_t **ret, struct trouble *t);

#endif
