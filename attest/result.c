#include "config.h"

#include "attest/result.h"

static const char *const status_names[EAR_STATUSES] = {
    [EAR_NONE] = "none",
    [EAR_AFFIRMING] = "affirming",
    [EAR_WARNING] = "warning",
    [EAR_CONTRAINDICATED] = "contraindicated",
};
static const char *const claim_names[EAR_CLAIMS] = {
    [EAR_INSTANCE_IDENTITY] = "instance-identity",
    [EAR_CONFIGURATION] = "configuration",
    [EAR_EXECUTABLES] = "executables",
    [EAR_HARDWARE] = "hardware",
    [EAR_STORAGE_OPAQUE] = "storage-opaque",
};
#define STATUS_MAX 16

const char *ear_status_name(enum ear_status s)
{
    return s < EAR_STATUSES ? status_names[s] : "?";
}

/* draft-ietf-rats-ar4si section 2.3.2. */
enum ear_status ear_tier(int value)
{
    int size = value < 0 ? -value - 1 : value;
    if (value >= -1 && value <= 1)
        return EAR_NONE;
    if (size >= 96)
        return EAR_CONTRAINDICATED;
    return size >= 32 ? EAR_WARNING : EAR_AFFIRMING;
}

enum ear_status trust_vector_status(const struct trust_vector *v)
{
    enum ear_status worst = EAR_NONE;
    for (unsigned i = 0; i < EAR_CLAIMS; i++) {
        enum ear_status tier = ear_tier(v->value[i]);
        worst = tier > worst ? tier : worst;
    }
    return worst;
}

/* What claims have to say of each other. */
static result is_coherent(const struct result_claims *c)
{
    int64_t valid = c->exp - c->iat;
    if (c->iat < 0 || c->exp < c->iat || valid < 1 || valid > RESULT_VALID_S_MAX)
        return fail(E_bad_value);
    if (c->status != trust_vector_status(&c->vector) || c->codes_n > RESULT_CODES_MAX)
        return fail(E_bad_value);
    /* Whoever grants on "affirming" alone must never be given one with a reservation. */
    return (c->status == EAR_AFFIRMING) == (c->codes_n == 0) ? OK : fail(E_bad_value);
}

static result put_keys(json_t *seb, const struct result_claims *c)
{
    AUTO_JSON *keys = json_object();
    if (!keys)
        return fail(E_no_memory);
    TRY(json_put_digest(keys, "attestation", &c->attestation));
    TRY(json_put_digest(keys, "mint", &c->mint));
    TRY(json_put_digest(keys, "record", &c->record));
    return json_put_new(seb, "keys", json_incref(keys));
}

static result put_codes(json_t *seb, const struct result_claims *c)
{
    AUTO_JSON *codes = json_array();
    if (!codes)
        return fail(E_no_memory);
    for (unsigned i = 0; i < c->codes_n; i++)
        if (json_array_append_new(codes, json_string(code_name(c->codes[i]))) != 0)
            return fail(E_no_memory);
    return json_put_new(seb, "codes", json_incref(codes));
}

static result put_seb(json_t *submodule, const struct result_claims *c)
{
    AUTO_JSON *seb = json_object();
    if (!seb)
        return fail(E_no_memory);
    TRY(put_codes(seb, c));
    TRY(json_put_text(seb, "domain", c->domain));
    TRY(json_put_digest(seb, "enrolment", &c->enrolment));
    TRY(put_count(seb, "epoch", c->epoch));
    TRY(json_put_digest(seb, "evidence", &c->evidence));
    TRY(json_put_text(seb, "instance", c->instance));
    TRY(put_keys(seb, c));
    TRY(put_log_state(seb, "log", &c->log));
    TRY(put_log_state(seb, "log_before", &c->log_before));
    TRY(put_count(seb, "policy_epoch", c->policy_epoch));
    TRY(json_put_digest(seb, "quote", &c->quote));
    TRY(put_digest_or_null(seb, "reference", c->has_reference, &c->reference));
    return json_put_new(submodule, "seb", json_incref(seb));
}

static result put_submodule(json_t *o, const struct result_claims *c)
{
    AUTO_JSON *submodules = json_object(), *submodule = json_object(), *vector = json_object();
    if (!submodules || !submodule || !vector)
        return fail(E_no_memory);
    for (unsigned i = 0; i < EAR_CLAIMS; i++)
        TRY(json_put_int(vector, claim_names[i], c->vector.value[i]));
    TRY(json_put_text(submodule, "ear.appraisal-policy-id", c->appraisal_policy));
    TRY(json_put_text(submodule, "ear.status", ear_status_name(c->status)));
    TRY(json_put_new(submodule, "ear.trustworthiness-vector", json_incref(vector)));
    TRY(put_seb(submodule, c));
    TRY(json_put_new(submodules, c->instance, json_incref(submodule)));
    return json_put_new(o, "submods", json_incref(submodules));
}

static result put_verifier(json_t *o, const struct result_claims *c)
{
    AUTO_JSON *id = json_object();
    if (!id)
        return fail(E_no_memory);
    TRY(json_put_text(id, "build", c->build));
    TRY(json_put_text(id, "developer", c->developer));
    return json_put_new(o, "ear.verifier-id", json_incref(id));
}

result result_write(const struct result_claims *c, struct buf *out)
{
    AUTO_JSON *o = json_object();
    AUTO_BUF text = BUF(RESULT_MAX);
    if (!o)
        return fail(E_no_memory);
    TRY(is_coherent(c));
    TRY(put_verifier(o, c));
    TRY(json_put_b64url(o, "eat_nonce", SPAN(c->nonce)));
    TRY(json_put_text(o, "eat_profile", EAR_PROFILE));
    TRY(json_put_int(o, "exp", c->exp));
    TRY(json_put_int(o, "iat", c->iat));
    TRY(put_submodule(o, c));
    TRY(json_canonical(o, &text));
    return buf_put(out, buf_span(&text));
}

static result read_codes(const json_t *seb, struct result_claims *c)
{
    const json_t *codes;
    TRY(json_array_at(seb, "codes", 0, RESULT_CODES_MAX, &codes));
    c->codes_n = (unsigned)json_array_size(codes);
    for (unsigned i = 0; i < c->codes_n; i++) {
        const char *name = json_string_value(json_array_get(codes, i));
        if (!name)
            return fail(E_bad_type);
        c->codes[i] = code_named(name);
        if (c->codes[i] == E_CODES || c->codes[i] == E_ok)
            return fail(E_bad_value);
        for (unsigned k = 0; k < i; k++)
            if (c->codes[k] == c->codes[i])
                return fail(E_bad_value);
    }
    return OK;
}

static result read_log(const json_t *seb, const char *name, struct log_state *ret)
{
    const json_t *v;
    TRY(json_object_at(seb, name, &v));
    return member_log_state(v, ret);
}

static result read_seb(const json_t *submodule, struct result_claims *c)
{
    const json_t *seb, *keys;
    TRY(json_object_at(submodule, "seb", &seb));
    TRY(json_closed(seb, (const char *const[]){ "codes", "domain", "enrolment", "epoch", "evidence", "instance", "keys", "log",
                             "log_before", "policy_epoch", "quote", "reference", NULL }));
    TRY(read_codes(seb, c));
    TRY(name_at(seb, "domain", c->domain, sizeof c->domain));
    TRY(json_digest_at(seb, "enrolment", &c->enrolment));
    TRY(member_count(seb, "epoch", &c->epoch));
    TRY(json_digest_at(seb, "evidence", &c->evidence));
    TRY(name_at(seb, "instance", c->instance, sizeof c->instance));
    TRY(json_object_at(seb, "keys", &keys));
    TRY(json_closed(keys, (const char *const[]){ "attestation", "mint", "record", NULL }));
    TRY(json_digest_at(keys, "attestation", &c->attestation));
    TRY(json_digest_at(keys, "mint", &c->mint));
    TRY(json_digest_at(keys, "record", &c->record));
    TRY(read_log(seb, "log", &c->log));
    TRY(read_log(seb, "log_before", &c->log_before));
    TRY(member_count(seb, "policy_epoch", &c->policy_epoch));
    TRY(json_digest_at(seb, "quote", &c->quote));
    return member_digest_or_null(seb, "reference", &c->has_reference, &c->reference);
}

static result read_status(const json_t *submodule, enum ear_status *ret)
{
    const char *text;
    TRY(json_text(submodule, "ear.status", STATUS_MAX, &text));
    for (unsigned i = 0; i < EAR_STATUSES; i++)
        if (span_is(span_text(text), status_names[i])) {
            *ret = (enum ear_status)i;
            return OK;
        }
    return fail(E_bad_value);
}

static result read_vector(const json_t *submodule, struct trust_vector *ret)
{
    const json_t *vector;
    int64_t value;
    TRY(json_object_at(submodule, "ear.trustworthiness-vector", &vector));
    if (json_object_size(vector) > EAR_CLAIMS)
        return fail(E_unknown_member);
    for (unsigned i = 0; i < EAR_CLAIMS; i++) {
        TRY(json_int(vector, claim_names[i], INT8_MIN, INT8_MAX, &value));
        ret->value[i] = (int8_t)value;
    }
    return OK;
}

/* One submodule, named as the instance that its own claims name. */
static result read_submodule(const json_t *o, struct result_claims *c)
{
    const json_t *submodules, *submodule;
    TRY(json_object_at(o, "submods", &submodules));
    if (json_object_size(submodules) != 1)
        return fail(E_bad_value);
    const char *name = json_object_iter_key(json_object_iter((json_t *)submodules));
    TRY(json_object_at(submodules, name, &submodule));
    TRY(json_closed(
        submodule, (const char *const[]){ "ear.appraisal-policy-id", "ear.status", "ear.trustworthiness-vector", "seb", NULL }));
    TRY(member_text(submodule, "ear.appraisal-policy-id", EAR_TEXT_MAX, c->appraisal_policy));
    TRY(read_status(submodule, &c->status));
    TRY(read_vector(submodule, &c->vector));
    TRY(read_seb(submodule, c));
    return span_is(span_text(c->instance), name) ? OK : fail(E_bad_value);
}

static result read_envelope(const json_t *o, struct result_claims *c)
{
    const json_t *id;
    const char *profile;
    TRY(json_closed(o, (const char *const[]){ "ear.verifier-id", "eat_nonce", "eat_profile", "exp", "iat", "submods", NULL }));
    TRY(json_object_at(o, "ear.verifier-id", &id));
    TRY(json_closed(id, (const char *const[]){ "build", "developer", NULL }));
    TRY(member_text(id, "build", EAR_TEXT_MAX, c->build));
    TRY(member_text(id, "developer", EAR_TEXT_MAX, c->developer));
    TRY(member_fixed(o, "eat_nonce", c->nonce, sizeof c->nonce));
    TRY(json_text(o, "eat_profile", sizeof EAR_PROFILE, &profile));
    if (!span_is(span_text(profile), EAR_PROFILE))
        return fail(E_bad_value);
    TRY(json_int(o, "exp", 0, JSON_INT_MAX, &c->exp));
    return json_int(o, "iat", 0, JSON_INT_MAX, &c->iat);
}

result result_parse(struct span payload, struct result_claims *ret)
{
    AUTO_JSON *o = NULL;
    struct result_claims c = { 0 };
    TRY(json_strict(payload, RESULT_MAX, &o));
    TRY(json_is_canonical(o, payload));
    TRY(read_envelope(o, &c));
    TRY(read_submodule(o, &c));
    TRY(is_coherent(&c));
    c.digest = sha256(payload);
    *ret = c;
    return OK;
}

result result_open(const struct jws *j, const struct pubkey *verifier, struct result_claims *ret)
{
    if (j->n != 1)
        return fail(E_bad_signature);
    TRY(jws_verify(verifier, TYP_RESULT, j->payload, &j->sig[0]));
    return result_parse(j->payload, ret);
}

bool first_answer(struct first_answers *f, const struct digest *verifier)
{
    for (unsigned i = 0; i < f->n; i++)
        if (digest_equal(&f->verifier[i], verifier))
            return false;
    if (f->n == FIRST_ANSWERS_MAX)
        return false;
    f->verifier[f->n++] = *verifier;
    return true;
}
