/* The keys of a run: the pinned ones, and proved to be in hardware. */
#include "config.h"

#include "attest/quote.h"
#include "audit/audit.h"

#define EVIDENCE_MAX 32768
#define PART_MAX 4096

/* TPM 2.0 Part 2, TPMA_OBJECT. */
#define FIXED_TPM (UINT32_C(1) << 1)
#define FIXED_PARENT (UINT32_C(1) << 4)
#define SENSITIVE_DATA_ORIGIN (UINT32_C(1) << 5)
#define RESTRICTED (UINT32_C(1) << 16)
#define DECRYPT (UINT32_C(1) << 17)
#define SIGN (UINT32_C(1) << 18)
#define IN_TPM (FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | SIGN)

static const char *const role_names[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };

/* A TPM's key: TPM2_Certify by the attestation key of just this public area, whose attributes say that it was made in this TPM and
 * can't leave it. The attestation key must be restricted, or it would sign whatever it is given, quotes of nothing too. */
static result tpm_evidence(const json_t *o, const struct pubkey *ak, enum key_role role, const struct digest *kid)
{
    AUTO_BUF attest = BUF(PART_MAX), signature = BUF(PART_MAX), public = BUF(PART_MAX), name = BUF(2 + DIGEST_SIZE);
    AUTO_PUBKEY *key = NULL;
    struct attest certified;
    struct digest digest;
    uint32_t attributes;
    TRY(json_closed(o, (const char *const[]){ "attest", "public", "signature", NULL }));
    TRY(json_bytes_at(o, "attest", PART_MAX, &attest));
    TRY(json_bytes_at(o, "signature", PART_MAX, &signature));
    TRY(json_bytes_at(o, "public", PART_MAX, &public));
    TRY(attest_open(buf_span(&attest), buf_span(&signature), ak, &certified));
    TRY(tpm_public_read(buf_span(&public), &digest, &key, &attributes));
    /* Part 1, section 16: a name is its algorithm (SHA-256: 0x000b) and the digest. */
    TRY(buf_u16(&name, 0x000b));
    TRY(buf_put(&name, digest_span(&digest)));
    bool names = !certified.is_quote && span_equal(certified.name, buf_span(&name)) && digest_equal(pubkey_thumbprint(key), kid);
    uint32_t want = IN_TPM | (role == ROLE_ATTESTATION ? RESTRICTED : 0);
    bool held = (attributes & (IN_TPM | RESTRICTED | DECRYPT)) == want;
    return names && held ? OK : fail(E_key_not_in_hardware);
}

static result text_into(const json_t *o, const char *name, char *to, size_t room)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? span_copy_text(span_text(text), to, room) : fail(E_bad_type);
}

/* A token's statement of a key's attributes: its word, and the broker's, who tried to read the value. */
static result p11_evidence(const json_t *o, const struct digest *kid, struct run *run)
{
    static const struct {
        const char *name;
        bool want;
    } stated[] = { { "always_sensitive", true }, { "extractable", false }, { "local", true }, { "never_extractable", true },
        { "sensitive", true } };
    const json_t *attributes;
    AUTO_BUF spki = BUF(PART_MAX);
    AUTO_PUBKEY *key = NULL;
    bool value;
    TRY(json_closed(o, (const char *const[]){ "attributes", "label", "manufacturer", "model", "serial", "spki", NULL }));
    TRY(json_object_at(o, "attributes", &attributes));
    for (unsigned i = 0; i < sizeof stated / sizeof *stated; i++) {
        TRY(json_flag(attributes, stated[i].name, &value));
        if (value != stated[i].want)
            return fail(E_key_not_in_hardware);
    }
    TRY(json_bytes_at(o, "spki", PART_MAX, &spki));
    TRY(pubkey_from_spki(buf_span(&spki), &key));
    if (!digest_equal(pubkey_thumbprint(key), kid))
        return fail(E_key_mismatch);
    TRY(text_into(o, "manufacturer", run->manufacturer, sizeof run->manufacturer));
    TRY(text_into(o, "model", run->model, sizeof run->model));
    return text_into(o, "serial", run->serial, sizeof run->serial);
}

static result evidence_read(
    const struct audit *a, struct span text, const struct key_identity *k, enum key_role role, struct run *run)
{
    AUTO_JSON *o = NULL;
    TRY(json_strict(text, EVIDENCE_MAX, &o));
    TRY(json_is_canonical(o, text));
    if (span_is(span_text(k->backend), "tpm"))
        return tpm_evidence(o, a->trust.attestation, role, &k->kid);
    /* Checkpoints and quotes come from the TPM alone. */
    return role == ROLE_MINT && span_is(span_text(k->backend), "pkcs11") ? p11_evidence(o, &k->kid, run) : fail(E_unsupported);
}

static bool is_pinned(const struct trust *t, enum key_role role, const struct digest *kid)
{
    if (role == ROLE_MINT)
        return trust_mints(t, kid);
    return digest_equal(kid, pubkey_thumbprint(role == ROLE_RECORD ? t->record : t->attestation));
}

static result key_check(struct audit *a, const struct record *r, enum key_role role, struct run *run)
{
    const struct key_identity *k = &r->e.start.key[role];
    AUTO_BUF text = BUF(EVIDENCE_MAX);
    bool there;
    if (!is_pinned(&a->trust, role, &k->kid))
        report_found(&a->report, FOUND_key_unknown, at_record(r->index), "%s", role_names[role]);
    TRY(document_raw(a, DOCUMENT_NEEDED, &k->evidence, r->index, &text, &there));
    if (!there)
        return OK;
    result read = evidence_read(a, buf_span(&text), k, role, run);
    if (!is_ok(read) && !is_exports_fault(read))
        return read;
    if (!is_ok(read))
        report_found(&a->report, FOUND_key_evidence, at_record(r->index), "%s: %s", role_names[role], code_name(code_of(read)));
    return OK;
}

result keys_check(struct audit *a, const struct record *r, struct run *run)
{
    for (enum key_role role = 0; role < ROLES; role++)
        TRY(key_check(a, r, role, run));
    return OK;
}
