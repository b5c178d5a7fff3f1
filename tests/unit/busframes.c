#include "config.h"

#include "tests/unit/busframes.h"

#include <stdlib.h>

static void must(result r)
{
    if (!is_ok(r))
        abort();
}

static void put_frame(struct span json, struct span body, struct buf *out)
{
    buf_clear(out);
    must(bus_frame_put(out, &(struct bus_frame){ .json = json, .body = body }));
}

void frame_of(const char *json, struct span body, struct buf *out)
{
    put_frame(span_text(json), body, out);
}

void frame_submit(const struct submit_frame *f, struct buf *out)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX);
    struct testkey *agent[] = { (struct testkey *)(uintptr_t)f->agent };
    must(buf_text(&json, "{\"certificate\":"));
    testkey_jws(f->authorities, f->n, TYP_CERTIFICATE, span_text(f->certificate), &json);
    must(buf_text(&json, ",\"op\":\"submit\",\"request\":"));
    testkey_jws(agent, 1, TYP_REQUEST, span_text(f->request), &json);
    must(buf_text(&json, "}"));
    put_frame(buf_span(&json), f->body, out);
}

void frame_statement(const char *op, struct testkey *key, const char *payload, struct buf *out)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX);
    must(buf_printf(&json, "{\"op\":\"%s\",\"statement\":", op));
    testkey_jws(&key, 1, TYP_POLICY, span_text(payload), &json);
    must(buf_text(&json, "}"));
    put_frame(buf_span(&json), (struct span){ 0 }, out);
}
