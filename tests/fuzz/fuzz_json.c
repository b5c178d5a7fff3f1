/* What json_strict takes has one canonical form, which it takes too. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON *v = NULL;
    AUTO_JSON *again = NULL;
    AUTO_BUF form = BUF(1 << 20);
    if (!is_ok(json_strict((struct span){ data, size }, 65536, &v)))
        return 0;
    if (!is_ok(json_canonical(v, &form)) || !is_ok(json_strict(buf_span(&form), 1 << 20, &again)))
        abort();
    if (!json_equal(v, again) || !is_ok(json_is_canonical(again, buf_span(&form))))
        abort();
    return 0;
}
