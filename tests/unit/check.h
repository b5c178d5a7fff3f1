/* What the unit tests say: one line a check, an exit code at the end. */
#ifndef SEB_TESTS_CHECK_H
#define SEB_TESTS_CHECK_H

#include <stdio.h>

#include "base/result.h"

struct checks {
    unsigned passed, failed;
};

static inline void check_that(struct checks *c, bool holds, const char *name)
{
    printf("%sok - %s\n", holds ? "" : "not ", name);
    *(holds ? &c->passed : &c->failed) += 1;
}
/* The result's code must be exactly this one. */
static inline void check_code(struct checks *c, result r, enum seb_code want, const char *name)
{
    printf("%sok - %s\n", code_of(r) == want ? "" : "not ", name);
    if (code_of(r) != want)
        printf("# got %s, want %s\n", code_name(code_of(r)), code_name(want));
    *(code_of(r) == want ? &c->passed : &c->failed) += 1;
}
static inline int checks_end(const struct checks *c)
{
    printf("# %u passed, %u failed\n", c->passed, c->failed);
    return c->failed || !c->passed ? 1 : 0;
}

#endif
