/* What the files of approved_driver share. */
#ifndef SEB_TESTS_APPROVED_DRIVER_H
#define SEB_TESTS_APPROVED_DRIVER_H

#include <stdlib.h>
#include <string.h>

#include "hsm/tpm_guard_internal.h"
#include "tests/unit/testkey.h"

#define AK 0x81010100
#define RECORD 0x81010101
#define PIN 0x81010102
#define COUNTER 0x01500a01
#define ANCHOR 0x01500a02
#define MEASURED 12
#define EPOCH_PCR 13
#define ORIGIN "d/i"
#define WORDS_MAX 4

enum who { AUTHORITY, VERIFIER, THIEF, PEOPLE };

struct driver {
    const char *folder; /* of the blobs */
    struct testkey *person[PEOPLE];
    struct tpm *tpm;
    struct tpm_guard *guard;
    struct hsm_key *ak, *key;
    uint8_t nonce[LEASE_NONCE_SIZE];
    int64_t lease_ends; /* by our clock */
    ESYS_TR half; /* a session that was satisfied in part */
    TPM2B_TIMEOUT timeout;
    TPMT_TK_AUTH ticket;
    TPMT_TK_VERIFIED approval;
    char *word[WORDS_MAX];
    unsigned words;
    char note[256];
};

static inline bool said(const struct driver *d, unsigned at, const char *word)
{
    return d->words > at && !strcmp(d->word[at], word);
}

static inline uint32_t number(const struct driver *d, unsigned at, uint32_t standard)
{
    return d->words > at ? (uint32_t)strtoul(d->word[at], NULL, 0) : standard;
}

/* approved_attack.c: the keeper's place, fallen. */
result do_raw_sign(struct driver *d);
result do_password_sign(struct driver *d);
result do_half(struct driver *d);
result do_finish(struct driver *d);
result do_steal(struct driver *d);
result do_plant(struct driver *d);

/* approved_ek.c: endorsement keys. */
result do_ek(struct driver *d);
result do_activate(struct driver *d);

#endif
