/* Puts new keys in the place of those that no policy binds, of those that another policy authority's approvals bind, and of all
 * keys of a TPM that was replaced. In an order that can be cut off anywhere and run again: the new keys' blobs, rekey.json, the
 * handles, instance.json. The old public keys stay in instance.json, and rekey.json becomes the log's entry at the next start. */
#include "config.h"

#include "sebctl/setup.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/jws.h"

#define REKEY_FILE "rekey.json" /* in state_dir */
#define STATEMENT_FILE "rekey.jws" /* beside it, where it names one */
#define REKEY_MAX 65536
#define REKEY_MODE 0644

struct rekey {
    struct setup *setup;
    struct pubkey *old[KEYS], *new[KEYS]; /* held */
    bool replaces[KEYS];
    bool pending; /* rekey.json is there, of a rekey that no broker has seen yet */
    struct digest pending_old[KEYS], pending_new[KEYS]; /* kids */
};

static void keys_free(struct pubkey *key[KEYS])
{
    for (unsigned n = 0; n < KEYS; n++)
        pubkey_free(key[n]);
}

static void rekey_free(struct rekey *k)
{
    keys_free(k->old);
    keys_free(k->new);
}
#define AUTO_REKEY __attribute__((cleanup(rekey_free))) struct rekey

/* keys/ROLE.pem, and keys/ROLE.next.pem until it takes its place. */
static result blob_path(const struct rekey *k, unsigned which, const char *end, struct buf *out)
{
    AUTO_BUF name = BUF(64);
    TRY(buf_printf(&name, "%s%s", instance_roles[which], end));
    TRY(buf_u8(&name, 0));
    return setup_pem(k->setup, (const char *)name.p, out);
}

static bool is_there(const struct buf *path)
{
    return access((const char *)path->p, F_OK) == 0;
}

static result move(const struct buf *from, const struct buf *to)
{
    return rename((const char *)from->p, (const char *)to->p) == 0 ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* The blob of a key that a run which was cut off made for another TPM, or another authority, than there is now. */
static result forget_unused(const struct buf *next)
{
    return unlink((const char *)next->p) == 0 ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* rekey.json. */

static void kids_of(struct pubkey *const key[KEYS], struct digest ret[KEYS])
{
    for (unsigned n = 0; n < KEYS; n++)
        ret[n] = *pubkey_thumbprint(key[n]);
}

static bool kids_are(const struct digest kid[KEYS], struct pubkey *const key[KEYS])
{
    for (unsigned n = 0; n < KEYS; n++)
        if (!digest_equal(&kid[n], pubkey_thumbprint(key[n])))
            return false;
    return true;
}

static result kids_read(const json_t *o, const char *member, struct digest ret[KEYS])
{
    const json_t *kids;
    TRY(json_object_at(o, member, &kids));
    for (unsigned n = 0; n < KEYS; n++)
        TRY(json_digest_at(kids, instance_roles[n], &ret[n]));
    return OK;
}

static result kids_put(json_t *o, const char *member, const struct digest kid[KEYS])
{
    json_t *kids = json_object();
    TRY(json_put_new(o, member, kids));
    for (unsigned n = 0; n < KEYS; n++)
        TRY(json_put_digest(kids, instance_roles[n], &kid[n]));
    return OK;
}

static result pending_read(struct rekey *k)
{
    static const char *const names[] = { "new", "old", "statement", NULL };
    AUTO_BUF path = BUF(512), text = BUF(REKEY_MAX);
    AUTO_JSON *o = NULL;
    k->setup->args->about = REKEY_FILE;
    TRY(config_state_path(k->setup->config, REKEY_FILE, &path));
    k->pending = is_there(&path);
    if (!k->pending)
        return OK;
    TRY(file_read((const char *)path.p, REKEY_MAX, &text));
    TRY(json_strict(buf_span(&text), REKEY_MAX, &o));
    TRY(json_closed(o, names));
    TRY(kids_read(o, "old", k->pending_old));
    TRY(kids_read(o, "new", k->pending_new));
    /* Of another instance.json, as of a copy that was put back: which key followed which is for a person to find out. */
    bool ours = kids_are(k->pending_old, k->setup->recorded.key) || kids_are(k->pending_new, k->setup->recorded.key);
    return ours ? OK : fail(E_key_mismatch);
}

/* No broker has seen the keys in between: the log goes from the first to the last. */
static result pending_write(struct rekey *k, const struct digest *statement)
{
    AUTO_BUF path = BUF(512), text = BUF(REKEY_MAX);
    AUTO_JSON *o = json_object();
    struct digest old[KEYS], new[KEYS];
    kids_of(k->old, old);
    kids_of(k->new, new);
    k->setup->args->about = REKEY_FILE;
    TRY(kids_put(o, "old", k->pending ? k->pending_old : old));
    TRY(kids_put(o, "new", new));
    TRY(statement ? json_put_digest(o, "statement", statement) : json_put_new(o, "statement", json_null()));
    TRY(json_canonical(o, &text));
    TRY(buf_u8(&text, '\n'));
    TRY(config_state_path(k->setup->config, REKEY_FILE, &path));
    return file_write((const char *)path.p, buf_span(&text), REKEY_MODE, true);
}

/* Which keys stay. */

static bool is_recorded(const struct rekey *k, unsigned which)
{
    const struct setup *s = k->setup;
    return s->key[which] && pubkey_equal(hsm_public(s->key[which]), s->recorded.key[which]);
}

/* By a rekey that was cut off. */
static bool is_pending(const struct rekey *k, unsigned which)
{
    const struct setup *s = k->setup;
    return k->pending && s->key[which] && digest_equal(pubkey_thumbprint(hsm_public(s->key[which])), &k->pending_new[which]) &&
           !is_recorded(k, which);
}

/* A blob that only another TPM can load, or a handle that is empty and has no blob: this TPM takes another's place. Anything else
 * at the handle is somebody's: it is for a person to take away. */
static result attestation_key(struct rekey *k)
{
    struct setup *s = k->setup;
    const uint32_t handle = s->config->handle_attestation;
    AUTO_BUF pem = BUF(512), next = BUF(512);
    result r = OK;
    s->args->about = instance_roles[ATTESTATION];
    TRY(blob_path(k, ATTESTATION, ".pem", &pem));
    TRY(blob_path(k, ATTESTATION, ".next.pem", &next));
    bool replaced = is_there(&next);
    if (!replaced && is_there(&pem))
        r = tpm_provision(s->tpm, TPM_ATTESTATION, handle, (const char *)pem.p, NULL, &s->made[ATTESTATION]);
    if (!replaced && is_ok(r))
        r = setup_open_key(s, ATTESTATION, handle);
    replaced |= code_of(r) == E_key_other_tpm || code_of(r) == E_key_missing;
    if (replaced) {
        r = tpm_provision(s->tpm, TPM_ATTESTATION, handle, (const char *)next.p, NULL, &s->made[ATTESTATION]);
        if (code_of(r) == E_key_other_tpm) {
            TRY(forget_unused(&next));
            r = tpm_provision(s->tpm, TPM_ATTESTATION, handle, (const char *)next.p, NULL, &s->made[ATTESTATION]);
        }
        TRY(r);
        r = setup_open_key(s, ATTESTATION, handle);
    }
    TRY(r);
    k->replaces[ATTESTATION] = replaced || is_pending(k, ATTESTATION);
    return k->replaces[ATTESTATION] || is_recorded(k, ATTESTATION) ? OK : fail(E_key_mismatch);
}

static bool is_unbound(enum seb_code code)
{
    return code == E_key_without_policy || code == E_key_other_policy || code == E_key_missing || code == E_key_other_tpm;
}

/* An evicted key comes back from its blob, where it is bound as it should be. */
static result restore(struct rekey *k, unsigned which)
{
    struct setup *s = k->setup;
    AUTO_BUF pem = BUF(512);
    TRY(blob_path(k, which, ".pem", &pem));
    if (!is_there(&pem))
        return fail(E_key_missing);
    return tpm_provision(s->tpm, which == RECORD ? TPM_RECORD : TPM_MINT, setup_handle(s->config, which), (const char *)pem.p,
        tpm_guard_key_policy(s->guard), &s->made[which]);
}

/* The recorded key, bound to the guard's policy, at one of the handles; else it is replaced. */
static result bound_key(struct rekey *k, unsigned which, const uint32_t *handle, unsigned handles)
{
    struct setup *s = k->setup;
    result r = k->replaces[ATTESTATION] ? fail(E_key_missing) : restore(k, which);
    s->args->about = instance_roles[which];
    if (!is_ok(r) && !is_unbound(code_of(r)) && code_of(r) != E_key_mismatch)
        return r;
    for (unsigned i = 0; i < handles && !is_recorded(k, which) && !is_pending(k, which); i++) {
        r = setup_open_key(s, which, handle[i]);
        if (!is_ok(r) && !is_unbound(code_of(r)))
            return r;
    }
    k->replaces[which] = !is_recorded(k, which);
    return OK;
}

static result look_at_keys(struct rekey *k)
{
    struct setup *s = k->setup;
    const struct config *c = s->config;
    const uint32_t mint[] = { c->handle_mint, c->handle_mint_other };
    TRY(attestation_key(k));
    TRY(bound_key(k, RECORD, &c->handle_record, 1));
    if (!c->mint_in_hsm)
        return bound_key(k, MINT, mint, 2);
    TRY(setup_hsm_key(s, true));
    k->replaces[MINT] = !is_recorded(k, MINT);
    return OK;
}

static result make_blob(struct rekey *k, unsigned which, const struct buf *next)
{
    struct setup *s = k->setup;
    return tpm_make_blob(
        s->tpm, which == RECORD ? TPM_RECORD : TPM_MINT, (const char *)next->p, tpm_guard_key_policy(s->guard), &k->new[which]);
}

/* The new keys, as blobs beside the old ones. */
static result make_new_keys(struct rekey *k)
{
    struct setup *s = k->setup;
    for (unsigned n = 0; n < KEYS; n++) {
        AUTO_BUF next = BUF(512);
        k->old[n] = pubkey_hold(s->recorded.key[n]);
        if (n == ATTESTATION || !k->replaces[n] || is_pending(k, n) || (n == MINT && s->config->mint_in_hsm)) {
            k->new[n] = pubkey_hold(hsm_public(s->key[n]));
            continue;
        }
        s->args->about = instance_roles[n];
        TRY(blob_path(k, n, ".next.pem", &next));
        result r = make_blob(k, n, &next);
        if (code_of(r) == E_key_other_policy) {
            TRY(forget_unused(&next));
            r = make_blob(k, n, &next);
        }
        TRY(r);
    }
    return OK;
}

/* docs/attestation.md, "Rekey statement": the old record key says which keys follow it, as long as it signs without a policy. */

static result put_keys(json_t *o, const char *member, struct pubkey *const key[KEYS])
{
    json_t *keys = json_object();
    TRY(json_put_new(o, member, keys));
    for (unsigned n = 0; n < KEYS; n++) {
        json_t *jwk = NULL;
        TRY(pubkey_jwk(key[n], &jwk));
        TRY(json_put_new(keys, instance_roles[n], jwk));
    }
    return OK;
}

static result statement_payload(const struct rekey *k, struct buf *out)
{
    AUTO_JSON *o = json_object();
    TRY(json_put_text(o, "domain", k->setup->config->domain));
    TRY(json_put_text(o, "instance", k->setup->config->instance));
    TRY(put_keys(o, "new", k->new));
    TRY(put_keys(o, "old", k->old));
    TRY(json_put_text(o, "use", "rekey"));
    return json_canonical(o, out);
}

static result statement_text(const struct rekey *k, struct hsm_key *record, struct buf *out)
{
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), input = BUF(JWS_TEXT_MAX), header = BUF(JWS_HEADER_MAX);
    const struct pubkey *key = hsm_public(record);
    uint8_t raw[SIGNATURE_SIZE];
    TRY(statement_payload(k, &payload));
    TRY(jws_header(key, TYP_KEY_STATEMENT, &header));
    TRY(jws_signing_input(key, TYP_KEY_STATEMENT, buf_span(&payload), &input));
    struct digest d = sha256(buf_span(&input));
    TRY(hsm_sign(record, &d, raw));
    const struct jws j = {
        .payload = buf_span(&payload),
        .n = 1,
        .sig = { { .kid = *pubkey_thumbprint(key), .protected_ = buf_span(&header), .signature = SPAN(raw) } },
    };
    return jws_write(&j, out);
}

static result statement_write(const struct rekey *k, struct hsm_key *record, struct digest *ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX), path = BUF(512);
    TRY(statement_text(k, record, &text));
    TRY(config_state_path(k->setup->config, STATEMENT_FILE, &path));
    TRY(file_write((const char *)path.p, buf_span(&text), REKEY_MODE, true));
    *ret = sha256(buf_span(&text));
    return OK;
}

/* *ret_stated: it did. Of keys that no broker has seen in between it says nothing. */
static result state(struct rekey *k, bool *ret_stated, struct digest *ret)
{
    struct setup *s = k->setup;
    struct hsm_key *record = NULL;
    *ret_stated = false;
    if (k->pending || k->replaces[ATTESTATION] || !k->replaces[RECORD] || s->key[RECORD])
        return OK;
    result r = tpm_signing_key(s->tpm, s->config->handle_record, s->key[ATTESTATION], NULL, &record);
    if (!is_ok(r)) /* gone, or bound to approvals that nobody gives any more */
        return code_of(r) == E_key_missing || code_of(r) == E_key_not_in_hardware ? OK : r;
    if (pubkey_equal(hsm_public(record), s->recorded.key[RECORD])) {
        r = statement_write(k, record, ret);
        *ret_stated = is_ok(r);
    }
    hsm_close(record);
    return r;
}

/* What is at the handle must be ours to take away: the key that goes, or the one that comes. */
static result evict(struct rekey *k, unsigned which, uint32_t handle)
{
    struct setup *s = k->setup;
    AUTO_PUBKEY *there = NULL;
    result r = tpm_public_at(s->tpm, handle, &there);
    if (code_of(r) == E_key_missing)
        return OK;
    if (code_of(r) == E_bad_key)
        return fail(E_exists);
    TRY(r);
    if (!pubkey_equal(there, k->old[which]) && !pubkey_equal(there, k->new[which]))
        return fail(E_exists);
    return tpm_evict(s->tpm, handle);
}

/* keys/ROLE.next.pem becomes keys/ROLE.pem. The old one's blob is kept under its name, as long as its TPM may be there. */
static result blob_takes_place(struct rekey *k, unsigned which)
{
    char kid[DIGEST_TEXT + 1];
    AUTO_BUF pem = BUF(512), next = BUF(512), retired = BUF(512), end = BUF(96);
    digest_text(pubkey_thumbprint(k->old[which]), kid);
    TRY(buf_printf(&end, ".%s.pem", kid));
    TRY(buf_u8(&end, 0));
    TRY(blob_path(k, which, ".pem", &pem));
    TRY(blob_path(k, which, ".next.pem", &next));
    TRY(blob_path(k, which, (const char *)end.p, &retired));
    if (!is_there(&next))
        return OK; /* done, by a run that was cut off */
    if (is_there(&pem) && !is_there(&retired))
        TRY(move(&pem, &retired));
    return move(&next, &pem);
}

static result take_place(struct rekey *k, unsigned which)
{
    struct setup *s = k->setup;
    const uint32_t handle = setup_handle(s->config, which);
    AUTO_BUF pem = BUF(512);
    hsm_close(s->key[which]);
    s->key[which] = NULL;
    TRY(evict(k, which, handle));
    TRY(blob_takes_place(k, which));
    TRY(blob_path(k, which, ".pem", &pem));
    TRY(tpm_provision(s->tpm, which == RECORD ? TPM_RECORD : TPM_MINT, handle, (const char *)pem.p, tpm_guard_key_policy(s->guard),
        &s->made[which]));
    return setup_open_key(s, which, handle);
}

/* The attestation key is at its handle already: the others are bound to it. */
static result take_places(struct rekey *k)
{
    struct setup *s = k->setup;
    for (unsigned n = 0; n < KEYS; n++) {
        s->args->about = instance_roles[n];
        if (!k->replaces[n] || (n == MINT && s->config->mint_in_hsm))
            continue;
        TRY(n == ATTESTATION ? blob_takes_place(k, n) : take_place(k, n));
        if (!pubkey_equal(hsm_public(s->key[n]), k->new[n]))
            return fail(E_key_mismatch);
        if (n == MINT)
            TRY(evict(k, n, s->config->handle_mint_other));
    }
    return OK;
}

static result record(struct rekey *k)
{
    struct instance *i = &k->setup->recorded;
    k->setup->args->about = "instance.json";
    for (unsigned n = 0; n < KEYS; n++) {
        if (pubkey_equal(i->key[n], k->new[n]))
            continue;
        TRY(instance_retire(i, n, i->key[n]));
        pubkey_free(i->key[n]);
        i->key[n] = pubkey_hold(k->new[n]);
        if (n == MINT)
            i->mint_epoch = INSTANCE_NO_EPOCH; /* of whichever epoch it signs first */
    }
    return instance_update(k->setup->config, i);
}

/* What is bound to a key policy of before is of no use any more: it is made anew. */
static result bind_the_rest(struct rekey *k, bool *ret_changed)
{
    struct setup *s = k->setup;
    bool anchor = false, pin = false;
    result r = setup_anchor(s, &anchor);
    if (code_of(r) == E_exists) {
        TRY(tpm_nv_undefine(s->tpm, s->config->nv_anchor));
        r = setup_anchor(s, &anchor);
    }
    TRY(r);
    if (s->config->mint_in_hsm)
        TRY(setup_pin(s, true, &pin));
    *ret_changed |= anchor || pin;
    return OK;
}

static result replace(struct rekey *k)
{
    bool stated = false;
    struct digest statement;
    TRY(make_new_keys(k));
    /* Cut off after rekey.json: the keys that it names are the ones to go on with. */
    if (!k->pending || !kids_are(k->pending_old, k->setup->recorded.key) || !kids_are(k->pending_new, k->new)) {
        TRY(state(k, &stated, &statement));
        TRY(pending_write(k, stated ? &statement : NULL));
    }
    TRY(take_places(k));
    return record(k);
}

static result rekey(struct setup *s)
{
    AUTO_REKEY k = { .setup = s };
    bool changed = false;
    TRY(setup_look(s));
    if (!s->known)
        return fail_foreign(E_key_missing, FOREIGN_ERRNO, ENOENT);
    TRY(pending_read(&k));
    TRY(setup_open_tpm(s));
    TRY(setup_counter(s, &changed));
    TRY(look_at_keys(&k));
    bool replaces = k.replaces[ATTESTATION] || k.replaces[RECORD] || k.replaces[MINT];
    if (replaces)
        TRY(replace(&k));
    TRY(bind_the_rest(&k, &changed));
    return setup_print(s, changed || replaces,
        replaces  ? "keys replaced: have the state approved and the instance enrolled anew"
        : changed ? "keys as before, what goes with them made anew"
                  : "nothing to replace");
}

result sebctl_rekey(struct sebctl_args *a)
{
    return setup_run(a, rekey);
}
