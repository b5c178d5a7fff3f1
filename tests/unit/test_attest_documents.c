/* Challenge, evidence, enrolment, result: written and read back; each truncation and each flipped bit refused, or read as just what
 * it then says. */
#include "config.h"

#include "tests/unit/attest_world.h"
#include "tests/unit/check.h"

#include <stdlib.h>

#define TEXT_MAX EVIDENCE_TEXT_MAX

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Parses, and writes what was read. */
typedef result again(struct span text, struct buf *out);

static result challenge_again(struct span text, struct buf *out)
{
    struct challenge c;
    TRY(challenge_parse(text, &c));
    return challenge_write(&c, out);
}

static result evidence_again(struct span text, struct buf *out)
{
    AUTO_EVIDENCE *e = NULL;
    TRY(evidence_parse(text, &e));
    return evidence_write(e, out);
}

static result offer_again(struct span text, struct buf *out)
{
    AUTO_ENROLMENT_OFFER *o = NULL;
    TRY(enrolment_offer_parse(text, &o));
    return enrolment_offer_write(o, out);
}

static result statement_again(struct span text, struct buf *out)
{
    struct enrolment_statement s;
    TRY(enrolment_parse(text, &s));
    return enrolment_write(&s, out);
}

static result result_again(struct span text, struct buf *out)
{
    struct result_claims r;
    TRY(result_parse(text, &r));
    return result_write(&r, out);
}

static bool is_same(again *f, struct span text)
{
    AUTO_BUF out = BUF(TEXT_MAX);
    return is_ok(f(text, &out)) && span_equal(buf_span(&out), text);
}

/* `step`: of a long text only each so manieth byte's bits, or the sanitizers take minutes. */
static void sweeps(struct checks *c, again *f, struct span text, size_t step, const char *name)
{
    AUTO_BUF b = BUF(TEXT_MAX);
    unsigned refused = 0, cuts = 0, flips = 0, sound = 0;
    check_that(c, is_same(f, text), name);
    must(is_ok(buf_put(&b, text)));
    for (size_t n = 0; n < b.n; n += step, cuts++) {
        AUTO_BUF out = BUF(TEXT_MAX);
        refused += !is_ok(f(span_part(text, 0, n), &out));
    }
    check_that(c, refused == cuts, "cut it is refused");
    for (size_t i = 0; i < b.n * 8; i += i % 8 == 7 ? 8 * (step - 1) + 1 : 1, flips++) {
        AUTO_BUF out = BUF(TEXT_MAX);
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        sound += !is_ok(f(buf_span(&b), &out)) || span_equal(buf_span(&out), buf_span(&b));
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    check_that(c, sound == flips, "with a flipped bit it is refused, or read as it is");
    AUTO_BUF out = BUF(TEXT_MAX);
    must(is_ok(buf_u8(&b, ' ')));
    check_that(c, !is_ok(f(buf_span(&b), &out)), "with a space behind it it isn't canonical");
}

static struct challenge example(enum challenge_op op)
{
    struct challenge c = { .domain = "plant.example", .instance = "seb-1", .iat = WORLD_NOW, .op = op };
    c.nonce[0] = 7;
    c.has_seen = op == CHALLENGE_APPRAISE;
    c.seen = log_state_empty();
    c.document = DOCUMENT_IMA;
    c.offset = op == CHALLENGE_DOCUMENT ? 24000 : 0;
    c.credential_n = c.secret_n = op == CHALLENGE_ACTIVATE ? 3 : 0;
    return c;
}

static void challenges(struct checks *c)
{
    for (enum challenge_op op = 0; op < CHALLENGE_OPS; op++) {
        AUTO_BUF b = BUF(CHALLENGE_MAX);
        struct challenge was = example(op), is;
        check_code(c, challenge_write(&was, &b), E_ok, "a challenge is written");
        sweeps(c, challenge_again, buf_span(&b), 1, "a challenge is read as it was written");
        must(is_ok(challenge_parse(buf_span(&b), &is)));
        check_that(c, is.op == op && is.nonce[0] == 7 && is.has_seen == was.has_seen && is.offset == was.offset, "its members");
    }
    struct challenge t = example(CHALLENGE_APPRAISE);
    check_code(c, challenge_check(&t, "plant.example", "seb-1", WORLD_NOW + 60), E_ok, "within a minute");
    check_code(c, challenge_check(&t, "plant.example", "seb-1", WORLD_NOW + 61), E_challenge_stale, "no later");
    check_code(c, challenge_check(&t, "plant.example", "seb-1", WORLD_NOW - 61), E_challenge_stale, "no earlier");
    check_code(c, challenge_check(&t, "plant.example", "seb-2", WORLD_NOW), E_instance_mismatch, "for another instance");
    check_code(c, challenge_check(&t, "plant.exampl", "seb-1", WORLD_NOW), E_domain_mismatch, "for another domain");
}

static void refused_challenges(struct checks *c)
{
    static const struct {
        const char *text;
        enum seb_code want;
    } bad[] = {
        { "{\"domain\":\"d\",\"iat\":1,\"instance\":\"i\",\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"offset\":0,"
          "\"op\":"
          "\"appraise\",\"seen\":null}",
            E_unknown_member },
        { "{\"domain\":\"d\",\"iat\":1,\"instance\":\"i\",\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"op\":"
          "\"appraise\"}",
            E_missing_member },
        { "{\"domain\":\"d\",\"iat\":1,\"instance\":\"i\",\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"op\":"
          "\"sign\","
          "\"seen\":null}",
            E_bad_value },
        { "{\"domain\":\"d\",\"iat\":1,\"instance\":\"i\",\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"op\":"
          "\"appraise\","
          "\"seen\":{\"root\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"size\":0}}",
            E_bad_value },
        { "{\"domain\":\"d/"
          "e\",\"iat\":1,\"instance\":\"i\",\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"op\":\"appraise\","
          "\"seen\":null}",
            E_bad_value },
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct challenge t;
        check_code(c, challenge_parse(span_text(bad[i].text), &t), bad[i].want, bad[i].text);
    }
    struct challenge t = example(CHALLENGE_ACTIVATE);
    AUTO_BUF b = BUF(CHALLENGE_MAX);
    t.secret_n = CREDENTIAL_SEED_MAX + 1;
    check_code(c, challenge_write(&t, &b), E_bad_value, "no secret longer than its room");
}

static void evidences(struct checks *c, struct attest_world *w)
{
    AUTO_BUF whole = BUF(TEXT_MAX), part = BUF(TEXT_MAX), completed = BUF(TEXT_MAX), other = BUF(TEXT_MAX);
    w->has_ima = true;
    w->log_size = 9;
    world_answer(w);
    w->evidence->proof.n = 2;
    must(is_ok(evidence_write(w->evidence, &whole)));
    sweeps(c, evidence_again, buf_span(&whole), 13, "evidence is read as it was written");
    check_code(c, evidence_write_part(w->evidence, &part), E_ok, "the keeper's part of it");
    check_that(c, !is_same(evidence_again, buf_span(&part)), "alone is none");
    check_code(c, evidence_complete(buf_span(&part), &w->evidence->policy, &w->evidence->proof, &completed), E_ok, "completed");
    check_that(c, span_equal(buf_span(&completed), buf_span(&whole)), "it is the same");
    check_code(c, evidence_complete(buf_span(&whole), NULL, &w->evidence->proof, &other), E_unknown_member, "once alone");
    check_that(c, other.n == 0, "and nothing came of it");
}

static void results(struct checks *c, struct attest_world *w)
{
    struct result_claims r = { .build = "b", .developer = "d", .appraisal_policy = "p" }, is;
    struct appraisal v;
    AUTO_BUF text = BUF(RESULT_MAX);
    world_answer(w);
    must(is_ok(appraise(&w->args, &v)) && is_ok(appraisal_claims(&w->args, &v, 30, &r)));
    check_code(c, appraisal_claims(&w->args, &v, 301, &is), E_bad_value, "no longer than 300 s");
    appraisal_free(&v);
    check_code(c, result_write(&r, &text), E_ok, "a result");
    sweeps(c, result_again, buf_span(&text), 1, "is read as it was written");
    must(is_ok(result_parse(buf_span(&text), &is)));
    struct digest digest = sha256(buf_span(&text));
    check_that(c, digest_equal(&is.digest, &digest) && is.status == EAR_AFFIRMING && is.exp == WORLD_NOW + 30, "with its digest");
    struct result_claims bad = r;
    buf_clear(&text);
    bad.codes_n = 1;
    bad.codes[0] = E_quote_old;
    check_code(c, result_write(&bad, &text), E_bad_value, "affirming with a reservation isn't one");
    bad = r;
    bad.vector.value[EAR_HARDWARE] = 32;
    check_code(c, result_write(&bad, &text), E_bad_value, "nor affirming above its vector");
    bad.status = EAR_WARNING;
    check_code(c, result_write(&bad, &text), E_bad_value, "nor a warning of nothing");
    bad = r;
    bad.exp = bad.iat;
    check_code(c, result_write(&bad, &text), E_bad_value, "nor one without a time");
    bad.exp = bad.iat + 301;
    check_code(c, result_write(&bad, &text), E_bad_value, "nor one for longer");
}

static void tiers(struct checks *c)
{
    static const struct {
        int value;
        enum ear_status want;
    } rows[] = { { -128, EAR_CONTRAINDICATED }, { -97, EAR_CONTRAINDICATED }, { -96, EAR_WARNING }, { -33, EAR_WARNING },
        { -32, EAR_AFFIRMING }, { -2, EAR_AFFIRMING }, { -1, EAR_NONE }, { 0, EAR_NONE }, { 1, EAR_NONE }, { 2, EAR_AFFIRMING },
        { 31, EAR_AFFIRMING }, { 32, EAR_WARNING }, { 95, EAR_WARNING }, { 96, EAR_CONTRAINDICATED },
        { 127, EAR_CONTRAINDICATED } };
    bool all = true;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        all = all && ear_tier(rows[i].value) == rows[i].want;
    check_that(c, all, "AR4SI's tiers");
}

static void statements(struct checks *c, const struct attest_world *w)
{
    struct enrolment_statement s = { .activated = WORLD_NOW, .domain = WORLD_DOMAIN, .instance = WORLD_INSTANCE }, is;
    struct testkey *const verifier[] = { w->verifier };
    AUTO_BUF payload = BUF(4096), text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
    struct jws j;
    s.verifier = *pubkey_thumbprint(testkey_public(w->verifier));
    must(is_ok(enrolment_write(&s, &payload)));
    sweeps(c, statement_again, buf_span(&payload), 1, "an enrolment statement is read as it was written");
    testkey_jws(verifier, 1, TYP_ENROLMENT, buf_span(&payload), &text);
    must(is_ok(jws_parse_text(buf_span(&text), &arena, &j)));
    check_code(c, enrolment_open(&j, testkey_public(w->verifier), &is), E_ok, "by its verifier");
    check_code(c, enrolment_open(&j, testkey_public(w->stranger), &is), E_bad_header, "by nobody else");
    AUTO_BUF foreign = BUF(4096), text2 = BUF(JWS_TEXT_MAX), arena2 = BUF(JWS_TEXT_MAX);
    s.verifier = sha256(span_text("another"));
    must(is_ok(enrolment_write(&s, &foreign)));
    testkey_jws(verifier, 1, TYP_ENROLMENT, buf_span(&foreign), &text2);
    must(is_ok(jws_parse_text(buf_span(&text2), &arena2, &j)));
    check_code(c, enrolment_open(&j, testkey_public(w->verifier), &is), E_bad_value, "nor in another's name");
}

static void offers(struct checks *c, struct attest_world *w)
{
    AUTO_ENROLMENT_OFFER *o = NULL;
    AUTO_BUF text = BUF(TEXT_MAX);
    must(is_ok(enrolment_offer_new(&o)));
    world_answer(w);
    world_public(w->ak, WORLD_AK_ATTRIBUTES, (struct span){ NULL, 0 }, &o->ak);
    o->eks = 2;
    for (unsigned i = 0; i < 2; i++)
        must(is_ok(buf_text(&o->ek[i].certificate, "certificate")) && is_ok(buf_text(&o->ek[i].public, "public")));
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        must(is_ok(buf_put(&o->key[i].evidence, buf_span(&w->evidence->key[i].evidence))));
        must(is_ok(span_copy_text(span_text("tpm"), o->key[i].backend, sizeof o->key[i].backend)));
        o->key[i].kid = w->evidence->key[i].kid;
    }
    must(is_ok(enrolment_offer_write(o, &text)));
    sweeps(c, offer_again, buf_span(&text), 11, "an offer of enrolment is read as it was written");
}

static void preimages(struct checks *c)
{
    struct quote_challenge q = { .has_note = true, .policy_epoch = 3, .epoch = 4 }, is;
    q.nonce[0] = 1;
    q.lease_nonce[31] = 2;
    q.note_text = sha256(span_text("note"));
    for (unsigned with = 0; with < 2; with++) {
        AUTO_BUF b = BUF(512);
        unsigned refused = 0, sound = 0;
        q.has_note = with;
        must(is_ok(quote_challenge_preimage(&q, &b)));
        check_that(c, b.n == 2 + 22 + 34 + 34 + 2 + with * 32 + 10 + 10, "of the size that the format says");
        check_code(c, quote_challenge_read(buf_span(&b), &is), E_ok, "a challenge's preimage is read");
        for (size_t n = 0; n < b.n; n++)
            refused += !is_ok(quote_challenge_read(span_part(buf_span(&b), 0, n), &is));
        check_that(c, refused == b.n, "cut it is refused");
        for (size_t i = 0; i < b.n * 8; i++) {
            AUTO_BUF out = BUF(512);
            b.p[i / 8] ^= (uint8_t)(1 << i % 8);
            bool read = is_ok(quote_challenge_read(buf_span(&b), &is));
            sound += !read || (is_ok(quote_challenge_preimage(&is, &out)) && span_equal(buf_span(&out), buf_span(&b)));
            b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        check_that(c, sound == b.n * 8, "with a flipped bit it is refused, or read as it is");
        struct digest text;
        uint64_t policy_epoch, epoch;
        check_code(c, quote_preimage_read(buf_span(&b), &text, &policy_epoch, &epoch), E_bad_quote, "it is no checkpoint's");
    }
}

int main(void)
{
    struct checks c = { 0 };
    struct attest_world *w = world_new();
    challenges(&c);
    refused_challenges(&c);
    evidences(&c, w);
    results(&c, w);
    tiers(&c);
    statements(&c, w);
    offers(&c, w);
    preimages(&c);
    world_free(w);
    return checks_end(&c);
}
