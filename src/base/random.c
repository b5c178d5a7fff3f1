#include "config.h"

#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

result random_bytes(void *to, size_t n)
{
    uint8_t *p = to;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
        p += got;
        n -= (size_t)got;
    }
    return OK;
}
