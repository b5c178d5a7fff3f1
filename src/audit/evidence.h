/* The evidence that an affirming result rests on, judged again: what the verifier saw, from the log's own documents. The audit and
 * the trace of one token ask the same. */
#ifndef SEB_AUDIT_EVIDENCE_H
#define SEB_AUDIT_EVIDENCE_H

#include "attest/approval.h"
#include "attest/evidence.h"
#include "attest/result.h"
#include "audit/audit.h"

/* What the log said up to the result's record. */
struct ground {
    const struct export_dir *export;
    const struct trust *trust;
    const struct policy *policy; /* in force */
    unsigned verifier; /* which of the policy's verifiers signed the result */
    const struct pubkey *ak, *record;
    uint8_t ak_name[TPM_NAME_SIZE];
    const struct run *run;
    uint64_t rekeyed; /* notes up to this size are an old record key's; NO_INDEX: none are */
    /* A note of this text was signed before. */
    bool (*noted)(void *ctx, const struct digest *note_text);
    void *ctx;
};
/* The first thing that is wrong; FINDINGS where nothing is. */
struct fault {
    enum finding what;
    char about[80];
    struct quoted_state state; /* where nothing is wrong */
};
/* Fails only where this machine does. */
MUST_USE result evidence_judge(const struct ground *g, const struct result_claims *c, const struct evidence *e, struct fault *ret);

/* The approval that evidence names, verified, without the raw signature, which is the TPM's matter; the caller frees it. */
MUST_USE result approval_of(const struct ground *g, const struct evidence *e, struct approval_file *ret);
/* Whether a checkpoint of this size and root was signed before. */
bool state_is_noted(const struct ground *g, const struct log_state *s);

#endif
