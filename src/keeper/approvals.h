/* The approvals that were loaded, kept in state_dir/approvals.json, and which epoch the counter was last moved for. The file is
 * believed no more than whoever hands an approval in: each is verified with the pinned policy key when it is read, and the chip
 * verifies once more. What is damaged is left out. */
#ifndef SEB_KEEPER_APPROVALS_H
#define SEB_KEEPER_APPROVALS_H

#include "attest/approval.h"
#include "config/config.h"
#include "policy/documents.h"

#define APPROVALS_MAX 16

struct held_approval {
    struct approval_file file;
    struct buf text; /* RFC 8785 form */
};
struct approvals {
    unsigned n;
    struct held_approval held[APPROVALS_MAX]; /* oldest first */
    bool moved; /* the counter was moved to this value for this epoch */
    uint64_t counter;
    int64_t epoch;
};
/* The chip and what was measured: what an approval must be for. */
struct approved_for {
    const struct config *config;
    struct digest ak, ref;
    struct digest pcr_value;
    uint64_t counter;
    uint8_t counter_name[TPM_NAME_SIZE];
};

/* Nothing where there is no file. Otherwise what could be read, and why not all was. */
MUST_USE result approvals_load(const struct config *c, struct approvals *a);
void approvals_free(struct approvals *a);
/* Verifies, keeps as the newest, and writes the file. One for another TPM or instance is approval_other_tpm; what was approved for
 * an earlier counter makes room, then the oldest. */
MUST_USE result approvals_add(struct approvals *a, const struct approved_for *chip, struct span text);
/* The counter has this value for this epoch: written before anybody counts on it. */
MUST_USE result approvals_moved(struct approvals *a, const struct config *c, uint64_t counter, int64_t epoch);
/* Whether the counter stands for this epoch already: by an approval for its value, or because it was moved for it. */
bool approvals_stand_for(const struct approvals *a, const struct approved_for *chip, int64_t epoch);

/* The one to use, of those whose people signed as the policy (NULL: nobody beside the policy key) wants: for the epoch if there is
 * one
 * (-1: any), the newest. NULL and *ret_why: approval_missing, state_not_approved, epoch_not_approved, countersignatures_too_few. */
const struct held_approval *approvals_choose(const struct approvals *a, const struct approved_for *chip, const struct policy *p,
    const struct pubkey *policy_key, int64_t epoch, enum seb_code *ret_why);
/* The one with this payload; NULL. */
const struct held_approval *approvals_by_digest(const struct approvals *a, const struct digest *payload);
/* The newest for this TPM and instance, whatever it approves; NULL. */
const struct held_approval *approvals_newest(const struct approvals *a, const struct approved_for *chip);

#endif
