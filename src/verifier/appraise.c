/* `seb-verifier appraise`: the same judgement, offline, over a folder: an export of a broker's log (sebctl export), or a bundle of
 * evidence, challenge and documents. Without the machine's past: clocks and counts are compared with nothing. */
#include "config.h"

#include "attest/appraise.h"
#include "attest/approval.h"
#include "attest/ima.h"
#include "attest/tcg_log.h"
#include "base/clock.h"
#include "verifier/trusted.h"
#include "verifier/verifier.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#define EVIDENCE_FILE "evidence.json"

/* What is judged, and by what; freed by scope. */
struct bundle {
    const char *folder;
    bool is_export;
    struct pubkey *policy_key, *verifier_key;
    struct challenge challenge;
    struct appraisal_known known;
    int64_t now;
    struct buf evidence_text, cel, firmware, ima, approval, policy_text, statement_text;
    struct evidence *evidence;
    struct enrolment_statement statement;
    struct pubkey *ak, *record;
    struct held_policy policy;
    struct reference *reference;
    bool has_result;
    struct result_claims result; /* of an export: what the verifier said then */
};

static void bundle_free(struct bundle *b)
{
    struct buf *bufs[] = { &b->evidence_text, &b->cel, &b->firmware, &b->ima, &b->approval, &b->policy_text, &b->statement_text };
    for (unsigned i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_free(bufs[i]);
    evidence_free(b->evidence);
    pubkey_free(b->policy_key);
    pubkey_free(b->verifier_key);
    pubkey_free(b->ak);
    pubkey_free(b->record);
    held_policy_free(&b->policy);
    free(b->reference);
}

static result key_load(struct verifier_args *a, enum verifier_option o, struct pubkey **ret)
{
    AUTO_BUF text = BUF(4096);
    AUTO_JSON *jwk = NULL;
    a->about = a->value[o];
    TRY(file_read(a->value[o], 4096, &text));
    TRY(json_strict(buf_span(&text), 4096, &jwk));
    TRY(pubkey_from_jwk(jwk, ret));
    a->about = NULL;
    return OK;
}

static result file_in(const char *folder, const char *name, size_t max, struct buf *out)
{
    AUTO_BUF path = BUF(4096);
    TRY(buf_printf(&path, "%s/%s", folder, name));
    TRY(buf_u8(&path, 0));
    buf_free(out);
    *out = BUF(max);
    return file_read((const char *)path.p, max, out);
}

static result file_of(const struct bundle *b, const char *name, size_t max, struct buf *out)
{
    return file_in(b->folder, name, max, out);
}

static result may_be_missing(result r)
{
    return code_of(r) == E_io && foreign_code(r) == ENOENT ? OK : r;
}

/* A file that may be missing: then its span is empty, and the appraisal says whether it had to be there. */
static result file_if_there(const struct bundle *b, const char *name, size_t max, struct buf *out)
{
    return may_be_missing(file_of(b, name, max, out));
}

static result blob(const struct bundle *b, const struct digest *d, const char *extension, size_t max, struct buf *out)
{
    char text[DIGEST_TEXT + 1];
    AUTO_BUF name = BUF(128);
    TRY(buf_printf(&name, "blobs/%s.%s", digest_text(d, text), extension));
    TRY(buf_u8(&name, 0));
    return file_if_there(b, (const char *)name.p, max, out);
}

/* The result of that name, or the newest in the folder: who judges an export has the verifier's key, and takes nothing from the
 * broker's word.
 */
static result result_read(struct bundle *b, const char *name, struct result_claims *ret)
{
    struct jws j;
    AUTO_BUF path = BUF(512), text = BUF(STATE_RESULT_MAX), arena = BUF(STATE_RESULT_MAX);
    TRY(buf_printf(&path, "blobs/%s", name));
    TRY(buf_u8(&path, 0));
    TRY(file_of(b, (const char *)path.p, STATE_RESULT_MAX, &text));
    TRY(jws_parse_compact(buf_span(&text), &arena, &j));
    return result_open(&j, b->verifier_key, ret);
}

static bool ends_with(const char *name, const char *end)
{
    struct span s = span_text(name), e = span_text(end);
    return s.n > e.n && span_equal(span_part(s, s.n - e.n, e.n), e);
}

static result newest_result(struct bundle *b)
{
    AUTO_BUF path = BUF(4096);
    TRY(buf_printf(&path, "%s/blobs", b->folder));
    TRY(buf_u8(&path, 0));
    DIR *dir = opendir((const char *)path.p);
    if (!dir)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    for (struct dirent *e; (e = readdir(dir));) {
        struct result_claims c = { 0 };
        /* Another verifier's results lie there too, and don't verify. */
        if (!ends_with(e->d_name, ".jwt") || !is_ok(result_read(b, e->d_name, &c)) || (b->has_result && c.iat <= b->result.iat))
            continue;
        b->result = c;
        b->has_result = true;
    }
    closedir(dir);
    return b->has_result ? OK : fail(E_attestation_missing);
}

static result named_result(struct bundle *b, const char *digest)
{
    AUTO_BUF name = BUF(128);
    TRY(buf_printf(&name, "%s.jwt", digest));
    TRY(buf_u8(&name, 0));
    TRY(result_read(b, (const char *)name.p, &b->result));
    b->has_result = true;
    return OK;
}

static result export_read(struct verifier_args *a, struct bundle *b)
{
    const struct result_claims *r = &b->result;
    TRY(a->value[OPT_RESULT] ? named_result(b, a->value[OPT_RESULT]) : newest_result(b));
    b->now = r->iat;
    b->challenge = (struct challenge){ .iat = r->iat, .op = CHALLENGE_APPRAISE, .has_seen = true, .seen = r->log_before };
    TRY(span_copy(SPAN(r->nonce), b->challenge.nonce, NONCE_SIZE));
    TRY(span_copy_text(span_text(r->domain), b->challenge.domain, sizeof b->challenge.domain));
    TRY(span_copy_text(span_text(r->instance), b->challenge.instance, sizeof b->challenge.instance));
    TRY(blob(b, &r->evidence, "raw", EVIDENCE_TEXT_MAX, &b->evidence_text));
    TRY(evidence_parse(buf_span(&b->evidence_text), &b->evidence));
    /* Not all of it is quoted, certified or signed: the result is of this one. */
    if (!digest_equal(&b->evidence->digest, &r->evidence))
        return fail(E_evidence_mismatch);
    TRY(blob(b, &b->evidence->cel, "raw", CEL_LOG_MAX, &b->cel));
    if (b->evidence->has_firmware)
        TRY(blob(b, &b->evidence->firmware, "raw", TCG_LOG_MAX, &b->firmware));
    if (b->evidence->has_approval)
        TRY(blob(b, &b->evidence->approval, "jws", APPROVAL_TEXT_MAX, &b->approval));
    if (b->evidence->has_policy)
        TRY(blob(b, &b->evidence->policy, "jws", JWS_TEXT_MAX, &b->policy_text));
    return blob(b, &r->enrolment, "jws", STATE_STATEMENT_MAX, &b->statement_text);
}

/* What the broker's log doesn't hold: IMA's list, and a firmware log that is too long for it. */
static result logs_read(struct verifier_args *a, struct bundle *b)
{
    const char *folder = a->value[OPT_LOGS];
    if (!folder)
        return OK;
    if (!b->firmware.n)
        TRY(may_be_missing(file_in(folder, "firmware", TCG_LOG_MAX, &b->firmware)));
    return b->ima.n ? OK : may_be_missing(file_in(folder, "ima", IMA_LOG_MAX, &b->ima));
}

/* docs/attestation.md, "Bundle for offline appraisal". */
static result folder_read(struct bundle *b)
{
    AUTO_BUF challenge = BUF(CHALLENGE_MAX);
    TRY(file_of(b, EVIDENCE_FILE, EVIDENCE_TEXT_MAX, &b->evidence_text));
    TRY(evidence_parse(buf_span(&b->evidence_text), &b->evidence));
    TRY(file_of(b, "challenge.json", CHALLENGE_MAX, &challenge));
    TRY(challenge_parse(buf_span(&challenge), &b->challenge));
    b->now = b->challenge.iat;
    TRY(file_if_there(b, "cel", CEL_LOG_MAX, &b->cel));
    TRY(file_if_there(b, "firmware", TCG_LOG_MAX, &b->firmware));
    TRY(file_if_there(b, "ima", IMA_LOG_MAX, &b->ima));
    TRY(file_if_there(b, "approval.json", APPROVAL_TEXT_MAX, &b->approval));
    TRY(file_if_there(b, "policy.jws", JWS_TEXT_MAX, &b->policy_text));
    return file_of(b, "enrolment.jws", STATE_STATEMENT_MAX, &b->statement_text);
}

/* The AK is the one of the verifier's statement; the record key the one that the AK certifies under the policy authority's key
 * policy. */
static result identify(struct bundle *b)
{
    struct jws j;
    uint8_t name[TPM_NAME_SIZE];
    struct digest ref, policy;
    AUTO_BUF arena = BUF(STATE_STATEMENT_MAX), origin = BUF(256);
    TRY(jws_parse_text(buf_span(&b->statement_text), &arena, &j));
    TRY(enrolment_open(&j, b->verifier_key, &b->statement));
    TRY(ak_proof(buf_span(&b->evidence->key[EVIDENCE_ATTESTATION].evidence), name, &b->ak));
    if (!span_equal(SPAN(name), SPAN(b->statement.ak_name)) || !digest_equal(pubkey_thumbprint(b->ak), &b->statement.ak))
        return fail(E_ak_mismatch);
    TRY(buf_printf(&origin, "%s/%s", b->statement.domain, b->statement.instance));
    TRY(buf_u8(&origin, 0));
    TRY(policy_ref((const char *)origin.p, name, &ref));
    TRY(key_policy(b->policy_key, &ref, &policy));
    return tpm_key_proof(buf_span(&b->evidence->key[EVIDENCE_RECORD].evidence), b->ak, &policy, &b->record);
}

static result trust(struct verifier_args *a, struct bundle *b)
{
    a->about = "the enrolment statement";
    TRY(identify(b));
    a->about = "the signed policy";
    if (b->policy_text.n)
        TRY(held_policy_read(buf_span(&b->policy_text), b->policy_key, b->statement.domain, 0, &b->policy));
    a->about = a->value[OPT_REFERENCE];
    b->reference = calloc(1, sizeof *b->reference);
    if (!b->reference)
        return fail(E_no_memory);
    return reference_load(a->value[OPT_REFERENCE], b->policy_key, b->statement.domain, b->reference);
}

static result put_json(const struct bundle *b, const struct appraisal *v, struct buf *out)
{
    AUTO_JSON *o = json_object(), *codes = json_array(), *differs = json_array();
    for (unsigned i = 0; i < v->codes_n; i++)
        if (json_array_append_new(codes, json_string(code_name(v->codes[i]))) != 0)
            return fail(E_no_memory);
    for (unsigned i = 0; i < v->differs.n; i++)
        if (json_array_append_new(differs, json_string(v->differs.one[i].name)) != 0)
            return fail(E_no_memory);
    TRY(json_put_text(o, "status", ear_status_name(v->status)));
    TRY(json_put_new(o, "codes", json_incref(codes)));
    TRY(json_put_new(o, "differs", json_incref(differs)));
    TRY(json_put_text(o, "domain", b->statement.domain));
    TRY(json_put_text(o, "instance", b->statement.instance));
    TRY(json_put_digest(o, "ek", &b->statement.ek));
    TRY(json_put_digest(o, "quote", &v->quote));
    TRY(json_put_text(o, "said", b->has_result ? ear_status_name(b->result.status) : "none"));
    return json_canonical(o, out);
}

static result put_text(const struct bundle *b, const struct appraisal *v, struct buf *out)
{
    TRY(buf_printf(out, "%s/%s: %s", b->statement.domain, b->statement.instance, ear_status_name(v->status)));
    for (unsigned i = 0; i < v->codes_n; i++)
        TRY(buf_printf(out, "\n%s: %s", code_name(v->codes[i]), code_words(v->codes[i])));
    for (unsigned i = 0; i < v->differs.n; i++) {
        TRY(buf_u8(out, '\n'));
        TRY(difference_text(&v->differs.one[i], out));
    }
    return b->has_result ? buf_printf(out, "\nthe verifier said then: %s", ear_status_name(b->result.status)) : OK;
}

static result print(const struct verifier_args *a, const struct bundle *b, const struct appraisal *v)
{
    AUTO_BUF text = BUF(65536);
    TRY(a->value[OPT_JSON] ? put_json(b, v, &text) : put_text(b, v, &text));
    TRY(verifier_print(buf_span(&text)));
    return v->status == EAR_AFFIRMING ? OK : fail(v->codes_n ? v->codes[0] : E_attestation_failed);
}

static result judge(const struct verifier_args *a, const struct bundle *b)
{
    struct appraisal v = { 0 };
    const struct appraisal_documents documents = { .cel = buf_span(&b->cel),
        .firmware = buf_span(&b->firmware),
        .ima = buf_span(&b->ima),
        .approval = buf_span(&b->approval),
        .approval_is_stored = b->is_export };
    struct appraisal_identity identity = { .domain = b->statement.domain,
        .instance = b->statement.instance,
        .statement = b->statement.digest,
        .ak = b->ak,
        .record = b->record };
    TRY(span_copy(SPAN(b->statement.ak_name), identity.ak_name, TPM_NAME_SIZE));
    struct appraisal_known known = { .log = b->challenge.has_seen ? b->challenge.seen : log_state_empty() };
    const struct appraisal_args args = { .evidence = b->evidence,
        .documents = &documents,
        .challenge = &b->challenge,
        .identity = &identity,
        .reference = b->reference,
        .policy = held_policy_terms(&b->policy),
        .policy_key = b->policy_key,
        .known = &known,
        .now = b->now };
    result r = appraise(&args, &v);
    if (is_ok(r))
        r = print(a, b, &v);
    appraisal_free(&v);
    return r;
}

result verifier_appraise(struct verifier_args *a)
{
    __attribute__((cleanup(bundle_free))) struct bundle b = { .folder = a->operand };
    AUTO_BUF probe = BUF(EVIDENCE_TEXT_MAX);
    TRY(key_load(a, OPT_POLICY_KEY, &b.policy_key));
    TRY(key_load(a, OPT_VERIFIER, &b.verifier_key));
    a->about = a->operand;
    b.is_export = !is_ok(file_of(&b, EVIDENCE_FILE, EVIDENCE_TEXT_MAX, &probe));
    TRY(b.is_export ? export_read(a, &b) : folder_read(&b));
    a->about = a->value[OPT_LOGS];
    TRY(logs_read(a, &b));
    TRY(trust(a, &b));
    a->about = NULL;
    return judge(a, &b);
}
