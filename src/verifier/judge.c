#include "config.h"

#include "base/clock.h"
#include "verifier/subject.h"

/* The instance was withdrawn, or enrolled anew, since the round began: what it answered is nobody's. */
static result still_enrolled(struct subject *s)
{
    struct enrolment_row now;
    result r = state_enrolment(s->server->state, s->setting->name, ENROLMENT_ACTIVE, &now);
    if (code_of(r) == E_not_found || (is_ok(r) && now.id != s->round))
        return fail(E_enrolment_withdrawn);
    return r;
}

/* Whoever shows another history than the one that was seen gets nothing at all with this verifier's name on it. */
static bool is_witness_code(enum seb_code c)
{
    return c == E_log_rolled_back || c == E_log_forked || c == E_log_cut || c == E_not_enrolled;
}

static bool may_have_result(const struct appraisal *v)
{
    for (unsigned i = 0; i < v->codes_n; i++)
        if (is_witness_code(v->codes[i]))
            return false;
    return true;
}

/* An affirmed instance; or one that has but to sign with its record key, under a lease, what the attributes of the mint key in its
 * HSM are: the result says `key_not_stated`, which no broker acts on. */
static bool may_have_lease(const struct appraisal *v)
{
    return v->status == EAR_AFFIRMING || (v->codes_n == 1 && v->codes[0] == E_key_not_stated);
}

static result codes_text(const struct appraisal *v, struct buf *out)
{
    for (unsigned i = 0; i < v->codes_n; i++)
        TRY(buf_printf(out, "%s%s", i ? " " : "", code_name(v->codes[i])));
    return OK;
}

static result make_claims(const struct appraisal_args *a, const struct appraisal *v, int64_t seconds, struct result_claims *c)
{
    AUTO_BUF policy = BUF(EAR_TEXT_MAX);
    char digest[DIGEST_TEXT + 1];
    TRY(span_copy_text(span_text(PACKAGE_NAME " " PACKAGE_VERSION), c->build, sizeof c->build));
    TRY(span_copy_text(span_text(PACKAGE_NAME), c->developer, sizeof c->developer));
    TRY(buf_printf(&policy, "reference:%s", a->reference ? digest_text(&a->reference->digest, digest) : "none"));
    TRY(span_copy_text(buf_span(&policy), c->appraisal_policy, sizeof c->appraisal_policy));
    return appraisal_claims(a, v, seconds, c);
}

static result put_lease(struct subject *s, const struct appraisal *v, json_t *question)
{
    uint8_t raw[SIGNATURE_SIZE];
    const int64_t seconds = s->server->settings->lease_s;
    AUTO_JSON *lease = json_object();
    TRY(keys_sign_lease(s->server->keys, v->lease_nonce, (uint32_t)seconds, &s->ref, raw));
    TRY(json_put_int(lease, "seconds", seconds));
    TRY(json_put_b64url(lease, "signature", SPAN(raw)));
    return json_put_new(question, "lease", json_incref(lease));
}

static result put_question(struct subject *s, const struct appraisal *v, struct span jwt)
{
    AUTO_JSON *question = json_object();
    TRY(json_put_text(question, "op", "result"));
    TRY(json_put_span(question, "result", jwt));
    if (may_have_lease(v))
        TRY(put_lease(s, v, question));
    else
        TRY(json_put_new(question, "lease", json_null()));
    s->question = question;
    question = NULL;
    return OK;
}

static result make_result(struct subject *s, const struct appraisal_args *a, const struct appraisal *v, struct buf *jwt)
{
    struct result_claims claims = { 0 };
    AUTO_BUF payload = BUF(RESULT_MAX);
    TRY(make_claims(a, v, s->server->settings->result_s, &claims));
    TRY(result_write(&claims, &payload));
    TRY(keys_sign_compact(s->server->keys, TYP_RESULT, buf_span(&payload), jwt));
    return put_question(s, v, buf_span(jwt));
}

static result record(struct subject *s, const struct appraisal *v, int64_t now, struct span jwt)
{
    struct result_row row = { .at = now, .lease = jwt.n && may_have_lease(v) };
    AUTO_BUF codes = BUF(sizeof row.codes - 1);
    TRY(codes_text(v, &codes));
    TRY(span_copy_text(buf_span(&codes), row.codes, sizeof row.codes));
    TRY(span_copy_text(span_text(ear_status_name(v->status)), row.status, sizeof row.status));
    return state_result_put(s->server->state, s->setting->name, &row, jwt);
}

/* "affirming", or "contraindicated: log_forked pcr_mismatch (seb-core: measured …)". */
static result words_of(const struct appraisal *v, struct buf *out)
{
    TRY(buf_printf(out, "%s%s", ear_status_name(v->status), v->codes_n ? ": " : ""));
    TRY(codes_text(v, out));
    for (unsigned i = 0; i < v->differs.n && i < 3; i++) {
        TRY(buf_text(out, i ? "; " : " ("));
        TRY(difference_text(&v->differs.one[i], out));
    }
    return v->differs.n ? buf_text(out, ")") : OK;
}

/* What is wrong is said now; what is good when the broker has taken it. */
static void say(struct subject *s, const struct appraisal *v)
{
    AUTO_BUF words = BUF(sizeof s->said - 1);
    s->affirming = v->status == EAR_AFFIRMING;
    if (s->affirming)
        return;
    /* What is too long for a line is cut there. */
    (void)is_ok(words_of(v, &words));
    (void)is_ok(buf_u8(&words, 0));
    subject_say(s, LOG_WARNING, words.p ? (const char *)words.p : ear_status_name(v->status));
}

static result conclude(struct subject *s, const struct appraisal_args *a, const struct appraisal *v, struct memory *m)
{
    AUTO_BUF jwt = BUF(STATE_RESULT_MAX);
    const struct appraisal_policy *policy = a->policy;
    m->known = v->known;
    if (policy && policy->epoch > m->policy_epoch)
        m->policy_epoch = policy->epoch;
    TRY(memory_write(s->server->state, s->setting->name, m));
    if (may_have_result(v))
        TRY(make_result(s, a, v, &jwt));
    s->judged = a->now;
    say(s, v);
    return record(s, v, a->now, buf_span(&jwt));
}

static result judge_with(struct subject *s, struct memory *m)
{
    const struct settings_instance *setting = s->setting;
    struct appraisal v = { 0 };
    const struct appraisal_documents documents = documents_view(s);
    const struct appraisal_known before = m->known;
    const struct appraisal_args a = { .evidence = s->evidence,
        .documents = &documents,
        .challenge = &s->challenge,
        .earlier = (const uint8_t(*)[NONCE_SIZE])s->earlier,
        .earlier_n = s->earlier_n,
        .identity = &s->identity,
        .reference = s->reference,
        .policy = held_policy_terms(&s->policy),
        .policy_key = setting->policy_key,
        .known = &before,
        .options = { .strict_clock = s->server->settings->strict_clock,
            .needs_firmware_log = setting->needs_firmware_log,
            .needs_ima = setting->needs_ima },
        .now = clock_utc_ms() / 1000 };
    result r = appraise(&a, &v);
    if (is_ok(r))
        r = conclude(s, &a, &v, m);
    appraisal_free(&v);
    return r;
}

result judge_subject(struct subject *s, bool *ret_again)
{
    struct memory m;
    TRY(server_write(s->server));
    TRY(still_enrolled(s));
    TRY(memory_read(s->server->state, s->setting->name, &s->row.ak, &m));
    /* An operator acknowledged another history meanwhile: the proof begins at what no longer counts. */
    *ret_again = m.known.log.size != s->challenge.seen.size || !digest_equal(&m.known.log.root, &s->challenge.seen.root);
    return *ret_again ? OK : judge_with(s, &m);
}
