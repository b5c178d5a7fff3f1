/* The TPM's thread, which alone holds the ESYS context, its keys and the guard of those that are bound to an approved state. It
 * gets one job at a time: what is most urgent is decided when it is idle again, not when it was asked for. After a failure of any
 * kind the job has closed the TPM: nothing is trusted until all was opened and proved again. What the guard refuses
 * (hsm/tpm_guard.h: lease over, state not approved, …) and what a verifier got wrong is no failure: nothing is closed. */
#ifndef SEB_KEEPER_CHIP_H
#define SEB_KEEPER_CHIP_H

#include "attest/cel.h"
#include "attest/quote.h"
#include "base/worker.h"
#include "config/config.h"
#include "entry/entry.h"
#include "hsm/tpm_guard.h"
#include "merkle/checkpoint.h"

#define EVIDENCE_MAX 16384
#define KEY_AREA_MAX 1024 /* TPMT_PUBLIC */

enum work_kind {
    WORK_OPEN,
    WORK_CLOSE, /* of the HSM's threads */
    WORK_APPROVE,
    WORK_EPOCH,
    WORK_QUOTE,
    WORK_LEASE,
    WORK_EVIDENCE,
    WORK_ARM,
    WORK_SIGN, /* these two are one command; session_void: the chip needs arming, and then they may be given again */
    WORK_MINT,
    WORK_UNSEAL,
    WORK_MINT_KEY,
    WORK_ADOPT,
    WORK_ANCHOR,
    WORK_ENROL,
    WORK_ACTIVATE,
    WORKS
};
struct keeper_work {
    struct job job; /* first */
    enum work_kind kind;
    result r;
};
/* Opens and proves everything, and brings event log and PCR to the present state. */
struct open_work {
    struct keeper_work work; /* first */
    int fd; /* the thread takes it */
    struct cel_state present; /* what was measured; the two keys' identities among it */
    const char *what; /* which of them failed */
    struct buf evidence[ROLES];
    uint8_t ak_name[TPM_NAME_SIZE];
    struct digest ref; /* the approvals' */
    result measured; /* not ok: the PCR has a value that the event log doesn't explain, or the log can't be written */
    struct buf log; /* of events */
    struct digest pcr_value;
    uint64_t counter;
    uint8_t counter_name[TPM_NAME_SIZE];
    bool has_anchor;
    struct tpm_anchor anchor;
};
struct approve_work {
    struct keeper_work work; /* first */
    struct tpm_approval approval; /* its lease key is borrowed */
};
/* The counter goes up, then the epoch's PCR is extended, which voids every session that is satisfied. */
struct epoch_work {
    struct keeper_work work; /* first */
    struct digest statement;
    uint64_t counter; /* afterwards */
    uint8_t counter_name[TPM_NAME_SIZE];
};
struct quote_work {
    struct keeper_work work; /* first */
    uint64_t size;
    struct buf preimage;
    struct digest qualifying;
    struct tpm_quote quote;
};
struct lease_work {
    struct keeper_work work; /* first */
    uint32_t seconds;
    uint8_t signature[SIGNATURE_SIZE];
};
/* Begins a lease's session, then quotes over its nonce and the challenge's. */
struct evidence_work {
    struct keeper_work work; /* first */
    struct quote_challenge challenge; /* lease_nonce is filled in */
    int64_t begun_ms; /* monotonic, before the session: its lease counts from then on */
    uint32_t mask; /* quoted PCRs, with the values that the quote is over */
    struct digest pcr[24];
    struct buf preimage;
    struct tpm_quote quote;
};
struct arm_work { /* one command of arming a session */
    struct keeper_work work; /* first */
};
struct sign_work {
    struct keeper_work work; /* first */
    struct checkpoint checkpoint;
    struct digest digest; /* of its text; or of what else the record key signs */
    uint8_t raw[SIGNATURE_SIZE];
};
struct mint_work { /* by the mint key, in TPM or HSM */
    struct keeper_work work; /* first */
    struct digest digest;
    uint8_t raw[SIGNATURE_SIZE];
};
struct unseal_work {
    struct keeper_work work; /* first */
    struct secret *pin; /* who takes the work out owns it */
};
/* The mint key of a new revocation epoch, made at the pair's other handle. It is in use from WORK_ADOPT on, which takes the old one
 * away. */
struct mint_key_work {
    struct keeper_work work; /* first */
    int64_t epoch;
    struct pubkey *key; /* who takes the work out owns it */
    struct buf evidence;
};
struct anchor_work {
    struct keeper_work work; /* first */
    struct tpm_anchor anchor;
};
struct enrol_work {
    struct keeper_work work; /* first */
    struct buf ak; /* TPMT_PUBLIC */
    unsigned eks;
    struct {
        struct buf certificate, public;
    } ek[EK_KINDS];
};
struct activate_work {
    struct keeper_work work; /* first */
    struct buf credential, secret, activated;
};

struct chip; /* opaque */
/* Borrows both. The thread starts without a TPM: WORK_OPEN brings it. */
MUST_USE result chip_start(const struct config *config, const struct instance *instance, struct chip **ret);
void chip_stop(struct chip *c); /* ends the job that is under way, closes the TPM; accepts NULL */
bool chip_is_busy(const struct chip *c);
int chip_fd(const struct chip *c); /* readable when the job is done */
/* While idle. The work is the kind's. */
void chip_give(struct chip *c, struct keeper_work *w, enum work_kind kind);
struct keeper_work *chip_take(struct chip *c); /* the job, done; NULL */
/* How long the last job took, in milliseconds. */
int64_t chip_last_ms(const struct chip *c);
/* How many sessions were armed when the last job was done, and how many of them by the newest lease. */
unsigned chip_armed(const struct chip *c);
unsigned chip_fresh(const struct chip *c);

#endif
