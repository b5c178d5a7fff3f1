/* An instance, its TPM and its verifier in memory: evidence that is good, and whatever of it a test changes first. The TPM's
 * statements are made here and signed by software keys; that a TPM makes such is shown in tests/int. What fails here aborts the
 * test. */
#ifndef SEB_TESTS_ATTEST_WORLD_H
#define SEB_TESTS_ATTEST_WORLD_H

#include "attest/appraise.h"
#include "attest/approval.h"
#include "tests/unit/testkey.h"

#define WORLD_DOMAIN "plant.example"
#define WORLD_INSTANCE "seb-1"
#define WORLD_ORIGIN WORLD_DOMAIN "/" WORLD_INSTANCE
#define WORLD_NOW INT64_C(1790000000)
#define WORLD_LEAVES 64

/* TPM 2.0 Part 2, TPMA_OBJECT: of an attestation key; of a key under a policy; of one that needs none. */
#define WORLD_AK_ATTRIBUTES UINT32_C(0x00050472)
#define WORLD_BOUND_ATTRIBUTES UINT32_C(0x00040432)
#define WORLD_FREE_ATTRIBUTES UINT32_C(0x00040472)

struct attest_world {
    struct testkey *policy_key, *verifier, *lease, *countersigner, *stranger;
    struct testkey *ak, *record, *mint; /* what the TPM holds */
    uint8_t ak_name[TPM_NAME_SIZE];
    struct digest key_policy;
    /* What the instance does: set before world_answer. */
    uint32_t ak_attributes, record_attributes, mint_attributes;
    struct digest record_policy, mint_policy;
    bool mint_in_hsm;
    struct tpm_clock clock;
    uint64_t firmware, policy_epoch, epoch;
    uint8_t quoted_nonce[NONCE_SIZE]; /* the challenge's, unless changed */
    bool quote_of_checkpoint; /* another purpose */
    uint8_t run[RUN_ID_SIZE];
    uint64_t log_size;
    const struct testkey *noter; /* NULL: the record key */
    bool has_note, forks; /* forks: the log's leaves are others */
    struct digest pcr[TPM_PCRS];
    uint32_t pcr_mask;
    struct buf cel, firmware_log, ima_log, approval;
    bool has_firmware, has_ima;
    /* What the verifier holds. */
    struct approval approved;
    struct reference reference;
    struct challenge challenge;
    struct appraisal_documents documents;
    struct appraisal_policy policy;
    const struct pubkey *countersigners[1];
    struct appraisal_identity identity;
    struct appraisal_known known;
    struct appraisal_args args;
    struct evidence *evidence; /* of the last answer */
};
struct attest_world *world_new(void);
void world_free(struct attest_world *w);

/* Measures this into CEL and PCR. */
void world_measure(struct attest_world *w, const char *name, const struct digest *value);
/* The approval of w->approved, signed by the policy key, countersigned where `countersigned`. */
void world_approve(struct attest_world *w, bool countersigned);
/* The instance's answer to w->challenge, into w->evidence and w->args. */
void world_answer(struct attest_world *w);
/* Signs the evidence's attest anew, after a test has changed it. */
void world_sign(struct attest_world *w, const struct testkey *key);
/* world_answer, appraise, and what is known from then on in w->known. */
void world_round(struct attest_world *w, struct appraisal *ret);
/* A new one whose verifier has seen a good answer, of a log of 5 entries, and has asked again; the log is of 9 by now. */
struct attest_world *world_seen_once(void);
/* The next challenge: another nonce, and what is known. */
void world_challenge(struct attest_world *w);

/* hsm_evidence() of a key with these attributes and policy, certified by `by`. */
void world_key_evidence(
    const struct testkey *key, uint32_t attributes, struct span policy, const struct testkey *by, struct buf *out);
/* TPMT_PUBLIC of a signing key, and its Name. */
void world_public(const struct testkey *key, uint32_t attributes, struct span policy, struct buf *out);
void world_name(struct span tpmt_public, uint8_t ret[TPM_NAME_SIZE]);
/* A key statement by the record key. */
void world_key_statement(
    const struct testkey *key, const struct testkey *record, const char *instance, bool extractable, struct buf *out);
/* The log's checkpoint at this size. */
void world_log(const struct attest_world *w, uint64_t size, struct log_state *ret);

#endif
