#include "config.h"

#include "keeper/keeper.h"

#include "attest/quote.h"
#include "base/clock.h"
#include "base/log.h"
#include "entry/entry.h"

#define PREIMAGE_MAX 256

/* A note of this record key, or of one that a rekey retired: what it signed stays the log. */
static result open_note(const struct keeper *k, struct span note, struct checkpoint *ret, struct span *ret_text, bool *ret_own)
{
    result r = checkpoint_open(note, k->instance.key[ROLE_RECORD], ret, ret_text);
    *ret_own = is_ok(r);
    for (unsigned i = k->instance.retired_n; !is_ok(r) && i > 0; i--)
        if (k->instance.retired[i - 1].role == ROLE_RECORD)
            r = checkpoint_open(note, k->instance.retired[i - 1].key, ret, ret_text);
    return r;
}

/* What the record key signed last says which log this is. A fallen core can hand an older note with its own frontier (keeper.h),
 * but none that was never signed. */
static result note_fits(const struct keeper *k, const struct frontier *f, struct span note, struct checkpoint *ret,
    struct digest *ret_text, bool *ret_own)
{
    struct checkpoint c = { .size = 0 };
    struct span text;
    TRY(frontier_check(f));
    struct digest root = frontier_root(f);
    if (!note.n) {
        c.root = root;
        *ret = c;
        return f->size ? fail(E_frontier_mismatch) : OK;
    }
    TRY(open_note(k, note, &c, &text, ret_own));
    if (!span_equal(span_text(c.origin), span_text(k->log.origin)) || c.size != f->size || !digest_equal(&c.root, &root))
        return fail(E_frontier_mismatch);
    *ret = c;
    *ret_text = sha256(text);
    return OK;
}

static result tell_resumed(struct keeper *k, enum seb_code code, bool unclean)
{
    return tell_code(k, MESSAGE_RESUMED, k->log.resume_slot,
        &(struct code_message){ .code = code, .what = LOADED_RESUME, .foreign = unclean ? RESUMED_UNCLEAN : 0 });
}

static result refuse_log(struct keeper *k, result r)
{
    if (k->log.state != LOG_REFUSED)
        log_result(LOG_ERROR, "the log that the database holds isn't what the record key signed last: nothing is signed", r);
    k->log.state = LOG_REFUSED;
    return tell_resumed(k, E_frontier_mismatch, false);
}

/* The log is taken, whether or not anything can be signed yet. Behind its anchor it is appended to, so that refusals are recorded,
 * and nothing is signed until an operator acknowledges this very size and root. */
static result take_log(struct keeper *k, const struct resume_message *m)
{
    struct keeper_log *log = &k->log;
    result anchored = anchor_holds(k, m, &log->newest);
    bool unclean = anchor_is_unclean(k, &log->newest, log->has_note);
    log->resumed = log->newest;
    log->state = is_ok(anchored) ? LOG_SERVES : LOG_ROLLED_BACK;
    if (!is_ok(anchored))
        log_result(LOG_ERROR, "the database holds an older log than the TPM remembers: nothing is signed", anchored);
    if (unclean) {
        log_line(LOG_WARNING, "the last run didn't end cleanly: certificates that were issued before now are refused");
        k->grounds.certificates_from = k->began_s + 1; /* one of this very second may have been used by the run before */
    }
    k->state.changed = true;
    TRY(tell_resumed(k, code_of(anchored), unclean));
    link_phase_set(k->core, PHASE_SERVING);
    return OK;
}

result log_resume(struct keeper *k, uint64_t slot, struct span fields)
{
    struct keeper_log *log = &k->log;
    struct resume_message m;
    bool is_own = true;
    TRY(resume_read(fields, &m));
    log->resume_slot = slot;
    struct frontier f = { .size = m.size, .n = m.n };
    for (unsigned i = 0; i < m.n; i++)
        f.hash[i] = m.hash[i];
    result r =
        log->state == LOG_REFUSED ? fail(E_frontier_mismatch) : note_fits(k, &f, m.note, &log->newest, &log->newest_text, &is_own);
    if (!is_ok(r))
        return refuse_log(k, r);
    log->frontier = f;
    log->has_note = m.note.n != 0;
    log->note = BUF(NOTE_MAX);
    TRY(buf_put(&log->note, m.note));
    /* Whether the earlier run's last checkpoint was quoted isn't known here. One of before a rekey is the old attestation key's. */
    if (log->has_note && is_own)
        log->uncovered_since_ms = clock_mono_ms();
    return take_log(k, &m);
}

static result remember(struct keeper *k, const struct entry *e, uint64_t index, const struct digest *leaf)
{
    const struct span run = SPAN(k->run);
    const struct decision_entry *d = &e->decision;
    if (e->type == ENTRY_DECISION && d->permitted && span_equal(SPAN(d->run), run))
        return memory_put(k->memory, index, leaf, d->exp, e);
    if (e->type == ENTRY_READ && span_equal(SPAN(e->read.run), run))
        return memory_put(k->memory, index, leaf, e->read.exp, e);
    return OK;
}

result log_append(struct keeper *k, struct span fields)
{
    struct append_reader a;
    TRY(append_open(fields, &a));
    memory_purge(k->memory, clock_utc_ms() / 1000);
    while (a.left) {
        struct span text;
        struct entry e;
        TRY(append_next(&a, &text));
        if (a.index != k->log.frontier.size)
            return fail(E_illegal_message);
        TRY(entry_read(text, &e));
        struct digest leaf = merkle_leaf(text);
        frontier_append(&k->log.frontier, &leaf, NULL, NULL);
        if (e.type == ENTRY_STOP && span_equal(SPAN(e.stop.run), SPAN(k->run)))
            k->log.stop_size = k->log.frontier.size;
        TRY(remember(k, &e, a.index, &leaf));
    }
    return OK;
}

result log_sign(struct keeper *k)
{
    k->log.sign_wanted = true;
    return OK;
}

/* The first checkpoint has size 0, however much was appended before anything could be signed. */
static bool must_sign(const struct keeper *k)
{
    const struct keeper_log *log = &k->log;
    if (log->state != LOG_SERVES || !state_usable(k))
        return false;
    return !log->has_note || (log->sign_wanted && log->frontier.size != log->newest.size);
}

static struct checkpoint next_checkpoint(const struct keeper_log *log)
{
    if (!log->has_note)
        return log->resumed;
    return (struct checkpoint){ .size = log->frontier.size, .root = frontier_root(&log->frontier) };
}

static result start_signing(struct keeper *k)
{
    struct sign_work *w = &k->signing;
    AUTO_BUF text = BUF(NOTE_MAX);
    w->checkpoint = next_checkpoint(&k->log);
    TRY(span_copy_text(span_text(k->log.origin), w->checkpoint.origin, sizeof w->checkpoint.origin));
    TRY(checkpoint_text(&w->checkpoint, &text));
    w->digest = sha256(buf_span(&text));
    k->log.sign_wanted = false;
    chip_give(k->chip, &w->work, WORK_SIGN);
    return OK;
}

static result start_quoting(struct keeper *k)
{
    struct quote_work *w = &k->quoting;
    const struct grounds *g = &k->grounds;
    buf_free(&w->preimage);
    w->preimage = BUF(PREIMAGE_MAX);
    w->size = k->log.newest.size;
    TRY(quote_preimage(&k->log.newest_text, g->policy ? (uint64_t)policy_epoch_of(g->policy) : 0,
        g->has_epoch ? (uint64_t)g->epoch.epoch : 0, &w->preimage));
    w->qualifying = sha256(buf_span(&w->preimage));
    chip_give(k->chip, &w->work, WORK_QUOTE);
    return OK;
}

/* When a quote goes ahead of everything else: such that a signature that is begun just before doesn't make it late. */
static int64_t quote_due_ms(const struct keeper *k)
{
    const struct keeper_log *log = &k->log;
    int64_t last = chip_last_ms(k->chip) < QUOTE_DUE_MS ? chip_last_ms(k->chip) : QUOTE_DUE_MS;
    /* After the TPM was away a quote of the old checkpoint would set its records, which are as old, to the chip's clock of now. */
    bool behind_signature = log->sign_first && log->sign_wanted && log->frontier.size != log->newest.size;
    return log->uncovered_since_ms && !behind_signature ? log->uncovered_since_ms + QUOTE_DUE_MS - last : INT64_MAX;
}

result log_quote_turn(struct keeper *k, int64_t now_ms)
{
    return now_ms >= quote_due_ms(k) ? start_quoting(k) : OK;
}

/* Signing makes one group of all that waited; minting takes a command each. So those that waited when a group was signed go first,
 * and the next group gathers meanwhile: neither starves the other. */
result log_sign_turn(struct keeper *k, int64_t now_ms)
{
    bool sign = must_sign(k);
    (void)now_ms;
    if (!chip_armed(k->chip)) /* arming comes first, and between its commands what is more urgent than either */
        return OK;
    if (k->mintings.n && (k->mintings.turn || !sign)) {
        mint_next_on_chip(k);
        return OK;
    }
    return sign ? start_signing(k) : OK;
}

int64_t log_due_ms(const struct keeper *k)
{
    return k->chip_lost || chip_is_busy(k->chip) ? INT64_MAX : quote_due_ms(k);
}

result log_signed(struct keeper *k, int64_t now_ms)
{
    const struct sign_work *w = &k->signing;
    struct keeper_log *log = &k->log;
    bool done;
    TRY(state_outcome(k, "a checkpoint's signature", w->work.r, &done));
    log->sign_first = log->sign_first && code_of(w->work.r) == E_session_void;
    if (!done) {
        log->sign_wanted = true;
        return OK;
    }
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    buf_clear(&log->note);
    TRY(checkpoint_note(&w->checkpoint, k->instance.key[ROLE_RECORD], w->raw, &log->note));
    log->sign_wanted |= !log->has_note; /* what was appended before the first */
    log->has_note = true;
    log->newest = w->checkpoint;
    log->newest_text = w->digest;
    log->signed_n++;
    if (!log->uncovered_since_ms)
        log->uncovered_since_ms = now_ms;
    k->mintings.turn = k->mintings.n;
    anchor_checkpointed(k);
    TRY(checkpoint_put(&fields, &(struct checkpoint_message){ .size = w->checkpoint.size, .note = buf_span(&log->note) }));
    return link_send(k->core, MESSAGE_CHECKPOINT, 0, buf_span(&fields));
}

/* Nothing was signed while the TPM made the quote, so it covers all. */
result log_quoted(struct keeper *k, int64_t now_ms)
{
    struct quote_work *w = &k->quoting;
    if (!is_ok(w->work.r))
        return chip_failed(k, "a quote", w->work.r);
    k->log.uncovered_since_ms = 0;
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    const struct quote_message m = {
        .size = w->size,
        .attest = buf_span(&w->quote.attest),
        .signature = buf_span(&w->quote.signature),
        .preimage = buf_span(&w->preimage),
    };
    result r = quote_put(&fields, &m);
    tpm_quote_free(&w->quote);
    TRY(r);
    return link_send(k->core, MESSAGE_QUOTE, 0, buf_span(&fields));
}

bool log_quote_is_stale(const struct keeper *k, int64_t now_ms)
{
    return k->log.uncovered_since_ms && now_ms - k->log.uncovered_since_ms > QUOTE_STALE_MS;
}
