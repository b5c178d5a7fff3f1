/* The verifier's configuration: the manual's example is one, and each thing that must not be in it is named. */
#include "config.h"

#include <stdlib.h>

#include "check.h"
#include "verifier/settings.h"

static struct buf example_text(void)
{
    struct buf text = BUF(SETTINGS_MAX);
    const char *source = getenv("srcdir");
    AUTO_BUF path = BUF(4096);
    if (!is_ok(buf_printf(&path, "%s/docs/examples/verifier.json", source ? source : ".")) || !is_ok(buf_u8(&path, 0)) ||
        !is_ok(file_read((const char *)path.p, SETTINGS_MAX, &text)))
        abort();
    return text;
}

/* The example with the value at a path of members ("keys", "lease", "key") replaced by JSON, or taken out (NULL). */
struct change {
    const char *member[3];
    const char *json;
};

static json_t *parent_of(json_t *o, const struct change *c, const char **ret_last)
{
    unsigned i = 0;
    for (; i < 2 && c->member[i + 1]; i++)
        o = json_is_array(json_object_get(o, c->member[i])) ? json_array_get(json_object_get(o, c->member[i]), 0)
                                                            : json_object_get(o, c->member[i]);
    *ret_last = c->member[i];
    return o;
}

static result parse_changed(const struct change *c, struct settings **ret, const char **ret_where)
{
    AUTO_BUF text = example_text(), changed = BUF(SETTINGS_MAX);
    AUTO_JSON *o = NULL;
    const char *last;
    TRY(json_strict(buf_span(&text), SETTINGS_MAX, &o));
    json_t *parent = parent_of(o, c, &last);
    json_object_del(parent, last);
    if (c->json) {
        json_error_t e;
        json_t *v = json_loads(c->json, JSON_DECODE_ANY, &e);
        if (!v || json_object_set_new(parent, last, v) != 0)
            abort();
    }
    TRY(json_canonical(o, &changed));
    return settings_parse(buf_span(&changed), ret, ret_where);
}

static void refuses(struct checks *c, const struct change *change, const char *where, const char *name)
{
    AUTO_SETTINGS *s = NULL;
    const char *said = "";
    check_code(c, parse_changed(change, &s, &said), E_no_config, name);
    check_that(c, span_equal(span_part(span_text(said), 0, span_text(where).n), span_text(where)), where);
}

static void test_example(struct checks *c)
{
    AUTO_BUF text = example_text();
    AUTO_SETTINGS *s = NULL;
    const char *where = NULL;
    check_code(c, settings_parse(buf_span(&text), &s, &where), E_ok, "the manual's example is a configuration");
    if (!s)
        return;
    const struct settings_instance *i = settings_named(s, "seb-1");
    check_that(c, i && span_is(span_text(i->instance), "seb-1"), "an instance is called by its name where it isn't said otherwise");
    check_that(c, i && i->local && !i->needs_ima && !i->needs_firmware_log, "its ledger is its own, event logs may be missing");
    check_that(c, !settings_named(s, "seb-2"), "no other is there");
    struct signer_place lease = settings_place(&s->lease_key);
    check_that(c, lease.key && span_is(span_text(lease.key), "lease") && !lease.tpm, "the lease key is in the token");
}

static void test_standards(struct checks *c)
{
    AUTO_SETTINGS *s = NULL;
    const char *where = NULL;
    const struct change no_interval = { { "interval_s" }, NULL };
    check_code(c, parse_changed(&no_interval, &s, &where), E_ok, "the interval has a standard");
    check_that(c, s && s->interval_s == 10 && s->result_s == 30 && s->lease_s == 30, "10 s, 30 s, 30 s");
}

static void test_refusals(struct checks *c)
{
    refuses(c, &(struct change){ { "else" }, "1" }, "the file", "an unknown member is refused");
    refuses(c, &(struct change){ { "state" }, NULL }, "state", "the state's file must be named");
    refuses(c, &(struct change){ { "state" }, "\"state.db\"" }, "state", "and absolutely");
    refuses(c, &(struct change){ { "interval_s" }, "30" }, "interval_s", "an interval as long as a result holds is refused");
    refuses(c, &(struct change){ { "lease_s" }, "10" }, "interval_s", "and one as long as a lease holds");
    refuses(c, &(struct change){ { "result_s" }, "301" }, "result_s", "a result of more than 300 s is refused");
    refuses(c, &(struct change){ { "keys", "lease" }, NULL }, "keys", "a lease key is wanted");
    refuses(c, &(struct change){ { "keys", "lease", "key" }, NULL }, "keys", "by its label");
    refuses(c, &(struct change){ { "keys", "lease", "file" }, "\"lease.pem\"" }, "keys", "there are no keys in files");
    refuses(c, &(struct change){ { "keys", "lease" }, "{\"tpm\":\"/dev/tpmrm0\",\"handle\":\"0x80000001\"}" }, "--handle",
        "a transient handle is refused");
    refuses(c, &(struct change){ { "ek_roots" }, "[]" }, "ek_roots", "without roots nothing can be enrolled");
    refuses(c, &(struct change){ { "tls", "ca" }, NULL }, "tls.ca", "TLS without a CA is refused");
    refuses(c, &(struct change){ { "strict_clock" }, "1" }, "strict_clock", "a flag is a flag");
    refuses(c, &(struct change){ { "instances", "address" }, "\"seb-1.example.org\"" }, "instances: address", "a port is wanted");
    refuses(c, &(struct change){ { "instances", "policy_key" }, NULL }, "instances: policy_key", "a pinned policy key is wanted");
    refuses(c,
        &(struct change){ { "instances", "policy_key" },
            "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}" },
        "instances: policy_key", "and one that a TPM can verify");
    refuses(c, &(struct change){ { "instances", "ledger" }, "\"mine\"" }, "instances: ledger", "a ledger is local or shared");
    refuses(c, &(struct change){ { "instances", "ima" }, "true" }, "instances: ima", "an event log is required or optional");
}

static void test_twice(struct checks *c)
{
    AUTO_BUF text = example_text(), changed = BUF(SETTINGS_MAX);
    AUTO_JSON *o = NULL;
    AUTO_SETTINGS *s = NULL;
    const char *where = "";
    if (!is_ok(json_strict(buf_span(&text), SETTINGS_MAX, &o)))
        abort();
    json_t *list = json_object_get(o, "instances");
    if (json_array_append(list, json_array_get(list, 0)) != 0 || !is_ok(json_canonical(o, &changed)))
        abort();
    check_code(c, settings_parse(buf_span(&changed), &s, &where), E_no_config, "two instances of one name are refused");
    check_that(c, span_is(span_text(where), "instances: names are distinct"), "and it is said why");
}

int main(void)
{
    struct checks c = { 0 };
    test_example(&c);
    test_standards(&c);
    test_refusals(&c);
    test_twice(&c);
    return checks_end(&c);
}
