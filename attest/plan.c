#include "config.h"

#include "attest/plan.h"

/* TPM 2.0 Part 2, TPMA_OBJECT: what an attestation key must be, and what it may be beside (as ak_public_check has it). */
#define AK_MUST UINT32_C(0x00050032) /* fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign */
static const uint32_t ak_may[] = { UINT32_C(1) << 6, UINT32_C(1) << 7,
    UINT32_C(1) << 10 }; /* userWithAuth, adminWithPolicy, noDA */
#define AK_MAY (sizeof ak_may / sizeof *ak_may)

void plan_file_free(struct plan_file *f)
{
    approval_free(&f->plan);
    pubkey_free(f->ak);
    f->ak = NULL;
}

static result put_events(json_t *o, struct span cel)
{
    AUTO_JSON *events = json_array();
    if (!events)
        return fail(E_no_memory);
    for (size_t at = 0, end; at < cel.n; at = end + 1) {
        AUTO_JSON *record = NULL;
        end = span_find(cel, at, '\n');
        TRY(json_strict(span_part(cel, at, end - at), CEL_RECORD_MAX, &record));
        if (json_array_append(events, record))
            return fail(E_no_memory);
    }
    return json_put_new(o, "events", json_incref(events));
}

static result put_plan(json_t *o, const struct approval *plan)
{
    AUTO_JSON *v = NULL;
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    TRY(approval_plan_write(plan, &text));
    TRY(json_strict(buf_span(&text), JWS_PAYLOAD_MAX, &v));
    return json_put_new(o, "plan", json_incref(v));
}

result plan_file_write(const struct approval *plan, struct span cel, const struct pubkey *ak, struct buf *out)
{
    AUTO_JSON *o = json_object(), *jwk = NULL;
    struct digest value;
    struct cel_state state;
    if (!o)
        return fail(E_no_memory);
    TRY(cel_replay(cel, plan->pcr, &value, &state));
    TRY(pubkey_jwk(ak, &jwk));
    TRY(json_put_new(o, "attestation", json_incref(jwk)));
    TRY(put_events(o, cel));
    TRY(put_plan(o, plan));
    return json_canonical(o, out);
}

static result read_plan(const json_t *o, struct approval *ret)
{
    const json_t *plan;
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    TRY(json_object_at(o, "plan", &plan));
    TRY(json_canonical(plan, &text));
    return approval_plan_parse(buf_span(&text), ret);
}

/* The log's text: a line is a record's RFC 8785 form. */
static result read_events(const json_t *o, struct buf *log)
{
    const json_t *events, *record;
    size_t i;
    TRY(json_array_at(o, "events", 1, CEL_LOG_MAX, &events));
    json_array_foreach (events, i, record) {
        TRY(json_canonical(record, log));
        TRY(buf_u8(log, '\n'));
    }
    return OK;
}

static result refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return fail(E_plan_inconsistent);
}

static result fits_events(const struct approval *plan, struct span log, const char **ret_why)
{
    struct cel_state state;
    struct digest value;
    TRY(cel_replay(log, plan->pcr, &value, &state));
    if (!digest_equal(&value, &plan->pcr_value))
        return fail(E_event_log_mismatch);
    return cel_equal(&state, &plan->measured) ? OK : refuse(ret_why, "the event log ends in another state than the plan's");
}

/* PC Client Platform TPM Profile, section 4.6: 16 and 21 to 23 can be set back while the machine runs, and brought to any value
 * that they had. */
static bool is_lasting(unsigned pcr)
{
    return pcr <= 20 && pcr != 16;
}

/* A broker that doesn't measure all of itself isn't approved. */
static result measures_all(const struct plan_file *f, const char **ret_why)
{
    static const char *const others[] = { CEL_CONFIGURATION, CEL_KEY_RECORD, CEL_POLICY_AUTHORITY };
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++)
        if (!cel_find(&f->plan.measured, cel_executable(i)))
            return refuse(ret_why, "an executable isn't measured");
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        if (!cel_find(&f->plan.measured, others[i]))
            return refuse(ret_why, "configuration, record key or policy authority isn't measured");
    const struct digest *ak = cel_find(&f->plan.measured, CEL_KEY_ATTESTATION);
    if (!ak || !digest_equal(ak, &f->plan.ak) || !digest_equal(ak, pubkey_thumbprint(f->ak)))
        return refuse(ret_why, "the measured attestation key isn't the plan's");
    if (!is_lasting(f->plan.pcr))
        return refuse(ret_why, "the PCR can be set back");
    return f->plan.counter >= 1 ? OK : refuse(ret_why, "the counter was never incremented");
}

/* An approval under another TPM's reference would arm that one's keys. The key alone is given, and its Name follows from it but for
 * the attributes that it may have or not. */
static result fits_ref(const struct plan_file *f, const char **ret_why)
{
    AUTO_BUF origin = BUF(256);
    TRY(buf_printf(&origin, "%s/%s", f->plan.domain, f->plan.instance));
    TRY(buf_u8(&origin, 0));
    for (unsigned choice = 0; choice < 2u << AK_MAY; choice++) {
        uint8_t name[TPM_NAME_SIZE];
        struct digest ref;
        uint32_t attributes = AK_MUST;
        for (unsigned i = 0; i < AK_MAY; i++)
            attributes |= choice >> i & 1 ? ak_may[i] : 0;
        TRY(tpm_own_key_name(f->ak, attributes, choice >> AK_MAY & 1, name));
        TRY(policy_ref((const char *)origin.p, name, &ref));
        if (digest_equal(&ref, &f->plan.ref))
            return OK;
    }
    return refuse(ret_why, "the policy reference isn't of this attestation key and log");
}

static result open_into(struct span text, struct plan_file *f, const char **ret_why)
{
    AUTO_JSON *o = NULL;
    AUTO_BUF log = BUF(CEL_LOG_MAX);
    const json_t *jwk;
    TRY(json_strict(text, PLAN_FILE_MAX, &o));
    TRY(json_closed(o, (const char *const[]){ "attestation", "events", "plan", NULL }));
    TRY(read_plan(o, &f->plan));
    TRY(json_object_at(o, "attestation", &jwk));
    TRY(pubkey_from_jwk(jwk, &f->ak));
    TRY(read_events(o, &log));
    TRY(measures_all(f, ret_why));
    TRY(fits_events(&f->plan, buf_span(&log), ret_why));
    return fits_ref(f, ret_why);
}

result plan_file_open(struct span text, struct plan_file *ret, const char **ret_why)
{
    struct plan_file f = { .ak = NULL };
    result r = open_into(text, &f, ret_why);
    if (!is_ok(r)) {
        plan_file_free(&f);
        return r;
    }
    *ret = f;
    return OK;
}
