/* A Kubernetes API server, asked one thing at a time by an operator's or authority's tool: blocking HTTPS, HTTP/2 where the server
 * has it, TLS 1.2 or newer, vouched for by the kubeconfig's CA alone, no proxy, no redirect. The credential is the operator's own,
 * of the kubeconfig. No process of the broker links this: those call targets through src/target/call.c, which takes no client key.
 *
 * A call that fails isn't made again, but on a kept connection that turned out dead libcurl may repeat what it had not sent whole.
 */
#ifndef SEB_KUBE_CLIENT_H
#define SEB_KUBE_CLIENT_H

#include "base/json.h"
#include "kube/kubeconfig.h"

#define KUBE_ANSWER_MAX (16u << 20)
#define KUBE_TIMEOUT_MS 30000L

struct kube; /* opaque; one thread */
/* What c holds is copied by need: it must outlive the client. no_memory, bad_value (libcurl doesn't take it). */
MUST_USE result kube_open(const struct kubeconfig *c, struct kube **ret);
void kube_close(struct kube *k); /* accepts NULL */
void kube_close_pointer(struct kube **k);
#define AUTO_KUBE __attribute__((cleanup(kube_close_pointer))) struct kube

struct kube_call {
    const char *method, *path; /* GET; /api/v1/…, with its query */
    const char *media_type; /* of the body; NULL: no body */
    struct span body;
    const char *const *headers; /* more of them, "Name: value", up to NULL; or NULL */
};
struct kube_answer {
    unsigned status;
    json_t *object; /* what came, where it is JSON; else NULL. Owned. Numbers may be reals: it is no document of ours */
    char reason[65], message[513]; /* of a Status that isn't Success, or the words of an error that is none; printable; else "" */
};
void kube_answer_free(struct kube_answer *a); /* accepts a zeroed one */
#define AUTO_ANSWER __attribute__((cleanup(kube_answer_free))) struct kube_answer
/* ok whatever the status is. not_sent, no_answer (with libcurl's code; *t has its words), answer_too_large, bad_value (a text that
 * can't be a header's). *ret must be zeroed, or freed. */
MUST_USE result kube_ask(struct kube *k, const struct kube_call *call, struct kube_answer *ret, struct trouble *t);
/* GET of an object: cluster_refused with the Status' words in *t where the status isn't 200; not_found where it is 404; bad_json.
 */
MUST_USE result kube_get(struct kube *k, const char *path, json_t **ret, struct trouble *t);
/* The same judgement of an answer to any other call: 2xx is ok, 409 is state_drifted. */
MUST_USE result kube_judge(const struct kube_answer *a, struct trouble *t);

/* JSON of the cluster's own kind: any depth that Jansson takes (2,048), numbers as they are; no member twice. bad_json. */
MUST_USE result kube_json(struct span text, json_t **ret);

#endif
