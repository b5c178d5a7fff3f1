/* What entry_read takes is written again as the same bytes. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "entry/entry.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { data, size };
    struct entry e;
    AUTO_BUF again = BUF(ENTRY_MAX);
    if (!is_ok(entry_read(text, &e)))
        return 0;
    bool permit = e.type == ENTRY_DECISION && e.decision.permitted;
    /* Any address serves as the permit: the writer only wants to be given one. */
    result r = permit ? entry_write_permit(&e, (const struct permit *)(const void *)&e, &again) : entry_write(&e, &again);
    if (!is_ok(r) || !span_equal(text, buf_span(&again)))
        abort();
    return 0;
}
