#include "config.h"

#include "config/config.h"
#include "config/member.h"
#include "verifier/settings.h"

#include <stdlib.h>

#define S(field) FIELD(struct settings, field)
#define K(field) FIELD(struct settings_key, field)
#define I(field) FIELD(struct settings_instance, field)
#define NAME_WORDS " of A-Z a-z 0-9 . _ -"
#define PATH_WORDS ": absolute path of at most 255 bytes"
#define INT_ROW(field, standard, least, most)                                                              \
    {                                                                                                      \
        .name = #field, .type = MEMBER_INT, S(field), .number = (standard), .min = (least), .max = (most), \
        .where = #field ": " #least " to " #most                                                           \
    }

/* clang-format off: a row a line, or two where it must be. */
static const struct member top_members[] = {
    { .name = "state", .type = MEMBER_PATH, .required = true, S(state), .where = "state" PATH_WORDS },
    { .name = "keys" },
    { .name = "ek_roots" },
    { .name = "tls" },
    INT_ROW(interval_s, 10, 1, 100),
    INT_ROW(jitter_percent, 10, 0, 50),
    INT_ROW(timeout_ms, 5000, 100, 30000),
    INT_ROW(result_s, 30, 1, 300),
    INT_ROW(lease_s, 30, 1, 300),
    INT_ROW(connections, 32, 1, 256),
    { .name = "strict_clock" },
    { .name = "instances" },
};
static const struct member token_members[] = {
    { .name = "module", .type = MEMBER_PATH, .required = true, K(module), .where = "keys: module" PATH_WORDS },
    { .name = "token", .type = MEMBER_PRINT, .required = true, K(token), .where = "keys: token: label of 1 to 32 characters" },
    { .name = "pin_file",
        .type = MEMBER_NAME,
        .also = "/+@,=~:",
        .required = true,
        K(pin_file),
        .where = "keys: pin_file: absolute path, or credential:NAME" },
    { .name = "key", .type = MEMBER_PRINT, .required = true, K(key), .where = "keys: key: label of 1 to 64 characters" },
};
static const struct member chip_members[] = {
    { .name = "tpm", .type = MEMBER_PATH, .required = true, K(tpm), .where = "keys: tpm" PATH_WORDS },
    { .name = "handle",
        .type = MEMBER_NAME,
        .required = true,
        K(handle),
        .where = "keys: handle: \"0x81000000\" to \"0x817fffff\"" },
    { .name = "attestation",
        .type = MEMBER_NAME,
        K(attestation),
        .text = "0x81000a01",
        .where = "keys: attestation: \"0x81000000\" to \"0x817fffff\"" },
};
static const struct member tls_members[] = {
    { .name = "certificate", .type = MEMBER_PATH, .required = true, S(tls_certificate), .where = "tls.certificate" PATH_WORDS },
    { .name = "key", .type = MEMBER_PATH, .required = true, S(tls_key), .where = "tls.key" PATH_WORDS },
    { .name = "ca", .type = MEMBER_PATH, .required = true, S(tls_ca), .where = "tls.ca" PATH_WORDS },
};
static const struct member instance_members[] = {
    { .name = "name", .type = MEMBER_NAME, .required = true, I(name), .where = "instances: name: 1 to 64" NAME_WORDS },
    { .name = "instance", .type = MEMBER_NAME, I(instance), .where = "instances: instance: 1 to 64" NAME_WORDS },
    { .name = "domain", .type = MEMBER_NAME, .required = true, I(domain), .where = "instances: domain: 1 to 128" NAME_WORDS },
    { .name = "address",
        .type = MEMBER_NAME,
        .also = ":[]",
        .required = true,
        I(address),
        .where = "instances: address: host:port, 3 to 128 characters" },
    { .name = "reference", .type = MEMBER_PATH, .required = true, I(reference), .where = "instances: reference" PATH_WORDS },
    { .name = "policy_key" },
    { .name = "ledger" },
    { .name = "firmware_log" },
    { .name = "ima" },
};
/* clang-format on */

static result key_read(const json_t *o, struct settings_key *k, const char **ret_where)
{
    static const char unknown[] = "keys: module, token, pin_file and key; or tpm, handle and attestation";
    bool chip = json_has(o, "tpm");
    TRY(chip ? members_read(o, MEMBERS(chip_members), k, unknown, ret_where)
             : members_read(o, MEMBERS(token_members), k, unknown, ret_where));
    struct signer_place place = settings_place(k);
    const char *wrong = signer_place_wrong(&place, false);
    return wrong ? no_config(wrong, ret_where) : OK;
}

static result keys_read(const json_t *o, struct settings *s, const char **ret_where)
{
    static const char *const names[] = { "result", "lease", NULL };
    if (!is_ok(json_closed(o, names)))
        return no_config("keys: an object of result and lease", ret_where);
    TRY(key_read(json_object_get(o, "result"), &s->result_key, ret_where));
    return key_read(json_object_get(o, "lease"), &s->lease_key, ret_where);
}

static result roots_read(const json_t *o, struct settings *s, const char **ret_where)
{
    static const char where[] = "ek_roots: 1 to 64 absolute paths of PEM files";
    const json_t *list;
    json_t *path;
    size_t i;
    if (!is_ok(json_array_at(o, "ek_roots", 1, SETTINGS_ROOTS, &list)))
        return no_config(where, ret_where);
    json_array_foreach (list, i, path) {
        struct span text = span_text(json_string_value(path));
        if (!is_plain_path(text) || !is_ok(span_copy_text(text, s->root[s->roots], sizeof s->root[0])))
            return no_config(where, ret_where);
        s->roots++;
    }
    return OK;
}

static result ledger_read(const json_t *o, struct settings_instance *i, const char **ret_where)
{
    const char *word = "local";
    if (json_has(o, "ledger") && !is_ok(json_text(o, "ledger", 6, &word)))
        word = "";
    i->local = span_is(span_text(word), "local");
    return i->local || span_is(span_text(word), "shared") ? OK : no_config("instances: ledger: local or shared", ret_where);
}

/* "required" or "optional": whether an instance without that event log can be affirmed. */
static result need_read(const json_t *o, const char *name, const char *where, bool *ret, const char **ret_where)
{
    const char *word = "optional";
    if (json_has(o, name) && !is_ok(json_text(o, name, 8, &word)))
        word = "";
    *ret = span_is(span_text(word), "required");
    return *ret || span_is(span_text(word), "optional") ? OK : no_config(where, ret_where);
}

static result instance_read(const json_t *o, struct settings *s, const char **ret_where)
{
    struct settings_instance *i = &s->instance[s->instances];
    TRY(members_read(
        o, MEMBERS(instance_members), i, "instances: objects with no other members than seb-verifier(1) has", ret_where));
    if (!i->instance[0])
        TRY(span_copy_text(span_text(i->name), i->instance, sizeof i->instance));
    if (!is_host_port(span_text(i->address), true))
        return no_config("instances: address: host:port, 3 to 128 characters", ret_where);
    TRY(ledger_read(o, i, ret_where));
    TRY(need_read(o, "firmware_log", "instances: firmware_log: required or optional", &i->needs_firmware_log, ret_where));
    TRY(need_read(o, "ima", "instances: ima: required or optional", &i->needs_ima, ret_where));
    if (settings_named(s, i->name))
        return no_config("instances: names are distinct", ret_where);
    if (!is_ok(pubkey_from_jwk(json_object_get(o, "policy_key"), &i->policy_key)))
        return no_config("instances: policy_key: a public JWK with just the members of RFC 7638", ret_where);
    if (pubkey_alg(i->policy_key) != ALG_ES256) {
        pubkey_free(i->policy_key);
        i->policy_key = NULL;
        return no_config("instances: policy_key: a P-256 key, as TPMs verify", ret_where);
    }
    s->instances++;
    return OK;
}

static result instances_read(const json_t *o, struct settings *s, const char **ret_where)
{
    const json_t *list;
    json_t *one;
    size_t i;
    if (!is_ok(json_array_at(o, "instances", 0, SETTINGS_INSTANCES, &list)))
        return no_config("instances: an array of at most 4096 objects", ret_where);
    s->instance = calloc(json_array_size(list) + 1, sizeof *s->instance);
    if (!s->instance)
        return no_config(code_words(E_no_memory), ret_where);
    json_array_foreach (list, i, one)
        TRY(instance_read(one, s, ret_where));
    return OK;
}

static result all_read(const json_t *o, struct settings *s, const char **ret_where)
{
    static const char tls[] = "tls: an object of certificate, key and ca";
    TRY(members_read(o, MEMBERS(top_members), s, "the file: an object with no other members than seb-verifier(1) has", ret_where));
    if (json_has(o, "strict_clock") && !is_ok(json_flag(o, "strict_clock", &s->strict_clock)))
        return no_config("strict_clock: true or false", ret_where);
    /* Or the broker would stand without one between any two. */
    if (s->interval_s >= s->result_s || s->interval_s >= s->lease_s)
        return no_config("interval_s: less than result_s and lease_s", ret_where);
    TRY(keys_read(json_object_get(o, "keys"), s, ret_where));
    TRY(roots_read(o, s, ret_where));
    TRY(members_read(json_object_get(o, "tls"), MEMBERS(tls_members), s, tls, ret_where));
    return instances_read(o, s, ret_where);
}

result settings_parse(struct span text, struct settings **ret, const char **ret_where)
{
    AUTO_JSON *o = NULL;
    result r = json_strict(text, SETTINGS_MAX, &o);
    if (!is_ok(r))
        return no_config(code_words(code_of(r)), ret_where);
    AUTO_SETTINGS *s = calloc(1, sizeof *s);
    if (!s)
        return no_config(code_words(E_no_memory), ret_where);
    TRY(all_read(o, s, ret_where));
    *ret = s;
    s = NULL;
    return OK;
}

result settings_load(const char *path, struct settings **ret, const char **ret_where)
{
    AUTO_BUF text = BUF(SETTINGS_MAX);
    TRY(config_file_read(path, SETTINGS_MAX, &text, ret_where));
    return settings_parse(buf_span(&text), ret, ret_where);
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->instances; i++)
        pubkey_free(s->instance[i].policy_key);
    free(s->instance);
    free(s);
}

void settings_free_pointer(struct settings **s)
{
    settings_free(*s);
    *s = NULL;
}

const struct settings_instance *settings_named(const struct settings *s, const char *name)
{
    for (unsigned i = 0; i < s->instances; i++)
        if (span_is(span_text(name), s->instance[i].name))
            return &s->instance[i];
    return NULL;
}

static const char *given(const char *text)
{
    return text[0] ? text : NULL;
}

struct signer_place settings_place(const struct settings_key *k)
{
    return (struct signer_place){
        .module = given(k->module),
        .token = given(k->token),
        .pin_file = given(k->pin_file),
        .key = given(k->key),
        .tpm = given(k->tpm),
        .handle = given(k->handle),
        .attestation = given(k->attestation),
    };
}
