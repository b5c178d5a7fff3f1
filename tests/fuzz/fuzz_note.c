/* What checkpoint_parse takes begins with the text that checkpoint_text writes; parsing has no other side. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "merkle/checkpoint.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span note = { data, size }, text;
    struct checkpoint c;
    AUTO_BUF again = BUF(NOTE_MAX);
    if (!is_ok(checkpoint_parse(note, &c, &text)))
        return 0;
    if (!is_ok(checkpoint_text(&c, &again)) || !span_equal(text, buf_span(&again)) || text.p != data || text.n >= size)
        abort();
    return 0;
}
