/* The files of src/fence/kubernetes as lines, each with its newline, and a NULL at the end. src/fence/local.mk makes them. */
#ifndef SEB_FENCE_KUBERNETES_TEXT_H
#define SEB_FENCE_KUBERNETES_TEXT_H

extern const char *const kubernetes_authentication_yaml[];
extern const char *const kubernetes_issuer_yaml[];
extern const char *const kubernetes_extra_yaml[];
extern const char *const kubernetes_groups_yaml[];
extern const char *const kubernetes_authorization_yaml[];
extern const char *const kubernetes_nowhere_yaml[];
extern const char *const kubernetes_nowhere_kubeconfig[];
extern const char *const kubernetes_fence_yaml[];

#endif
