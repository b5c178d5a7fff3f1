/* Times as Kubernetes writes them. */
#ifndef SEB_AUDIT_COVER_TIME_H
#define SEB_AUDIT_COVER_TIME_H

#include "base/bytes.h"

/* Milliseconds since the epoch of an RFC 3339 date-time in UTC ("2026-11-26T04:07:19.697984Z"); bad_value otherwise. */
MUST_USE result rfc3339_ms(const char *text, int64_t *ret);
/* The same back, to the millisecond, into text, which it returns. */
const char *rfc3339_text(int64_t ms, char text[32]);

#endif
