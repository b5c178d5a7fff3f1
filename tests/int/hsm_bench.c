/* What one operation of each key store costs, p50 in microseconds: TPM SOCKET AK RECORD, then MODULE TOKEN PINFILE LABEL. Linked
 * twice, with and without the cure of hsm/ossl_shared_ctx.h. No test: it asserts no time. */
#include "config.h"

#include "base/clock.h"
#include "hsm/pkcs11.h"
#include "hsm/tpm_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 400

struct bench {
    struct hsm_key *key;
    struct digest digest;
    ESYS_TR session;
};

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static result measure(const char *what, struct bench *b, result (*run)(struct bench *b))
{
    int64_t us[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t from = clock_mono_us();
        TRY(run(b));
        us[i] = clock_mono_us() - from;
    }
    qsort(us, ROUNDS, sizeof us[0], compare);
    printf("%-40s %6lld\n", what, (long long)us[ROUNDS / 2]);
    return OK;
}

static result sign(struct bench *b)
{
    uint8_t raw[SIGNATURE_SIZE];
    return hsm_sign(b->key, &b->digest, raw);
}

static result quote(struct bench *b)
{
    struct tpm_quote q;
    TRY(tpm_quote(b->key, 1u << 12 | 1, &b->digest, &q));
    tpm_quote_free(&q);
    return OK;
}

static result sign_in_session(struct bench *b)
{
    const struct tpm_key *k = (const struct tpm_key *)b->key;
    TPM2B_DIGEST d = { .size = DIGEST_SIZE };
    const TPMT_SIG_SCHEME own_scheme = { .scheme = TPM2_ALG_NULL };
    const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
    AUTO_ESYS TPMT_SIGNATURE *signature = NULL;
    return tpm_result(
        Esys_Sign(k->tpm->esys, k->tr, b->session, ESYS_TR_NONE, ESYS_TR_NONE, &d, &own_scheme, &no_ticket, &signature));
}

/* Salted to the ECC storage primary, parameters encrypted, as provisioning has it. */
static result salted(struct tpm *t, struct bench *b)
{
    static const TPM2B_PUBLIC primary_template = {
        .publicArea = { .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
            .parameters.eccDetail = { .symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
                .scheme.scheme = TPM2_ALG_NULL,
                .curveID = TPM2_ECC_NIST_P256,
                .kdf.scheme = TPM2_ALG_NULL } }
    };
    const TPM2B_SENSITIVE_CREATE empty_auth = { 0 };
    const TPM2B_DATA no_info = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
    const TPMA_SESSION kept = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT;
    AUTO_TRANSIENT primary = TPM_TRANSIENT(t), session = TPM_TRANSIENT(t);
    TRY(tpm_result(Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &empty_auth,
        &primary_template, &no_info, &no_pcrs, &primary.tr, NULL, NULL, NULL, NULL)));
    TRY(tpm_result(Esys_StartAuthSession(t->esys, primary.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
        TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &session.tr)));
    TRY(tpm_result(Esys_TRSess_SetAttributes(t->esys, session.tr, kept, 0xff)));
    b->session = session.tr;
    return measure("TPM sign, salted encrypting session", b, sign_in_session);
}

static result bench_tpm(char **argv)
{
    int fd;
    enum tpm_transport transport;
    struct tpm *t;
    struct hsm_key *ak, *record;
    TRY(tpm_connect(argv[0], &fd, &transport));
    TRY(tpm_open(fd, transport, &t));
    TRY(tpm_attestation_key(t, (uint32_t)strtoul(argv[1], NULL, 0), &ak));
    TRY(tpm_signing_key(t, (uint32_t)strtoul(argv[2], NULL, 0), ak, NULL, &record));
    struct bench b = { .key = record, .digest = sha256(span_text("bench")) };
    TRY(measure("TPM sign, password session", &b, sign));
    TRY(salted(t, &b));
    b.key = ak;
    TRY(measure("TPM quote, password session", &b, quote));
    hsm_close(record);
    hsm_close(ak);
    tpm_close(t);
    return OK;
}

static result bench_p11(char **argv)
{
    const struct p11_args args = { .module = argv[0], .token = argv[1], .pin_file = argv[2] };
    struct p11_token *token;
    struct bench b = { .digest = sha256(span_text("bench")) };
    TRY(p11_open(&args, &token));
    TRY(p11_key(token, argv[3], &b.key));
    TRY(measure("PKCS#11 sign, one session", &b, sign));
    hsm_close(b.key);
    p11_close(token);
    return OK;
}

int main(int argc, char **argv)
{
    char text[200];
    if (argc != 8)
        return 2;
    result r = bench_tpm(argv + 1);
    if (is_ok(r))
        r = bench_p11(argv + 4);
    if (!is_ok(r))
        fprintf(stderr, "hsm_bench: %s\n", result_text(r, text, sizeof text));
    return is_ok(r) ? 0 : 1;
}
