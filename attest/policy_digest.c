#include "config.h"

#include "attest/policy_digest.h"

/* TPM 2.0 Part 2: TPM_ALG_ID, TPM_ECC_CURVE, TPMA_OBJECT, TPM_CC, TPM_EO. */
#define ALG_SHA256 0x000b
#define ALG_NULL 0x0010
#define ALG_ECDSA 0x0018
#define ALG_ECC 0x0023
#define CURVE_P256 0x0003
#define EXTERNAL_ATTRIBUTES 0x00040040 /* sign, userWithAuth */
/* TPMA_NV: counter, ownerWrite, ownerRead, authRead, noDA, written. */
#define COUNTER_ATTRIBUTES 0x22060012
#define CC_POLICY_NV 0x00000149
#define CC_POLICY_SIGNED 0x00000160
#define CC_POLICY_AUTHORIZE 0x0000016a
#define CC_POLICY_PCR 0x0000017f
#define EO_EQ 0x0000

#define REF_PURPOSE "seb-approval-v1"
#define ORIGIN_BYTES_MAX 512
#define LEASE_SECONDS_MAX 86400
#define SPKI_P256_SIZE 91 /* RFC 5480: ends with the uncompressed point, of which x and y are the last 64 bytes */
#define COORDINATE 32

/* Part 2, TPMT_PUBLIC. */
static result put_public(uint32_t attributes, struct span x, struct span y, struct buf *out)
{
    TRY(buf_u16(out, ALG_ECC));
    TRY(buf_u16(out, ALG_SHA256));
    TRY(buf_u32(out, attributes));
    TRY(buf_u16(out, 0)); /* authPolicy */
    TRY(buf_u16(out, ALG_NULL));
    TRY(buf_u16(out, ALG_ECDSA));
    TRY(buf_u16(out, ALG_SHA256));
    TRY(buf_u16(out, CURVE_P256));
    TRY(buf_u16(out, ALG_NULL));
    TRY(buf_blob16(out, x));
    return buf_blob16(out, y);
}

static struct span without_zeros(struct span s)
{
    while (s.n && !s.p[0])
        s = span_part(s, 1, s.n);
    return s;
}

/* Part 1, section 16: nameAlg and the digest of the public area. */
result tpm_own_key_name(const struct pubkey *key, uint32_t attributes, bool stripped, uint8_t ret_name[TPM_NAME_SIZE])
{
    AUTO_BUF spki = BUF(SPKI_P256_SIZE), public = BUF(128), name = BUF(TPM_NAME_SIZE);
    if (!key || pubkey_alg(key) != ALG_ES256 || !is_ok(pubkey_spki(key, &spki)) || spki.n != SPKI_P256_SIZE)
        return fail(E_bad_key);
    struct span point = span_part(buf_span(&spki), SPKI_P256_SIZE - 2 * COORDINATE, 2 * COORDINATE);
    struct span x = span_part(point, 0, COORDINATE), y = span_part(point, COORDINATE, COORDINATE);
    TRY(put_public(attributes, stripped ? without_zeros(x) : x, stripped ? without_zeros(y) : y, &public));
    struct digest d = sha256(buf_span(&public));
    TRY(buf_u16(&name, ALG_SHA256));
    TRY(buf_put(&name, digest_span(&d)));
    return span_copy(buf_span(&name), ret_name, TPM_NAME_SIZE);
}

result tpm_external_name(const struct pubkey *key, uint8_t ret_name[TPM_NAME_SIZE])
{
    return tpm_own_key_name(key, EXTERNAL_ATTRIBUTES, false, ret_name);
}

result tpm_counter_name(uint32_t index, uint8_t ret_name[TPM_NAME_SIZE])
{
    AUTO_BUF public = BUF(16), name = BUF(TPM_NAME_SIZE);
    TRY(buf_u32(&public, index));
    TRY(buf_u16(&public, ALG_SHA256));
    TRY(buf_u32(&public, COUNTER_ATTRIBUTES));
    TRY(buf_u16(&public, 0)); /* authPolicy */
    TRY(buf_u16(&public, COUNTER_BYTES));
    struct digest d = sha256(buf_span(&public));
    TRY(buf_u16(&name, ALG_SHA256));
    TRY(buf_put(&name, digest_span(&d)));
    return span_copy(buf_span(&name), ret_name, TPM_NAME_SIZE);
}

result policy_ref(const char *origin, const uint8_t ak_name[TPM_NAME_SIZE], struct digest *ret)
{
    AUTO_BUF preimage = BUF(1024);
    struct span s = span_text(origin);
    if (s.n > ORIGIN_BYTES_MAX)
        return fail(E_too_long);
    TRY(buf_blob16(&preimage, span_text(REF_PURPOSE)));
    TRY(buf_blob16(&preimage, s));
    TRY(buf_blob16(&preimage, (struct span){ ak_name, TPM_NAME_SIZE }));
    *ret = sha256(buf_span(&preimage));
    return OK;
}

/* What each policy command does to a session's policyDigest: H(old, command code, its arguments). */
static result extend(struct digest *policy, uint32_t command, struct span first, struct span second)
{
    AUTO_BUF code = BUF(4);
    TRY(buf_u32(&code, command));
    const struct span parts[] = { digest_span(policy), buf_span(&code), first, second };
    *policy = sha256_parts(parts, 4);
    return OK;
}

/* Part 3, section 23.2.3, PolicyUpdate(): the signer's Name, then, in a second hash, the policyRef. */
static result extend_by_signer(struct digest *policy, uint32_t command, const struct pubkey *key, struct span ref)
{
    uint8_t name[TPM_NAME_SIZE];
    TRY(tpm_external_name(key, name));
    TRY(extend(policy, command, SPAN(name), (struct span){ 0 }));
    const struct span parts[] = { digest_span(policy), ref };
    *policy = sha256_parts(parts, 2);
    return OK;
}

result key_policy(const struct pubkey *policy_key, const struct digest *ref, struct digest *ret)
{
    struct digest policy = { { 0 } };
    TRY(extend_by_signer(&policy, CC_POLICY_AUTHORIZE, policy_key, digest_span(ref)));
    *ret = policy;
    return OK;
}

/* Part 3, section 23.7: the selection, and the digest of the selected values. */
static result extend_by_pcr(struct digest *policy, unsigned pcr, const struct digest *value)
{
    AUTO_BUF selection = BUF(16);
    if (pcr >= TPM_PCRS)
        return fail(E_bad_value);
    TRY(buf_u32(&selection, 1));
    TRY(buf_u16(&selection, ALG_SHA256));
    TRY(buf_u8(&selection, TPM_PCRS / 8));
    for (unsigned octet = 0; octet < TPM_PCRS / 8; octet++)
        TRY(buf_u8(&selection, pcr / 8 == octet ? (uint8_t)(1u << pcr % 8) : 0));
    struct digest digest = sha256(digest_span(value));
    return extend(policy, CC_POLICY_PCR, buf_span(&selection), digest_span(&digest));
}

/* Part 3, section 23.9: operand, offset and operation as one digest, and the index's Name. */
static result extend_by_counter(struct digest *policy, uint64_t counter, const uint8_t name[TPM_NAME_SIZE])
{
    AUTO_BUF arguments = BUF(16);
    TRY(buf_u64(&arguments, counter));
    TRY(buf_u16(&arguments, 0));
    TRY(buf_u16(&arguments, EO_EQ));
    struct digest digest = sha256(buf_span(&arguments));
    return extend(policy, CC_POLICY_NV, digest_span(&digest), (struct span){ name, TPM_NAME_SIZE });
}

result approved_policy(const struct approved_state *s, struct digest *ret)
{
    struct digest policy = { { 0 } };
    TRY(extend_by_pcr(&policy, s->pcr, &s->pcr_value));
    TRY(extend_by_counter(&policy, s->counter, s->counter_name));
    TRY(extend_by_signer(&policy, CC_POLICY_SIGNED, s->lease, digest_span(&s->ref)));
    *ret = policy;
    return OK;
}

struct digest approval_hash(const struct digest *policy, const struct digest *ref)
{
    const struct span parts[] = { digest_span(policy), digest_span(ref) };
    return sha256_parts(parts, 2);
}

result lease_hash(const uint8_t nonce[32], uint32_t seconds, const struct digest *ref, struct digest *ret)
{
    AUTO_BUF expiration = BUF(4);
    if (seconds < 1 || seconds > LEASE_SECONDS_MAX)
        return fail(E_bad_value);
    TRY(buf_u32(&expiration, UINT32_MAX - seconds + 1)); /* INT32, two's complement */
    const struct span parts[] = { { nonce, 32 }, buf_span(&expiration), digest_span(ref) };
    *ret = sha256_parts(parts, 3);
    return OK;
}
