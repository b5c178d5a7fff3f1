#include "config.h"

#include "tests/unit/check.h"

#include "base/json.h"
#include "base/log.h"

static result parse(const char *text, json_t **ret)
{
    return json_strict(span_text(text), 4096, ret);
}

struct refusal {
    const char *text;
    enum seb_code code;
};

static const struct refusal refusals[] = {
    { "", E_bad_json },
    { " ", E_bad_json },
    { "{", E_bad_json },
    { "]", E_bad_json },
    { "[1,]", E_bad_json },
    { "{\"a\":1,}", E_bad_json },
    { "{a:1}", E_bad_json },
    { "['a']", E_bad_json },
    { "[01]", E_bad_json },
    { "[-]", E_bad_json },
    { "[-01]", E_bad_json },
    { "[+1]", E_bad_json },
    { "[NaN]", E_bad_json },
    { "[tRUE]", E_bad_json },
    { "[1]/**/", E_trailing_bytes },
    { "\"text\"", E_bad_json },
    { "1", E_bad_json },
    { "null", E_bad_json },
    { "\xef\xbb\xbf[]", E_bad_json },
    { "[\"a\nb\"]", E_bad_json },
    { "[\"\\x\"]", E_bad_json },
    { "[\"\\u0000\"]", E_bad_json },
    { "{\"a\\u0000b\":1}", E_bad_json },
    { "[\"\\ud800\"]", E_bad_json },
    { "[\"\\udc00\\ud800\"]", E_bad_json },
    { "[\"\\ud83dx\"]", E_bad_json },
    { "[\"\xff\"]", E_bad_utf8 },
    { "[\"\xc0\xaf\"]", E_bad_utf8 },
    { "[\"\xed\xa0\x80\"]", E_bad_utf8 },
    { "[\"\xf4\x90\x80\x80\"]", E_bad_utf8 },
    { "[\"\xe2\x82\"]", E_bad_utf8 },
    { "{\"a\":1,\"a\":1}", E_duplicate_member },
    { "{\"a\":1,\"\\u0061\":2}", E_duplicate_member },
    { "[{\"b\":{\"a\":1,\"a\":1}}]", E_duplicate_member },
    { "[1.5]", E_not_integer },
    { "[1.0]", E_not_integer },
    { "[1e2]", E_not_integer },
    { "[1E400]", E_not_integer },
    { "[-0]", E_not_integer },
    { "{\"a\": -0 }", E_not_integer },
    { "[-0.0]", E_not_integer },
    { "[9007199254740992]", E_not_integer },
    { "[-9007199254740992]", E_not_integer },
    { "[9223372036854775808]", E_not_integer },
    { "[99999999999999999999999999999999999999]", E_not_integer },
    { "{\"a\":[{\"b\":9007199254740992}]}", E_not_integer },
    { "[] []", E_trailing_bytes },
    { "{}x", E_trailing_bytes },
    { "[]]", E_trailing_bytes },
    { "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", E_too_deep },
    { "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", E_too_deep },
};

static void strictness(struct checks *c)
{
    for (unsigned i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        AUTO_JSON *v = NULL;
        char name[128];
        check_code(c, parse(refusals[i].text, &v), refusals[i].code, log_quote(span_text(refusals[i].text), name, sizeof name));
        check_that(c, v == NULL, "nothing comes of it");
    }
    static const char *const good[] = {
        "[]",
        "{}",
        " \t\r\n[ 1 ]\n",
        "[9007199254740991,-9007199254740991,0,-1]",
        "[\"-0\",\"1.5 [[[[[[[[[[[[[[[[[[[[\"]",
        "[\"\\\"-0[[[[[[[[[[[[[[[[[[[[[[\"]",
        "[\"\\\\\",1]",
        "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
        "[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]",
        "[null,true,false]",
        "[\"\\ud83d\\ude00\"]",
        "{\"\":1}",
    };
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        AUTO_JSON *v = NULL;
        char name[128];
        check_code(c, parse(good[i], &v), E_ok, log_quote(span_text(good[i]), name, sizeof name));
    }
    AUTO_JSON *v = NULL;
    check_code(c, json_strict(span_text("[1234]"), 5, &v), E_too_long, "text beyond max is refused");
    check_code(c, json_strict((struct span){ (const uint8_t *)"[1\0]", 4 }, 9, &v), E_bad_json, "a NUL is refused");
    check_code(c, json_strict((struct span){ (const uint8_t *)"[1]\0", 4 }, 9, &v), E_bad_json, "a NUL behind is refused");
    AUTO_BUF deep = BUF(1 << 20);
    for (unsigned i = 0; i < 1 << 20; i++)
        if (!is_ok(buf_u8(&deep, i % 2 ? '[' : '{')))
            break;
    check_code(c, json_strict(buf_span(&deep), 1 << 20, &v), E_too_deep, "a million brackets don't reach the parser");
}

/* Every truncation is refused; no flip of a bit crashes, and what parses still has one canonical form that parses to the same. */
static void sweeps(struct checks *c)
{
    static const char text[] =
        "{\"a\":[1,-2,{\"\\u20ac\":\"x\\n\xe2\x82\xac\"}],\"b\":{\"c\":true,\"d\":null},\"e\":\"\xf0\x9f\x98\x80\"}";
    bool refused = true, stable = true;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        AUTO_JSON *v = NULL;
        refused = refused && !is_ok(json_strict((struct span){ (const uint8_t *)text, n }, 4096, &v));
    }
    check_that(c, refused, "each truncation is refused");
    for (size_t bit = 0; bit < (sizeof text - 1) * 8; bit++) {
        uint8_t flipped[sizeof text];
        AUTO_JSON *v = NULL;
        AUTO_BUF form = BUF(4096);
        if (!is_ok(span_copy(SPAN(text), flipped, sizeof text)))
            stable = false;
        flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!is_ok(json_strict((struct span){ flipped, sizeof text - 1 }, 4096, &v)))
            continue;
        AUTO_JSON *again = NULL;
        stable = stable && is_ok(json_canonical(v, &form)) && is_ok(json_strict(buf_span(&form), 4096, &again)) &&
                 json_equal(v, again) && is_ok(json_is_canonical(again, buf_span(&form)));
    }
    check_that(c, stable, "what a flipped bit leaves valid has a stable canonical form");
}

struct form {
    const char *text, *canonical;
};

static const struct form forms[] = {
    /* RFC 8785 section 3.2.2, without its reals */
    { "{\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}",
        "{\"literals\":[null,true,false],\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}" },
    /* RFC 8785 section 3.2.3 */
    { "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
      "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\",\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\","
        "\"\xe2\x82\xac\":\"Euro Sign\",\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet With "
        "Dagesh\"}" },
    { "{\"\xee\x80\x80\":1,\"\xf4\x8f\xbf\xbf\":2,\"\xed\x9f\xbf\":3,\"\xef\xbf\xbf\":4,\"\xf0\x90\x80\x80\":5}",
        "{\"\xed\x9f\xbf\":3,\"\xf0\x90\x80\x80\":5,\"\xf4\x8f\xbf\xbf\":2,\"\xee\x80\x80\":1,\"\xef\xbf\xbf\":4}" },
    { "{\"aa\":1,\"a\":2,\"\":3,\"B\":4,\"a\xc3\xa9\":5}", "{\"\":3,\"B\":4,\"a\":2,\"aa\":1,\"a\xc3\xa9\":5}" },
    { "[\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\u007f\"]", "[\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\"]" },
    { "[ -9007199254740991 , 0 , 10 ]", "[-9007199254740991,0,10]" },
    { "{\"b\":[{}],\"a\":[]}", "{\"a\":[],\"b\":[{}]}" },
};

static void canonical_forms(struct checks *c)
{
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        AUTO_JSON *v = NULL;
        AUTO_BUF out = BUF(4096);
        check_that(c, is_ok(parse(forms[i].text, &v)) && is_ok(json_canonical(v, &out)), "a value is put into canonical form");
        check_that(c, span_is(buf_span(&out), forms[i].canonical), forms[i].canonical);
        check_code(c, json_is_canonical(v, span_text(forms[i].canonical)), E_ok, "which is known as canonical");
        check_code(c, json_is_canonical(v, span_text(forms[i].text)), E_bad_value, "and the other isn't");
        struct digest of_value, of_text = sha256(span_text(forms[i].canonical));
        check_that(c, is_ok(json_digest(v, &of_value)) && digest_equal(&of_value, &of_text), "json_digest is over that form");
    }
    AUTO_JSON *v = NULL;
    AUTO_BUF small = BUF(8);
    check_code(c, buf_text(&small, "ab"), E_ok, "a buffer with something in it");
    check_code(c, parse("[123456]", &v), E_ok, "a value that doesn't fit");
    check_code(c, json_canonical(v, &small), E_too_long, "is refused");
    check_that(c, small.n == 2, "and leaves the buffer as it was");
    AUTO_JSON *real = json_pack("[f]", 1.5);
    AUTO_JSON *large = json_pack("[I]", (json_int_t)JSON_INT_MAX + 1);
    AUTO_JSON *nul = json_pack("[s#]", "a\0b", 3);
    AUTO_JSON *deep = json_array();
    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++)
        deep = json_pack("[o]", deep);
    check_code(c, json_canonical(real, &small), E_not_integer, "a real has no form");
    check_code(c, json_canonical(large, &small), E_not_integer, "nor has an integer beyond 2^53 - 1");
    check_code(c, json_canonical(nul, &small), E_bad_value, "nor a NUL");
    AUTO_BUF room = BUF(64);
    check_code(c, json_canonical(deep, &room), E_too_deep, "nor what nests too deep to be read");
}

/* RFC 8785 appendix B: an IEEE 754 double and its form. */
static void foreign_numbers(struct checks *c)
{
    static const struct {
        uint64_t bits;
        const char *form;
    } rows[] = {
        { 0x0000000000000000, "[0]" },
        { 0x8000000000000000, "[0]" },
        { 0x0000000000000001, "[5e-324]" },
        { 0x8000000000000001, "[-5e-324]" },
        { 0x7fefffffffffffff, "[1.7976931348623157e+308]" },
        { 0xffefffffffffffff, "[-1.7976931348623157e+308]" },
        { 0x4340000000000000, "[9007199254740992]" },
        { 0xc340000000000000, "[-9007199254740992]" },
        { 0x4430000000000000, "[295147905179352830000]" },
        { 0x44b52d02c7e14af5, "[9.999999999999997e+22]" },
        { 0x44b52d02c7e14af6, "[1e+23]" },
        { 0x44b52d02c7e14af7, "[1.0000000000000001e+23]" },
        { 0x444b1ae4d6e2ef4e, "[999999999999999700000]" },
        { 0x444b1ae4d6e2ef4f, "[999999999999999900000]" },
        { 0x444b1ae4d6e2ef50, "[1e+21]" },
        { 0x3eb0c6f7a0b5ed8c, "[9.999999999999997e-7]" },
        { 0x3eb0c6f7a0b5ed8d, "[0.000001]" },
        { 0x41b3de4355555553, "[333333333.3333332]" },
        { 0x41b3de4355555554, "[333333333.33333325]" },
        { 0x41b3de4355555555, "[333333333.3333333]" },
        { 0x41b3de4355555556, "[333333333.3333334]" },
        { 0x41b3de4355555557, "[333333333.33333343]" },
        { 0xbecbf647612f3696, "[-0.0000033333333333333333]" },
        { 0x43143ff3c1cb0959, "[1424953923781206.2]" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const union {
            uint64_t bits;
            double value;
        } number = { .bits = rows[i].bits };
        struct digest want = sha256(span_text(rows[i].form)), of_value, of_text;
        AUTO_JSON *v = json_pack("[f]", number.value);
        AUTO_JSON *read = NULL;
        check_code(c, json_foreign_digest(v, &of_value), E_ok, rows[i].form);
        check_that(c, digest_equal(&of_value, &want), "has this form");
        check_code(c, json_foreign(span_text(rows[i].form), 64, &read), E_ok, "which is read");
        check_that(c, is_ok(json_foreign_digest(read, &of_text)) && digest_equal(&of_text, &want), "and is its own");
    }
}

static void foreign(struct checks *c)
{
    static const struct refusal bad[] = {
        { "", E_bad_json },
        { "1", E_bad_json },
        { "[1,]", E_bad_json },
        { "[01]", E_bad_json },
        { "[NaN]", E_bad_json },
        { "[1e400]", E_not_integer },
        { "[\"\xff\"]", E_bad_utf8 },
        { "{\"a\":1,\"\\u0061\":2}", E_duplicate_member },
        { "[] []", E_trailing_bytes },
        { "{\"a\\u0000\":1}", E_bad_json },
    };
    AUTO_JSON *v = NULL;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        check_code(c, json_foreign(span_text(bad[i].text), 100, &v), bad[i].code, "what is no JSON to anybody");
    check_code(c, json_foreign(span_text("[1234]"), 5, &v), E_too_long, "text beyond max");
    check_code(c, json_foreign((struct span){ (const uint8_t *)"[1\0]", 4 }, 9, &v), E_bad_json, "a NUL outside of a string");
    AUTO_BUF deep = BUF(1024), deeper = BUF(1024);
    bool made = true;
    for (unsigned i = 0; i < 2 * JSON_FOREIGN_DEPTH_MAX; i++)
        made = made && is_ok(buf_u8(&deep, i < JSON_FOREIGN_DEPTH_MAX ? '[' : ']'));
    check_that(c, made && is_ok(buf_u8(&deeper, '[')) && is_ok(buf_put(&deeper, buf_span(&deep))), "arrays in arrays");
    check_code(c, json_foreign(buf_span(&deeper), 1024, &v), E_too_deep, "one too many of them");
    check_code(c, json_foreign(buf_span(&deep), 1024, &v), E_ok, "as deep as it goes");
    struct digest got, want = sha256(buf_span(&deep));
    check_that(c, is_ok(json_foreign_digest(v, &got)) && digest_equal(&got, &want), "its form is itself");
    AUTO_JSON *nul = NULL;
    check_code(c, json_foreign(span_text("[\"a\\u0000b\"]"), 100, &nul), E_ok, "a NUL in a string");
    check_code(c, json_foreign_digest(nul, &got), E_bad_value, "has no form");
}

static void members(struct checks *c)
{
    AUTO_JSON *o = NULL;
    const char *text;
    int64_t n;
    bool flag;
    const json_t *v;
    struct digest d;
    AUTO_BUF bytes = BUF(64);
    check_code(c,
        parse("{\"t\":\"abc\",\"e\":\"\",\"i\":5,\"f\":true,\"o\":{},\"a\":[1,2],\"b\":\"Zm9v\",\"z\":null,\"n\":\"Zg==\"}", &o),
        E_ok, "an object");
    check_code(
        c, json_closed(o, (const char *const[]){ "t", "e", "i", "f", "o", "a", "b", "z", "n", "more", NULL }), E_ok, "closed");
    check_code(c, json_closed(o, (const char *const[]){ "t", "e", "i", "f", "o", "a", "b", NULL }), E_unknown_member, "one more");
    check_code(c, json_closed(json_object_get(o, "a"), (const char *const[]){ NULL }), E_bad_type, "an array isn't closed");
    check_that(c, is_ok(json_text(o, "t", 3, &text)) && span_is(span_text(text), "abc"), "a text");
    check_code(c, json_text(o, "t", 2, &text), E_too_long, "too long a text");
    check_code(c, json_text(o, "e", 9, &text), E_bad_value, "an empty text");
    check_code(c, json_text(o, "x", 9, &text), E_missing_member, "no text");
    check_code(c, json_text(o, "i", 9, &text), E_bad_type, "a number for a text");
    check_code(c, json_text(NULL, "i", 9, &text), E_bad_type, "a member of nothing");
    check_that(c, is_ok(json_int(o, "i", 5, 5, &n)) && n == 5, "an integer");
    check_code(c, json_int(o, "i", 6, 9, &n), E_bad_value, "an integer that is too small");
    check_code(c, json_int(o, "i", 1, 4, &n), E_bad_value, "an integer that is too large");
    check_code(c, json_int(o, "t", 1, 4, &n), E_bad_type, "a text for an integer");
    check_that(c, is_ok(json_flag(o, "f", &flag)) && flag, "a flag");
    check_code(c, json_flag(o, "z", &flag), E_bad_type, "null for a flag");
    check_code(c, json_flag(o, "x", &flag), E_missing_member, "no flag");
    check_code(c, json_object_at(o, "o", &v), E_ok, "an object inside");
    check_code(c, json_object_at(o, "a", &v), E_bad_type, "an array for an object");
    check_code(c, json_array_at(o, "a", 2, 2, &v), E_ok, "an array");
    check_code(c, json_array_at(o, "a", 3, 4, &v), E_bad_value, "too short an array");
    check_code(c, json_array_at(o, "a", 0, 1, &v), E_too_long, "too long an array");
    check_that(c, is_ok(json_bytes_at(o, "b", 3, &bytes)) && span_is(buf_span(&bytes), "foo"), "bytes");
    check_code(c, json_bytes_at(o, "b", 2, &bytes), E_too_long, "too many bytes");
    check_code(c, json_bytes_at(o, "n", 9, &bytes), E_bad_base64url, "bytes in no base64url");
    check_code(c, json_digest_at(o, "b", &d), E_bad_value, "three bytes for a digest");
    check_that(c, json_has(o, "z") && !json_has(o, "x"), "json_has");
}

static void building(struct checks *c)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF out = BUF(512);
    struct digest d = sha256(span_text("abc"));
    struct digest back;
    bool put = is_ok(json_put_text(o, "t", "x")) && is_ok(json_put_span(o, "s", span_text("\xc3\xa9"))) &&
               is_ok(json_put_int(o, "i", -3)) && is_ok(json_put_flag(o, "f", false)) && is_ok(json_put_digest(o, "d", &d)) &&
               is_ok(json_put_b64url(o, "b", span_text("\xfb\xff"))) && is_ok(json_put_new(o, "a", json_array()));
    check_that(c, put && is_ok(json_canonical(o, &out)), "an object is built");
    check_that(c,
        span_is(buf_span(&out), "{\"a\":[],\"b\":\"-_8\",\"d\":\"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0\",\"f\":false,"
                                "\"i\":-3,\"s\":\"\xc3\xa9\",\"t\":\"x\"}"),
        "as told");
    check_that(c, is_ok(json_digest_at(o, "d", &back)) && digest_equal(&d, &back), "a digest reads back");
    check_code(c, json_put_text(o, "u", "\xff"), E_bad_utf8, "what isn't UTF-8 isn't put");
    check_code(c, json_put_span(o, "u", (struct span){ (const uint8_t *)"a\0b", 3 }), E_bad_value, "nor a NUL");
    check_code(c, json_put_int(o, "u", JSON_INT_MAX + 1), E_not_integer, "nor an integer beyond 2^53 - 1");
    check_code(c, json_put_new(o, "u", NULL), E_no_memory, "nor nothing");
    check_that(c, !json_has(o, "u"), "what is refused isn't there");
}

int main(void)
{
    struct checks c = { 0 };
    strictness(&c);
    sweeps(&c);
    canonical_forms(&c);
    foreign_numbers(&c);
    foreign(&c);
    members(&c);
    building(&c);
    return checks_end(&c);
}
