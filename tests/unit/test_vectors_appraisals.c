/* Challenges, evidence, appraisals and results against the vectors: what is concluded is, byte for byte, what another program
 * concluded. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/vectors.h"

#include "attest/key_proof.h"
#include "attest/appraise.h"

#include <stdlib.h>

#define LOG_MAX 65536

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct pubkey *key_at(const json_t *v, const char *name)
{
    struct pubkey *k = NULL;
    must(is_ok(pubkey_from_jwk(json_object_get(v, name), &k)));
    return k;
}

/* A row of appraisals.json, read. */
struct row {
    const json_t *v;
    struct buf cel, firmware, ima, ak_public, text;
    struct pubkey *policy_key, *verifier, *ak, *record, *countersigner;
    const struct pubkey *countersigners[1];
    struct evidence *evidence;
    struct challenge challenge;
    struct reference reference;
    struct enrolment_statement statement;
    struct appraisal_documents documents;
    struct appraisal_policy policy;
    struct appraisal_identity identity;
    struct appraisal_known known;
    struct appraisal_args args;
};

static void read_statement(struct checks *c, struct row *r)
{
    AUTO_BUF arena = BUF(JWS_TEXT_MAX), again = BUF(JWS_PAYLOAD_MAX);
    struct jws j;
    uint8_t name[TPM_NAME_SIZE];
    AUTO_PUBKEY *ak = NULL;
    must(is_ok(jws_parse(json_object_get(r->v, "statement"), &arena, &j)));
    check_code(c, enrolment_open(&j, r->verifier, &r->statement), E_ok, "an enrolment statement");
    check_that(
        c, is_ok(enrolment_write(&r->statement, &again)) && span_equal(buf_span(&again), j.payload), "written as the same bytes");
    check_code(c, ak_public_check(buf_span(&r->ak_public), name, &ak), E_ok, "an AK's public area");
    check_that(c, pubkey_equal(ak, r->ak) && span_equal(SPAN(name), SPAN(r->statement.ak_name)), "of the AK that it names");
}

static void read_documents(struct checks *c, struct row *r)
{
    AUTO_BUF again = BUF(EVIDENCE_TEXT_MAX);
    r->cel = r->firmware = r->ima = r->ak_public = BUF(LOG_MAX);
    vector_bytes(r->v, "cel", &r->cel);
    vector_bytes(r->v, "firmware", &r->firmware);
    vector_bytes(r->v, "ima", &r->ima);
    vector_bytes(r->v, "ak_public", &r->ak_public);
    check_code(c, evidence_parse(span_text(vector_text(r->v, "evidence")), &r->evidence), E_ok, "evidence");
    bool same = is_ok(evidence_write(r->evidence, &again)) && span_is(buf_span(&again), vector_text(r->v, "evidence"));
    check_that(c, same, "written as the same bytes");
    check_code(c, challenge_parse(span_text(vector_text(r->v, "challenge")), &r->challenge), E_ok, "its challenge");
    must(is_ok(reference_parse(span_text(vector_text(r->v, "reference")), &r->reference)));
    r->documents = (struct appraisal_documents){
        .cel = buf_span(&r->cel),
        .firmware = buf_span(&r->firmware),
        .ima = buf_span(&r->ima),
        .approval = span_text(vector_text(r->v, "approval")),
    };
}

static void read_row(struct checks *c, const json_t *v, struct row *r)
{
    *r = (struct row){ .v = v, .known.log = log_state_empty() };
    r->policy_key = key_at(v, "policy_key");
    r->verifier = key_at(v, "verifier");
    r->ak = key_at(v, "ak");
    r->record = key_at(v, "record");
    r->countersigners[0] = r->countersigner = key_at(v, "countersigner");
    read_documents(c, r);
    read_statement(c, r);
    r->policy = (struct appraisal_policy){
        .digest = vector_digest(v, "policy"),
        .epoch = (uint64_t)vector_int(v, "policy_epoch"),
        .countersigners = r->countersigners,
        .countersigners_n = 1,
        .needed = 1,
    };
    r->identity = (struct appraisal_identity){
        .domain = r->statement.domain,
        .instance = r->statement.instance,
        .statement = r->statement.digest,
        .ak = r->ak,
        .record = r->record,
    };
    must(is_ok(span_copy(SPAN(r->statement.ak_name), r->identity.ak_name, TPM_NAME_SIZE)));
    if (r->challenge.has_seen)
        r->known.log = r->challenge.seen;
    r->args = (struct appraisal_args){
        .evidence = r->evidence,
        .documents = &r->documents,
        .challenge = &r->challenge,
        .identity = &r->identity,
        .reference = &r->reference,
        .policy = &r->policy,
        .policy_key = r->policy_key,
        .known = &r->known,
        .options = { .needs_firmware_log = true, .needs_ima = true },
        .now = vector_int(v, "now"),
    };
}

static void free_row(struct row *r)
{
    struct pubkey *keys[] = { r->policy_key, r->verifier, r->ak, r->record, r->countersigner };
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        pubkey_free(keys[i]);
    buf_free(&r->cel);
    buf_free(&r->firmware);
    buf_free(&r->ima);
    buf_free(&r->ak_public);
    evidence_free(r->evidence);
}

static void concludes(struct checks *c, const struct row *r)
{
    struct appraisal v;
    struct result_claims claims = { .build = "seb-verifier 1", .developer = "seb", .appraisal_policy = "seb-appraisal-v1" }, is;
    AUTO_BUF text = BUF(RESULT_MAX), arena = BUF(JWS_TEXT_MAX);
    struct jws j;
    check_code(c, appraise(&r->args, &v), E_ok, vector_text(r->v, "name"));
    must(is_ok(appraisal_claims(&r->args, &v, vector_int(r->v, "seconds"), &claims)) && is_ok(result_write(&claims, &text)));
    bool same = span_is(buf_span(&text), vector_text(r->v, "claims"));
    check_that(c, same, "gives these claims");
    if (!same)
        printf("# %.*s\n# %s\n", (int)text.n, (const char *)text.p, vector_text(r->v, "claims"));
    must(is_ok(jws_parse_compact(span_text(vector_text(r->v, "result")), &arena, &j)));
    check_code(c, result_open(&j, r->verifier, &is), E_ok, "whose JWT is the verifier's");
    check_code(c, result_open(&j, r->ak, &is), E_bad_header, "and nobody else's");
    appraisal_free(&v);
}

static void appraisals(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("appraisals");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        struct row r;
        read_row(c, v, &r);
        concludes(c, &r);
        free_row(&r);
    }
}

static void challenges(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("challenges");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_PUBKEY *verifier = key_at(v, "verifier");
        AUTO_BUF arena = BUF(JWS_TEXT_MAX), again = BUF(CHALLENGE_MAX), preimage = BUF(512), preimage_again = BUF(512);
        struct challenge ch;
        struct quote_challenge q;
        struct jws j;
        must(is_ok(jws_parse(json_object_get(v, "jws"), &arena, &j)));
        check_that(c, j.n == 1 && is_ok(jws_verify(verifier, TYP_CHALLENGE, j.payload, &j.sig[0])), vector_text(v, "name"));
        check_code(c, challenge_parse(j.payload, &ch), E_ok, vector_text(v, "name"));
        check_that(
            c, is_ok(challenge_write(&ch, &again)) && span_is(buf_span(&again), vector_text(v, "payload")), "as the same bytes");
        vector_bytes(v, "preimage", &preimage);
        check_code(c, quote_challenge_read(buf_span(&preimage), &q), E_ok, "its quote's preimage");
        check_that(c,
            is_ok(quote_challenge_preimage(&q, &preimage_again)) && span_equal(buf_span(&preimage_again), buf_span(&preimage)) &&
                span_equal(SPAN(q.nonce), SPAN(ch.nonce)) && q.has_note == ch.has_seen,
            "of its nonce");
        struct digest qualifying = vector_digest(v, "qualifying"), is = sha256(buf_span(&preimage));
        check_that(c, digest_equal(&qualifying, &is), "and its digest");
    }
}

/* A rekey's statement is read by the audit (tests/unit/test_audit_keys); here, that it is the record key's and in canonical form.
 */
static void key_statements(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("keystatements");
    AUTO_PUBKEY *record = vector_key("record"), *mint = vector_key("mint"), *other = vector_key("attestation");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_JSON *payload = NULL;
        AUTO_PUBKEY *stated = NULL, *none = NULL;
        AUTO_BUF text = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX);
        struct token_identity token = { 0 };
        struct jws j;
        must(is_ok(json_canonical(json_object_get(v, "jws"), &text)) && is_ok(jws_parse_text(buf_span(&text), &arena, &j)));
        check_code(c, jws_verify(record, TYP_KEY_STATEMENT, j.payload, &j.sig[0]), E_ok, vector_text(v, "name"));
        check_that(c, is_ok(json_strict(j.payload, JWS_PAYLOAD_MAX, &payload)) && is_ok(json_is_canonical(payload, j.payload)),
            "in RFC 8785 form");
        bool is_mint = span_is(span_text(vector_text(v, "kind")), "mint");
        result r = hsm_key_proof(buf_span(&text), record, "prod.example", "seb-1", &token, &stated);
        check_code(c, r, is_mint ? E_ok : E_key_not_certified, "one of a mint key proves it");
        check_that(
            c, !is_mint || (pubkey_equal(stated, mint) && span_is(span_text(token.serial), "0123")), "that key, on that token");
        r = hsm_key_proof(buf_span(&text), other, "prod.example", "seb-1", &token, &none);
        check_code(c, r, E_key_not_certified, "by the record key alone");
    }
}

int main(void)
{
    struct checks c = { 0 };
    appraisals(&c);
    key_statements(&c);
    challenges(&c);
    return checks_end(&c);
}
