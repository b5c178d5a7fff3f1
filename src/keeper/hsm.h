/* The HSM's threads, each with a session of its own, where the mint key is in a PKCS#11 token. After a failure of any kind the
 * token is lost: nothing is asked of it until all was closed, the module started anew, and everything opened and proved again. That
 * is a job too, for the time when no other is under way. */
#ifndef SEB_KEEPER_HSM_H
#define SEB_KEEPER_HSM_H

#include "keeper/chip.h"
#include "hsm/pkcs11.h"

struct keeper_hsm; /* opaque */
/* Borrows all. The threads start without a token: hsm_open brings it. `expected` is the mint key that init recorded; each opening
 * puts the key's evidence out. */
MUST_USE result hsm_start(
    const struct config *config, const struct pubkey *expected, struct buf *evidence, struct keeper_hsm **ret);
void hsm_stop(struct keeper_hsm *h); /* ends the jobs that are in, closes the token; accepts NULL */
bool hsm_is_idle(const struct keeper_hsm *h);
void hsm_open(struct keeper_hsm *h); /* while idle, and nothing else until it is done */
void hsm_mint(struct keeper_hsm *h, struct mint_work *w);
int hsm_fd(const struct keeper_hsm *h); /* readable when a job is done */
struct keeper_work *hsm_take(struct keeper_hsm *h); /* a job that is done (WORK_OPEN, WORK_MINT), or NULL */
const struct p11_identity *hsm_identity(const struct keeper_hsm *h); /* once it was opened; no other token is opened later */

#endif
