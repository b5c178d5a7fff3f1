/* The hardware of a double of the broker: a real TPM with an attestation key, a record key and a mint key under a policy
 * authority's key policy, measurements, approval and lease. What it is asked for is made as the broker makes it; lies are the
 * door's. */
#ifndef SEB_TESTS_LYING_CHIP_H
#define SEB_TESTS_LYING_CHIP_H

#include "attest/cel.h"
#include "attest/enrolment.h"
#include "attest/evidence.h"
#include "hsm/tpm_guard.h"

#define CHIP_PCR 12
#define CHIP_MASK UINT32_C(0x10ff)
#define CHIP_COUNTER UINT32_C(0x01500a01)

struct chip {
    struct tpm *tpm;
    struct tpm_guard *guard;
    struct hsm_key *ak, *key[EVIDENCE_ROLES]; /* key[0] is ak */
    uint8_t ak_name[TPM_NAME_SIZE];
    struct digest ref, key_policy;
    uint64_t counter;
    uint8_t counter_name[TPM_NAME_SIZE];
};
/* Makes and opens the keys of `<domain>/<instance>` in the TPM at this socket. What fails ends the process. */
void chip_open(struct chip *c, const char *socket, const char *folder, const char *domain, const char *instance,
    const struct pubkey *policy_key);
void chip_close(struct chip *c);
void chip_evidence(struct chip *c, struct evidence_key key[EVIDENCE_ROLES]);

void must(result r, const char *what);

#endif
