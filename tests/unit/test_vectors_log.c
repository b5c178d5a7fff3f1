/* Log entries, Merkle tree, checkpoints, quotes' preimages, credentials and the bus's frames against the vectors. */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/vectors.h"

#include "attest/quote.h"
#include "bus/bus.h"
#include "entry/entry.h"
#include "merkle/checkpoint.h"
#include "merkle/merkle.h"
#include "mint/mint.h"
#include "policy/documents.h"
#include "scope/scope.h"

static bool is_digest(const struct digest *d, const json_t *v, const char *name)
{
    struct digest wanted = vector_digest(v, name);
    return digest_equal(d, &wanted);
}

static void check_entries(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("entries");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        struct entry e;
        AUTO_BUF again = BUF(ENTRY_MAX);
        struct span text = span_text(vector_text(v, "entry"));
        struct digest leaf = merkle_leaf(text);
        check_code(c, entry_read(text, &e), E_ok, vector_text(v, "type"));
        check_that(c, is_digest(&leaf, v, "leaf"), "its leaf hash");
        if (json_is_true(json_object_get(v, "permit")))
            check_code(c, entry_write(&e, &again), E_invariant, "without a permit it isn't written");
        else
            check_that(c, is_ok(entry_write(&e, &again)) && span_equal(buf_span(&again), text), "written, it is the same bytes");
    }
}

/* Zero where the element is no digest: then nothing is equal to it. */
static struct digest digest_at(const json_t *list, size_t i)
{
    struct digest d = { 0 }, read;
    const json_t *v = json_array_get(list, i);
    return json_is_string(v) && is_ok(digest_read(span_text(json_string_value(v)), &read)) ? read : d;
}

static struct merkle_proof proof_of(const json_t *v)
{
    const json_t *list = json_object_get(v, "proof");
    struct merkle_proof p = { .n = (unsigned)json_array_size(list) };
    for (unsigned i = 0; i < p.n; i++)
        p.hash[i] = digest_at(list, i);
    return p;
}

static void check_roots(struct checks *c, const json_t *merkle)
{
    const json_t *entries = json_object_get(merkle, "entries"), *roots = json_object_get(merkle, "roots");
    struct frontier f = { 0 };
    for (size_t n = 0; n < json_array_size(roots); n++) {
        struct digest root = frontier_root(&f), wanted = digest_at(roots, n);
        check_that(c, digest_equal(&root, &wanted), "a root");
        if (n == json_array_size(entries))
            break;
        struct digest leaf = merkle_leaf(span_text(json_string_value(json_array_get(entries, n)))),
                      given = digest_at(json_object_get(merkle, "leaves"), n);
        check_that(c, digest_equal(&leaf, &given), "a leaf");
        frontier_append(&f, &leaf, NULL, NULL);
    }
}

static void check_proofs(struct checks *c, const json_t *merkle)
{
    const json_t *roots = json_object_get(merkle, "roots"), *v;
    unsigned wrong = 0;
    size_t i;
    json_array_foreach (json_object_get(merkle, "inclusion"), i, v) {
        struct merkle_proof p = proof_of(v);
        uint64_t index = (uint64_t)vector_int(v, "index"), size = (uint64_t)vector_int(v, "size");
        struct digest leaf = digest_at(json_object_get(merkle, "leaves"), index), root = digest_at(roots, size),
                      other = digest_at(roots, 0);
        wrong += !is_ok(merkle_verify_inclusion(&leaf, index, size, &p, &root));
        wrong += is_ok(merkle_verify_inclusion(&leaf, index, size, &p, &other));
    }
    check_that(c, wrong == 0, "inclusion proofs");
    wrong = 0;
    json_array_foreach (json_object_get(merkle, "consistency"), i, v) {
        struct merkle_proof p = proof_of(v);
        uint64_t from = (uint64_t)vector_int(v, "from"), to = (uint64_t)vector_int(v, "to");
        struct digest from_root = digest_at(roots, from), to_root = digest_at(roots, to), other = digest_at(roots, 0);
        wrong += !is_ok(merkle_verify_consistency(from, &from_root, to, &to_root, &p));
        wrong += is_ok(merkle_verify_consistency(from, &from_root, to, &other, &p));
    }
    check_that(c, wrong == 0, "consistency proofs");
}

static void check_checkpoints(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("checkpoints");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_PUBKEY *k = vector_key(vector_text(v, "key"));
        AUTO_BUF text = BUF(NOTE_MAX);
        struct checkpoint point;
        struct span view;
        check_code(c, checkpoint_open(span_text(vector_text(v, "note")), k, &point, &view), E_ok, "a checkpoint opens");
        bool same = point.size == (uint64_t)vector_int(v, "size") && is_digest(&point.root, v, "root") &&
                    span_is(span_text(point.origin), vector_text(v, "origin")) && span_is(view, vector_text(v, "text"));
        check_that(c, same, "and says what it should");
        check_that(c, is_ok(checkpoint_text(&point, &text)) && span_is(buf_span(&text), vector_text(v, "text")), "its text");
    }
}

static void check_quotes(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("quotes");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_BUF preimage = BUF(1024), wanted = BUF(1024);
        struct digest note = vector_digest(v, "note_text"), read_note;
        uint64_t policy_epoch = (uint64_t)vector_int(v, "policy_epoch"), epoch = (uint64_t)vector_int(v, "epoch"), p, e;
        vector_bytes(v, "preimage", &wanted);
        check_code(c, quote_preimage(&note, policy_epoch, epoch, &preimage), E_ok, "a preimage");
        check_that(c, span_equal(buf_span(&preimage), buf_span(&wanted)), "is the one");
        struct digest qualifying = sha256(buf_span(&preimage));
        bool same = is_ok(quote_preimage_read(buf_span(&wanted), &read_note, &p, &e)) && digest_equal(&note, &read_note);
        check_that(c, same && p == policy_epoch && e == epoch && is_digest(&qualifying, v, "qualifying"), "and is read");
    }
}

static result claims_of(const json_t *v, const struct pubkey *k, struct buf *out)
{
    struct contract contract = { 0 };
    struct entry e;
    struct call_plan plan;
    AUTO_JSON *target = json_object();
    TRY(contract_parse(span_text(vector_text(v, "contract")), &contract));
    TRY(entry_read(span_text(vector_text(v, "entry")), &e));
    const char *kind = vector_text(v, "kind");
    enum call_use use = span_is(span_text(vector_text(v, "use")), "read") ? CALL_READ : CALL_MUTATE;
    const struct live_state *live = use == CALL_MUTATE && e.decision.has_live ? &e.decision.live : NULL;
    const struct live_view view = { live ? live->etag : "", live ? live->uid : "", live ? live->version : "" };
    struct target_mutation m = scope_mutation(&contract, &view);
    TRY(target_plan(kind, NULL, use, &m, &plan));
    TRY(target_claims(kind, use, &m, &plan, target));
    const struct digest *result_ = e.type == ENTRY_READ ? &e.read.attestation : &e.decision.attestation;
    char attestation[DIGEST_TEXT + 1];
    digest_text(result_, attestation);
    const struct mint_words words = {
        .domain = vector_text(v, "domain"),
        .instance = vector_text(v, "instance"),
        .audience = vector_text(v, "audience"),
        .cid = vector_text(v, "cid"),
        .attestation = attestation,
        .leaf = merkle_leaf(span_text(vector_text(v, "entry"))),
        .iat = e.type == ENTRY_READ ? e.read.iat : e.decision.iat,
        .exp = e.type == ENTRY_READ ? e.read.exp : e.decision.exp,
        .issuer = vector_text(v, "issuer"),
        .key = *pubkey_thumbprint(k),
        .groups = span_is(span_text(vector_text(v, "mapping")), "groups"),
        .target_claims = target,
    };
    result r = mint_claims(&words, out);
    contract_free(&contract);
    return r;
}

static void check_credentials(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("credentials");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_PUBKEY *k = vector_key(vector_text(v, "key"));
        AUTO_BUF claims = BUF(CREDENTIAL_TEXT_MAX), input = BUF(CREDENTIAL_TEXT_MAX), compact = BUF(CREDENTIAL_TEXT_MAX),
                 raw = BUF(SIGNATURE_SIZE);
        check_code(c, claims_of(v, k, &claims), E_ok, vector_text(v, "name"));
        check_that(c, span_is(buf_span(&claims), vector_text(v, "claims")), "its claims");
        check_code(c, jws_signing_input(k, TYP_CREDENTIAL, buf_span(&claims), &input), E_ok, "its signing input");
        check_that(c, span_is(buf_span(&input), vector_text(v, "signing_input")), "is the one");
        struct span whole = span_text(vector_text(v, "compact"));
        struct span signature = span_part(whole, input.n + 1, whole.n);
        bool same = is_ok(b64url_read(signature, &raw)) && is_ok(pubkey_verify(k, buf_span(&input), buf_span(&raw))) &&
                    is_ok(mint_compact(buf_span(&input), buf_span(&raw), &compact));
        check_that(c, same && span_equal(buf_span(&compact), whole), "signed, it is the one");
    }
}

static void check_frames(struct checks *c)
{
    AUTO_JSON *rows = vectors_load("bus");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        AUTO_BUF frame = BUF(BUS_FRAME_MAX), body = BUF(BUS_FRAME_MAX), made = BUF(BUS_FRAME_MAX);
        struct bus_frame f;
        vector_bytes(v, "frame", &frame);
        if (*vector_text(v, "body"))
            vector_bytes(v, "body", &body);
        check_code(c, bus_frame_read(buf_span(&frame), &f), E_ok, vector_text(v, "name"));
        check_that(c, span_is(f.json, vector_text(v, "json")) && span_equal(f.body, buf_span(&body)), "holds what it should");
        check_that(
            c, is_ok(bus_frame_put(&made, &f)) && span_equal(buf_span(&made), buf_span(&frame)), "and is put together again");
    }
}

static result parse(struct span kind, struct span input, const struct pubkey *record)
{
    struct bus_frame f;
    struct entry e;
    struct checkpoint point;
    struct digest d;
    struct span view;
    uint64_t policy_epoch, epoch;
    if (span_is(kind, "bus"))
        return bus_frame_read(input, &f);
    if (span_is(kind, "entry"))
        return entry_read(input, &e);
    return span_is(kind, "note") ? checkpoint_open(input, record, &point, &view)
                                 : quote_preimage_read(input, &d, &policy_epoch, &epoch);
}

static void check_hostile(struct checks *c)
{
    static const char *const kinds[] = { "bus", "entry", "note", "preimage" };
    AUTO_JSON *rows = vectors_load("hostile");
    AUTO_PUBKEY *record = vector_key("record");
    const json_t *v;
    size_t i;
    json_array_foreach (rows, i, v) {
        struct span kind = span_text(vector_text(v, "kind"));
        AUTO_BUF input = BUF(2 * BUS_FRAME_MAX);
        char name[160];
        if (*vector_text(v, "input"))
            vector_bytes(v, "input", &input);
        snprintf(name, sizeof name, "refused: %s: %s", vector_text(v, "kind"), vector_text(v, "name"));
        for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (span_is(kind, kinds[k]))
                check_code(c, parse(kind, buf_span(&input), record), code_named(vector_text(v, "error")), name);
    }
}

int main(void)
{
    struct checks c = { 0 };
    AUTO_JSON *merkle = vectors_load("merkle");
    check_entries(&c);
    check_roots(&c, merkle);
    check_proofs(&c, merkle);
    check_checkpoints(&c);
    check_quotes(&c);
    check_credentials(&c);
    check_frames(&c);
    check_hostile(&c);
    return checks_end(&c);
}
