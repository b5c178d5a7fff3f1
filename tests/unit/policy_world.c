#include "config.h"

#include "tests/unit/policy_world.h"

#include <stdio.h>
#include <stdlib.h>

void must(bool holds, const char *what)
{
    if (!holds) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
}

static json_t *json_of(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    must(v != NULL, text);
    return v;
}

/* Moves *path behind its first part, which it returns as text to be freed. */
static char *first_part(const char **path)
{
    struct span s = span_text(*path);
    size_t dot = span_find(s, 0, '.');
    char *part;
    must(is_ok(span_dup_text(span_part(s, 0, dot), &part)), "memory");
    *path += dot < s.n ? dot + 1 : s.n;
    return part;
}

static json_t *child(json_t *v, const char *part)
{
    return json_is_array(v) ? json_array_get(v, (size_t)atoi(part)) : json_object_get(v, part);
}

json_t *at_path(json_t *v, const char *path)
{
    while (v && *path) {
        AUTO_FREE char *part = first_part(&path);
        v = child(v, part);
    }
    return v;
}

void edit(json_t *v, const char *path, const char *json_text)
{
    for (;;) {
        AUTO_FREE char *part = first_part(&path);
        if (*path) {
            v = child(v, part);
            must(v != NULL, part);
        } else if (json_is_array(v)) {
            size_t i = (size_t)atoi(part);
            must((json_text ? json_array_set_new(v, i, json_of(json_text)) : json_array_remove(v, i)) == 0, part);
            return;
        } else {
            must((json_text ? json_object_set_new(v, part, json_of(json_text)) : json_object_del(v, part)) == 0, part);
            return;
        }
    }
}

static const char policy_text[] =
    "{\"approval\":{\"countersigners\":[],\"needed\":0},\"authorities\":[],\"body_bytes\":32768,\"credential_s\":30,\"domain\":"
    "\"prod.example\",\"freezes\":"
    "[],"
    "\"hsm\":{\"manufacturer\":\"SoftHSM project\",\"model\":\"SoftHSM v2\",\"serial\":\"0123456789abcdef\"},\"policy_epoch\":7,"
    "\"request_age_s\":300,\"signatures\":{\"L0\":1,\"L1\":1,\"L2\":2,\"L3\":2,\"L4\":3,\"L5\":8},\"validity_s\":3600,"
    "\"verifiers\":[{\"name\":\"verifier-0\"}],\"version_from\":\"L2\"}";
static const char authority_text[] =
    "{\"admit\":[{\"operations\":[\"DELETE\"],\"resources\":[{\"exact\":\"https://docs.example/gone\"}],\"risk\":\"L0\",\"target\":"
    "\"docs\"},{\"operations\":[\"DELETE\",\"PUT\"],\"resources\":[{\"exact\":\"https://docs.example/one\"},{\"prefix\":"
    "\"https://docs.example/pages/\"}],\"risk\":\"L4\",\"target\":\"docs\"}]}";
static const char certificate_text[] =
    "{\"aud\":\"prod.example\",\"cid\":\"change-1\",\"cnf\":{},\"contract\":{\"constraints\":{\"credential_s\":10},\"operation\":"
    "\"PUT\","
    "\"parameters\":{\"body\":{\"length\":5,\"media_type\":\"text/plain; charset=utf-8\",\"sha256\":"
    "\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"}},\"preconditions\":{\"etag\":\"\\\"v1\\\"\",\"sha256\":"
    "\"y6BrVzb69n5UsHtWHq6UOV53TFF6fZEKVDaeEmPM-9Q\"},\"resource\":\"https://docs.example/pages/index\",\"risk\":\"L1\",\"target\":"
    "\"docs\"},\"epoch\":3,\"evidence\":\"7cF4Zmbw3zJyzxzCYIgjCEBKO0GJlvVW6IDn2BKC4EM\",\"exp\":1767226200,\"iat\":1767225500,"
    "\"nbf\":1767225540,\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"policy_epoch\":7,\"risk\":\"L1\"}";
static const char request_text[] =
    "{\"certificate\":\"\",\"iat\":1767225590,\"id\":\"request-1\",\"mutation\":{},\"wait_ms\":2000}";
static const char epoch_text[] = "{\"domain\":\"prod.example\",\"epoch\":3,\"exp\":1767229200,\"iat\":1767225000}";

static void add_authority(struct world *w, unsigned n)
{
    json_t *authority = json_of(authority_text), *jwk = NULL;
    must(is_ok(pubkey_jwk(testkey_public(w->authority[n]), &jwk)), "jwk");
    json_object_set_new(authority, "jwk", jwk);
    json_object_set_new(authority, "name", json_sprintf("authority-%u", n));
    json_array_append_new(json_object_get(w->policy_json, "authorities"), authority);
}

static void add_key(json_t *o, const char *name, const struct testkey *k)
{
    json_t *jwk = NULL;
    must(is_ok(pubkey_jwk(testkey_public(k), &jwk)), "jwk");
    json_object_set_new(o, name, jwk);
}

void world_new(struct world *w)
{
    *w = (struct world){ .typ = TYP_CERTIFICATE, .signs_n = 1 };
    json_t *jwk = NULL;
    w->policy_json = json_of(policy_text);
    for (unsigned i = 0; i < WORLD_AUTHORITIES; i++) {
        w->authority[i] = testkey_new(i == 2 ? ALG_EDDSA : ALG_ES256);
        add_authority(w, i);
    }
    w->stranger = testkey_new(ALG_ES256);
    w->verifier = testkey_new(ALG_ES256);
    w->lease = testkey_new(ALG_ES256);
    add_key(at_path(w->policy_json, "verifiers.0"), "jwk", w->verifier);
    add_key(at_path(w->policy_json, "verifiers.0"), "lease", w->lease);
    w->agent = testkey_new(ALG_EDDSA);
    w->signs[0] = w->authority[0];
    w->requests = w->agent;
    w->certificate_json = json_of(certificate_text);
    must(is_ok(pubkey_jwk(testkey_public(w->agent), &jwk)), "jwk");
    json_object_set_new(json_object_get(w->certificate_json, "cnf"), "jwk", jwk);
    w->request_json = json_of(request_text);
    w->epoch_json = json_of(epoch_text);
    w->policy_text = w->certificate_text = w->request_text = w->epoch_text = BUF(JWS_PAYLOAD_MAX);
    w->arena_c = w->arena_q = BUF(JWS_TEXT_MAX);
}

void world_free(struct world *w)
{
    struct buf *const bufs[] = { &w->policy_text, &w->certificate_text, &w->request_text, &w->epoch_text, &w->arena_c,
        &w->arena_q };
    json_t *const documents[] = { w->policy_json, w->certificate_json, w->request_json, w->epoch_json };
    for (unsigned i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_free(bufs[i]);
    for (unsigned i = 0; i < sizeof documents / sizeof *documents; i++)
        json_decref(documents[i]);
    for (unsigned i = 0; i < WORLD_AUTHORITIES; i++)
        testkey_free(w->authority[i]);
    testkey_free(w->stranger);
    testkey_free(w->agent);
    testkey_free(w->verifier);
    testkey_free(w->lease);
    certificate_free(&w->certificate);
    policy_free(w->policy);
}

static void put_digest(json_t *o, const char *name, const struct digest *d)
{
    must(is_ok(json_put_digest(o, name, d)), "digest");
}

static void state_of_contract(struct world *w)
{
    struct digest state;
    must(is_ok(contract_state(at_path(w->certificate_json, "contract"), &state)), "state");
    put_digest(w->certificate_json, "state", &state);
}

static void sign(struct testkey *const *keys, unsigned n, const char *typ, struct span payload, struct buf *arena, struct jws *ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    testkey_jws(keys, n, typ, payload, &text);
    must(is_ok(jws_parse_text(buf_span(&text), arena, ret)), "jws");
}

static void request_of_contract(struct world *w)
{
    static const char *const members[] = { "operation", "parameters", "resource", "target" };
    json_t *mutation = json_object_get(w->request_json, "mutation");
    struct digest d = sha256(buf_span(&w->certificate_text));
    for (unsigned i = 0; i < 4 && !w->keep_mutation; i++)
        json_object_set_new(
            mutation, members[i], json_deep_copy(json_object_get(json_object_get(w->certificate_json, "contract"), members[i])));
    if (!w->keep_digest)
        put_digest(w->request_json, "certificate", &d);
}

void world_verify(struct world *w)
{
    w->facts.signers = verify_certificate(w->policy, &w->certificate_jws);
    w->facts.pop = code_of(verify_request(&w->certificate, &w->request_jws));
}

void world_build(struct world *w)
{
    static const char body[] = { 'h', 'e', 'l', 'l', 'o' }, old[] = { 'o', 'l', 'd' };
    must(is_ok(json_canonical(w->policy_json, &w->policy_text)), "policy");
    must(is_ok(policy_parse(buf_span(&w->policy_text), &w->policy)), "policy");
    must(is_ok(json_canonical(w->epoch_json, &w->epoch_text)), "epoch");
    must(is_ok(epoch_parse(buf_span(&w->epoch_text), &w->epoch)), "epoch");
    if (!w->keep_state)
        state_of_contract(w);
    must(is_ok(json_canonical(w->certificate_json, &w->certificate_text)), "certificate");
    sign(w->signs, w->signs_n, w->typ, buf_span(&w->certificate_text), &w->arena_c, &w->certificate_jws);
    must(is_ok(certificate_parse(w->certificate_jws.payload, NULL, &w->certificate)), "certificate");
    request_of_contract(w);
    must(is_ok(json_canonical(w->request_json, &w->request_text)), "request");
    sign(&w->requests, 1, TYP_REQUEST, buf_span(&w->request_text), &w->arena_q, &w->request_jws);
    must(is_ok(request_parse(w->request_jws.payload, &w->request)), "request");
    w->target = (struct target_facts){ .kind = "http", .prefix = "https://docs.example/", .scope = E_ok };
    w->live = (struct live_facts){ .exists = true, .has_etag = true, .etag = "\"v1\"", .sha256 = sha256(SPAN(old)) };
    w->attested = (struct attested_facts){ .affirming = true, .keys_match = true, .iat = NOW_S - 5, .exp = NOW_S + 25 };
    w->facts = (struct facts){
        .now_ms = NOW_S * 1000 + 999,
        .domain = "prod.example",
        .policy = w->policy,
        .epoch = &w->epoch,
        .certificate = &w->certificate,
        .request = &w->request,
        .has_body = true,
        .body = sha256(SPAN(body)),
        .body_length = sizeof body,
        .target = &w->target,
        .attested = &w->attested,
        .live = &w->live,
    };
    world_verify(w);
}
