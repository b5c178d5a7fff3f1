#include "config.h"

#include "tests/unit/check.h"

#include "base/digest.h"

#include <stdlib.h>

static void spans(struct checks *c)
{
    check_that(c, span_text(NULL).n == 0 && span_text("ab").n == 2, "span_text counts without the NUL");
    check_that(c, span_is(span_text("ab"), "ab") && !span_is(span_text("ab"), "abc"), "span_is compares lengths and bytes");
    check_that(c, span_equal((struct span){ NULL, 0 }, span_text("")), "empty spans are equal");
    check_that(c, span_find(span_text("abca"), 1, 'a') == 3 && span_find(span_text("abc"), 0, 'x') == 3, "span_find");
    check_that(c, span_find(span_text("abc"), 9, 'a') == 3, "span_find from beyond the end");
    check_that(c, span_is(span_part(span_text("abcdef"), 2, 3), "cde"), "span_part");
    check_that(c, span_is(span_part(span_text("abc"), 2, SIZE_MAX), "c"), "span_part is cut to what is there");
    check_that(c, span_part(span_text("abc"), 4, 1).n == 0, "span_part from beyond the end is empty");
    uint8_t to[3] = { 9, 9, 9 };
    check_code(c, span_copy(span_text("ab"), to, 3), E_bad_value, "span_copy copies whole or not at all");
    check_that(c, to[0] == 9, "span_copy leaves the target on refusal");
    char *text = NULL;
    check_code(c, span_dup_text((struct span){ (const uint8_t *)"a\0b", 3 }, &text), E_bad_value, "span_dup_text refuses a NUL");
    check_that(c, is_ok(span_dup_text(span_text("abc"), &text)) && span_is(span_text(text), "abc"), "span_dup_text");
    free(text);
}

static void buffers(struct checks *c)
{
    AUTO_BUF b = BUF(8);
    check_code(c, buf_u32(&b, 0x01020304), E_ok, "a buffer takes an integer");
    check_code(c, buf_u16(&b, 0x0506), E_ok, "and another");
    check_code(c, buf_u32(&b, 7), E_too_long, "a put beyond max is refused");
    check_that(c, b.n == 6, "and leaves the buffer as it was");
    check_code(c, buf_blob16(&b, span_text("a")), E_too_long, "a blob goes in whole or not at all");
    check_that(c, b.n == 6, "its length alone isn't put");
    check_code(c, buf_blob16(&b, span_text("")), E_ok, "an empty blob fills the rest");
    static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 0, 0 };
    check_that(c, span_equal(buf_span(&b), SPAN(want)), "integers are big-endian");
    uint8_t *room;
    check_code(c, buf_room(&b, SIZE_MAX, &room), E_too_long, "no sum wraps");
    check_code(c, buf_room(&b, 0, &room), E_ok, "no room is always there");
    buf_clear(&b);
    check_code(c, buf_printf(&b, "%d-%s", 12, "abcde"), E_ok, "buf_printf fills to max");
    check_that(c, span_is(buf_span(&b), "12-abcde"), "buf_printf writes no NUL");
    check_code(c, buf_printf(&b, "x"), E_too_long, "buf_printf keeps to max");
    AUTO_BUF none = BUF(0);
    check_code(c, buf_put(&none, (struct span){ NULL, 0 }), E_ok, "nothing fits into nothing");
    check_code(c, buf_u8(&none, 0), E_too_long, "a byte doesn't");
    AUTO_BUF big = BUF(100000);
    bool grown = true;
    for (unsigned i = 0; i < 25000; i++)
        grown = grown && is_ok(buf_u32(&big, i));
    check_that(c, grown && big.n == 100000 && big.p[99999] == (24999 & 255) && big.p[3] == 0, "a buffer grows up to max");
    buf_free(&big);
    buf_free(&big);
    check_that(c, big.p == NULL, "buf_free accepts a freed buffer");
}

/* A message of every field; reading any prefix of it is refused. */
static result read_all(struct reader *r)
{
    uint8_t a, copy[2];
    uint16_t b;
    uint32_t d;
    uint64_t e;
    struct span s;
    TRY(read_u8(r, &a));
    TRY(read_u16(r, &b));
    TRY(read_u32(r, &d));
    TRY(read_u64(r, &e));
    TRY(read_blob16(r, 3, &s));
    TRY(read_blob32(r, 3, &s));
    TRY(read_copy(r, copy, sizeof copy));
    bool same = a == 1 && b == 0x203 && d == 0x4050607 && e == 0x800000000000000f && span_is(s, "xyz") && copy[1] == 'q';
    return same ? read_end(r) : fail(E_bad_value);
}

static void readers(struct checks *c)
{
    AUTO_BUF b = BUF(64);
    bool put = is_ok(buf_u8(&b, 1)) && is_ok(buf_u16(&b, 0x203)) && is_ok(buf_u32(&b, 0x4050607)) &&
               is_ok(buf_u64(&b, 0x800000000000000f)) && is_ok(buf_blob16(&b, span_text("abc"))) &&
               is_ok(buf_blob32(&b, span_text("xyz"))) && is_ok(buf_text(&b, "pq"));
    struct reader r = reader_of(buf_span(&b));
    check_that(c, put, "a message is put together");
    check_code(c, read_all(&r), E_ok, "and read back");
    bool all = true;
    for (size_t n = 0; n < b.n; n++) {
        r = reader_of(span_part(buf_span(&b), 0, n));
        all = all && code_of(read_all(&r)) == E_truncated;
    }
    check_that(c, all, "each truncation of it is refused");
    check_code(c, buf_u8(&b, 0), E_ok, "a byte more");
    r = reader_of(buf_span(&b));
    check_code(c, read_all(&r), E_trailing_bytes, "is refused");
    struct span s;
    struct reader blob = reader_of(span_text("\x00\x04wxyz"));
    blob.s = (struct span){ (const uint8_t *)"\x00\x04wxyz", 6 };
    check_code(c, read_blob16(&blob, 3, &s), E_too_long, "a blob longer than its bound is refused");
    check_that(c, blob.at == 0, "and moves nothing");
    struct reader huge = reader_of((struct span){ (const uint8_t *)"\xff\xff\xff\xff", 4 });
    check_code(c, read_blob32(&huge, SIZE_MAX, &s), E_truncated, "a length beyond the input is refused");
    check_that(c, huge.at == 0, "and moves nothing either");
    uint8_t first;
    check_code(c, read_u8(&huge, &first), E_ok, "a byte");
    check_code(c, read_bytes(&huge, SIZE_MAX, &s), E_truncated, "no sum wraps in a reader");
}

struct text_row {
    const char *bytes, *text;
};

/* RFC 4648 section 10. */
static const struct text_row base64_rows[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xfb\xff\xfe", "+//+" },
};

static void encodings(struct checks *c)
{
    for (unsigned i = 0; i < sizeof base64_rows / sizeof *base64_rows; i++) {
        AUTO_BUF text = BUF(64);
        AUTO_BUF bytes = BUF(64);
        bool there = is_ok(b64_put(&text, span_text(base64_rows[i].bytes))) && span_is(buf_span(&text), base64_rows[i].text);
        bool back = is_ok(b64_read(buf_span(&text), &bytes)) && span_is(buf_span(&bytes), base64_rows[i].bytes);
        check_that(c, there && back, "base64 as in RFC 4648 section 10");
    }
    static const char *const not_base64[] = { "Zg=", "Zg", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zg\n=", "-_-_" };
    bool refused = true;
    AUTO_BUF out = BUF(64);
    for (unsigned i = 0; i < sizeof not_base64 / sizeof *not_base64; i++)
        refused = refused && code_of(b64_read(span_text(not_base64[i]), &out)) == E_bad_value;
    check_that(c, refused && out.n == 0, "what isn't the one base64 form is refused");

    static const char *const not_base64url[] = { "Z", "Zg==", "Zh", "Zm9", "+/+/", "Zm9vY", "Zm9v\n", " Zm9v", "Zm9\xc3" };
    refused = true;
    for (unsigned i = 0; i < sizeof not_base64url / sizeof *not_base64url; i++)
        refused = refused && code_of(b64url_read(span_text(not_base64url[i]), &out)) == E_bad_base64url;
    check_that(c, refused && out.n == 0, "what isn't canonical base64url is refused");
    check_that(c, is_ok(b64url_read(span_text("-__-"), &out)) && span_is(buf_span(&out), "\xfb\xff\xfe"), "base64url's alphabet");

    /* Of all texts of two and three characters exactly one stands for each byte or pair of bytes. */
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned two = 0, three = 0;
    for (unsigned i = 0; i < 64 * 64; i++) {
        uint8_t byte, pair[2];
        char text[3] = { alphabet[i >> 6], alphabet[i & 63], 0 };
        two += is_ok(b64url_fixed((struct span){ (uint8_t *)text, 2 }, &byte, 1));
        for (unsigned j = 0; j < 64; j++) {
            text[2] = alphabet[j];
            three += is_ok(b64url_fixed((struct span){ (uint8_t *)text, 3 }, pair, 2));
        }
    }
    check_that(c, two == 256 && three == 65536, "each value has one base64url text");
    uint8_t four[4] = { 1 };
    check_code(c, b64url_fixed(span_text("Zm9v"), four, 4), E_bad_value, "b64url_fixed wants exactly so many bytes");
    check_that(c, four[0] == 1, "and leaves the target on refusal");

    AUTO_BUF hex = BUF(64);
    check_that(c, is_ok(hex_put(&hex, span_text("\x01\xab"))) && span_is(buf_span(&hex), "01ab"), "hex is written in lower case");
    buf_clear(&out);
    check_that(c, is_ok(hex_read(span_text("01Ab"), &out)) && span_is(buf_span(&out), "\x01\xab"), "and read in either");
    check_code(c, hex_read(span_text("012"), &out), E_bad_value, "odd hex is refused");
    check_code(c, hex_read(span_text("0g"), &out), E_bad_value, "hex of other letters is refused");
}

static void digests(struct checks *c)
{
    /* FIPS 180-4, SHA-256 of "abc" */
    char text[DIGEST_TEXT + 1];
    struct digest abc = sha256(span_text("abc")), back;
    const struct span parts[] = { span_text("a"), span_text(""), span_text("bc") };
    struct digest together = sha256_parts(parts, 3);
    check_that(c, span_is(span_text(digest_text(&abc, text)), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"), "SHA-256 of abc");
    check_that(c, digest_equal(&abc, &together), "SHA-256 over parts");
    check_that(c, is_ok(digest_read(span_text(text), &back)) && digest_equal(&abc, &back), "a digest's text reads back");
    check_code(
        c, digest_read(span_text("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa1"), &back), E_bad_base64url, "one text a digest");
    check_code(c, digest_read(span_text("ungW"), &back), E_bad_value, "a digest has 32 bytes");
    check_that(c, digest_is_zero(&(struct digest){ 0 }) && !digest_is_zero(&abc), "digest_is_zero");
}

int main(void)
{
    struct checks c = { 0 };
    spans(&c);
    buffers(&c);
    readers(&c);
    encodings(&c);
    digests(&c);
    return checks_end(&c);
}
