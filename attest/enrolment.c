#include "config.h"

#include "attest/enrolment.h"

#include <stdlib.h>

result enrolment_offer_new(struct enrolment_offer **ret)
{
    struct enrolment_offer *o = calloc(1, sizeof *o);
    if (!o)
        return fail(E_no_memory);
    o->ak = BUF(EK_PUBLIC_MAX);
    for (unsigned i = 0; i < ENROLMENT_EKS_MAX; i++) {
        o->ek[i].certificate = BUF(EK_CERTIFICATE_MAX);
        o->ek[i].public = BUF(EK_PUBLIC_MAX);
    }
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++)
        o->key[i].evidence = BUF(KEY_EVIDENCE_MAX);
    *ret = o;
    return OK;
}

void enrolment_offer_free(struct enrolment_offer *o)
{
    if (!o)
        return;
    buf_free(&o->ak);
    for (unsigned i = 0; i < ENROLMENT_EKS_MAX; i++) {
        buf_free(&o->ek[i].certificate);
        buf_free(&o->ek[i].public);
    }
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++)
        buf_free(&o->key[i].evidence);
    free(o);
}

void enrolment_offer_free_pointer(struct enrolment_offer **o)
{
    enrolment_offer_free(*o);
    *o = NULL;
}

static result read_eks(const json_t *v, struct enrolment_offer *o)
{
    const json_t *list;
    TRY(json_array_at(v, "ek", 0, ENROLMENT_EKS_MAX, &list));
    o->eks = (unsigned)json_array_size(list);
    for (unsigned i = 0; i < o->eks; i++) {
        const json_t *one = json_array_get(list, i);
        TRY(json_closed(one, (const char *const[]){ "certificate", "public", NULL }));
        TRY(json_bytes_at(one, "certificate", EK_CERTIFICATE_MAX, &o->ek[i].certificate));
        TRY(json_bytes_at(one, "public", EK_PUBLIC_MAX, &o->ek[i].public));
    }
    return OK;
}

result enrolment_offer_parse(struct span text, struct enrolment_offer **ret)
{
    AUTO_JSON *v = NULL;
    AUTO_ENROLMENT_OFFER *o = NULL;
    TRY(json_strict(text, ENROLMENT_TEXT_MAX, &v));
    TRY(json_is_canonical(v, text));
    TRY(json_closed(v, (const char *const[]){ "ak", "ek", "keys", NULL }));
    TRY(enrolment_offer_new(&o));
    TRY(json_bytes_at(v, "ak", EK_PUBLIC_MAX, &o->ak));
    TRY(read_eks(v, o));
    TRY(evidence_keys_read(v, o->key));
    *ret = o;
    o = NULL;
    return OK;
}

static result put_eks(json_t *v, const struct enrolment_offer *o)
{
    AUTO_JSON *list = json_array();
    for (unsigned i = 0; i < o->eks; i++) {
        AUTO_JSON *one = json_object();
        if (!list || !one)
            return fail(E_no_memory);
        TRY(json_put_b64url(one, "certificate", buf_span(&o->ek[i].certificate)));
        TRY(json_put_b64url(one, "public", buf_span(&o->ek[i].public)));
        if (json_array_append(list, one) != 0)
            return fail(E_no_memory);
    }
    return json_put_new(v, "ek", json_incref(list));
}

result enrolment_offer_write(const struct enrolment_offer *o, struct buf *out)
{
    AUTO_JSON *v = json_object();
    if (!v)
        return fail(E_no_memory);
    TRY(json_put_b64url(v, "ak", buf_span(&o->ak)));
    TRY(put_eks(v, o));
    TRY(evidence_keys_put(v, o->key));
    return json_canonical(v, out);
}

void enrolment_free(struct enrolment *e)
{
    pubkey_free(e->ak);
    pubkey_free(e->record);
    pubkey_free(e->mint);
    e->ak = e->record = e->mint = NULL;
}
#define AUTO_ENROLMENT __attribute__((cleanup(enrolment_free))) struct enrolment

static result ek_proof(const struct enrolment_offer *o, const struct enrolment_terms *t, struct enrolment *e)
{
    result last = fail(E_ek_missing);
    for (unsigned i = 0; i < o->eks; i++) {
        last = ek_certificate_check(t->roots, buf_span(&o->ek[i].certificate), t->now, &e->ek);
        if (is_ok(last))
            last = ek_public_check(buf_span(&o->ek[i].certificate), buf_span(&o->ek[i].public));
        if (is_ok(last)) {
            e->ek_at = i;
            return OK;
        }
    }
    return last;
}

/* The AK that is offered for activation must be the one that certifies itself and the other keys: or one AK would be activated, and
 * another believed. */
static result ak_check(const struct enrolment_offer *o, struct enrolment *e)
{
    const struct evidence_key *k = &o->key[EVIDENCE_ATTESTATION];
    uint8_t name[TPM_NAME_SIZE];
    AUTO_PUBKEY *certified = NULL;
    TRY(ak_public_check(buf_span(&o->ak), e->ak_name, &e->ak));
    TRY(ak_proof(buf_span(&k->evidence), name, &certified));
    bool same = span_equal(SPAN(name), SPAN(e->ak_name)) && digest_equal(&k->kid, pubkey_thumbprint(e->ak));
    return same ? OK : fail(E_ak_mismatch);
}

static result key_is_named(const struct evidence_key *k, const struct pubkey *key)
{
    return digest_equal(&k->kid, pubkey_thumbprint(key)) ? OK : fail(E_key_mismatch);
}

static result keys_check(const struct enrolment_offer *o, const struct enrolment_terms *t, struct enrolment *e)
{
    const struct evidence_key *record = &o->key[EVIDENCE_RECORD], *mint = &o->key[EVIDENCE_MINT];
    TRY(tpm_key_proof(buf_span(&record->evidence), e->ak, &e->key_policy, &e->record));
    TRY(key_is_named(record, e->record));
    e->mint_in_hsm = span_is(span_text(mint->backend), "pkcs11");
    result r = e->mint_in_hsm ? hsm_key_proof(buf_span(&mint->evidence), e->record, t->domain, t->instance, &e->token, &e->mint)
                              : tpm_key_proof(buf_span(&mint->evidence), e->ak, &e->key_policy, &e->mint);
    if (code_of(r) == E_key_not_stated) /* each appraisal asks for its proof */
        return OK;
    TRY(r);
    return key_is_named(mint, e->mint);
}

static bool are_distinct(const struct enrolment *e)
{
    bool mint = !e->mint || (!pubkey_equal(e->ak, e->mint) && !pubkey_equal(e->record, e->mint));
    return mint && !pubkey_equal(e->ak, e->record);
}

result enrolment_check(const struct enrolment_offer *o, const struct enrolment_terms *t, struct enrolment *ret)
{
    AUTO_ENROLMENT e = { 0 };
    struct digest ref;
    TRY(ek_proof(o, t, &e));
    TRY(ak_check(o, &e));
    TRY(instance_policy_ref(t->domain, t->instance, e.ak_name, &ref));
    TRY(key_policy(t->policy_key, &ref, &e.key_policy));
    TRY(keys_check(o, t, &e));
    if (!are_distinct(&e))
        return fail(E_key_mismatch);
    *ret = e;
    e = (struct enrolment){ 0 };
    return OK;
}

result instance_policy_ref(const char *domain, const char *instance, const uint8_t ak_name[TPM_NAME_SIZE], struct digest *ret)
{
    AUTO_BUF origin = BUF(ORIGIN_MAX);
    AUTO_FREE char *text = NULL;
    TRY(buf_printf(&origin, "%s/%s", domain, instance));
    TRY(span_dup_text(buf_span(&origin), &text));
    return policy_ref(text, ak_name, ret);
}

static bool is_secret(const uint8_t want[CREDENTIAL_SECRET_SIZE], struct span got)
{
    uint8_t differ = 0;
    if (got.n != CREDENTIAL_SECRET_SIZE)
        return false;
    for (size_t i = 0; i < got.n; i++)
        differ |= want[i] ^ got.p[i];
    return differ == 0;
}

result activation_answer(struct activation *a, const struct enrolment *e, struct span secret, int64_t now)
{
    bool used = a->used;
    a->used = true;
    if (used || now < a->made || now - a->made > ACTIVATION_S)
        return fail(E_activation_replayed);
    bool same = span_equal(SPAN(a->ak_name), SPAN(e->ak_name)) && digest_equal(&a->ek, &e->ek.spki);
    return is_secret(a->secret, secret) && same ? OK : fail(E_activation_failed);
}

result enrolment_write(const struct enrolment_statement *s, struct buf *out)
{
    AUTO_JSON *o = json_object();
    if (!o)
        return fail(E_no_memory);
    TRY(json_put_int(o, "activated", s->activated));
    TRY(json_put_digest(o, "ak", &s->ak));
    TRY(json_put_b64url(o, "ak_name", SPAN(s->ak_name)));
    TRY(json_put_text(o, "domain", s->domain));
    TRY(json_put_digest(o, "ek", &s->ek));
    TRY(json_put_digest(o, "ek_certificate", &s->ek_certificate));
    TRY(json_put_text(o, "instance", s->instance));
    TRY(json_put_digest(o, "verifier", &s->verifier));
    return json_canonical(o, out);
}

result enrolment_parse(struct span payload, struct enrolment_statement *ret)
{
    AUTO_JSON *o = NULL;
    struct enrolment_statement s = { 0 };
    TRY(json_strict(payload, JWS_PAYLOAD_MAX, &o));
    TRY(json_is_canonical(o, payload));
    TRY(json_closed(
        o, (const char *const[]){ "activated", "ak", "ak_name", "domain", "ek", "ek_certificate", "instance", "verifier", NULL }));
    TRY(json_int(o, "activated", 0, JSON_INT_MAX, &s.activated));
    TRY(json_digest_at(o, "ak", &s.ak));
    TRY(member_fixed(o, "ak_name", s.ak_name, sizeof s.ak_name));
    TRY(name_at(o, "domain", s.domain, sizeof s.domain));
    TRY(json_digest_at(o, "ek", &s.ek));
    TRY(json_digest_at(o, "ek_certificate", &s.ek_certificate));
    TRY(name_at(o, "instance", s.instance, sizeof s.instance));
    TRY(json_digest_at(o, "verifier", &s.verifier));
    s.digest = sha256(payload);
    *ret = s;
    return OK;
}

result enrolment_open(const struct jws *j, const struct pubkey *verifier, struct enrolment_statement *ret)
{
    struct enrolment_statement s;
    if (j->n != 1)
        return fail(E_bad_signature);
    TRY(jws_verify(verifier, TYP_ENROLMENT, j->payload, &j->sig[0]));
    TRY(enrolment_parse(j->payload, &s));
    if (!digest_equal(&s.verifier, pubkey_thumbprint(verifier)))
        return fail(E_bad_value);
    *ret = s;
    return OK;
}
