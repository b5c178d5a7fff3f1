#include "config.h"

#include "front/parse.h"

#include "bus/bus.h"
#include "link/messages.h"

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
    } known[] = { { "status", ADMIN_STATUS }, { "policy_load", ADMIN_POLICY }, { "epoch_load", ADMIN_EPOCH } };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_is(span_text(op), known[i].name)) {
            *ret = known[i].operation;
            return OK;
        }
    return fail(E_bad_value);
}

result front_parse_admin(struct span frame, struct buf *ret_fields)
{
    AUTO_JSON *json = NULL;
    AUTO_BUF statement = BUF(ARENA_MAX);
    struct bus_frame f;
    const char *op;
    struct admin_message m = { 0 };
    TRY(open_frame(frame, &f, &json));
    if (f.body.n)
        return fail(E_bad_value);
    TRY(json_text(json, "op", 16, &op));
    TRY(admin_operation(op, &m.operation));
    if (m.operation == ADMIN_STATUS) {
        TRY(json_closed(json, (const char *const[]){ "op", NULL }));
    } else {
        TRY(json_closed(json, (const char *const[]){ "op", "statement", NULL }));
        TRY(signed_once_at(json, "statement", &statement, &m.statement));
    }
    return admin_put(ret_fields, &m);
}
