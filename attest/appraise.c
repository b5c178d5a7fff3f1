#include "config.h"

#include "attest/verdict.h"

/* What a code weighs: a claim of the trustworthiness vector and its value (draft-ietf-rats-ar4si section 2.3.4). 99: a signature or
 * digest doesn't verify; 96 and 97: contraindicated, unknown; 32 and 33: a warning, unrecognized. docs/attestation.md has the
 * same table. */
static const struct weight {
    enum seb_code code;
    enum ear_claim claim;
    int8_t value;
} weights[] = {
    { E_not_enrolled, EAR_INSTANCE_IDENTITY, 97 },
    { E_quote_forged, EAR_INSTANCE_IDENTITY, 99 },
    { E_quote_purpose, EAR_INSTANCE_IDENTITY, 99 },
    { E_quote_old, EAR_INSTANCE_IDENTITY, 99 },
    { E_nonce_mismatch, EAR_INSTANCE_IDENTITY, 99 },
    { E_key_other, EAR_INSTANCE_IDENTITY, 97 },
    { E_ak_attributes, EAR_INSTANCE_IDENTITY, 97 },
    { E_note_forged, EAR_INSTANCE_IDENTITY, 99 },
    { E_log_rolled_back, EAR_INSTANCE_IDENTITY, 96 },
    { E_log_forked, EAR_INSTANCE_IDENTITY, 96 },
    { E_log_cut, EAR_INSTANCE_IDENTITY, 96 },
    { E_key_not_certified, EAR_STORAGE_OPAQUE, 96 },
    { E_key_without_policy, EAR_STORAGE_OPAQUE, 96 },
    { E_hsm_not_approved, EAR_STORAGE_OPAQUE, 96 },
    { E_key_not_stated, EAR_STORAGE_OPAQUE, 32 },
    { E_clock_went_back, EAR_HARDWARE, 96 },
    { E_reset_count_back, EAR_HARDWARE, 96 },
    { E_restart_count_back, EAR_HARDWARE, 96 },
    { E_tpm_reset, EAR_HARDWARE, 96 },
    { E_clock_unsafe, EAR_HARDWARE, 32 },
    { E_firmware_changed, EAR_HARDWARE, 32 },
    { E_pcr_mismatch, EAR_EXECUTABLES, 99 },
    { E_event_log_mismatch, EAR_EXECUTABLES, 99 },
    { E_event_log_missing, EAR_EXECUTABLES, 33 },
    { E_reference_missing, EAR_EXECUTABLES, 33 },
    { E_reference_mismatch, EAR_EXECUTABLES, 33 },
    { E_approval_missing, EAR_CONFIGURATION, 32 },
    { E_approval_invalid, EAR_CONFIGURATION, 96 },
    { E_approval_other_tpm, EAR_CONFIGURATION, 96 },
    { E_countersignatures_too_few, EAR_CONFIGURATION, 96 },
    { E_state_not_approved, EAR_CONFIGURATION, 32 },
    { E_epoch_not_approved, EAR_CONFIGURATION, 32 },
    { E_policy_missing, EAR_CONFIGURATION, 32 },
    { E_policy_other, EAR_CONFIGURATION, 32 },
};

/* Where nothing is wrong. Executables: approved when they were started (3); the broker measures itself at its start, and nothing
 * here speaks of later. */
static const struct trust_vector good = { .value = {
                                              [EAR_INSTANCE_IDENTITY] = 2,
                                              [EAR_CONFIGURATION] = 2,
                                              [EAR_EXECUTABLES] = 3,
                                              [EAR_HARDWARE] = 2,
                                              [EAR_STORAGE_OPAQUE] = 2,
                                          } };

bool verdict_has(const struct appraisal *v, enum seb_code code)
{
    for (unsigned i = 0; i < v->codes_n; i++)
        if (v->codes[i] == code)
            return true;
    return false;
}

/* There is room for each code of the table once, and no other is said. */
_Static_assert(sizeof weights / sizeof *weights <= RESULT_CODES_MAX, "codes of an appraisal");

void verdict_say(struct appraisal *v, enum seb_code code)
{
    if (!verdict_has(v, code) && v->codes_n < RESULT_CODES_MAX)
        v->codes[v->codes_n++] = code;
}

static bool is_of_us(result r)
{
    return code_of(r) == E_no_memory || code_of(r) == E_crypto;
}

result verdict_of(struct appraisal *v, result r, enum seb_code code)
{
    if (is_of_us(r))
        return r;
    if (!is_ok(r))
        verdict_say(v, code);
    return OK;
}

result verdict_own(struct appraisal *v, result r)
{
    return verdict_of(v, r, code_of(r));
}

/* The worst of what was said about each claim. A claim that only a quote for this challenge can back isn't made without one. */
static void weigh(const struct appraisal_case *c)
{
    struct appraisal *v = c->v;
    if (c->fresh)
        v->vector = good;
    for (unsigned i = 0; i < sizeof weights / sizeof *weights; i++) {
        const struct weight *w = &weights[i];
        if (verdict_has(v, w->code) && w->value > v->vector.value[w->claim])
            v->vector.value[w->claim] = w->value;
    }
    v->status = trust_vector_status(&v->vector);
}

static bool log_state_equal(const struct log_state *a, const struct log_state *b)
{
    return a->size == b->size && digest_equal(&a->root, &b->root);
}

/* The challenge must be this instance's, and the proof that it asks for begin at what is known: or what then lacks would be no
 * fault of the instance. */
static result is_askable(const struct appraisal_args *a)
{
    const struct log_state empty = log_state_empty();
    const struct log_state *asked = a->challenge->has_seen ? &a->challenge->seen : &empty;
    bool of_it = !a->identity || (span_is(span_text(a->challenge->domain), a->identity->domain) &&
                                     span_is(span_text(a->challenge->instance), a->identity->instance));
    return of_it && log_state_equal(asked, &a->known->log) ? OK : fail(E_bad_value);
}

static void take_claims(const struct appraisal_args *a, struct appraisal *v)
{
    const struct evidence *e = a->evidence;
    v->known = *a->known;
    v->quote = sha256(buf_span(&e->attest));
    v->attestation = e->key[EVIDENCE_ATTESTATION].kid;
    v->record = e->key[EVIDENCE_RECORD].kid;
    v->mint = e->key[EVIDENCE_MINT].kid;
    v->log = log_state_empty();
}

static result steps(struct appraisal_case *c)
{
    TRY(case_quote(c));
    case_clock(c);
    TRY(case_keys(c));
    TRY(case_approval(c));
    TRY(case_measured(c));
    return case_witness(c);
}

/* What is known of the chip moves by a good quote alone. Firmware stays what it was at first until somebody confirms another. */
static void remember_quote(const struct appraisal_case *c)
{
    struct appraisal_known *k = &c->v->known;
    if (!c->fresh || !c->clock_good)
        return;
    if (!k->has_quote)
        k->firmware = c->quote.firmware;
    k->has_quote = true;
    k->clock = c->quote.clock;
    for (unsigned i = 0; i < RUN_ID_SIZE; i++)
        k->run[i] = c->a->evidence->run[i];
}

result appraise(const struct appraisal_args *a, struct appraisal *ret)
{
    struct appraisal v = { 0 };
    struct appraisal_case c = { .a = a, .v = &v };
    TRY(is_askable(a));
    take_claims(a, &v);
    if (a->identity) {
        result r = steps(&c);
        approval_file_free(&c.approval);
        if (!is_ok(r)) {
            appraisal_free(&v);
            return r;
        }
        remember_quote(&c);
    } else
        verdict_say(&v, E_not_enrolled);
    weigh(&c);
    *ret = v;
    return OK;
}

void appraisal_free(struct appraisal *a)
{
    pubkey_free(a->mint_key);
    a->mint_key = NULL;
}

result appraisal_claims(const struct appraisal_args *a, const struct appraisal *v, int64_t seconds, struct result_claims *ret)
{
    const struct challenge *c = a->challenge;
    if (seconds < 1 || seconds > RESULT_VALID_S_MAX)
        return fail(E_bad_value);
    ret->iat = a->now;
    ret->exp = a->now + seconds;
    TRY(span_copy(SPAN(c->nonce), ret->nonce, NONCE_SIZE));
    TRY(span_copy_text(span_text(c->domain), ret->domain, sizeof ret->domain));
    TRY(span_copy_text(span_text(c->instance), ret->instance, sizeof ret->instance));
    ret->status = v->status;
    ret->vector = v->vector;
    ret->codes_n = v->codes_n;
    for (unsigned i = 0; i < v->codes_n; i++)
        ret->codes[i] = v->codes[i];
    ret->enrolment = a->identity ? a->identity->statement : (struct digest){ 0 };
    ret->evidence = a->evidence->digest;
    ret->quote = v->quote;
    ret->has_reference = a->reference != NULL;
    if (a->reference)
        ret->reference = a->reference->digest;
    ret->attestation = v->attestation;
    ret->record = v->record;
    ret->mint = v->mint;
    ret->log = v->log;
    ret->log_before = a->known->log;
    ret->policy_epoch = v->policy_epoch;
    ret->epoch = v->epoch;
    return OK;
}
