#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "verifier/subject.h"

#include <stdlib.h>

result subject_make(struct server *v, const struct settings_instance *setting, struct subject *ret)
{
    *ret = (struct subject){ .server = v, .setting = setting, .papers = enrolment_documents_empty() };
    TRY(wire_line_new(v->wire, setting->address, &ret->line));
    ret->line->owner = ret;
    return OK;
}

static void forget_identity(struct subject *s)
{
    pubkey_free(s->ak);
    pubkey_free(s->record);
    s->ak = s->record = NULL;
    while (s->earlier_keys)
        pubkey_free(s->earlier_key[--s->earlier_keys]);
    s->enrolled = false;
    s->identity = (struct appraisal_identity){ 0 };
}

void subject_free(struct subject *s)
{
    forget_identity(s);
    wire_line_free(s->line);
    enrolment_documents_free(&s->papers);
    free(s->reference);
    held_policy_free(&s->policy);
    evidence_free(s->evidence);
    json_decref(s->question);
    for (unsigned d = 0; d < DOCUMENTS; d++)
        buf_free(&s->document[d].bytes);
}

static result key_of(struct span jwk, struct pubkey **ret)
{
    AUTO_JSON *o = NULL;
    TRY(json_strict(jwk, STATE_JWK_MAX, &o));
    return pubkey_from_jwk(o, ret);
}

/* The statement is this verifier's own, and verified all the same: who writes the database can't make an identity. */
static result statement_of(const struct subject *s, struct enrolment_statement *ret)
{
    struct jws j;
    AUTO_BUF arena = BUF(JWS_TEXT_MAX);
    TRY(jws_parse_text(buf_span(&s->papers.statement), &arena, &j));
    TRY(enrolment_open(&j, keys_result(s->server->keys), ret));
    bool same = digest_equal(&ret->ak, pubkey_thumbprint(s->ak)) && digest_equal(&s->row.ak, &ret->ak) &&
                span_equal(SPAN(ret->ak_name), SPAN(s->row.ak_name)) && span_is(span_text(ret->domain), s->setting->domain) &&
                span_is(span_text(ret->instance), s->setting->instance);
    return same ? OK : fail(E_key_mismatch);
}

/* Whom it was enrolled as before: the log goes on from what those record keys signed. */
static result identify_earlier(struct subject *s)
{
    struct enrolment_row row = { .id = s->row.id };
    for (bool more = true; more && s->earlier_keys < EARLIER_KEYS;) {
        AUTO_ENROLMENT_DOCUMENTS papers = enrolment_documents_empty();
        TRY(state_enrolment_before(s->server->state, s->setting->name, row.id, &row, &more));
        if (!more)
            break;
        TRY(state_enrolment_documents(s->server->state, row.id, &papers));
        TRY(key_of(buf_span(&papers.record_jwk), &s->earlier_key[s->earlier_keys]));
        s->earlier_keys++;
    }
    return OK;
}

static result identify(struct subject *s)
{
    struct enrolment_statement statement;
    TRY(state_enrolment_documents(s->server->state, s->row.id, &s->papers));
    TRY(key_of(buf_span(&s->papers.ak_jwk), &s->ak));
    TRY(key_of(buf_span(&s->papers.record_jwk), &s->record));
    TRY(statement_of(s, &statement));
    TRY(identify_earlier(s));
    TRY(instance_policy_ref(s->setting->domain, s->setting->instance, s->row.ak_name, &s->ref));
    s->identity = (struct appraisal_identity){ .domain = s->setting->domain,
        .instance = s->setting->instance,
        .statement = statement.digest,
        .ak = s->ak,
        .record = s->record,
        .earlier = (const struct pubkey *const *)s->earlier_key,
        .earlier_n = s->earlier_keys };
    TRY(span_copy(SPAN(s->row.ak_name), s->identity.ak_name, TPM_NAME_SIZE));
    s->enrolled = true;
    return OK;
}

result subject_refresh(struct subject *s)
{
    struct enrolment_row row;
    result r = state_enrolment(s->server->state, s->setting->name, ENROLMENT_ACTIVE, &row);
    if (code_of(r) == E_not_found) {
        const enum seb_code why = s->enrolled ? E_enrolment_withdrawn : E_not_enrolled;
        AUTO_BUF words = BUF(256);
        TRY(buf_printf(&words, "%s: %s", code_name(why), code_words(why)));
        TRY(buf_u8(&words, 0));
        if (s->enrolled || !s->said[0])
            subject_say(s, LOG_WARNING, (const char *)words.p);
        forget_identity(s);
        return OK;
    }
    TRY(r);
    if (s->enrolled && row.id == s->row.id)
        return OK;
    forget_identity(s);
    s->row = row;
    r = identify(s);
    if (!is_ok(r)) {
        forget_identity(s);
        log_result(LOG_ERROR, s->setting->name, r);
        return OK;
    }
    s->due_ms = clock_mono_ms();
    s->failures = 0;
    log_line(LOG_NOTE, "%s: enrolled: challenged from now on", s->setting->name);
    return OK;
}

void subject_reference(struct subject *s)
{
    struct reference *reference = calloc(1, sizeof *reference);
    result r = reference ? reference_load(s->setting->reference, s->setting->policy_key, s->setting->domain, reference)
                         : fail(E_no_memory);
    free(s->reference);
    s->reference = NULL;
    if (is_ok(r))
        s->reference = reference;
    else {
        free(reference);
        log_result(LOG_ERROR, s->setting->reference, r);
    }
}

void subject_say(struct subject *s, enum log_level level, const char *what)
{
    struct span said = span_part(span_text(what), 0, sizeof s->said - 1);
    if (span_is(said, s->said))
        return;
    s->said[0] = 0;
    (void)is_ok(span_copy_text(said, s->said, sizeof s->said));
    log_line(level, "%s: %s", s->setting->name, what);
}
