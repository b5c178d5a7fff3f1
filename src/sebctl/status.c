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

static result put_mutations(struct buf *out, const json_t *reply)
{
    bool serves = json_is_true(json_object_get(reply, "mutations"));
    TRY(put_label(out, "mutations"));
    TRY(buf_text(out, serves ? "yes" : "no: "));
    if (!serves) {
        const char *name = json_string_value(json_object_get(reply, "code"));
        TRY(put_text(out, json_object_get(reply, "code")));
        if (name && code_named(name) < E_CODES)
            TRY(buf_printf(out, ": %s", code_words(code_named(name))));
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
    TRY(put_policy(out, json_object_get(reply, "policy")));
    TRY(put_epoch(out, json_object_get(reply, "epoch")));
    TRY(put_log(out, json_object_get(reply, "log")));
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
