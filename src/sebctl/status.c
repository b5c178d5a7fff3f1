#include "config.h"

#include "sebctl/sebctl.h"

#include <time.h>

#include "base/log.h"

#define TEXT_MAX (256 * 1024)

/* The reply's texts come from another process: nothing in them may drive a terminal. */
static result put_text(struct buf *out, const json_t *v)
{
    char quoted[1200];
    struct span s = { (const uint8_t *)json_string_value(v), json_string_length(v) };
    bool plain = json_is_string(v);
    for (size_t i = 0; plain && i < s.n; i++)
        plain = s.p[i] > 0x20 && s.p[i] < 0x7f;
    if (plain)
        return buf_put(out, s);
    return buf_text(out, json_is_string(v) ? log_quote(s, quoted, sizeof quoted) : "?");
}

static result put_number(struct buf *out, const json_t *v)
{
    return json_is_integer(v) ? buf_printf(out, "%lld", (long long)json_integer_value(v)) : buf_text(out, "?");
}

static result put_time(struct buf *out, int64_t seconds)
{
    char text[40];
    struct tm utc;
    time_t t = (time_t)seconds;
    bool known = gmtime_r(&t, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return known ? buf_text(out, text) : buf_printf(out, "%lld", (long long)seconds);
}

static result put_label(struct buf *out, const char *label)
{
    return buf_printf(out, "%-14s", label);
}

/* "name   value" for a member that is there. */
static result put_row(struct buf *out, const char *label, const json_t *o, const char *member)
{
    const json_t *v = json_object_get(o, member);
    if (!v)
        return OK;
    TRY(put_label(out, label));
    TRY(json_is_integer(v) ? put_number(out, v) : put_text(out, v));
    return buf_text(out, "\n");
}

/* "name: what it means". The name is another process's: only one that is known has words. */
static result put_code(struct buf *out, const json_t *code)
{
    const char *name = json_string_value(code);
    TRY(put_text(out, code));
    return name && code_named(name) < E_CODES ? buf_printf(out, ": %s", code_words(code_named(name))) : OK;
}

static result put_mutations(struct buf *out, const json_t *reply)
{
    bool serves = json_is_true(json_object_get(reply, "mutations"));
    TRY(put_label(out, "mutations"));
    TRY(buf_text(out, serves ? "yes" : "no: "));
    if (!serves) {
        TRY(put_code(out, json_object_get(reply, "code")));
    }
    return buf_text(out, "\n");
}

static result put_log(struct buf *out, const json_t *log)
{
    TRY(put_label(out, "log"));
    TRY(put_number(out, json_object_get(log, "size")));
    TRY(buf_text(out, " entries, "));
    TRY(put_number(out, json_object_get(log, "signed")));
    TRY(buf_text(out, " signed, "));
    TRY(put_number(out, json_object_get(log, "quoted")));
    return buf_text(out, " quoted\n");
}

static result put_epoch(struct buf *out, const json_t *epoch)
{
    TRY(put_label(out, "epoch"));
    if (!epoch)
        return buf_text(out, "none\n");
    TRY(put_number(out, json_object_get(epoch, "epoch")));
    TRY(buf_text(out, " until "));
    TRY(put_time(out, json_integer_value(json_object_get(epoch, "exp"))));
    return buf_text(out, "\n");
}

static result put_policy(struct buf *out, const json_t *policy)
{
    TRY(put_label(out, "policy"));
    if (!policy)
        return buf_text(out, "none\n");
    TRY(buf_text(out, "epoch "));
    TRY(put_number(out, json_object_get(policy, "policy_epoch")));
    TRY(buf_text(out, ", "));
    TRY(put_text(out, json_object_get(policy, "digest")));
    return buf_text(out, "\n");
}

static result put_time_ms(struct buf *out, const json_t *o, const char *member)
{
    return put_time(out, json_integer_value(json_object_get(o, member)) / 1000);
}

/* What was wrong, as the verifier's result has it. */
static result put_codes(struct buf *out, const json_t *codes)
{
    json_t *code;
    size_t i;
    json_array_foreach (codes, i, code) {
        TRY(put_label(out, "  verifier"));
        TRY(put_code(out, code));
        TRY(buf_text(out, "\n"));
    }
    return OK;
}

static result put_attestation(struct buf *out, const json_t *a)
{
    const char *state = json_string_value(json_object_get(a, "state"));
    if (!a)
        return OK;
    TRY(put_label(out, "attested"));
    if (state && span_is(span_text(state), "ok")) {
        TRY(buf_text(out, "until "));
        TRY(put_time(out, json_integer_value(json_object_get(a, "exp"))));
        TRY(buf_text(out, ", result "));
        TRY(put_text(out, json_object_get(a, "result")));
        return buf_text(out, "\n");
    }
    TRY(buf_text(out, "no, since "));
    TRY(put_time_ms(out, a, "since"));
    TRY(buf_text(out, ": "));
    TRY(put_code(out, json_object_get(a, "state")));
    TRY(buf_text(out, "\n"));
    return put_codes(out, json_object_get(a, "codes"));
}

static result put_lease(struct buf *out, const json_t *keeper)
{
    TRY(put_label(out, "lease"));
    if (json_integer_value(json_object_get(keeper, "lease_until")) > 0) {
        TRY(buf_text(out, "until "));
        TRY(put_time_ms(out, keeper, "lease_until"));
    } else {
        TRY(buf_text(out, "none"));
    }
    return buf_text(out, "\n");
}

static result put_unapproved(struct buf *out, const json_t *one)
{
    TRY(put_label(out, "  unapproved"));
    TRY(put_text(out, json_object_get(one, "name")));
    TRY(buf_text(out, ": measured "));
    TRY(json_is_null(json_object_get(one, "measured")) ? buf_text(out, "nothing")
                                                       : put_text(out, json_object_get(one, "measured")));
    TRY(buf_text(out, ", approved "));
    TRY(json_is_null(json_object_get(one, "approved")) ? buf_text(out, "nothing")
                                                       : put_text(out, json_object_get(one, "approved")));
    return buf_text(out, "\n");
}

static result put_state(struct buf *out, const json_t *keeper)
{
    const json_t *one;
    size_t i;
    TRY(put_label(out, "state"));
    TRY(buf_text(out, json_is_true(json_object_get(keeper, "approved")) ? "approved, counter " : "not approved, counter "));
    TRY(put_number(out, json_object_get(keeper, "counter")));
    TRY(buf_text(out, "\n"));
    json_array_foreach (json_object_get(keeper, "unapproved"), i, one)
        TRY(put_unapproved(out, one));
    return OK;
}

static result put_anchor(struct buf *out, const json_t *anchor)
{
    TRY(put_label(out, "anchor"));
    if (!json_is_object(anchor))
        return buf_text(out, "none\n");
    TRY(put_number(out, json_object_get(anchor, "size")));
    return buf_text(out, json_is_true(json_object_get(anchor, "clean")) ? " entries, at a stop\n" : " entries\n");
}

/* What the keeper says of approval, lease and chip. */
static result put_keeper(struct buf *out, const json_t *keeper)
{
    if (!keeper)
        return OK;
    TRY(put_lease(out, keeper));
    TRY(put_state(out, keeper));
    return put_anchor(out, json_object_get(keeper, "anchor"));
}

/* After an unclean start, and what an operator would acknowledge: the log as it was signed then. */
static result put_unclean(struct buf *out, const json_t *reply)
{
    const json_t *from = json_object_get(reply, "certificates_from");
    const json_t *resumed = json_object_get(json_object_get(reply, "log"), "resumed");
    if (!from)
        return OK;
    TRY(put_label(out, "unclean start"));
    TRY(buf_text(out, "certificates issued before "));
    TRY(put_time(out, json_integer_value(from)));
    TRY(buf_text(out, " are refused; it began with size "));
    TRY(put_number(out, json_object_get(resumed, "size")));
    TRY(buf_text(out, " and root "));
    TRY(put_text(out, json_object_get(resumed, "root")));
    return buf_text(out, "\n");
}

static result put_keys(struct buf *out, const json_t *keys)
{
    TRY(put_row(out, "keys", keys, "state"));
    TRY(put_row(out, "  record", keys, "record"));
    TRY(put_row(out, "  attestation", keys, "attestation"));
    return put_row(out, "  mint", keys, "mint");
}

static result put_open(struct buf *out, const json_t *open)
{
    json_t *o;
    size_t i;
    json_array_foreach (open, i, o) {
        TRY(put_label(out, "open"));
        TRY(buf_text(out, "decision "));
        TRY(put_number(out, json_object_get(o, "decision")));
        TRY(buf_text(out, ", "));
        TRY(put_text(out, json_object_get(o, "target")));
        TRY(buf_text(out, " "));
        TRY(put_text(out, json_object_get(o, "resource")));
        TRY(buf_text(out, ": locked until it is known what became of it, no earlier than "));
        TRY(put_time(out, json_integer_value(json_object_get(o, "horizon")) / 1000));
        TRY(buf_text(out, "\n"));
    }
    return OK;
}

static result put_status(struct buf *out, const json_t *reply)
{
    TRY(put_row(out, "domain", reply, "domain"));
    TRY(put_row(out, "instance", reply, "instance"));
    TRY(put_row(out, "run", reply, "run"));
    TRY(put_mutations(out, reply));
    TRY(put_attestation(out, json_object_get(reply, "attestation")));
    TRY(put_keeper(out, json_object_get(reply, "keeper")));
    TRY(put_policy(out, json_object_get(reply, "policy")));
    TRY(put_epoch(out, json_object_get(reply, "epoch")));
    TRY(put_log(out, json_object_get(reply, "log")));
    TRY(put_unclean(out, reply));
    TRY(put_row(out, "in flight", reply, "in_flight"));
    TRY(put_keys(out, json_object_get(reply, "keys")));
    return put_open(out, json_object_get(reply, "open"));
}

result sebctl_status(struct sebctl_args *a)
{
    AUTO_JSON *question = json_object(), *reply = NULL;
    AUTO_BUF text = BUF(TEXT_MAX);
    TRY(json_put_text(question, "op", "status"));
    TRY(sebctl_ask(a, question, &reply));
    if (a->value[OPT_JSON])
        return sebctl_print_json(reply);
    TRY(put_status(&text, reply));
    return sebctl_print(buf_span(&text));
}
