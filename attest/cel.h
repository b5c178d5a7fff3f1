/* The broker's own event log, in the JSON encoding of the TCG Canonical Event Log Format (version 1.0, sections 4 and 5): one
 * record a line, each in RFC 8785 form. docs/attestation.md, "Event log". Pure.
 *
 * What is measured, by name: sebd, seb-front, seb-core, seb-keeper, seb-runner (SHA-256 of the executable), configuration (SHA-256
 * of its RFC 8785 form), key.attestation, key.record, policy_authority (the key's RFC 7638 thumbprint). A name that was measured
 * before is measured again by a further record: the last one holds. */
#ifndef SEB_ATTEST_CEL_H
#define SEB_ATTEST_CEL_H

#include "base/digest.h"

#define CEL_LOG_MAX (256u * 1024)
#define CEL_RECORD_MAX 512
#define CEL_NAMES_MAX 16
#define CEL_NAME_LEN 31

#define CEL_CONFIGURATION "configuration"
#define CEL_KEY_ATTESTATION "key.attestation"
#define CEL_KEY_RECORD "key.record"
#define CEL_POLICY_AUTHORITY "policy_authority"
#define CEL_EXECUTABLES 5
/* sebd, seb-front, seb-core, seb-keeper, seb-runner; i < CEL_EXECUTABLES. */
const char *cel_executable(unsigned i);

struct cel_value {
    char name[CEL_NAME_LEN + 1]; /* 1 to 31 characters of a-z 0-9 . _ - */
    struct digest digest;
};
/* The last value of each name, in order of the names. */
struct cel_state {
    unsigned n;
    struct cel_value value[CEL_NAMES_MAX];
};
const struct digest *cel_find(const struct cel_state *s, const char *name); /* NULL where it isn't there */
/* Puts or changes a value; bad_value where the name isn't one, too_long at the 17th. */
MUST_USE result cel_put(struct cel_state *s, const char *name, const struct digest *value);
bool cel_equal(const struct cel_state *a, const struct cel_state *b);

/* Appends a record, numbered behind those that are in the log; *ret_event is what the PCR is to be extended with. Write and sync
 * the log before the PCR is extended: what is in the log and not in the PCR can be told from it (cel_prefix), not the other way
 * round. */
MUST_USE result cel_append(struct buf *log, unsigned pcr, const char *name, const struct digest *value, struct digest *ret_event);
/* Appends what differs from the log's own state in `present`, in order of the names; *ret_n events (at most CEL_NAMES_MAX) are what
 * the PCR is to be extended with. So the broker does at its start, and so its next start can be foreseen. bad_event_log, too_long.
 */
MUST_USE result cel_advance(
    struct buf *log, unsigned pcr, const struct cel_state *present, struct digest ret_event[CEL_NAMES_MAX], unsigned *ret_n);
/* The PCR's value after the whole log (from 32 zero bytes on), and the state. bad_event_log where it isn't exactly what cel_append
 * writes for this PCR. */
MUST_USE result cel_replay(struct span log, unsigned pcr, struct digest *ret_value, struct cel_state *ret);
/* How many bytes of the log, whole records, the PCR's value is of: the longest such beginning. event_log_mismatch where there is
 * none, bad_event_log as above. */
MUST_USE result cel_prefix(struct span log, unsigned pcr, const struct digest *value, size_t *ret_n);

#endif
