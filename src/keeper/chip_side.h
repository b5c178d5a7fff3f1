/* The TPM's thread and its jobs, between chip.c and chip_jobs.c alone. */
#ifndef SEB_KEEPER_CHIP_SIDE_H
#define SEB_KEEPER_CHIP_SIDE_H

#include "keeper/chip.h"

struct side { /* the thread's own */
    const struct config *config;
    const struct instance *instance;
    struct tpm *tpm;
    struct tpm_guard *guard;
    struct hsm_key *key[ROLES];
    uint32_t mint_handle; /* where the mint key is; 0: in an HSM */
    struct hsm_key *next; /* the next epoch's mint key, at the other handle */
};
void side_close(struct side *s);
/* Proves a key to be the one that is recorded, and puts its evidence out. */
MUST_USE result side_check(struct side *s, enum key_role role, struct buf *evidence);
/* Of the pair, the one that the mint key in use isn't at. */
uint32_t side_other_handle(const struct side *s);

/* chip_jobs.c: by kind; all but opening, which is chip.c's. */
MUST_USE result chip_job(struct side *s, struct keeper_work *w);

#endif
