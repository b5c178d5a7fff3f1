#include "config.h"

#include "tests/unit/attest_world.h"

#include <stdlib.h>

#define GENERATED_VALUE 0xff544347
#define ATTEST_CERTIFY 0x8017
#define ATTEST_QUOTE 0x8018

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_ok(result r)
{
    must(is_ok(r));
}

static void set_nonce(uint8_t to[NONCE_SIZE], const char *text)
{
    struct digest d = sha256(span_text(text));
    must_ok(span_copy(digest_span(&d), to, NONCE_SIZE));
}

void world_public(const struct testkey *key, uint32_t attributes, struct span policy, struct buf *out)
{
    AUTO_BUF spki = BUF(128);
    must_ok(pubkey_spki(testkey_public(key), &spki));
    must_ok(buf_u16(out, 0x0023));
    must_ok(buf_u16(out, 0x000b));
    must_ok(buf_u32(out, attributes));
    must_ok(buf_blob16(out, policy));
    must_ok(buf_u16(out, 0x0010));
    must_ok(buf_u16(out, 0x0018));
    must_ok(buf_u16(out, 0x000b));
    must_ok(buf_u16(out, 0x0003));
    must_ok(buf_u16(out, 0x0010));
    must_ok(buf_blob16(out, span_part(buf_span(&spki), spki.n - 64, 32)));
    must_ok(buf_blob16(out, span_part(buf_span(&spki), spki.n - 32, 32)));
}

void world_name(struct span tpmt_public, uint8_t ret[TPM_NAME_SIZE])
{
    struct digest d = sha256(tpmt_public);
    ret[0] = 0x00;
    ret[1] = 0x0b;
    must_ok(span_copy(digest_span(&d), ret + 2, DIGEST_SIZE));
}

static void put_head(uint16_t type, struct span extra, const struct tpm_clock *clock, uint64_t firmware, struct buf *out)
{
    must_ok(buf_u32(out, GENERATED_VALUE));
    must_ok(buf_u16(out, type));
    must_ok(buf_blob16(out, span_text("signer")));
    must_ok(buf_blob16(out, extra));
    must_ok(buf_u64(out, clock->clock_ms));
    must_ok(buf_u32(out, clock->reset_count));
    must_ok(buf_u32(out, clock->restart_count));
    must_ok(buf_u8(out, clock->safe));
    must_ok(buf_u64(out, firmware));
}

static void sign_der(const struct testkey *key, struct span message, struct buf *out)
{
    uint8_t raw[SIGNATURE_SIZE];
    testkey_sign(key, message, raw);
    must_ok(ecdsa_to_der(SPAN(raw), out));
}

void world_key_evidence(
    const struct testkey *key, uint32_t attributes, struct span policy, const struct testkey *by, struct buf *out)
{
    AUTO_BUF public = BUF(512), attest = BUF(512), signature = BUF(128);
    uint8_t name[TPM_NAME_SIZE];
    const struct tpm_clock clock = { .clock_ms = 1, .safe = true };
    world_public(key, attributes, policy, &public);
    world_name(buf_span(&public), name);
    put_head(ATTEST_CERTIFY, span_text("nonce"), &clock, 1, &attest);
    must_ok(buf_blob16(&attest, SPAN(name)));
    must_ok(buf_blob16(&attest, SPAN(name)));
    sign_der(by, buf_span(&attest), &signature);
    AUTO_JSON *o = json_object();
    must(o != NULL);
    must_ok(json_put_b64url(o, "attest", buf_span(&attest)));
    must_ok(json_put_b64url(o, "public", buf_span(&public)));
    must_ok(json_put_b64url(o, "signature", buf_span(&signature)));
    must_ok(json_canonical(o, out));
}

void world_key_statement(
    const struct testkey *key, const struct testkey *record, const char *instance, bool extractable, struct buf *out)
{
    AUTO_BUF payload = BUF(4096), spki = BUF(128), spki_text = BUF(256), jwk = BUF(512);
    AUTO_JSON *v = NULL;
    must_ok(pubkey_spki(testkey_public(key), &spki));
    must_ok(b64url_put(&spki_text, buf_span(&spki)));
    must_ok(buf_u8(&spki_text, 0));
    must_ok(pubkey_jwk(testkey_public(key), &v));
    must_ok(json_canonical(v, &jwk));
    must_ok(buf_u8(&jwk, 0));
    must_ok(buf_printf(&payload,
        "{\"attributes\":{\"attributes\":{\"always_sensitive\":true,\"extractable\":%s,\"local\":true,\"never_extractable\":true,"
        "\"sensitive\":true},\"label\":\"mint\",\"manufacturer\":\"SoftHSM project\",\"model\":\"SoftHSM "
        "v2\",\"serial\":\"1\",\"spki\":"
        "\"%s\"},\"domain\":\"" WORLD_DOMAIN "\",\"instance\":\"%s\",\"jwk\":%s,\"use\":\"mint\"}",
        extractable ? "true" : "false", (const char *)spki_text.p, instance, (const char *)jwk.p));
    struct testkey *const keys[] = { (struct testkey *)record };
    testkey_jws(keys, 1, TYP_KEY_STATEMENT, buf_span(&payload), out);
}

static struct digest leaf(const struct attest_world *w, uint64_t i)
{
    const uint8_t entry[] = { 'e', (uint8_t)i, w->forks && i > 1 };
    return merkle_leaf(SPAN(entry));
}

static result subtree(void *ctx, unsigned level, uint64_t index, struct digest *ret)
{
    const struct attest_world *w = ctx;
    struct digest left, right;
    if (level == 0) {
        *ret = leaf(w, index);
        return OK;
    }
    TRY(subtree(ctx, level - 1, index * 2, &left));
    TRY(subtree(ctx, level - 1, index * 2 + 1, &right));
    *ret = merkle_node(&left, &right);
    return OK;
}

void world_log(const struct attest_world *w, uint64_t size, struct log_state *ret)
{
    const struct merkle_source s = { .get = subtree, .ctx = (void *)w };
    ret->size = size;
    must_ok(merkle_root(&s, size, &ret->root));
}

void world_measure(struct attest_world *w, const char *name, const struct digest *value)
{
    struct digest event;
    must_ok(cel_append(&w->cel, 12, name, value, &event));
    const struct span parts[] = { digest_span(&w->pcr[12]), digest_span(&event) };
    w->pcr[12] = sha256_parts(parts, 2);
}

static void make_keys(struct attest_world *w)
{
    struct testkey **all[] = { &w->policy_key, &w->verifier, &w->lease, &w->countersigner, &w->stranger, &w->ak, &w->record,
        &w->mint };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        *all[i] = testkey_new(ALG_ES256);
}

static void make_identity(struct attest_world *w)
{
    AUTO_BUF public = BUF(512);
    struct digest ref;
    world_public(w->ak, WORLD_AK_ATTRIBUTES, (struct span){ NULL, 0 }, &public);
    world_name(buf_span(&public), w->ak_name);
    must_ok(instance_policy_ref(WORLD_DOMAIN, WORLD_INSTANCE, w->ak_name, &ref));
    must_ok(key_policy(testkey_public(w->policy_key), &ref, &w->key_policy));
    w->record_policy = w->mint_policy = w->key_policy;
    w->identity = (struct appraisal_identity){
        .domain = WORLD_DOMAIN,
        .instance = WORLD_INSTANCE,
        .statement = sha256(span_text("statement")),
        .ak = testkey_public(w->ak),
        .record = testkey_public(w->record),
    };
    must_ok(span_copy(SPAN(w->ak_name), w->identity.ak_name, TPM_NAME_SIZE));
    w->approved.ref = ref;
    w->approved.ak = *pubkey_thumbprint(testkey_public(w->ak));
}

static void make_measurements(struct attest_world *w)
{
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++) {
        struct digest d = sha256(span_text(cel_executable(i)));
        world_measure(w, cel_executable(i), &d);
        w->reference.executables[i] = (struct digests){ .n = 1, .v = { d } };
    }
    struct digest configuration = sha256(span_text("configuration"));
    world_measure(w, CEL_CONFIGURATION, &configuration);
    w->reference.configuration = (struct digests){ .n = 1, .v = { configuration } };
    world_measure(w, CEL_KEY_ATTESTATION, pubkey_thumbprint(testkey_public(w->ak)));
    world_measure(w, CEL_KEY_RECORD, pubkey_thumbprint(testkey_public(w->record)));
    world_measure(w, CEL_POLICY_AUTHORITY, pubkey_thumbprint(testkey_public(w->policy_key)));
    must_ok(span_copy_text(span_text(WORLD_DOMAIN), w->reference.domain, sizeof w->reference.domain));
    must_ok(span_copy_text(span_text("1"), w->reference.version, sizeof w->reference.version));
    w->reference.digest = sha256(span_text("reference"));
}

void world_approve(struct attest_world *w, bool countersigned)
{
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), jws = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX), message = BUF(64);
    struct approval signed_ = { 0 };
    struct jws j;
    uint8_t raw[SIGNATURE_SIZE];
    struct testkey *const keys[] = { w->policy_key, w->countersigner };
    must_ok(approval_payload(&w->approved, &payload));
    must_ok(approval_parse(buf_span(&payload), &signed_));
    testkey_jws(keys, countersigned ? 2 : 1, TYP_APPROVAL, buf_span(&payload), &jws);
    must_ok(jws_parse_text(buf_span(&jws), &arena, &j));
    must_ok(buf_put(&message, digest_span(&signed_.policy)));
    must_ok(buf_put(&message, digest_span(&signed_.ref)));
    testkey_sign(w->policy_key, buf_span(&message), raw);
    buf_clear(&w->approval);
    must_ok(approval_write(&j, raw, &w->approval));
    w->approved.digest = signed_.digest;
    approval_free(&signed_);
}

static void make_approval(struct attest_world *w)
{
    struct approval *a = &w->approved;
    struct digest value;
    must_ok(span_copy_text(span_text(WORLD_DOMAIN), a->domain, sizeof a->domain));
    must_ok(span_copy_text(span_text(WORLD_INSTANCE), a->instance, sizeof a->instance));
    a->iat = WORLD_NOW - 1000;
    a->epoch = (int64_t)w->epoch;
    a->counter = 7;
    a->counter_name[1] = 0x0b;
    a->lease = testkey_public(w->lease);
    a->pcr = 12;
    a->pcr_value = w->pcr[12];
    must_ok(cel_replay(buf_span(&w->cel), 12, &value, &a->measured));
    world_approve(w, true);
}

void world_challenge(struct attest_world *w)
{
    AUTO_BUF count = BUF(64);
    must_ok(buf_put(&count, SPAN(w->challenge.nonce)));
    struct digest next = sha256(buf_span(&count));
    must_ok(span_copy(digest_span(&next), w->challenge.nonce, NONCE_SIZE));
    must_ok(span_copy(digest_span(&next), w->quoted_nonce, NONCE_SIZE));
    w->challenge.iat = WORLD_NOW;
    w->challenge.has_seen = true;
    w->challenge.seen = w->known.log;
}

static void make_verifier(struct attest_world *w)
{
    must_ok(span_copy_text(span_text(WORLD_DOMAIN), w->challenge.domain, sizeof w->challenge.domain));
    must_ok(span_copy_text(span_text(WORLD_INSTANCE), w->challenge.instance, sizeof w->challenge.instance));
    set_nonce(w->challenge.nonce, "nonce");
    w->countersigners[0] = testkey_public(w->countersigner);
    w->policy = (struct appraisal_policy){
        .digest = sha256(span_text("policy")),
        .epoch = w->policy_epoch,
        .countersigners = w->countersigners,
        .countersigners_n = 1,
        .needed = 1,
    };
    w->known.log = log_state_empty();
    w->args = (struct appraisal_args){
        .documents = &w->documents,
        .challenge = &w->challenge,
        .identity = &w->identity,
        .reference = &w->reference,
        .policy = &w->policy,
        .policy_key = testkey_public(w->policy_key),
        .known = &w->known,
        .now = WORLD_NOW,
    };
    world_challenge(w);
}

struct attest_world *world_new(void)
{
    struct attest_world *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->cel = BUF(CEL_LOG_MAX);
    w->firmware_log = w->ima_log = w->approval = BUF(JWS_TEXT_MAX);
    w->ak_attributes = WORLD_AK_ATTRIBUTES;
    w->record_attributes = w->mint_attributes = WORLD_BOUND_ATTRIBUTES;
    w->clock = (struct tpm_clock){ .clock_ms = 1000, .reset_count = 3, .restart_count = 1, .safe = true };
    w->firmware = 0x2019;
    w->policy_epoch = 4;
    w->epoch = 9;
    w->pcr_mask = 0x14ff; /* 0 to 7, 10, 12 */
    w->has_note = true;
    w->run[0] = 1;
    make_keys(w);
    make_identity(w);
    make_measurements(w);
    make_approval(w);
    make_verifier(w);
    return w;
}

void world_free(struct attest_world *w)
{
    struct testkey *all[] = { w->policy_key, w->verifier, w->lease, w->countersigner, w->stranger, w->ak, w->record, w->mint };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        testkey_free(all[i]);
    buf_free(&w->cel);
    buf_free(&w->firmware_log);
    buf_free(&w->ima_log);
    buf_free(&w->approval);
    evidence_free(w->evidence);
    free(w);
}

static void answer_keys(const struct attest_world *w, struct evidence *e)
{
    struct evidence_key *ak = &e->key[EVIDENCE_ATTESTATION], *record = &e->key[EVIDENCE_RECORD], *mint = &e->key[EVIDENCE_MINT];
    world_key_evidence(w->ak, w->ak_attributes, (struct span){ NULL, 0 }, w->ak, &ak->evidence);
    world_key_evidence(w->record, w->record_attributes, digest_span(&w->record_policy), w->ak, &record->evidence);
    if (w->mint_in_hsm)
        world_key_statement(w->mint, w->record, WORLD_INSTANCE, false, &mint->evidence);
    else
        world_key_evidence(w->mint, w->mint_attributes, digest_span(&w->mint_policy), w->ak, &mint->evidence);
    ak->kid = *pubkey_thumbprint(testkey_public(w->ak));
    record->kid = *pubkey_thumbprint(testkey_public(w->record));
    mint->kid = *pubkey_thumbprint(testkey_public(w->mint));
    must_ok(span_copy_text(span_text("tpm"), ak->backend, sizeof ak->backend));
    must_ok(span_copy_text(span_text("tpm"), record->backend, sizeof record->backend));
    must_ok(span_copy_text(span_text(w->mint_in_hsm ? "pkcs11" : "tpm"), mint->backend, sizeof mint->backend));
}

static void answer_note(const struct attest_world *w, struct evidence *e, struct quote_challenge *q)
{
    const struct merkle_source source = { .get = subtree, .ctx = (void *)w };
    struct checkpoint c = { .size = w->log_size };
    struct log_state log;
    AUTO_BUF text = BUF(NOTE_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    if (!w->has_note)
        return;
    world_log(w, w->log_size, &log);
    c.root = log.root;
    must_ok(span_copy_text(span_text(WORLD_ORIGIN), c.origin, sizeof c.origin));
    must_ok(checkpoint_text(&c, &text));
    const struct testkey *noter = w->noter ? w->noter : w->record;
    testkey_sign(noter, buf_span(&text), raw);
    must_ok(checkpoint_note(&c, testkey_public(noter), raw, &e->note));
    if (w->challenge.seen.size > 0 && w->challenge.seen.size < w->log_size)
        must_ok(merkle_consistency(&source, w->challenge.seen.size, w->log_size, &e->proof));
    q->has_note = true;
    q->note_text = sha256(buf_span(&text));
}

static void answer_quote(const struct attest_world *w, struct evidence *e, const struct quote_challenge *q)
{
    AUTO_BUF values = BUF(TPM_PCRS * DIGEST_SIZE);
    must_ok(w->quote_of_checkpoint ? quote_preimage(&q->note_text, q->policy_epoch, q->epoch, &e->preimage)
                                   : quote_challenge_preimage(q, &e->preimage));
    struct digest extra = sha256(buf_span(&e->preimage));
    put_head(ATTEST_QUOTE, digest_span(&extra), &w->clock, w->firmware, &e->attest);
    must_ok(buf_u32(&e->attest, 1));
    must_ok(buf_u16(&e->attest, 0x000b));
    must_ok(buf_u8(&e->attest, 3));
    for (unsigned i = 0; i < 3; i++)
        must_ok(buf_u8(&e->attest, (uint8_t)(w->pcr_mask >> 8 * i)));
    for (unsigned i = 0; i < TPM_PCRS; i++)
        if (w->pcr_mask >> i & 1)
            must_ok(buf_put(&values, digest_span(&w->pcr[i])));
    struct digest pcrs = sha256(buf_span(&values));
    must_ok(buf_blob16(&e->attest, digest_span(&pcrs)));
    sign_der(w->ak, buf_span(&e->attest), &e->signature);
}

void world_sign(struct attest_world *w, const struct testkey *key)
{
    buf_clear(&w->evidence->signature);
    sign_der(key, buf_span(&w->evidence->attest), &w->evidence->signature);
}

static void answer_documents(struct attest_world *w, struct evidence *e)
{
    e->cel = sha256(buf_span(&w->cel));
    e->has_firmware = w->has_firmware;
    e->firmware = sha256(buf_span(&w->firmware_log));
    e->has_ima = w->has_ima;
    e->ima_length = w->ima_log.n;
    e->has_approval = w->approval.n > 0;
    e->approval = w->approved.digest;
    e->has_policy = true;
    e->policy = sha256(span_text("policy"));
    w->documents = (struct appraisal_documents){
        .cel = buf_span(&w->cel),
        .firmware = buf_span(&w->firmware_log),
        .ima = buf_span(&w->ima_log),
        .approval = buf_span(&w->approval),
    };
}

void world_answer(struct attest_world *w)
{
    struct quote_challenge q = { .policy_epoch = w->policy_epoch, .epoch = w->epoch };
    evidence_free(w->evidence);
    w->evidence = NULL;
    must_ok(evidence_new(&w->evidence));
    struct evidence *e = w->evidence;
    answer_documents(w, e);
    answer_keys(w, e);
    answer_note(w, e, &q);
    set_nonce(e->lease_nonce, "lease");
    must_ok(span_copy(SPAN(e->lease_nonce), q.lease_nonce, NONCE_SIZE));
    must_ok(span_copy(SPAN(w->quoted_nonce), q.nonce, NONCE_SIZE));
    must_ok(span_copy(SPAN(w->run), e->run, RUN_ID_SIZE));
    e->pcr_mask = w->pcr_mask;
    for (unsigned i = 0; i < TPM_PCRS; i++)
        e->pcr[i] = w->pcr[i];
    answer_quote(w, e, &q);
    AUTO_BUF text = BUF(EVIDENCE_TEXT_MAX);
    must_ok(evidence_write(e, &text));
    e->digest = sha256(buf_span(&text));
    w->args.evidence = e;
}

void world_round(struct attest_world *w, struct appraisal *ret)
{
    world_answer(w);
    must_ok(appraise(&w->args, ret));
    w->known = ret->known;
}

struct attest_world *world_seen_once(void)
{
    struct attest_world *w = world_new();
    struct appraisal v;
    w->log_size = 5;
    world_round(w, &v);
    must(v.status == EAR_AFFIRMING);
    appraisal_free(&v);
    world_challenge(w);
    w->clock.clock_ms += 10000;
    w->log_size = 9;
    return w;
}
