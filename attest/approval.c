#include "config.h"

#include "attest/approval.h"
#include "attest/names.h"

void approval_free(struct approval *a)
{
    pubkey_free(a->lease);
    a->lease = NULL;
}

void approval_file_free(struct approval_file *f)
{
    approval_free(&f->approval);
    buf_free(&f->arena);
}

static result measured_read(const json_t *o, struct cel_state *ret)
{
    const json_t *measured, *value;
    const char *name;
    struct digest digest;
    TRY(json_object_at(o, "measured", &measured));
    if (!json_object_size(measured))
        return fail(E_bad_value);
    json_object_foreach ((json_t *)measured, name, value) {
        TRY(json_digest_at(measured, name, &digest));
        TRY(cel_put(ret, name, &digest));
    }
    return OK;
}

/* Part 1, section 16: of an NV index that SHA-256 names. */
static result counter_name_read(const json_t *o, uint8_t ret[TPM_NAME_SIZE])
{
    AUTO_BUF name = BUF(TPM_NAME_SIZE);
    TRY(json_bytes_at(o, "counter_name", TPM_NAME_SIZE, &name));
    if (name.n != TPM_NAME_SIZE || name.p[0] != 0x00 || name.p[1] != 0x0b)
        return fail(E_bad_value);
    return span_copy(buf_span(&name), ret, TPM_NAME_SIZE);
}

static result place_read(const json_t *o, struct approval *a)
{
    TRY(name_at(o, "domain", a->domain, sizeof a->domain));
    TRY(name_at(o, "instance", a->instance, sizeof a->instance));
    TRY(json_digest_at(o, "ak", &a->ak));
    return json_digest_at(o, "ref", &a->ref);
}

static result state_read(const json_t *o, struct approval *a)
{
    int64_t counter, pcr;
    const json_t *lease;
    TRY(json_int(o, "counter", 0, JSON_INT_MAX, &counter));
    TRY(json_int(o, "pcr", 0, TPM_PCRS - 1, &pcr));
    TRY(json_int(o, "epoch", 0, JSON_INT_MAX, &a->epoch));
    TRY(json_int(o, "iat", 0, JSON_INT_MAX, &a->iat));
    a->counter = (uint64_t)counter;
    a->pcr = (unsigned)pcr;
    TRY(counter_name_read(o, a->counter_name));
    TRY(json_digest_at(o, "pcr_value", &a->pcr_value));
    TRY(measured_read(o, &a->measured));
    TRY(json_object_at(o, "lease", &lease));
    TRY(pubkey_from_jwk(lease, &a->lease));
    return pubkey_alg(a->lease) == ALG_ES256 ? OK : fail(E_bad_key);
}

static result policy_compute(const struct approval *a, struct digest *ret)
{
    struct approved_state state = {
        .pcr = a->pcr, .pcr_value = a->pcr_value, .counter = a->counter, .lease = a->lease, .ref = a->ref
    };
    TRY(span_copy(SPAN(a->counter_name), state.counter_name, TPM_NAME_SIZE));
    return approved_policy(&state, ret);
}

static result read_into(const json_t *v, bool with_policy, struct approval *a)
{
    struct digest policy;
    TRY(json_closed(v, (const char *const[]){ "ak", "counter", "counter_name", "domain", "epoch", "iat", "instance", "lease",
                           "measured", "pcr", "pcr_value", "ref", with_policy ? "policy" : NULL, NULL }));
    TRY(place_read(v, a));
    TRY(state_read(v, a));
    TRY(policy_compute(a, &a->policy));
    if (!with_policy)
        return OK;
    TRY(json_digest_at(v, "policy", &policy));
    return digest_equal(&policy, &a->policy) ? OK : fail(E_approval_invalid);
}

static result read_approval(struct span text, bool with_policy, struct approval *ret)
{
    AUTO_JSON *v = NULL;
    struct approval a = { .digest = sha256(text) };
    TRY(json_strict(text, JWS_PAYLOAD_MAX, &v));
    result r = read_into(v, with_policy, &a);
    if (!is_ok(r)) {
        approval_free(&a);
        return r;
    }
    *ret = a;
    return OK;
}

result approval_plan_parse(struct span text, struct approval *ret)
{
    return read_approval(text, false, ret);
}

result approval_parse(struct span payload, struct approval *ret)
{
    return read_approval(payload, true, ret);
}

static result measured_put(json_t *v, const struct cel_state *s)
{
    AUTO_JSON *measured = json_object();
    if (!measured)
        return fail(E_no_memory);
    for (unsigned i = 0; i < s->n; i++)
        TRY(json_put_digest(measured, s->value[i].name, &s->value[i].digest));
    return json_put_new(v, "measured", json_incref(measured));
}

static result put_members(json_t *v, const struct approval *a)
{
    AUTO_JSON *lease = NULL;
    if (a->counter > (uint64_t)JSON_INT_MAX)
        return fail(E_bad_value);
    TRY(json_put_digest(v, "ak", &a->ak));
    TRY(json_put_int(v, "counter", (int64_t)a->counter));
    TRY(json_put_b64url(v, "counter_name", SPAN(a->counter_name)));
    TRY(json_put_text(v, "domain", a->domain));
    TRY(json_put_int(v, "epoch", a->epoch));
    TRY(json_put_int(v, "iat", a->iat));
    TRY(json_put_text(v, "instance", a->instance));
    TRY(pubkey_jwk(a->lease, &lease));
    TRY(json_put_new(v, "lease", json_incref(lease)));
    TRY(measured_put(v, &a->measured));
    TRY(json_put_int(v, "pcr", a->pcr));
    TRY(json_put_digest(v, "pcr_value", &a->pcr_value));
    return json_put_digest(v, "ref", &a->ref);
}

static result write_approval(const struct approval *a, bool with_policy, struct buf *out)
{
    AUTO_JSON *v = json_object();
    struct digest policy;
    if (!v)
        return fail(E_no_memory);
    TRY(put_members(v, a));
    TRY(policy_compute(a, &policy));
    if (with_policy)
        TRY(json_put_digest(v, "policy", &policy));
    return json_canonical(v, out);
}

result approval_plan_write(const struct approval *a, struct buf *out)
{
    return write_approval(a, false, out);
}

result approval_payload(const struct approval *a, struct buf *out)
{
    return write_approval(a, true, out);
}
