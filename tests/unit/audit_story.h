/* A log told record by record, in which the broker may lie in one place. */
#ifndef SEB_TESTS_AUDIT_STORY_H
#define SEB_TESTS_AUDIT_STORY_H

#include "tests/unit/audited.h"

struct story {
    struct aw_soft tpm;
    struct audit_world w;
};
/* Records 0 to 4: aw_begin; signed and quoted. */
void story_begin(struct story *s);
void story_end(struct story *s);
void story_put(struct story *s, struct entry e);
/* Begins; a read (5) and what the judge says (6), for a test to change before it is put. */
struct entry story_drafted(struct story *s, struct aw_change *ret, const char *certificate_edit);
/* Puts the outcome of the decision that was put last. */
void story_apply(struct story *s, uint64_t decision, enum outcome_result r, enum outcome_evidence e);
/* Signs and quotes what was put, and checks that this was found; ends. */
void story_expect(struct checks *c, struct story *s, enum finding f, uint64_t n, enum finding also, const char *name);
/* The same, and that nothing was. */
void story_clean(struct checks *c, struct story *s, const char *name);

#endif
