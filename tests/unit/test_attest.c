/* attest/: what swtpm said, read; each truncation and each flipped bit refused or read as what it then says, never beyond its end.
 */
#include "config.h"

#include "attest/quote.h"
#include "tests/unit/check.h"
#include "tests/unit/testkey.h"

#include <stdlib.h>

/* TPMS_ATTEST of TPM2_Quote and TPM2_Certify, TPMT_PUBLIC, by swtpm 0.7.1 with libtpms 0.9.2. */
static const char *const quote_hex =
    "ff54434780180022000bab699de54bc757f0b22a4696082a01c936cb1e00ca2a608543dd523d0d80141b00206327245c3a45d3d9ea72b70fbb671926"
    "e7b80f63d311bfd73dde876d5df02b2600000000000001d4000000020000000001201910230016363600000001000b030110000020f5a5fd42d16a20"
    "302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b";
static const char *const certify_hex =
    "ff54434780170022000bab699de54bc757f0b22a4696082a01c936cb1e00ca2a608543dd523d0d80141b00204e9d2ad327bc7002bcefd7ee120a958e"
    "1cdeef6717adfc6893ed5f44fafba37b000000000000022b00000002000000000120191023001636360022000b1adfffd3d4e71a89add913a013983c"
    "1206da954cfbe1356ecbb7b372af22f72a0022000b821812965bb0f1fc6f22eb607d2e45fbecdc74cc1c27dd3fd35d8db94949a808";
static const char *const public_hex =
    "0023000b00040472000000100018000b000300100020253fe54ad4ef75c47f6b0d92205cc018fdc731744caa9e88c52c8ad6ed76bf10002009b1f02e"
    "8b459154e34f1bd6fc664776ee23c98ee953fa71a9819f14336add26";

static void from_hex(const char *hex, struct buf *out)
{
    if (!is_ok(hex_read(span_text(hex), out)))
        abort();
}

/* Signs it first: what is tested is the parser behind the signature. */
static result open_signed(const struct testkey *ak, struct span bytes, struct attest *ret)
{
    uint8_t raw[SIGNATURE_SIZE];
    AUTO_BUF der = BUF(128);
    testkey_sign(ak, bytes, raw);
    TRY(ecdsa_to_der(SPAN(raw), &der));
    return attest_open(bytes, buf_span(&der), testkey_public(ak), ret);
}

static void reads_quote(struct checks *c, const struct testkey *ak)
{
    AUTO_BUF b = BUF(1024);
    struct attest a;
    struct digest q = sha256(span_text("quote"));
    from_hex(quote_hex, &b);
    check_code(c, open_signed(ak, buf_span(&b), &a), E_ok, "a quote is read");
    check_that(c, a.is_quote && span_equal(a.extra, digest_span(&q)), "its qualifyingData");
    check_that(c, a.pcr_selection.n == 10 && a.pcr_digest.n == DIGEST_SIZE, "its PCRs");
    check_that(c, a.clock.reset_count == 2 && a.clock.restart_count == 0 && a.clock.clock_ms > 0, "its clock");
    check_that(c, a.firmware == 0x2019102300163636, "its firmware");
    check_that(c, a.name.n == 0 && a.qualified_name.n == 0, "no name in it");
}

static void reads_certification(struct checks *c, const struct testkey *ak)
{
    AUTO_BUF b = BUF(1024), public = BUF(512);
    AUTO_PUBKEY *key = NULL;
    struct attest a;
    struct digest name;
    uint32_t attributes;
    from_hex(certify_hex, &b);
    from_hex(public_hex, &public);
    check_code(c, open_signed(ak, buf_span(&b), &a), E_ok, "a certification is read");
    check_code(c, tpm_public_read(buf_span(&public), &name, &key, &attributes), E_ok, "a public area is read");
    check_that(c, !a.is_quote && span_equal(span_part(a.name, 2, DIGEST_SIZE), digest_span(&name)), "the certification names it");
    check_that(c, attributes == 0x40472 && key && pubkey_alg(key) == ALG_ES256, "its key and attributes");
}

/* Only the very bytes under the very key. */
static void wants_signature(struct checks *c, const struct testkey *ak, const struct testkey *other)
{
    AUTO_BUF b = BUF(1024), der = BUF(128);
    uint8_t raw[SIGNATURE_SIZE];
    struct attest a;
    from_hex(quote_hex, &b);
    testkey_sign(ak, buf_span(&b), raw);
    if (!is_ok(ecdsa_to_der(SPAN(raw), &der)))
        abort();
    check_code(c, attest_open(buf_span(&b), buf_span(&der), testkey_public(other), &a), E_bad_quote, "another key's signature");
    unsigned refused = 0;
    for (size_t i = 0; i < b.n * 8; i++) {
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        refused += code_of(attest_open(buf_span(&b), buf_span(&der), testkey_public(ak), &a)) == E_bad_quote;
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    check_that(c, refused == b.n * 8, "each flipped bit is refused by its signature");
    der.n--;
    check_code(c, attest_open(buf_span(&b), buf_span(&der), testkey_public(ak), &a), E_bad_quote, "a cut signature");
}

/* Behind a good signature: all truncations and one byte more are refused; a flipped bit never crashes. */
static void sweeps_statement(struct checks *c, const struct testkey *ak, const char *hex, const char *what)
{
    AUTO_BUF b = BUF(1024);
    struct attest a;
    unsigned refused = 0, flipped = 0;
    from_hex(hex, &b);
    for (size_t n = 0; n < b.n; n++)
        refused += code_of(open_signed(ak, span_part(buf_span(&b), 0, n), &a)) == E_bad_quote;
    check_that(c, refused == b.n, what);
    if (!is_ok(buf_u8(&b, 0)))
        abort();
    check_code(c, open_signed(ak, buf_span(&b), &a), E_bad_quote, "a byte more");
    b.n--;
    for (size_t i = 0; i < b.n * 8; i++) {
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        flipped += !is_ok(open_signed(ak, buf_span(&b), &a));
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    /* Magic and type at least: 48 bits, but for the one that makes a quote of a certification. */
    check_that(c, flipped >= 47 && flipped < b.n * 8, "flipped bits are refused or read as they are");
    check_code(c, open_signed(ak, buf_span(&b), &a), E_ok, "unharmed it is read");
}

static void sweeps_public(struct checks *c)
{
    AUTO_BUF b = BUF(512);
    struct digest name, true_name;
    uint32_t attributes;
    unsigned refused = 0, other = 0;
    from_hex(public_hex, &b);
    true_name = sha256(buf_span(&b));
    for (size_t n = 0; n < b.n; n++) {
        AUTO_PUBKEY *key = NULL;
        refused += code_of(tpm_public_read(span_part(buf_span(&b), 0, n), &name, &key, &attributes)) == E_bad_key && !key;
    }
    check_that(c, refused == b.n, "a cut public area is refused");
    for (size_t i = 0; i < b.n * 8; i++) {
        AUTO_PUBKEY *key = NULL;
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        result r = tpm_public_read(buf_span(&b), &name, &key, &attributes);
        other += code_of(r) == E_bad_key || (is_ok(r) && !digest_equal(&name, &true_name));
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    check_that(c, other == b.n * 8, "with a flipped bit it is refused or of another name");
}

static void preimages(struct checks *c)
{
    AUTO_BUF b = BUF(256);
    struct digest text = sha256(span_text("note\n")), read;
    uint64_t policy_epoch, epoch;
    unsigned refused = 0, other = 0;
    check_code(c, quote_preimage(&text, 7, UINT64_C(1) << 53, &b), E_ok, "a preimage is made");
    check_that(c, b.n == 2 + 23 + 2 + 32 + 2 + 8 + 2 + 8, "of the size that the format says");
    check_code(c, quote_preimage_read(buf_span(&b), &read, &policy_epoch, &epoch), E_ok, "and read");
    check_that(c, digest_equal(&read, &text) && policy_epoch == 7 && epoch == UINT64_C(1) << 53, "as it was made");
    for (size_t n = 0; n < b.n; n++)
        refused += !is_ok(quote_preimage_read(span_part(buf_span(&b), 0, n), &read, &policy_epoch, &epoch));
    check_that(c, refused == b.n, "cut it is refused");
    for (size_t i = 0; i < b.n * 8; i++) {
        AUTO_BUF again = BUF(256);
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        result r = quote_preimage_read(buf_span(&b), &read, &policy_epoch, &epoch);
        other +=
            !is_ok(r) || (is_ok(quote_preimage(&read, policy_epoch, epoch, &again)) && span_equal(buf_span(&again), buf_span(&b)));
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    check_that(c, other == b.n * 8, "with a flipped bit it is refused or read as it is");
    check_code(c, buf_u8(&b, 0), E_ok, "a byte more");
    check_code(c, quote_preimage_read(buf_span(&b), &read, &policy_epoch, &epoch), E_trailing_bytes, "is refused");
    AUTO_BUF lease = BUF(256);
    check_code(c, buf_blob16(&lease, span_text("seb-quote-challenge-v1")), E_ok, "a preimage of another purpose");
    check_code(c, buf_put(&lease, span_part(buf_span(&b), 25, b.n)), E_ok, "a preimage of another purpose");
    check_code(c, quote_preimage_read(buf_span(&lease), &read, &policy_epoch, &epoch), E_bad_quote, "is refused");
}

int main(void)
{
    struct checks c = { 0 };
    struct testkey *ak = testkey_new(ALG_ES256), *other = testkey_new(ALG_ES256);
    reads_quote(&c, ak);
    reads_certification(&c, ak);
    wants_signature(&c, ak, other);
    sweeps_statement(&c, ak, quote_hex, "a cut quote is refused");
    sweeps_statement(&c, ak, certify_hex, "a cut certification is refused");
    sweeps_public(&c);
    preimages(&c);
    testkey_free(ak);
    testkey_free(other);
    return checks_end(&c);
}
