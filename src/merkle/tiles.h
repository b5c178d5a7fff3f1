/* C2SP tlog-tiles: paths of hash tiles and entry bundles, and how entries lie in a bundle. Pure: whoever calls does the I/O. */
#ifndef SEB_MERKLE_TILES_H
#define SEB_MERKLE_TILES_H

#include "base/bytes.h"

#define TILE_WIDTH 256
#define TILE_PATH_MAX 96
/* "tile/<level>/x001/234[.p/w]" for a hash tile, "tile/entries/…" for level -1. width 256 is a full tile. */
MUST_USE result tile_path(int level, uint64_t index, unsigned width, char ret[TILE_PATH_MAX]);
/* How many hashes (entries for level -1) of tile `index` exist at tree size `size`: 0 to 256. */
unsigned tile_width(int level, uint64_t index, uint64_t size);

#endif
