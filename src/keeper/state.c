#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"

#define STATE_MAX 32768

bool state_usable(const struct keeper *k)
{
    return !k->chip_lost && is_ok(k->state.obstacle);
}

static void obstacle(struct keeper *k, result r)
{
    struct keeper_state *s = &k->state;
    if (code_of(r) == code_of(s->obstacle))
        return;
    if (is_ok(r))
        log_line(LOG_NOTE, "the keys can be used: the state is approved, and a verifier's lease holds");
    else
        log_result(LOG_WARNING, "the keys can't be used", r);
    s->obstacle = r;
    s->since_ms = clock_utc_ms();
    s->changed = true;
}

void state_refused(struct keeper *k, result r)
{
    obstacle(k, r);
    if (code_of(r) == E_lease_over || code_of(r) == E_lease_missing)
        k->state.lease_until_ms = k->state.lease_until_utc_ms = 0;
}

void state_try(struct keeper *k)
{
    k->state.arm_wanted = true;
    k->state.changed = true;
}

void state_leased(struct keeper *k, int64_t begun_ms, uint32_t seconds)
{
    int64_t left = begun_ms + (int64_t)seconds * 1000 - clock_mono_ms();
    k->state.lease_until_ms = begun_ms + (int64_t)seconds * 1000;
    k->state.lease_until_utc_ms = clock_utc_ms() + left;
    state_try(k);
}

result state_outcome(struct keeper *k, const char *what, result r, bool *ret_done)
{
    *ret_done = is_ok(r);
    if (is_ok(r) || code_of(r) == E_session_void)
        return OK;
    if (!tpm_guard_refuses(code_of(r)))
        return chip_failed(k, what, r);
    state_refused(k, r);
    return mint_refuse_waiting(k, code_of(r));
}

/* Why the chip wasn't given an approval. */
static result unapproved(const struct keeper *k)
{
    if (!is_ok(k->opening.measured)) /* what the PCR has is explained by nothing */
        return fail(E_state_not_approved);
    return fail(k->approval.why == E_ok ? E_approval_missing : k->approval.why);
}

result state_armed(struct keeper *k)
{
    result r = k->arming.work.r;
    if (is_ok(r)) {
        if (chip_fresh(k->chip))
            obstacle(k, OK);
        else
            k->state.arm_wanted = true;
        return OK;
    }
    if (!tpm_guard_refuses(code_of(r)))
        return chip_failed(k, "a session of the keys' policy", r);
    state_refused(k, r);
    return mint_refuse_waiting(k, code_of(r));
}

/* One command of arming: ahead of need, or because something came that may have removed the obstacle. A new lease's sessions take
 * the place of an older one's one by one, so that one is always armed. */
result state_arm_turn(struct keeper *k, int64_t now_ms)
{
    struct keeper_state *s = &k->state;
    bool ahead = is_ok(s->obstacle) && chip_fresh(k->chip) < GUARD_SESSIONS;
    (void)now_ms;
    if (!ahead && !s->arm_wanted)
        return OK;
    s->arm_wanted = false;
    if (!k->approval.given) { /* whatever approval the chip still holds */
        state_refused(k, unapproved(k));
        return mint_refuse_waiting(k, code_of(s->obstacle));
    }
    chip_give(k->chip, &k->arming.work, WORK_ARM);
    return OK;
}

/* What stands in the way of signing, the first of all. */
static result first_obstacle(const struct keeper *k)
{
    if (!is_ok(k->chip_health))
        return k->chip_health;
    if (k->log.state == LOG_ROLLED_BACK)
        return fail(E_log_rolled_back);
    if (!is_ok(k->state.obstacle))
        return k->state.obstacle;
    if (k->grounds.has_epoch && !approval_is_for_epoch(k))
        return fail(E_epoch_not_approved);
    if (k->grounds.hsm != E_ok)
        return fail(k->grounds.hsm);
    return k->hsm_health;
}

static result state_json(const struct keeper *k, json_t *o)
{
    const struct keeper_state *s = &k->state;
    TRY(json_put_text(o, "code", code_name(code_of(first_obstacle(k)))));
    TRY(json_put_int(o, "since", s->since_ms));
    TRY(json_put_int(o, "lease_until", s->lease_until_utc_ms));
    TRY(json_put_int(o, "counter", (int64_t)k->opening.counter));
    TRY(json_put_int(o, "epoch", k->grounds.has_epoch ? k->grounds.epoch.epoch : 0));
    TRY(json_put_digest(o, "mint_key", pubkey_thumbprint(k->instance.key[ROLE_MINT])));
    TRY(json_put_digest(o, "pcr_value", &k->opening.pcr_value));
    TRY(json_put_text(o, "event_log", code_name(code_of(k->opening.measured))));
    TRY(anchor_json(k, o, "anchor"));
    return approval_json(k, o);
}

static result tell_state(struct keeper *k)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(STATE_MAX), fields = BUF(STATE_MAX + 8);
    if (!o)
        return fail(E_no_memory);
    k->state.changed = false;
    TRY(state_json(k, o));
    TRY(json_canonical(o, &text));
    TRY(text_put(&fields, buf_span(&text)));
    return link_send(k->core, MESSAGE_STATE, 0, buf_span(&fields));
}

/* What STATE says of the reason comes before it. */
static result tell(struct keeper *k)
{
    result now = first_obstacle(k);
    bool health = code_of(now) != code_of(k->state.told);
    if (health || k->state.changed)
        TRY(tell_state(k));
    if (!health)
        return OK;
    k->state.told = now;
    return tell_code(k, MESSAGE_HEALTH, 0, &(struct code_message){ .code = code_of(now), .foreign = foreign_code(now) });
}

/* The chip ends a lease by itself; that it is over is known here without asking it. */
result state_turn(struct keeper *k, int64_t now_ms)
{
    if (k->state.lease_until_ms && now_ms >= k->state.lease_until_ms) {
        state_refused(k, fail(E_lease_over));
        TRY(mint_refuse_waiting(k, E_lease_over));
    }
    return tell(k);
}

int64_t state_due_ms(const struct keeper *k)
{
    return k->state.lease_until_ms ? k->state.lease_until_ms : INT64_MAX;
}
