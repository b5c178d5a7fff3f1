/* A plan file: what `sebctl approve --plan` prints and `sab approve` reads (docs/attestation.md, "Approval"). It comes from the
 * machine that is to be approved, and so it carries what its parts can be held to: the event log that gives PCR value and
 * measurements, and the attestation key that the policyRef is of. Pure. */
#ifndef SEB_ATTEST_PLAN_H
#define SEB_ATTEST_PLAN_H

#include "attest/approval.h"

#define PLAN_FILE_MAX (1024u * 1024)

struct plan_file {
    struct approval plan;
    struct pubkey *ak; /* owned */
};
void plan_file_free(struct plan_file *f); /* accepts zeroed */
#define AUTO_PLAN_FILE __attribute__((cleanup(plan_file_free))) struct plan_file

/* RFC 8785 form of {"attestation": JWK, "events": [records], "plan"}, appended. bad_event_log where cel isn't a log of the plan's
 * PCR. */
MUST_USE result plan_file_write(const struct approval *plan, struct span cel, const struct pubkey *ak, struct buf *out);
/* Takes it apart, and holds its parts to each other: the log gives the PCR's value (event_log_mismatch, bad_event_log) and ends in
 * the measurements, which are of all executables, the configuration, the record key, this attestation key and a policy authority;
 * the PCR can't be set back; the policyRef is of this attestation key and log. plan_inconsistent, with *ret_why in words (static)
 * where something can be said. Which NV index `counter_name` is of isn't said here (tpm_counter_name). The caller frees *ret. */
MUST_USE result plan_file_open(struct span text, struct plan_file *ret, const char **ret_why);

#endif
