/* Signatures over bytes that nobody parsed: certificates of 1 to 8 signatures, requests, statements. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/policy_world.h"

struct signed_by {
    const char *name;
    const char *who; /* a digit for an authority, s for the stranger */
    enum seb_code code;
    uint32_t authorities;
    unsigned distinct;
};
static const struct signed_by cases[] = {
    { "one", "0", E_ok, 1, 1 },
    { "another", "1", E_ok, 2, 1 },
    { "one of Ed25519", "2", E_ok, 4, 1 },
    { "three", "012", E_ok, 7, 3 },
    { "three in another order", "201", E_ok, 7, 3 },
    { "one, eight times", "00000000", E_ok, 1, 1 },
    { "two, eight times", "02020202", E_ok, 5, 2 },
    { "a stranger", "s", E_authority_unknown, 0, 0 },
    { "strangers", "ssss", E_authority_unknown, 0, 0 },
    { "a stranger first", "s1", E_ok, 2, 1 },
    { "a stranger last", "1s", E_ok, 2, 1 },
};

static void sign_as(struct world *w, const char *who)
{
    struct span s = span_text(who);
    w->signs_n = (unsigned)s.n;
    for (unsigned i = 0; i < s.n; i++)
        w->signs[i] = who[i] == 's' ? w->stranger : w->authority[who[i] - '0'];
}

static void check_signed_by(struct checks *c, const struct signed_by *t)
{
    struct world w;
    world_new(&w);
    sign_as(&w, t->who);
    world_build(&w);
    const struct signers *s = &w.facts.signers;
    check_that(c, s->code == t->code && s->authorities == t->authorities && s->distinct == t->distinct, t->name);
    world_free(&w);
}

/* Each bit of header, payload and signature of the first of two signatures. */
static void check_bits(struct checks *c)
{
    struct world w;
    unsigned wrong = 0;
    world_new(&w);
    sign_as(&w, "02");
    world_build(&w);
    const struct span parts[] = { w.certificate_jws.sig[0].protected_, w.certificate_jws.sig[0].signature,
        w.certificate_jws.payload };
    for (unsigned part = 0; part < 3; part++)
        for (size_t bit = 0; bit < parts[part].n * 8; bit += part == 2 ? 97 : 3) {
            uint8_t *byte = (uint8_t *)parts[part].p + bit / 8;
            *byte ^= (uint8_t)(1 << bit % 8);
            struct signers s = verify_certificate(w.policy, &w.certificate_jws);
            wrong += s.code != (part == 0 ? E_bad_header : E_certificate_forged) || s.authorities || s.distinct;
            *byte ^= (uint8_t)(1 << bit % 8);
        }
    check_that(c, wrong == 0, "no flipped bit is overlooked");
    check_that(c, verify_certificate(w.policy, &w.certificate_jws).code == E_ok, "and unflipped it verifies");
    world_free(&w);
}

static void check_shapes(struct checks *c)
{
    struct world w;
    world_new(&w);
    world_build(&w);
    struct jws j = w.certificate_jws;
    j.n = 0;
    check_that(c, verify_certificate(w.policy, &j).code == E_bad_jws, "no signature");
    j.n = JWS_SIGNATURES_MAX + 1;
    check_that(c, verify_certificate(w.policy, &j).code == E_bad_jws, "nine signatures");
    j = w.certificate_jws;
    j.sig[0].signature.n = 63;
    check_that(c, verify_certificate(w.policy, &j).code == E_certificate_forged, "a short signature");
    j = w.certificate_jws;
    j.sig[0].kid = *pubkey_thumbprint(testkey_public(w.authority[1]));
    check_that(c, verify_certificate(w.policy, &j).code == E_bad_header, "a kid beside the header that isn't the header's");
    world_free(&w);
}

static void check_statements(struct checks *c)
{
    struct testkey *key = testkey_new(ALG_ES256), *other = testkey_new(ALG_ES256);
    struct testkey *const both[] = { key, key };
    AUTO_BUF text = BUF(JWS_TEXT_MAX), twice = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX), arena_2 = BUF(JWS_TEXT_MAX);
    struct jws j, j_2;
    testkey_jws(both, 1, TYP_POLICY, span_text("{}"), &text);
    testkey_jws(both, 2, TYP_POLICY, span_text("{}"), &twice);
    must(is_ok(jws_parse_text(buf_span(&text), &arena, &j)) && is_ok(jws_parse_text(buf_span(&twice), &arena_2, &j_2)), "jws");
    check_code(c, verify_statement(testkey_public(key), TYP_POLICY, &j), E_ok, "a statement");
    check_code(c, verify_statement(testkey_public(key), TYP_EPOCH, &j), E_bad_header, "a statement of another type");
    check_code(c, verify_statement(testkey_public(other), TYP_POLICY, &j), E_bad_header, "a statement of another key");
    check_code(c, verify_statement(testkey_public(key), TYP_POLICY, &j_2), E_bad_jws, "a statement with two signatures");
    j.payload = span_text("[]");
    check_code(c, verify_statement(testkey_public(key), TYP_POLICY, &j), E_bad_signature, "a changed statement");
    testkey_free(key);
    testkey_free(other);
}

int main(void)
{
    struct checks c = { 0 };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        check_signed_by(&c, &cases[i]);
    check_bits(&c);
    check_shapes(&c);
    check_statements(&c);
    return checks_end(&c);
}
