#include "config.h"

#include "attest/tcg_log.h"
#include "attest/verdict.h"

static bool has_pcrs(const struct evidence *e, uint32_t mask)
{
    return (e->pcr_mask & mask) == mask;
}

/* The log is the one that the evidence names, whole. */
static bool is_named(const struct appraisal_case *c, struct span log, const struct digest *want)
{
    struct digest d = sha256(log);
    if (log.n == 0)
        verdict_say(c->v, E_event_log_missing);
    else if (!digest_equal(&d, want))
        verdict_say(c->v, E_event_log_mismatch);
    else
        return true;
    return false;
}

static unsigned measured_pcr(const struct appraisal_case *c)
{
    return c->approved ? c->approval.approval.pcr : MEASURED_PCR_DEFAULT;
}

static result judge_cel(struct appraisal_case *c)
{
    const struct evidence *e = c->a->evidence;
    const unsigned pcr = measured_pcr(c);
    struct digest value;
    if (!has_pcrs(e, UINT32_C(1) << pcr))
        verdict_say(c->v, E_pcr_mismatch);
    if (!is_named(c, c->a->documents->cel, &e->cel))
        return OK;
    result r = cel_replay(c->a->documents->cel, pcr, &value, &c->measured);
    TRY(verdict_of(c->v, r, E_event_log_mismatch));
    c->measured_good = is_ok(r) && digest_equal(&value, &e->pcr[pcr]);
    if (!c->measured_good)
        verdict_say(c->v, E_event_log_mismatch);
    else if (c->approved && !cel_equal(&c->measured, &c->approval.approval.measured))
        verdict_say(c->v, E_state_not_approved);
    return OK;
}

static bool is_measured(const struct appraisal_case *c, const char *name, const struct pubkey *want)
{
    const struct digest *d = cel_find(&c->measured, name);
    return d && digest_equal(d, pubkey_thumbprint(want));
}

/* Key identities are the enrolled ones, and the authority is ours: the reference values say nothing of them. */
static void judge_identities(const struct appraisal_case *c)
{
    if (!is_measured(c, CEL_KEY_ATTESTATION, c->a->identity->ak) || !is_measured(c, CEL_KEY_RECORD, c->a->identity->record))
        verdict_say(c->v, E_key_other);
    if (!is_measured(c, CEL_POLICY_AUTHORITY, c->a->policy_key))
        verdict_say(c->v, E_reference_mismatch);
}

static void judge_reference(const struct appraisal_case *c)
{
    const struct reference *r = c->a->reference;
    const struct evidence *e = c->a->evidence;
    if (!r || !span_is(span_text(r->domain), c->a->identity->domain)) {
        verdict_say(c->v, E_reference_missing);
        return;
    }
    if (c->measured_good)
        reference_judge(r, &c->measured, &c->v->differs);
    reference_judge_pcrs(r, e->pcr_mask, e->pcr, &c->v->differs);
    if (c->v->differs.n)
        verdict_say(c->v, E_reference_mismatch);
}

/* What firmware measured into PCR 0 to 7. Later software extends others without an event in this log. */
static result judge_firmware(const struct appraisal_case *c)
{
    const struct evidence *e = c->a->evidence;
    struct tcg_replay replay;
    if (!e->has_firmware) {
        if (c->a->options.needs_firmware_log)
            verdict_say(c->v, E_event_log_missing);
        return OK;
    }
    if (!has_pcrs(e, FIRMWARE_PCRS))
        verdict_say(c->v, E_pcr_mismatch);
    if (!is_named(c, c->a->documents->firmware, &e->firmware))
        return OK;
    result r = tcg_log_replay(c->a->documents->firmware, &replay);
    TRY(verdict_of(c->v, r, E_event_log_mismatch));
    for (unsigned i = 0; is_ok(r) && FIRMWARE_PCRS >> i; i++)
        if (!digest_equal(&replay.pcr[i], &e->pcr[i]))
            verdict_say(c->v, E_event_log_mismatch);
    return OK;
}

/* IMA's log goes on from where it was replayed to last, and begins anew after a reset. */
static result judge_ima(const struct appraisal_case *c)
{
    const struct evidence *e = c->a->evidence;
    const struct appraisal_known *k = c->a->known;
    struct ima_state state = { 0 };
    if (k->has_quote && !c->reset)
        state = k->ima;
    if (!e->has_ima) {
        if (c->a->options.needs_ima)
            verdict_say(c->v, E_event_log_missing);
        else if (state.offset > 0)
            verdict_say(c->v, E_event_log_mismatch);
        return OK;
    }
    if (!has_pcrs(e, UINT32_C(1) << IMA_PCR)) {
        verdict_say(c->v, E_pcr_mismatch);
        return OK;
    }
    if (e->ima_length < state.offset) {
        verdict_say(c->v, E_event_log_mismatch);
        return OK;
    }
    if (e->ima_length > state.offset && c->a->documents->ima.n == 0) { /* it was never handed over */
        verdict_say(c->v, E_event_log_missing);
        return OK;
    }
    result r = ima_advance(c->a->documents->ima, IMA_PCR, &e->pcr[IMA_PCR], &state);
    TRY(verdict_of(c->v, r, E_event_log_mismatch));
    if (is_ok(r) && c->fresh && c->clock_good)
        c->v->known.ima = state;
    return OK;
}

result case_measured(struct appraisal_case *c)
{
    TRY(judge_cel(c));
    if (c->measured_good)
        judge_identities(c);
    judge_reference(c);
    TRY(judge_firmware(c));
    TRY(judge_ima(c));
    /* After a reset all PCRs and logs begin anew: a log that doesn't fit then is one of before it. */
    if (c->reset && verdict_has(c->v, E_event_log_mismatch)) {
        verdict_say(c->v, E_tpm_reset);
        c->clock_good = false;
        c->v->known.ima = c->a->known->ima;
    }
    return OK;
}

/* After a rekey the newest note is the old record key's, and the new one signs nothing before a first lease. */
static result open_signed(const struct appraisal_case *c, struct checkpoint *ret, struct span *ret_text, struct digest *ret_by)
{
    const struct appraisal_identity *id = c->a->identity;
    const struct span note = buf_span(&c->a->evidence->note);
    const struct pubkey *by = id->record;
    const bool goes_on = digest_equal(&c->a->known->noted_by, pubkey_thumbprint(by));
    result r = checkpoint_open(note, by, ret, ret_text);
    for (unsigned i = 0; !is_ok(r) && !goes_on && i < id->earlier_n; i++) {
        by = id->earlier[i];
        r = checkpoint_open(note, by, ret, ret_text);
    }
    if (is_ok(r))
        *ret_by = *pubkey_thumbprint(by);
    return r;
}

/* The note that was quoted, by the enrolled record key or one that it followed, of this instance's log. */
static result open_note(const struct appraisal_case *c, struct checkpoint *ret, struct digest *ret_by)
{
    const struct appraisal_identity *id = c->a->identity;
    AUTO_BUF origin = BUF(ORIGIN_MAX);
    struct span text;
    TRY(open_signed(c, ret, &text, ret_by));
    TRY(buf_printf(&origin, "%s/%s", id->domain, id->instance));
    struct digest digest = sha256(text);
    bool quoted = !c->signed_ || (c->bound.has_note && digest_equal(&c->bound.note_text, &digest));
    bool sayable = ret->size <= (uint64_t)JSON_INT_MAX; /* in a result */
    return quoted && sayable && span_equal(span_text(ret->origin), buf_span(&origin)) ? OK : fail(E_note_forged);
}

/* A continuation of what was seen: no smaller, and by proof (RFC 9162 section 2.1.4.2). */
static enum seb_code judge_growth(const struct log_state *was, const struct checkpoint *is, const struct merkle_proof *proof)
{
    if (is->size < was->size)
        return E_log_rolled_back;
    if (was->size > 0 && is->size > was->size && proof->n == 0)
        return E_log_cut;
    return is_ok(merkle_verify_consistency(was->size, &was->root, is->size, &is->root, proof)) ? E_ok : E_log_forked;
}

/* Without a note: nothing was ever signed, and so nothing can have been seen. */
static void judge_no_note(const struct appraisal_case *c)
{
    if (c->a->known->log.size > 0)
        verdict_say(c->v, E_log_cut);
    if (c->signed_ && c->bound.has_note)
        verdict_say(c->v, E_note_forged);
}

result case_witness(struct appraisal_case *c)
{
    struct checkpoint note;
    struct digest by;
    if (c->a->evidence->note.n == 0) {
        judge_no_note(c);
        return OK;
    }
    result r = open_note(c, &note, &by);
    TRY(verdict_of(c->v, r, E_note_forged));
    if (!is_ok(r))
        return OK;
    enum seb_code growth = judge_growth(&c->a->known->log, &note, &c->a->evidence->proof);
    if (growth != E_ok) {
        verdict_say(c->v, growth);
        return OK;
    }
    c->v->log = (struct log_state){ .size = note.size, .root = note.root };
    if (c->fresh) {
        c->v->known.log = c->v->log;
        c->v->known.noted_by = by;
    }
    return OK;
}
