#include "config.h"

#include "merkle/tiles.h"

#include <stdio.h>

#define LEVEL_MAX 7 /* 8 levels of 8 bits hold every 64-bit size */

/* C2SP tlog-tiles, "Merkle Tree": the number in groups of three digits, each but the last behind an x. */
result tile_path(int level, uint64_t index, unsigned width, char ret[TILE_PATH_MAX])
{
    if (level < -1 || level > LEVEL_MAX || width == 0 || width > TILE_WIDTH)
        return fail(E_bad_value);
    uint64_t unit = 1;
    while (index / unit >= 1000)
        unit *= 1000;
    int n = level < 0 ? snprintf(ret, TILE_PATH_MAX, "tile/entries") : snprintf(ret, TILE_PATH_MAX, "tile/%d", level);
    for (; unit > 0; unit /= 1000)
        n += snprintf(ret + n, TILE_PATH_MAX - (size_t)n, "/%s%03u", unit > 1 ? "x" : "", (unsigned)(index / unit % 1000));
    if (width < TILE_WIDTH)
        snprintf(ret + n, TILE_PATH_MAX - (size_t)n, ".p/%u", width);
    return OK;
}

unsigned tile_width(int level, uint64_t index, uint64_t size)
{
    if (level < -1 || level > LEVEL_MAX)
        return 0;
    uint64_t there = level < 0 ? size : size >> 8 * level;
    if (index > there / TILE_WIDTH)
        return 0;
    uint64_t left = there - index * TILE_WIDTH;
    return left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH;
}
