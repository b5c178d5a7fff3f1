#include "config.h"

#include "bus/sp.h"

#define IS_REQUEST UINT32_C(0x80000000)

/* The protocols' numbers: REQ 0x30, REP 0x31. */
result sp_greeting_put(struct buf *out, enum sp_role role)
{
    const uint8_t greeting[SP_GREETING] = { 0, 'S', 'P', 0, 0, role == SP_REQ ? 0x30 : 0x31, 0, 0 };
    return buf_put(out, SPAN(greeting));
}

result sp_greeting_read(struct span bytes, enum sp_role peer)
{
    AUTO_BUF want = BUF(SP_GREETING);
    TRY(sp_greeting_put(&want, peer));
    return span_equal(bytes, buf_span(&want)) ? OK : fail(E_bad_frame);
}

result sp_put(struct buf *out, uint32_t id, struct span frame)
{
    if (frame.n > BUS_FRAME_MAX || out->n > out->max || out->max - out->n < SP_HEAD + SP_ID + frame.n)
        return fail(E_too_long);
    TRY(buf_u64(out, SP_ID + frame.n));
    TRY(buf_u32(out, id));
    return buf_put(out, frame);
}

result sp_read(struct span bytes, uint32_t *ret_id, struct span *ret_frame, size_t *ret_n)
{
    struct reader r = reader_of(bytes);
    uint64_t length;
    uint32_t id;
    struct span frame;
    *ret_n = 0;
    if (!is_ok(read_u64(&r, &length)))
        return OK;
    if (length < SP_ID)
        return fail(E_bad_frame);
    if (length > SP_ID + BUS_FRAME_MAX)
        return fail(E_too_long);
    if (!is_ok(read_u32(&r, &id)))
        return OK;
    if (!(id & IS_REQUEST))
        return fail(E_bad_frame);
    if (!is_ok(read_bytes(&r, (size_t)length - SP_ID, &frame)))
        return OK;
    *ret_id = id;
    *ret_frame = frame;
    *ret_n = SP_HEAD + (size_t)length;
    return OK;
}
