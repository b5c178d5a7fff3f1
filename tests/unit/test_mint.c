/* The claims of a credential: exactly those of docs/formats.md, the same bytes each time, and none that a target could replace. */
#include "config.h"

#include "base/json.h"
#include "mint/mint.h"
#include "tests/unit/check.h"
#include "tests/unit/testkey.h"

/* SHA-256("abc"), FIPS 180-4's example. */
#define ABC_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_B64 "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"

static const char put_claims[] =
    "{\"htm\":\"PUT\",\"use\":\"mutate\",\"hth\":\"docs.example:443\",\"htu\":\"/a/b\",\"if_match\":\"\\\"e1\\\"\","
    "\"sha256\":\"" ABC_HEX "\",\"ctype\":\"text/plain\"}";
static const char put_claims_shuffled[] =
    "{\"sha256\":\"" ABC_HEX "\",\"ctype\":\"text/plain\",\"if_match\":\"\\\"e1\\\"\",\"htu\":\"/a/b\",\"use\":\"mutate\","
    "\"hth\":\"docs.example:443\",\"htm\":\"PUT\"}";
static const char want[] =
    "{\"att\":\"none\",\"aud\":\"docs\",\"cid\":\"c-1\",\"ctype\":\"text/plain\",\"dom\":\"prod.example\",\"exp\":1700000010,"
    "\"hth\":\"docs.example:443\",\"htm\":\"PUT\",\"htu\":\"/a/b\",\"iat\":1700000000,\"if_match\":\"\\\"e1\\\"\",\"ins\":\"b1\","
    "\"iss\":\"https://prod.example/b1\",\"jti\":\"" ABC_B64 "\",\"sha256\":\"" ABC_HEX "\",\"sub\":\"seb:b1:" ABC_B64
    "\",\"use\":\"mutate\"}";

static struct mint_words words(const json_t *target_claims)
{
    return (struct mint_words){
        .domain = "prod.example",
        .instance = "b1",
        .audience = "docs",
        .cid = "c-1",
        .attestation = "none",
        .leaf = sha256(span_text("abc")),
        .iat = 1700000000,
        .exp = 1700000010,
        .target_claims = target_claims,
    };
}

static json_t *parsed(const char *text)
{
    json_t *v = NULL;
    return is_ok(json_strict(span_text(text), 4096, &v)) ? v : NULL;
}

static void test_claims(struct checks *c)
{
    AUTO_JSON *target = parsed(put_claims), *shuffled = parsed(put_claims_shuffled);
    struct mint_words w = words(target);
    AUTO_BUF first = BUF(CREDENTIAL_TEXT_MAX), again = BUF(CREDENTIAL_TEXT_MAX), other = BUF(CREDENTIAL_TEXT_MAX);
    check_code(c, mint_claims(&w, &first), E_ok, "claims are made");
    check_that(c, span_is(buf_span(&first), want), "they are exactly the documented ones, in RFC 8785 form");
    check_code(c, mint_claims(&w, &again), E_ok, "claims are made again");
    check_that(c, span_equal(buf_span(&first), buf_span(&again)), "the same words give the same bytes");
    w.target_claims = shuffled;
    check_code(c, mint_claims(&w, &other), E_ok, "claims are made from members in another order");
    check_that(c, span_equal(buf_span(&first), buf_span(&other)), "the order of members doesn't show");
    check_that(c, json_object_size(target) == 7, "the target's claims are left as they were");
}

/* Each word shows in the claims: a credential says all of what it is for. */
static void test_every_word_counts(struct checks *c)
{
    AUTO_JSON *target = parsed(put_claims), *other_target = parsed("{\"use\":\"read\"}");
    struct mint_words each[10];
    for (unsigned i = 0; i < 10; i++)
        each[i] = words(target);
    each[0].domain = "prod.example2";
    each[1].instance = "b2";
    each[2].audience = "docs2";
    each[3].cid = "c-2";
    each[4].attestation = "affirming";
    each[5].leaf.b[31] ^= 1;
    each[6].iat++;
    each[7].exp++;
    each[8].target_claims = other_target;
    unsigned differ = 0;
    for (unsigned i = 0; i < 10; i++) {
        AUTO_BUF out = BUF(CREDENTIAL_TEXT_MAX);
        if (is_ok(mint_claims(&each[i], &out)) && !span_is(buf_span(&out), want))
            differ++;
    }
    check_that(c, differ == 9, "each word, changed alone, changes the claims");
}

#define KEY_B64 "3q2-796tvu_erb7v3q2-796tvu_erb7v3q2-796tvu8" /* de ad be ef, eight times */
static const char object_claims[] = "{\"verb\":\"patch\",\"use\":\"mutate\",\"group\":\"apps\",\"namespace\":\"prod\",\"fields\":["
                                    "\"/spec/replicas=3\",\"/spec/paused\"]}";
static const char want_object[] =
    "{\"att\":\"none\",\"aud\":\"docs\",\"cid\":\"c-1\",\"dom\":\"prod.example\",\"exp\":1700000010,\"fields\":[\"/spec/"
    "replicas=3\","
    "\"/spec/paused\"],\"group\":\"apps\",\"iat\":1700000000,\"ins\":\"b1\",\"iss\":\"https://keys.example/seb/" KEY_B64
    "\",\"jti\":\"" ABC_B64 "\",\"namespace\":\"prod\",\"nbf\":1700000000,\"sub\":\"seb:b1:" ABC_B64
    "\",\"use\":\"mutate\",\"verb\":\"patch\"}";
static const char want_groups[] =
    "\"groups\":[\"broker\",\"attestation=none\",\"cid=c-1\",\"decision=" ABC_B64
    "\",\"group=apps\",\"namespace=prod\",\"use=mutate\",\"verb=patch\",\"field=/spec/replicas=3\",\"field=/spec/paused\"],";

static struct mint_words object_words(const json_t *target_claims)
{
    static const uint8_t key[DIGEST_SIZE] = { 0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef, 0xde, 0xad,
        0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef };
    struct mint_words w = words(target_claims);
    w.issuer = "https://keys.example/seb";
    for (unsigned i = 0; i < DIGEST_SIZE; i++)
        w.key.b[i] = key[i];
    return w;
}

/* One issuer a key; and the same words once more as groups, for who maps nothing else. */
static void test_issuers(struct checks *c)
{
    AUTO_JSON *target = parsed(object_claims);
    AUTO_BUF out = BUF(CREDENTIAL_TEXT_MAX), with = BUF(CREDENTIAL_TEXT_MAX), wanted = BUF(CREDENTIAL_TEXT_MAX);
    struct mint_words w = object_words(target);
    check_code(c, mint_claims(&w, &out), E_ok, "claims of a target that has issuers");
    check_that(c, span_is(buf_span(&out), want_object), "name the key's own issuer, and from when");
    w.groups = true;
    check_code(c, mint_claims(&w, &with), E_ok, "with groups");
    size_t at = 0;
    struct span plain = span_text(want_object);
    while (!span_is(span_part(plain, at, 6), "\"iat\":"))
        at++;
    bool made = is_ok(buf_put(&wanted, span_part(plain, 0, at))) && is_ok(buf_text(&wanted, want_groups)) &&
                is_ok(buf_put(&wanted, span_part(plain, at, plain.n)));
    check_that(c, made && span_equal(buf_span(&with), buf_span(&wanted)), "every word stands in a group, and nothing else changes");
    w.issuer = "";
    buf_clear(&out);
    check_code(c, mint_claims(&w, &out), E_ok, "an empty issuer is none");
    w = object_words(target);
    w.key.b[0] ^= 1;
    buf_clear(&out);
    check_that(c, is_ok(mint_claims(&w, &out)) && !span_is(buf_span(&out), want_object), "another key is another issuer");
}

static void test_issuers_refuse(struct checks *c)
{
    static const char *const own[] = { "nbf", "groups" };
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) {
        AUTO_JSON *target = parsed(object_claims);
        AUTO_BUF out = BUF(CREDENTIAL_TEXT_MAX);
        struct mint_words w = object_words(target);
        w.groups = true;
        bool put = is_ok(json_put_int(target, own[i], 1));
        check_code(c, put ? mint_claims(&w, &out) : OK, E_duplicate_member, own[i]);
    }
    AUTO_JSON *target = parsed(object_claims), *fields = json_array();
    AUTO_BUF out = BUF(CREDENTIAL_TEXT_MAX);
    struct mint_words w = object_words(target);
    w.groups = true;
    for (unsigned i = 0; i < 32; i++)
        json_array_append_new(fields, json_sprintf("/data/%0300u=1", i));
    json_object_set(target, "fields", fields);
    check_code(c, mint_claims(&w, &out), E_too_long, "groups that don't fit are refused");
    check_that(c, out.n == 0, "and leave nothing");
}

static void test_refusals(struct checks *c)
{
    static const char *const own[] = { "iss", "sub", "aud", "iat", "exp", "jti", "cid", "dom", "ins", "att" };
    unsigned refused = 0;
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) {
        AUTO_JSON *target = json_object();
        AUTO_BUF out = BUF(CREDENTIAL_TEXT_MAX);
        struct mint_words w = words(target);
        if (is_ok(json_put_int(target, own[i], 1)) && code_of(mint_claims(&w, &out)) == E_duplicate_member && !out.n)
            refused++;
    }
    check_that(c, refused == sizeof own / sizeof own[0], "a target can't replace a claim of every credential");

    AUTO_JSON *target = parsed(put_claims), *list = json_array();
    AUTO_BUF out = BUF(CREDENTIAL_TEXT_MAX), small = BUF(100);
    struct mint_words w = words(target);
    w.exp = w.iat;
    check_code(c, mint_claims(&w, &out), E_bad_value, "a credential without a life is refused");
    w = words(NULL);
    check_code(c, mint_claims(&w, &out), E_bad_value, "no target's claims: refused");
    w = words(list);
    check_code(c, mint_claims(&w, &out), E_bad_value, "target's claims that are no object: refused");
    w = words(target);
    w.iat = JSON_INT_MAX;
    w.exp = INT64_MAX;
    check_code(c, mint_claims(&w, &out), E_not_integer, "a time beyond 2^53 is refused");
    w = words(target);
    check_code(c, mint_claims(&w, &small), E_too_long, "claims that don't fit are refused");
    check_that(c, out.n == 0 && small.n == 0, "what is refused leaves nothing behind");
}

static void test_compact(struct checks *c)
{
    struct testkey *key = testkey_new(ALG_ES256);
    AUTO_BUF input = BUF(CREDENTIAL_TEXT_MAX), jwt = BUF(CREDENTIAL_TEXT_MAX), small = BUF(200);
    uint8_t raw[SIGNATURE_SIZE], back[SIGNATURE_SIZE];
    check_code(c, jws_signing_input(testkey_public(key), TYP_CREDENTIAL, span_text(want), &input), E_ok, "signing input");
    testkey_sign(key, buf_span(&input), raw);
    check_code(c, mint_compact(buf_span(&input), SPAN(raw), &jwt), E_ok, "compact serialization");

    struct span text = buf_span(&jwt);
    size_t first = span_find(text, 0, '.'), second = span_find(text, first + 1, '.');
    check_that(c, span_find(text, second + 1, '.') == text.n, "three parts (RFC 7515 section 7.1)");
    check_that(c,
        is_ok(b64url_fixed(span_part(text, second + 1, text.n), back, sizeof back)) &&
            is_ok(pubkey_verify(testkey_public(key), span_part(text, 0, second), SPAN(back))),
        "the third verifies the first two");
    check_code(c, mint_compact(buf_span(&input), span_part(SPAN(raw), 0, 63), &jwt), E_bad_value, "a short signature is refused");
    check_code(c, mint_compact((struct span){ NULL, 0 }, SPAN(raw), &jwt), E_bad_value, "nothing that was signed: refused");
    check_code(c, mint_compact(buf_span(&input), SPAN(raw), &small), E_too_long, "a credential that doesn't fit is refused");
    check_that(c, small.n == 0 && span_equal(text, buf_span(&jwt)), "what is refused leaves nothing behind");
    testkey_free(key);
}

int main(void)
{
    struct checks c = { 0 };
    test_claims(&c);
    test_every_word_counts(&c);
    test_issuers(&c);
    test_issuers_refuse(&c);
    test_refusals(&c);
    test_compact(&c);
    return checks_end(&c);
}
