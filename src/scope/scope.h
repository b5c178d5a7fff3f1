/* A contract as its target takes it: policy and target are siblings that never meet, and this is where the one's product becomes
 * the other's. Core, keeper and audit have it from here, so that scope, plan and claims are of the same mutation everywhere. Pure.
 */
#ifndef SEB_SCOPE_SCOPE_H
#define SEB_SCOPE_SCOPE_H

#include "policy/documents.h"
#include "target/target.h"

/* What was read: NULL or "" where nothing was read, or what was read has none. */
struct live_view {
    const char *etag, *uid, *version;
};
/* Views the contract and what live views. The call's ETag, uid and version are the contract's; where that has none (below the
 * policy's version_from) they are what was read: live, NULL where nothing was. A contract that creates takes none. */
struct target_mutation scope_mutation(const struct contract *c, const struct live_view *live);

#endif
