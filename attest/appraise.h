/* The appraisal: a pure function from evidence, the documents that it names, what was asked, what is trusted and what was known
 * before to a verdict that names everything that was wrong, and to what is known from now on. No I/O, no clock.
 * docs/attestation.md, "Attestation result", says what each code weighs. */
#ifndef SEB_ATTEST_APPRAISE_H
#define SEB_ATTEST_APPRAISE_H

#include "attest/enrolment.h"
#include "attest/evidence.h"
#include "attest/ima.h"
#include "attest/quote.h"
#include "attest/reference.h"
#include "attest/result.h"

/* The documents that evidence names by digest, as the verifier fetched or kept them. An empty span: not there. */
struct appraisal_documents {
    struct span cel; /* the broker's own event log, whole */
    struct span firmware; /* TCG binary log, whole */
    struct span ima; /* IMA's binary log from known.ima.offset on (from 0 where resetCount grew), as far as evidence's ima_length */
    struct span approval; /* the approval file's text (docs/attestation.md, "Approval") */
    bool approval_is_stored; /* it is the JWS alone, of an export: a serving verifier never takes that */
};
/* Of the signed policy that the verifier holds and verified with the policy key. */
struct appraisal_policy {
    struct digest digest; /* of its payload */
    uint64_t epoch; /* its version */
    const struct pubkey *const *countersigners;
    unsigned countersigners_n, needed;
    /* The token that alone may hold the mint key; NULL, all three: it must be in the TPM. */
    const char *hsm_manufacturer, *hsm_model, *hsm_serial;
};
/* Who the instance is: what enrolment proved. */
struct appraisal_identity {
    const char *domain, *instance;
    struct digest statement; /* the enrolment statement's */
    const struct pubkey *ak, *record;
    uint8_t ak_name[TPM_NAME_SIZE];
    /* Record keys of enrolments that this one took the place of (a rekey): the note of theirs that the log goes on from serves
     * until the record key's first one was seen. */
    const struct pubkey *const *earlier;
    unsigned earlier_n;
};
/* What was known before. Zeroed but for log = log_state_empty(): nothing was seen yet. */
struct appraisal_known {
    bool has_quote;
    struct tpm_clock clock; /* of the newest good quote */
    uint64_t firmware;
    uint8_t run[RUN_ID_SIZE];
    struct log_state log;
    struct digest noted_by; /* thumbprint of the record key whose note `log` is of; zeros where none is */
    struct ima_state ima; /* how far IMA's log was replayed */
};
struct appraisal_options {
    bool strict_clock; /* an unsafe clock is always refused */
    bool needs_firmware_log, needs_ima; /* refused without */
};
struct appraisal_args {
    const struct evidence *evidence;
    const struct appraisal_documents *documents;
    const struct challenge *challenge; /* that was sent */
    const uint8_t (*earlier)[NONCE_SIZE]; /* nonces of challenges before it, for naming an old quote */
    unsigned earlier_n;
    const struct appraisal_identity *identity; /* NULL: not enrolled, or withdrawn */
    const struct reference *reference; /* NULL: none is held */
    const struct appraisal_policy *policy; /* NULL: none is held */
    const struct pubkey *policy_key;
    const struct appraisal_known *known;
    struct appraisal_options options;
    int64_t now; /* seconds */
};
struct appraisal {
    enum ear_status status;
    struct trust_vector vector;
    unsigned codes_n; /* each once, in order of the checks */
    enum seb_code codes[RESULT_CODES_MAX];
    struct appraisal_known known; /* what to keep from now on: each part moves only where it was proved */
    struct digest quote; /* of the TPMS_ATTEST */
    struct digest attestation, record, mint; /* kids */
    struct pubkey *mint_key; /* NULL unless it was proved; owned: appraisal_free */
    struct log_state log; /* of the note; the empty log's where there is none, or none that was proved */
    uint64_t policy_epoch, epoch; /* as quoted; 0 where the quote wasn't proved */
    uint8_t lease_nonce[NONCE_SIZE]; /* as quoted, zeros where it wasn't proved: what a lease may be signed for, where affirming */
    struct differences differs; /* what was measured and isn't among the reference values; views args->reference */
};
/* Whatever the evidence, that it is bad is a verdict. It fails where memory or the crypto library does, and with bad_value where
 * the challenge is another instance's, or asked for a proof from elsewhere than known->log. */
MUST_USE result appraise(const struct appraisal_args *a, struct appraisal *ret);
void appraisal_free(struct appraisal *a); /* accepts zeroed */
/* The claims of its result, valid for `seconds` from a->now; build, developer and appraisal policy are the caller's to set before.
 */
MUST_USE result appraisal_claims(
    const struct appraisal_args *a, const struct appraisal *v, int64_t seconds, struct result_claims *ret);

#endif
