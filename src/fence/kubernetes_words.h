/* What the command line names for a cluster's fence, held to its form and printed as lists. For src/fence/kubernetes*.c. */
#ifndef SEB_FENCE_KUBERNETES_WORDS_H
#define SEB_FENCE_KUBERNETES_WORDS_H

#include "fence/kubernetes.h"

#define SYSTEM_NAMESPACE "seb-system" /* where the allowed keys are; always protected */
#define KUBE_SYSTEM "kube-system" /* where the controllers' identities are */

/* RESOURCE.GROUP; group is empty for the core one. */
struct kind_word {
    struct span resource, group;
};
bool kind_word_read(struct span s, struct kind_word *ret);
/* USER=OPERATION[,OPERATION...]:KIND, where KIND is as the policy writes it: RESOURCE[.GROUP][/SUBRESOURCE][:NAME], or *. */
struct exempt_word {
    struct span user, operations, kind;
};
bool exempt_word_read(struct span s, struct exempt_word *ret);
/* The namespace of a user that is a service account; empty where it is none. */
struct span user_namespace(struct span user);

/* A list of texts, each once, as YAML's flow style and CEL both read it: ["a", "b"]. Spans are views. */
#define SET_MAX (2 * FENCE_KUBERNETES_LIST_MAX + 8)
struct set {
    struct span word[SET_MAX];
    unsigned n;
};
void set_add(struct set *s, struct span word);
void set_add_text(struct set *s, const char *word);
void set_add_list(struct set *s, const struct fence_kubernetes_list *list);
MUST_USE result set_put(const struct set *s, struct buf *out);

#endif
