#include "config.h"

#include "tests/unit/audited.h"

void audited_run(const struct audit_world *w, const char *name, const char *expect, uint64_t at_least, struct audited *ret)
{
    AUTO_BUF trust = BUF(256), export = BUF(256);
    const char *what = "";
    *ret = (struct audited){ .a = { .expect = expect, .at_least = at_least } };
    must(is_ok(trust_load(aw_path(w, "trust.json", &trust), &ret->a.trust, &what)), what);
    must(is_ok(export_open(aw_path(w, name, &export), &ret->a.export)), "export");
    must(is_ok(log_size(&ret->a.export, &ret->a.size)), "size");
    must(is_ok(report_open(&ret->a.report, true, false)), "report");
    must(is_ok(keycache_new(64, &ret->a.keys)), "keys");
    must(is_ok(audit_pass(&ret->a)), "the pass");
}

void audited_free(struct audited *a)
{
    report_close(&a->a.report);
    keycache_free(a->a.keys);
    export_close(&a->a.export);
    trust_free(&a->a.trust);
}

static bool is_listed(const json_t *list, const char *name, uint64_t n)
{
    size_t i;
    const json_t *o;
    json_array_foreach (list, i, o) {
        const json_t *at = json_object_get(o, json_has(o, "index") ? "index" : "size");
        if (span_is(span_text(json_string_value(json_object_get(o, "name"))), name) &&
            (n == NO_INDEX || (at && (uint64_t)json_integer_value(at) == n)))
            return true;
    }
    return false;
}

bool audited_found(const struct audited *a, enum finding f, uint64_t n)
{
    return is_listed(a->a.report.list, finding_name(f), n);
}

bool audited_remarked(const struct audited *a, enum remark m, uint64_t n)
{
    return is_listed(a->a.report.remarks, remark_name(m), n);
}

void audited_print(const struct audited *a)
{
    size_t i;
    json_t *o;
    json_array_foreach (a->a.report.list, i, o) {
        AUTO_FREE char *text = json_dumps(o, JSON_COMPACT);
        printf("# %s\n", text);
    }
}

static void judge_report(struct checks *c, const struct audited *a, bool as_wanted, const char *name)
{
    check_that(c, as_wanted, name);
    if (!as_wanted)
        audited_print(a);
}

void check_lie(struct checks *c, struct audit_world *w, enum finding f, uint64_t n, enum finding also, const char *name)
{
    struct audited a;
    aw_export(w, "lie", NULL);
    audited_run(w, "lie", NULL, 0, &a);
    uint64_t others = a.a.report.findings - a.a.report.found[f] - (also < FINDINGS ? a.a.report.found[also] : 0);
    judge_report(c, &a, audited_found(&a, f, n) && (also == FINDINGS || audited_found(&a, also, NO_INDEX)) && others == 0, name);
    audited_free(&a);
}

void check_tampered(
    struct checks *c, struct audit_world *w, const char *name_of_export, enum finding f, uint64_t n, const char *name)
{
    struct audited a;
    audited_run(w, name_of_export, NULL, 0, &a);
    judge_report(c, &a, audited_found(&a, f, n), name);
    audited_free(&a);
}

void check_clean(struct checks *c, struct audit_world *w, const char *name_of_export, const char *name)
{
    struct audited a;
    audited_run(w, name_of_export, NULL, 0, &a);
    judge_report(c, &a, a.a.report.findings == 0, name);
    audited_free(&a);
}
