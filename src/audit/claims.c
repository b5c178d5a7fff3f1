/* seb-audit claims: what the credential says that a record allowed. The record decides: claims are a function of it, the
 * certificate and the target's audience (docs/formats.md, "Credential"). */
#include "config.h"

#include <stdio.h>

#include "mint/mint.h"
#include "audit/audit.h"

#define ARENA_MAX ((size_t)JWS_PAYLOAD_MAX * 2)
#define BUNDLE_MAX ((size_t)256 * (2 + ENTRY_MAX))
/* A decision comes at most so many records behind the read that it rests on; beyond it, nobody rests on it. */
#define LOOK_AHEAD 100000

/* What the claims are made of. */
struct basis {
    const struct trust *trust;
    const struct export_dir *export;
    uint64_t size;
    const char *audience; /* NULL: the trust file's */
    struct record record, decision; /* decision: of a read, the one that rests on it */
    struct buf arena, bundle;
    struct jws jws;
    struct certificate certificate;
    const char *wrong; /* in words, where it isn't a failure of ours */
};

static result load_certificate(struct basis *g, const struct digest *certificate, const struct digest *signed_)
{
    AUTO_BUF file = BUF(BLOB_MAX);
    g->wrong = "its certificate can't be had from the export";
    TRY(export_blob(g->export, signed_, "jws", &file));
    struct digest came = sha256(buf_span(&file));
    if (!digest_equal(&came, signed_))
        return fail(E_certificate_mismatch);
    TRY(jws_parse_text(buf_span(&file), &g->arena, &g->jws));
    TRY(certificate_parse(g->jws.payload, NULL, &g->certificate));
    return digest_equal(&g->certificate.digest, certificate) ? OK : fail(E_certificate_mismatch);
}

static bool rests_on(const struct entry *e, uint64_t read)
{
    return e->type == ENTRY_DECISION && e->decision.has_live && e->decision.live.read == read;
}

/* A read's record doesn't name the target's kind; the decision that it was for does. */
static result find_decision(struct basis *g)
{
    const struct read_entry *e = &g->record.e.read;
    g->wrong = "no decision in the export rests on this read, so that its target's kind isn't known";
    if (e->purpose == READ_RECONCILE)
        return log_record(g->export, g->size, e->decision, &g->bundle, &g->decision);
    for (uint64_t i = g->record.index + 1; i < g->size && i - g->record.index < LOOK_AHEAD; i++) {
        TRY(log_record(g->export, g->size, i, &g->bundle, &g->decision));
        if (rests_on(&g->decision.e, g->record.index))
            return OK;
    }
    return fail(E_not_found);
}

static result load(struct basis *g, uint64_t index)
{
    g->wrong = "the record can't be read";
    TRY(log_record(g->export, g->size, index, &g->bundle, &g->record));
    const struct entry *e = &g->record.e;
    g->wrong = "no credential is minted for this record: only for a permit and a read";
    if (e->type != ENTRY_READ && !(e->type == ENTRY_DECISION && e->decision.permitted))
        return fail(E_bad_value);
    g->decision = g->record;
    if (e->type == ENTRY_READ)
        TRY(find_decision(g));
    return e->type == ENTRY_READ ? load_certificate(g, &e->read.certificate, &e->read.signed_)
                                 : load_certificate(g, &e->decision.certificate, &e->decision.signed_);
}

static const char *attestation_text(const struct entry *e, char text[DIGEST_TEXT + 1])
{
    const bool read = e->type == ENTRY_READ;
    if (!(read ? e->read.has_attestation : e->decision.has_attestation))
        return "none";
    return digest_text(read ? &e->read.attestation : &e->decision.attestation, text);
}

result claims_from(const struct claims_ground *g, struct buf *out, const char **ret_wrong)
{
    const struct entry *e = &g->record->e;
    const struct contract *contract = &g->certificate->contract;
    const char *target = contract->mutation.target;
    const bool read = e->type == ENTRY_READ;
    const enum call_use use = read ? CALL_READ : CALL_MUTATE;
    const bool live = !read && e->decision.has_live;
    const struct live_view view = { e->decision.live.etag, e->decision.live.uid, e->decision.live.version };
    struct target_mutation m = scope_mutation(contract, live ? &view : NULL);
    struct call_plan plan;
    char attestation[DIGEST_TEXT + 1];
    AUTO_JSON *claims = json_object();
    *ret_wrong = "the trust file has no audience for the record's target";
    const char *audience = g->audience ? g->audience : trust_audience(g->trust, target);
    if (!audience)
        return fail(E_target_unknown);
    *ret_wrong = "the record's contract is no call to its target";
    TRY(target_plan(g->kind, NULL, use, &m, &plan));
    TRY(target_claims(g->kind, use, &m, &plan, claims));
    return mint_claims(
        &(struct mint_words){
            .domain = g->trust->domain,
            .instance = g->trust->instance,
            .audience = audience,
            .cid = g->certificate->cid,
            .attestation = attestation_text(e, attestation),
            .issuer = trust_issuer(g->trust, target),
            .key = read ? e->read.mint_key : e->decision.mint_key,
            .groups = trust_maps_groups(g->trust, target),
            .leaf = g->record->leaf,
            .iat = read ? e->read.iat : e->decision.iat,
            .exp = read ? e->read.exp : e->decision.exp,
            .target_claims = claims,
        },
        out);
}

static result compute(struct basis *g, struct buf *out)
{
    return claims_from(
        &(struct claims_ground){
            .trust = g->trust,
            .audience = g->audience,
            .kind = g->decision.e.decision.target_kind,
            .certificate = &g->certificate,
            .record = &g->record,
        },
        out, &g->wrong);
}

result claims_of(const struct trust *t, const struct export_dir *x, uint64_t size, uint64_t index, const char *audience,
    struct buf *out, const char **ret_wrong)
{
    struct basis g = {
        .trust = t, .export = x, .size = size, .audience = audience, .arena = BUF(ARENA_MAX), .bundle = BUF(BUNDLE_MAX)
    };
    result r = load(&g, index);
    if (is_ok(r))
        r = compute(&g, out);
    *ret_wrong = g.wrong;
    certificate_free(&g.certificate);
    buf_free(&g.arena);
    buf_free(&g.bundle);
    return r;
}

static result print_claims(
    struct trust *t, struct export_dir *x, const char *trust, const char *export, uint64_t index, const char **ret_wrong)
{
    AUTO_BUF claims = BUF(CREDENTIAL_TEXT_MAX);
    uint64_t size;
    TRY(trust_load(trust, t, ret_wrong));
    *ret_wrong = "the export can't be read";
    TRY(export_open(export, x));
    TRY(log_size(x, &size));
    TRY(claims_of(t, x, size, index, NULL, &claims, ret_wrong));
    *ret_wrong = "stdout";
    bool written = fwrite(claims.p, 1, claims.n, stdout) == claims.n && putchar('\n') != EOF && fflush(stdout) == 0;
    return written ? OK : fail(E_io);
}

int audit_claims(const char *trust, const char *export, uint64_t index)
{
    struct trust t = { 0 };
    struct export_dir x = { -1 };
    const char *wrong = "";
    result r = print_claims(&t, &x, trust, export, index, &wrong);
    int code = is_ok(r) ? AUDIT_CLEAN : audit_complain(AUDIT_UNREADABLE, wrong, r);
    export_close(&x);
    trust_free(&t);
    return code;
}
