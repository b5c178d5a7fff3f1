/* What a TPM states, as if the attestation key had signed it; a checkpoint's preimage; a public area. The first byte says which. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "attest/quote.h"
#include "tests/unit/testkey.h"

#include <stdlib.h>

static bool lies_in(struct span part, struct span whole)
{
    return part.n == 0 || (part.p >= whole.p && part.n <= whole.n && (size_t)(part.p - whole.p) <= whole.n - part.n);
}

static void statement(struct span s)
{
    static struct testkey *ak;
    if (!ak)
        ak = testkey_new(ALG_ES256);
    uint8_t raw[SIGNATURE_SIZE];
    AUTO_BUF der = BUF(128);
    struct attest a;
    testkey_sign(ak, s, raw);
    if (!is_ok(ecdsa_to_der(SPAN(raw), &der)))
        abort();
    if (!is_ok(attest_open(s, buf_span(&der), testkey_public(ak), &a)))
        return;
    const struct span parts[] = { a.extra, a.pcr_selection, a.pcr_digest, a.name, a.qualified_name };
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!lies_in(parts[i], s))
            abort();
}

static void preimage(struct span s)
{
    struct digest text;
    uint64_t policy_epoch, epoch;
    AUTO_BUF again = BUF(256);
    if (!is_ok(quote_preimage_read(s, &text, &policy_epoch, &epoch)))
        return;
    if (!is_ok(quote_preimage(&text, policy_epoch, epoch, &again)) || !span_equal(s, buf_span(&again)))
        abort();
}

static void public_area(struct span s)
{
    struct digest name;
    AUTO_PUBKEY *key = NULL;
    uint32_t attributes;
    if (is_ok(tpm_public_read(s, &name, &key, &attributes)) && !key)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span s = { data + 1, size - 1 };
    switch (data[0]) {
    case 'a':
        statement(s);
        break;
    case 'p':
        preimage(s);
        break;
    default:
        public_area(s);
    }
    return 0;
}
