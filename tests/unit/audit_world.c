#include "config.h"

#include "tests/unit/audit_internal.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "attest/quote.h"
#include "scope/scope.h"

#define STEP_MS 5
#define TEXT_MAX 131072

static const uint8_t new_body[] = { 'h', 'e', 'l', 'l', 'o' }, old_body[] = { 'o', 'l', 'd' };

const char *aw_path(const struct audit_world *w, const char *name, struct buf *room)
{
    buf_clear(room);
    must(is_ok(buf_printf(room, "%s/%s", w->folder, name)) && is_ok(buf_u8(room, 0)), "path");
    return (const char *)room->p;
}

void aw_new(struct audit_world *w, const struct aw_keys *keys)
{
    AUTO_BUF path = BUF(256);
    *w = (struct audit_world){ .keys = *keys, .now_ms = NOW_S * 1000 };
    snprintf(w->folder, sizeof w->folder, "/tmp/seb-audit-XXXXXX");
    must(mkdtemp(w->folder) != NULL, "folder");
    world_new(&w->policy);
    if (keys->mint_in_tpm)
        edit(w->policy.policy_json, "hsm", "null");
    w->policy_key = testkey_new(ALG_ES256);
    w->revocation_key = testkey_new(ALG_EDDSA);
    keys->bind(keys->ctx, testkey_public(w->policy_key));
    w->cel = BUF(CEL_LOG_MAX);
    w->note = BUF(NOTE_MAX);
    w->ek_certificate = BUF(4096);
    w->counter = AW_COUNTER;
    w->seen = log_state_empty();
    must(is_ok(buf_text(&w->ek_certificate, "an EK certificate")), "EK");
    w->ek_spki = sha256(span_text("an EK"));
    aw_measure(w);
    must(is_ok(store_open(aw_path(w, "log.db", &path), &w->store)), "store");
    must(is_ok(store_batch_new(0, &w->batch)), "batch");
    aw_sign(w); /* of size 0 */
    aw_quote(w);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    return remove(path);
}

void aw_free(struct audit_world *w)
{
    store_batch_free(w->batch);
    store_close(w->store);
    policy_free(w->in_force);
    permit_free(w->some_permit);
    testkey_free(w->policy_key);
    testkey_free(w->revocation_key);
    buf_free(&w->cel);
    buf_free(&w->note);
    buf_free(&w->ek_certificate);
    world_free(&w->policy);
    nftw(w->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void sign_document(struct testkey *key, const char *typ, struct span payload, struct buf *arena, struct jws *ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    testkey_jws(&key, 1, typ, payload, &text);
    must(is_ok(jws_parse_text(buf_span(&text), arena, ret)), "jws");
}

void aw_change_sign(struct aw_change *c, struct testkey *const *keys, unsigned n)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    certificate_free(&c->certificate);
    buf_clear(&c->arena_c);
    testkey_jws(keys, n, TYP_CERTIFICATE, buf_span(&c->certificate_text), &text);
    must(is_ok(jws_parse_text(buf_span(&text), &c->arena_c, &c->certificate_jws)), "jws");
    must(is_ok(certificate_parse(c->certificate_jws.payload, NULL, &c->certificate)), "certificate");
}

void aw_blob(struct audit_world *w, enum blob_kind kind, const struct digest *d, struct span data)
{
    must(is_ok(store_batch_blob(w->batch, kind, d, data)), "blob");
}

/* docs/formats.md, "Export": a certificate by the digest of all of it, the rest by their payload's. */
static void put_jws(struct audit_world *w, enum blob_kind kind, const struct jws *j)
{
    AUTO_BUF text = BUF(TEXT_MAX);
    must(is_ok(jws_write(j, &text)), "jws");
    struct digest d = sha256(kind == BLOB_CERTIFICATE ? buf_span(&text) : j->payload);
    aw_blob(w, kind, &d, buf_span(&text));
}

static struct digest signed_of(const struct aw_change *c)
{
    struct digest d;
    must(is_ok(jws_digest(&c->certificate_jws, &d)), "jws");
    return d;
}

/* "path=json", where the JSON may hold '='. */
static void edit_by(json_t *document, const char *what)
{
    struct span s = span_text(what);
    size_t at = span_find(s, 0, '=');
    AUTO_FREE char *path = NULL;
    if (at == s.n)
        return;
    must(is_ok(span_dup_text(span_part(s, 0, at), &path)), "path");
    edit(document, path, what + at + 1);
}

static void put_text(json_t *o, const char *name, const char *text)
{
    must(is_ok(json_put_text(o, name, text)), name);
}

void aw_change_new(struct audit_world *w, const char *cid, const char *id, const char *certificate_edit, struct aw_change *ret)
{
    static const char *const members[] = { "operation", "parameters", "resource", "target" };
    AUTO_JSON *c = json_deep_copy(w->policy.certificate_json), *q = json_deep_copy(w->policy.request_json);
    struct digest d;
    *ret = (struct aw_change){ .certificate_text = BUF(JWS_PAYLOAD_MAX),
        .request_text = BUF(JWS_PAYLOAD_MAX),
        .arena_c = BUF(JWS_TEXT_MAX),
        .arena_q = BUF(JWS_TEXT_MAX) };
    edit_by(c, certificate_edit);
    const json_t *contract = json_object_get(c, "contract");
    put_text(c, "cid", cid);
    put_text(q, "id", id);
    must(is_ok(contract_state(contract, &d)) && is_ok(json_put_digest(c, "state", &d)), "state");
    must(is_ok(json_canonical(c, &ret->certificate_text)), "certificate");
    sign_document(w->policy.authority[0], TYP_CERTIFICATE, buf_span(&ret->certificate_text), &ret->arena_c, &ret->certificate_jws);
    must(is_ok(certificate_parse(ret->certificate_jws.payload, NULL, &ret->certificate)), "certificate");
    for (unsigned i = 0; i < 4; i++)
        json_object_set_new(json_object_get(q, "mutation"), members[i], json_deep_copy(json_object_get(contract, members[i])));
    must(is_ok(json_put_digest(q, "certificate", &ret->certificate.digest)), "request");
    must(is_ok(json_canonical(q, &ret->request_text)), "request");
    sign_document(w->policy.agent, TYP_REQUEST, buf_span(&ret->request_text), &ret->arena_q, &ret->request_jws);
    must(is_ok(request_parse(ret->request_jws.payload, &ret->request)), "request");
}

void aw_change_free(struct aw_change *c)
{
    certificate_free(&c->certificate);
    buf_free(&c->certificate_text);
    buf_free(&c->request_text);
    buf_free(&c->arena_c);
    buf_free(&c->arena_q);
}

void aw_text(const char *text, char *to, size_t room)
{
    must(is_ok(span_copy_text(span_text(text), to, room)), text);
}

static void put_keys(struct audit_world *w, struct key_identity key[ROLES])
{
    for (enum key_role role = 0; role < ROLES; role++) {
        AUTO_BUF evidence = BUF(8192);
        w->keys.evidence(w->keys.ctx, role, &evidence);
        key[role] = (struct key_identity){ .kid = *pubkey_thumbprint(w->keys.public(w->keys.ctx, role)),
            .evidence = sha256(buf_span(&evidence)) };
        aw_text(role == ROLE_MINT && !w->keys.mint_in_tpm ? "pkcs11" : "tpm", key[role].backend, 8);
        aw_blob(w, BLOB_EVIDENCE, &key[role].evidence, buf_span(&evidence));
    }
}

struct entry aw_keys_entry(struct audit_world *w, int64_t epoch)
{
    struct entry e = { .type = ENTRY_KEYS, .time = w->now_ms, .keys.epoch = epoch };
    must(is_ok(span_copy(SPAN(w->run), e.keys.run, RUN_SIZE)), "run");
    put_keys(w, e.keys.key);
    return e;
}

struct entry aw_start(struct audit_world *w)
{
    struct entry e = { .type = ENTRY_START, .time = w->now_ms };
    for (unsigned i = 0; i < RUN_SIZE; i++)
        w->run[i] = (uint8_t)(i + 17 * w->runs);
    w->runs++;
    w->has_attested = false;
    must(is_ok(span_copy(SPAN(w->run), e.start.run, RUN_SIZE)), "run");
    aw_text("prod.example", e.start.domain, sizeof e.start.domain);
    aw_text("seb-1", e.start.instance, sizeof e.start.instance);
    aw_text("seb 0.1.0", e.start.program, sizeof e.start.program);
    e.start.config = sha256(span_text("configuration"));
    e.start.head = w->size;
    e.start.counter = (int64_t)w->counter;
    e.start.certificates_from = w->certificates_from;
    e.start.measured_n = w->measured.n;
    for (unsigned i = 0; i < w->measured.n; i++) {
        aw_text(w->measured.value[i].name, e.start.measured[i].name, sizeof e.start.measured[i].name);
        e.start.measured[i].digest = w->measured.value[i].digest;
    }
    put_keys(w, e.start.key);
    return e;
}

static void set_run(const struct audit_world *w, uint8_t to[RUN_SIZE])
{
    must(is_ok(span_copy(SPAN(w->run), to, RUN_SIZE)), "run");
}

struct entry aw_stop(const struct audit_world *w)
{
    struct entry e = { .type = ENTRY_STOP, .time = w->now_ms };
    set_run(w, e.stop.run);
    return e;
}

struct entry aw_policy(struct audit_world *w)
{
    struct entry e = { .type = ENTRY_POLICY, .time = w->now_ms };
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), arena = BUF(JWS_TEXT_MAX);
    struct jws jws;
    must(is_ok(json_canonical(w->policy.policy_json, &payload)), "policy");
    sign_document(w->policy_key, TYP_POLICY, buf_span(&payload), &arena, &jws);
    put_jws(w, BLOB_POLICY, &jws);
    policy_free(w->in_force);
    must(is_ok(policy_parse(buf_span(&payload), &w->in_force)), "policy");
    e.policy.policy = *policy_digest(w->in_force);
    e.policy.policy_epoch = policy_epoch_of(w->in_force);
    return e;
}

struct entry aw_epoch(struct audit_world *w)
{
    struct entry e = { .type = ENTRY_EPOCH, .time = w->now_ms };
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), arena = BUF(JWS_TEXT_MAX);
    struct jws jws;
    must(is_ok(json_canonical(w->policy.epoch_json, &payload)), "epoch");
    sign_document(w->revocation_key, TYP_EPOCH, buf_span(&payload), &arena, &jws);
    put_jws(w, BLOB_EPOCH, &jws);
    must(is_ok(epoch_parse(buf_span(&payload), &w->epoch)), "epoch");
    e.epoch.statement = w->epoch.digest;
    e.epoch.epoch = w->epoch.epoch;
    return e;
}

struct entry aw_read(struct audit_world *w, const struct aw_change *c, uint64_t reconciles)
{
    const struct mutation *m = &c->certificate.contract.mutation;
    struct entry e = { .type = ENTRY_READ,
        .time = w->now_ms,
        .read = { .purpose = reconciles == NO_INDEX ? READ_DRIFT : READ_RECONCILE,
            .certificate = c->certificate.digest,
            .signed_ = signed_of(c),
            .iat = w->now_ms / 1000,
            .exp = w->now_ms / 1000 + c->certificate.contract.credential_s,
            .mint_key = *pubkey_thumbprint(w->keys.public(w->keys.ctx, ROLE_MINT)),
            .has_attestation = w->has_attested,
            .attestation = w->attested.result,
            .decision = reconciles } };
    if (w->has_attested && e.read.exp > w->attested.exp)
        e.read.exp = w->attested.exp;
    set_run(w, e.read.run);
    aw_text(m->target, e.read.target, sizeof e.read.target);
    aw_text(m->resource, e.read.resource, sizeof e.read.resource);
    put_jws(w, BLOB_CERTIFICATE, &c->certificate_jws);
    return e;
}

static void decide(struct audit_world *w, struct facts *f, struct decision_entry *d)
{
    struct refusal refusal = { 0 };
    struct permit *permit = NULL;
    if (f->live)
        permit = judge(f, &refusal);
    else
        must(!judge_before_read(f, &refusal), "a refusal before the read");
    d->permitted = permit != NULL;
    if (permit) {
        d->iat = permit_iat(permit);
        d->exp = permit_exp(permit);
        d->mint_key = *pubkey_thumbprint(w->keys.public(w->keys.ctx, ROLE_MINT));
        permit_free(w->some_permit);
        w->some_permit = permit;
        return;
    }
    must(refusal.rule != NULL, "memory");
    aw_text(refusal.rule, d->rule, sizeof d->rule);
    aw_text(code_name(refusal.code), d->code, sizeof d->code);
}

static struct live_facts live_of(const struct audit_world *w, const struct contract *c)
{
    const struct aw_target *t = w->target;
    struct live_facts live = { .exists = true, .sha256 = sha256(SPAN(old_body)) };
    if (!t) {
        live.has_etag = true;
        live.etag = "\"v1\"";
        return live;
    }
    live.exists = t->exists;
    live.uid = t->uid;
    live.version = t->version;
    live.fields_n = t->exists ? c->pre.fields.n + c->fields.n : 0;
    live.field = t->field;
    return live;
}

/* As the core writes what was read. */
static struct live_state state_of(const struct live_facts *live, uint64_t read)
{
    struct live_state s = {
        .read = read, .exists = live->exists, .has_etag = live->has_etag, .sha256 = live->sha256, .length = sizeof old_body
    };
    aw_text(live->etag ? live->etag : "", s.etag, sizeof s.etag);
    aw_text(live->uid ? live->uid : "", s.uid, sizeof s.uid);
    aw_text(live->version ? live->version : "", s.version, sizeof s.version);
    for (s.fields_n = 0; s.fields_n < live->fields_n; s.fields_n++)
        s.field[s.fields_n] = live->field[s.fields_n];
    return s;
}

struct entry aw_decision(struct audit_world *w, const struct aw_change *c, uint64_t read, bool used)
{
    struct target_facts target = { .kind = w->target ? w->target->kind : "http",
        .prefix = w->target ? w->target->prefix : "https://docs.example/" };
    const bool has_body = c->certificate.contract.mutation.body.present;
    struct live_facts live = live_of(w, &c->certificate.contract);
    struct target_mutation m = scope_mutation(&c->certificate.contract, NULL);
    struct entry e = { .type = ENTRY_DECISION, .time = w->now_ms };
    struct decision_entry *d = &e.decision;
    target.scope = target_scope(target.kind, target.prefix, &m);
    target.least_s = target_least_s(target.kind);
    target.secret = target_secret(target.kind, &m);
    *d = (struct decision_entry){ .agent = *pubkey_thumbprint(c->certificate.agent),
        .request = c->request.digest,
        .certificate = c->certificate.digest,
        .signed_ = signed_of(c),
        .policy = *policy_digest(w->in_force),
        .statement = w->epoch.digest,
        .policy_epoch = policy_epoch_of(w->in_force),
        .epoch = w->epoch.epoch,
        .has_target = true,
        .has_body = has_body,
        .used = used,
        .has_attestation = w->has_attested,
        .attestation = w->attested.result,
        .has_live = read != NO_INDEX };
    if (has_body)
        d->body = sha256(SPAN(new_body));
    set_run(w, d->run);
    aw_text(c->request.id, d->request_id, sizeof d->request_id);
    aw_text(c->certificate.cid, d->cid, sizeof d->cid);
    aw_text(target.kind, d->target_kind, sizeof d->target_kind);
    aw_text(target.prefix, d->target_prefix, sizeof d->target_prefix);
    if (d->has_live)
        d->live = state_of(&live, read);
    struct facts f = { .now_ms = w->now_ms,
        .domain = "prod.example",
        .policy = w->in_force,
        .epoch = &w->epoch,
        .certificate = &c->certificate,
        .signers = verify_certificate(w->in_force, &c->certificate_jws),
        .request = &c->request,
        .pop = code_of(verify_request(&c->certificate, &c->request_jws)),
        .has_body = has_body,
        .body = d->body,
        .body_length = has_body ? (int64_t)sizeof new_body : 0,
        .target = &target,
        .attested = w->has_attested ? &w->attested : NULL,
        .certificates_from = w->certificates_from,
        .used = used,
        .live = read != NO_INDEX ? &live : NULL };
    decide(w, &f, d);
    if (d->permitted && target_cache_s(target.kind))
        d->accepted_until = d->exp + target_cache_s(target.kind);
    put_jws(w, BLOB_CERTIFICATE, &c->certificate_jws);
    put_jws(w, BLOB_REQUEST, &c->request_jws);
    if (has_body)
        aw_blob(w, BLOB_BODY, &d->body, SPAN(new_body));
    return e;
}

struct entry aw_outcome(const struct audit_world *w, uint64_t decision, const struct digest *leaf, enum outcome_result result_,
    enum outcome_evidence evidence)
{
    struct entry e = { .type = ENTRY_OUTCOME,
        .time = w->now_ms,
        .outcome = {
            .decision = decision, .leaf = *leaf, .result = result_, .evidence = evidence, .final = true, .read = NO_INDEX } };
    if (evidence == EVIDENCE_RESPONSE)
        e.outcome.http_status = result_ == RESULT_APPLIED ? 204 : result_ == RESULT_REJECTED ? 412 : 502;
    if (result_ == RESULT_OPEN && evidence != EVIDENCE_STATE_OTHER)
        e.outcome.final = false;
    if (evidence == EVIDENCE_NONE)
        aw_text("no_answer", e.outcome.code, sizeof e.outcome.code);
    if (evidence == EVIDENCE_NEVER_SENT)
        aw_text("not_sent", e.outcome.code, sizeof e.outcome.code);
    return e;
}

uint64_t aw_put(struct audit_world *w, const struct entry *e)
{
    AUTO_BUF text = BUF(ENTRY_MAX);
    uint64_t index;
    bool permit = e->type == ENTRY_DECISION && e->decision.permitted;
    must(is_ok(permit ? entry_write_permit(e, w->some_permit, &text) : entry_write(e, &text)), "entry");
    must(is_ok(store_batch_entry(w->batch, buf_span(&text), &index)), "batch");
    w->leaf = merkle_leaf(buf_span(&text));
    w->now_ms += STEP_MS;
    w->size = index + 1;
    return index;
}

uint64_t aw_apply(struct audit_world *w, const char *name)
{
    struct aw_change c;
    aw_change_new(w, name, name, "", &c);
    struct entry e = aw_read(w, &c, NO_INDEX);
    uint64_t read = aw_put(w, &e);
    e = aw_decision(w, &c, read, false);
    uint64_t decision = aw_put(w, &e);
    struct digest leaf = w->leaf;
    aw_sign(w);
    e = aw_outcome(w, decision, &leaf, RESULT_APPLIED, EVIDENCE_RESPONSE);
    aw_put(w, &e);
    aw_change_free(&c);
    return decision;
}

static void commit(struct audit_world *w)
{
    must(is_ok(store_commit(w->store, w->batch)), "commit");
    store_batch_free(w->batch);
    must(is_ok(store_batch_new(store_frontier(w->store)->size, &w->batch)), "batch");
}

struct checkpoint aw_checkpoint(const struct audit_world *w)
{
    struct checkpoint c = { .size = store_frontier(w->store)->size, .root = frontier_root(store_frontier(w->store)) };
    aw_text(AW_ORIGIN, c.origin, sizeof c.origin);
    return c;
}

void aw_sign(struct audit_world *w)
{
    AUTO_BUF text = BUF(NOTE_MAX), note = BUF(NOTE_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    commit(w);
    struct checkpoint c = aw_checkpoint(w);
    must(is_ok(checkpoint_text(&c, &text)), "note");
    w->keys.sign(w->keys.ctx, buf_span(&text), raw);
    must(is_ok(checkpoint_note(&c, w->keys.public(w->keys.ctx, ROLE_RECORD), raw, &note)), "note");
    must(is_ok(store_batch_checkpoint(w->batch, buf_span(&note))), "note");
    buf_clear(&w->note);
    must(is_ok(buf_put(&w->note, buf_span(&note))), "note");
    commit(w);
}

void aw_quote_of(struct audit_world *w, const struct checkpoint *c, uint64_t policy_epoch, uint64_t epoch)
{
    AUTO_BUF text = BUF(NOTE_MAX), preimage = BUF(256), attest = BUF(2048), der = BUF(256);
    must(is_ok(checkpoint_text(c, &text)), "note");
    struct digest d = sha256(buf_span(&text));
    must(is_ok(quote_preimage(&d, policy_epoch, epoch, &preimage)), "preimage");
    struct digest qualifying = sha256(buf_span(&preimage));
    w->keys.quote(w->keys.ctx, &qualifying, &attest, &der);
    struct stored_quote q = { .size = store_frontier(w->store)->size,
        .attest = buf_span(&attest),
        .signature = buf_span(&der),
        .preimage = buf_span(&preimage) };
    must(is_ok(store_batch_quote(w->batch, &q)), "quote");
    commit(w);
}

void aw_quote(struct audit_world *w)
{
    struct checkpoint c = aw_checkpoint(w);
    aw_quote_of(w, &c, w->in_force ? (uint64_t)policy_epoch_of(w->in_force) : 0, (uint64_t)w->epoch.epoch);
}

void aw_wait(struct audit_world *w, struct aw_soft *tpm, int64_t ms)
{
    w->now_ms += ms;
    if (tpm)
        tpm->clock_ms += (uint64_t)ms;
}

static void put_jwk(json_t *o, const char *name, const struct pubkey *k)
{
    json_t *jwk = NULL;
    must(is_ok(pubkey_jwk(k, &jwk)) && is_ok(json_put_new(o, name, jwk)), name);
}

static void pin(json_t *o, const char *name, const struct pubkey *k)
{
    json_t *jwk = NULL;
    if (!k)
        return;
    must(is_ok(pubkey_jwk(k, &jwk)), name);
    must(json_object_set_new(o, name, json_pack("[o]", jwk)) == 0, name);
}

static void trust_target(json_t *o, const struct aw_target *t)
{
    put_text(json_object_get(o, "audiences"), t->name, t->audience);
    if (t->issuer)
        must(json_object_set_new(o, "issuers", json_pack("{s:s}", t->name, t->issuer)) == 0, "issuers");
    if (t->mapping)
        must(json_object_set_new(o, "mappings", json_pack("{s:s}", t->name, t->mapping)) == 0, "mappings");
}

void aw_trust(struct audit_world *w)
{
    AUTO_BUF path = BUF(256), text = BUF(65536);
    AUTO_JSON *o = json_pack("{s:s,s:s,s:s,s:{s:s}}", "domain", "prod.example", "instance", "seb-1", "origin", AW_ORIGIN,
        "audiences", "docs", "documents");
    if (w->target)
        trust_target(o, w->target);
    pin(o, "mint", w->pin_mint ? w->keys.public(w->keys.ctx, ROLE_MINT) : NULL);
    pin(o, "verifiers", w->pin_verifier ? testkey_public(w->policy.verifier) : NULL);
    if (w->ek_roots)
        put_text(o, "ek_roots", w->ek_roots);
    put_jwk(o, "record", w->keys.public(w->keys.ctx, ROLE_RECORD));
    put_jwk(o, "attestation", w->keys.public(w->keys.ctx, ROLE_ATTESTATION));
    put_jwk(o, "policy", testkey_public(w->policy_key));
    put_jwk(o, "revocation", testkey_public(w->revocation_key));
    must(is_ok(json_canonical(o, &text)), "trust");
    must(is_ok(file_write(aw_path(w, "trust.json", &path), buf_span(&text), 0644, true)), "trust");
}

void aw_export(struct audit_world *w, const char *name, const struct export_options *o)
{
    AUTO_BUF path = BUF(256);
    struct export_options all = { 0 };
    struct store_reader *reader;
    uint64_t size;
    must(is_ok(store_reader_open(aw_path(w, "log.db", &path), &reader)), "reader");
    must(is_ok(store_export(reader, aw_path(w, name, &path), o ? o : &all, &size)), "export");
    store_reader_close(reader);
    aw_trust(w);
}
