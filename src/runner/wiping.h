/* What is given back is wiped, whoever had it: libraries hold copies of what they send and of what comes, in memory of their own.
 * seb-runner defines free and realloc itself, and every library that it links finds these (wiping.c). */
#ifndef SEB_RUNNER_WIPING_H
#define SEB_RUNNER_WIPING_H

#include "base/result.h"

/* invariant where they aren't the ones that libraries find. Not so under AddressSanitizer, which has its own. */
MUST_USE result wiping_check(void);

#endif
