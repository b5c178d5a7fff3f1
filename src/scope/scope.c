#include "config.h"

#include "scope/scope.h"

/* The contract's own word, else what was read; NULL where neither says anything. */
static const char *word(bool has, const char *own, const char *read)
{
    const char *text = has ? own : read;
    return text && *text ? text : NULL;
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

struct target_mutation scope_mutation(const struct contract *c, const struct live_view *live)
{
    const struct mutation *m = &c->mutation;
    const struct live_view read = live && !c->pre.absent ? *live : (struct live_view){ NULL, NULL, NULL };
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
        .etag = word(c->pre.has_etag, c->pre.etag, read.etag),
        .fields = &c->fields,
        .pre_fields = &c->pre.fields,
        .post_fields = &c->post,
        .field_manager = or_null(c->field_manager),
        .propagation = or_null(c->propagation),
        .force = c->force,
        .dry_run = c->dry_run,
        .grace_s = c->grace_s,
        .has_uid = c->pre.has_uid,
        .has_version = c->pre.has_version,
        .uid = word(c->pre.has_uid, c->pre.uid, read.uid),
        .version = word(c->pre.has_version, c->pre.version, read.version),
        .contract = c->digest,
    };
}
