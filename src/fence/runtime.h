/* HAProxy's runtime API (management guide, section 9.3): one command a connection over its unix socket. */
#ifndef SEB_FENCE_RUNTIME_H
#define SEB_FENCE_RUNTIME_H

#include "base/bytes.h"

#define RUNTIME_ANSWER_MAX (1024 * 1024)

/* Sends the command (without its newline), and appends the whole answer. io, too_long. */
MUST_USE result runtime_ask(const char *socket_path, struct span command, struct buf *out);

#endif
