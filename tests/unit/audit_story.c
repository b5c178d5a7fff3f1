#include "config.h"

#include "tests/unit/audit_story.h"

void story_begin(struct story *s)
{
    aw_soft_new(&s->tpm);
    struct aw_keys keys = aw_soft_keys(&s->tpm);
    aw_new(&s->w, &keys);
    aw_begin(&s->w);
    aw_sign(&s->w);
    aw_quote(&s->w);
}

void story_end(struct story *s)
{
    aw_free(&s->w);
    aw_soft_free(&s->tpm);
}

void story_expect(struct checks *c, struct story *s, enum finding f, uint64_t n, enum finding also, const char *name)
{
    aw_sign(&s->w);
    aw_quote(&s->w);
    check_lie(c, &s->w, f, n, also, name);
    story_end(s);
}

void story_put(struct story *s, struct entry e)
{
    aw_put(&s->w, &e);
}

struct entry story_drafted(struct story *s, struct aw_change *ret, const char *certificate_edit)
{
    story_begin(s);
    aw_change_new(&s->w, "one", "one", certificate_edit, ret);
    story_put(s, aw_read(&s->w, ret, NO_INDEX));
    return aw_decision(&s->w, ret, 5, false);
}

void story_apply(struct story *s, uint64_t decision, enum outcome_result r, enum outcome_evidence e)
{
    struct digest leaf = s->w.leaf;
    story_put(s, aw_outcome(&s->w, decision, &leaf, r, e));
}

void story_clean(struct checks *c, struct story *s, const char *name)
{
    aw_sign(&s->w);
    aw_quote(&s->w);
    aw_export(&s->w, "out", NULL);
    check_clean(c, &s->w, "out", name);
    story_end(s);
}
