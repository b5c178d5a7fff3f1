#include "config.h"

#include "base/bytes.h"

static const char url_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char std_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Six bits of a character, plus one: 0 is a character outside the alphabet. */
#define COMMON_VALUES                                                                                                          \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, \
    ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,    \
    ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31,    \
    ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41,    \
    ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51,    \
    ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61,    \
    ['9'] = 62
static const uint8_t url_values[256] = { COMMON_VALUES, ['-'] = 63, ['_'] = 64 };
static const uint8_t std_values[256] = { COMMON_VALUES, ['+'] = 63, ['/'] = 64 };

static void write_chars(const char *chars, struct span s, char *to)
{
    size_t i = 0;
    for (; s.n - i >= 3; i += 3) {
        uint32_t v = (uint32_t)s.p[i] << 16 | (uint32_t)s.p[i + 1] << 8 | s.p[i + 2];
        *to++ = chars[v >> 18];
        *to++ = chars[v >> 12 & 63];
        *to++ = chars[v >> 6 & 63];
        *to++ = chars[v & 63];
    }
    if (s.n - i == 1) {
        *to++ = chars[s.p[i] >> 2];
        *to++ = chars[(s.p[i] & 3) << 4];
    } else if (s.n - i == 2) {
        *to++ = chars[s.p[i] >> 2];
        *to++ = chars[(s.p[i] & 3) << 4 | s.p[i + 1] >> 4];
        *to++ = chars[(s.p[i + 1] & 15) << 2];
    }
}

/* Whether text without padding is the one encoding of some bytes. */
static bool is_canonical(const uint8_t values[256], struct span text)
{
    unsigned outside = 0;
    for (size_t i = 0; i < text.n; i++)
        outside |= values[text.p[i]] == 0;
    if (outside || text.n % 4 == 1)
        return false;
    /* RFC 4648 section 3.5: pad bits are zero, or two texts would stand for the same bytes. */
    unsigned pad = text.n % 4 == 2 ? 15 : text.n % 4 == 3 ? 3 : 0;
    return !pad || ((values[text.p[text.n - 1]] - 1u) & pad) == 0;
}

static size_t decoded_size(size_t n)
{
    return n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0);
}

static void read_chars(const uint8_t values[256], struct span text, uint8_t *to)
{
    uint32_t v = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        v = v << 6 | (values[text.p[i]] - 1u);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (uint8_t)(v >> bits);
        }
    }
}

void b64url_chars(struct span s, char *to)
{
    write_chars(url_chars, s, to);
}

result b64url_put(struct buf *out, struct span s)
{
    uint8_t *to;
    if (s.n > SIZE_MAX / 4 - 4)
        return fail(E_too_long);
    TRY(buf_room(out, B64URL_LEN(s.n), &to));
    write_chars(url_chars, s, (char *)to);
    return OK;
}

result b64url_read(struct span text, struct buf *out)
{
    uint8_t *to;
    if (!is_canonical(url_values, text))
        return fail(E_bad_base64url);
    TRY(buf_room(out, decoded_size(text.n), &to));
    read_chars(url_values, text, to);
    return OK;
}

result b64url_fixed(struct span text, void *to, size_t n)
{
    if (!is_canonical(url_values, text))
        return fail(E_bad_base64url);
    if (decoded_size(text.n) != n)
        return fail(E_bad_value);
    read_chars(url_values, text, to);
    return OK;
}

result b64_put(struct buf *out, struct span s)
{
    uint8_t *to;
    if (s.n > SIZE_MAX / 4 - 4)
        return fail(E_too_long);
    size_t size = (s.n + 2) / 3 * 4;
    TRY(buf_room(out, size, &to));
    write_chars(std_chars, s, (char *)to);
    for (size_t i = B64URL_LEN(s.n); i < size; i++)
        to[i] = '=';
    return OK;
}

result b64_read(struct span text, struct buf *out)
{
    uint8_t *to;
    if (text.n % 4)
        return fail(E_bad_value);
    for (unsigned pad = 0; pad < 2 && text.n && text.p[text.n - 1] == '='; pad++)
        text.n--;
    if (!is_canonical(std_values, text))
        return fail(E_bad_value);
    TRY(buf_room(out, decoded_size(text.n), &to));
    read_chars(std_values, text, to);
    return OK;
}

result hex_put(struct buf *out, struct span s)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to;
    if (s.n > SIZE_MAX / 2)
        return fail(E_too_long);
    TRY(buf_room(out, s.n * 2, &to));
    for (size_t i = 0; i < s.n; i++) {
        to[2 * i] = (uint8_t)digits[s.p[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[s.p[i] & 15];
    }
    return OK;
}

/* 16 where c is no digit. */
static unsigned hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

result hex_read(struct span text, struct buf *out)
{
    uint8_t *to;
    if (text.n % 2)
        return fail(E_bad_value);
    for (size_t i = 0; i < text.n; i++)
        if (hex_value(text.p[i]) > 15)
            return fail(E_bad_value);
    TRY(buf_room(out, text.n / 2, &to));
    for (size_t i = 0; i < text.n / 2; i++)
        to[i] = (uint8_t)(hex_value(text.p[2 * i]) << 4 | hex_value(text.p[2 * i + 1]));
    return OK;
}
