/* What the supervisor measured, in the broker's own event log and in a PCR. On the TPM's thread.
 *
 * The log (state_dir/events.cel) is synced before the PCR is extended, so that after a crash between the two the log is ahead of
 * the PCR, and never behind: what the PCR doesn't have yet is cut off and measured anew. A PCR that starts at zero, after a boot,
 * has nothing of the log. A restart in the same state extends nothing: the value that was approved stays. */
#ifndef SEB_KEEPER_MEASURE_H
#define SEB_KEEPER_MEASURE_H

#include "attest/cel.h"
#include "config/config.h"
#include "hsm/tpm.h"

/* Brings log and PCR to the present state. *ret_value is the PCR's value, also where event_log_mismatch (or bad_event_log) says
 * that the log doesn't explain it: then neither is touched. Any other failure is the TPM's or the disk's. */
MUST_USE result measure(
    struct tpm *t, const struct config *c, const struct cel_state *present, struct buf *log, struct digest *ret_value);

#endif
