/* The result that is held. */
#include "config.h"

#include "core/attest.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/core.h"

#define DOCUMENT_LOG_MAX STORE_BLOB_MAX

void attestation_init(struct attestation *a, int64_t now_ms)
{
    *a = (struct attestation){ .told = E_attestation_missing, .told_since_ms = now_ms };
    a->evidence = a->judged_of = a->of = BUF(EVIDENCE_TEXT_MAX);
    a->judged_text = a->result = BUF(JWS_TEXT_MAX);
    a->shown = BUF(LINK_PACKET_MAX);
    for (unsigned i = 0; i < LOG_DOCUMENTS; i++)
        a->document[i].data = BUF(DOCUMENT_LOG_MAX);
}

void attestation_free(struct attestation *a)
{
    buf_free(&a->evidence);
    buf_free(&a->shown);
    buf_free(&a->of);
    buf_free(&a->judged_text);
    buf_free(&a->judged_of);
    buf_free(&a->result);
    for (unsigned i = 0; i < LOG_DOCUMENTS; i++)
        buf_free(&a->document[i].data);
}

/* The keys in use may change while a result is held: then it is one for other keys. */
static bool names_keys(const struct core *c, const struct result_claims *r)
{
    return digest_equal(&r->attestation, &c->key[ROLE_ATTESTATION].kid) && digest_equal(&r->record, &c->key[ROLE_RECORD].kid) &&
           digest_equal(&r->mint, &c->key[ROLE_MINT].kid);
}

bool attested_fits(const struct core *c, const struct result_claims *r)
{
    return r->status == EAR_AFFIRMING && names_keys(c, r);
}

const struct attested_facts *attested_facts_now(struct core *c)
{
    struct attestation *a = &c->attest;
    if (!a->held)
        return NULL;
    a->facts = (struct attested_facts){ .result = a->claims.digest,
        .affirming = a->claims.status == EAR_AFFIRMING,
        .keys_match = names_keys(c, &a->claims),
        .iat = a->claims.iat,
        .exp = a->claims.exp };
    return &a->facts;
}

enum seb_code attested_code(struct core *c)
{
    struct facts f = { .now_ms = journal_now(c->journal), .attested = attested_facts_now(c) };
    for (unsigned i = 0; i < rules_n; i++)
        if (span_is(span_text(rules[i].name), "attest"))
            return rules[i].holds(&f);
    return E_invariant;
}

void attested_watch(struct core *c)
{
    struct attestation *a = &c->attest;
    enum seb_code now = attested_code(c);
    if (now == a->told)
        return;
    if (now == E_ok)
        log_line(LOG_NOTE, "attested: the verifier affirms this instance");
    else
        log_result(LOG_ERROR, "not attested: no credential until a verifier affirms this instance", fail(now));
    a->told = now;
    /* It ended with the result's last second, whenever that is noticed. */
    a->told_since_ms = now == E_attestation_expired ? a->claims.exp * 1000 : clock_utc_ms();
}

/* docs/threat-model.md: certificates issued before an unclean start serve again once what the verifier had seen before it covers
 * the log's head at the start. A checkpoint that was signed since is larger than that and proves nothing of the time before. As in
 * the keeper, it must judge the first evidence of this run that this verifier had: later on it knows the head from this run. */
static void lift(struct core *c)
{
    const struct log_state *before = &c->attest.claims.log_before;
    const struct log_state *shown = &c->attest.claims.log;
    bool covers = c->attest.judging_first && before->size == c->head && c->resumed.size == c->head &&
                  digest_equal(&before->root, &c->resumed.root) && shown->size == c->head;
    if (!c->certificates_from || c->attest.claims.status != EAR_AFFIRMING || !covers)
        return;
    c->certificates_from = 0;
    log_line(LOG_NOTE, "the verifier had seen the log up to the unclean start: certificates issued before it serve again");
}

void attested_policy(struct core *c)
{
    struct attestation *a = &c->attest;
    if (a->held && !policy_names_verifier(c->policy, &a->by))
        a->held = false;
    attested_watch(c);
}

result attested_hold(struct core *c)
{
    struct attestation *a = &c->attest;
    if (!policy_names_verifier(c->policy, &a->judged_by)) /* the policy changed while the keeper judged it */
        return OK;
    struct buf text = a->result, of = a->of; /* changes places with the new one's */
    a->result = a->judged_text;
    a->of = a->judged_of;
    a->judged_text = text;
    a->judged_of = of;
    a->claims = a->judged;
    a->by = a->judged_by;
    a->held = true;
    a->recorded = false;
    lift(c);
    attested_watch(c);
    return a->claims.status != a->recorded_status ? attested_record(c) : OK;
}

static result add_document(struct core *c, struct record *r, enum log_document which, const struct digest *d)
{
    struct collected *wanted = documents_wanted(c, which, d);
    if (!wanted)
        return OK;
    TRY(record_blob(r, BLOB_DOCUMENT, d, buf_span(&wanted->data)));
    return OK;
}

static result fill(struct core *c, struct record *r, const struct evidence *e)
{
    const struct attestation *a = &c->attest;
    TRY(record_blob(r, BLOB_RESULT, &a->claims.digest, buf_span(&a->result)));
    TRY(record_blob(r, BLOB_DOCUMENT, &a->claims.evidence, buf_span(&a->of)));
    TRY(add_document(c, r, LOG_CEL, &e->cel));
    return e->has_firmware ? add_document(c, r, LOG_FIRMWARE, &e->firmware) : OK;
}

static void documents_stored(struct core *c, const struct evidence *e)
{
    struct collected *cel = documents_wanted(c, LOG_CEL, &e->cel);
    struct collected *firmware = e->has_firmware ? documents_wanted(c, LOG_FIRMWARE, &e->firmware) : NULL;
    if (cel)
        cel->stored = true;
    if (firmware)
        firmware->stored = true;
}

/* A record finds its way into the log whatever the disk does meanwhile (record.h), so that it counts as there from here on. */
result attested_record(struct core *c)
{
    struct attestation *a = &c->attest;
    AUTO_RECORD *r = NULL;
    AUTO_EVIDENCE *e = NULL;
    if (!a->held || a->recorded)
        return OK;
    struct entry entry = { .type = ENTRY_ATTESTATION,
        .attestation = { .result = a->claims.digest, .evidence = a->claims.evidence } };
    TRY(span_copy_text(span_text(ear_status_name(a->claims.status)), entry.attestation.status, sizeof entry.attestation.status));
    TRY(evidence_parse(buf_span(&a->of), &e));
    TRY(record_new(c, &entry, &r));
    TRY(fill(c, r, e));
    TRY(record_put(&r, NULL, 0));
    documents_stored(c, e);
    a->recorded = true;
    a->recorded_status = a->claims.status;
    return OK;
}

static result put_codes(json_t *o, const struct result_claims *r)
{
    json_t *codes = json_array();
    TRY(json_put_new(o, "codes", codes));
    for (unsigned i = 0; i < r->codes_n; i++)
        if (json_array_append_new(codes, json_string(code_name(r->codes[i]))))
            return fail(E_no_memory);
    return OK;
}

result attested_status(struct core *c, json_t *reply)
{
    struct attestation *a = &c->attest;
    json_t *o = json_object();
    attested_watch(c);
    TRY(json_put_new(reply, "attestation", o));
    TRY(json_put_text(o, "state", code_name(a->told)));
    TRY(json_put_int(o, "since", a->told_since_ms));
    if (c->certificates_from)
        TRY(json_put_int(reply, "certificates_from", c->certificates_from));
    if (!a->held)
        return OK;
    TRY(json_put_text(o, "status", ear_status_name(a->claims.status)));
    TRY(json_put_digest(o, "result", &a->claims.digest));
    TRY(json_put_int(o, "iat", a->claims.iat));
    TRY(json_put_int(o, "exp", a->claims.exp));
    return put_codes(o, &a->claims);
}
