#include "config.h"

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "mint/mint.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define MESSAGES_A_TURN 8 /* before the hardware's answers are looked at again: what they let go on then does, beside the rest */

result tell_code(struct keeper *k, enum message_type type, uint64_t slot, const struct code_message *m)
{
    AUTO_BUF fields = BUF(64);
    TRY(code_put(&fields, m));
    return link_send(k->core, type, slot, buf_span(&fields));
}

result tell_loaded(struct keeper *k, uint64_t slot, enum loaded_what what, enum seb_code code)
{
    return tell_code(k, MESSAGE_LOADED, slot, &(struct code_message){ .code = (uint16_t)code, .what = (uint8_t)what });
}

static result handle_core(struct keeper *k, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_RESUME:
        return log_resume(k, m->slot, m->fields);
    case MESSAGE_POLICY:
        return policy_load(k, m->slot, m->fields);
    case MESSAGE_EPOCH:
        return epoch_load(k, m->slot, m->fields);
    case MESSAGE_APPEND:
        return log_append(k, m->fields);
    case MESSAGE_SIGN:
        return m->fields.n ? fail(E_illegal_message) : log_sign(k);
    case MESSAGE_MINT:
        return mint_begin(k, m->slot, m->fields);
    case MESSAGE_CHALLENGE:
        return challenge_take(k, m->slot, m->fields);
    case MESSAGE_RESULT:
        return verdict_take(k, m->slot, m->fields);
    case MESSAGE_APPROVAL:
        return approval_load(k, m->slot, m->fields);
    case MESSAGE_ACKNOWLEDGE:
        return anchor_acknowledge(k, m->slot, m->fields);
    case MESSAGE_PLAN:
        return m->fields.n ? fail(E_illegal_message) : approval_plan(k, m->slot);
    default: /* link's table lets no other through */
        return fail(E_illegal_message);
    }
}

static result from_core(struct keeper *k)
{
    TRY(link_flush(k->core));
    for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
        struct message m;
        bool got;
        TRY(link_receive(k->core, &m, &got));
        if (!got)
            break;
        TRY(handle_core(k, &m));
    }
    return OK;
}

static result from_supervisor(struct keeper *k)
{
    struct message m;
    bool got = false;
    int fd = -1;
    result r = link_flush(k->child.control);
    if (is_ok(r))
        r = link_receive_fd(k->child.control, &m, &got, &fd);
    if (code_of(r) == E_peer_gone) { /* the order to stop (child.h) */
        k->stopping = true;
        return OK;
    }
    TRY(r);
    if (!got)
        return OK;
    if (m.type == MESSAGE_TPM && !m.fields.n) {
        chip_came(k, fd);
        return OK;
    }
    if (fd >= 0)
        close(fd);
    return fail(E_illegal_message);
}

/* The runner sends nothing here; its end is noticed. */
static result from_runner(struct keeper *k)
{
    struct message m;
    bool got;
    TRY(link_flush(k->runner));
    return link_receive(k->runner, &m, &got);
}

static result signed_by_record_key(struct keeper *k, const struct keeper_work *w)
{
    return w == &k->mint_key.stating.work ? mint_key_stated(k) : log_signed(k, clock_mono_ms());
}

static result from_chip(struct keeper *k)
{
    struct keeper_work *w = chip_take(k->chip);
    if (!w)
        return OK;
    switch (w->kind) {
    case WORK_OPEN:
        return chip_opened(k);
    case WORK_APPROVE:
        return approval_given(k);
    case WORK_EPOCH:
        return epoch_moved(k);
    case WORK_QUOTE:
        return log_quoted(k, clock_mono_ms());
    case WORK_LEASE:
        return verdict_leased(k);
    case WORK_EVIDENCE:
    case WORK_ENROL:
    case WORK_ACTIVATE:
        return challenge_answered(k, w);
    case WORK_ARM:
        return state_armed(k);
    case WORK_SIGN:
        return signed_by_record_key(k, w);
    case WORK_MINT:
        return mint_end(k, (struct mint_work *)w);
    case WORK_UNSEAL:
        return mint_key_unsealed(k);
    case WORK_MINT_KEY:
        return mint_key_made(k);
    case WORK_ADOPT:
        return mint_key_adopted(k);
    case WORK_ANCHOR:
        return anchor_written(k);
    case WORK_CLOSE:
    case WORKS:
        break;
    }
    return fail(E_invariant);
}

static result from_hsm(struct keeper *k)
{
    for (struct keeper_work *w; (w = hsm_take(k->hsm));) {
        if (w->kind == WORK_OPEN)
            hsm_opened(k, w->r);
        else if (w->kind == WORK_CLOSE)
            hsm_closed(k);
        else if (w->kind == WORK_MINT_KEY)
            TRY(mint_key_made_in_hsm(k, w->r));
        else
            TRY(mint_end(k, (struct mint_work *)w));
    }
    return OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int wait_ms(const struct keeper *k, int64_t now_ms)
{
    int64_t due = least(least(keys_due_ms(k), log_due_ms(k)), least(state_due_ms(k), mint_key_due_ms(k)));
    if (due == INT64_MAX)
        return -1;
    return due <= now_ms ? 0 : (int)(due - now_ms);
}

static result turn(struct keeper *k)
{
    int64_t now = clock_mono_ms();
    TRY(keys_turn(k, now));
    TRY(chip_turn(k, now));
    TRY(state_turn(k, now));
    struct pollfd fds[] = {
        { .fd = link_fd(k->child.control), .events = link_events(k->child.control) },
        { .fd = link_fd(k->core), .events = link_events(k->core) },
        { .fd = link_fd(k->runner), .events = link_events(k->runner) },
        { .fd = chip_fd(k->chip), .events = POLLIN },
        { .fd = k->hsm ? hsm_fd(k->hsm) : -1, .events = POLLIN },
    };
    if (poll(fds, sizeof fds / sizeof fds[0], wait_ms(k, clock_mono_ms())) < 0)
        return errno == EINTR ? OK : fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    /* The hardware's answers before the core's next questions: they make room. */
    if (fds[3].revents)
        TRY(from_chip(k));
    if (fds[4].revents)
        TRY(from_hsm(k));
    if (fds[0].revents)
        TRY(from_supervisor(k));
    if (fds[2].revents)
        TRY(from_runner(k));
    return fds[1].revents ? from_core(k) : OK;
}

static result begin(struct keeper *k, const char **ret_what)
{
    AUTO_BUF origin = BUF(ORIGIN_MAX);
    k->config = k->child.config;
    k->grounds.config = k->config;
    k->began_s = clock_utc_ms() / 1000;
    TRY(random_bytes(k->run, sizeof k->run));
    TRY(keys_open(k, k->child.tpm, ret_what));
    *ret_what = "start";
    TRY(config_origin(k->config, &origin));
    TRY(span_copy_text(buf_span(&origin), k->log.origin, sizeof k->log.origin));
    TRY(keycache_new(AGENT_KEYS, &k->grounds.keys));
    TRY(vouched_new(&k->grounds.vouched));
    TRY(memory_new(MEMORY_ENTRIES, &k->memory));
    TRY(secret_new(CREDENTIAL_TEXT_MAX, &k->mintings.credential));
    TRY(secret_new(CALL_BYTES_MAX, &k->mintings.call));
    challenge_begin(k);
    TRY(link_new(FD_KEEPER_CORE, LINK_CORE_KEEPER, END_SECOND, &k->core));
    TRY(link_new(FD_KEEPER_RUNNER, LINK_KEEPER_RUNNER, END_FIRST, &k->runner));
    TRY(keys_tell(k));
    return child_ready(&k->child);
}

/* What the hardware's threads still hold is in nobody's queue: it is left to the process's end. */
static void end(struct keeper *k)
{
    challenge_end(k);
    mint_free_waiting(k);
    memory_free(k->memory);
    secret_free(k->mintings.credential);
    secret_free(k->mintings.call);
    buf_free(&k->quoting.preimage);
    buf_free(&k->log.note);
    policy_free(k->grounds.policy);
    policy_free(k->hsm_policy);
    keycache_free(k->grounds.keys);
    vouched_free(k->grounds.vouched);
    link_free(k->core);
    link_free(k->runner);
    child_end(&k->child);
}

int main(void)
{
    const char *what = "start";
    log_program("seb-keeper");
    tpm_be_quiet();
    struct keeper k = { .child = child_begin(CHILD_KEEPER) };
    result r = begin(&k, &what);
    if (!is_ok(r))
        child_abort(what, r);
    while (is_ok(r) && !k.stopping)
        r = turn(&k);
    bool ordered = is_ok(r) || code_of(r) == E_peer_gone; /* the core goes before the order to stop comes */
    if (ordered) {
        anchor_finish(&k);
        keys_close(&k); /* a TPM without a resource manager keeps each session that nobody flushed */
    }
    if (!is_ok(r))
        child_abort("an invariant", r);
    end(&k);
    return 0;
}
