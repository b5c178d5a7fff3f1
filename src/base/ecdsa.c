/* ECDSA signatures: raw (RFC 7518 section 3.4) and DER (RFC 3279 section 2.2.3). Only the one DER form of each is read. */
#include "config.h"

#include "base/pubkey.h"

#define HALF (SIGNATURE_SIZE / 2)

static result put_integer(struct span half, struct buf *out)
{
    size_t zeros = 0;
    while (zeros < half.n && half.p[zeros] == 0)
        zeros++;
    if (zeros == half.n)
        return fail(E_bad_signature); /* FIPS 186-5 section 6.4.2, step 1: r and s are at least 1 */
    struct span digits = span_part(half, zeros, half.n);
    bool sign = digits.p[0] & 0x80; /* would read as negative without a zero in front */
    TRY(buf_u8(out, 0x02));
    TRY(buf_u8(out, (uint8_t)(digits.n + sign)));
    if (sign)
        TRY(buf_u8(out, 0));
    return buf_put(out, digits);
}

result ecdsa_to_der(struct span raw, struct buf *out)
{
    AUTO_BUF both = BUF(SIGNATURE_SIZE + 6);
    if (raw.n != SIGNATURE_SIZE)
        return fail(E_bad_signature);
    TRY(put_integer(span_part(raw, 0, HALF), &both));
    TRY(put_integer(span_part(raw, HALF, HALF), &both));
    uint8_t *to;
    TRY(buf_room(out, 2 + both.n, &to));
    to[0] = 0x30;
    to[1] = (uint8_t)both.n;
    return span_copy(buf_span(&both), to + 2, both.n);
}

static bool read_integer(struct reader *r, uint8_t half[HALF])
{
    uint8_t tag, n;
    struct span digits;
    if (!is_ok(read_u8(r, &tag)) || tag != 0x02 || !is_ok(read_u8(r, &n)) || n == 0 || !is_ok(read_bytes(r, n, &digits)))
        return false;
    if (digits.p[0] & 0x80)
        return false;
    if (digits.p[0] == 0) {
        /* X.690 section 8.3.2: a zero in front only where it keeps the sign. Also refuses zero itself. */
        if (n == 1 || !(digits.p[1] & 0x80))
            return false;
        digits = span_part(digits, 1, n);
    }
    if (digits.n > HALF)
        return false;
    for (unsigned i = 0; i < HALF; i++)
        half[i] = i < HALF - digits.n ? 0 : digits.p[i - (HALF - digits.n)];
    return true;
}

result ecdsa_from_der(struct span der, uint8_t raw[SIGNATURE_SIZE])
{
    struct reader r = reader_of(der);
    uint8_t tag, n, found[SIGNATURE_SIZE];
    if (!is_ok(read_u8(&r, &tag)) || tag != 0x30 || !is_ok(read_u8(&r, &n)) || n >= 0x80 || n != der.n - 2)
        return fail(E_bad_signature);
    if (!read_integer(&r, found) || !read_integer(&r, found + HALF) || !is_ok(read_end(&r)))
        return fail(E_bad_signature);
    return span_copy(SPAN(found), raw, SIGNATURE_SIZE);
}
