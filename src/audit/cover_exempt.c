#include "config.h"

#include "audit/cover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct exempt_user {
    char *name;
    uint64_t count;
};
struct exempt {
    struct exempt_user list[EXEMPT_MAX];
    unsigned n;
    uint64_t others;
};

result exempt_new(struct exempt **ret)
{
    struct exempt *x = calloc(1, sizeof *x);
    if (!x)
        return fail(E_no_memory);
    *ret = x;
    return OK;
}

void exempt_free(struct exempt *x)
{
    if (!x)
        return;
    for (unsigned i = 0; i < x->n; i++)
        free(x->list[i].name);
    free(x);
}

void exempt_count(struct exempt *x, const char *user)
{
    for (unsigned i = 0; i < x->n; i++)
        if (span_is(span_text(user), x->list[i].name)) {
            x->list[i].count++;
            return;
        }
    if (x->n == EXEMPT_MAX || !is_ok(span_dup_text(span_text(user), &x->list[x->n].name)))
        x->others++;
    else
        x->list[x->n++].count = 1;
}

void exempt_print(const struct exempt *x)
{
    char text[256];
    for (unsigned i = 0; i < x->n; i++)
        printf("  exempt %s: %" PRIu64 "\n", log_quote(span_text(x->list[i].name), text, sizeof text), x->list[i].count);
    if (x->others)
        printf("  exempt, more users: %" PRIu64 "\n", x->others);
}

result exempt_json(const struct exempt *x, json_t **ret)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    for (unsigned i = 0; i < x->n; i++)
        TRY(json_put_int(o, x->list[i].name, (int64_t)x->list[i].count));
    if (x->others)
        TRY(json_put_int(o, "", (int64_t)x->others)); /* no user's name */
    *ret = json_incref(o);
    return OK;
}
