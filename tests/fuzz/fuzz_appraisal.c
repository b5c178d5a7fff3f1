/* The documents of enrolment and appraisal; what proves a key; an EK's public area and certificate. The first byte says which. What
 * is read is what was written: writing it again gives the same bytes. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "attest/credential.h"
#include "attest/enrolment.h"
#include "attest/quote.h"
#include "attest/result.h"
#include "tests/unit/testkey.h"

#include <stdlib.h>

static void must_be(struct span s, const struct buf *again, result written)
{
    if (!is_ok(written) || !span_equal(s, buf_span(again)))
        abort();
}

static void challenge(struct span s, struct buf *again)
{
    struct challenge c;
    if (is_ok(challenge_parse(s, &c)))
        must_be(s, again, challenge_write(&c, again));
}

static void evidence(struct span s, struct buf *again)
{
    AUTO_EVIDENCE *e = NULL;
    if (is_ok(evidence_parse(s, &e)))
        must_be(s, again, evidence_write(e, again));
}

static void offer(struct span s, struct buf *again)
{
    AUTO_ENROLMENT_OFFER *o = NULL;
    if (is_ok(enrolment_offer_parse(s, &o)))
        must_be(s, again, enrolment_offer_write(o, again));
}

static void statement(struct span s, struct buf *again)
{
    struct enrolment_statement e;
    if (is_ok(enrolment_parse(s, &e)))
        must_be(s, again, enrolment_write(&e, again));
}

static void claims(struct span s, struct buf *again)
{
    struct result_claims r;
    if (is_ok(result_parse(s, &r)))
        must_be(s, again, result_write(&r, again));
}

static void preimage(struct span s, struct buf *again)
{
    struct quote_challenge q;
    if (is_ok(quote_challenge_read(s, &q)))
        must_be(s, again, quote_challenge_preimage(&q, again));
}

static void proof(struct span s)
{
    static struct testkey *key;
    if (!key)
        key = testkey_new(ALG_ES256);
    AUTO_PUBKEY *ak = NULL, *other = NULL, *stated = NULL;
    uint8_t name[TPM_NAME_SIZE];
    struct token_identity token;
    if (is_ok(ak_proof(s, name, &ak)) && !ak)
        abort();
    /* Nothing that comes from outside is certified or stated by a key that was made here. */
    if (is_ok(tpm_key_proof(s, testkey_public(key), NULL, &other)) ||
        is_ok(hsm_key_proof(s, testkey_public(key), "plant.example", "seb-1", &token, &stated)))
        abort();
}

static void ek(struct span s)
{
    static const uint8_t name[TPM_NAME_SIZE] = { 0, 11 };
    AUTO_BUF credential = BUF(CREDENTIAL_MAX), encrypted = BUF(CREDENTIAL_SEED_MAX);
    (void)is_ok(ek_public_check(s, s));
    if (!is_ok(make_credential(s, name, span_part(SPAN(name), 0, CREDENTIAL_SECRET_SIZE), &credential, &encrypted)) &&
        credential.n + encrypted.n > 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(struct span, struct buf *) = {
        ['c' - 'a'] = challenge,
        ['e' - 'a'] = evidence,
        ['o' - 'a'] = offer,
        ['p' - 'a'] = preimage,
        ['r' - 'a'] = claims,
        ['s' - 'a'] = statement,
    };
    AUTO_BUF again = BUF(ENROLMENT_TEXT_MAX);
    if (size == 0)
        return 0;
    struct span s = { data + 1, size - 1 };
    unsigned which = (unsigned)data[0] - 'a';
    if (which < sizeof parsers / sizeof *parsers && parsers[which])
        parsers[which](s, &again);
    else if (data[0] == 'k')
        proof(s);
    else
        ek(s);
    return 0;
}
