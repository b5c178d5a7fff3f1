#include "config.h"

#include "scope/scope.h"

struct target_mutation scope_mutation(const struct contract *c, const char *live_etag)
{
    const struct mutation *m = &c->mutation;
    const char *read = c->pre.absent ? NULL : live_etag;
    return (struct target_mutation){
        .operation = m->operation,
        .resource = m->resource,
        .has_body = m->body.present,
        .body_sha256 = m->body.sha256,
        .body_length = m->body.length,
        .media_type = m->body.present ? m->body.media_type : NULL,
        .absent = c->pre.absent,
        .has_etag = c->pre.has_etag,
        .has_sha256 = c->pre.has_sha256,
        .grace_s = -1,
        .etag = c->pre.has_etag ? c->pre.etag : read,
    };
}
