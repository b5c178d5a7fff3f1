/* seb-audit trace: the way of one credential, from a token that a target saw to the endorsement key of the TPM. One pass over the
 * log up to the quote that covers the token's record, with the audit's own checks of keys, statements, results and quotes; each
 * finding is kept, and said at the step that it belongs to. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "merkle/tiles.h"
#include "mint/mint.h"
#include "policy/verify.h"
#include "audit/trace.h"

#define BUNDLE_MAX ((size_t)TILE_WIDTH * (2 + ENTRY_MAX))
#define TILE_BYTES ((size_t)TILE_WIDTH * DIGEST_SIZE)

/* The pass. */

static void hear(void *ctx, enum finding f, struct where at, const char *about)
{
    struct trace *t = ctx;
    if (t->deaf)
        return;
    t->deaf = t->heard_n == HEARD_MAX;
    struct heard *h = t->deaf ? &t->unheard : &t->heard[t->heard_n++];
    h->what = f;
    h->at = at;
    snprintf(h->about, sizeof h->about, "%s", about);
}

static const struct digest *result_of(const struct entry *e)
{
    if (e->type == ENTRY_READ)
        return e->read.has_attestation ? &e->read.attestation : NULL;
    return e->decision.has_attestation ? &e->decision.attestation : NULL;
}

/* What stands behind the result, for saying: whether it holds, the checks say. */
static result load_claims(struct audit *a, struct trace *t, const struct digest *result_)
{
    AUTO_BUF text = BUF(BLOB_MAX), arena = BUF((size_t)JWS_PAYLOAD_MAX * 2);
    struct jws jws;
    unsigned verifier;
    TRY(export_blob(&a->export, result_, "jwt", &text));
    TRY(jws_parse_compact(buf_span(&text), &arena, &jws));
    TRY(result_parse(jws.payload, &t->claims));
    t->has_claims = true;
    if (policy_now(a) && is_ok(verify_by_verifier(policy_now(a), TYP_RESULT, &jws, &verifier)))
        TRY(span_copy_text(span_text(policy_verifier_name(policy_now(a), verifier)), t->verifier, sizeof t->verifier));
    return OK;
}

static result load_approval(struct audit *a, struct trace *t)
{
    AUTO_BUF text = BUF(BLOB_MAX);
    AUTO_EVIDENCE *e = NULL;
    const struct ground g = { .export = &a->export, .trust = &a->trust };
    TRY(export_raw(&a->export, &t->claims.evidence, &text));
    TRY(evidence_parse(buf_span(&text), &e));
    TRY(approval_of(&g, e, &t->approval));
    t->has_approval = true;
    return OK;
}

static result load_statement(struct audit *a, struct trace *t)
{
    AUTO_BUF text = BUF(BLOB_MAX), arena = BUF((size_t)JWS_PAYLOAD_MAX * 2);
    struct jws jws;
    TRY(export_blob(&a->export, &t->claims.enrolment, "jws", &text));
    TRY(jws_parse_text(buf_span(&text), &arena, &jws));
    TRY(enrolment_parse(jws.payload, &t->statement));
    t->has_statement = true;
    return OK;
}

static result ours_alone(result r)
{
    return is_exports_fault(r) ? OK : r;
}

static result take_result(struct audit *a, struct trace *t, const struct record *r)
{
    t->result_at = r->index;
    TRY(ours_alone(load_claims(a, t, &r->e.attestation.result)));
    if (!t->has_claims)
        return OK;
    TRY(ours_alone(load_approval(a, t)));
    TRY(ours_alone(load_statement(a, t)));
    if (!enrolment_is_at(a, &t->claims.enrolment, &t->enrolment_at))
        t->enrolment_at = NO_INDEX;
    return OK;
}

static result take_certificate(struct audit *a, struct trace *t, const struct record *r)
{
    const struct certified *c;
    TRY(document_certificate(a, r->e.type == ENTRY_READ ? &r->e.read.signed_ : &r->e.decision.signed_, r->index, &c));
    t->signers = E_authority_unknown;
    if (!c || !policy_now(a))
        return OK;
    struct signers s = verify_certificate(policy_now(a), &c->jws);
    t->signers = s.code;
    t->authorities = s.distinct;
    return span_copy_text(span_text(c->certificate.cid), t->cid, sizeof t->cid);
}

/* The record itself: what was in force and in use right then. */
static result take_record(struct audit *a, struct trace *t, const struct record *r)
{
    static const char digits[] = "0123456789abcdef";
    const struct run *run = run_now(a);
    uint8_t name[TPM_NAME_SIZE];
    t->passed = digest_equal(&r->leaf, &t->jti);
    if (run && run->mint)
        t->is_minted = t->jws.n == 1 && is_ok(jws_verify(run->mint, TYP_CREDENTIAL, t->jws.payload, &t->jws.sig[0]));
    for (unsigned role = 0; run && role < ROLES; role++)
        t->key[role] = run->key[role];
    for (unsigned i = 0; ak_name_now(a, name) && i < TPM_NAME_SIZE; i++) {
        t->ak_name[2 * i] = digits[name[i] >> 4];
        t->ak_name[2 * i + 1] = digits[name[i] & 15];
    }
    if (policy_now(a)) {
        t->policy_epoch = policy_epoch_of(policy_now(a));
        digest_text(policy_digest(policy_now(a)), t->policy_digest);
    }
    return take_certificate(a, t, r);
}

static result trace_record(struct audit *a, const struct record *r)
{
    struct trace *t = a->trace;
    const struct digest *named = result_of(&t->record.e);
    if (r->index == t->index)
        return take_record(a, t, r);
    if (r->index > t->index)
        return OK;
    if (r->e.type == ENTRY_POLICY)
        t->policy_at = r->index;
    else if (r->e.type == ENTRY_START || r->e.type == ENTRY_KEYS)
        t->keys_at = r->index;
    else if (r->e.type == ENTRY_ATTESTATION && named && digest_equal(named, &r->e.attestation.result) && t->result_at == NO_INDEX)
        return take_result(a, t, r);
    return OK;
}

/* The quotes' check was here before: what it found to verify is in the summary. */
static result trace_signed_at(struct audit *a, const struct signed_size *s)
{
    struct trace *t = a->trace;
    if (s->size <= t->index)
        return OK;
    if (!t->note_size)
        t->note_size = s->size;
    if (!a->summary.has_quote || a->summary.quoted_size <= t->index)
        return OK;
    t->quoted_size = a->summary.quoted_size;
    t->clock_ms = a->summary.clock_ms;
    t->reset_count = a->summary.reset_count;
    t->restart_count = a->summary.restart_count;
    a->done = true;
    return OK;
}

const struct audit_check check_trace = { .name = "trace", .record = trace_record, .signed_at = trace_signed_at };

/* Before it: the token, and where in the log it belongs. */

/* Two dots between base64url: a token. Anything else names a file; - is stdin. */
static bool is_token(struct span s)
{
    unsigned dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i];
        const bool base64url = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!base64url && c != '.')
            return false;
        dots += c == '.';
    }
    return dots == 2;
}

static result read_stdin(struct buf *out)
{
    char text[4096];
    for (size_t n; (n = fread(text, 1, sizeof text, stdin)) > 0;)
        TRY(buf_put(out, (struct span){ (const uint8_t *)text, n }));
    return ferror(stdin) ? fail(E_io) : OK;
}

static result read_token(struct trace *t, const char *token)
{
    struct span s = span_text(token);
    t->wrong = token;
    if (is_token(s))
        TRY(buf_put(&t->token, s));
    else
        TRY(span_is(s, "-") ? read_stdin(&t->token) : file_read(token, CREDENTIAL_TEXT_MAX, &t->token));
    while (t->token.n > 0 && (t->token.p[t->token.n - 1] == '\n' || t->token.p[t->token.n - 1] == '\r'))
        t->token.n--;
    return OK;
}

static result read_token_claims(struct trace *t)
{
    AUTO_JSON *o = NULL;
    const char *audience;
    TRY(json_strict(t->jws.payload, CREDENTIAL_TEXT_MAX, &o));
    TRY(json_digest_at(o, "jti", &t->jti));
    TRY(json_text(o, "aud", sizeof t->audience - 1, &audience));
    return span_copy_text(span_text(audience), t->audience, sizeof t->audience);
}

static result take_token_apart(struct trace *t)
{
    TRY(jws_parse_compact(buf_span(&t->token), &t->arena, &t->jws));
    return read_token_claims(t);
}

/* Its jti is a leaf hash: the hash tiles say where it stands, and the pass whether that is so. */
static result find_leaf(const struct audit *a, const struct digest *leaf, uint64_t *ret_index)
{
    AUTO_BUF tile = BUF(TILE_BYTES);
    char path[TILE_PATH_MAX];
    for (uint64_t number = 0; number * TILE_WIDTH < a->size; number++) {
        TRY(tile_path(0, number, tile_width(0, number, a->size), path));
        buf_clear(&tile);
        TRY(export_read(&a->export, path, TILE_BYTES, &tile));
        for (size_t at = 0; at + DIGEST_SIZE <= tile.n; at += DIGEST_SIZE)
            if (span_equal(span_part(buf_span(&tile), at, DIGEST_SIZE), digest_span(leaf))) {
                *ret_index = number * TILE_WIDTH + at / DIGEST_SIZE;
                return OK;
            }
    }
    return fail(E_not_found);
}

static result find_record(struct audit *a, struct trace *t)
{
    AUTO_BUF bundle = BUF(BUNDLE_MAX);
    uint64_t index;
    TRY(find_leaf(a, &t->jti, &index));
    TRY(log_record(&a->export, a->size, index, &bundle, &t->record));
    const struct entry *e = &t->record.e;
    if (e->type != ENTRY_READ && !(e->type == ENTRY_DECISION && e->decision.permitted))
        return fail(E_not_found);
    t->index = index;
    return OK;
}

static result follow(struct audit *a, struct trace *t)
{
    result r = take_token_apart(t);
    if (!is_ok(r)) {
        hear(t, FOUND_token_malformed, at_file(), code_name(code_of(r)));
        return ours_alone(r);
    }
    r = find_record(a, t);
    if (!is_ok(r)) {
        hear(t, FOUND_token_unknown, at_file(), code_of(r) == E_not_found ? "" : code_name(code_of(r)));
        return ours_alone(r);
    }
    a->report.hear = hear;
    a->report.hears = t;
    return audit_pass(a);
}

static result load_trust(struct audit *a, const struct trace_options *o, struct trace *t)
{
    AUTO_BUF pem = BUF(EK_ROOTS_MAX);
    TRY(trust_load(o->trust, &a->trust, &t->wrong));
    if (!o->ek_roots)
        return OK;
    t->wrong = o->ek_roots;
    TRY(file_read(o->ek_roots, EK_ROOTS_MAX, &pem));
    return trust_roots(&a->trust, buf_span(&pem));
}

static result trace_all(
    struct audit *a, struct trace *t, const struct trace_options *o, const char *export, const char *token, int *ret_exit)
{
    TRY(load_trust(a, o, t));
    TRY(read_token(t, token));
    t->wrong = export;
    TRY(export_open(export, &a->export));
    TRY(log_size(&a->export, &a->size));
    t->wrong = "the trace broke off";
    TRY(report_open(&a->report, false, false));
    TRY(keycache_new(64, &a->keys));
    TRY(follow(a, t));
    return trace_say(a, t, o->json, ret_exit);
}

int audit_trace(const struct trace_options *o, const char *export, const char *token)
{
    struct audit a = { .export.fd = -1 };
    struct trace *t = calloc(1, sizeof *t);
    int code = AUDIT_UNREADABLE;
    if (!t)
        return audit_complain(code, "trace", fail(E_no_memory));
    *t = (struct trace){ .token = BUF(CREDENTIAL_TEXT_MAX),
        .arena = BUF(2 * CREDENTIAL_TEXT_MAX),
        .policy_at = NO_INDEX,
        .keys_at = NO_INDEX,
        .result_at = NO_INDEX,
        .enrolment_at = NO_INDEX,
        .index = NO_INDEX };
    a.trace = t;
    result r = trace_all(&a, t, o, export, token, &code);
    if (!is_ok(r))
        code = audit_complain(AUDIT_UNREADABLE, t->wrong, r);
    approval_file_free(&t->approval);
    buf_free(&t->token);
    buf_free(&t->arena);
    free(t);
    report_close(&a.report);
    keycache_free(a.keys);
    export_close(&a.export);
    trust_free(&a.trust);
    return code;
}
