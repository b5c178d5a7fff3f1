/* The appraisal at work: one case, whose steps each say what is wrong. For the files of appraise alone. */
#ifndef SEB_ATTEST_VERDICT_H
#define SEB_ATTEST_VERDICT_H

#include "attest/appraise.h"
#include "attest/approval.h"

/* Where the broker's own measurements are as long as no approval says so. */
#define MEASURED_PCR_DEFAULT 12

struct appraisal_case {
    const struct appraisal_args *a;
    struct appraisal *v;
    struct attest quote;
    struct quote_challenge bound;
    bool signed_; /* the quote is the AK's, and the preimage and the PCR values that came are its own */
    bool fresh; /* and it answers this challenge */
    bool reset; /* resetCount grew since it was seen last */
    bool clock_good;
    struct approval_file approval;
    bool approved; /* the approval is the policy key's, for this instance and TPM */
    struct cel_state measured;
    bool measured_good; /* the event log gives the quoted PCR */
};

/* Each code is said once; what it weighs is in appraise.c's table. */
void verdict_say(struct appraisal *v, enum seb_code code);
bool verdict_has(const struct appraisal *v, enum seb_code code);
/* Says the code where r failed with what says something of the evidence; passes on what says something of us (no_memory, crypto).
 */
MUST_USE result verdict_of(struct appraisal *v, result r, enum seb_code code);
/* The same, and the code is r's own. */
MUST_USE result verdict_own(struct appraisal *v, result r);

/* Steps. They fail for want of memory and the like alone. */
MUST_USE result case_quote(struct appraisal_case *c); /* signature, purpose, nonce, PCR digest */
void case_clock(struct appraisal_case *c); /* counts, clock, firmware */
MUST_USE result case_keys(struct appraisal_case *c); /* AK, record key, mint key */
MUST_USE result case_approval(struct appraisal_case *c); /* policy and approval */
MUST_USE result case_measured(struct appraisal_case *c); /* event logs against PCRs, and those against the reference values */
MUST_USE result case_witness(struct appraisal_case *c); /* the newest note and its proof */
#endif
