/* A configuration that is read has an RFC 8785 form, which is read as the same one: what the supervisor checked is what its
 * processes get. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = NULL, *again = NULL;
    const char *where = NULL;
    AUTO_BUF form = BUF(2 * CONFIG_MAX);
    if (!is_ok(config_parse((struct span){ data, size }, &c, &where)))
        return where ? 0 : (abort(), 0);
    if (!is_ok(config_canonical((struct span){ data, size }, &form)) || !is_ok(config_parse(buf_span(&form), &again, &where)))
        abort();
    if (!digest_equal(&c->digest, &again->digest) || c->targets < 1 || !c->policy_key || !c->revocation_key)
        abort();
    config_free(c);
    config_free(again);
    return 0;
}
