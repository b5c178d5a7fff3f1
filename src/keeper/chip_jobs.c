#include "config.h"

#include "keeper/chip_side.h"

#include "base/clock.h"

#include <unistd.h>

#define QUOTE_TRIES 4 /* IMA may extend its PCR between reading and quoting */
#define PREIMAGE_MAX 512

static result job_approve(struct side *s, struct keeper_work *w)
{
    return tpm_guard_approve(s->guard, &((struct approve_work *)w)->approval);
}

/* The counter first: cut off before the PCR, the statement isn't in force yet, and is tried again; in the other order sessions that
 * were armed in between would outlive it. */
static result job_epoch(struct side *s, struct keeper_work *work)
{
    struct epoch_work *w = (struct epoch_work *)work;
    const struct config *c = s->config;
    TRY(tpm_counter_increment(s->tpm, c->nv_epoch));
    TRY(tpm_pcr_extend(s->tpm, (unsigned)c->epoch_pcr, &w->statement));
    tpm_guard_disarm(s->guard);
    return tpm_counter_read(s->tpm, c->nv_epoch, &w->counter, w->counter_name);
}

static result job_quote(struct side *s, struct keeper_work *work)
{
    struct quote_work *w = (struct quote_work *)work;
    return tpm_quote(s->key[ROLE_ATTESTATION], s->config->pcr_mask, &w->qualifying, &w->quote);
}

static result job_lease(struct side *s, struct keeper_work *work)
{
    struct lease_work *w = (struct lease_work *)work;
    return tpm_guard_lease_end(s->guard, w->seconds, w->signature);
}

/* TPM 2.0 Part 2, TPMS_QUOTE_INFO: pcrDigest is over the values, one after another. */
static bool quote_is_over(const struct side *s, const struct evidence_work *w)
{
    struct span values[24];
    unsigned n = 0;
    struct attest a;
    for (unsigned i = 0; i < 24; i++)
        if (w->mask >> i & 1)
            values[n++] = digest_span(&w->pcr[i]);
    struct digest want = sha256_parts(values, n);
    return is_ok(attest_open(buf_span(&w->quote.attest), buf_span(&w->quote.signature), s->instance->key[ROLE_ATTESTATION], &a)) &&
           span_equal(a.pcr_digest, digest_span(&want));
}

static result quote_values(struct side *s, struct evidence_work *w)
{
    struct digest qualifying = sha256(buf_span(&w->preimage));
    for (unsigned i = 0; i < QUOTE_TRIES; i++) {
        tpm_quote_free(&w->quote);
        TRY(tpm_pcr_read(s->tpm, w->mask, w->pcr));
        TRY(tpm_quote(s->key[ROLE_ATTESTATION], w->mask, &qualifying, &w->quote));
        if (quote_is_over(s, w))
            return OK;
    }
    return fail(E_bad_quote);
}

static result job_evidence(struct side *s, struct keeper_work *work)
{
    struct evidence_work *w = (struct evidence_work *)work;
    w->mask = s->config->pcr_mask;
    w->begun_ms = clock_mono_ms();
    TRY(tpm_guard_lease_begin(s->guard, w->challenge.lease_nonce));
    buf_free(&w->preimage);
    w->preimage = BUF(PREIMAGE_MAX);
    TRY(quote_challenge_preimage(&w->challenge, &w->preimage));
    return quote_values(s, w);
}

static result job_arm(struct side *s, struct keeper_work *w)
{
    bool more;
    (void)w;
    return tpm_guard_arm_step(s->guard, &more);
}

/* One command: what is armed before it are jobs of their own. */
static result sign_once(struct side *s, enum key_role role, const struct digest *d, uint8_t raw[SIGNATURE_SIZE])
{
    tpm_guard_by_steps(s->guard, true);
    result r = hsm_sign(s->key[role], d, raw);
    tpm_guard_by_steps(s->guard, false);
    return r;
}

static result job_sign(struct side *s, struct keeper_work *work)
{
    struct sign_work *w = (struct sign_work *)work;
    return sign_once(s, ROLE_RECORD, &w->digest, w->raw);
}

static result job_mint(struct side *s, struct keeper_work *work)
{
    struct mint_work *w = (struct mint_work *)work;
    return s->key[ROLE_MINT] ? sign_once(s, ROLE_MINT, &w->digest, w->raw) : fail(E_key_missing);
}

static result job_unseal(struct side *s, struct keeper_work *work)
{
    return tpm_unseal(s->guard, s->config->handle_pin, &((struct unseal_work *)work)->pin);
}

/* The file bears the epoch's name: what a run that was cut off left there is this epoch's key, and no other. */
static result pem_path(const struct config *c, int64_t epoch, struct buf *out)
{
    AUTO_BUF name = BUF(64);
    TRY(buf_printf(&name, "mint.%lld.pem", (long long)epoch));
    TRY(buf_u8(&name, 0));
    return config_state_path(c, (const char *)name.p, out);
}

static result job_mint_key(struct side *s, struct keeper_work *work)
{
    struct mint_key_work *w = (struct mint_key_work *)work;
    const uint32_t handle = side_other_handle(s);
    AUTO_BUF path = BUF(512);
    bool made;
    if (!s->mint_handle)
        return fail(E_invariant);
    hsm_close(s->next);
    s->next = NULL;
    TRY(pem_path(s->config, w->epoch, &path));
    TRY(tpm_evict(s->tpm, handle));
    TRY(tpm_provision(s->tpm, TPM_MINT, handle, (const char *)path.p, tpm_guard_key_policy(s->guard), &made));
    TRY(tpm_signing_key(s->tpm, handle, s->key[ROLE_ATTESTATION], s->guard, &s->next));
    buf_clear(&w->evidence);
    TRY(hsm_evidence(s->next, &w->evidence));
    w->key = pubkey_hold(hsm_public(s->next));
    return OK;
}

/* It is recorded: from here on the old one isn't used again. */
static result job_adopt(struct side *s, struct keeper_work *w)
{
    const uint32_t old = s->mint_handle;
    (void)w;
    if (!s->next)
        return fail(E_invariant);
    hsm_close(s->key[ROLE_MINT]);
    s->key[ROLE_MINT] = s->next;
    s->next = NULL;
    s->mint_handle = side_other_handle(s);
    return tpm_evict(s->tpm, old);
}

static result job_anchor(struct side *s, struct keeper_work *work)
{
    return tpm_anchor_write(s->guard, s->config->nv_anchor, &((struct anchor_work *)work)->anchor);
}

static void fresh(struct buf *b, size_t max)
{
    buf_free(b);
    *b = BUF(max);
}

static result job_enrol(struct side *s, struct keeper_work *work)
{
    struct enrol_work *w = (struct enrol_work *)work;
    fresh(&w->ak, KEY_AREA_MAX);
    TRY(tpm_key_area(s->key[ROLE_ATTESTATION], &w->ak));
    w->eks = 0;
    for (enum tpm_ek_kind kind = 0; kind < EK_KINDS; kind++) {
        struct buf *certificate = &w->ek[w->eks].certificate, *public = &w->ek[w->eks].public;
        fresh(certificate, EK_CERTIFICATE_MAX);
        fresh(public, KEY_AREA_MAX);
        result r = tpm_ek_certificate(s->tpm, kind, certificate);
        if (code_of(r) == E_not_found)
            continue;
        TRY(r);
        TRY(tpm_ek_public(s->tpm, kind, public));
        w->eks++;
    }
    return OK;
}

/* Which EK a credential was made for isn't said: a TPM gives back what was made for its own alone. */
static result job_activate(struct side *s, struct keeper_work *work)
{
    struct activate_work *w = (struct activate_work *)work;
    result r = fail(E_activation_failed);
    fresh(&w->activated, KEY_AREA_MAX);
    for (enum tpm_ek_kind kind = 0; kind < EK_KINDS && code_of(r) == E_activation_failed; kind++)
        r = tpm_activate(s->tpm, kind, s->key[ROLE_ATTESTATION], buf_span(&w->credential), buf_span(&w->secret), &w->activated);
    return r;
}

result chip_job(struct side *s, struct keeper_work *w)
{
    static result (*const jobs[WORKS])(struct side *, struct keeper_work *) = {
        [WORK_APPROVE] = job_approve,
        [WORK_EPOCH] = job_epoch,
        [WORK_QUOTE] = job_quote,
        [WORK_LEASE] = job_lease,
        [WORK_EVIDENCE] = job_evidence,
        [WORK_ARM] = job_arm,
        [WORK_SIGN] = job_sign,
        [WORK_MINT] = job_mint,
        [WORK_UNSEAL] = job_unseal,
        [WORK_MINT_KEY] = job_mint_key,
        [WORK_ADOPT] = job_adopt,
        [WORK_ANCHOR] = job_anchor,
        [WORK_ENROL] = job_enrol,
        [WORK_ACTIVATE] = job_activate,
    };
    return w->kind < WORKS && jobs[w->kind] ? jobs[w->kind](s, w) : fail(E_invariant);
}
