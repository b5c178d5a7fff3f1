#ifndef SEB_BASE_RANDOM_H
#define SEB_BASE_RANDOM_H

#include "base/result.h"

#include <stddef.h>

/* From the kernel (getrandom(2)). */
MUST_USE result random_bytes(void *to, size_t n);

#endif
