/* A log with changes to a cluster, and the audit log that the cluster's API server wrote meanwhile, line by line, so that a test
 * can change either. */
#ifndef SEB_TESTS_COVER_WORLD_H
#define SEB_TESTS_COVER_WORLD_H

#include "audit/cover.h"
#include "tests/unit/audit_story.h"

#define COVER_CHANGES 8
#define COVER_NAMESPACE "prod"
struct cover_world {
    struct story s;
    struct aw_target target;
    unsigned n;
    uint64_t decision[COVER_CHANGES];
    struct digest leaf[COVER_CHANGES];
    struct aw_change last; /* of the newest permit */
    struct buf lines; /* of the audit log */
    struct cover_options options;
    struct audited got;
};
/* Records 0 to 4, and a policy that admits everything in the cluster. mapping: extra or groups. */
void cover_world_new(struct cover_world *w, const char *mapping);
void cover_world_free(struct cover_world *w);

/* A contract for the cluster: of this operation and resource, with members of `parameters` and `preconditions` as JSON. */
#define PATCH_BODY                                                            \
    "\"body\":{\"length\":5,\"media_type\":\"application/merge-patch+json\"," \
    "\"sha256\":\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"}"
struct cover_contract {
    const char *operation, *resource, *parameters, *preconditions, *constraints; /* constraints NULL: a credential of 10 s alone */
};
extern const struct cover_contract cover_scale; /* patch of deployments/web in prod: three replicas */
/* A read, the permit, and its outcome (RESULT_OPEN with EVIDENCE_NONE: of no answer); its number. */
unsigned cover_change(struct cover_world *w, const struct cover_contract *k, enum outcome_result r, enum outcome_evidence e);
/* The same in pieces, for a test that lets the broker lie: the read, then the permit and the outcome, which aren't put yet. */
struct entry cover_permit(struct cover_world *w, const struct cover_contract *k);
struct entry cover_outcome(struct cover_world *w, const struct entry *permit, enum outcome_result r, enum outcome_evidence e);
/* Signs, quotes, exports: no more records from here on. */
void cover_export(struct cover_world *w);

/* The API server's event of the change, done (ResponseComplete, 200): as its claims say. The caller frees, after edits. */
json_t *cover_event(struct cover_world *w, unsigned change);
/* One of somebody else, in prod: who, what verb, on configmaps/c1. */
json_t *cover_other(struct cover_world *w, const char *user, const char *verb);
void cover_put(struct cover_world *w, json_t *event); /* a line more; steals it */
void cover_put_text(struct cover_world *w, const char *line);

/* Audits with this audit log, and checks that this was found, and nothing else; FINDINGS: that nothing was. */
void cover_expect(struct checks *c, struct cover_world *w, enum finding f, const char *name);
void cover_run(struct cover_world *w); /* into w->got, until the next run */

#endif
