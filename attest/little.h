/* Little-endian integers of logs that firmware and kernel write; base's readers are big-endian. For the files of this folder. */
#ifndef SEB_ATTEST_LITTLE_H
#define SEB_ATTEST_LITTLE_H

#include "base/bytes.h"

static inline result little_u16(struct reader *r, uint16_t *ret)
{
    uint16_t v;
    TRY(read_u16(r, &v));
    *ret = __builtin_bswap16(v);
    return OK;
}

static inline result little_u32(struct reader *r, uint32_t *ret)
{
    uint32_t v;
    TRY(read_u32(r, &v));
    *ret = __builtin_bswap32(v);
    return OK;
}

/* A u32 length of at most max bytes, then the bytes. */
static inline result little_blob32(struct reader *r, size_t max, struct span *ret)
{
    uint32_t n;
    TRY(little_u32(r, &n));
    if (n > max)
        return fail(E_too_long);
    return read_bytes(r, n, ret);
}

#endif
