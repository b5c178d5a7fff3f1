/* The HSM's threads, each with a session of its own, where the mint key is in a PKCS#11 token. After a failure of any kind the
 * token is lost: nothing is asked of it until all was closed, the module started anew, and everything opened and proved again. That
 * is a job too, for the time when no other is under way. Its PIN comes out of the TPM while the state is approved and a lease
 * holds; when they end the token is closed, and the PIN wiped. */
#ifndef SEB_KEEPER_HSM_H
#define SEB_KEEPER_HSM_H

#include "keeper/chip.h"
#include "hsm/pkcs11.h"

struct keeper_hsm; /* opaque */
/* Borrows all. The threads start without a token: hsm_open brings it. The mint key that is expected is the instance's, as it is
 * when the token is opened: of the label "<label>.<epoch>", the first one's "<label>". Each opening puts the key's evidence out. */
MUST_USE result hsm_start(
    const struct config *config, const struct instance *instance, struct buf *evidence, struct keeper_hsm **ret);
void hsm_stop(struct keeper_hsm *h); /* ends the jobs that are in, closes the token; accepts NULL */
bool hsm_is_idle(const struct keeper_hsm *h);
/* All of these while idle, and nothing else until they are done. */
bool hsm_has_token(const struct keeper_hsm *h); /* it is open, or lost: it knows its PIN */
void hsm_open(struct keeper_hsm *h, struct secret *pin); /* takes the PIN; NULL where it has the token */
void hsm_close_token(struct keeper_hsm *h);
void hsm_make(struct keeper_hsm *h, int64_t epoch); /* the epoch's mint key, where there is none yet */
struct pubkey *hsm_made(struct keeper_hsm *h); /* what was made; the caller's; NULL */
void hsm_mint(struct keeper_hsm *h, struct mint_work *w);
int hsm_fd(const struct keeper_hsm *h); /* readable when a job is done */
struct keeper_work *hsm_take(struct keeper_hsm *h); /* done (WORK_OPEN, WORK_CLOSE, WORK_MINT_KEY, WORK_MINT), or NULL */
const struct p11_identity *hsm_identity(const struct keeper_hsm *h); /* NULL before it was opened once; no other is opened later */

#endif
