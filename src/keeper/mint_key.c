#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"

#define STATEMENT_FILE "mint-key.jws" /* in state_dir */
#define STATEMENT_MODE 0644
#define AGAIN_MS 1000

static result statement_path(const struct keeper *k, struct buf *path)
{
    return config_state_path(k->config, STATEMENT_FILE, path);
}

bool mint_key_is_current(const struct keeper *k)
{
    return k->grounds.has_epoch && k->instance.mint_epoch == k->grounds.epoch.epoch && !k->mint_key.moving;
}

/* The key that init made is that of the first epoch. */
static result bind_first(struct keeper *k)
{
    k->instance.mint_epoch = k->grounds.epoch.epoch;
    result r = instance_update(k->config, &k->instance);
    if (is_ok(r))
        return OK;
    k->instance.mint_epoch = -1;
    k->mint_key.again_ms = clock_mono_ms() + AGAIN_MS;
    log_result(LOG_ERROR, "the mint key's epoch can't be recorded", r);
    return OK;
}

/* Recorded before it is used: what signs is always what instance.json names. On the hardware's idle threads, which look there. */
static result record(struct keeper *k, struct pubkey *key)
{
    struct instance *i = &k->instance;
    struct pubkey *old = i->key[ROLE_MINT];
    int64_t old_epoch = i->mint_epoch;
    TRY(instance_retire(i, ROLE_MINT, old));
    i->key[ROLE_MINT] = pubkey_hold(key);
    i->mint_epoch = k->grounds.epoch.epoch;
    result r = instance_update(k->config, i);
    if (!is_ok(r)) {
        pubkey_free(i->key[ROLE_MINT]);
        i->key[ROLE_MINT] = old;
        i->mint_epoch = old_epoch;
        return r;
    }
    pubkey_free(old);
    k->grounds.mint_key = *pubkey_thumbprint(key);
    buf_clear(&k->mint_key.statement);
    k->state.changed = true;
    return OK;
}

static result again(struct keeper *k, const char *what, result r)
{
    log_result(LOG_ERROR, what, r);
    k->mint_key.again_ms = clock_mono_ms() + AGAIN_MS;
    return OK;
}

static bool is_wanted(const struct keeper *k, int64_t now_ms)
{
    return state_usable(k) && approval_is_for_epoch(k) && !mint_key_is_current(k) && now_ms >= k->mint_key.again_ms;
}

static result turn_hsm(struct keeper *k, int64_t now_ms)
{
    struct keeper_mint_key *m = &k->mint_key;
    if (m->unseal_wanted && state_usable(k)) {
        m->unseal_wanted = false;
        m->unseal_under_way = true;
        chip_give(k->chip, &m->unsealing.work, WORK_UNSEAL);
        return OK;
    }
    if (!is_ok(k->hsm_health) || !hsm_is_idle(k->hsm))
        return OK;
    if (is_wanted(k, now_ms)) {
        m->again_ms = now_ms + AGAIN_MS;
        hsm_make(k->hsm, k->grounds.epoch.epoch);
        return OK;
    }
    return !m->statement.n && state_usable(k) && chip_armed(k->chip) && now_ms >= m->again_ms ? mint_key_state(k) : OK;
}

result mint_key_turn(struct keeper *k, int64_t now_ms)
{
    struct keeper_mint_key *m = &k->mint_key;
    if (is_wanted(k, now_ms) && k->instance.mint_epoch < 0)
        TRY(bind_first(k));
    if (k->hsm)
        return turn_hsm(k, now_ms);
    if (m->moving) {
        chip_give(k->chip, &m->adopting, WORK_ADOPT);
        return OK;
    }
    if (!is_wanted(k, now_ms) || k->instance.mint_epoch < 0)
        return OK;
    m->making.epoch = k->grounds.epoch.epoch;
    chip_give(k->chip, &m->making.work, WORK_MINT_KEY);
    return OK;
}

result mint_key_made(struct keeper *k)
{
    struct keeper_mint_key *m = &k->mint_key;
    AUTO_PUBKEY *key = m->making.key;
    m->making.key = NULL;
    if (!is_ok(m->making.work.r))
        return chip_failed(k, "the epoch's mint key", m->making.work.r);
    /* The epoch moved on meanwhile, or what was approved: the next turn makes another. */
    if (!k->grounds.has_epoch || m->making.epoch != k->grounds.epoch.epoch)
        return OK;
    TRY(mint_refuse_waiting(k, E_epoch_mismatch));
    result r = record(k, key);
    if (!is_ok(r))
        return again(k, "the epoch's mint key can't be recorded", r);
    buf_clear(&k->opening.evidence[ROLE_MINT]);
    TRY(buf_put(&k->opening.evidence[ROLE_MINT], buf_span(&m->making.evidence)));
    m->moving = true;
    return OK;
}

result mint_key_adopted(struct keeper *k)
{
    k->mint_key.moving = false; /* also where the chip is opened anew: it then finds the recorded key */
    log_line(LOG_NOTE, "revocation epoch %lld has its own mint key", (long long)k->instance.mint_epoch);
    TRY(keys_tell(k));
    return is_ok(k->mint_key.adopting.r) ? OK : chip_failed(k, "the mint key of the epoch before", k->mint_key.adopting.r);
}

result mint_key_made_in_hsm(struct keeper *k, result r)
{
    AUTO_PUBKEY *key = hsm_made(k->hsm);
    if (!is_ok(r)) {
        hsm_failed(k, "the epoch's mint key in the HSM", r);
        return OK;
    }
    r = record(k, key);
    if (!is_ok(r))
        return again(k, "the epoch's mint key can't be recorded", r);
    k->hsm_health = fail(E_hsm_unavailable); /* until its sessions hold the new key */
    k->hsm_again_ms = k->mint_key.again_ms = 0;
    log_line(LOG_NOTE, "revocation epoch %lld has its own mint key", (long long)k->instance.mint_epoch);
    return OK; /* KEYS is told when the record key has stated it */
}

result mint_key_unsealed(struct keeper *k)
{
    struct unseal_work *w = &k->mint_key.unsealing;
    AUTO_SECRET *pin = w->pin;
    bool done;
    w->pin = NULL;
    k->mint_key.unseal_under_way = false;
    if (code_of(w->work.r) == E_key_missing || code_of(w->work.r) == E_key_other_policy ||
        code_of(w->work.r) == E_key_without_policy) {
        hsm_failed(k, "the HSM's PIN in the TPM", w->work.r);
        return OK;
    }
    TRY(state_outcome(k, "the HSM's PIN in the TPM", w->work.r, &done));
    if (done && hsm_is_idle(k->hsm) && !hsm_has_token(k->hsm)) {
        hsm_open(k->hsm, pin);
        pin = NULL;
    }
    return OK;
}

/* The statement of a key in an HSM, by the record key (docs/attestation.md, "Key statement"). */

static result write_statement(const struct keeper *k, struct buf *out)
{
    AUTO_JSON *o = json_object();
    json_t *attributes = NULL, *jwk = NULL;
    if (!o)
        return fail(E_no_memory);
    TRY(json_strict(buf_span(&k->opening.evidence[ROLE_MINT]), EVIDENCE_MAX, &attributes));
    TRY(json_put_new(o, "attributes", attributes));
    TRY(json_put_text(o, "domain", k->config->domain));
    TRY(json_put_text(o, "instance", k->config->instance));
    TRY(pubkey_jwk(k->instance.key[ROLE_MINT], &jwk));
    TRY(json_put_new(o, "jwk", jwk));
    TRY(json_put_text(o, "use", "mint"));
    return json_canonical(o, out);
}

result mint_key_state(struct keeper *k)
{
    struct keeper_mint_key *m = &k->mint_key;
    AUTO_BUF input = BUF(2 * EVIDENCE_MAX);
    buf_free(&m->statement_text);
    m->statement_text = BUF(EVIDENCE_MAX);
    TRY(write_statement(k, &m->statement_text));
    TRY(jws_signing_input(k->instance.key[ROLE_RECORD], TYP_KEY_STATEMENT, buf_span(&m->statement_text), &input));
    m->stating.digest = sha256(buf_span(&input));
    m->stated = k->grounds.mint_key;
    chip_give(k->chip, &m->stating.work, WORK_SIGN);
    return OK;
}

static result put_statement(struct keeper *k)
{
    struct keeper_mint_key *m = &k->mint_key;
    const struct pubkey *record_key = k->instance.key[ROLE_RECORD];
    AUTO_BUF header = BUF(JWS_HEADER_MAX), path = BUF(512);
    TRY(jws_header(record_key, TYP_KEY_STATEMENT, &header));
    const struct jws j = {
        .payload = buf_span(&m->statement_text),
        .n = 1,
        .sig = { { .kid = *pubkey_thumbprint(record_key), .protected_ = buf_span(&header), .signature = SPAN(m->stating.raw) } },
    };
    buf_clear(&m->statement);
    TRY(jws_write(&j, &m->statement));
    TRY(statement_path(k, &path));
    return file_write((const char *)path.p, buf_span(&m->statement), STATEMENT_MODE, true);
}

/* Without its file it is signed anew after a restart, when the chip signs again. */
result mint_key_stated(struct keeper *k)
{
    struct keeper_mint_key *m = &k->mint_key;
    bool done;
    TRY(state_outcome(k, "the mint key's statement", m->stating.work.r, &done));
    if (!done || !digest_equal(&m->stated, &k->grounds.mint_key))
        return OK;
    result r = put_statement(k);
    if (!is_ok(r))
        log_result(LOG_WARNING, "the mint key's statement can't be kept", r);
    return m->statement.n ? keys_tell(k) : r;
}

static result read_statement(struct keeper *k, struct span text)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    AUTO_JSON *o = NULL;
    AUTO_PUBKEY *key = NULL;
    struct jws j;
    const json_t *jwk;
    TRY(jws_parse_text(text, &arena, &j));
    if (j.n != 1)
        return fail(E_bad_jws);
    TRY(jws_verify(k->instance.key[ROLE_RECORD], TYP_KEY_STATEMENT, j.payload, &j.sig[0]));
    TRY(json_strict(j.payload, JWS_PAYLOAD_MAX, &o));
    TRY(json_object_at(o, "jwk", &jwk));
    TRY(pubkey_from_jwk(jwk, &key));
    return pubkey_equal(key, k->instance.key[ROLE_MINT]) ? OK : fail(E_key_mismatch);
}

/* The one of an earlier run, where it is of the key in use: the verifier asks for it before anything can be signed. */
void mint_key_load_statement(struct keeper *k)
{
    AUTO_BUF path = BUF(512);
    struct buf *statement = &k->mint_key.statement;
    *statement = BUF(JWS_TEXT_MAX);
    if (!k->config->mint_in_hsm || !is_ok(statement_path(k, &path)) ||
        !is_ok(file_read((const char *)path.p, JWS_TEXT_MAX, statement)))
        return;
    result r = read_statement(k, buf_span(statement));
    if (is_ok(r))
        return;
    log_result(LOG_NOTE, "the mint key's statement of an earlier run", r);
    buf_clear(statement);
}

int64_t mint_key_due_ms(const struct keeper *k)
{
    bool fails = k->mint_key.again_ms && state_usable(k) && !chip_is_busy(k->chip) && !mint_key_is_current(k);
    return fails && k->mint_key.again_ms > clock_mono_ms() ? k->mint_key.again_ms : INT64_MAX;
}
