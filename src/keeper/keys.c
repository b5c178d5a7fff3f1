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
#define KEYS_MAX (3 * EVIDENCE_MAX)

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

static result open_chip(struct keeper *k)
{
    chip_open(k->chip, &k->opening);
    TRY(wait_for(chip_fd(k->chip)));
    return chip_take(k->chip)->r;
}

static result open_hsm(struct keeper *k)
{
    TRY(hsm_start(k->config, k->instance.key[ROLE_MINT], &k->opening.evidence[ROLE_MINT], &k->hsm));
    hsm_open(k->hsm);
    TRY(wait_for(hsm_fd(k->hsm)));
    return hsm_take(k->hsm)->r;
}

result keys_open(struct keeper *k, int tpm_fd, const char **ret_what)
{
    for (unsigned i = 0; i < ROLES; i++)
        k->opening.evidence[i] = BUF(EVIDENCE_MAX);
    *ret_what = "the instance's public keys, which init recorded,";
    TRY(instance_load(k->config, &k->instance));
    k->grounds.mint_key = *pubkey_thumbprint(k->instance.key[ROLE_MINT]);
    *ret_what = "the TPM's thread";
    TRY(chip_start(k->config, &k->instance, &k->chip));
    k->opening.fd = tpm_fd;
    result r = open_chip(k);
    *ret_what = k->opening.what;
    TRY(r);
    if (!k->config->mint_in_hsm)
        return OK;
    *ret_what = "the mint key in the HSM";
    return open_hsm(k);
}

void keys_close(struct keeper *k)
{
    hsm_stop(k->hsm);
    chip_stop(k->chip);
    for (unsigned i = 0; i < ROLES; i++)
        buf_free(&k->opening.evidence[i]);
    instance_free(&k->instance);
}

static result identity_json(const struct keeper *k, enum key_role role, json_t *keys)
{
    json_t *o = json_object();
    TRY(json_put_new(keys, role_names[role], o));
    TRY(json_put_digest(o, "kid", pubkey_thumbprint(k->instance.key[role])));
    TRY(json_put_text(o, "backend", role == ROLE_MINT && k->hsm ? "pkcs11" : "tpm"));
    return json_put_b64url(o, "evidence", buf_span(&k->opening.evidence[role]));
}

result keys_tell(struct keeper *k)
{
    AUTO_JSON *all = json_object();
    json_t *keys = json_object();
    if (!all)
        return fail(E_no_memory);
    TRY(json_put_new(all, "keys", keys));
    TRY(json_put_b64url(all, "run", SPAN(k->run)));
    for (enum key_role role = 0; role < ROLES; role++)
        TRY(identity_json(k, role, keys));
    AUTO_BUF text = BUF(KEYS_MAX), fields = BUF(LINK_PACKET_MAX);
    TRY(json_canonical(all, &text));
    TRY(text_put(&fields, buf_span(&text)));
    return link_send(k->core, MESSAGE_KEYS, 0, buf_span(&fields));
}

result health_tell(struct keeper *k)
{
    result now = is_ok(k->chip_health) ? k->hsm_health : k->chip_health;
    if (code_of(now) == code_of(k->told_health))
        return OK;
    k->told_health = now;
    return tell_code(k, MESSAGE_HEALTH, 0, &(struct code_message){ .code = code_of(now), .foreign = foreign_code(now) });
}

/* The thread has closed it. A device may have room for one user only, so the supervisor is asked after that. */
result chip_failed(struct keeper *k, const char *what, result r)
{
    if (code_of(r) != code_of(k->chip_health))
        log_result(LOG_ERROR, what, r);
    k->chip_again_ms = clock_mono_ms() + (k->chip_lost || code_of(r) != E_tpm_unavailable ? AGAIN_MS : 0);
    k->chip_lost = true;
    k->chip_health = r;
    return mint_refuse_waiting(k, code_of(r));
}

void chip_came(struct keeper *k, int fd)
{
    if (k->chip_lost && !chip_is_busy(k->chip) && fd >= 0) {
        k->opening.fd = fd;
        chip_open(k->chip, &k->opening);
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
    log_line(LOG_NOTE, "the TPM is back, and its keys are proved again");
    k->chip_lost = false;
    k->chip_health = OK;
    k->log.sign_first = true;
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
        log_line(LOG_NOTE, "the HSM is back, and its key is proved again");
        k->hsm_health = OK;
        return;
    }
    hsm_failed(k, "the mint key in the HSM", r);
    k->hsm_delay_ms = k->hsm_delay_ms * 2 < HSM_DELAY_MOST_MS ? k->hsm_delay_ms * 2 : HSM_DELAY_MOST_MS;
    k->hsm_again_ms = clock_mono_ms() + k->hsm_delay_ms;
}

static bool hsm_waits(const struct keeper *k)
{
    return !is_ok(k->hsm_health) && hsm_is_idle(k->hsm);
}

result keys_turn(struct keeper *k, int64_t now_ms)
{
    if (hsm_waits(k) && now_ms >= k->hsm_again_ms)
        hsm_open(k->hsm);
    TRY(ask_for_chip(k, now_ms));
    return health_tell(k);
}

int64_t keys_due_ms(const struct keeper *k)
{
    int64_t chip = k->chip_lost && !chip_is_busy(k->chip) ? k->chip_again_ms : INT64_MAX;
    int64_t hsm = hsm_waits(k) ? k->hsm_again_ms : INT64_MAX;
    return chip < hsm ? chip : hsm;
}
