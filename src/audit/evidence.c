#include "config.h"

#include "audit/evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* All that is asked of one piece of evidence. */
struct inquiry {
    const struct ground *g;
    const struct result_claims *c;
    const struct evidence *e;
    struct attest attest;
    struct quote_challenge preimage;
    struct approval_file approval;
    struct fault *fault;
};

static bool is_wrong(const struct inquiry *q, enum finding what, const char *about, ...) __attribute__((format(printf, 3, 4)));
static bool is_wrong(const struct inquiry *q, enum finding what, const char *about, ...)
{
    va_list args;
    q->fault->what = what;
    va_start(args, about);
    vsnprintf(q->fault->about, sizeof q->fault->about, about, args);
    va_end(args);
    return false;
}

/* TPM 2.0 Part 2, TPMS_ATTEST: by the attestation key, over the preimage, and the very quote that the verifier names. */
static bool quote_holds(struct inquiry *q)
{
    const struct evidence *e = q->e;
    struct digest quote = sha256(buf_span(&e->attest)), preimage = sha256(buf_span(&e->preimage));
    if (!digest_equal(&quote, &q->c->quote))
        return is_wrong(q, FOUND_evidence_quote, "another than the result's");
    if (!is_ok(attest_open(buf_span(&e->attest), buf_span(&e->signature), q->g->ak, &q->attest)) || !q->attest.is_quote)
        return is_wrong(q, FOUND_evidence_quote, "its signature");
    if (!span_equal(q->attest.extra, digest_span(&preimage)))
        return is_wrong(q, FOUND_evidence_quote, "its preimage");
    return true;
}

/* The purpose keeps a checkpoint's quote from passing for a challenge's. */
static bool nonce_holds(struct inquiry *q)
{
    if (!is_ok(quote_challenge_read(buf_span(&q->e->preimage), &q->preimage)))
        return is_wrong(q, FOUND_evidence_nonce, "not made for a challenge");
    if (!span_equal(SPAN(q->preimage.nonce), SPAN(q->c->nonce)))
        return is_wrong(q, FOUND_evidence_nonce, "another nonce");
    if (!span_equal(SPAN(q->preimage.lease_nonce), SPAN(q->e->lease_nonce)))
        return is_wrong(q, FOUND_evidence_nonce, "another nonce of a lease");
    if (q->preimage.policy_epoch != q->c->policy_epoch || q->preimage.epoch != q->c->epoch)
        return is_wrong(q, FOUND_evidence_nonce, "other epochs than the result's");
    return true;
}

bool state_is_noted(const struct ground *g, const struct log_state *s)
{
    AUTO_BUF text = BUF(NOTE_MAX);
    struct checkpoint c = { .size = s->size, .root = s->root };
    if (!is_ok(span_copy_text(span_text(g->trust->origin), c.origin, sizeof c.origin)) || !is_ok(checkpoint_text(&c, &text)))
        return false;
    struct digest d = sha256(buf_span(&text));
    return g->noted(g->ctx, &d);
}

static bool is_unseen(const struct log_state *s)
{
    const struct log_state empty = log_state_empty();
    return s->size == 0 && digest_equal(&s->root, &empty.root);
}

/* By the record key; or of before a rekey, and then a checkpoint that was verified when its size was reached (ground.noted). */
static bool note_opens(const struct inquiry *q, struct checkpoint *ret, struct span *ret_text)
{
    const struct span note = buf_span(&q->e->note);
    if (is_ok(checkpoint_open(note, q->g->record, ret, ret_text)))
        return true;
    return q->g->rekeyed != NO_INDEX && is_ok(checkpoint_parse(note, ret, ret_text)) && ret->size <= q->g->rekeyed;
}

static bool note_holds(struct inquiry *q)
{
    const struct log_state *log = &q->c->log, *before = &q->c->log_before;
    struct checkpoint note;
    struct span text;
    if (!is_unseen(before) && !state_is_noted(q->g, before))
        return is_wrong(q, FOUND_evidence_note, "what the verifier had seen before, size %" PRIu64, before->size);
    if (!q->preimage.has_note)
        return is_unseen(log) && q->e->note.n == 0 ? true : is_wrong(q, FOUND_evidence_note, "none was quoted");
    if (!note_opens(q, &note, &text))
        return is_wrong(q, FOUND_evidence_note, "the note's signature");
    struct digest d = sha256(text);
    if (!digest_equal(&d, &q->preimage.note_text) || note.size != log->size || !digest_equal(&note.root, &log->root))
        return is_wrong(q, FOUND_evidence_note, "another than the one that was quoted");
    if (before->size > note.size || !q->g->noted(q->g->ctx, &d))
        return is_wrong(q, FOUND_evidence_note, "size %" PRIu64, note.size);
    return true;
}

static bool pcrs_hold(struct inquiry *q)
{
    const struct evidence *e = q->e;
    struct span parts[TPM_PCRS];
    unsigned n = 0;
    for (unsigned i = 0; i < TPM_PCRS; i++)
        if (e->pcr_mask & UINT32_C(1) << i)
            parts[n++] = digest_span(&e->pcr[i]);
    struct digest all = sha256_parts(parts, n);
    struct quoted_state *s = &q->fault->state;
    if (!quoted_state_of(&q->attest, q->c->epoch, s) || s->mask != e->pcr_mask)
        return is_wrong(q, FOUND_evidence_pcrs, "another selection");
    return digest_equal(&s->pcrs, &all) ? true : is_wrong(q, FOUND_evidence_pcrs, "%s", "");
}

/* The policy key's, whoever else signed too. */
static bool is_by(const struct pubkey *policy_key, const struct jws *j)
{
    for (unsigned i = 0; i < j->n; i++)
        if (digest_equal(&j->sig[i].kid, pubkey_thumbprint(policy_key)))
            return is_ok(jws_verify(policy_key, TYP_APPROVAL, j->payload, &j->sig[i]));
    return false;
}

static result open_approval(const struct ground *g, const struct evidence *e, struct approval_file *f)
{
    AUTO_BUF text = BUF(BLOB_MAX);
    TRY(export_blob(g->export, &e->approval, "jws", &text));
    TRY(jws_parse_text(buf_span(&text), &f->arena, &f->jws));
    struct digest came = sha256(f->jws.payload);
    if (!digest_equal(&came, &e->approval) || !is_by(g->trust->policy, &f->jws))
        return fail(E_approval_invalid);
    /* The approved policy's digest is computed again from the rest. */
    return approval_parse(f->jws.payload, &f->approval);
}

result approval_of(const struct ground *g, const struct evidence *e, struct approval_file *ret)
{
    struct approval_file f = { .arena = BUF(JWS_TEXT_MAX) };
    result r = e->has_approval ? open_approval(g, e, &f) : fail(E_approval_missing);
    if (is_ok(r))
        *ret = f;
    else
        approval_file_free(&f);
    return r;
}

/* What the approval is for, but for the measured value. */
static bool is_for_instance(const struct inquiry *q, const struct approval *p)
{
    struct digest ref;
    bool named = span_is(span_text(p->domain), q->g->trust->domain) && span_is(span_text(p->instance), q->g->trust->instance);
    return named && digest_equal(&p->ak, pubkey_thumbprint(q->g->ak)) &&
           is_ok(policy_ref(q->g->trust->origin, q->g->ak_name, &ref)) && digest_equal(&ref, &p->ref);
}

static bool has_lease_key(const struct inquiry *q, const struct approval *p)
{
    for (unsigned i = 0; i < policy_verifiers(q->g->policy); i++)
        if (pubkey_equal(p->lease, policy_verifier_lease(q->g->policy, i)))
            return true;
    return false;
}

static bool is_countersigned(const struct inquiry *q)
{
    const struct policy *p = q->g->policy;
    const struct pubkey *key[8];
    unsigned n = 0, distinct = 0;
    for (; n < policy_countersigners(p) && n < 8; n++)
        key[n] = policy_countersigner(p, n);
    return is_ok(approval_countersigned(&q->approval, q->g->trust->policy, key, n, &distinct)) &&
           distinct >= policy_countersigners_needed(p);
}

static bool approval_holds(struct inquiry *q)
{
    const struct approval *p = &q->approval.approval;
    const struct run *run = q->g->run;
    result r = approval_of(q->g, q->e, &q->approval);
    if (!is_ok(r))
        return is_wrong(q, FOUND_evidence_approval, "%s", code_name(code_of(r)));
    if (!is_for_instance(q, p))
        return is_wrong(q, FOUND_evidence_approval, "for another instance or TPM");
    if (p->counter < run->counter_from || p->counter > run->counter_to)
        return is_wrong(q, FOUND_evidence_approval, "for counter %" PRIu64, p->counter);
    if ((uint64_t)p->epoch != q->c->epoch)
        return is_wrong(q, FOUND_evidence_approval, "for revocation epoch %" PRId64, p->epoch);
    if (!(q->e->pcr_mask >> p->pcr & 1) || !digest_equal(&p->pcr_value, &q->e->pcr[p->pcr]) ||
        !cel_equal(&p->measured, &run->measured))
        return is_wrong(q, FOUND_evidence_approval, "for another state");
    if (!has_lease_key(q, p))
        return is_wrong(q, FOUND_evidence_approval, "for the lease of nobody that the policy names");
    return is_countersigned(q) ? true : is_wrong(q, FOUND_evidence_approval, "countersignatures");
}

static bool events_hold(struct inquiry *q)
{
    AUTO_BUF log = BUF(BLOB_MAX);
    const unsigned pcr = q->approval.approval.pcr;
    struct digest value;
    struct cel_state state;
    result r = export_raw(q->g->export, &q->e->cel, &log);
    if (is_ok(r))
        r = cel_replay(buf_span(&log), pcr, &value, &state);
    if (!is_ok(r))
        return is_wrong(q, FOUND_evidence_events, "%s", code_name(code_of(r)));
    if (!digest_equal(&value, &q->e->pcr[pcr]))
        return is_wrong(q, FOUND_evidence_events, "PCR %u", pcr);
    return cel_equal(&state, &q->g->run->measured) ? true : is_wrong(q, FOUND_evidence_events, "another state than the run's");
}

static bool keys_hold(struct inquiry *q)
{
    const struct digest *kid[EVIDENCE_ROLES] = {
        [EVIDENCE_ATTESTATION] = &q->c->attestation, [EVIDENCE_RECORD] = &q->c->record, [EVIDENCE_MINT] = &q->c->mint
    };
    for (unsigned role = 0; role < EVIDENCE_ROLES; role++)
        if (!digest_equal(&q->e->key[role].kid, kid[role]))
            return is_wrong(q, FOUND_evidence_keys, "%s", evidence_role_name(role));
    if (!span_equal(SPAN(q->e->run), SPAN(q->g->run->id)))
        return is_wrong(q, FOUND_evidence_keys, "another run");
    return true;
}

result evidence_judge(const struct ground *g, const struct result_claims *c, const struct evidence *e, struct fault *ret)
{
    struct inquiry q = { .g = g, .c = c, .e = e, .fault = ret };
    *ret = (struct fault){ .what = FINDINGS };
    (void)(quote_holds(&q) && nonce_holds(&q) && note_holds(&q) && pcrs_hold(&q) && approval_holds(&q) && events_hold(&q) &&
           keys_hold(&q));
    approval_file_free(&q.approval);
    return OK;
}
