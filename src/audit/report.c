#include "config.h"

#include "audit/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

#define ABOUT_MAX 900

struct named {
    const char *name, *words;
};
static const struct named finding_rows[FINDINGS] = {
#define FINDING(name, words) [FOUND_##name] = { #name, words },
#include "audit/findings.def"
#undef FINDING
};
static const struct named remark_rows[REMARKS] = {
#define REMARK(name, words) [REMARK_##name] = { #name, words },
#include "audit/remarks.def"
#undef REMARK
};

const char *finding_name(enum finding f)
{
    return finding_rows[f].name;
}

const char *finding_words(enum finding f)
{
    return finding_rows[f].words;
}

const char *remark_name(enum remark r)
{
    return remark_rows[r].name;
}

result report_open(struct report *r, bool json, bool all)
{
    *r = (struct report){ .json = json, .all = all };
    if (!json)
        return OK;
    if (all)
        fputs("{\"findings\":[", stdout);
    r->list = json_array();
    r->remarks = json_array();
    return r->list && r->remarks ? OK : fail(E_no_memory);
}

void report_close(struct report *r)
{
    json_free_pointer(&r->list);
    json_free_pointer(&r->remarks);
}

static result item_of(const struct named *row, struct where at, const char *about, json_t *o)
{
    static const char *const places[] = { [AT_RECORD] = "index", [AT_SIZE] = "size", [AT_LINE] = "line" };
    char file[512];
    TRY(json_put_text(o, "name", row->name));
    TRY(json_put_text(o, "words", row->words));
    if (at.kind != AT_FILE)
        TRY(json_put_int(o, places[at.kind], (int64_t)at.n));
    if (at.kind == AT_LINE && !is_ok(json_put_text(o, "file", at.file))) /* a name that isn't UTF-8 */
        TRY(json_put_text(o, "file", log_quote(span_text(at.file), file, sizeof file)));
    return *about ? json_put_text(o, "about", about) : OK;
}

static result list_add(json_t *list, const struct named *row, struct where at, const char *about)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    TRY(item_of(row, at, about, o));
    return json_array_append(list, o) == 0 ? OK : fail(E_no_memory);
}

/* One of a report that names all, behind those that were printed. */
static result print_item(struct report *r, const struct named *row, struct where at, const char *about)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(16384);
    if (!o)
        return fail(E_no_memory);
    TRY(item_of(row, at, about, o));
    TRY(json_canonical(o, &text));
    printf("%s%.*s", r->began ? "," : "", (int)text.n, (const char *)text.p);
    r->began = true;
    return OK;
}

static void print_line(const char *what, const struct named *row, struct where at, const char *about)
{
    static const char *const places[] = { [AT_RECORD] = " record ", [AT_SIZE] = " size ", [AT_LINE] = ":" };
    char file[512];
    printf("%s %s", what, row->name);
    if (at.kind == AT_LINE)
        printf(" %s", log_quote(span_text(at.file), file, sizeof file));
    if (at.kind != AT_FILE)
        printf("%s%" PRIu64, places[at.kind], at.n);
    printf(": %s%s%s%s\n", row->words, *about ? " (" : "", about, *about ? ")" : "");
}

void report_found(struct report *r, enum finding f, struct where at, const char *about, ...)
{
    char text[ABOUT_MAX];
    va_list args;
    r->findings++;
    if (++r->found[f] > REPORT_LINES && !r->hear && !r->all)
        return;
    va_start(args, about);
    vsnprintf(text, sizeof text, about, args);
    va_end(args);
    if (r->hear) {
        r->hear(r->hears, f, at, text);
        return;
    }
    /* A finding that doesn't fit into memory is in the counts all the same. */
    if (!r->json)
        print_line("finding", &finding_rows[f], at, text);
    else if (!is_ok(r->all ? print_item(r, &finding_rows[f], at, text) : list_add(r->list, &finding_rows[f], at, text)) && !r->all)
        r->found[f] = REPORT_LINES + 1;
}

void report_remark(struct report *r, enum remark m, struct where at, const char *about, ...)
{
    char text[ABOUT_MAX];
    va_list args;
    if (++r->remarked[m] > REPORT_LINES || r->hear)
        return;
    va_start(args, about);
    vsnprintf(text, sizeof text, about, args);
    va_end(args);
    if (!r->json)
        print_line("remark", &remark_rows[m], at, text);
    else if (!is_ok(list_add(r->remarks, &remark_rows[m], at, text)))
        r->remarked[m] = REPORT_LINES + 1;
}

static int exit_code(const struct report *r, const struct summary *s)
{
    if (r->findings)
        return AUDIT_FOUND;
    return s->without_request || s->without_body || (s->cover && cover_is_partial(s->cover)) ? AUDIT_PARTIAL : AUDIT_CLEAN;
}

static void print_more(const struct report *r)
{
    for (unsigned f = 0; f < FINDINGS; f++)
        if (r->found[f] > REPORT_LINES && !r->all)
            printf("finding %s: and %" PRIu64 " more\n", finding_rows[f].name, r->found[f] - REPORT_LINES);
    for (unsigned m = 0; m < REMARKS; m++)
        if (r->remarked[m] > REPORT_LINES)
            printf("remark %s: and %" PRIu64 " more\n", remark_rows[m].name, r->remarked[m] - REPORT_LINES);
}

static void print_summary(const struct report *r, const struct summary *s)
{
    print_more(r);
    if (s->has_quote)
        printf("complete up to size %" PRIu64 " at TPM clock %" PRIu64 ".%03" PRIu64 " s (reset %" PRIu32 ", restart %" PRIu32 ")",
            s->quoted_size, s->clock_ms / 1000, s->clock_ms % 1000, s->reset_count, s->restart_count);
    else
        printf("no quote: complete up to no TPM clock");
    printf(", %" PRIu64 " records exported\n", s->size);
    printf("%" PRIu64 " decisions (%" PRIu64 " permits, %" PRIu64 " refusals), %" PRIu64 " outcomes (%" PRIu64 " final), %" PRIu64
           " permits open at the end\n",
        s->decisions, s->permits, s->decisions - s->permits, s->outcomes, s->finals, s->open);
    printf("%" PRIu64 " runs, %" PRIu64 " reads, %" PRIu64 " sums of noise, %" PRIu64 " checkpoints, %" PRIu64 " quotes\n", s->runs,
        s->reads, s->noise, s->checkpoints, s->quotes);
    printf("%" PRIu64 " attestation results, %" PRIu64 " enrolments, %" PRIu64 " changes of keys in a run, %" PRIu64 " rekeys\n",
        s->results, s->enrolments, s->keys, s->rekeys);
    if (s->without_request)
        printf("not judged again: %" PRIu64 " decisions, whose requests were left out of the export\n", s->without_request);
    if (s->without_body)
        printf("not judged again in all: %" PRIu64
               " decisions, whose bodies were left out of the export (their lengths are the requests' word)\n",
            s->without_body);
    if (s->cover)
        cover_print(s->cover);
    if (!s->expected)
        printf("a tail that was cut off can't be seen without --expect or --at-least\n");
    if (r->findings)
        printf("%" PRIu64 " findings\n", r->findings);
    else
        printf("no findings\n");
}

static result put_counts(json_t *o, const struct summary *s)
{
    TRY(json_put_int(o, "checkpoints", (int64_t)s->checkpoints));
    TRY(json_put_int(o, "decisions", (int64_t)s->decisions));
    TRY(json_put_int(o, "enrolments", (int64_t)s->enrolments));
    TRY(json_put_int(o, "final_outcomes", (int64_t)s->finals));
    TRY(json_put_int(o, "keys", (int64_t)s->keys));
    TRY(json_put_int(o, "noise", (int64_t)s->noise));
    TRY(json_put_int(o, "not_judged_again", (int64_t)s->without_request));
    TRY(json_put_int(o, "open", (int64_t)s->open));
    TRY(json_put_int(o, "outcomes", (int64_t)s->outcomes));
    TRY(json_put_int(o, "permits", (int64_t)s->permits));
    TRY(json_put_int(o, "quotes", (int64_t)s->quotes));
    TRY(json_put_int(o, "reads", (int64_t)s->reads));
    TRY(json_put_int(o, "records", (int64_t)s->size));
    TRY(json_put_int(o, "refusals", (int64_t)(s->decisions - s->permits)));
    TRY(json_put_int(o, "rekeys", (int64_t)s->rekeys));
    TRY(json_put_int(o, "results", (int64_t)s->results));
    TRY(json_put_int(o, "runs", (int64_t)s->runs));
    return json_put_int(o, "without_body", (int64_t)s->without_body);
}

static result put_complete(json_t *o, const struct summary *s)
{
    if (!s->has_quote)
        return json_put_new(o, "complete", json_null());
    AUTO_JSON *c = json_object();
    if (!c)
        return fail(E_no_memory);
    TRY(json_put_int(c, "clock_ms", (int64_t)s->clock_ms));
    TRY(json_put_int(c, "reset_count", s->reset_count));
    TRY(json_put_int(c, "restart_count", s->restart_count));
    TRY(json_put_int(c, "size", (int64_t)s->quoted_size));
    return json_put_new(o, "complete", json_incref(c));
}

static result put_totals(json_t *o, const char *name, const uint64_t *counts, const struct named *rows, unsigned n)
{
    AUTO_JSON *totals = json_object();
    if (!totals)
        return fail(E_no_memory);
    for (unsigned i = 0; i < n; i++)
        if (counts[i])
            TRY(json_put_int(totals, rows[i].name, (int64_t)counts[i]));
    return json_put_new(o, name, json_incref(totals));
}

static result print_json(const struct report *r, const struct summary *s)
{
    AUTO_JSON *o = json_object(), *counts = json_object();
    if (!o || !counts)
        return fail(E_no_memory);
    TRY(put_complete(o, s));
    TRY(put_counts(counts, s));
    TRY(json_put_new(o, "counts", json_incref(counts)));
    TRY(json_put_int(o, "exit", exit_code(r, s)));
    TRY(json_put_flag(o, "expected", s->expected));
    if (!r->all)
        TRY(json_put_new(o, "findings", json_incref(r->list)));
    if (s->cover)
        TRY(cover_json(s->cover, o));
    TRY(put_totals(o, "finding_totals", r->found, finding_rows, FINDINGS));
    TRY(json_put_new(o, "remarks", json_incref(r->remarks)));
    TRY(put_totals(o, "remark_totals", r->remarked, remark_rows, REMARKS));
    AUTO_BUF text = BUF(8u << 20);
    TRY(json_canonical(o, &text));
    struct span rest = buf_span(&text);
    if (r->all) { /* the list that was printed is the object's first member */
        fputs("],", stdout);
        rest = span_part(rest, 1, rest.n);
    }
    return fwrite(rest.p, 1, rest.n, stdout) == rest.n && putchar('\n') != EOF ? OK : fail(E_io);
}

int report_summary(struct report *r, const struct summary *s)
{
    bool printed = true;
    if (r->json)
        printed = is_ok(print_json(r, s));
    else
        print_summary(r, s);
    return printed && fflush(stdout) == 0 ? exit_code(r, s) : AUDIT_UNREADABLE;
}

int audit_complain(int exit_code, const char *what, result r)
{
    char text[256];
    fprintf(stderr, "seb-audit: %s: %s\n", what, result_text(r, text, sizeof text));
    return exit_code;
}
