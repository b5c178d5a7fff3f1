/* The public area of a storage key, as an endorsement key is one (TPM 2.0 Part 2, TPMT_PUBLIC). */
#ifndef SEB_ATTEST_TPMT_PUBLIC_H
#define SEB_ATTEST_TPMT_PUBLIC_H

#include "base/bytes.h"

/* TPM 2.0 Part 2, TPM_ALG_ID and TPM_ECC_CURVE. */
#define TPM_RSA 0x0001
#define TPM_AES 0x0006
#define TPM_SHA256 0x000b
#define TPM_SHA384 0x000c
#define TPM_NULL 0x0010
#define TPM_ECC 0x0023
#define TPM_CFB 0x0043
#define TPM_P256 0x0003
#define TPM_P384 0x0004

#define COORDINATE_MAX 48

struct storage_public {
    uint16_t type; /* TPM_RSA, TPM_ECC */
    uint16_t name_alg; /* TPM_SHA256, TPM_SHA384 */
    uint32_t attributes;
    struct span auth_policy;
    uint16_t aes_bits; /* 128, 256; CFB */
    uint16_t rsa_bits; /* of RSA; exponent 65537 */
    struct span modulus;
    uint16_t curve; /* of ECC */
    struct span x, y; /* as they came: leading zeros may be left out */
};
/* ek_attributes unless it is one of RSA 2048 or 3072, P-256 or P-384, with AES in CFB mode, no scheme and no KDF, named by SHA-256
 * or SHA-384. Spans view the input. */
MUST_USE result storage_public_read(struct span tpmt_public, struct storage_public *ret);
/* Bytes of a coordinate of the curve. */
unsigned storage_coordinate_size(const struct storage_public *p);

#endif
