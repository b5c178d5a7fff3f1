/* Attestation result: EAR (draft-ietf-rats-ear) as claims of a JWT, with an AR4SI trustworthiness vector (draft-ietf-rats-ar4si
 * section 2.3.4) and our own claims under the submodule's private member "seb". docs/attestation.md, "Attestation result". Pure. */
#ifndef SEB_ATTEST_RESULT_H
#define SEB_ATTEST_RESULT_H

#include "attest/members.h"
#include "base/jws.h"

#define RESULT_MAX 8192
#define RESULT_CODES_MAX 40
#define RESULT_VALID_S_MAX 300
#define RESULT_VALID_S_DEFAULT 30
#define EAR_PROFILE "tag:github.com,2023:veraison/ear"
#define EAR_TEXT_MAX 128

/* Tiers (AR4SI section 2.3.2), worst last. */
enum ear_status { EAR_NONE, EAR_AFFIRMING, EAR_WARNING, EAR_CONTRAINDICATED, EAR_STATUSES };
const char *ear_status_name(enum ear_status s); /* "affirming" */

enum ear_claim { EAR_INSTANCE_IDENTITY, EAR_CONFIGURATION, EAR_EXECUTABLES, EAR_HARDWARE, EAR_STORAGE_OPAQUE, EAR_CLAIMS };
/* The tier of a claim's value: -1..1 none, 2..31 affirming, 32..95 warning, 96..127 contraindicated, negative ones alike. */
enum ear_status ear_tier(int value);
struct trust_vector {
    int8_t value[EAR_CLAIMS]; /* 0: no claim is made */
};
/* The worst tier in it. */
enum ear_status trust_vector_status(const struct trust_vector *v);

struct result_claims {
    struct digest digest; /* of the payload; set by result_parse */
    char build[EAR_TEXT_MAX + 1], developer[EAR_TEXT_MAX + 1]; /* ear.verifier-id */
    char appraisal_policy[EAR_TEXT_MAX + 1]; /* ear.appraisal-policy-id */
    uint8_t nonce[NONCE_SIZE]; /* eat_nonce: the challenge's */
    int64_t iat, exp;
    enum ear_status status;
    struct trust_vector vector;
    unsigned codes_n; /* everything that was wrong; 0 where affirming */
    enum seb_code codes[RESULT_CODES_MAX];
    char domain[DOMAIN_NAME_MAX + 1], instance[INSTANCE_NAME_MAX + 1];
    struct digest enrolment; /* of the enrolment statement's payload */
    struct digest evidence; /* of the evidence's text */
    struct digest quote; /* of the TPMS_ATTEST */
    bool has_reference;
    struct digest reference; /* of the reference values' payload */
    struct digest attestation, record, mint; /* kids of the keys that were in use */
    struct log_state log, log_before; /* the checkpoint that was shown; the one that the verifier knew before */
    uint64_t policy_epoch, epoch; /* as quoted */
};
/* The payload, RFC 8785 form, appended. bad_value where claims contradict each other: a status other than the vector's worst tier,
 * affirming with codes, exp not 1 to 300 seconds behind iat. */
MUST_USE result result_write(const struct result_claims *c, struct buf *out);
/* Strict for this profile: errors of base/json, bad_value (also for what result_write refuses). */
MUST_USE result result_parse(struct span payload, struct result_claims *ret);
/* One signature, by this verifier (TYP_RESULT), then the payload: bad_signature, bad_header, and result_parse's. */
MUST_USE result result_open(const struct jws *j, const struct pubkey *verifier, struct result_claims *ret);

/* After an unclean start a broker wants to know what verifiers had seen before it, and a result's log_before tells only where that
 * verifier had no evidence of the run before: it takes what it is shown for seen, whatever it says of the rest. */
#define FIRST_ANSWERS_MAX 8 /* a policy's verifiers */
struct first_answers { /* zeroed is empty */
    unsigned n;
    struct digest verifier[FIRST_ANSWERS_MAX];
};
/* Evidence goes to this verifier: whether it is the first. Beyond as many none is. */
bool first_answer(struct first_answers *f, const struct digest *verifier);

#endif
