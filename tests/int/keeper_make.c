#include "config.h"

#include "tests/int/keeper_room.h"

#include "attest/policy_digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Documents. */

void document_sign_text(struct document *d, struct testkey *key, const char *typ, struct span payload)
{
    AUTO_BUF jws = BUF(JWS_TEXT_MAX);
    *d = (struct document){ .text = BUF(JWS_PAYLOAD_MAX), .arena = BUF(JWS_TEXT_MAX) };
    must_ok(buf_put(&d->text, payload), "payload");
    testkey_jws(&key, 1, typ, buf_span(&d->text), &jws);
    must_ok(jws_parse_text(buf_span(&jws), &d->arena, &d->jws), "JWS");
    d->digest = sha256(buf_span(&d->text));
}

void document_sign(struct document *d, struct testkey *key, const char *typ, const json_t *payload)
{
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    must_ok(json_canonical(payload, &text), "canonical form");
    document_sign_text(d, key, typ, buf_span(&text));
}

void document_free(struct document *d)
{
    buf_free(&d->text);
    buf_free(&d->arena);
}

static void set_int(json_t *o, const char *name, int64_t v)
{
    must_ok(json_put_int(o, name, v), name);
}

void room_fresh_certificate(struct room *r)
{
    json_t *c = r->w.certificate_json;
    int64_t now = clock_utc_ms() / 1000;
    char cid[32];
    snprintf(cid, sizeof cid, "change-%llu", (unsigned long long)++r->next_slot);
    must_ok(json_put_text(c, "cid", cid), "cid");
    set_int(c, "iat", now - 100);
    set_int(c, "nbf", now - 60);
    set_int(c, "exp", now + 600);
}

struct document room_certificate(struct room *r, struct testkey *key)
{
    struct document d;
    struct digest state;
    json_t *c = r->w.certificate_json;
    AUTO_JSON *seen = json_pack("{s:O}", "preconditions", at_path(c, "contract.preconditions"));
    must_ok(json_digest(seen, &state), "state");
    must_ok(json_put_digest(c, "state", &state), "state");
    document_sign(&d, key, TYP_CERTIFICATE, c);
    return d;
}

static void put(const char *text, char *to, size_t room)
{
    must_ok(span_copy_text(span_text(text), to, room), text);
}

static const char *text_at(struct room *r, const char *path)
{
    return json_string_value(at_path(r->w.certificate_json, path));
}

static struct digest signed_of(const struct document *d)
{
    struct digest all;
    must_ok(jws_digest(&d->jws, &all), "certificate");
    return all;
}

/* How long a credential may hold by the certificate. */
static int64_t seconds_at(const struct room *r)
{
    return json_integer_value(at_path(r->w.certificate_json, "contract.constraints.credential_s"));
}

struct entry room_decision(struct room *r, const struct document *certificate)
{
    struct entry e = { .type = ENTRY_DECISION, .time = clock_utc_ms() };
    struct decision_entry *d = &e.decision;
    must_ok(span_copy(SPAN(r->run), d->run, RUN_SIZE), "run");
    d->agent = *pubkey_thumbprint(testkey_public(r->w.agent));
    d->request = sha256(span_text("request"));
    put("request-1", d->request_id, sizeof d->request_id);
    put(text_at(r, "cid"), d->cid, sizeof d->cid);
    d->certificate = certificate->digest;
    d->signed_ = signed_of(certificate);
    d->policy = r->policy.digest;
    d->statement = r->epoch.digest;
    d->policy_epoch = json_integer_value(at_path(r->w.policy_json, "policy_epoch"));
    d->epoch = json_integer_value(at_path(r->w.epoch_json, "epoch"));
    d->has_target = true;
    put("http", d->target_kind, sizeof d->target_kind);
    put("https://docs.example/", d->target_prefix, sizeof d->target_prefix);
    d->has_body = true;
    d->body = sha256(ROOM_BODY);
    d->has_live = true;
    d->live = (struct live_state){ .exists = true, .has_etag = true, .sha256 = sha256(span_text("old")), .length = 3 };
    put("\"v1\"", d->live.etag, sizeof d->live.etag);
    d->permitted = true;
    d->iat = e.time / 1000;
    d->exp = d->iat + seconds_at(r);
    d->mint_key = *pubkey_thumbprint(r->instance.key[ROLE_MINT]);
    d->has_attestation = r->has_result;
    d->attestation = r->result;
    return e;
}

struct entry room_read(struct room *r, const struct document *certificate)
{
    struct entry e = { .type = ENTRY_READ, .time = clock_utc_ms() };
    struct read_entry *d = &e.read;
    must_ok(span_copy(SPAN(r->run), d->run, RUN_SIZE), "run");
    d->purpose = READ_DRIFT;
    d->certificate = certificate->digest;
    d->signed_ = signed_of(certificate);
    put("docs", d->target, sizeof d->target);
    put(text_at(r, "contract.resource"), d->resource, sizeof d->resource);
    d->iat = e.time / 1000;
    d->exp = d->iat + seconds_at(r);
    d->mint_key = *pubkey_thumbprint(r->instance.key[ROLE_MINT]);
    d->has_attestation = r->has_result;
    d->attestation = r->result;
    d->decision = NO_INDEX;
    return e;
}

uint64_t room_append_entry(struct room *r, const struct entry *e)
{
    AUTO_BUF text = BUF(ENTRY_MAX);
    bool permit = e->type == ENTRY_DECISION && e->decision.permitted;
    must_ok(permit ? entry_write_permit(e, (const struct permit *)(const void *)e, &text) : entry_write(e, &text), "entry");
    return room_append(r, buf_span(&text));
}

/* Provisioning. */

static void take_public(struct room *r, enum key_role role, struct hsm_key *key)
{
    pubkey_free(r->instance.key[role]);
    r->instance.key[role] = pubkey_hold(hsm_public(key));
    hsm_close(key);
}

/* What an earlier room left: its keys are under another policy key. */
static void clear_tpm(struct room *r, struct tpm *t)
{
    static const char *const pem[] = { "record.pem", "mint.pem" };
    const uint32_t handle[] = { r->config->handle_record, r->config->handle_mint, r->config->handle_mint_other,
        r->config->handle_pin };
    for (unsigned i = 0; i < sizeof handle / sizeof handle[0]; i++)
        if (handle[i])
            must_ok(tpm_evict(t, handle[i]), "evict");
    must_ok(tpm_nv_undefine(t, r->config->nv_epoch), "counter");
    must_ok(tpm_nv_undefine(t, r->config->nv_anchor), "anchor");
    for (unsigned i = 0; i < 2; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", r->work, pem[i]);
        unlink(path);
    }
}

static void provision_key(
    struct room *r, struct tpm *t, enum tpm_role role, uint32_t handle, const char *pem, const struct digest *policy)
{
    char path[256];
    bool made;
    snprintf(path, sizeof path, "%s/%s", r->work, pem);
    must_ok(tpm_provision(t, role, handle, path, policy, &made), pem);
}

/* The policyRef of this instance's approvals, with the guard that it gives. */
static struct tpm_guard *guard_for(struct room *r, struct tpm *t, const struct hsm_key *attestation)
{
    struct tpm_guard *g;
    struct digest ref;
    uint8_t name[TPM_NAME_SIZE];
    must_ok(tpm_key_name(attestation, name), "name");
    must_ok(policy_ref("prod.example/b1", name, &ref), "ref");
    must_ok(tpm_guard_new(t, testkey_public(r->policy_key), (unsigned)r->config->measured_pcr, r->config->nv_epoch, &g), "guard");
    must_ok(tpm_guard_ref(g, &ref), "ref");
    return g;
}

static void seal_pin(struct room *r, struct tpm *t, const struct digest *policy)
{
    struct secret *pin;
    must_ok(secret_from_file(r->config->pin_file, &pin), "PIN");
    must_ok(tpm_seal(t, r->config->handle_pin, policy, pin, true), "PIN");
    secret_free(pin);
}

static void provision_tpm(struct room *r)
{
    const struct config *c = r->config;
    struct tpm *t;
    struct hsm_key *attestation, *key;
    int fd;
    bool made;
    enum tpm_transport transport;
    must_ok(tpm_connect(r->tpm, &fd, &transport), "TPM");
    must_ok(tpm_open(fd, transport, &t), "TPM");
    clear_tpm(r, t);
    provision_key(r, t, TPM_ATTESTATION, c->handle_attestation, "attestation.pem", NULL);
    must_ok(tpm_attestation_key(t, c->handle_attestation, &attestation), "attestation key");
    struct tpm_guard *g = guard_for(r, t, attestation);
    const struct digest *policy = tpm_guard_key_policy(g);
    provision_key(r, t, TPM_RECORD, c->handle_record, "record.pem", policy);
    must_ok(tpm_signing_key(t, c->handle_record, attestation, g, &key), "record key");
    take_public(r, ROLE_RECORD, key);
    if (r->mint_in_hsm) {
        seal_pin(r, t, policy);
    } else {
        provision_key(r, t, TPM_MINT, c->handle_mint, "mint.pem", policy);
        must_ok(tpm_signing_key(t, c->handle_mint, attestation, g, &key), "mint key");
        take_public(r, ROLE_MINT, key);
    }
    must_ok(tpm_counter_define(t, c->nv_epoch, &made), "counter");
    must_ok(tpm_anchor_define(t, c->nv_anchor, policy, &made), "anchor");
    take_public(r, ROLE_ATTESTATION, attestation);
    tpm_guard_free(g);
    tpm_close(t);
}

static void provision_hsm(struct room *r)
{
    const struct p11_args args = { .module = r->config->module, .token = r->config->token, .pin_file = r->config->pin_file };
    struct p11_token *t;
    struct hsm_key *key;
    bool made;
    must_ok(p11_open(&args, &t), "HSM");
    must_ok(p11_provision(t, r->config->mint_label, &made), "mint key");
    must_ok(p11_key(t, r->config->mint_label, &key), "mint key");
    p11_identity_of(t, &r->token);
    take_public(r, ROLE_MINT, key);
    p11_close(t);
}

static json_t *jwk_of(struct testkey *k)
{
    json_t *jwk;
    must_ok(pubkey_jwk(testkey_public(k), &jwk), "jwk");
    return jwk;
}

static void make_config(struct room *r)
{
    const char *where = "";
    char state[256], pin[256];
    snprintf(state, sizeof state, "%s/state-%s", r->work, r->mint_in_hsm ? "hsm" : "tpm");
    snprintf(pin, sizeof pin, "%s/h/pin", r->work);
    snprintf(r->tpm, sizeof r->tpm, "%s/t/tpm", r->work);
    json_t *mint = r->mint_in_hsm ? json_pack("{s:s,s:s,s:s,s:s}", "backend", "pkcs11", "module", getenv("SOFTHSM_MODULE"), "token",
                                        "seb", "pin_file", pin)
                                  : json_pack("{s:s}", "backend", "tpm");
    AUTO_JSON *o = json_pack("{s:s,s:s,s:s,s:{s:s},s:o,s:{s:o,s:o},s:{s:{s:s,s:s,s:s,s:s},s:{s:s,s:s,s:s,s:s,s:s,s:s}}}", "domain",
        "prod.example", "instance", "b1", "state_dir", state, "tpm", "path", r->tpm, "mint_key", mint, "pinned", "policy",
        jwk_of(r->policy_key), "revocation", jwk_of(r->revocation_key), "targets", "docs", "kind", "http", "prefix",
        "https://docs.example/", "audience", "docs", "ca", "/ca.pem", "cluster", "kind", "kubernetes", "prefix",
        "https://cluster.example:6443/", "audience", "https://cluster", "ca", "/ca.pem", "issuer", "https://keys.example/seb",
        "mapping", "groups");
    must(o != NULL, "configuration");
    must_ok(json_canonical(o, &r->config_text), "configuration");
    result e = config_parse(buf_span(&r->config_text), &r->config, &where);
    must_ok(e, where);
}

static void make_documents(struct room *r)
{
    int64_t now = clock_utc_ms() / 1000;
    AUTO_JSON *hsm = r->mint_in_hsm ? json_pack("{s:s,s:s,s:s}", "manufacturer", r->token.manufacturer, "model", r->token.model,
                                          "serial", r->token.serial)
                                    : json_null();
    AUTO_JSON *admit = json_pack("{s:[s],s:[{s:s},{s:s}],s:s,s:s}", "operations", "patch", "resources", "prefix",
        "/apis/apps/v1/namespaces/prod/", "prefix", "/api/v1/namespaces/prod/", "risk", "L2", "target", "cluster");
    must(json_array_append(at_path(r->w.policy_json, "authorities.0.admit"), admit) == 0, "policy");
    json_object_set(r->w.policy_json, "hsm", hsm);
    document_sign(&r->policy, r->policy_key, TYP_POLICY, r->w.policy_json);
    set_int(r->w.epoch_json, "iat", now - 10);
    set_int(r->w.epoch_json, "exp", now + 3600);
    document_sign(&r->epoch, r->revocation_key, TYP_EPOCH, r->w.epoch_json);
}

void room_make(struct room *r, struct checks *c, const char *work, const char *program, bool mint_in_hsm)
{
    bool made;
    *r = (struct room){ .c = c, .work = work, .program = program, .mint_in_hsm = mint_in_hsm };
    r->config_text = BUF(CONFIG_MAX);
    r->note = BUF(NOTE_MAX);
    r->call.fields = BUF(LINK_PACKET_MAX);
    r->evidence = BUF(LINK_PACKET_MAX);
    r->state = BUF(LINK_PACKET_MAX);
    r->seen = log_state_empty();
    r->instance.mint_epoch = -1;
    for (unsigned i = 0; i <= CHILDREN; i++)
        r->measured[i] = sha256(span_text(child_program(i)));
    world_new(&r->w);
    r->policy_key = testkey_new(ALG_ES256);
    r->revocation_key = testkey_new(ALG_EDDSA);
    make_config(r);
    provision_tpm(r);
    if (mint_in_hsm)
        provision_hsm(r);
    put(r->config->domain, r->instance.domain, sizeof r->instance.domain);
    put(r->config->instance, r->instance.instance, sizeof r->instance.instance);
    must_ok(instance_write(r->config, &r->instance, &made), "instance.json");
    make_documents(r);
    room_new_log(r);
}

void room_free(struct room *r)
{
    room_stop(r);
    instance_free(&r->instance);
    config_free(r->config);
    document_free(&r->policy);
    document_free(&r->epoch);
    testkey_free(r->policy_key);
    testkey_free(r->revocation_key);
    world_free(&r->w);
    buf_free(&r->config_text);
    buf_free(&r->note);
    buf_free(&r->call.fields);
    buf_free(&r->evidence);
    buf_free(&r->state);
}
