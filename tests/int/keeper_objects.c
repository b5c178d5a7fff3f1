/* The keeper and an object of a cluster: the call and its details, a credential under the mint key's own issuer, and what a fallen
 * core may not make of it. */
#include "config.h"

#include "mint/mint.h"
#include "tests/int/keeper_plays.h"

#include <stdio.h>

#define UID "0b4f7e0c-51c4"
#define BODY                                               \
    "\"body\":{\"length\":5,\"media_type\":\"application/" \
    "merge-patch+json\",\"sha256\":\"LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ\"}"
static const char contract[] =
    "{\"constraints\":{\"credential_s\":10},\"operation\":\"patch\",\"parameters\":{" BODY
    ",\"field_manager\":\"seb/web\",\"fields\":[{\"pointer\":\"/spec/replicas\",\"value\":3}]},\"preconditions\":{\"fields\":[{"
    "\"pointer\":\"/spec/replicas\",\"value\":2}]},\"resource\":\"/apis/apps/v1/namespaces/prod/deployments/web\",\"risk\":\"L1\","
    "\"target\":\"cluster\"}";
static const char secret[] =
    "{\"constraints\":{\"credential_s\":10},\"operation\":\"patch\",\"parameters\":{" BODY
    "},\"preconditions\":{\"resource_version\":\"7\"},\"resource\":\"/api/v1/namespaces/prod/secrets/s\",\"risk\":\"L1\","
    "\"target\":\"cluster\"}";

static void put(const char *text, char *to, size_t room)
{
    must_ok(span_copy_text(span_text(text), to, room), text);
}

static struct entry decision_on(struct room *r, const struct document *d)
{
    struct entry e = room_decision(r, d);
    struct decision_entry *k = &e.decision;
    put("kubernetes", k->target_kind, sizeof k->target_kind);
    put("https://cluster.example:6443/", k->target_prefix, sizeof k->target_prefix);
    k->live.has_etag = false;
    put("", k->live.etag, sizeof k->live.etag);
    put(UID, k->live.uid, sizeof k->live.uid);
    put("8123", k->live.version, sizeof k->live.version);
    k->live.fields_n = 2;
    k->live.field[0] = k->live.field[1] = (struct live_field){ true, sha256(span_text("2")) };
    k->accepted_until = k->exp + 10;
    return e;
}

/* What the last CALL's credential says. */
static json_t *claims_of_call(struct room *r)
{
    struct span jwt = r->call.m.credential;
    size_t dot = span_find(jwt, 0, '.'), dot2 = span_find(jwt, dot + 1, '.');
    AUTO_BUF payload = BUF(CREDENTIAL_TEXT_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    json_t *got = NULL;
    bool whole = is_ok(b64url_read(span_part(jwt, dot + 1, dot2 - dot - 1), &payload)) &&
                 is_ok(b64url_fixed(span_part(jwt, dot2 + 1, jwt.n), raw, sizeof raw)) &&
                 is_ok(pubkey_verify(r->instance.key[ROLE_MINT], span_part(jwt, 0, dot2), SPAN(raw))) &&
                 is_ok(json_strict(buf_span(&payload), CREDENTIAL_TEXT_MAX, &got));
    check_that(r->c, whole, "the credential verifies with the mint key");
    return got;
}

static bool says(const json_t *claims, const char *name, const char *wanted)
{
    return span_is(span_text(json_string_value(json_object_get(claims, name))), wanted);
}

static void check_claims(struct room *r, const json_t *claims, const char *verb, const char *version, const char *fields)
{
    char kid[DIGEST_TEXT + 1], iss[256];
    AUTO_JSON *list = json_loads(fields, 0, NULL);
    snprintf(iss, sizeof iss, "https://keys.example/seb/%s", digest_text(pubkey_thumbprint(r->instance.key[ROLE_MINT]), kid));
    check_that(r->c, says(claims, "iss", iss) && says(claims, "aud", "https://cluster"), "its issuer is the key's own");
    check_that(r->c, json_equal(json_object_get(claims, "nbf"), json_object_get(claims, "iat")), "from its first second");
    check_that(r->c,
        says(claims, "verb", verb) && says(claims, "group", "apps") && says(claims, "resource", "deployments") &&
            says(claims, "subresource", "-") && says(claims, "namespace", "prod") && says(claims, "name", "web"),
        "for one verb on one object");
    check_that(r->c,
        says(claims, "version", version) && says(claims, "uid", *version == '-' ? "-" : UID) &&
            json_equal(json_object_get(claims, "fields"), list),
        "at one version, and with these fields");
    check_that(r->c, json_array_size(json_object_get(claims, "groups")) > 10, "and as groups, where the target maps nothing else");
}

static void honest(struct room *r)
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry read = room_read(r, &d);
    put("cluster", read.read.target, sizeof read.read.target);
    uint64_t index = room_append_entry(r, &read);
    check_code(r->c, fail(room_mint(r, index, &d.jws, (struct span){ NULL, 0 })), E_ok, "a read of an object");
    const struct call_message *m = &r->call.m;
    check_that(r->c,
        m->use == 1 && span_is(m->method, "GET") && m->body.n == 0 &&
            span_is(m->url, "https://cluster.example:6443/apis/apps/v1/namespaces/prod/deployments/web"),
        "is one GET");
    check_that(r->c, m->audit_id.n == DIGEST_TEXT && m->details.n, "known by its entry, and with what is read out of the answer");
    AUTO_JSON *reads = claims_of_call(r);
    check_claims(r, reads, "get", "-", "[\"-\"]");

    struct entry e = decision_on(r, &d);
    AUTO_BUF text = BUF(ENTRY_MAX);
    must_ok(entry_write_permit(&e, (const struct permit *)(const void *)&e, &text), "entry");
    char leaf[DIGEST_TEXT + 1];
    struct digest of = merkle_leaf(buf_span(&text));
    index = room_append_entry(r, &e);
    room_sign(r);
    check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), E_ok, "the honest way gives one CALL");
    check_that(r->c,
        m->use == 2 && span_is(m->method, "PATCH") && span_equal(m->body, ROOM_BODY) && m->precondition.n == 0 &&
            span_is(m->media_type, "application/merge-patch+json"),
        "of the contract's mutation");
    check_that(r->c, span_is(m->audit_id, digest_text(&of, leaf)), "known by its decision");
    AUTO_JSON *details = NULL;
    check_that(r->c,
        is_ok(json_strict(m->details, LINK_PACKET_MAX, &details)) && says(details, "version", "8123") && says(details, "uid", UID),
        "with the version that was read, for the body");
    AUTO_JSON *claims = claims_of_call(r);
    check_claims(r, claims, "patch", "8123", "[\"/spec/replicas=3\"]");
    document_free(&d);
}

static void longer_accepted(struct entry *e)
{
    e->decision.accepted_until++;
}
static void end_unsaid(struct entry *e)
{
    e->decision.accepted_until = 0;
}
static void without_a_version(struct entry *e)
{
    e->decision.live.version[0] = 0;
}
static void nothing_there(struct entry *e)
{
    e->decision.live.exists = false;
}
static void of_kind_http(struct entry *e)
{
    snprintf(e->decision.target_kind, sizeof e->decision.target_kind, "http");
}
static void of_another_cluster(struct entry *e)
{
    snprintf(e->decision.target_prefix, sizeof e->decision.target_prefix, "https://cluster2.example:6443/");
}

static const struct {
    const char *name;
    enum seb_code want;
    const char *path, *value;
    void (*spoil)(struct entry *e);
} plays[] = {
    { "a credential whose end the record puts later", E_decision_mismatch, NULL, NULL, longer_accepted },
    { "a record that doesn't say how long a cache takes it", E_decision_mismatch, NULL, NULL, end_unsaid },
    { "no version in contract and state", E_precondition_unusable, NULL, NULL, without_a_version },
    { "a version of nothing", E_precondition_unusable, NULL, NULL, nothing_there },
    { "an entry of another kind", E_decision_mismatch, NULL, NULL, of_kind_http },
    { "an entry of another cluster", E_decision_mismatch, NULL, NULL, of_another_cluster },
    { "a namespace that the authority may not admit", E_not_admissible, "resource",
        "\"/apis/apps/v1/namespaces/kube-system/deployments/web\"", NULL },
    { "a path that climbs out", E_resource_invalid, "resource", "\"/apis/apps/v1/namespaces/prod/deployments/..\"", NULL },
    { "a pod's exec", E_operation_unsupported, "resource", "\"/apis/apps/v1/namespaces/prod/deployments/web/exec\"", NULL },
    { "an operation of HTTP", E_not_admissible, "operation", "\"PUT\"", NULL },
    { "no precondition", E_precondition_missing, "preconditions", "{}", NULL },
    { "fields that don't fit", E_fields_too_long, "parameters.fields", NULL, NULL },
    { "a credential of four seconds", E_credential_too_short, "constraints", "{\"credential_s\":4}", NULL },
    { "a Secret that the policy refuses", E_secret_unfenced, "", secret, NULL },
};

/* Five fields of a thousand bytes each. */
static void many_fields(json_t *certificate)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < 5; i++)
        json_array_append_new(
            list, json_pack("{s:o,s:o}", "pointer", json_sprintf("/data/%u", i), "value", json_sprintf("%01000u", i)));
    json_object_set_new(at_path(certificate, "contract.parameters"), "fields", list);
}

static void refused(struct room *r)
{
    for (unsigned i = 0; i < sizeof plays / sizeof *plays; i++) {
        AUTO_JSON *before = json_deep_copy(at_path(r->w.certificate_json, "contract"));
        char path[64];
        unsigned calls = r->calls;
        snprintf(path, sizeof path, "contract%s%s", plays[i].path && *plays[i].path ? "." : "", plays[i].path ? plays[i].path : "");
        if (plays[i].value)
            edit(r->w.certificate_json, path, plays[i].value);
        else if (plays[i].path)
            many_fields(r->w.certificate_json);
        struct document d = certificate_of(r, &(struct play){ .want = E_ok });
        struct entry e = decision_on(r, &d);
        if (plays[i].spoil)
            plays[i].spoil(&e);
        uint64_t index = room_append_entry(r, &e);
        room_sign(r);
        check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), plays[i].want, plays[i].name);
        check_that(r->c, r->calls == calls, "and no credential");
        document_free(&d);
        json_object_set(r->w.certificate_json, "contract", before);
    }
}

void objects_run(struct room *r)
{
    AUTO_JSON *before = json_deep_copy(at_path(r->w.certificate_json, "contract"));
    edit(r->w.certificate_json, "contract", contract);
    honest(r);
    refused(r);
    json_object_set(r->w.certificate_json, "contract", before);
}
