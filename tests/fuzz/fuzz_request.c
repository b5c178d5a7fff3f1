/* A request that is taken has one core, however it is written. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "policy/documents.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request q, again;
    AUTO_JSON *v = NULL;
    AUTO_BUF form = BUF(1 << 20);
    struct span input = { data, size };
    if (!is_ok(request_parse(input, &q)))
        return 0;
    if (!*q.id || q.wait_ms < 0 || q.iat < 0 || !is_ok(json_strict(input, size, &v)) || !is_ok(json_canonical(v, &form)))
        abort();
    if (!is_ok(request_parse(buf_span(&form), &again)) || !digest_equal(&q.core, &again.core))
        abort();
    return 0;
}
