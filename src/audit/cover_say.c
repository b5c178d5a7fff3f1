#include "config.h"

#include "audit/cover.h"

#include <inttypes.h>
#include <stdio.h>

#include "audit/cover_time.h"

bool cover_is_partial(const struct cover *c)
{
    return !c->counts.events || c->counts.outside || c->counts.after;
}

static void print_span(const struct cover_summary *n)
{
    char from[32], to[32];
    printf("audit log: %" PRIu64 " files, %" PRIu64 " lines, %" PRIu64 " events", n->files, n->lines, n->events);
    if (n->events)
        printf(" from %s to %s", rfc3339_text(n->from_ms, from), rfc3339_text(n->to_ms, to));
    printf("\n");
}

static void print_limits(const struct cover_summary *n)
{
    if (!n->events)
        printf("not covered: the audit log holds no event\n");
    if (n->outside)
        printf("not covered: %" PRIu64 " applied records from before the audit log's first event or after its last\n", n->outside);
    if (n->after)
        printf("not covered: %" PRIu64 " mutations by brokers after the export's last record: export again\n", n->after);
    printf("an audit log is the word of whoever keeps it: what was taken out of it, or never written, can't be seen here\n");
}

void cover_print(const struct cover *c)
{
    const struct cover_summary *n = &c->counts;
    print_span(n);
    printf("mutations in protected namespaces: %" PRIu64 " (%" PRIu64 " by records, %" PRIu64 " without one, %" PRIu64
           " by break-glass, %" PRIu64 " by exempt users)\n",
        n->mutations, n->recorded, n->unrecorded, n->break_glass, n->exempt);
    exempt_print(c->exempt);
    printf("%" PRIu64 " dry runs, %" PRIu64 " mutations by records elsewhere, %" PRIu64 " refusals of a broker's credential\n",
        n->dry_runs, n->elsewhere, n->refused);
    printf("records of target %s: %" PRIu64 " applied, %" PRIu64 " with their event\n", c->options->target, n->applied, n->paired);
    print_limits(n);
}

static result put_counts(json_t *o, const struct cover_summary *n)
{
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        { "applied", n->applied },
        { "break_glass", n->break_glass },
        { "dry_runs", n->dry_runs },
        { "elsewhere", n->elsewhere },
        { "events", n->events },
        { "events_after_export", n->after },
        { "exempt", n->exempt },
        { "files", n->files },
        { "lines", n->lines },
        { "mutations", n->mutations },
        { "paired", n->paired },
        { "recorded", n->recorded },
        { "records_outside", n->outside },
        { "refused", n->refused },
        { "unrecorded", n->unrecorded },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        TRY(json_put_int(o, rows[i].name, (int64_t)rows[i].count));
    return OK;
}

result cover_json(const struct cover *c, json_t *o)
{
    AUTO_JSON *coverage = json_object();
    json_t *users;
    char time[32];
    if (!coverage)
        return fail(E_no_memory);
    TRY(put_counts(coverage, &c->counts));
    if (c->counts.events) {
        TRY(json_put_text(coverage, "from", rfc3339_text(c->counts.from_ms, time)));
        TRY(json_put_text(coverage, "to", rfc3339_text(c->counts.to_ms, time)));
    }
    TRY(json_put_text(coverage, "target", c->options->target));
    TRY(exempt_json(c->exempt, &users));
    TRY(json_put_new(coverage, "exempt_users", users));
    return json_put_new(o, "coverage", json_incref(coverage));
}
