#include "config.h"

#include "sebctl/setup.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/policy_digest.h"

#define ORIGIN_MAX 256
#define LABEL_MAX 96

static void setup_free(struct setup *s)
{
    for (unsigned n = KEYS; n-- > 0;)
        hsm_close(s->key[n]); /* the attestation key last: the others were proved by it */
    p11_close(s->token);
    tpm_guard_free(s->guard);
    tpm_close(s->tpm);
    instance_free(&s->recorded);
}

static result make_keys_folder(const struct config *c)
{
    AUTO_BUF path = BUF(512);
    TRY(config_state_path(c, "keys", &path));
    return mkdir((const char *)path.p, 0700) == 0 || errno == EEXIST ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

result setup_run(struct sebctl_args *a, result (*run)(struct setup *s))
{
    struct setup s = { .args = a, .config = a->config };
    const char *where = NULL;
    int lock;
    result r = place_make(a->config, &where);
    if (!is_ok(r)) {
        a->about = where;
        return r;
    }
    a->about = a->config->run_dir;
    TRY(place_lock(a->config, 0, &lock));
    r = make_keys_folder(a->config);
    if (is_ok(r))
        r = run(&s);
    setup_free(&s);
    close(lock);
    return r; /* cppcheck-suppress returnDanglingLifetime ; a result holds no pointer */
}

result setup_look(struct setup *s)
{
    s->args->about = "instance.json";
    result r = instance_load(s->config, &s->recorded);
    s->known = is_ok(r);
    return code_of(r) == E_key_missing ? OK : r;
}

result setup_open_tpm(struct setup *s)
{
    int fd;
    enum tpm_transport transport;
    s->args->about = s->config->tpm;
    TRY(tpm_connect(s->config->tpm, &fd, &transport));
    return tpm_open(fd, transport, &s->tpm);
}

result setup_pem(const struct setup *s, const char *name, struct buf *out)
{
    TRY(buf_printf(out, "%s/keys/%s", s->config->state_dir, name));
    return buf_u8(out, 0);
}

uint32_t setup_handle(const struct config *c, unsigned which)
{
    return which == ATTESTATION ? c->handle_attestation : which == RECORD ? c->handle_record : c->handle_mint;
}

/* docs/attestation.md, "Approval": what is approved is for this TPM and this log alone. */
static result open_guard(struct setup *s)
{
    const struct config *c = s->config;
    uint8_t name[TPM_NAME_SIZE];
    struct digest ref;
    AUTO_BUF origin = BUF(ORIGIN_MAX);
    TRY(config_origin(c, &origin));
    TRY(buf_u8(&origin, 0));
    TRY(tpm_key_name(s->key[ATTESTATION], name));
    TRY(policy_ref((const char *)origin.p, name, &ref));
    TRY(tpm_guard_new(s->tpm, c->policy_key, (unsigned)c->measured_pcr, c->nv_epoch, &s->guard));
    return tpm_guard_ref(s->guard, &ref);
}

result setup_open_key(struct setup *s, unsigned which, uint32_t handle)
{
    hsm_close(s->key[which]);
    s->key[which] = NULL;
    if (which != ATTESTATION)
        return tpm_signing_key(s->tpm, handle, s->key[ATTESTATION], s->guard, &s->key[which]);
    TRY(tpm_attestation_key(s->tpm, handle, &s->key[which]));
    return open_guard(s);
}

static result open_token(struct setup *s)
{
    const struct config *c = s->config;
    s->args->about = c->module;
    return p11_open(&(struct p11_args){ .module = c->module, .token = c->token, .pin_file = c->pin_file }, &s->token);
}

/* As the keeper names it when it makes the mint key of another epoch than the first. */
static result epoch_label(const struct setup *s, struct buf *out)
{
    TRY(buf_printf(out, "%s.%lld", s->config->mint_label, (long long)s->recorded.mint_epoch));
    return buf_u8(out, 0);
}

result setup_hsm_key(struct setup *s, bool make)
{
    const char *label = s->config->mint_label;
    AUTO_BUF newest = BUF(LABEL_MAX);
    TRY(open_token(s));
    s->args->about = label;
    if (s->known && s->recorded.mint_epoch >= 0) {
        TRY(epoch_label(s, &newest));
        result r = p11_key(s->token, (const char *)newest.p, &s->key[MINT]);
        if (code_of(r) != E_key_missing && code_of(r) != E_bad_value)
            return r;
    }
    if (make)
        TRY(p11_provision(s->token, label, &s->made[MINT]));
    return p11_key(s->token, label, &s->key[MINT]);
}

result setup_counter(struct setup *s, bool *ret_made)
{
    s->args->about = "tpm.nv.epoch";
    return tpm_counter_define(s->tpm, s->config->nv_epoch, ret_made);
}

result setup_anchor(struct setup *s, bool *ret_made)
{
    s->args->about = "tpm.nv.anchor";
    return tpm_anchor_define(s->tpm, s->config->nv_anchor, tpm_guard_key_policy(s->guard), ret_made);
}

result setup_pin(struct setup *s, bool again, bool *ret_made)
{
    AUTO_SECRET *pin = NULL;
    const struct digest *policy = tpm_guard_key_policy(s->guard);
    s->args->about = "tpm.handles.pin";
    result r = tpm_sealed(s->tpm, s->config->handle_pin, policy);
    *ret_made = again || code_of(r) == E_key_missing;
    if (!*ret_made)
        return r;
    s->args->about = "mint_key.pin_file";
    TRY(p11_pin_read(s->config->pin_file, &pin));
    s->args->about = "tpm.handles.pin";
    return tpm_seal(s->tpm, s->config->handle_pin, policy, pin, again);
}

static result put_identity(const struct config *c, json_t *o)
{
    AUTO_BUF origin = BUF(ORIGIN_MAX);
    TRY(config_origin(c, &origin));
    TRY(json_put_text(o, "domain", c->domain));
    TRY(json_put_text(o, "instance", c->instance));
    return json_put_span(o, "origin", buf_span(&origin));
}

static result print_json(const struct setup *s, bool changed)
{
    AUTO_JSON *o = json_object();
    json_t *keys = json_object();
    TRY(json_put_new(o, "keys", keys));
    TRY(put_identity(s->config, o));
    TRY(json_put_flag(o, "changed", changed));
    for (unsigned n = 0; n < KEYS; n++) {
        json_t *key = json_object(), *jwk = NULL;
        TRY(json_put_new(keys, instance_roles[n], key));
        TRY(json_put_text(key, "backend", hsm_backend(s->key[n])));
        TRY(json_put_digest(key, "kid", pubkey_thumbprint(hsm_public(s->key[n]))));
        TRY(json_put_flag(key, "made", s->made[n]));
        TRY(pubkey_jwk(hsm_public(s->key[n]), &jwk));
        TRY(json_put_new(key, "jwk", jwk));
    }
    return sebctl_print_json(o);
}

result setup_print(const struct setup *s, bool changed, const char *what)
{
    AUTO_BUF out = BUF(4096);
    const struct config *c = s->config;
    s->args->about = "standard output";
    if (s->args->value[OPT_JSON])
        return print_json(s, changed);
    TRY(buf_printf(&out, "%s/%s: %s\n", c->domain, c->instance, what));
    for (unsigned n = 0; n < KEYS; n++) {
        char kid[DIGEST_TEXT + 1];
        digest_text(pubkey_thumbprint(hsm_public(s->key[n])), kid);
        TRY(buf_printf(
            &out, "%-12s %s  %s, %s\n", instance_roles[n], kid, hsm_backend(s->key[n]), s->made[n] ? "made now" : "was there"));
    }
    return sebctl_print(buf_span(&out));
}
