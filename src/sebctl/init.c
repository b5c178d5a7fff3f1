#include "config.h"

#include "sebctl/setup.h"

#include <stdio.h>
#include <unistd.h>

/* What init once recorded is what the log's auditors know: in its place no new key is made, only the same one put back from its
 * blobs (they fit this TPM alone). */
static result tpm_key(struct setup *s, unsigned which, uint32_t handle, const char *pem)
{
    static const enum tpm_role roles[KEYS] = { TPM_ATTESTATION, TPM_RECORD, TPM_MINT };
    const struct digest *policy = which == ATTESTATION ? NULL : tpm_guard_key_policy(s->guard);
    s->args->about = instance_roles[which];
    if (!s->known || access(pem, F_OK) == 0)
        TRY(tpm_provision(s->tpm, roles[which], handle, pem, policy, &s->made[which]));
    return setup_open_key(s, which, handle);
}

static result first_key(struct setup *s, unsigned which)
{
    AUTO_BUF pem = BUF(512), name = BUF(32);
    TRY(buf_printf(&name, "%s.pem", instance_roles[which]));
    TRY(buf_u8(&name, 0));
    TRY(setup_pem(s, (const char *)name.p, &pem));
    return tpm_key(s, which, setup_handle(s->config, which), (const char *)pem.p);
}

static bool is_recorded(const struct setup *s, unsigned which)
{
    return s->key[which] && pubkey_equal(hsm_public(s->key[which]), s->recorded.key[which]);
}

/* The keeper makes a mint key for each further epoch, at two handles in turn. */
static result found_mint_key(struct setup *s, bool *ret_found)
{
    const uint32_t pair[] = { s->config->handle_mint, s->config->handle_mint_other };
    for (unsigned i = 0; i < 2 && !is_recorded(s, MINT); i++) {
        result r = setup_open_key(s, MINT, pair[i]);
        if (code_of(r) != E_key_missing)
            TRY(r);
    }
    *ret_found = is_recorded(s, MINT);
    return OK;
}

/* Evicted: put back from the blobs of its epoch, or of the first. */
static result restore_mint_key(struct setup *s)
{
    AUTO_BUF name = BUF(64), pem = BUF(512);
    TRY(buf_printf(&name, "mint.%lld.pem", (long long)s->recorded.mint_epoch));
    TRY(buf_u8(&name, 0));
    TRY(config_state_path(s->config, (const char *)name.p, &pem));
    if (s->recorded.mint_epoch < 0 || access((const char *)pem.p, F_OK) != 0)
        return first_key(s, MINT);
    return tpm_key(s, MINT, s->config->handle_mint, (const char *)pem.p);
}

static result mint_key(struct setup *s)
{
    bool found = false;
    if (s->config->mint_in_hsm)
        return setup_hsm_key(s, !s->known);
    s->args->about = instance_roles[MINT];
    if (!s->known)
        return first_key(s, MINT);
    TRY(found_mint_key(s, &found));
    return found ? OK : restore_mint_key(s);
}

static result check_recorded(struct setup *s)
{
    for (unsigned n = 0; n < KEYS; n++)
        if (!is_recorded(s, n)) {
            s->args->about = instance_roles[n];
            return fail(E_key_mismatch);
        }
    return OK;
}

static result record(struct setup *s, bool *ret_made)
{
    struct instance now = { .mint_epoch = INSTANCE_NO_EPOCH };
    snprintf(now.domain, sizeof now.domain, "%s", s->config->domain);
    snprintf(now.instance, sizeof now.instance, "%s", s->config->instance);
    for (unsigned n = 0; n < KEYS; n++)
        now.key[n] = hsm_public(s->key[n]); /* borrowed */
    s->args->about = "instance.json";
    return instance_write(s->config, &now, ret_made);
}

/* The attestation key comes first: what the others are bound to names it. */
static result init(struct setup *s)
{
    bool counter = false, anchor = false, pin = false, wrote = false;
    TRY(setup_look(s));
    TRY(setup_open_tpm(s));
    TRY(first_key(s, ATTESTATION));
    if (s->known && !is_recorded(s, ATTESTATION))
        return fail(E_key_mismatch); /* before anything is made in a TPM that isn't ours */
    TRY(setup_counter(s, &counter));
    TRY(first_key(s, RECORD));
    TRY(mint_key(s));
    TRY(s->known ? check_recorded(s) : OK);
    TRY(setup_anchor(s, &anchor));
    if (s->config->mint_in_hsm)
        TRY(setup_pin(s, !s->known, &pin));
    if (!s->known)
        TRY(record(s, &wrote));
    bool changed = counter || anchor || pin || wrote || s->made[ATTESTATION] || s->made[RECORD] || s->made[MINT];
    return setup_print(s, changed, changed ? "initialized" : "was initialized before, nothing changed");
}

result sebctl_init(struct sebctl_args *a)
{
    return setup_run(a, init);
}
