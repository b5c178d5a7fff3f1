/* seb-audit cover: the audit log's files, once the pass over the log is done (which is in the same report: what pairs with records
 * that don't hold is worth nothing). */
#include "config.h"

#include "audit/cover.h"

#include <stdlib.h>

static result take_line(struct audit *a, struct span line, struct where at)
{
    struct kube_event e;
    if (!line.n)
        return OK;
    result r = kube_event_read(line, &e);
    if (is_ok(r)) {
        r = cover_take(a, &e, line, at);
        kube_event_free(&e);
        return r;
    }
    if (!is_exports_fault(r))
        return r;
    report_found(&a->report, FOUND_line_malformed, at, "%s", code_name(code_of(r)));
    return OK;
}

static result take_lines(struct audit *a, const char *file, struct log_lines *l)
{
    struct span line;
    uint64_t number;
    for (bool there = true; there;) {
        result r = log_lines_next(l, &line, &number, &there);
        a->cover->counts.lines += is_ok(r) ? there : is_exports_fault(r);
        if (is_exports_fault(r))
            report_found(&a->report, FOUND_line_malformed, at_line(file, number), "%s", code_name(code_of(r)));
        else
            TRY(r);
        if (is_ok(r) && there)
            TRY(take_line(a, line, at_line(file, number)));
    }
    return OK;
}

result cover_logs(struct audit *a)
{
    const struct texts *logs = &a->cover->options->logs;
    for (unsigned i = 0; i < logs->n; i++) {
        struct log_lines *l;
        result r = log_lines_open(logs->list[i], &l);
        if (is_ok(r)) {
            r = take_lines(a, logs->list[i], l);
            log_lines_close(l);
        }
        if (!is_ok(r)) {
            a->cover->unreadable = logs->list[i];
            return r;
        }
        a->cover->counts.files++;
    }
    cover_end(a);
    return OK;
}

result cover_new(const struct cover_options *o, struct cover **ret)
{
    struct cover *c = calloc(1, sizeof *c);
    if (!c)
        return fail(E_no_memory);
    c->options = o;
    result r = exempt_new(&c->exempt);
    if (is_ok(r))
        r = pending_new(&c->pending);
    if (is_ok(r))
        *ret = c;
    else
        cover_free(c);
    return r;
}

void cover_free(struct cover *c)
{
    if (!c)
        return;
    table_free(&c->places);
    table_free(&c->indices);
    free(c->list);
    exempt_free(c->exempt);
    pending_free(c->pending);
    free(c);
}
