#include <config.h>

#include "config/config.h"
#include "config/config_target.h"
#include "config/config_tpm.h"
#include "config/member.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define C(field) FIELD(struct config, field)
#define NAME_WORDS " of A-Z a-z 0-9 . _ -"
#define PATH_WORDS(most) ": absolute path of at most " most " bytes"
#define INT_ROW(field, standard, least, most)                                                              \
    {                                                                                                      \
        .name = #field, .type = MEMBER_INT, C(field), .number = (standard), .min = (least), .max = (most), \
        .where = "limits." #field ": " #least " to " #most                                                 \
    }
#define VERIFIER_PATH_ROW(member)                                                     \
    {                                                                                 \
        .name = #member, .type = MEMBER_PATH, .required = true, C(verifier_##member), \
        .where = "bus.verifier." #member PATH_WORDS("255")                            \
    }

/* clang-format off: a row a line, or two where it must be. */
static const struct member top_members[] = {
    { .name = "domain", .type = MEMBER_NAME, .required = true, C(domain), .where = "domain: 1 to 128" NAME_WORDS },
    { .name = "instance", .type = MEMBER_NAME, .required = true, C(instance), .where = "instance: 1 to 64" NAME_WORDS },
    { .name = "state_dir", .type = MEMBER_PATH, C(state_dir), .text = "/var/lib/seb", .where = "state_dir" PATH_WORDS("199") },
    { .name = "run_dir", .type = MEMBER_PATH, C(run_dir), .text = "/run/seb", .where = "run_dir" PATH_WORDS("95") },
    { .name = "bus" },
    { .name = "limits" },
    { .name = "tpm" },
    { .name = "mint_key" },
    { .name = "pinned" },
    { .name = "targets" },
};
static const struct member bus_members[] = {
    { .name = "agents_socket", .type = MEMBER_PATH, C(agents_socket), .where = "bus.agents_socket" PATH_WORDS("107") },
    { .name = "admin_socket", .type = MEMBER_PATH, C(admin_socket), .where = "bus.admin_socket" PATH_WORDS("107") },
    { .name = "agents_group",
        .type = MEMBER_NAME,
        C(agents_group),
        .where = "bus.agents_group: a group's name, 1 to 32" NAME_WORDS },
    { .name = "verifier" },
};
static const struct member verifier_members[] = {
    { .name = "listen",
        .type = MEMBER_NAME,
        .also = ":[]*",
        .required = true,
        C(verifier_listen),
        .where = "bus.verifier.listen: host:port" },
    VERIFIER_PATH_ROW(certificate),
    VERIFIER_PATH_ROW(key),
    VERIFIER_PATH_ROW(ca),
};
static const struct member limit_members[] = {
    INT_ROW(pipes, 256, 1, 4096),
    INT_ROW(in_flight_per_uid, 256, 1, 4096),
    INT_ROW(rate_per_s_per_uid, 2000, 1, 100000),
    INT_ROW(in_flight_per_agent, 16, 1, 1024),
    INT_ROW(refusals_per_minute_per_agent, 120, 1, 100000),
    INT_ROW(anchor_every, 4096, 1, 100000000),
};
static const struct member mint_in_tpm_members[] = {
    { .name = "backend" },
};
static const struct member mint_in_hsm_members[] = {
    { .name = "backend" },
    { .name = "module", .type = MEMBER_PATH, .required = true, C(module), .where = "mint_key.module" PATH_WORDS("255") },
    { .name = "token", .type = MEMBER_PRINT, .required = true, C(token), .where = "mint_key.token: label of 1 to 32 characters" },
    { .name = "pin_file",
        .type = MEMBER_NAME,
        .also = "/+@,=~:",
        .required = true,
        C(pin_file),
        .where = "mint_key.pin_file: absolute path, or credential:NAME" },
    { .name = "label", .type = MEMBER_PRINT, C(mint_label), .text = "seb-mint", .where = "mint_key.label: 1 to 64 characters" },
    { .name = "sessions",
        .type = MEMBER_INT,
        C(hsm_sessions),
        .number = 2,
        .min = 1,
        .max = 16,
        .where = "mint_key.sessions: 1 to 16" },
};
/* clang-format on */

/* The object of that name; an empty one where it is missing and everything in it may be. */
static result object_or_empty(
    const json_t *o, const char *name, const json_t *empty, const char *where, const json_t **ret, const char **ret_where)
{
    *ret = json_has(o, name) ? json_object_get(o, name) : empty;
    return json_is_object(*ret) ? OK : no_config(where, ret_where);
}

static result socket_standard(const struct config *c, const char *name, char *field, size_t room)
{
    AUTO_BUF path = BUF(room - 1);
    TRY(buf_printf(&path, "%s/%s", c->run_dir, name));
    return span_copy(buf_span(&path), field, path.n); /* zeroed by calloc: the NUL is there */
}

static result verifier_read(const json_t *o, struct config *c, const char **ret_where)
{
    c->has_verifier_door = json_has(o, "verifier");
    if (!c->has_verifier_door)
        return OK;
    TRY(members_read(json_object_get(o, "verifier"), MEMBERS(verifier_members), c,
        "bus.verifier: an object of ca, certificate, key and listen", ret_where));
    return is_host_port(span_text(c->verifier_listen), true) ? OK : no_config("bus.verifier.listen: host:port", ret_where);
}

static result bus_read(const json_t *o, struct config *c, const char **ret_where)
{
    TRY(members_read(o, MEMBERS(bus_members), c, "bus: an object with no other members than sebd.json(5) has", ret_where));
    if (!c->agents_socket[0] && !is_ok(socket_standard(c, "agents.sock", c->agents_socket, sizeof c->agents_socket)))
        return no_config("run_dir" PATH_WORDS("95"), ret_where);
    if (!c->admin_socket[0] && !is_ok(socket_standard(c, "admin.sock", c->admin_socket, sizeof c->admin_socket)))
        return no_config("run_dir" PATH_WORDS("95"), ret_where);
    if (span_is(span_text(c->agents_socket), c->admin_socket))
        return no_config("bus.admin_socket: another than bus.agents_socket", ret_where);
    return verifier_read(o, c, ret_where);
}

static result mint_key_read(const json_t *o, struct config *c, const char **ret_where)
{
    static const char unknown[] = "mint_key: an object with no other members than sebd.json(5) has for its backend";
    const char *backend;
    if (!is_ok(json_text(o, "backend", 6, &backend)))
        return no_config("mint_key.backend: tpm or pkcs11", ret_where);
    c->hsm_sessions = 1;
    if (span_is(span_text(backend), "tpm"))
        return members_read(o, MEMBERS(mint_in_tpm_members), c, unknown, ret_where);
    if (!span_is(span_text(backend), "pkcs11"))
        return no_config("mint_key.backend: tpm or pkcs11", ret_where);
    c->mint_in_hsm = true;
    TRY(members_read(o, MEMBERS(mint_in_hsm_members), c, unknown, ret_where));
    /* systemd.exec(5), LoadCredential=: a name, never a path out of the directory. */
    struct span pin = span_text(c->pin_file), head = span_part(pin, 0, 11), name = span_part(pin, 11, pin.n);
    bool credential = span_is(head, "credential:") && is_name(name, "") && !span_is(name, ".") && !span_is(name, "..");
    if (!credential && !is_plain_path(pin))
        return no_config("mint_key.pin_file: absolute path, or credential:NAME", ret_where);
    return OK;
}

static result pinned_read(const json_t *o, struct config *c, const char **ret_where)
{
    static const char *const names[] = { "policy", "revocation", NULL };
    if (!is_ok(json_closed(o, names)))
        return no_config("pinned: an object of policy and revocation", ret_where);
    if (!is_ok(pubkey_from_jwk(json_object_get(o, "policy"), &c->policy_key)))
        return no_config("pinned.policy: a public JWK with just the members of RFC 7638", ret_where);
    /* The TPM verifies approvals with it, and knows no Ed25519. */
    if (pubkey_alg(c->policy_key) != ALG_ES256)
        return no_config("pinned.policy: a P-256 key", ret_where);
    if (!is_ok(pubkey_from_jwk(json_object_get(o, "revocation"), &c->revocation_key)))
        return no_config("pinned.revocation: a public JWK with just the members of RFC 7638", ret_where);
    return OK;
}

static result read_all(const json_t *o, struct config *c, const char **ret_where)
{
    AUTO_JSON *empty = json_object();
    const json_t *part;
    TRY(members_read(o, MEMBERS(top_members), c, "the file: an object with no other members than sebd.json(5) has", ret_where));
    TRY(object_or_empty(o, "bus", empty, "bus: an object", &part, ret_where));
    TRY(bus_read(part, c, ret_where));
    TRY(object_or_empty(o, "limits", empty, "limits: an object", &part, ret_where));
    TRY(members_read(part, MEMBERS(limit_members), c, "limits: an object with no other members than sebd.json(5) has", ret_where));
    TRY(object_or_empty(o, "tpm", empty, "tpm: an object", &part, ret_where));
    TRY(tpm_read(part, c, ret_where));
    TRY(mint_key_read(json_object_get(o, "mint_key"), c, ret_where));
    if (c->mint_in_hsm)
        TRY(tpm_no_mint_key(part, c, ret_where));
    TRY(pinned_read(json_object_get(o, "pinned"), c, ret_where));
    TRY(targets_read(json_object_get(o, "targets"), c, ret_where));
    if (!is_ok(json_digest(o, &c->digest)))
        return no_config("the file: it has no RFC 8785 form", ret_where);
    return OK;
}

static void config_free_pointer(struct config **c)
{
    config_free(*c);
}

result config_parse(struct span text, struct config **ret, const char **ret_where)
{
    AUTO_JSON *o = NULL;
    result r = json_strict(text, CONFIG_MAX, &o);
    if (!is_ok(r))
        return no_config(code_words(code_of(r)), ret_where);
    __attribute__((cleanup(config_free_pointer))) struct config *c = calloc(1, sizeof *c);
    if (!c)
        return no_config(code_words(E_no_memory), ret_where);
    TRY(read_all(o, c, ret_where));
    *ret = c;
    c = NULL;
    return OK;
}

/* Whoever can write it decides what the broker trusts. */
static result check_file(const char *path, const char **ret_where)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        *ret_where = "the file can't be read";
        return fail_foreign(E_no_config, FOREIGN_ERRNO, (uint32_t)errno);
    }
    if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH))
        return no_config("the file must be a plain one, root's or yours, and writable by nobody else", ret_where);
    return OK;
}

result config_file_read(const char *path, size_t max, struct buf *out, const char **ret_where)
{
    TRY(check_file(path, ret_where));
    result r = file_read(path, max, out);
    if (is_ok(r))
        return OK;
    *ret_where = code_of(r) == E_too_long ? code_words(E_too_long) : "the file can't be read";
    return fail_foreign(E_no_config, foreign_of(r), foreign_code(r));
}

result config_load(const char *path, struct config **ret, const char **ret_where)
{
    AUTO_BUF text = BUF(CONFIG_MAX);
    TRY(config_file_read(path, CONFIG_MAX, &text, ret_where));
    return config_parse(buf_span(&text), ret, ret_where);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    pubkey_free(c->policy_key);
    pubkey_free(c->revocation_key);
    free(c);
}

result config_canonical(struct span text, struct buf *out)
{
    AUTO_JSON *o = NULL;
    TRY(json_strict(text, CONFIG_MAX, &o));
    return json_canonical(o, out);
}

const struct config_target *config_target_named(const struct config *c, const char *name)
{
    for (unsigned i = 0; i < c->targets; i++)
        if (span_is(span_text(name), c->target[i].name))
            return &c->target[i];
    return NULL;
}

result config_origin(const struct config *c, struct buf *out)
{
    return buf_printf(out, "%s/%s", c->domain, c->instance);
}

result config_state_path(const struct config *c, const char *file, struct buf *out)
{
    TRY(buf_printf(out, "%s/%s", c->state_dir, file));
    return buf_u8(out, 0);
}
