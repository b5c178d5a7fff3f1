/* The firmware's event log, as /sys/kernel/security/tpm0/binary_bios_measurements gives it: TCG PC Client Platform Firmware Profile
 * (version 1.05, section 10), crypto-agile format. Only what its SHA-256 digests give is read; what an event says of itself is not
 * believed, for nothing ties it to its digest. Pure. */
#ifndef SEB_ATTEST_TCG_LOG_H
#define SEB_ATTEST_TCG_LOG_H

#include "attest/policy_digest.h"

#define TCG_LOG_MAX (4u << 20)
/* PCRs that firmware measures the machine's start into (section 3.3.4). */
#define FIRMWARE_PCRS 0x000000ffu

struct tcg_replay {
    struct digest pcr[TPM_PCRS]; /* SHA-256 bank */
    uint32_t extended; /* bit n: the log extends PCR n; the others are as reset */
    uint32_t events;
};
/* bad_firmware_log: cut, a length or count that doesn't fit, no SHA-256 bank, another format. */
MUST_USE result tcg_log_replay(struct span log, struct tcg_replay *ret);

#endif
