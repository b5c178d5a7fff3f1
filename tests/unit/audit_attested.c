/* Attestation in the world of an audit: measured, approved, enrolled, appraised, as broker, authority and verifier do it. */
#include "config.h"

#include "tests/unit/audit_internal.h"

#define TEXT_MAX 131072

static void measure(struct audit_world *w, const char *name, const struct digest *value)
{
    struct digest event;
    must(is_ok(cel_append(&w->cel, AW_PCR, name, value, &event)), name);
}

void aw_measure(struct audit_world *w)
{
    struct digest configuration = sha256(span_text("configuration"));
    buf_clear(&w->cel);
    w->measured = (struct cel_state){ 0 };
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++) {
        struct digest d = sha256(span_text(cel_executable(i)));
        measure(w, cel_executable(i), &d);
    }
    measure(w, CEL_CONFIGURATION, &configuration);
    measure(w, CEL_KEY_ATTESTATION, pubkey_thumbprint(w->keys.public(w->keys.ctx, ROLE_ATTESTATION)));
    measure(w, CEL_KEY_RECORD, pubkey_thumbprint(w->keys.public(w->keys.ctx, ROLE_RECORD)));
    measure(w, CEL_POLICY_AUTHORITY, pubkey_thumbprint(testkey_public(w->policy_key)));
    must(is_ok(cel_replay(buf_span(&w->cel), AW_PCR, &w->measured_value, &w->measured)), "event log");
    aw_soft_pcr(w->keys.ctx, AW_PCR, &w->measured_value);
}

void aw_approve(struct audit_world *w, void (*edit_)(struct approval *a))
{
    AUTO_BUF payload = BUF(TEXT_MAX), text = BUF(TEXT_MAX);
    struct approval a = { .iat = w->now_ms / 1000,
        .epoch = w->epoch.epoch,
        .ak = *pubkey_thumbprint(w->keys.public(w->keys.ctx, ROLE_ATTESTATION)),
        .counter = w->counter,
        .counter_name = { 0, 0x0b, 1 },
        .lease = testkey_public(w->policy.lease),
        .measured = w->measured,
        .pcr = AW_PCR,
        .pcr_value = w->measured_value };
    struct approval parsed = { 0 };
    uint8_t name[TPM_NAME_SIZE];
    aw_text("prod.example", a.domain, sizeof a.domain);
    aw_text("seb-1", a.instance, sizeof a.instance);
    w->keys.name(w->keys.ctx, name);
    must(is_ok(policy_ref(AW_ORIGIN, name, &a.ref)), "ref");
    if (edit_)
        edit_(&a);
    must(is_ok(approval_payload(&a, &payload)) && is_ok(approval_parse(buf_span(&payload), &parsed)), "approval");
    testkey_jws(&w->policy_key, 1, TYP_APPROVAL, buf_span(&payload), &text);
    w->approval = parsed.digest;
    aw_blob(w, BLOB_APPROVAL, &w->approval, buf_span(&text));
    approval_free(&parsed);
}

struct entry aw_enrolment(struct audit_world *w)
{
    AUTO_BUF payload = BUF(TEXT_MAX), text = BUF(TEXT_MAX);
    struct entry e = { .type = ENTRY_ENROLMENT, .time = w->now_ms };
    struct enrolment_statement s = { .activated = w->ek_activated ? w->ek_activated : w->now_ms / 1000,
        .ak = *pubkey_thumbprint(w->keys.public(w->keys.ctx, ROLE_ATTESTATION)),
        .ek = w->ek_spki,
        .ek_certificate = sha256(buf_span(&w->ek_certificate)),
        .verifier = *pubkey_thumbprint(testkey_public(w->policy.verifier)) };
    w->keys.name(w->keys.ctx, s.ak_name);
    aw_text("prod.example", s.domain, sizeof s.domain);
    aw_text("seb-1", s.instance, sizeof s.instance);
    must(is_ok(enrolment_write(&s, &payload)), "enrolment");
    testkey_jws(&w->policy.verifier, 1, TYP_ENROLMENT, buf_span(&payload), &text);
    e.enrolment.statement = w->enrolment = sha256(buf_span(&payload));
    aw_blob(w, BLOB_ENROLMENT, &w->enrolment, buf_span(&text));
    aw_blob(w, BLOB_DOCUMENT, &s.ek_certificate, buf_span(&w->ek_certificate));
    return e;
}

static void put_evidence_keys(struct audit_world *w, struct evidence *e)
{
    static const enum key_role roles[EVIDENCE_ROLES] = {
        [EVIDENCE_ATTESTATION] = ROLE_ATTESTATION, [EVIDENCE_RECORD] = ROLE_RECORD, [EVIDENCE_MINT] = ROLE_MINT
    };
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        const bool in_tpm = i != EVIDENCE_MINT || w->keys.mint_in_tpm;
        w->keys.evidence(w->keys.ctx, roles[i], &e->key[i].evidence);
        e->key[i].kid = *pubkey_thumbprint(w->keys.public(w->keys.ctx, roles[i]));
        aw_text(in_tpm ? "tpm" : "pkcs11", e->key[i].backend, sizeof e->key[i].backend);
    }
}

void aw_result_draft(struct audit_world *w, struct aw_result *ret)
{
    const struct aw_soft *tpm = w->keys.ctx;
    struct checkpoint note;
    struct span text;
    *ret = (struct aw_result){ .verifier = w->policy.verifier };
    struct result_claims *c = &ret->c;
    must(is_ok(evidence_new(&ret->e)), "evidence");
    struct evidence *e = ret->e;
    must(is_ok(checkpoint_parse(buf_span(&w->note), &note, &text)), "note");
    for (unsigned i = 0; i < NONCE_SIZE; i++) {
        ret->q.nonce[i] = c->nonce[i] = (uint8_t)(i + 3 * w->results);
        ret->q.lease_nonce[i] = e->lease_nonce[i] = (uint8_t)(0x80 + i + w->results);
    }
    w->results++;
    ret->q.has_note = true;
    ret->q.note_text = sha256(text);
    ret->q.policy_epoch = c->policy_epoch = (uint64_t)policy_epoch_of(w->in_force);
    ret->q.epoch = c->epoch = (uint64_t)w->epoch.epoch;
    e->has_approval = e->has_policy = true;
    e->approval = w->approval;
    e->policy = *policy_digest(w->in_force);
    e->cel = sha256(buf_span(&w->cel));
    e->pcr_mask = tpm->pcr_mask;
    for (unsigned i = 0; i < TPM_PCRS; i++)
        e->pcr[i] = tpm->pcr[i];
    put_evidence_keys(w, e);
    must(is_ok(buf_put(&e->note, buf_span(&w->note))) && is_ok(span_copy(SPAN(w->run), e->run, RUN_SIZE)), "evidence");
    aw_text("seb 0.1.0", c->build, sizeof c->build);
    aw_text("test", c->developer, sizeof c->developer);
    aw_text("seb-1", c->appraisal_policy, sizeof c->appraisal_policy);
    aw_text("prod.example", c->domain, sizeof c->domain);
    aw_text("seb-1", c->instance, sizeof c->instance);
    c->iat = w->now_ms / 1000;
    c->exp = c->iat + AW_RESULT_S;
    c->status = EAR_AFFIRMING;
    for (unsigned i = 0; i < EAR_CLAIMS; i++)
        c->vector.value[i] = 2;
    c->enrolment = w->enrolment;
    c->attestation = e->key[EVIDENCE_ATTESTATION].kid;
    c->record = e->key[EVIDENCE_RECORD].kid;
    c->mint = e->key[EVIDENCE_MINT].kid;
    c->log = (struct log_state){ note.size, note.root };
    c->log_before = w->seen;
    w->seen = c->log;
    aw_blob(w, BLOB_DOCUMENT, &e->cel, buf_span(&w->cel));
}

void aw_result_quote(struct audit_world *w, struct aw_result *d)
{
    struct evidence *e = d->e;
    buf_clear(&e->preimage);
    buf_clear(&e->attest);
    buf_clear(&e->signature);
    must(is_ok(quote_challenge_preimage(&d->q, &e->preimage)), "preimage");
    struct digest qualifying = sha256(buf_span(&e->preimage));
    w->keys.quote(w->keys.ctx, &qualifying, &e->attest, &e->signature);
    d->c.quote = sha256(buf_span(&e->attest));
}

struct entry aw_result_done(struct audit_world *w, struct aw_result *d)
{
    AUTO_BUF evidence = BUF(TEXT_MAX), payload = BUF(RESULT_MAX), text = BUF(TEXT_MAX), compact = BUF(TEXT_MAX),
             arena = BUF(TEXT_MAX);
    struct entry e = { .type = ENTRY_ATTESTATION, .time = w->now_ms };
    struct jws jws;
    must(is_ok(evidence_write(d->e, &evidence)), "evidence");
    d->c.evidence = sha256(buf_span(&evidence));
    must(is_ok(result_write(&d->c, &payload)), "result");
    d->c.digest = sha256(buf_span(&payload));
    testkey_jws(&d->verifier, 1, TYP_RESULT, buf_span(&payload), &text);
    must(is_ok(jws_parse_text(buf_span(&text), &arena, &jws)) && is_ok(jws_compact(&jws, &compact)), "result");
    aw_blob(w, BLOB_DOCUMENT, &d->c.evidence, buf_span(&evidence));
    aw_blob(w, BLOB_RESULT, &d->c.digest, buf_span(&compact));
    w->has_attested = true;
    w->evidence = d->c.evidence;
    w->attested = (struct attested_facts){ .result = d->c.digest,
        .affirming = d->c.status == EAR_AFFIRMING,
        .keys_match = digest_equal(&d->c.mint, pubkey_thumbprint(w->keys.public(w->keys.ctx, ROLE_MINT))),
        .iat = d->c.iat,
        .exp = d->c.exp };
    e.attestation.result = d->c.digest;
    e.attestation.evidence = d->c.evidence;
    aw_text(ear_status_name(d->c.status), e.attestation.status, sizeof e.attestation.status);
    evidence_free(d->e);
    *d = (struct aw_result){ 0 };
    return e;
}

struct entry aw_result(struct audit_world *w)
{
    struct aw_result d;
    aw_result_draft(w, &d);
    aw_result_quote(w, &d);
    return aw_result_done(w, &d);
}

void aw_begin(struct audit_world *w)
{
    struct entry e = aw_start(w);
    aw_put(w, &e);
    e = aw_policy(w);
    aw_put(w, &e);
    e = aw_epoch(w);
    aw_put(w, &e);
    aw_approve(w, NULL);
    e = aw_enrolment(w);
    aw_put(w, &e);
    e = aw_result(w);
    aw_put(w, &e);
}
