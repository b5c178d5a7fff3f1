#include "config.h"

#include "front/parse.h"

#include "bus/bus.h"
#include "link/messages.h"

#define LEASE_SECONDS_MAX 3600
#define EK_CERTIFICATE_MAX 8192 /* DER */
/* What one JWS's decoded parts need at most. */
#define ARENA_MAX (JWS_PAYLOAD_MAX + JWS_SIGNATURES_MAX * (JWS_HEADER_MAX + SIGNATURE_SIZE))

static result open_frame(struct span bytes, struct bus_frame *ret_frame, json_t **ret_json)
{
    TRY(bus_frame_read(bytes, ret_frame));
    return json_strict(ret_frame->json, BUS_FRAME_MAX, ret_json);
}

static result jws_at(const json_t *o, const char *name, struct buf *arena, struct jws *ret)
{
    const json_t *v;
    TRY(json_object_at(o, name, &v));
    return jws_parse(v, arena, ret);
}

/* The core takes exactly one signature here, and a message that it doesn't take would end the broker. */
static result signed_once_at(const json_t *o, const char *name, struct buf *arena, struct jws *ret)
{
    struct jws j;
    TRY(jws_at(o, name, arena, &j));
    if (j.n != 1)
        return fail(E_bad_jws);
    *ret = j;
    return OK;
}

result front_parse_submit(struct span frame, uint32_t uid, struct buf *ret_fields)
{
    AUTO_JSON *json = NULL;
    AUTO_BUF certificate = BUF(ARENA_MAX), request = BUF(ARENA_MAX);
    struct bus_frame f;
    const char *op;
    TRY(open_frame(frame, &f, &json));
    TRY(json_closed(json, (const char *const[]){ "certificate", "op", "request", NULL }));
    TRY(json_text(json, "op", 16, &op));
    if (!span_is(span_text(op), "submit"))
        return fail(E_bad_value);
    struct submit_message m = { .uid = uid, .body = f.body };
    TRY(jws_at(json, "certificate", &certificate, &m.certificate));
    TRY(signed_once_at(json, "request", &request, &m.request));
    return submit_put(ret_fields, &m);
}

static result admin_operation(const char *op, enum admin_operation *ret)
{
    static const struct {
        const char *name;
        enum admin_operation operation;
    } known[] = { { "status", ADMIN_STATUS }, { "policy_load", ADMIN_POLICY }, { "epoch_load", ADMIN_EPOCH },
        { "approval", ADMIN_APPROVAL }, { "acknowledge", ADMIN_ACKNOWLEDGE }, { "plan", ADMIN_PLAN } };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_is(span_text(op), known[i].name)) {
            *ret = known[i].operation;
            return OK;
        }
    return fail(E_bad_value);
}

static result approval_file_at(const json_t *o, struct buf *text)
{
    const json_t *file;
    TRY(json_object_at(o, "file", &file));
    return json_canonical(file, text);
}

result front_parse_admin(struct span frame, struct buf *ret_fields)
{
    AUTO_JSON *json = NULL;
    AUTO_BUF statement = BUF(ARENA_MAX), text = BUF(BUS_FRAME_MAX);
    struct bus_frame f;
    const char *op;
    struct admin_message m = { 0 };
    TRY(open_frame(frame, &f, &json));
    if (f.body.n)
        return fail(E_bad_value);
    TRY(json_text(json, "op", 16, &op));
    TRY(admin_operation(op, &m.operation));
    if (m.operation == ADMIN_STATUS || m.operation == ADMIN_PLAN) {
        TRY(json_closed(json, (const char *const[]){ "op", NULL }));
    } else if (m.operation == ADMIN_APPROVAL) {
        TRY(json_closed(json, (const char *const[]){ "file", "op", NULL }));
        TRY(approval_file_at(json, &text));
        m.text = buf_span(&text);
    } else {
        TRY(json_closed(json, (const char *const[]){ "op", "statement", NULL }));
        TRY(signed_once_at(json, "statement", &statement, &m.statement));
    }
    return admin_put(ret_fields, &m);
}

static result challenge_read(const json_t *json, struct buf *arena, struct attest_message *m)
{
    TRY(json_closed(json, (const char *const[]){ "challenge", "op", NULL }));
    return signed_once_at(json, "challenge", arena, &m->statement);
}

static result lease_read(const json_t *json, struct buf *signature, struct lease_grant *ret)
{
    const json_t *lease = json_object_get(json, "lease");
    int64_t seconds;
    if (!lease)
        return fail(E_missing_member);
    if (json_is_null(lease))
        return OK;
    TRY(json_object_at(json, "lease", &lease));
    TRY(json_closed(lease, (const char *const[]){ "seconds", "signature", NULL }));
    TRY(json_int(lease, "seconds", 1, LEASE_SECONDS_MAX, &seconds));
    TRY(json_bytes_at(lease, "signature", LEASE_SIGNATURE_SIZE, signature));
    if (signature->n != LEASE_SIGNATURE_SIZE)
        return fail(E_bad_value);
    *ret = (struct lease_grant){ .seconds = (uint32_t)seconds, .signature = buf_span(signature) };
    return OK;
}

static result result_read_json(const json_t *json, struct buf *arena, struct buf *signature, struct attest_message *m)
{
    const char *compact;
    TRY(json_closed(json, (const char *const[]){ "lease", "op", "result", NULL }));
    TRY(json_text(json, "result", JWS_TEXT_MAX, &compact));
    TRY(jws_parse_compact(span_text(compact), arena, &m->statement));
    return lease_read(json, signature, &m->lease);
}

static result enrolled_read(const json_t *json, struct buf *arena, struct buf *certificate, struct attest_message *m)
{
    TRY(json_closed(json, (const char *const[]){ "certificate", "op", "statement", NULL }));
    TRY(signed_once_at(json, "statement", arena, &m->statement));
    TRY(json_bytes_at(json, "certificate", EK_CERTIFICATE_MAX, certificate));
    m->extra = buf_span(certificate);
    return certificate->n ? OK : fail(E_bad_value);
}

result front_parse_verifier(struct span frame, struct buf *ret_fields)
{
    AUTO_JSON *json = NULL;
    AUTO_BUF arena = BUF(ARENA_MAX), extra = BUF(EK_CERTIFICATE_MAX);
    struct bus_frame f;
    const char *op;
    struct attest_message m = { .operation = ATTEST_CHALLENGE };
    TRY(open_frame(frame, &f, &json));
    if (f.body.n)
        return fail(E_bad_value);
    TRY(json_text(json, "op", 16, &op));
    if (span_is(span_text(op), "challenge")) {
        TRY(challenge_read(json, &arena, &m));
    } else if (span_is(span_text(op), "result")) {
        m.operation = ATTEST_RESULT;
        TRY(result_read_json(json, &arena, &extra, &m));
    } else if (span_is(span_text(op), "enrolled")) {
        m.operation = ATTEST_ENROLLED;
        TRY(enrolled_read(json, &arena, &extra, &m));
    } else {
        return fail(E_bad_value);
    }
    return attest_put(ret_fields, &m);
}
