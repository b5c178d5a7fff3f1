#include "config.h"

#include "attest/tpmt_public.h"

#define POLICY_MAX 48
#define RSA_BYTES_MAX 384
#define EXPONENT_DEFAULT 0 /* Part 2, TPMS_RSA_PARMS: zero means 2^16 + 1 */

static result read_rsa(struct reader *r, struct storage_public *p)
{
    uint16_t scheme;
    uint32_t exponent;
    TRY(read_u16(r, &scheme));
    TRY(read_u16(r, &p->rsa_bits));
    TRY(read_u32(r, &exponent));
    TRY(read_blob16(r, RSA_BYTES_MAX, &p->modulus));
    bool fits = scheme == TPM_NULL && (p->rsa_bits == 2048 || p->rsa_bits == 3072) &&
                (exponent == EXPONENT_DEFAULT || exponent == 65537) && p->modulus.n == p->rsa_bits / 8u;
    return fits ? OK : fail(E_ek_attributes);
}

static result read_ecc(struct reader *r, struct storage_public *p)
{
    uint16_t scheme, kdf;
    TRY(read_u16(r, &scheme));
    TRY(read_u16(r, &p->curve));
    TRY(read_u16(r, &kdf));
    if (scheme != TPM_NULL || kdf != TPM_NULL || (p->curve != TPM_P256 && p->curve != TPM_P384))
        return fail(E_ek_attributes);
    TRY(read_blob16(r, storage_coordinate_size(p), &p->x));
    return read_blob16(r, storage_coordinate_size(p), &p->y);
}

static result read_symmetric(struct reader *r, struct storage_public *p)
{
    uint16_t algorithm, mode;
    TRY(read_u16(r, &algorithm));
    TRY(read_u16(r, &p->aes_bits));
    TRY(read_u16(r, &mode));
    bool fits = algorithm == TPM_AES && mode == TPM_CFB && (p->aes_bits == 128 || p->aes_bits == 256);
    return fits ? OK : fail(E_ek_attributes);
}

static result read_area(struct span s, struct storage_public *p)
{
    struct reader r = reader_of(s);
    TRY(read_u16(&r, &p->type));
    TRY(read_u16(&r, &p->name_alg));
    if ((p->type != TPM_RSA && p->type != TPM_ECC) || (p->name_alg != TPM_SHA256 && p->name_alg != TPM_SHA384))
        return fail(E_ek_attributes);
    TRY(read_u32(&r, &p->attributes));
    TRY(read_blob16(&r, POLICY_MAX, &p->auth_policy));
    TRY(read_symmetric(&r, p));
    TRY(p->type == TPM_RSA ? read_rsa(&r, p) : read_ecc(&r, p));
    return read_end(&r);
}

result storage_public_read(struct span tpmt_public, struct storage_public *ret)
{
    struct storage_public p = { 0 };
    if (!is_ok(read_area(tpmt_public, &p)))
        return fail(E_ek_attributes);
    *ret = p;
    return OK;
}

unsigned storage_coordinate_size(const struct storage_public *p)
{
    return p->curve == TPM_P384 ? 48 : 32;
}
