/* The endorsement key: TCG EK Credential Profile for TPM Family 2.0, version 2.5. */
#include "config.h"

#include "hsm/tpm_guard_internal.h"

#define CHUNK 512 /* the least that a chip reads from NV at once (PC Client Platform TPM Profile, section 4.5) */
#define LOW_RANGE                                                                                                     \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY | \
        TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define HIGH_RANGE (LOW_RANGE | TPMA_OBJECT_USERWITHAUTH)
/* Section B.3.3, PolicyA: TPM2_PolicySecret(TPM_RH_ENDORSEMENT). */
#define POLICY_A                                                                                                                \
    {                                                                                                                           \
        .size = 32,                                                                                                             \
        .buffer = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, \
            0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa },                               \
    }
/* Section B.6.4, PolicyB of SHA-384. */
#define POLICY_B_384                                                                                                            \
    {                                                                                                                           \
        .size = 48,                                                                                                             \
        .buffer = { 0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, \
            0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09, 0x69,   \
            0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12 },                                                 \
    }

static const struct ek_row {
    uint32_t certificate; /* NV index */
    bool by_policy; /* else its empty authorization serves */
    TPM2B_PUBLIC template;
} rows[EK_KINDS] = {
    /* clang-format off */
    [EK_RSA] = { /* L-1 */
        .certificate = 0x01c00002,
        .by_policy = true,
        .template.publicArea = {
            .type = TPM2_ALG_RSA,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = LOW_RANGE,
            .authPolicy = POLICY_A,
            .parameters.rsaDetail = {
                .symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
                .scheme.scheme = TPM2_ALG_NULL,
                .keyBits = 2048,
            },
            .unique.rsa.size = 256,
        },
    },
    [EK_P256] = { /* L-2 */
        .certificate = 0x01c0000a,
        .by_policy = true,
        .template.publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = LOW_RANGE,
            .authPolicy = POLICY_A,
            .parameters.eccDetail = {
                .symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
                .scheme.scheme = TPM2_ALG_NULL,
                .curveID = TPM2_ECC_NIST_P256,
                .kdf.scheme = TPM2_ALG_NULL,
            },
            .unique.ecc = { .x.size = 32, .y.size = 32 },
        },
    },
    [EK_P384] = { /* H-3 */
        .certificate = 0x01c00016,
        .template.publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA384,
            .objectAttributes = HIGH_RANGE,
            .authPolicy = POLICY_B_384,
            .parameters.eccDetail = {
                .symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 256, .mode.aes = TPM2_ALG_CFB },
                .scheme.scheme = TPM2_ALG_NULL,
                .curveID = TPM2_ECC_NIST_P384,
                .kdf.scheme = TPM2_ALG_NULL,
            },
        },
    },
    /* clang-format on */
};

/* Where platforms keep EKs (TCG Registry of Reserved TPM 2.0 Handles; the last is swtpm's P-384): one that is there needs no
 * making, which takes a slow chip long. */
static const uint32_t places[] = { 0x81010001, 0x81010002, 0x81010016 };

struct ek {
    struct tpm *tpm;
    struct tpm_transient made;
    ESYS_TR tr; /* made.tr, or a persistent one, of which ESYS's record alone is closed */
    TPM2B_PUBLIC public;
};

static void ek_close(struct ek *e)
{
    if (e->made.tr == ESYS_TR_NONE && e->tr != ESYS_TR_NONE)
        (void)Esys_TR_Close(e->tpm->esys, &e->tr);
    tpm_transient_flush(&e->made);
}
#define AUTO_EK __attribute__((cleanup(ek_close))) struct ek
#define EK(t)                                                    \
    {                                                            \
        .tpm = (t), .made = TPM_TRANSIENT(t), .tr = ESYS_TR_NONE \
    }

/* The template's, but for the key itself. */
static result is_of_template(const TPM2B_PUBLIC *public, enum tpm_ek_kind kind, bool *ret)
{
    AUTO_BUF there = BUF(sizeof(TPMT_PUBLIC)), wanted = BUF(sizeof(TPMT_PUBLIC));
    TPMT_PUBLIC p = public->publicArea, w = rows[kind].template.publicArea;
    p.unique = w.unique = (TPMU_PUBLIC_ID){ 0 };
    TRY(tpm_public_bytes(&p, &there));
    TRY(tpm_public_bytes(&w, &wanted));
    *ret = span_equal(buf_span(&there), buf_span(&wanted));
    return OK;
}

static result read_public(struct ek *e)
{
    AUTO_ESYS TPM2B_PUBLIC *public = NULL;
    TRY(tpm_result(Esys_ReadPublic(e->tpm->esys, e->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL)));
    e->public = *public;
    return OK;
}

static result find_at(struct ek *e, enum tpm_ek_kind kind, uint32_t handle, bool *ret_found)
{
    *ret_found = false;
    result r = tpm_persistent(e->tpm, handle, &e->tr);
    if (code_of(r) == E_key_missing)
        return OK;
    TRY(r);
    TRY(read_public(e));
    TRY(is_of_template(&e->public, kind, ret_found));
    if (!*ret_found) {
        (void)Esys_TR_Close(e->tpm->esys, &e->tr);
        e->tr = ESYS_TR_NONE;
    }
    return OK;
}

static result ek_open(struct ek *e, enum tpm_ek_kind kind)
{
    bool found = false;
    for (unsigned i = 0; i < sizeof places / sizeof *places && !found; i++)
        TRY(find_at(e, kind, places[i], &found));
    if (found)
        return OK;
    TRY(tpm_primary(e->tpm, TPM2_RH_ENDORSEMENT, &rows[kind].template, &e->made));
    e->tr = e->made.tr;
    return read_public(e);
}

/* X.690 section 8.1.3: the whole length of the value that begins here. */
static result der_length(struct span s, size_t *ret)
{
    struct reader r = reader_of(s);
    uint8_t tag, n, part;
    size_t length;
    TRY(read_u8(&r, &tag));
    TRY(read_u8(&r, &n));
    if (tag != 0x30 || n == 0x80 || n > 0x82)
        return fail(E_not_found);
    length = n & 0x80 ? 0 : n;
    for (unsigned i = 0; n & 0x80 && i < (n & 0x7f); i++) {
        TRY(read_u8(&r, &part));
        length = length << 8 | part;
    }
    *ret = r.at + length;
    return *ret <= s.n ? OK : fail(E_not_found);
}

static result read_index(struct tpm *t, ESYS_TR index, struct buf *out)
{
    AUTO_ESYS TPM2B_NV_PUBLIC *public = NULL;
    TRY(tpm_result(Esys_NV_ReadPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL)));
    const TPMS_NV_PUBLIC *p = &public->nvPublic;
    if (!(p->attributes & TPMA_NV_WRITTEN))
        return fail(E_not_found);
    ESYS_TR by = p->attributes & TPMA_NV_AUTHREAD ? index : ESYS_TR_RH_OWNER;
    for (uint16_t at = 0; at < p->dataSize;) {
        AUTO_ESYS TPM2B_MAX_NV_BUFFER *data = NULL;
        uint16_t n = (uint16_t)(p->dataSize - at) < CHUNK ? (uint16_t)(p->dataSize - at) : CHUNK;
        TRY(tpm_result(Esys_NV_Read(t->esys, by, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, n, at, &data)));
        if (data->size != n)
            return fail(E_tpm_unavailable);
        TRY(buf_put(out, (struct span){ data->buffer, data->size }));
        at = (uint16_t)(at + n);
    }
    return OK;
}

result tpm_ek_certificate(struct tpm *t, enum tpm_ek_kind kind, struct buf *out)
{
    ESYS_TR index;
    size_t n;
    AUTO_BUF bytes = BUF(EK_CERTIFICATE_MAX);
    result r = tpm_nv_open(t, rows[kind].certificate, &index);
    if (code_of(r) == E_counter_missing)
        return fail(E_not_found);
    TRY(r);
    r = read_index(t, index, &bytes);
    tpm_nv_close(t, index);
    /* One that can't be read, or that is too large to be one, doesn't stand in the way of another EK. */
    if (code_of(r) == E_tpm_refused || code_of(r) == E_too_long)
        return fail(E_not_found);
    TRY(r);
    TRY(der_length(buf_span(&bytes), &n));
    return buf_put(out, span_part(buf_span(&bytes), 0, n));
}

result tpm_ek_public(struct tpm *t, enum tpm_ek_kind kind, struct buf *out)
{
    AUTO_EK e = EK(t);
    TRY(ek_open(&e, kind));
    return tpm_public_bytes(&e.public.publicArea, out);
}

/* PolicyA: the endorsement hierarchy's authorization, which is empty. */
static result policy_a(struct tpm *t, struct tpm_transient *session)
{
    const TPM2B_NONCE none = { 0 };
    const TPM2B_DIGEST no_digest = { 0 };
    TRY(tpm_policy_session(t, ESYS_TR_NONE, session));
    return tpm_result(Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, session->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
        &none, &no_digest, &none, 0, NULL, NULL));
}

result tpm_activate(struct tpm *t, enum tpm_ek_kind kind, struct hsm_key *attestation, struct span credential, struct span secret,
    struct buf *ret_secret)
{
    const struct tpm_key *ak = (const struct tpm_key *)attestation;
    TPM2B_ID_OBJECT id = { .size = (uint16_t)credential.n };
    TPM2B_ENCRYPTED_SECRET seed = { .size = (uint16_t)secret.n };
    AUTO_ESYS TPM2B_DIGEST *found = NULL;
    if (attestation->kind != HSM_TPM)
        return fail(E_unsupported);
    if (credential.n > sizeof id.credential || secret.n > sizeof seed.secret)
        return fail(E_activation_failed);
    TRY(span_copy(credential, id.credential, credential.n));
    TRY(span_copy(secret, seed.secret, secret.n));
    AUTO_TRANSIENT session = TPM_TRANSIENT(t);
    AUTO_EK e = EK(t);
    TRY(ek_open(&e, kind));
    if (rows[kind].by_policy)
        TRY(policy_a(t, &session));
    ESYS_TR by = rows[kind].by_policy ? session.tr : ESYS_TR_PASSWORD;
    result r = tpm_result(Esys_ActivateCredential(t->esys, ak->tr, e.tr, ESYS_TR_PASSWORD, by, ESYS_TR_NONE, &id, &seed, &found));
    /* libtpms answers TPM_RC_FAILURE to a seed that is for another RSA key, and is well after it; a chip that isn't says so again.
     */
    if (code_of(r) == E_tpm_refused || (foreign_of(r) == FOREIGN_TSS2 && foreign_code(r) == TPM2_RC_FAILURE))
        return fail_foreign(E_activation_failed, foreign_of(r), foreign_code(r));
    TRY(r);
    return buf_put(ret_secret, (struct span){ found->buffer, found->size });
}
