#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define AGAIN_MS 500 /* until the next try, where the last one failed */
#define ANSWER_MS 2000 /* until the supervisor is asked once more */
/* Between two openings of the HSM: each is a login, and sessions and proofs beside it. */
#define HSM_DELAY_FIRST_MS 1000
#define HSM_DELAY_MOST_MS 10000
#define KEYS_MAX (8 * EVIDENCE_MAX)

static const char *const role_names[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };

/* At start alone: from then on the loop polls. */
static result wait_for(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (poll(&p, 1, -1) < 0)
        if (errno != EINTR)
            return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return OK;
}

static result measured_state(const struct keeper *k, struct cel_state *ret)
{
    const struct child *c = &k->child;
    for (unsigned i = 0; i <= CHILDREN; i++)
        TRY(cel_put(ret, child_program(i), &c->measured[i]));
    TRY(cel_put(ret, CEL_CONFIGURATION, &k->config->digest));
    TRY(cel_put(ret, CEL_KEY_ATTESTATION, pubkey_thumbprint(k->instance.key[ROLE_ATTESTATION])));
    TRY(cel_put(ret, CEL_KEY_RECORD, pubkey_thumbprint(k->instance.key[ROLE_RECORD])));
    return cel_put(ret, CEL_POLICY_AUTHORITY, pubkey_thumbprint(k->config->policy_key));
}

static result open_chip(struct keeper *k)
{
    chip_give(k->chip, &k->opening.work, WORK_OPEN);
    TRY(wait_for(chip_fd(k->chip)));
    return chip_take(k->chip)->r;
}

static result open_keys(struct keeper *k, int tpm_fd, const char **ret_what)
{
    *ret_what = "the instance's public keys, which init recorded,";
    TRY(instance_load(k->config, &k->instance));
    k->grounds.mint_key = *pubkey_thumbprint(k->instance.key[ROLE_MINT]);
    *ret_what = "what is measured";
    TRY(measured_state(k, &k->opening.present));
    *ret_what = "the TPM's thread";
    TRY(chip_start(k->config, &k->instance, &k->chip));
    k->opening.fd = tpm_fd;
    result r = open_chip(k);
    *ret_what = k->opening.what;
    return r;
}

/* The HSM is opened when the chip gives its PIN out: once the state is approved, and a lease holds. */
result keys_open(struct keeper *k, int tpm_fd, const char **ret_what)
{
    for (unsigned i = 0; i < ROLES; i++)
        k->opening.evidence[i] = BUF(EVIDENCE_MAX);
    k->opening.log = BUF(CEL_LOG_MAX);
    k->mint_key.making.evidence = BUF(EVIDENCE_MAX);
    TRY(open_keys(k, tpm_fd, ret_what));
    *ret_what = "approvals";
    result r = approvals_load(k->config, &k->approval.all);
    if (!is_ok(r))
        log_result(LOG_ERROR, "approvals that were kept can't all be read: have the state approved anew", r);
    *ret_what = "the HSM's threads";
    mint_key_load_statement(k);
    if (k->config->mint_in_hsm)
        TRY(hsm_start(k->config, &k->instance, &k->opening.evidence[ROLE_MINT], &k->hsm));
    k->hsm_health = k->hsm ? fail(E_lease_missing) : OK;
    k->anchor.known = k->opening.has_anchor;
    k->anchor.newest = k->opening.anchor;
    return chip_opened(k);
}

void keys_close(struct keeper *k)
{
    hsm_stop(k->hsm);
    chip_stop(k->chip);
    for (unsigned i = 0; i < ROLES; i++)
        buf_free(&k->opening.evidence[i]);
    buf_free(&k->opening.log);
    buf_free(&k->mint_key.making.evidence);
    pubkey_free(k->mint_key.making.key);
    secret_free(k->mint_key.unsealing.pin);
    buf_free(&k->mint_key.statement);
    buf_free(&k->mint_key.statement_text);
    approvals_free(&k->approval.all);
    pubkey_free(k->approval.lease);
    instance_free(&k->instance);
}

/* A key in an HSM is proved by the record key's statement, and by nothing before the first lease let that sign. */
struct span keys_evidence(const struct keeper *k, enum key_role role)
{
    if (role != ROLE_MINT || !k->hsm)
        return buf_span(&k->opening.evidence[role]);
    return k->mint_key.statement.n ? buf_span(&k->mint_key.statement) : span_text("{}");
}

const char *keys_backend(const struct keeper *k, enum key_role role)
{
    return role == ROLE_MINT && k->hsm ? "pkcs11" : "tpm";
}

static result identity_json(const struct keeper *k, enum key_role role, json_t *keys)
{
    json_t *o = json_object();
    TRY(json_put_new(keys, role_names[role], o));
    TRY(json_put_digest(o, "kid", pubkey_thumbprint(k->instance.key[role])));
    TRY(json_put_text(o, "backend", keys_backend(k, role)));
    return json_put_b64url(o, "evidence", keys_evidence(k, role));
}

static result measured_json(const struct keeper *k, json_t *o)
{
    const struct cel_state *s = &k->opening.present;
    json_t *measured = json_object();
    TRY(json_put_new(o, "measured", measured));
    for (unsigned i = 0; i < s->n; i++)
        TRY(json_put_digest(measured, s->value[i].name, &s->value[i].digest));
    return OK;
}

result keys_tell(struct keeper *k)
{
    AUTO_JSON *all = json_object();
    json_t *keys = json_object();
    if (!all)
        return fail(E_no_memory);
    TRY(json_put_new(all, "keys", keys));
    TRY(json_put_b64url(all, "run", SPAN(k->run)));
    TRY(json_put_int(all, "counter", (int64_t)k->opening.counter));
    TRY(anchor_json(k, all, "anchor"));
    TRY(measured_json(k, all));
    for (enum key_role role = 0; role < ROLES; role++)
        TRY(identity_json(k, role, keys));
    AUTO_BUF text = BUF(KEYS_MAX), fields = BUF(LINK_PACKET_MAX);
    TRY(json_canonical(all, &text));
    TRY(text_put(&fields, buf_span(&text)));
    return link_send(k->core, MESSAGE_KEYS, 0, buf_span(&fields));
}

/* The thread has closed it. A device may have room for one user only, so the supervisor is asked after that. */
result chip_failed(struct keeper *k, const char *what, result r)
{
    if (code_of(r) != code_of(k->chip_health))
        log_result(LOG_ERROR, what, r);
    k->chip_again_ms = clock_mono_ms() + (k->chip_lost || code_of(r) != E_tpm_unavailable ? AGAIN_MS : 0);
    k->chip_lost = true;
    k->chip_health = r;
    k->mint_key.unseal_wanted = k->mint_key.unseal_under_way = false;
    k->mint_key.moving = false; /* opened anew, the chip finds the key that is recorded */
    TRY(mint_refuse_waiting(k, code_of(r)));
    TRY(approval_lost(k, code_of(r)));
    TRY(challenge_lost(k, code_of(r)));
    TRY(verdict_lost(k, code_of(r)));
    return epoch_lost(k, code_of(r));
}

void chip_came(struct keeper *k, int fd)
{
    if (k->chip_lost && !chip_is_busy(k->chip) && fd >= 0) {
        k->opening.fd = fd;
        chip_give(k->chip, &k->opening.work, WORK_OPEN);
        return;
    }
    if (fd >= 0) /* an answer that came late */
        close(fd);
    else
        k->chip_again_ms = clock_mono_ms() + AGAIN_MS;
}

result chip_opened(struct keeper *k)
{
    if (!is_ok(k->opening.work.r))
        return chip_failed(k, k->opening.what, k->opening.work.r);
    if (k->chip_lost) {
        log_line(LOG_NOTE, "the TPM is back, and its keys are proved again");
        k->log.sign_first = true;
    }
    if (!is_ok(k->opening.measured))
        log_result(LOG_ERROR, "what was measured", k->opening.measured);
    k->chip_lost = false;
    k->chip_health = OK;
    state_refused(k, fail(E_lease_missing)); /* a lease was the old sessions' */
    approval_choose(k);
    return OK;
}

static result ask_for_chip(struct keeper *k, int64_t now_ms)
{
    if (!k->chip_lost || chip_is_busy(k->chip) || now_ms < k->chip_again_ms)
        return OK;
    k->chip_again_ms = now_ms + ANSWER_MS;
    return link_send(k->child.control, MESSAGE_TPM_AGAIN, 0, (struct span){ NULL, 0 });
}

/* Of many signatures that fail at once the first sets the time. */
void hsm_failed(struct keeper *k, const char *what, result r)
{
    if (code_of(r) != code_of(k->hsm_health))
        log_result(LOG_ERROR, what, r);
    if (is_ok(k->hsm_health)) {
        k->hsm_delay_ms = HSM_DELAY_FIRST_MS;
        k->hsm_again_ms = clock_mono_ms() + k->hsm_delay_ms;
    }
    k->hsm_health = r;
}

void hsm_opened(struct keeper *k, result r)
{
    if (is_ok(r)) {
        log_line(LOG_NOTE, "the HSM is open, and its key is proved");
        k->hsm_health = OK;
        policy_judge_hsm(k);
        return;
    }
    hsm_failed(k, "the mint key in the HSM", r);
    k->hsm_delay_ms = k->hsm_delay_ms * 2 < HSM_DELAY_MOST_MS ? k->hsm_delay_ms * 2 : HSM_DELAY_MOST_MS;
    k->hsm_again_ms = clock_mono_ms() + k->hsm_delay_ms;
}

void hsm_closed(struct keeper *k)
{
    log_line(LOG_NOTE, "the HSM is closed until the keys can be used again");
    k->hsm_health = is_ok(k->state.obstacle) ? fail(E_lease_missing) : k->state.obstacle;
    k->hsm_again_ms = 0;
}

static bool hsm_waits(const struct keeper *k)
{
    return k->hsm && state_usable(k) && !is_ok(k->hsm_health) && hsm_is_idle(k->hsm);
}

/* What the chip doesn't let sign any more doesn't let the HSM's key either. */
static void hsm_turn(struct keeper *k, int64_t now_ms)
{
    if (k->hsm && !state_usable(k) && hsm_is_idle(k->hsm) && hsm_has_token(k->hsm)) {
        hsm_close_token(k->hsm);
        return;
    }
    if (!hsm_waits(k) || now_ms < k->hsm_again_ms)
        return;
    if (hsm_has_token(k->hsm))
        hsm_open(k->hsm, NULL);
    else if (!k->mint_key.unseal_under_way)
        k->mint_key.unseal_wanted = true;
}

result keys_turn(struct keeper *k, int64_t now_ms)
{
    hsm_turn(k, now_ms);
    return ask_for_chip(k, now_ms);
}

int64_t keys_due_ms(const struct keeper *k)
{
    int64_t chip = k->chip_lost && !chip_is_busy(k->chip) ? k->chip_again_ms : INT64_MAX;
    int64_t hsm = hsm_waits(k) && !k->mint_key.unseal_wanted && !k->mint_key.unseal_under_way ? k->hsm_again_ms : INT64_MAX;
    return chip < hsm ? chip : hsm;
}
