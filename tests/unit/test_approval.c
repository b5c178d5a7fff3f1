/* attest/approval, attest/reference: what the policy key signed and nothing else; what differs, by name. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/testkey.h"
#include "tests/unit/vectors.h"

#include "attest/approval.h"
#include "attest/reference.h"

#include <stdlib.h>

static void must(result r)
{
    if (!is_ok(r))
        abort();
}

/* Who signs, and what is signed. */
struct room {
    struct testkey *policy, *other, *lease, *person[3];
    struct approval plan;
};

static void room_make(struct room *r)
{
    AUTO_JSON *rows = vectors_load("approvals");
    *r = (struct room){ .policy = testkey_new(ALG_ES256), .other = testkey_new(ALG_ES256), .lease = testkey_new(ALG_ES256) };
    r->person[0] = testkey_new(ALG_ES256);
    r->person[1] = testkey_new(ALG_EDDSA);
    r->person[2] = testkey_new(ALG_ES256);
    must(approval_plan_parse(span_text(vector_text(json_array_get(rows, 0), "plan")), &r->plan));
}

static void room_free(struct room *r)
{
    testkey_free(r->policy);
    testkey_free(r->other);
    testkey_free(r->lease);
    for (unsigned i = 0; i < 3; i++)
        testkey_free(r->person[i]);
    approval_free(&r->plan);
}

static void raw_sign(const struct testkey *k, const struct digest *policy, const struct digest *ref, uint8_t ret[SIGNATURE_SIZE])
{
    AUTO_BUF message = BUF(2 * DIGEST_SIZE);
    must(buf_put(&message, digest_span(policy)));
    must(buf_put(&message, digest_span(ref)));
    testkey_sign(k, buf_span(&message), ret);
}

struct making {
    struct testkey *const *signers; /* of the JWS */
    unsigned n;
    struct testkey *raw;
    const char *typ;
    const struct digest *raw_policy, *raw_ref; /* NULL: the approval's */
    struct span payload; /* empty: the approval's */
};

static void make(const struct room *r, const struct making *m, struct buf *out)
{
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    struct jws j;
    must(approval_payload(&r->plan, &payload));
    testkey_jws(m->signers, m->n, m->typ ? m->typ : TYP_APPROVAL, m->payload.n ? m->payload : buf_span(&payload), &text);
    must(jws_parse_text(buf_span(&text), &arena, &j));
    raw_sign(m->raw, m->raw_policy ? m->raw_policy : &r->plan.policy, m->raw_ref ? m->raw_ref : &r->plan.ref, raw);
    must(approval_write(&j, raw, out));
}

static result open_made(const struct room *r, const struct making *m)
{
    AUTO_BUF file = BUF(APPROVAL_TEXT_MAX);
    AUTO_APPROVAL_FILE f = { 0 };
    make(r, m, &file);
    return approval_open(buf_span(&file), testkey_public(r->policy), &f);
}

static void opens(struct checks *c, const struct room *r)
{
    struct testkey *const mine[] = { r->policy }, *const others[] = { r->other }, *const both[] = { r->person[0], r->policy };
    struct digest x = sha256(span_text("x"));
    check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy }), E_ok, "an approval");
    check_code(c, open_made(r, &(struct making){ .signers = both, .n = 2, .raw = r->policy }), E_ok, "signed by another first");
    check_code(
        c, open_made(r, &(struct making){ .signers = others, .n = 1, .raw = r->policy }), E_approval_invalid, "another key's JWS");
    check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->other }), E_approval_invalid,
        "another key's signature for the TPM");
    check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy, .typ = TYP_POLICY }),
        E_approval_invalid, "another kind of document");
    check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy, .raw_policy = &x }), E_approval_invalid,
        "a signature over another policy");
    check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy, .raw_ref = &x }), E_approval_invalid,
        "a signature over another TPM's reference");
}

/* Each part of the payload is in the policy, or in what the JWS signs; a policy that isn't the rest's is refused even so signed. */
static void holds_together(struct checks *c, const struct room *r)
{
    static const char *const members[] = { "pcr", "counter" };
    struct testkey *const mine[] = { r->policy };
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX);
    must(approval_payload(&r->plan, &payload));
    for (unsigned i = 0; i < sizeof members / sizeof *members; i++) {
        AUTO_JSON *v = NULL;
        AUTO_BUF changed = BUF(JWS_PAYLOAD_MAX);
        must(json_strict(buf_span(&payload), JWS_PAYLOAD_MAX, &v));
        must(json_put_int(v, members[i], 1));
        must(json_canonical(v, &changed));
        check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy, .payload = buf_span(&changed) }),
            E_approval_invalid, members[i]);
    }
    static const char *const digests[] = { "pcr_value", "policy", "ref" };
    struct digest x = sha256(span_text("x"));
    for (unsigned i = 0; i < sizeof digests / sizeof *digests; i++) {
        AUTO_JSON *v = NULL;
        AUTO_BUF changed = BUF(JWS_PAYLOAD_MAX);
        must(json_strict(buf_span(&payload), JWS_PAYLOAD_MAX, &v));
        must(json_put_digest(v, digests[i], &x));
        must(json_canonical(v, &changed));
        check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy, .payload = buf_span(&changed) }),
            E_approval_invalid, digests[i]);
    }
}

static void other_lease(struct checks *c, const struct room *r)
{
    struct testkey *const mine[] = { r->policy };
    struct approval changed = r->plan;
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX);
    AUTO_JSON *v = NULL, *jwk = NULL;
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    must(approval_payload(&r->plan, &payload));
    must(json_strict(buf_span(&payload), JWS_PAYLOAD_MAX, &v));
    must(pubkey_jwk(testkey_public(r->lease), &jwk));
    must(json_put_new(v, "lease", json_incref(jwk)));
    must(json_canonical(v, &text));
    check_code(c, open_made(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy, .payload = buf_span(&text) }),
        E_approval_invalid, "another lease key");
    changed.lease = testkey_public(r->person[1]);
    buf_clear(&payload);
    check_code(c, approval_payload(&changed, &payload), E_bad_key, "a lease key that no TPM verifies isn't written");
    changed = r->plan;
    changed.counter = UINT64_C(1) << 53;
    check_code(c, approval_plan_write(&changed, &payload), E_bad_value, "nor a counter that JSON can't hold");
}

static void sweeps(struct checks *c, const struct room *r)
{
    struct testkey *const mine[] = { r->policy };
    AUTO_BUF file = BUF(APPROVAL_TEXT_MAX);
    make(r, &(struct making){ .signers = mine, .n = 1, .raw = r->policy }, &file);
    unsigned refused = 0;
    for (size_t n = 0; n < file.n; n++) {
        AUTO_APPROVAL_FILE f = { 0 };
        refused += !is_ok(approval_open(span_part(buf_span(&file), 0, n), testkey_public(r->policy), &f));
    }
    check_that(c, refused == file.n, "a cut file is refused");
    refused = 0;
    for (size_t bit = 0; bit < file.n * 8; bit++) {
        AUTO_APPROVAL_FILE f = { 0 };
        file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused += !is_ok(approval_open(buf_span(&file), testkey_public(r->policy), &f));
        file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_that(c, refused == file.n * 8, "each flipped bit is refused");
    AUTO_APPROVAL_FILE f = { 0 };
    check_code(c, approval_open(buf_span(&file), testkey_public(r->person[1]), &f), E_approval_invalid,
        "an Ed25519 key approves nothing: no TPM verifies it");
    check_code(c, approval_open(buf_span(&file), testkey_public(r->policy), &f), E_ok, "unharmed it opens");
}

static result count(const struct room *r, struct testkey *const *signers, unsigned n, const struct testkey *const *known,
    unsigned known_n, unsigned *ret)
{
    AUTO_BUF file = BUF(APPROVAL_TEXT_MAX);
    AUTO_APPROVAL_FILE f = { 0 };
    const struct pubkey *keys[4];
    make(r, &(struct making){ .signers = signers, .n = n, .raw = r->policy }, &file);
    must(approval_open(buf_span(&file), testkey_public(r->policy), &f));
    for (unsigned i = 0; i < known_n; i++)
        keys[i] = testkey_public(known[i]);
    return approval_countersigned(&f, testkey_public(r->policy), keys, known_n, ret);
}

static void counts(struct checks *c, const struct room *r)
{
    struct testkey *const all[] = { r->policy, r->person[0], r->person[1], r->other };
    struct testkey *const twice[] = { r->policy, r->person[0], r->person[0] };
    const struct testkey *const people[] = { r->person[0], r->person[1], r->person[2] };
    const struct testkey *const same[] = { r->person[0], r->person[0], r->policy };
    unsigned n = 9;
    check_that(c, is_ok(count(r, all, 4, people, 3, &n)) && n == 2, "two of three signed, a stranger too");
    check_that(c, is_ok(count(r, all, 1, people, 3, &n)) && n == 0, "nobody but the policy key");
    check_that(c, is_ok(count(r, twice, 3, people, 3, &n)) && n == 1, "one who signs twice is one");
    check_that(c, is_ok(count(r, all, 4, same, 3, &n)) && n == 1, "one who is named twice is one, and the policy key none");
    check_that(c, is_ok(count(r, all, 4, people, 0, &n)) && n == 0, "where nobody is asked for, nobody counts");
}

/* A signature that names a countersigner and isn't its. */
static void counts_forged(struct checks *c, const struct room *r)
{
    struct testkey *const both[] = { r->policy, r->person[0] };
    const struct pubkey *const keys[] = { testkey_public(r->person[0]) };
    AUTO_BUF file = BUF(APPROVAL_TEXT_MAX);
    AUTO_APPROVAL_FILE f = { 0 };
    unsigned n = 9;
    make(r, &(struct making){ .signers = both, .n = 2, .raw = r->policy }, &file);
    must(approval_open(buf_span(&file), testkey_public(r->policy), &f));
    f.jws.sig[1].signature = f.jws.sig[0].signature;
    check_code(c, approval_countersigned(&f, testkey_public(r->policy), keys, 1, &n), E_approval_invalid, "a forged one spoils it");
    check_that(c, n == 9, "and nothing is counted");
}

static struct reference reference_load(unsigned i)
{
    AUTO_JSON *rows = vectors_load("references");
    struct reference r;
    must(reference_parse(span_text(vector_text(json_array_get(rows, i), "payload")), &r));
    return r;
}

static bool differs(const struct differences *d, unsigned i, const char *name, bool missing, bool known)
{
    return i < d->n && span_is(span_text(d->one[i].name), name) && d->one[i].missing == missing &&
           (d->one[i].allowed != NULL) == known;
}

static void judges(struct checks *c, const struct room *room)
{
    struct reference r = reference_load(0);
    struct cel_state s = room->plan.measured;
    struct differences d = { 0 };
    struct digest x = sha256(span_text("x"));
    reference_judge(&r, &s, &d);
    check_that(c, d.n == 0, "what was measured is what may be");
    must(cel_put(&s, "seb-core", &x));
    must(cel_put(&s, CEL_CONFIGURATION, &x));
    must(cel_put(&s, "more", &x));
    reference_judge(&r, &s, &d);
    check_that(c,
        d.n == 3 && differs(&d, 0, "seb-core", false, true) && differs(&d, 1, CEL_CONFIGURATION, false, true) &&
            differs(&d, 2, "more", false, false),
        "what differs is named, and nothing else");
    AUTO_BUF text = BUF(1024), wanted = BUF(1024);
    char measured[DIGEST_TEXT + 1], allowed[DIGEST_TEXT + 1];
    must(difference_text(&d.one[0], &text));
    must(buf_printf(
        &wanted, "seb-core: measured %s, allowed %s", digest_text(&x, measured), digest_text(&r.executables[2].v[0], allowed)));
    check_that(c, span_equal(buf_span(&text), buf_span(&wanted)), "in words too");
    s = (struct cel_state){ 0 };
    d = (struct differences){ 0 };
    reference_judge(&r, &s, &d);
    check_that(c, d.n == 6 && differs(&d, 0, "sebd", true, true) && differs(&d, 5, CEL_CONFIGURATION, true, true),
        "what wasn't measured is missing");
}

static void judges_pcrs(struct checks *c)
{
    struct reference r = reference_load(1);
    struct differences d = { 0 };
    struct digest pcr[TPM_PCRS] = { { { 0 } } };
    pcr[0] = sha256(span_text("b"));
    pcr[7] = sha256(span_text("c"));
    reference_judge_pcrs(&r, 1 | 1 << 7 | 1 << 23, pcr, &d);
    check_that(c, d.n == 0, "PCRs as they may be");
    reference_judge_pcrs(&r, 1 | 1 << 23, pcr, &d);
    check_that(c, d.n == 1 && differs(&d, 0, "pcr.7", true, true), "one that wasn't quoted");
    d = (struct differences){ 0 };
    pcr[23].b[0] = 1;
    pcr[5].b[0] = 1;
    reference_judge_pcrs(&r, 0xffffff, pcr, &d);
    check_that(c, d.n == 1 && differs(&d, 0, "pcr.23", false, true), "one of another value; of others any will do");
    for (unsigned i = 0; i < 2 * DIFFERENCES_MAX; i++)
        reference_judge_pcrs(&r, 0, pcr, &d);
    check_that(c, d.n == DIFFERENCES_MAX, "a list that is full stays so");
}

static void references_are_closed(struct checks *c)
{
    static const struct {
        const char *name, *text;
        enum seb_code code;
    } rows[] = {
        { "nothing", "{}", E_missing_member },
        { "an executable less",
            "{\"configuration\":[],\"domain\":\"d\",\"executables\":{\"sebd\":[]},\"iat\":1,\"pcrs\":{},\"version\":\"1\"}",
            E_bad_value },
        { "a member more", "{\"x\":1}", E_unknown_member },
    };
    struct reference r;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        check_code(c, reference_parse(span_text(rows[i].text), &r), rows[i].code, rows[i].name);
    static const char *const numbers[] = { "24", "00", "x", "-1" };
    r = reference_load(1);
    AUTO_BUF text = BUF(REFERENCE_TEXT_MAX);
    must(reference_write(&r, &text));
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        AUTO_JSON *v = NULL;
        AUTO_BUF changed = BUF(REFERENCE_TEXT_MAX);
        must(json_strict(buf_span(&text), REFERENCE_TEXT_MAX, &v));
        json_t *pcrs = json_object_get(v, "pcrs");
        must(json_put_new(pcrs, numbers[i], json_deep_copy(json_object_get(pcrs, "7"))));
        must(json_canonical(v, &changed));
        check_code(c, reference_parse(buf_span(&changed), &r), E_unknown_member, "a PCR that isn't one");
    }
}

int main(void)
{
    struct checks c = { 0 };
    struct room r;
    room_make(&r);
    opens(&c, &r);
    holds_together(&c, &r);
    other_lease(&c, &r);
    sweeps(&c, &r);
    counts(&c, &r);
    counts_forged(&c, &r);
    judges(&c, &r);
    judges_pcrs(&c);
    references_are_closed(&c);
    room_free(&r);
    return checks_end(&c);
}
