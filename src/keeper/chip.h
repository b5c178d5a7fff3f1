/* The TPM's thread, which alone holds the ESYS context and its keys. It gets one job at a time: what is most urgent is decided when
 * it is idle again, not when it was asked for. After a failure of any kind the job has closed the TPM: nothing is trusted until all
 * was opened and proved again. */
#ifndef SEB_KEEPER_CHIP_H
#define SEB_KEEPER_CHIP_H

#include "base/worker.h"
#include "config/config.h"
#include "entry/entry.h"
#include "hsm/tpm.h"
#include "merkle/checkpoint.h"

#define EVIDENCE_MAX 16384

enum work_kind { WORK_OPEN, WORK_SIGN, WORK_QUOTE, WORK_MINT };
struct keeper_work {
    struct job job; /* first */
    enum work_kind kind;
    result r;
};
struct open_work {
    struct keeper_work work; /* first */
    int fd; /* the thread takes it */
    const char *what; /* which of them failed */
    struct buf evidence[ROLES];
};
struct sign_work {
    struct keeper_work work; /* first */
    struct checkpoint checkpoint;
    struct digest digest; /* of its text */
    uint8_t raw[SIGNATURE_SIZE];
};
struct quote_work {
    struct keeper_work work; /* first */
    uint64_t size;
    struct buf preimage;
    struct digest qualifying;
    struct tpm_quote quote;
};
struct mint_work { /* by the mint key, in TPM or HSM */
    struct keeper_work work; /* first */
    struct digest digest;
    uint8_t raw[SIGNATURE_SIZE];
};

struct chip; /* opaque */
/* Borrows both. The thread starts without a TPM: WORK_OPEN brings it. */
MUST_USE result chip_start(const struct config *config, const struct instance *instance, struct chip **ret);
void chip_stop(struct chip *c); /* ends the job that is under way, closes the TPM; accepts NULL */
bool chip_is_busy(const struct chip *c);
int chip_fd(const struct chip *c); /* readable when the job is done */
void chip_open(struct chip *c, struct open_work *w);
void chip_sign(struct chip *c, struct sign_work *w);
void chip_quote(struct chip *c, struct quote_work *w);
void chip_mint(struct chip *c, struct mint_work *w);
struct keeper_work *chip_take(struct chip *c); /* the job, done; NULL */
/* How long the last job took, in milliseconds. */
int64_t chip_last_ms(const struct chip *c);

#endif
