#include "config.h"

#include "fence/files.h"

result fence_key_file(const struct pubkey *key, struct buf *out)
{
    char kid[DIGEST_TEXT + 1];
    return buf_printf(out, FENCE_KEY_FILE, digest_text(pubkey_thumbprint(key), kid));
}
