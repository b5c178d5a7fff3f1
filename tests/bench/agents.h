/* What agents send: certificates signed by an authority's key in its HSM, requests signed by agents' own keys, frames ready for the
 * bus. */
#ifndef SEB_TESTS_AGENTS_H
#define SEB_TESTS_AGENTS_H

#include "base/bytes.h"

struct authority_args {
    const char *module, *token, *pin_file, *label;
    const char *domain;
    int64_t policy_epoch, epoch;
};
struct authority; /* opaque */
struct authority *authority_open(const struct authority_args *a);
void authority_close(struct authority *a);

struct agent; /* opaque: one key */
struct agent *agent_new(void);
void agent_free(struct agent *a);

/* One mutation: a PUT of a document that isn't there (etag NULL), or is there with this ETag. Each has a certificate and an id of
 * its own. */
struct mutation_args {
    const char *target, *resource, *etag;
};
void agent_frame(struct authority *authority, struct agent *agent, const struct mutation_args *m, struct buf *out);

#endif
