#include "config.h"

#include "sebctl/sebctl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hsm/pkcs11.h"
#include "hsm/tpm.h"

enum { ATTESTATION, RECORD, MINT, KEYS };
static const char *const key_names[KEYS] = { "attestation", "record", "mint" };

struct init {
    struct sebctl_args *args;
    const struct config *config;
    bool known; /* instance.json is there: nothing new may be made */
    struct instance recorded; /* what it holds */
    struct tpm *tpm;
    struct p11_token *token;
    struct hsm_key *key[KEYS];
    bool made[KEYS], wrote;
};

static void init_free(struct init *i)
{
    for (unsigned n = KEYS; n-- > 0;)
        hsm_close(i->key[n]); /* the attestation key last: the others were proved by it */
    p11_close(i->token);
    tpm_close(i->tpm);
    instance_free(&i->recorded);
}

static result make_keys_folder(const struct config *c)
{
    AUTO_BUF path = BUF(512);
    TRY(config_state_path(c, "keys", &path));
    return mkdir((const char *)path.p, 0700) == 0 || errno == EEXIST ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

static uint32_t handle_of(const struct config *c, unsigned which)
{
    return which == ATTESTATION ? c->handle_attestation : which == RECORD ? c->handle_record : c->handle_mint;
}

static result open_tpm_key(struct init *i, unsigned which)
{
    uint32_t handle = handle_of(i->config, which);
    return which == ATTESTATION ? tpm_attestation_key(i->tpm, handle, &i->key[which])
                                : tpm_signing_key(i->tpm, handle, i->key[ATTESTATION], NULL, &i->key[which]);
}

/* What init once recorded is what the log's auditors know: in its place no new key is made, only the same one put back from its
 * blobs (they fit this TPM alone). */
static result tpm_key(struct init *i, unsigned which)
{
    static const enum tpm_role roles[KEYS] = { TPM_ATTESTATION, TPM_RECORD, TPM_MINT };
    AUTO_BUF path = BUF(512);
    i->args->about = key_names[which];
    TRY(buf_printf(&path, "%s/keys/%s.pem", i->config->state_dir, key_names[which]));
    TRY(buf_u8(&path, 0));
    const char *pem = (const char *)path.p;
    if (i->known && access(pem, F_OK) != 0)
        return open_tpm_key(i, which);
    TRY(tpm_provision(i->tpm, roles[which], handle_of(i->config, which), pem, NULL, &i->made[which]));
    return open_tpm_key(i, which);
}

static result open_tpm(struct init *i)
{
    int fd;
    enum tpm_transport transport;
    i->args->about = i->config->tpm;
    TRY(tpm_connect(i->config->tpm, &fd, &transport));
    return tpm_open(fd, transport, &i->tpm);
}

static result hsm_mint_key(struct init *i)
{
    const struct config *c = i->config;
    i->args->about = c->module;
    TRY(p11_open(&(struct p11_args){ .module = c->module, .token = c->token, .pin_file = c->pin_file }, &i->token));
    i->args->about = c->mint_label;
    if (!i->known)
        TRY(p11_provision(i->token, c->mint_label, &i->made[MINT]));
    return p11_key(i->token, c->mint_label, &i->key[MINT]);
}

static result record(struct init *i)
{
    struct instance now = { .key = { NULL } };
    i->args->about = "instance.json";
    snprintf(now.domain, sizeof now.domain, "%s", i->config->domain);
    snprintf(now.instance, sizeof now.instance, "%s", i->config->instance);
    for (unsigned n = 0; n < KEYS; n++) {
        now.key[n] = hsm_public(i->key[n]); /* borrowed */
        if (i->known && !pubkey_equal(now.key[n], i->recorded.key[n])) {
            i->args->about = key_names[n];
            return fail(E_key_mismatch);
        }
    }
    return instance_write(i->config, &now, &i->wrote);
}

static result put_identity(const struct config *c, json_t *o)
{
    AUTO_BUF origin = BUF(256);
    TRY(config_origin(c, &origin));
    TRY(json_put_text(o, "domain", c->domain));
    TRY(json_put_text(o, "instance", c->instance));
    return json_put_span(o, "origin", buf_span(&origin));
}

static result print_json(const struct init *i, bool changed)
{
    AUTO_JSON *o = json_object();
    json_t *keys = json_object();
    TRY(json_put_new(o, "keys", keys));
    TRY(put_identity(i->config, o));
    TRY(json_put_flag(o, "changed", changed));
    for (unsigned n = 0; n < KEYS; n++) {
        json_t *key = json_object(), *jwk = NULL;
        TRY(json_put_new(keys, key_names[n], key));
        TRY(json_put_text(key, "backend", hsm_backend(i->key[n])));
        TRY(json_put_digest(key, "kid", pubkey_thumbprint(hsm_public(i->key[n]))));
        TRY(json_put_flag(key, "made", i->made[n]));
        TRY(pubkey_jwk(hsm_public(i->key[n]), &jwk));
        TRY(json_put_new(key, "jwk", jwk));
    }
    return sebctl_print_json(o);
}

static result print_lines(const struct init *i, bool changed)
{
    AUTO_BUF out = BUF(4096);
    const struct config *c = i->config;
    TRY(buf_printf(
        &out, "%s/%s: %s\n", c->domain, c->instance, changed ? "initialized" : "was initialized before, nothing changed"));
    for (unsigned n = 0; n < KEYS; n++) {
        char kid[DIGEST_TEXT + 1];
        digest_text(pubkey_thumbprint(hsm_public(i->key[n])), kid);
        TRY(buf_printf(
            &out, "%-12s %s  %s, %s\n", key_names[n], kid, hsm_backend(i->key[n]), i->made[n] ? "made now" : "was there"));
    }
    return sebctl_print(buf_span(&out));
}

static result look_for_instance(struct init *i)
{
    i->args->about = "instance.json";
    result r = instance_load(i->config, &i->recorded);
    i->known = is_ok(r);
    return code_of(r) == E_key_missing ? OK : r;
}

static result provision(struct init *i)
{
    TRY(look_for_instance(i));
    TRY(make_keys_folder(i->config));
    TRY(open_tpm(i));
    TRY(tpm_key(i, ATTESTATION));
    TRY(tpm_key(i, RECORD));
    TRY(i->config->mint_in_hsm ? hsm_mint_key(i) : tpm_key(i, MINT));
    TRY(record(i));
    bool changed = i->wrote || i->made[ATTESTATION] || i->made[RECORD] || i->made[MINT];
    i->args->about = "standard output";
    return i->args->value[OPT_JSON] ? print_json(i, changed) : print_lines(i, changed);
}

result sebctl_init(struct sebctl_args *a)
{
    struct init i = { .args = a, .config = a->config };
    const char *where = NULL;
    int lock;
    result r = place_make(a->config, &where);
    if (!is_ok(r)) {
        a->about = where;
        return r;
    }
    a->about = a->config->run_dir;
    TRY(place_lock(a->config, 0, &lock));
    r = provision(&i);
    init_free(&i);
    close(lock);
    return r;
}
