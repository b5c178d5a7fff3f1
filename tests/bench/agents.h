/* What agents send: certificates signed by an authority's key in its HSM, requests signed by agents' own keys, frames ready for the
 * bus. */
#ifndef SEB_TESTS_AGENTS_H
#define SEB_TESTS_AGENTS_H

#include "base/json.h"
#include "base/pubkey.h"

struct authority_args {
    const char *module, *token, *pin_file, *label;
    const char *domain;
    int64_t policy_epoch, epoch;
};
struct authority; /* opaque */
struct authority *authority_open(const struct authority_args *a);
void authority_close(struct authority *a);

struct agent; /* opaque: one key */
struct agent *agent_new(enum alg a);
void agent_free(struct agent *a);

/* One mutation, with a certificate and an id of its own. Its precondition: the document isn't there (neither etag nor sha256), has
 * this ETag, or this content's digest. */
struct mutation_args {
    const char *target, *resource, *etag;
    const char *operation; /* NULL: PUT */
    const char *media_type; /* NULL: text/plain */
    const char *risk; /* NULL: L1 */
    const struct digest *sha256; /* NULL: none */
    struct span body; /* of a PUT; p NULL: some two hundred bytes */
};
void agent_frame(struct authority *authority, struct agent *agent, const struct mutation_args *m, struct buf *out);
/* The same for any contract (docs/formats.md, "Contract"), with the body that it names. */
void agent_frame_of(struct authority *authority, struct agent *agent, const json_t *contract, struct span body, struct buf *out);

#endif
