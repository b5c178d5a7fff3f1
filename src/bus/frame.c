#include "config.h"

#include "bus/bus.h"

#define MAGIC "SEB1"

result bus_frame_put(struct buf *out, const struct bus_frame *f)
{
    if (f->json.n > BUS_FRAME_MAX - BUS_FRAME_OVERHEAD || f->body.n > BUS_FRAME_MAX - BUS_FRAME_OVERHEAD - f->json.n)
        return fail(E_too_long);
    TRY(buf_text(out, MAGIC));
    TRY(buf_blob32(out, f->json));
    return buf_blob32(out, f->body);
}

result bus_frame_read(struct span bytes, struct bus_frame *ret)
{
    struct reader r = reader_of(bytes);
    struct bus_frame f = { 0 };
    struct span magic;
    if (bytes.n > BUS_FRAME_MAX)
        return fail(E_too_long);
    TRY(read_bytes(&r, span_text(MAGIC).n, &magic));
    if (!span_is(magic, MAGIC))
        return fail(E_bad_frame);
    TRY(read_blob32(&r, BUS_FRAME_MAX, &f.json));
    TRY(read_blob32(&r, BUS_FRAME_MAX, &f.body));
    TRY(read_end(&r));
    *ret = f;
    return OK;
}

result bus_frame_status(struct buf *out, const char *status, enum seb_code code)
{
    /* err.def's names and words hold nothing that JSON would escape; a unit test reads each back. */
    AUTO_BUF json = BUF(1024);
    TRY(buf_printf(&json, "{\"code\":\"%s\",\"status\":\"%s\",\"words\":\"%s\"}", code_name(code), status, code_words(code)));
    return bus_frame_put(out, &(struct bus_frame){ .json = buf_span(&json) });
}
