/* What both ends need of nng, inside this folder. */
#ifndef SEB_BUS_NNGS_H
#define SEB_BUS_NNGS_H

#include <nng/nng.h>

#include "bus/bus.h"

/* The scalability protocols' request id travels before the frame (SP REQ/REP version 0). */
#define NNGS_MESSAGE_MAX (BUS_FRAME_MAX + 4)

static inline result nng_result(int rv)
{
    return rv == 0 ? OK : fail_foreign(rv == NNG_ENOMEM ? E_no_memory : E_unavailable, FOREIGN_NNG, (uint32_t)rv);
}

#endif
