#include "config.h"

#include "entry/entry.h"

#include "entry/fields.h"
#include "entry/identity.h"
#include "entry/live.h"

static const char *const type_names[] = { "start", "stop", "policy", "epoch", "read", "decision", "outcome", "noise", "attestation",
    "keys", "enrolment", "acknowledge", "rekey", NULL };
static const char *const purpose_names[] = { "drift", "reconcile", NULL };
static const char *const result_names[] = { "applied", "rejected", "failed", "not_applied", "open", NULL };
static const char *const evidence_names[] = { "response", "never_sent", "mint_refused", "state", "state_unchanged", "state_other",
    "none", NULL };

const char *outcome_name(enum outcome_result r)
{
    return r >= RESULT_APPLIED && r <= RESULT_OPEN ? result_names[r - 1] : "unknown";
}

const char *evidence_name(enum outcome_evidence e)
{
    return e >= EVIDENCE_RESPONSE && e <= EVIDENCE_NONE ? evidence_names[e - 1] : "unknown";
}

bool entry_is_version(const char *text)
{
    return is_a_name(text) && span_text(text).n <= VERSION_MAX;
}

static const struct member common_fields[] = {
    FIELD(NUMBER, struct entry, time),
    FIELD_CHOSEN(struct entry, type, type_names),
};
static const struct member stop_fields[] = {
    FIELD_AS("run", BYTES, struct entry, stop.run),
};
static const struct member policy_fields[] = {
    FIELD_AS("policy", BYTES, struct entry, policy.policy),
    FIELD_AS("policy_epoch", NUMBER, struct entry, policy.policy_epoch),
};
static const struct member epoch_fields[] = {
    FIELD_AS("epoch", NUMBER, struct entry, epoch.epoch),
    FIELD_AS("statement", BYTES, struct entry, epoch.statement),
};
static const struct member read_fields[] = {
    FIELD(BYTES, struct read_entry, certificate),
    FIELD(NUMBER, struct read_entry, exp),
    FIELD(NUMBER, struct read_entry, iat),
    FIELD(BYTES, struct read_entry, mint_key),
    FIELD_CHOSEN(struct read_entry, purpose, purpose_names),
    FIELD(TEXT, struct read_entry, resource),
    FIELD(BYTES, struct read_entry, run),
    FIELD_AS("signed", BYTES, struct read_entry, signed_),
    FIELD(NAME, struct read_entry, target),
};
static const struct member read_attestation_fields[] = {
    FIELD(BYTES, struct read_entry, attestation),
};
static const struct member reconcile_fields[] = {
    FIELD(INDEX, struct read_entry, decision),
};
static const struct member decision_fields[] = {
    FIELD(BYTES, struct decision_entry, agent),
    FIELD(BYTES, struct decision_entry, certificate),
    FIELD(NAME, struct decision_entry, cid),
    FIELD(NUMBER, struct decision_entry, epoch),
    FIELD(BYTES, struct decision_entry, policy),
    FIELD(NUMBER, struct decision_entry, policy_epoch),
    FIELD(BYTES, struct decision_entry, request),
    FIELD(NAME, struct decision_entry, request_id),
    FIELD(BYTES, struct decision_entry, run),
    FIELD_AS("signed", BYTES, struct decision_entry, signed_),
    FIELD(BYTES, struct decision_entry, statement),
    FIELD(FLAG, struct decision_entry, used),
};
static const struct member decision_attestation_fields[] = {
    FIELD(BYTES, struct decision_entry, attestation),
};
static const struct member target_fields[] = {
    FIELD_AS("kind", WORD, struct decision_entry, target_kind),
    FIELD_AS("prefix", TEXT, struct decision_entry, target_prefix),
};
static const struct member body_fields[] = {
    FIELD(BYTES, struct decision_entry, body),
};
static const struct member permit_fields[] = {
    FIELD(NUMBER, struct decision_entry, exp),
    FIELD(NUMBER, struct decision_entry, iat),
    FIELD(BYTES, struct decision_entry, mint_key),
};
static const struct member accepted_fields[] = {
    FIELD(NUMBER, struct decision_entry, accepted_until),
};
static const struct member refusal_fields[] = {
    FIELD(WORD, struct decision_entry, code),
    FIELD(WORD, struct decision_entry, rule),
};
static const struct member outcome_fields[] = {
    FIELD(INDEX, struct outcome_entry, decision),
    FIELD_CHOSEN(struct outcome_entry, evidence, evidence_names),
    FIELD(FLAG, struct outcome_entry, final),
    FIELD(BYTES, struct outcome_entry, leaf),
    FIELD_CHOSEN(struct outcome_entry, result, result_names),
};
static const struct member outcome_code_fields[] = {
    FIELD(WORD, struct outcome_entry, code),
};
static const struct member outcome_status_fields[] = {
    FIELD(NUMBER, struct outcome_entry, http_status),
};
static const struct member outcome_etag_fields[] = {
    FIELD(TEXT, struct outcome_entry, etag),
};
static const struct member outcome_version_fields[] = {
    FIELD_AS("resource_version", NAME, struct outcome_entry, version),
};
static const struct member outcome_reason_fields[] = {
    FIELD(TEXT, struct outcome_entry, reason),
};
static const struct member outcome_read_fields[] = {
    FIELD(INDEX, struct outcome_entry, read),
};
static const struct member noise_fields[] = {
    FIELD(NUMBER, struct noise_entry, from),
    FIELD(NUMBER, struct noise_entry, until),
};

static const struct member attestation_fields[] = {
    FIELD(BYTES, struct attestation_entry, evidence),
    FIELD(BYTES, struct attestation_entry, result),
    FIELD(WORD, struct attestation_entry, status),
};
static const struct member enrolment_fields[] = {
    FIELD_AS("statement", BYTES, struct entry, enrolment.statement),
};
static const struct member acknowledge_fields[] = {
    FIELD(BYTES, struct acknowledge_entry, root),
    FIELD(INDEX, struct acknowledge_entry, size),
    FIELD(BYTES, struct acknowledge_entry, statement),
    FIELD(WORD, struct acknowledge_entry, what),
};

/* Writing. */

static result put_unattested(json_t *o)
{
    return json_put_text(o, "attestation", "none");
}

static result put_read(json_t *o, const struct read_entry *e)
{
    if ((e->purpose == READ_RECONCILE) != (e->decision != NO_INDEX))
        return fail(E_bad_value);
    TRY(fields_put(o, FIELDS(read_fields), e));
    TRY(e->has_attestation ? fields_put(o, FIELDS(read_attestation_fields), e) : put_unattested(o));
    return e->decision == NO_INDEX ? OK : fields_put(o, FIELDS(reconcile_fields), e);
}

static result put_target(json_t *o, const struct decision_entry *e)
{
    if (!e->has_target)
        return json_put_new(o, "target", json_null());
    AUTO_JSON *target = json_object();
    TRY(fields_put(target, FIELDS(target_fields), e));
    return json_put_new(o, "target", json_incref(target));
}

static result put_live(json_t *o, const struct decision_entry *e)
{
    return e->has_live ? live_put(o, &e->live) : json_put_new(o, "live", json_null());
}

/* The credential's end is where a target that keeps no cache stops taking it: then nothing is said. */
static result put_permit(json_t *o, const struct decision_entry *e)
{
    if (e->accepted_until && e->accepted_until <= e->exp)
        return fail(E_bad_value);
    if (e->accepted_until)
        TRY(fields_put(o, FIELDS(accepted_fields), e));
    return fields_put(o, FIELDS(permit_fields), e);
}

static result put_decision(json_t *o, const struct decision_entry *e)
{
    TRY(fields_put(o, FIELDS(decision_fields), e));
    TRY(e->has_attestation ? fields_put(o, FIELDS(decision_attestation_fields), e) : put_unattested(o));
    TRY(e->has_body ? fields_put(o, FIELDS(body_fields), e) : json_put_new(o, "body", json_null()));
    TRY(put_target(o, e));
    TRY(put_live(o, e));
    TRY(json_put_text(o, "verdict", e->permitted ? "permit" : "refuse"));
    return e->permitted ? put_permit(o, e) : fields_put(o, FIELDS(refusal_fields), e);
}

/* What the target said of it in its own words. */
static result put_said(json_t *o, const struct outcome_entry *e)
{
    if (e->has_etag)
        TRY(fields_put(o, FIELDS(outcome_etag_fields), e));
    if (e->version[0])
        TRY(fields_put(o, FIELDS(outcome_version_fields), e));
    if (e->reason[0])
        TRY(fields_put(o, FIELDS(outcome_reason_fields), e));
    return e->causes[0] ? causes_put(o, e->causes) : OK;
}

static result put_outcome(json_t *o, const struct outcome_entry *e)
{
    /* Only an open outcome may be followed by another. */
    if (!e->final && e->result != RESULT_OPEN)
        return fail(E_bad_value);
    if (e->http_status != 0 && (e->http_status < 100 || e->http_status > 599))
        return fail(E_bad_value);
    TRY(fields_put(o, FIELDS(outcome_fields), e));
    if (e->code[0])
        TRY(fields_put(o, FIELDS(outcome_code_fields), e));
    if (e->http_status)
        TRY(fields_put(o, FIELDS(outcome_status_fields), e));
    TRY(put_said(o, e));
    return e->read == NO_INDEX ? OK : fields_put(o, FIELDS(outcome_read_fields), e);
}

static result put_noise(json_t *o, const struct noise_entry *e)
{
    AUTO_JSON *counts = json_object();
    if (e->n > NOISE_CODES || e->from > e->until)
        return fail(E_bad_value);
    for (unsigned i = 0; i < e->n; i++) {
        if (!is_word(e->count[i].code) || json_has(counts, e->count[i].code) || e->count[i].count < 1)
            return fail(E_bad_value);
        TRY(json_put_int(counts, e->count[i].code, e->count[i].count));
    }
    TRY(fields_put(o, FIELDS(noise_fields), e));
    return json_put_new(o, "counts", json_incref(counts));
}

static result put_members(json_t *o, const struct entry *e)
{
    switch (e->type) {
    case ENTRY_START:
        return start_put(o, &e->start);
    case ENTRY_STOP:
        return fields_put(o, FIELDS(stop_fields), e);
    case ENTRY_POLICY:
        return fields_put(o, FIELDS(policy_fields), e);
    case ENTRY_EPOCH:
        return fields_put(o, FIELDS(epoch_fields), e);
    case ENTRY_READ:
        return put_read(o, &e->read);
    case ENTRY_DECISION:
        return put_decision(o, &e->decision);
    case ENTRY_OUTCOME:
        return put_outcome(o, &e->outcome);
    case ENTRY_NOISE:
        return put_noise(o, &e->noise);
    case ENTRY_ATTESTATION:
        return fields_put(o, FIELDS(attestation_fields), &e->attestation);
    case ENTRY_KEYS:
        return keys_put(o, &e->keys);
    case ENTRY_ENROLMENT:
        return fields_put(o, FIELDS(enrolment_fields), e);
    case ENTRY_ACKNOWLEDGE:
        return fields_put(o, FIELDS(acknowledge_fields), &e->acknowledge);
    case ENTRY_REKEY:
        return rekey_put(o, &e->rekey);
    }
    return fail(E_bad_value);
}

static result write_any(const struct entry *e, struct buf *out)
{
    AUTO_BUF text = BUF(ENTRY_MAX);
    AUTO_JSON *o = json_object();
    TRY(fields_put(o, FIELDS(common_fields), e));
    TRY(json_put_int(o, "v", 1));
    TRY(put_members(o, e));
    TRY(json_canonical(o, &text));
    return buf_put(out, buf_span(&text));
}

static bool is_permit(const struct entry *e)
{
    return e->type == ENTRY_DECISION && e->decision.permitted;
}

result entry_write(const struct entry *e, struct buf *out)
{
    return is_permit(e) ? fail(E_invariant) : write_any(e, out);
}

result entry_write_permit(const struct entry *e, const struct permit *permit, struct buf *out)
{
    return permit && is_permit(e) ? write_any(e, out) : fail(E_invariant);
}

/* Reading: what each function leaves unchecked (unknown members, values where there should be none, the order of members) shows
 * when the entry is written again. */

static result get_attested(const json_t *o, bool *ret)
{
    const char *attestation;
    TRY(json_text(o, "attestation", DIGEST_TEXT, &attestation));
    *ret = !span_is(span_text(attestation), "none");
    return OK;
}

static result get_read(const json_t *o, struct read_entry *ret)
{
    ret->decision = NO_INDEX;
    TRY(fields_get(o, FIELDS(read_fields), ret));
    TRY(get_attested(o, &ret->has_attestation));
    if (ret->has_attestation)
        TRY(fields_get(o, FIELDS(read_attestation_fields), ret));
    return json_has(o, "decision") ? fields_get(o, FIELDS(reconcile_fields), ret) : OK;
}

static bool is_null(const json_t *o, const char *name)
{
    return json_is_null(json_object_get(o, name));
}

static result get_permit(const json_t *o, struct decision_entry *ret)
{
    if (json_has(o, "accepted_until"))
        TRY(fields_get(o, FIELDS(accepted_fields), ret));
    return fields_get(o, FIELDS(permit_fields), ret);
}

static result get_decision(const json_t *o, struct decision_entry *ret)
{
    const json_t *target;
    const char *verdict;
    TRY(fields_get(o, FIELDS(decision_fields), ret));
    TRY(get_attested(o, &ret->has_attestation));
    if (ret->has_attestation)
        TRY(fields_get(o, FIELDS(decision_attestation_fields), ret));
    ret->has_body = !is_null(o, "body");
    ret->has_target = !is_null(o, "target");
    ret->has_live = !is_null(o, "live");
    if (ret->has_body)
        TRY(fields_get(o, FIELDS(body_fields), ret));
    if (ret->has_target) {
        TRY(json_object_at(o, "target", &target));
        TRY(fields_get(target, FIELDS(target_fields), ret));
    }
    if (ret->has_live)
        TRY(live_get(o, &ret->live));
    TRY(json_text(o, "verdict", 8, &verdict));
    ret->permitted = span_is(span_text(verdict), "permit");
    return ret->permitted ? get_permit(o, ret) : fields_get(o, FIELDS(refusal_fields), ret);
}

static result get_outcome(const json_t *o, struct outcome_entry *ret)
{
    ret->read = NO_INDEX;
    TRY(fields_get(o, FIELDS(outcome_fields), ret));
    ret->has_etag = json_has(o, "etag");
    if (json_has(o, "code"))
        TRY(fields_get(o, FIELDS(outcome_code_fields), ret));
    if (json_has(o, "http_status"))
        TRY(fields_get(o, FIELDS(outcome_status_fields), ret));
    if (ret->has_etag)
        TRY(fields_get(o, FIELDS(outcome_etag_fields), ret));
    if (json_has(o, "resource_version"))
        TRY(fields_get(o, FIELDS(outcome_version_fields), ret));
    if (json_has(o, "reason"))
        TRY(fields_get(o, FIELDS(outcome_reason_fields), ret));
    if (json_has(o, "causes"))
        TRY(causes_get(o, ret->causes));
    return json_has(o, "read") ? fields_get(o, FIELDS(outcome_read_fields), ret) : OK;
}

static result get_noise(const json_t *o, struct noise_entry *ret)
{
    const json_t *counts;
    const char *code;
    json_t *count;
    TRY(fields_get(o, FIELDS(noise_fields), ret));
    TRY(json_object_at(o, "counts", &counts));
    json_object_foreach ((json_t *)counts, code, count) {
        struct span name = span_text(code);
        if (ret->n == NOISE_CODES || name.n >= sizeof(ret->count[0].code))
            return fail(E_bad_value);
        TRY(span_copy(name, ret->count[ret->n].code, name.n));
        TRY(json_int(counts, code, 1, JSON_INT_MAX, &ret->count[ret->n].count));
        ret->n++;
    }
    return OK;
}

static result get_members(const json_t *o, struct entry *ret)
{
    switch (ret->type) {
    case ENTRY_START:
        return start_get(o, &ret->start);
    case ENTRY_STOP:
        return fields_get(o, FIELDS(stop_fields), ret);
    case ENTRY_POLICY:
        return fields_get(o, FIELDS(policy_fields), ret);
    case ENTRY_EPOCH:
        return fields_get(o, FIELDS(epoch_fields), ret);
    case ENTRY_READ:
        return get_read(o, &ret->read);
    case ENTRY_DECISION:
        return get_decision(o, &ret->decision);
    case ENTRY_OUTCOME:
        return get_outcome(o, &ret->outcome);
    case ENTRY_NOISE:
        return get_noise(o, &ret->noise);
    case ENTRY_ATTESTATION:
        return fields_get(o, FIELDS(attestation_fields), &ret->attestation);
    case ENTRY_KEYS:
        return keys_get(o, &ret->keys);
    case ENTRY_ENROLMENT:
        return fields_get(o, FIELDS(enrolment_fields), ret);
    case ENTRY_ACKNOWLEDGE:
        return fields_get(o, FIELDS(acknowledge_fields), &ret->acknowledge);
    case ENTRY_REKEY:
        return rekey_get(o, &ret->rekey);
    }
    return fail(E_bad_value);
}

static result read_any(struct span text, struct entry *ret)
{
    AUTO_JSON *o = NULL;
    AUTO_BUF again = BUF(ENTRY_MAX);
    TRY(json_strict(text, ENTRY_MAX, &o));
    TRY(fields_get(o, FIELDS(common_fields), ret));
    TRY(get_members(o, ret));
    TRY(write_any(ret, &again));
    return span_equal(text, buf_span(&again)) ? OK : fail(E_bad_entry);
}

result entry_read(struct span text, struct entry *ret)
{
    struct entry e = { 0 };
    result r = read_any(text, &e);
    if (code_of(r) == E_no_memory)
        return r;
    if (!is_ok(r))
        return fail(E_bad_entry);
    *ret = e;
    return OK;
}
