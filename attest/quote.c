#include "config.h"

#include "attest/quote.h"

/* TPM 2.0 Part 2: TPM_GENERATED, TPM_ST, TPM_ALG_ID, TPM_ECC_CURVE. */
#define GENERATED_VALUE 0xff544347
#define ATTEST_CERTIFY 0x8017
#define ATTEST_QUOTE 0x8018
#define ALG_SHA256 0x000b
#define ALG_NULL 0x0010
#define ALG_ECDSA 0x0018
#define ALG_ECC 0x0023
#define CURVE_P256 0x0003

#define NAME_MAX_SIZE 66 /* TPM2B_NAME with the largest digest, SHA-512 */
#define DATA_MAX_SIZE 66 /* TPM2B_DATA: a TPMT_HA */
#define PCR_BANKS_MAX 16
#define PCR_SELECT_MAX 4
#define PREIMAGE_PURPOSE "seb-quote-checkpoint-v1"
#define CHALLENGE_PURPOSE "seb-quote-challenge-v1"

/* TPML_PCR_SELECTION, kept as it is marshaled. */
static result read_pcr_selection(struct reader *r, struct span *ret)
{
    const size_t from = r->at;
    uint32_t banks;
    TRY(read_u32(r, &banks));
    if (banks > PCR_BANKS_MAX)
        return fail(E_bad_quote);
    for (uint32_t i = 0; i < banks; i++) {
        uint16_t alg;
        uint8_t n;
        struct span select;
        TRY(read_u16(r, &alg));
        TRY(read_u8(r, &n));
        if (n > PCR_SELECT_MAX)
            return fail(E_bad_quote);
        TRY(read_bytes(r, n, &select));
    }
    *ret = span_part(r->s, from, r->at - from);
    return OK;
}

static result read_clock(struct reader *r, struct tpm_clock *ret)
{
    uint8_t safe;
    TRY(read_u64(r, &ret->clock_ms));
    TRY(read_u32(r, &ret->reset_count));
    TRY(read_u32(r, &ret->restart_count));
    TRY(read_u8(r, &safe));
    if (safe > 1) /* Part 2, TPMI_YES_NO */
        return fail(E_bad_quote);
    ret->safe = safe == 1;
    return OK;
}

/* Part 2, TPMS_ATTEST. */
static result read_attest(struct span bytes, struct attest *ret)
{
    struct reader r = reader_of(bytes);
    uint32_t magic;
    uint16_t type;
    struct span signer;
    TRY(read_u32(&r, &magic));
    TRY(read_u16(&r, &type));
    if (magic != GENERATED_VALUE || (type != ATTEST_QUOTE && type != ATTEST_CERTIFY))
        return fail(E_bad_quote);
    ret->is_quote = type == ATTEST_QUOTE;
    TRY(read_blob16(&r, NAME_MAX_SIZE, &signer));
    TRY(read_blob16(&r, DATA_MAX_SIZE, &ret->extra));
    TRY(read_clock(&r, &ret->clock));
    TRY(read_u64(&r, &ret->firmware));
    if (ret->is_quote) {
        TRY(read_pcr_selection(&r, &ret->pcr_selection));
        TRY(read_blob16(&r, NAME_MAX_SIZE, &ret->pcr_digest));
    } else {
        TRY(read_blob16(&r, NAME_MAX_SIZE, &ret->name));
        TRY(read_blob16(&r, NAME_MAX_SIZE, &ret->qualified_name));
    }
    return read_end(&r);
}

result attest_open(struct span bytes, struct span der_signature, const struct pubkey *ak, struct attest *ret)
{
    struct attest a = { 0 };
    if (!is_ok(pubkey_verify_der(ak, bytes, der_signature)) || !is_ok(read_attest(bytes, &a)))
        return fail(E_bad_quote);
    *ret = a;
    return OK;
}

static result put_epoch(struct buf *out, uint64_t epoch)
{
    TRY(buf_u16(out, sizeof epoch));
    return buf_u64(out, epoch);
}

result quote_preimage(const struct digest *note_text, uint64_t policy_epoch, uint64_t epoch, struct buf *out)
{
    TRY(buf_blob16(out, span_text(PREIMAGE_PURPOSE)));
    TRY(buf_blob16(out, digest_span(note_text)));
    TRY(put_epoch(out, policy_epoch));
    return put_epoch(out, epoch);
}

static result read_epoch(struct reader *r, uint64_t *ret)
{
    struct span s;
    TRY(read_blob16(r, sizeof *ret, &s));
    struct reader field = reader_of(s);
    TRY(read_u64(&field, ret));
    return read_end(&field);
}

static result read_purpose(struct reader *r, const char *want)
{
    struct span purpose;
    TRY(read_blob16(r, sizeof PREIMAGE_PURPOSE, &purpose));
    return span_is(purpose, want) ? OK : fail(E_bad_quote);
}

result quote_preimage_read(struct span preimage, struct digest *ret_note_text, uint64_t *ret_policy_epoch, uint64_t *ret_epoch)
{
    struct reader r = reader_of(preimage);
    struct span text;
    struct digest note_text;
    uint64_t policy_epoch, epoch;
    TRY(read_purpose(&r, PREIMAGE_PURPOSE));
    TRY(read_blob16(&r, DIGEST_SIZE, &text));
    TRY(span_copy(text, note_text.b, DIGEST_SIZE));
    TRY(read_epoch(&r, &policy_epoch));
    TRY(read_epoch(&r, &epoch));
    TRY(read_end(&r));
    *ret_note_text = note_text;
    *ret_policy_epoch = policy_epoch;
    *ret_epoch = epoch;
    return OK;
}

result quote_challenge_preimage(const struct quote_challenge *q, struct buf *out)
{
    TRY(buf_blob16(out, span_text(CHALLENGE_PURPOSE)));
    TRY(buf_blob16(out, SPAN(q->nonce)));
    TRY(buf_blob16(out, SPAN(q->lease_nonce)));
    TRY(buf_blob16(out, q->has_note ? digest_span(&q->note_text) : (struct span){ NULL, 0 }));
    TRY(put_epoch(out, q->policy_epoch));
    return put_epoch(out, q->epoch);
}

static result read_fixed(struct reader *r, void *ret, size_t n)
{
    struct span s;
    TRY(read_blob16(r, n, &s));
    return span_copy(s, ret, n);
}

result quote_challenge_read(struct span preimage, struct quote_challenge *ret)
{
    struct reader r = reader_of(preimage);
    struct quote_challenge q = { 0 };
    struct span text;
    TRY(read_purpose(&r, CHALLENGE_PURPOSE));
    TRY(read_fixed(&r, q.nonce, sizeof q.nonce));
    TRY(read_fixed(&r, q.lease_nonce, sizeof q.lease_nonce));
    TRY(read_blob16(&r, DIGEST_SIZE, &text));
    q.has_note = text.n > 0;
    if (q.has_note)
        TRY(span_copy(text, q.note_text.b, DIGEST_SIZE));
    TRY(read_epoch(&r, &q.policy_epoch));
    TRY(read_epoch(&r, &q.epoch));
    TRY(read_end(&r));
    /* docs/formats.md, "Common rules": a result couldn't say them. */
    if (q.policy_epoch > (uint64_t)JSON_INT_MAX || q.epoch > (uint64_t)JSON_INT_MAX)
        return fail(E_bad_value);
    *ret = q;
    return OK;
}

/* TPMS_ECC_PARMS of a key that signs ES256 and nothing else. */
static result read_parameters(struct reader *r)
{
    uint16_t symmetric, scheme, hash, curve, kdf;
    TRY(read_u16(r, &symmetric));
    TRY(read_u16(r, &scheme));
    TRY(read_u16(r, &hash));
    TRY(read_u16(r, &curve));
    TRY(read_u16(r, &kdf));
    bool es256 = symmetric == ALG_NULL && scheme == ALG_ECDSA && hash == ALG_SHA256 && curve == CURVE_P256 && kdf == ALG_NULL;
    return es256 ? OK : fail(E_bad_key);
}

/* A TPM may leave out a coordinate's leading zeros. */
static result read_coordinate(struct reader *r, uint8_t ret[32])
{
    struct span s;
    TRY(read_blob16(r, 32, &s));
    for (size_t i = 0; i < 32; i++)
        ret[i] = 0;
    return span_copy(s, ret + 32 - s.n, s.n);
}

static result read_public(struct span tpmt_public, struct tpm_public *ret, uint8_t x[32], uint8_t y[32])
{
    struct reader r = reader_of(tpmt_public);
    uint16_t type, name_alg;
    TRY(read_u16(&r, &type));
    TRY(read_u16(&r, &name_alg));
    if (type != ALG_ECC || name_alg != ALG_SHA256)
        return fail(E_bad_key);
    TRY(read_u32(&r, &ret->attributes));
    TRY(read_blob16(&r, DIGEST_SIZE, &ret->auth_policy));
    TRY(read_parameters(&r));
    TRY(read_coordinate(&r, x));
    TRY(read_coordinate(&r, y));
    return read_end(&r);
}

result tpm_public_open(struct span tpmt_public, struct tpm_public *ret)
{
    struct tpm_public p = { 0 };
    uint8_t x[32], y[32];
    if (!is_ok(read_public(tpmt_public, &p, x, y)) || !is_ok(pubkey_from_point(x, y, &p.key)))
        return fail(E_bad_key);
    p.name = sha256(tpmt_public);
    *ret = p;
    return OK;
}

result tpm_public_read(struct span tpmt_public, struct digest *ret_name, struct pubkey **ret_key, uint32_t *ret_attributes)
{
    struct tpm_public p;
    TRY(tpm_public_open(tpmt_public, &p));
    *ret_name = p.name;
    *ret_key = p.key;
    *ret_attributes = p.attributes;
    return OK;
}
