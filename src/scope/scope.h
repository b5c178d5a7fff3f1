/* A contract as its target takes it: policy and target are siblings that never meet, and this is where the one's product becomes
 * the other's. Core, keeper and audit have it from here, so that scope, plan and claims are of the same mutation everywhere. Pure.
 */
#ifndef SEB_SCOPE_SCOPE_H
#define SEB_SCOPE_SCOPE_H

#include "policy/documents.h"
#include "target/target.h"

/* Views the contract and live_etag. The call's ETag is the contract's; where that has none (below the policy's version_from) it is
 * the one that was read: live_etag, NULL where nothing was read or what was read had none. A contract that creates takes none. */
struct target_mutation scope_mutation(const struct contract *c, const char *live_etag);

#endif
