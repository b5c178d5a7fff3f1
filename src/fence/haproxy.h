/* The configuration that makes HAProxy (2.6 and later) hold an http target's calls to what the broker's credential says. Pure:
 * words in, text out. */
#ifndef SEB_FENCE_HAPROXY_H
#define SEB_FENCE_HAPROXY_H

#include "base/pubkey.h"
#include "config/config.h"
#include "fence/files.h"

#define FENCE_TEXT_MAX (256 * 1024)
#define FENCE_KEYS_MAX 32
#define FENCE_RATE_MAX 100000

struct fence_haproxy_args {
    const struct config *config;
    const struct config_target *target; /* has_fence */
    const struct pubkey *const *keys; /* mint keys, 1 to FENCE_KEYS_MAX, ES256 */
    unsigned keys_n;
    int64_t rate; /* mutations a second that it must remember, 1 to FENCE_RATE_MAX */
};
/* Appends haproxy.cfg. A value of the configuration that could mean anything but itself there is refused: no_config, with
 * *ret_where. */
MUST_USE result fence_haproxy(const struct fence_haproxy_args *a, struct buf *out, const char **ret_where);

#endif
