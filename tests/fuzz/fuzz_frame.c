/* A frame that is taken is written again as the same bytes; what the front makes of it, the core takes. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "front/parse.h"
#include "bus/bus.h"
#include "link/messages.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = { data, size };
    AUTO_BUF again = BUF(BUS_FRAME_MAX), submit = BUF(LINK_PACKET_MAX), admin = BUF(LINK_PACKET_MAX);
    struct bus_frame f;
    struct submit_message s;
    struct admin_message a;
    if (!is_ok(bus_frame_read(bytes, &f)))
        return 0;
    if (!is_ok(bus_frame_put(&again, &f)) || !span_equal(bytes, buf_span(&again)))
        abort();
    if (is_ok(front_parse_submit(bytes, 1000, &submit)) && !is_ok(submit_read(buf_span(&submit), &s)))
        abort();
    if (is_ok(front_parse_admin(bytes, &admin)) && !is_ok(admin_read(buf_span(&admin), &a)))
        abort();
    return 0;
}
