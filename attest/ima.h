/* Linux IMA's measurement list, as /sys/kernel/security/ima/binary_runtime_measurements gives it, templates ima-ng and ima-sig
 * (Linux, Documentation/security/IMA-templates.rst; little-endian). The SHA-256 bank is extended with SHA-256(template data), with
 * ones for a violation (ima_store_template(), ima_add_violation()). Pure. */
#ifndef SEB_ATTEST_IMA_H
#define SEB_ATTEST_IMA_H

#include "base/digest.h"

#define IMA_LOG_MAX (64u << 20)
#define IMA_PCR 10

struct ima_entry {
    uint32_t pcr;
    bool violation; /* the file was written while it was measured, or the other way round */
    struct span data; /* template data */
    struct span algorithm, digest; /* of the file: "sha256"; its bytes */
    struct span path; /* without its NUL */
    struct span signature; /* ima-sig; else empty */
};
/* The next entry; bad_ima_log where it is cut, of another template, or doesn't fit itself. Spans view the input. */
MUST_USE result ima_next(struct reader *r, struct ima_entry *ret);

/* Where a list was read up to. Starts zeroed. */
struct ima_state {
    struct digest pcr;
    uint64_t offset, entries, violations;
};
/* Replays `log`, the list from state->offset on, until the PCR is `wanted`: the list may have grown since the PCR was read, so what
 * is behind is left for the next time. Entries for other PCRs extend nothing. ima_log_mismatch where no beginning gives it,
 * bad_ima_log; *state is then as it was. */
MUST_USE result ima_advance(struct span log, unsigned pcr, const struct digest *wanted, struct ima_state *state);

#endif
