/* The log's keys in software, with attestations marshaled as a TPM would (TPM 2.0 Part 2, TPMS_ATTEST). */
#include "config.h"

#include "tests/unit/audit_world.h"

#define AS_THEY_SHOULD_BE 0x40032u /* fixedTPM, fixedParent, sensitiveDataOrigin, sign */
#define RESTRICTED 0x10000u

void aw_soft_new(struct aw_soft *s)
{
    *s = (struct aw_soft){ .clock_ms = 1000000, .reset_count = 3, .pcr_mask = 0xff };
    for (unsigned i = 0; i < ROLES; i++)
        s->key[i] = testkey_new(ALG_ES256);
}

void aw_soft_free(struct aw_soft *s)
{
    for (unsigned i = 0; i < ROLES; i++)
        testkey_free(s->key[i]);
}

static struct pubkey *soft_public(void *ctx, enum key_role role)
{
    return testkey_public(((struct aw_soft *)ctx)->key[role]);
}

static void soft_sign(void *ctx, struct span text, uint8_t raw[SIGNATURE_SIZE])
{
    testkey_sign(((struct aw_soft *)ctx)->key[ROLE_RECORD], text, raw);
}

static result put_head(const struct aw_soft *s, uint16_t type, struct span extra, struct buf *out)
{
    TRY(buf_u32(out, 0xff544347));
    TRY(buf_u16(out, type));
    TRY(buf_blob16(out, span_text("signer")));
    TRY(buf_blob16(out, extra));
    TRY(buf_u64(out, s->clock_ms));
    TRY(buf_u32(out, s->reset_count));
    TRY(buf_u32(out, 0));
    TRY(buf_u8(out, 1));
    return buf_u64(out, 0x20240125);
}

static void attest_sign(struct aw_soft *s, const struct buf *attest, struct buf *der)
{
    uint8_t raw[SIGNATURE_SIZE];
    testkey_sign(s->key[ROLE_ATTESTATION], buf_span(attest), raw);
    must(is_ok(ecdsa_to_der(SPAN(raw), der)), "der");
}

void aw_soft_pcr(struct aw_soft *s, unsigned pcr, const struct digest *value)
{
    s->pcr_mask |= UINT32_C(1) << pcr;
    s->pcr[pcr] = *value;
}

static result put_quote(const struct aw_soft *s, const struct digest *qualifying, struct buf *out)
{
    struct span parts[TPM_PCRS];
    unsigned n = 0;
    for (unsigned i = 0; i < TPM_PCRS; i++)
        if (s->pcr_mask & UINT32_C(1) << i)
            parts[n++] = digest_span(&s->pcr[i]);
    struct digest pcrs = sha256_parts(parts, n);
    TRY(put_head(s, 0x8018, digest_span(qualifying), out));
    TRY(buf_u32(out, 1));
    TRY(buf_u16(out, 0x000b));
    TRY(buf_u8(out, 3));
    for (unsigned i = 0; i < 3; i++)
        TRY(buf_u8(out, (uint8_t)(s->pcr_mask >> 8 * i)));
    return buf_blob16(out, digest_span(&pcrs));
}

static void soft_quote(void *ctx, const struct digest *qualifying, struct buf *attest, struct buf *der)
{
    struct aw_soft *s = ctx;
    s->clock_ms += 2;
    if (s->reset_next)
        s->reset_count = s->reset_next;
    must(is_ok(put_quote(s, qualifying, attest)), "quote");
    attest_sign(s, attest, der);
}

static result put_public(const struct aw_soft *s, enum key_role role, struct buf *out)
{
    uint32_t attributes = AS_THEY_SHOULD_BE | (role == ROLE_ATTESTATION ? RESTRICTED : 0);
    AUTO_JSON *jwk = NULL;
    AUTO_BUF x = BUF(32), y = BUF(32);
    TRY(pubkey_jwk(testkey_public(s->key[role]), &jwk));
    TRY(json_bytes_at(jwk, "x", 32, &x));
    TRY(json_bytes_at(jwk, "y", 32, &y));
    TRY(buf_u16(out, 0x0023));
    TRY(buf_u16(out, 0x000b));
    TRY(buf_u32(out, s->attributes ? s->attributes : attributes));
    TRY(buf_blob16(out, role == ROLE_ATTESTATION ? (struct span){ 0 } : digest_span(&s->key_policy)));
    TRY(buf_u16(out, 0x0010));
    TRY(buf_u16(out, 0x0018));
    TRY(buf_u16(out, 0x000b));
    TRY(buf_u16(out, 0x0003));
    TRY(buf_u16(out, 0x0010));
    TRY(buf_blob16(out, buf_span(&x)));
    return buf_blob16(out, buf_span(&y));
}

static result put_tpm_evidence(struct aw_soft *s, enum key_role role, struct buf *out)
{
    AUTO_BUF public = BUF(512), name = BUF(64), attest = BUF(512), der = BUF(128);
    AUTO_JSON *o = json_object();
    TRY(put_public(s, role, &public));
    struct digest d = sha256(buf_span(&public));
    TRY(buf_u16(&name, 0x000b));
    TRY(buf_put(&name, digest_span(&d)));
    TRY(put_head(s, 0x8017, span_text("nonce"), &attest));
    TRY(buf_blob16(&attest, buf_span(&name)));
    TRY(buf_blob16(&attest, buf_span(&name)));
    attest_sign(s, &attest, &der);
    TRY(json_put_b64url(o, "attest", buf_span(&attest)));
    TRY(json_put_b64url(o, "public", buf_span(&public)));
    TRY(json_put_b64url(o, "signature", buf_span(&der)));
    return json_canonical(o, out);
}

/* A statement of the record key about the key in the token. */
static result put_token_evidence(const struct aw_soft *s, struct buf *out)
{
    AUTO_BUF spki = BUF(512), payload = BUF(4096);
    AUTO_JSON *o = json_pack("{s:s,s:s,s:s}", "domain", "prod.example", "instance", "seb-1", "use", "mint");
    json_t *jwk = NULL;
    TRY(pubkey_spki(testkey_public(s->key[ROLE_MINT]), &spki));
    json_t *p11 = json_pack("{s:{s:b,s:b,s:b,s:b,s:b},s:s,s:s,s:s,s:s}", "attributes", "sensitive", 1, "extractable", 0,
        "always_sensitive", 1, "never_extractable", 1, "local", s->attributes == 0, "label", "seb-mint", "manufacturer",
        "SoftHSM project", "model", "SoftHSM v2", "serial", "0123456789abcdef");
    must(o && p11, "evidence");
    TRY(json_put_b64url(p11, "spki", buf_span(&spki)));
    TRY(json_put_new(o, "attributes", p11));
    TRY(pubkey_jwk(testkey_public(s->key[ROLE_MINT]), &jwk));
    TRY(json_put_new(o, "jwk", jwk));
    TRY(json_canonical(o, &payload));
    testkey_jws(&s->key[ROLE_RECORD], 1, TYP_KEY_STATEMENT, buf_span(&payload), out);
    return OK;
}

static void soft_evidence(void *ctx, enum key_role role, struct buf *out)
{
    struct aw_soft *s = ctx;
    must(is_ok(role == ROLE_MINT && !s->in_tpm ? put_token_evidence(s, out) : put_tpm_evidence(s, role, out)), "evidence");
}

static void soft_name(void *ctx, uint8_t ret[TPM_NAME_SIZE])
{
    AUTO_BUF public = BUF(512), name = BUF(TPM_NAME_SIZE);
    must(is_ok(put_public(ctx, ROLE_ATTESTATION, &public)), "public");
    struct digest d = sha256(buf_span(&public));
    must(is_ok(buf_u16(&name, 0x000b)) && is_ok(buf_put(&name, digest_span(&d))), "name");
    must(is_ok(span_copy(buf_span(&name), ret, TPM_NAME_SIZE)), "name");
}

static void soft_bind(void *ctx, const struct pubkey *policy_key)
{
    struct aw_soft *s = ctx;
    uint8_t name[TPM_NAME_SIZE];
    struct digest ref;
    soft_name(s, name);
    must(is_ok(policy_ref(AW_ORIGIN, name, &ref)) && is_ok(key_policy(policy_key, &ref, &s->key_policy)), "policy");
}

struct aw_keys aw_soft_keys(struct aw_soft *s)
{
    return (struct aw_keys){ .bind = soft_bind,
        .public = soft_public,
        .sign = soft_sign,
        .quote = soft_quote,
        .evidence = soft_evidence,
        .name = soft_name,
        .ctx = s,
        .mint_in_tpm = s->in_tpm };
}
