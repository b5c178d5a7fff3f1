#ifndef SEB_BASE_CLOCK_H
#define SEB_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since the epoch (UTC), and of a clock that never goes back. Only mains and broker stages call these: policy, merkle
 * and entry get time as a value. */
int64_t clock_utc_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

#endif
