/* The HSM's threads, each with a session of its own, where the mint key is in a PKCS#11 token. A session that the token lost is
 * opened again at the next use (hsm/pkcs11.h), and another token under the same label is refused there. */
#ifndef SEB_BROKER_KEEPER_HSM_H
#define SEB_BROKER_KEEPER_HSM_H

#include "broker/keeper_chip.h"
#include "hsm/pkcs11.h"

struct keeper_hsm; /* opaque */
/* Opens the token and the mint key, proves it, compares it with `expected`, puts its evidence out, starts the threads. */
MUST_USE result hsm_start(
    const struct config *config, const struct pubkey *expected, struct buf *evidence, struct keeper_hsm **ret);
void hsm_stop(struct keeper_hsm *h); /* accepts NULL */
const struct p11_identity *hsm_identity(const struct keeper_hsm *h);
void hsm_mint(struct keeper_hsm *h, struct mint_work *w);
int hsm_fd(const struct keeper_hsm *h);
struct mint_work *hsm_take(struct keeper_hsm *h); /* a job that is done, or NULL */

#endif
