#include "config.h"

#include "audit/cover.h"

#include <stdio.h>
#include <stdlib.h>

struct pending {
    struct pending_one *list;
    size_t n, room;
    uint64_t more;
};

result pending_new(struct pending **ret)
{
    struct pending *p = calloc(1, sizeof *p);
    if (!p)
        return fail(E_no_memory);
    *ret = p;
    return OK;
}

void pending_free(struct pending *p)
{
    if (!p)
        return;
    free(p->list);
    free(p);
}

/* An Audit-ID is the client's to choose, so one alone ends nothing: who, what and when it came in are the API server's words. */
static struct digest key_of(const struct kube_event *e)
{
    struct span part[] = { span_text(e->audit_id), SPAN("\n"), span_text(e->time), SPAN("\n"), span_text(e->username), SPAN("\n"),
        span_text(e->verb), SPAN("\n"), span_text(e->uri) };
    return sha256_parts(part, sizeof part / sizeof *part);
}

result pending_received(struct pending *p, const struct kube_event *e, struct where at)
{
    char user[80], uri[128];
    if (p->n == PENDING_MAX) {
        p->more++;
        return OK;
    }
    if (p->n == p->room) {
        const size_t room = p->room ? p->room * 2 : 64;
        struct pending_one *list = reallocarray(p->list, room, sizeof *list);
        if (!list)
            return fail(E_no_memory);
        p->list = list;
        p->room = room;
    }
    struct pending_one *one = &p->list[p->n++];
    *one = (struct pending_one){ .key = key_of(e), .at = at, .time_ms = e->time_ms };
    log_quote(span_text(e->username), user, sizeof user);
    log_quote(span_text(e->uri), uri, sizeof uri);
    snprintf(one->what, sizeof one->what, "%s: %.20s %s", user, e->verb, uri);
    return OK;
}

void pending_ended(struct pending *p, const struct kube_event *e)
{
    const struct digest key = key_of(e);
    for (size_t i = p->n; i-- > 0;)
        if (digest_equal(&p->list[i].key, &key)) {
            p->list[i] = p->list[--p->n];
            return;
        }
}

const struct pending_one *pending_left(const struct pending *p, size_t *ret_n, uint64_t *ret_more)
{
    *ret_n = p->n;
    *ret_more = p->more;
    return p->list;
}
