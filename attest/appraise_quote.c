#include "config.h"

#include "attest/verdict.h"

/* TPM 2.0 Part 2, TPM_ALG_ID. */
#define ALG_SHA256 0x000b
#define SELECT_SIZE 3

/* The quoted digest is over the values in order of their numbers (Part 3, TPM2_Quote; Part 1, section 17.6.3), and the selection
 * one of the SHA-256 bank alone, of just the PCRs that came. */
static result pcrs_are_quoted(const struct evidence *e, const struct attest *q)
{
    AUTO_BUF selection = BUF(16), values = BUF(TPM_PCRS * DIGEST_SIZE);
    TRY(buf_u32(&selection, 1));
    TRY(buf_u16(&selection, ALG_SHA256));
    TRY(buf_u8(&selection, SELECT_SIZE));
    for (unsigned i = 0; i < SELECT_SIZE; i++)
        TRY(buf_u8(&selection, (uint8_t)(e->pcr_mask >> 8 * i)));
    for (unsigned i = 0; i < TPM_PCRS; i++)
        if (e->pcr_mask >> i & 1)
            TRY(buf_put(&values, digest_span(&e->pcr[i])));
    struct digest digest = sha256(buf_span(&values));
    bool same = span_equal(q->pcr_selection, buf_span(&selection)) && span_equal(q->pcr_digest, digest_span(&digest));
    return same ? OK : fail(E_pcr_mismatch);
}

static bool nonce_equal(const uint8_t a[NONCE_SIZE], const uint8_t b[NONCE_SIZE])
{
    return span_equal((struct span){ a, NONCE_SIZE }, (struct span){ b, NONCE_SIZE });
}

static bool is_earlier(const struct appraisal_args *a, const uint8_t nonce[NONCE_SIZE])
{
    for (unsigned i = 0; i < a->earlier_n; i++)
        if (nonce_equal(a->earlier[i], nonce))
            return true;
    return false;
}

/* The quote by the enrolled key, over this preimage. */
static bool is_signed(struct appraisal_case *c)
{
    const struct evidence *e = c->a->evidence;
    struct digest preimage = sha256(buf_span(&e->preimage));
    return is_ok(attest_open(buf_span(&e->attest), buf_span(&e->signature), c->a->identity->ak, &c->quote)) && c->quote.is_quote &&
           span_equal(c->quote.extra, digest_span(&preimage));
}

/* Purpose and nonces of the preimage. */
static void judge_binding(struct appraisal_case *c)
{
    const struct appraisal_args *a = c->a;
    result r = quote_challenge_read(buf_span(&a->evidence->preimage), &c->bound);
    if (!is_ok(r)) {
        verdict_say(c->v, code_of(r) == E_bad_quote ? E_quote_purpose : E_quote_forged);
        return;
    }
    if (!nonce_equal(c->bound.lease_nonce, a->evidence->lease_nonce)) {
        verdict_say(c->v, E_quote_forged);
        return;
    }
    c->signed_ = true;
    c->fresh = nonce_equal(c->bound.nonce, a->challenge->nonce);
    if (!c->fresh)
        verdict_say(c->v, is_earlier(a, c->bound.nonce) ? E_quote_old : E_nonce_mismatch);
}

result case_quote(struct appraisal_case *c)
{
    struct appraisal *v = c->v;
    if (!is_signed(c)) {
        verdict_say(v, E_quote_forged);
        return OK;
    }
    judge_binding(c);
    if (!c->signed_)
        return OK;
    TRY(verdict_of(v, pcrs_are_quoted(c->a->evidence, &c->quote), E_pcr_mismatch));
    c->signed_ = !verdict_has(v, E_pcr_mismatch);
    c->fresh = c->fresh && c->signed_;
    if (!c->fresh)
        return OK;
    v->policy_epoch = c->bound.policy_epoch;
    v->epoch = c->bound.epoch;
    return span_copy(SPAN(c->bound.lease_nonce), v->lease_nonce, NONCE_SIZE);
}

/* Part 1, section 36.3: while safe is clear, the clock may have been ahead already. That is expected after a reset that nobody
 * announced to the chip, and only until its clock has passed what it last saved. */
static bool unsafe_is_expected(const struct appraisal_case *c)
{
    const struct appraisal_known *k = c->a->known;
    bool since_reset = k->has_quote && !k->clock.safe && k->clock.reset_count == c->quote.clock.reset_count &&
                       k->clock.restart_count == c->quote.clock.restart_count;
    return !c->a->options.strict_clock && (!k->has_quote || c->reset || since_reset);
}

static void judge_counts(struct appraisal_case *c)
{
    const struct tpm_clock *was = &c->a->known->clock, *is = &c->quote.clock;
    const bool same_reset = is->reset_count == was->reset_count;
    if (is->reset_count < was->reset_count)
        verdict_say(c->v, E_reset_count_back);
    if (same_reset && is->restart_count < was->restart_count)
        verdict_say(c->v, E_restart_count_back);
    /* Across a reset only a safe clock is sure to have gone on. */
    if (is->clock_ms < was->clock_ms && (same_reset || is->safe))
        verdict_say(c->v, E_clock_went_back);
    c->reset = is->reset_count > was->reset_count;
    /* The broker's processes can't have outlived the machine: somebody reset the chip alone. */
    if (c->reset && span_equal(SPAN(c->a->known->run), SPAN(c->a->evidence->run)))
        verdict_say(c->v, E_tpm_reset);
}

void case_clock(struct appraisal_case *c)
{
    const unsigned before = c->v->codes_n;
    if (!c->fresh)
        return;
    if (c->a->known->has_quote)
        judge_counts(c);
    if (!c->quote.clock.safe && !unsafe_is_expected(c))
        verdict_say(c->v, E_clock_unsafe);
    c->clock_good = c->v->codes_n == before;
    if (c->a->known->has_quote && c->quote.firmware != c->a->known->firmware)
        verdict_say(c->v, E_firmware_changed);
}
