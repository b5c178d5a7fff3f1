/* nng 1.5.2 (Debian 12's): a peer that hangs up in the middle of the handshake gives NNG_ECLOSED, which the listener takes for its
 * own end: it accepts nobody ever after (nanomsg/nng issue 1518, corrected later). One agent killed at the wrong moment would be
 * enough. So the executable brings its own readv and sendmsg, for the whole process. */
#ifndef SEB_BUS_NNG_CURE_H
#define SEB_BUS_NNG_CURE_H

#include "base/result.h"

/* invariant where libnng would not find them: then nothing may listen. */
MUST_USE result nng_cure_check(void);

#endif
