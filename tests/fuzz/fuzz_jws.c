/* What jws_parse_text takes is written and taken again as the same. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/jws.h"

#include <stdlib.h>

static bool is_same(const struct jws *a, const struct jws *b)
{
    bool same = a->n == b->n && span_equal(a->payload, b->payload);
    for (unsigned i = 0; same && i < a->n; i++)
        same = span_equal(a->sig[i].protected_, b->sig[i].protected_) && span_equal(a->sig[i].signature, b->sig[i].signature);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    AUTO_BUF second = BUF(JWS_TEXT_MAX);
    struct jws jws, again;
    if (!is_ok(jws_parse_text((struct span){ data, size }, &arena, &jws)))
        return 0;
    if (!is_ok(jws_write(&jws, &text)) || !is_ok(jws_parse_text(buf_span(&text), &second, &again)) || !is_same(&jws, &again))
        abort();
    return 0;
}
