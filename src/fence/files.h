/* The files beside a fence's configuration. */
#ifndef SEB_FENCE_FILES_H
#define SEB_FENCE_FILES_H

#include "base/pubkey.h"

#define FENCE_MAP_FILE "kids.map"
#define FENCE_KEY_FILE "mint-%s.pem" /* of a kid */
MUST_USE result fence_key_file(const struct pubkey *key, struct buf *out);
/* A row of the map: "<kid> allowed" and a newline. */
MUST_USE result fence_map_row(const struct pubkey *key, struct buf *out);

#endif
