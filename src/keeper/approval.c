#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"

struct approved_for approval_chip(const struct keeper *k)
{
    struct approved_for a = {
        .config = k->config,
        .ak = *pubkey_thumbprint(k->instance.key[ROLE_ATTESTATION]),
        .ref = k->opening.ref,
        .pcr_value = k->opening.pcr_value,
        .counter = k->opening.counter,
    };
    for (unsigned i = 0; i < TPM_NAME_SIZE; i++)
        a.counter_name[i] = k->opening.counter_name[i];
    return a;
}

static int64_t epoch_in_force(const struct keeper *k)
{
    return k->grounds.has_epoch ? k->grounds.epoch.epoch : -1;
}

static void forget(struct keeper_approval *a, enum seb_code why)
{
    a->give_wanted = a->given = false;
    a->epoch = -1;
    a->why = why;
    pubkey_free(a->lease);
    a->lease = NULL;
}

/* Whose people must have signed says the policy: before it is loaded nothing is given to the chip. */
void approval_choose(struct keeper *k)
{
    struct keeper_approval *a = &k->approval;
    const struct approved_for chip = approval_chip(k);
    enum seb_code why = E_approval_missing;
    const struct held_approval *h = NULL;
    k->state.changed = true;
    if (k->grounds.policy)
        h = approvals_choose(&a->all, &chip, k->grounds.policy, k->config->policy_key, epoch_in_force(k), &why);
    if (!h) {
        forget(a, why);
        state_try(k);
        return;
    }
    const struct approval *chosen = &h->file.approval;
    if ((a->given || a->give_wanted) && digest_equal(&a->digest, &chosen->digest)) {
        a->epoch = chosen->epoch;
        return;
    }
    forget(a, E_ok);
    a->digest = chosen->digest;
    a->epoch = chosen->epoch;
    a->lease = pubkey_hold(chosen->lease);
    a->giving.approval =
        (struct tpm_approval){ .policy = chosen->policy, .ref = chosen->ref, .counter = chosen->counter, .lease_key = a->lease };
    for (unsigned i = 0; i < SIGNATURE_SIZE; i++)
        a->giving.approval.signature[i] = h->file.signature[i];
    a->give_wanted = true;
}

bool approval_is_for_epoch(const struct keeper *k)
{
    return k->approval.given && k->grounds.has_epoch && k->approval.epoch == k->grounds.epoch.epoch;
}

result approval_turn(struct keeper *k, int64_t now_ms)
{
    (void)now_ms;
    if (!k->approval.give_wanted)
        return OK;
    k->approval.give_wanted = false;
    chip_give(k->chip, &k->approval.giving.work, WORK_APPROVE);
    return OK;
}

static result answer(struct keeper *k, enum seb_code code)
{
    if (!k->approval.answer)
        return OK;
    k->approval.answer = false;
    return tell_loaded(k, k->approval.slot, LOADED_APPROVAL, code);
}

/* Another may have been chosen while the chip took this one. */
result approval_given(struct keeper *k)
{
    struct keeper_approval *a = &k->approval;
    result r = a->giving.work.r;
    if (is_ok(r)) {
        a->given = !a->give_wanted && a->lease != NULL;
        state_try(k);
        return answer(k, E_ok);
    }
    TRY(answer(k, code_of(r)));
    if (code_of(r) != E_approval_invalid && code_of(r) != E_approval_other_tpm)
        return chip_failed(k, "the approval", r);
    log_result(LOG_WARNING, "the chip refuses the approval", r);
    forget(a, code_of(r));
    state_try(k);
    return OK;
}

result approval_lost(struct keeper *k, enum seb_code code)
{
    forget(&k->approval, code);
    return answer(k, code);
}

/* LOADED comes when the chip has it; at once, where it is kept for another state. */
result approval_load(struct keeper *k, uint64_t slot, struct span fields)
{
    struct span text;
    struct approved_for chip = approval_chip(k);
    TRY(text_read(fields, &text));
    result r = k->approval.answer ? fail(E_busy) : k->chip_lost ? k->chip_health : OK;
    if (is_ok(r))
        r = approvals_add(&k->approval.all, &chip, text);
    if (!is_ok(r)) {
        log_result(LOG_WARNING, "approval refused", r);
        return tell_loaded(k, slot, LOADED_APPROVAL, code_of(r));
    }
    log_line(LOG_NOTE, "an approval was loaded");
    approval_choose(k);
    if (!k->approval.give_wanted)
        return tell_loaded(k, slot, LOADED_APPROVAL, E_ok);
    k->approval.answer = true;
    k->approval.slot = slot;
    return OK;
}

static result plan_text(const struct keeper *k, struct buf *out)
{
    const struct approved_for chip = approval_chip(k);
    struct approval a = {
        .iat = clock_utc_ms() / 1000,
        .epoch = epoch_in_force(k),
        .ak = chip.ak,
        .counter = chip.counter,
        .measured = k->opening.present,
        .pcr = (unsigned)k->config->measured_pcr,
        .pcr_value = chip.pcr_value,
        .ref = chip.ref,
    };
    if (k->chip_lost)
        return k->chip_health;
    if (!is_ok(k->opening.measured))
        return k->opening.measured;
    if (!k->grounds.policy)
        return fail(E_no_policy);
    if (!k->grounds.has_epoch)
        return fail(E_no_epoch);
    TRY(span_copy(SPAN(chip.counter_name), a.counter_name, TPM_NAME_SIZE));
    TRY(span_copy_text(span_text(k->config->domain), a.domain, sizeof a.domain));
    TRY(span_copy_text(span_text(k->config->instance), a.instance, sizeof a.instance));
    a.lease = (struct pubkey *)(uintptr_t)policy_verifier_lease(k->grounds.policy, 0); /* borrowed */
    return approval_plan_write(&a, out);
}

result approval_plan(struct keeper *k, uint64_t slot)
{
    AUTO_BUF plan = BUF(JWS_PAYLOAD_MAX);
    result r = plan_text(k, &plan);
    return evidence_tell(k, slot, code_of(r), buf_span(&plan));
}

static result difference_json(json_t *list, const char *name, const struct digest *approved, const struct digest *measured)
{
    json_t *o = json_object();
    if (!o || json_array_append_new(list, o) != 0)
        return fail(E_no_memory);
    TRY(json_put_text(o, "name", name));
    if (approved)
        TRY(json_put_digest(o, "approved", approved));
    else
        TRY(json_put_new(o, "approved", json_null()));
    return measured ? json_put_digest(o, "measured", measured) : json_put_new(o, "measured", json_null());
}

static result differences_json(const struct keeper *k, const struct approval *a, json_t *list)
{
    const struct cel_state *now = &k->opening.present;
    for (unsigned i = 0; i < now->n; i++) {
        const struct cel_value *v = &now->value[i];
        const struct digest *approved = cel_find(&a->measured, v->name);
        if (!approved || !digest_equal(approved, &v->digest))
            TRY(difference_json(list, v->name, approved, &v->digest));
    }
    for (unsigned i = 0; i < a->measured.n; i++)
        if (!cel_find(now, a->measured.value[i].name))
            TRY(difference_json(list, a->measured.value[i].name, &a->measured.value[i].digest, NULL));
    return OK;
}

/* What differs from what was approved last, by name. Nothing may: another way to the same state has another PCR value. */
result approval_json(const struct keeper *k, json_t *o)
{
    const struct approved_for chip = approval_chip(k);
    const struct held_approval *newest = approvals_newest(&k->approval.all, &chip);
    json_t *list = json_array();
    TRY(json_put_new(o, "unapproved", list));
    TRY(json_put_flag(o, "approved", k->approval.given));
    TRY(json_put_int(o, "approved_epoch", k->approval.given ? k->approval.epoch : -1));
    return newest && !k->approval.given ? differences_json(k, &newest->file.approval, list) : OK;
}
