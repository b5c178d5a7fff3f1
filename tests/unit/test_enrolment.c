/* What an enrolment must prove, each by name, with an EK certificate by the test's own manufacturer. Chains and credentials of real
 * TPMs: tests/int/attest-credential. */
#include "config.h"

#include "tests/unit/attest_world.h"
#include "tests/unit/check.h"
#include "tests/unit/ek_maker.h"

#include <stdlib.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct room {
    struct checks *c;
    struct attest_world *w;
    struct test_ek *ek;
    struct ek_roots *roots;
    struct enrolment_offer *offer;
};

static void fill(struct room *r)
{
    struct enrolment_offer *o = NULL;
    must(is_ok(enrolment_offer_new(&o)));
    world_answer(r->w);
    world_public(r->w->ak, r->w->ak_attributes, (struct span){ NULL, 0 }, &o->ak);
    o->eks = 1;
    must(is_ok(buf_put(&o->ek[0].certificate, test_ek_certificate(r->ek))));
    must(is_ok(buf_put(&o->ek[0].public, test_ek_public(r->ek))));
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        const struct evidence_key *k = &r->w->evidence->key[i];
        must(is_ok(buf_put(&o->key[i].evidence, buf_span(&k->evidence))));
        must(is_ok(span_copy_text(span_text(k->backend), o->key[i].backend, sizeof o->key[i].backend)));
        o->key[i].kid = k->kid;
    }
    enrolment_offer_free(r->offer);
    r->offer = o;
}

static result check(struct room *r, struct enrolment *ret)
{
    const struct enrolment_terms t = {
        .domain = WORLD_DOMAIN,
        .instance = WORLD_INSTANCE,
        .roots = r->roots,
        .policy_key = testkey_public(r->w->policy_key),
        .now = TEST_EK_NOW,
    };
    return enrolment_check(r->offer, &t, ret);
}

static void is(struct room *r, enum seb_code want, const char *what)
{
    struct enrolment e = { 0 };
    check_code(r->c, check(r, &e), want, what);
    enrolment_free(&e);
    fill(r);
}

static void proves(struct room *r)
{
    struct enrolment e = { 0 };
    fill(r);
    check_code(r->c, check(r, &e), E_ok, "an enrolment");
    check_that(
        r->c, e.ak && pubkey_equal(e.ak, testkey_public(r->w->ak)) && pubkey_equal(e.mint, testkey_public(r->w->mint)), "its keys");
    check_that(r->c, span_equal(SPAN(e.ak_name), SPAN(r->w->ak_name)) && !e.mint_in_hsm, "its AK's name");
    enrolment_free(&e);
    r->w->mint_in_hsm = true;
    fill(r);
    check_code(r->c, check(r, &e), E_ok, "with a mint key in an HSM");
    check_that(r->c, e.mint_in_hsm && span_is(span_text(e.token.manufacturer), "SoftHSM project"), "whose token is known");
    enrolment_free(&e);
    buf_clear(&r->offer->key[EVIDENCE_MINT].evidence);
    must(is_ok(buf_text(&r->offer->key[EVIDENCE_MINT].evidence, "{}")));
    check_code(r->c, check(r, &e), E_ok, "that isn't stated before a first lease");
    check_that(r->c, e.mint_in_hsm && !e.mint, "and so isn't proved");
    enrolment_free(&e);
    r->w->mint_in_hsm = false;
    fill(r);
    r->offer->eks = 2;
    must(is_ok(buf_put(&r->offer->ek[1].certificate, test_ek_certificate(r->ek))));
    must(is_ok(buf_put(&r->offer->ek[1].public, test_ek_public(r->ek))));
    buf_clear(&r->offer->ek[0].certificate);
    check_code(r->c, check(r, &e), E_ok, "of two EKs one is enough");
    check_that(r->c, e.ek_at == 1, "and it is named");
    enrolment_free(&e);
    fill(r);
}

static void refuses_eks(struct room *r)
{
    r->offer->eks = 0;
    is(r, E_ek_missing, "no EK");
    r->offer->ek[0].public.p[7] ^= 0x02;
    is(r, E_ek_attributes, "an EK that isn't fixed to its TPM");
    r->offer->ek[0].public.p[r->offer->ek[0].public.n - 1] ^= 1;
    is(r, E_ek_mismatch, "another key than its certificate's");
    r->offer->ek[0].certificate.n--;
    is(r, E_ek_certificate_bad, "a certificate cut");
    r->offer->ek[0].certificate.p[r->offer->ek[0].certificate.n - 1] ^= 1;
    is(r, E_ek_chain_unknown, "a certificate forged");
}

static void refuses_keys(struct room *r)
{
    struct attest_world *w = r->w;
    w->ak_attributes = WORLD_FREE_ATTRIBUTES;
    fill(r);
    is(r, E_ak_attributes, "an AK that isn't restricted");
    w->ak_attributes = WORLD_AK_ATTRIBUTES;
    fill(r);
    buf_clear(&r->offer->ak);
    world_public(w->stranger, WORLD_AK_ATTRIBUTES, (struct span){ NULL, 0 }, &r->offer->ak);
    is(r, E_ak_mismatch, "an AK from another TPM, offered for activation");
    r->offer->key[EVIDENCE_ATTESTATION].kid.b[0] ^= 1;
    is(r, E_ak_mismatch, "an AK under another's name");
    buf_clear(&r->offer->key[EVIDENCE_RECORD].evidence);
    world_key_evidence(
        w->record, WORLD_BOUND_ATTRIBUTES, digest_span(&w->key_policy), w->stranger, &r->offer->key[EVIDENCE_RECORD].evidence);
    is(r, E_key_not_certified, "a record key that another AK certified");
    buf_clear(&r->offer->key[EVIDENCE_MINT].evidence);
    world_key_evidence(w->mint, WORLD_FREE_ATTRIBUTES, digest_span(&w->key_policy), w->ak, &r->offer->key[EVIDENCE_MINT].evidence);
    is(r, E_key_without_policy, "a mint key that needs no policy");
    r->offer->key[EVIDENCE_MINT].kid.b[0] ^= 1;
    is(r, E_key_mismatch, "a mint key under another's name");
    r->offer->key[EVIDENCE_MINT].kid = r->offer->key[EVIDENCE_RECORD].kid;
    buf_clear(&r->offer->key[EVIDENCE_MINT].evidence);
    must(is_ok(buf_put(&r->offer->key[EVIDENCE_MINT].evidence, buf_span(&r->offer->key[EVIDENCE_RECORD].evidence))));
    is(r, E_key_mismatch, "one key for both");
}

static struct activation begun(const struct enrolment *e)
{
    struct activation a = { .secret = "0123456789abcdef0123456789abcde", .ek = e->ek.spki, .made = TEST_EK_NOW };
    must(is_ok(span_copy(SPAN(e->ak_name), a.ak_name, TPM_NAME_SIZE)));
    return a;
}

static void activates(struct room *r)
{
    struct enrolment e = { 0 };
    must(is_ok(check(r, &e)));
    struct activation a = begun(&e);
    uint8_t wrong[CREDENTIAL_SECRET_SIZE] = { 1 };
    check_code(r->c, activation_answer(&a, &e, SPAN(a.secret), TEST_EK_NOW + 300), E_ok, "the secret, in time");
    check_code(r->c, activation_answer(&a, &e, SPAN(a.secret), TEST_EK_NOW + 1), E_activation_replayed, "once");
    a = begun(&e);
    check_code(r->c, activation_answer(&a, &e, SPAN(wrong), TEST_EK_NOW), E_activation_failed, "another secret");
    check_code(r->c, activation_answer(&a, &e, SPAN(a.secret), TEST_EK_NOW), E_activation_replayed, "is the only guess");
    a = begun(&e);
    check_code(r->c, activation_answer(&a, &e, (struct span){ a.secret, 31 }, TEST_EK_NOW), E_activation_failed, "a shorter one");
    a = begun(&e);
    check_code(r->c, activation_answer(&a, &e, SPAN(a.secret), TEST_EK_NOW + 301), E_activation_replayed, "too late");
    a = begun(&e);
    a.ak_name[33] ^= 1;
    check_code(r->c, activation_answer(&a, &e, SPAN(a.secret), TEST_EK_NOW), E_activation_failed, "for another AK");
    a = begun(&e);
    a.ek.b[0] ^= 1;
    check_code(r->c, activation_answer(&a, &e, SPAN(a.secret), TEST_EK_NOW), E_activation_failed, "for another EK");
    enrolment_free(&e);
}

static void roots(struct checks *c, const struct test_ek *ek)
{
    struct ek_roots *r = NULL;
    AUTO_BUF pem = BUF(EK_ROOTS_MAX);
    check_code(c, ek_roots_read((struct span){ NULL, 0 }, &r), E_ek_roots_bad, "an empty bundle");
    check_code(c, ek_roots_read(span_text("no PEM"), &r), E_ek_roots_bad, "a bundle of nothing");
    must(is_ok(buf_put(&pem, test_ek_root(ek))));
    check_code(c, ek_roots_read(span_part(buf_span(&pem), 0, pem.n - 40), &r), E_ek_roots_bad, "a bundle cut short");
    must(is_ok(buf_text(&pem, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")));
    check_code(c, ek_roots_read(buf_span(&pem), &r), E_ek_roots_bad, "a bundle with something else in it");
    check_that(c, r == NULL, "and none came of it");
}

int main(void)
{
    struct checks c = { 0 };
    struct room r = { .c = &c, .w = world_new(), .ek = test_ek_new() };
    must(is_ok(ek_roots_read(test_ek_root(r.ek), &r.roots)));
    proves(&r);
    refuses_eks(&r);
    refuses_keys(&r);
    activates(&r);
    roots(&c, r.ek);
    enrolment_offer_free(r.offer);
    ek_roots_free(r.roots);
    test_ek_free(r.ek);
    world_free(r.w);
    return checks_end(&c);
}
