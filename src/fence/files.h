/* The files beside a fence's configuration. */
#ifndef SEB_FENCE_FILES_H
#define SEB_FENCE_FILES_H

#include "base/pubkey.h"

#define FENCE_MAP_FILE "kids.map" /* rows of "<kid> allowed" or "<kid> retired"; sab fence writes them */
#define FENCE_KEY_FILE "mint-%s.pem" /* of a kid */
MUST_USE result fence_key_file(const struct pubkey *key, struct buf *out);

#endif
