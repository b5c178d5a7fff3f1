#include "config.h"

#include "base/clock.h"
#include "verifier/memory.h"
#include "verifier/verifier.h"

#include <errno.h>
#include <stdlib.h>

static const char *status_name(enum enrolment_status s)
{
    static const char *const names[] = { [ENROLMENT_PENDING] = "pending",
        [ENROLMENT_ACTIVE] = "active",
        [ENROLMENT_WITHDRAWN] = "withdrawn",
        [ENROLMENT_REPLACED] = "replaced" };
    return names[s];
}

static result open_state(struct verifier_args *a, struct state **ret)
{
    a->about = a->settings->state;
    TRY(state_open(a->settings->state, ret));
    a->about = NULL;
    return OK;
}

static result put_result(struct state *s, const char *name, json_t *o)
{
    struct result_row last;
    AUTO_JSON *r = json_object();
    result found = state_result(s, name, &last, NULL);
    if (code_of(found) == E_not_found)
        return json_put_new(o, "result", json_null());
    TRY(found);
    TRY(json_put_int(r, "at", last.at));
    TRY(json_put_int(r, "since", last.since));
    TRY(json_put_text(r, "status", last.status));
    TRY(json_put_text(r, "codes", last.codes));
    TRY(json_put_flag(r, "lease", last.lease));
    TRY(json_put_flag(r, "sent", last.sent));
    TRY(json_put_int(r, "affirming", last.affirming));
    TRY(json_put_int(r, "others", last.others));
    return json_put_new(o, "result", json_incref(r));
}

static result put_log(struct state *s, const struct enrolment_row *row, json_t *o)
{
    struct memory m;
    AUTO_JSON *log = json_object();
    TRY(memory_read(s, row->name, &row->ak, &m));
    TRY(json_put_int(log, "size", (int64_t)m.known.log.size));
    TRY(json_put_digest(log, "root", &m.known.log.root));
    return json_put_new(o, "log", json_incref(log));
}

static result put_row(struct state *s, const struct enrolment_row *row, json_t *list)
{
    AUTO_JSON *o = json_object();
    TRY(json_put_text(o, "name", row->name));
    TRY(json_put_text(o, "instance", row->instance));
    TRY(json_put_text(o, "domain", row->domain));
    TRY(json_put_text(o, "ledger", row->local ? "local" : "shared"));
    TRY(json_put_text(o, "status", status_name(row->status)));
    TRY(json_put_int(o, "activated", row->activated));
    TRY(json_put_int(o, "decided", row->decided));
    TRY(json_put_flag(o, "delivered", row->delivered));
    TRY(json_put_digest(o, "ek", &row->ek));
    TRY(json_put_digest(o, "ak", &row->ak));
    TRY(json_put_digest(o, "record", &row->record));
    TRY(put_log(s, row, o));
    TRY(put_result(s, row->name, o));
    return json_array_append(list, o) == 0 ? OK : fail(E_no_memory);
}

static result all_rows(struct state *s, json_t *list)
{
    struct enrolment_row row = { 0 };
    bool more = true;
    while (more) {
        TRY(state_enrolment_after(s, row.id, &row, &more));
        if (more)
            TRY(put_row(s, &row, list));
    }
    return OK;
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static result put_line(const json_t *o, struct buf *out)
{
    const json_t *r = json_object_get(o, "result");
    const bool active = span_is(span_text(text_of(o, "status")), "active");
    TRY(buf_printf(out, "%s%-16s %-10s %s/%s  log %lld", out->n ? "\n" : "", text_of(o, "name"), text_of(o, "status"),
        text_of(o, "domain"), text_of(o, "instance"),
        (long long)json_integer_value(json_object_get(json_object_get(o, "log"), "size"))));
    if (!active || !json_is_object(r))
        return OK;
    const long long now = clock_utc_ms() / 1000, at = json_integer_value(json_object_get(r, "at"));
    TRY(buf_printf(out, "  %s for %lld s, last %lld s ago", text_of(r, "status"),
        at - (long long)json_integer_value(json_object_get(r, "since")), now - at));
    return text_of(r, "codes")[0] ? buf_printf(out, ": %s", text_of(r, "codes")) : OK;
}

result verifier_list(struct verifier_args *a)
{
    AUTO_STATE *state = NULL;
    AUTO_JSON *list = json_array();
    AUTO_BUF text = BUF((size_t)16 << 20);
    json_t *one;
    size_t i;
    TRY(open_state(a, &state));
    TRY(all_rows(state, list));
    if (a->value[OPT_JSON])
        return verifier_print_json(list);
    json_array_foreach (list, i, one)
        TRY(put_line(one, &text));
    return text.n ? verifier_print(buf_span(&text)) : OK;
}

static result size_read(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long n = text && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : (end = NULL, 0);
    if (!end || *end || errno || n > JSON_INT_MAX)
        return fail(E_usage);
    *ret = n;
    return OK;
}

/* Another history of the log, or another firmware of the TPM (which begins its clock and counts anew): nothing but an operator's
 * word makes the verifier go on. */
static result accept(struct verifier_args *a, struct state *s, const char *name, struct memory *m)
{
    if (a->value[OPT_FIRMWARE])
        m->known.has_quote = false;
    if (a->value[OPT_SIZE]) {
        a->about = "--size and --root";
        TRY(size_read(a->value[OPT_SIZE], &m->known.log.size));
        if (!a->value[OPT_ROOT] || !is_ok(digest_read(span_text(a->value[OPT_ROOT]), &m->known.log.root)))
            return fail(E_usage);
        const struct log_state empty = log_state_empty();
        if (m->known.log.size == 0 && !digest_equal(&m->known.log.root, &empty.root))
            return fail(E_usage);
        m->known.noted_by = (struct digest){ { 0 } }; /* it may be one that goes on from before a rekey */
        a->about = NULL;
        TRY(state_acknowledged(s, name, clock_utc_ms() / 1000, m->known.log.size, &m->known.log.root));
    }
    return memory_write(s, name, m);
}

result verifier_acknowledge(struct verifier_args *a)
{
    AUTO_STATE *state = NULL;
    struct enrolment_row row;
    struct memory m;
    a->about = "--size with --root, or --firmware";
    if ((!a->value[OPT_SIZE] != !a->value[OPT_ROOT]) || (!a->value[OPT_SIZE] && !a->value[OPT_FIRMWARE]))
        return fail(E_usage);
    TRY(open_state(a, &state));
    a->about = a->operand;
    TRY(state_begin(state));
    TRY(state_enrolment(state, a->operand, ENROLMENT_ACTIVE, &row));
    TRY(memory_read(state, a->operand, &row.ak, &m));
    TRY(accept(a, state, a->operand, &m));
    TRY(state_commit(state));
    return verifier_print(span_text("acknowledged"));
}

result verifier_keys(struct verifier_args *a)
{
    AUTO_KEYS *k = NULL;
    AUTO_JSON *o = json_object(), *result_jwk = NULL, *lease_jwk = NULL;
    const char *name = a->value[OPT_NAME] ? a->value[OPT_NAME] : "verifier";
    a->about = "the verifier's keys";
    TRY(keys_open(a->settings, &k));
    TRY(pubkey_jwk(keys_result(k), &result_jwk));
    TRY(pubkey_jwk(keys_lease(k), &lease_jwk));
    TRY(json_put_new(o, "jwk", json_incref(result_jwk)));
    TRY(json_put_new(o, "lease", json_incref(lease_jwk)));
    TRY(json_put_text(o, "name", name));
    return verifier_print_json(o);
}

static result one_result(struct verifier_args *a, struct state *s, const char *name)
{
    struct result_row row;
    AUTO_BUF jwt = BUF(STATE_RESULT_MAX), text = BUF(STATE_RESULT_MAX + 1024);
    TRY(state_result(s, name, &row, &jwt));
    if (a->value[OPT_JWT])
        return jwt.n ? verifier_print(buf_span(&jwt)) : fail(E_not_found);
    TRY(buf_printf(&text, "%-16s %lld %s%s%s%s%s", name, (long long)row.at, row.status, row.lease ? ", lease" : "",
        row.sent ? ""
        : jwt.n  ? ", not taken"
                 : ", none given",
        row.codes[0] ? ": " : "", row.codes));
    return verifier_print(buf_span(&text));
}

result verifier_results(struct verifier_args *a)
{
    AUTO_STATE *state = NULL;
    struct enrolment_row row = { 0 };
    bool more = true;
    TRY(open_state(a, &state));
    a->about = a->operand;
    if (a->operand)
        return one_result(a, state, a->operand);
    while (more) {
        TRY(state_enrolment_after(state, row.id, &row, &more));
        result r = more && row.status == ENROLMENT_ACTIVE ? one_result(a, state, row.name) : OK;
        if (!is_ok(r) && code_of(r) != E_not_found)
            return r;
    }
    return OK;
}
