#include "config.h"

#include <stdio.h>

#include "attest/credential.h"
#include "attest/ek.h"
#include "tests/int/approved_driver.h"

static enum tpm_ek_kind ek_kind(const struct driver *d)
{
    return said(d, 1, "rsa") ? EK_RSA : said(d, 1, "p256") ? EK_P256 : EK_P384;
}

/* ek rsa|p256|p384: certificate and public area, of one key; ek.der and ek.public in the folder. */
result do_ek(struct driver *d)
{
    AUTO_BUF certificate = BUF(EK_CERTIFICATE_MAX), public = BUF(EK_PUBLIC_MAX);
    char path[512];
    TRY(tpm_ek_public(d->tpm, ek_kind(d), &public));
    snprintf(path, sizeof path, "%s/ek.public", d->folder);
    TRY(file_write(path, buf_span(&public), 0600, true));
    TRY(tpm_ek_certificate(d->tpm, ek_kind(d), &certificate));
    snprintf(path, sizeof path, "%s/ek.der", d->folder);
    TRY(file_write(path, buf_span(&certificate), 0600, true));
    return ek_public_check(buf_span(&certificate), buf_span(&public));
}

/* activate rsa|p256|p384 [other-ak|other-ek|damaged]: a credential for this TPM and attestation key, or not quite. */
result do_activate(struct driver *d)
{
    AUTO_BUF public = BUF(EK_PUBLIC_MAX), credential = BUF(CREDENTIAL_MAX), seed = BUF(CREDENTIAL_SEED_MAX), back = BUF(64);
    uint8_t name[TPM_NAME_SIZE];
    const struct span secret = span_text("an activation's secret of 32 byt");
    if (said(d, 2, "other-ek")) {
        char path[512];
        snprintf(path, sizeof path, "%s/other.public", d->folder);
        TRY(file_read(path, EK_PUBLIC_MAX, &public));
    } else {
        TRY(tpm_ek_public(d->tpm, ek_kind(d), &public));
    }
    TRY(tpm_key_name(d->ak, name));
    name[33] ^= said(d, 2, "other-ak");
    TRY(make_credential(buf_span(&public), name, secret, &credential, &seed));
    credential.p[credential.n - 1] ^= said(d, 2, "damaged");
    TRY(tpm_activate(d->tpm, ek_kind(d), d->ak, buf_span(&credential), buf_span(&seed), &back));
    return span_equal(buf_span(&back), secret) ? OK : fail(E_bad_value);
}
