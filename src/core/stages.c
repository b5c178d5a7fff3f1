/* A work's way as a list that can be printed: each stage is one function, which says what comes next. A stage that waits names the
 * one that goes on (work.resume) when its event comes: an entry appended or signed, the runner's answer, the keeper's refusal, a
 * timer. */
#include "config.h"

#include "core/core.h"

static const struct stage {
    const char *name;
    enum stage_id (*run)(struct core *c, struct work *w);
} stages[STAGES] = {
    [STAGE_VERIFY] = { "verify", stage_verify },
    [STAGE_LOOKUP] = { "lookup", stage_lookup },
    [STAGE_JUDGE] = { "judge", stage_judge },
    [STAGE_REFUSE] = { "refuse", stage_refuse },
    [STAGE_READ] = { "read", stage_read },
    [STAGE_READ_CALL] = { "read-call", stage_read_call },
    [STAGE_DECIDE] = { "decide", stage_decide },
    [STAGE_CALL] = { "call", stage_call },
    [STAGE_OUTCOME] = { "outcome", stage_outcome },
    [STAGE_SETTLE] = { "settle", stage_settle },
    [STAGE_LOOK] = { "look", stage_look },
    [STAGE_LOOK_CALL] = { "look-call", stage_look_call },
    [STAGE_CONCLUDE] = { "conclude", stage_conclude },
    [STAGE_CLOSE] = { "close", stage_close },
};

void work_go(struct core *c, struct work *w, enum stage_id stage)
{
    while (stage < STAGES) {
        w->stage = stage;
        w->due_ms = 0;
        stage = stages[stage].run(c, w);
    }
    if (stage == STAGE_END)
        work_free(c, w);
}

const char *stage_name(enum stage_id s)
{
    return s < STAGES ? stages[s].name : "none";
}
