#include "config.h"

#include "submit/request.h"

#include "bus/bus.h"

static result override_text(json_t *o, const char *name, const char *text)
{
    return text ? json_put_text(o, name, text) : OK;
}

/* Length and digest of what is sent; the media type stays, where the contract has one. */
static result describe_body(json_t *parameters, struct span body)
{
    struct digest d = sha256(body);
    if (!json_has(parameters, "body")) {
        TRY(json_put_new(parameters, "body", json_object()));
        TRY(json_put_text(json_object_get(parameters, "body"), "media_type", "application/octet-stream"));
    }
    json_t *described = json_object_get(parameters, "body");
    TRY(json_put_int(described, "length", (int64_t)body.n));
    return json_put_digest(described, "sha256", &d);
}

static result override_parameters(json_t *parameters, struct span body, const struct mutation_overrides *o)
{
    if (o->describe_body)
        TRY(describe_body(parameters, body));
    if (!o->media_type)
        return OK;
    json_t *described = json_object_get(parameters, "body");
    return described ? json_put_text(described, "media_type", o->media_type) : fail(E_missing_member);
}

static result copy_member(json_t *to, const json_t *from, const char *name)
{
    const json_t *v = json_object_get(from, name);
    return v ? json_put_new(to, name, json_deep_copy(v)) : fail(E_missing_member);
}

static result build_mutation(const json_t *contract, struct span body, const struct mutation_overrides *o, json_t **ret)
{
    static const char *const members[] = { "operation", "parameters", "resource", "target" };
    AUTO_JSON *mutation = json_object();
    for (unsigned i = 0; i < sizeof members / sizeof members[0]; i++)
        TRY(copy_member(mutation, contract, members[i]));
    TRY(override_text(mutation, "operation", o->operation));
    TRY(override_text(mutation, "resource", o->resource));
    TRY(override_text(mutation, "target", o->target));
    TRY(override_parameters(json_object_get(mutation, "parameters"), body, o));
    *ret = mutation;
    mutation = NULL;
    return OK;
}

void submission_free(struct submission *s)
{
    json_decref(s->certificate);
    json_decref(s->claims);
    json_decref(s->mutation);
    *s = (struct submission){ 0 };
}

result submission_read(
    struct span certificate, struct span body, const struct mutation_overrides *overrides, struct submission *ret)
{
    AUTO_JSON *jws_json = NULL;
    AUTO_JSON *payload = NULL;
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    struct jws jws;
    const json_t *contract;
    json_t *mutation = NULL;
    TRY(json_strict(certificate, JWS_TEXT_MAX, &jws_json));
    TRY(jws_parse(jws_json, &arena, &jws));
    TRY(json_strict(jws.payload, JWS_PAYLOAD_MAX, &payload));
    TRY(json_object_at(payload, "contract", &contract));
    TRY(build_mutation(contract, body, overrides, &mutation));
    *ret = (struct submission){
        .certificate = jws_json, .claims = payload, .mutation = mutation, .certificate_digest = sha256(jws.payload), .body = body
    };
    jws_json = NULL;
    payload = NULL;
    return OK;
}

static result put_payload(const struct submission *s, int64_t iat, int64_t wait_ms, struct buf *out)
{
    AUTO_JSON *payload = json_object();
    TRY(json_put_digest(payload, "certificate", &s->certificate_digest));
    TRY(json_put_text(payload, "id", s->id));
    TRY(json_put_int(payload, "iat", iat));
    TRY(json_put_new(payload, "mutation", json_incref(s->mutation)));
    TRY(json_put_int(payload, "wait_ms", wait_ms));
    return json_canonical(payload, out);
}

result submission_sign(const struct submission *s, struct signer *signer, int64_t iat, int64_t wait_ms, json_t **ret_request)
{
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), text = BUF(JWS_TEXT_MAX);
    TRY(put_payload(s, iat, wait_ms, &payload));
    TRY(signer_sign(signer, TYP_REQUEST, buf_span(&payload), &text));
    return json_strict(buf_span(&text), JWS_TEXT_MAX, ret_request);
}

/* RFC 7800 section 3.2 */
static result agents_key(const json_t *claims, struct pubkey **ret)
{
    const json_t *cnf, *jwk;
    TRY(json_object_at(claims, "cnf", &cnf));
    TRY(json_object_at(cnf, "jwk", &jwk));
    return pubkey_from_jwk(jwk, ret);
}

result submission_unsigned(const struct submission *s, int64_t iat, int64_t wait_ms, struct buf *out)
{
    AUTO_PUBKEY *key = NULL;
    AUTO_JSON *o = json_object();
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), header = BUF(JWS_HEADER_MAX);
    TRY(agents_key(s->claims, &key));
    TRY(put_payload(s, iat, wait_ms, &payload));
    TRY(jws_header(key, TYP_REQUEST, &header));
    TRY(json_put_b64url(o, "payload", buf_span(&payload)));
    TRY(json_put_b64url(o, "protected", buf_span(&header)));
    return json_canonical(o, out);
}

void signed_request_free(struct signed_request *r)
{
    json_decref(r->jws);
    *r = (struct signed_request){ 0 };
}

result signed_request_read(struct span text, struct signed_request *ret)
{
    AUTO_JSON *jws_json = NULL;
    AUTO_JSON *payload = NULL;
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    struct jws jws;
    struct signed_request r = { 0 };
    const char *id;
    TRY(json_strict(text, JWS_TEXT_MAX, &jws_json));
    TRY(jws_parse(jws_json, &arena, &jws));
    if (jws.n != 1)
        return fail(E_bad_jws);
    TRY(json_strict(jws.payload, JWS_PAYLOAD_MAX, &payload));
    TRY(json_text(payload, "id", sizeof r.id - 1, &id));
    TRY(span_copy_text(span_text(id), r.id, sizeof r.id));
    TRY(json_int(payload, "wait_ms", 0, SUBMIT_WAIT_MS_MAX, &r.wait_ms));
    r.agent = jws.sig[0].kid;
    r.jws = jws_json;
    jws_json = NULL;
    *ret = r;
    return OK;
}

result submission_frame(const struct submission *s, json_t *request, struct buf *ret_frame)
{
    AUTO_JSON *submit = json_object();
    AUTO_BUF json = BUF(BUS_FRAME_MAX);
    TRY(json_put_text(submit, "op", "submit"));
    TRY(json_put_new(submit, "certificate", json_incref(s->certificate)));
    TRY(json_put_new(submit, "request", json_incref(request)));
    TRY(json_canonical(submit, &json));
    return bus_frame_put(ret_frame, &(struct bus_frame){ .json = buf_span(&json), .body = s->body });
}
