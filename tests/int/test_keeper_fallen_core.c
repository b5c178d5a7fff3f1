/* A fallen core against a real keeper, with a real TPM and HSM: whatever it asks, there is no credential that no authority
 * certified, none without a signed record, none twice, and no signature under a log that isn't the one signed before.
 *
 * test_keeper_fallen_core WORK KEEPER, in the world of tests/int/keeper-fallen-core. */
#include "config.h"

#include "mint/mint.h"
#include "tests/int/keeper_plays.h"

#include <stdio.h>
#include <stdlib.h>

/* The credential of the last CALL: verified with the mint public key, and its claims as docs/formats.md has them, written here once
 * more. */
static void check_credential(struct room *r, const struct entry *e, const char *target_claims)
{
    struct span jwt = r->call.m.credential;
    size_t dot = span_find(jwt, 0, '.'), dot2 = span_find(jwt, dot + 1, '.');
    AUTO_BUF header = BUF(512), payload = BUF(CREDENTIAL_TEXT_MAX), entry = BUF(ENTRY_MAX), want_header = BUF(512),
             again = BUF(CREDENTIAL_TEXT_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    const struct pubkey *key = r->instance.key[ROLE_MINT];
    bool parts = is_ok(b64url_read(span_part(jwt, 0, dot), &header)) &&
                 is_ok(b64url_read(span_part(jwt, dot + 1, dot2 - dot - 1), &payload)) &&
                 is_ok(b64url_fixed(span_part(jwt, dot2 + 1, jwt.n), raw, sizeof raw));
    check_that(
        r->c, parts && is_ok(pubkey_verify(key, span_part(jwt, 0, dot2), SPAN(raw))), "the credential verifies with the mint key");
    must_ok(jws_header(key, "JWT", &want_header), "header");
    check_that(r->c, span_equal(buf_span(&header), buf_span(&want_header)), "its header is alg, kid and typ alone");
    bool permit = e->type == ENTRY_DECISION;
    must_ok(permit ? entry_write_permit(e, (const struct permit *)(const void *)e, &entry) : entry_write(e, &entry), "entry");
    struct digest leaf = merkle_leaf(buf_span(&entry));
    char jti[DIGEST_TEXT + 1];
    digest_text(&leaf, jti);
    AUTO_JSON *want = json_loads(target_claims, 0, NULL), *got = NULL;
    char att[DIGEST_TEXT + 1];
    digest_text(&r->result, att);
    AUTO_JSON *own = json_pack("{s:s,s:s+,s:s,s:I,s:I,s:s,s:O,s:s,s:s,s:s}", "iss", "https://prod.example/b1", "sub",
        "seb:b1:", jti, "aud", "docs", "iat", (json_int_t)(permit ? e->decision.iat : e->read.iat), "exp",
        (json_int_t)(permit ? e->decision.exp : e->read.exp), "jti", jti, "cid", json_object_get(r->w.certificate_json, "cid"),
        "dom", "prod.example", "ins", "b1", "att", att);
    must(want && own && json_object_update(want, own) == 0, "claims");
    check_that(r->c, is_ok(json_strict(buf_span(&payload), CREDENTIAL_TEXT_MAX, &got)) && json_equal(got, want),
        "and exactly the documented claims");
    check_that(
        r->c, got && is_ok(json_canonical(got, &again)) && span_equal(buf_span(&again), buf_span(&payload)), "in RFC 8785 form");
}

#define HELLO_HEX "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define EMPTY_HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static bool call_is(const struct room *r, uint8_t use, const char *method, const char *precondition, const char *value)
{
    const struct call_message *m = &r->call.m;
    return m->use == use && span_is(m->target, "docs") && span_is(m->method, method) &&
           span_is(m->url, "https://docs.example/pages/index") && span_is(m->precondition, precondition) &&
           span_is(m->precondition_value, value);
}

static void honest_mutation(struct room *r)
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d);
    uint64_t index = room_append_entry(r, &e);
    check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), E_decision_unsigned, "before its checkpoint is signed: refused");
    room_sign(r);
    check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), E_ok, "the honest way gives one CALL");
    check_that(r->c,
        call_is(r, 2, "PUT", "If-Match", "\"v1\"") && span_is(r->call.m.media_type, "text/plain; charset=utf-8") &&
            span_equal(r->call.m.body, ROOM_BODY),
        "of the contract's mutation, with its body and precondition");
    check_credential(r, &e,
        "{\"use\":\"mutate\",\"htm\":\"PUT\",\"hth\":\"docs.example\",\"htu\":\"/pages/index\",\"sha256\":\"" HELLO_HEX
        "\",\"ctype\":\"text/plain; charset=utf-8\",\"if_match\":\"\\\"v1\\\"\"}");
    unsigned calls = r->calls;
    check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), E_already_minted, "the same decision twice");
    check_that(r->c, r->calls == calls, "and no second credential");
    document_free(&d);
}

/* Two MINTs in one go: the second comes while the HSM still signs for the first. */
static void twice_at_once(struct room *r)
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d);
    uint64_t index = room_append_entry(r, &e);
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    unsigned calls = r->calls, refused = r->refused;
    room_sign(r);
    must_ok(mint_put(&fields, &(struct mint_message){ .index = index, .certificate = d.jws, .body = ROOM_BODY }), "MINT");
    for (unsigned i = 0; i < 8; i++)
        room_send(r, MESSAGE_MINT, ++r->next_slot, &fields);
    ROOM_WAIT(r, ROOM_WAIT_MS, r->calls - calls + r->refused - refused == 8);
    check_that(r->c, r->calls == calls + 1 && r->refused == refused + 7 && r->refused_code == E_already_minted,
        "eight at once: one credential");
    document_free(&d);
}

static void etag_from_state(struct room *r)
{
    char *before = NULL;
    edit_for(r, "contract.preconditions.etag", NULL, &before);
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d);
    snprintf(e.decision.live.etag, sizeof e.decision.live.etag, "\"v9\"");
    uint64_t index = room_append_entry(r, &e);
    room_sign(r);
    check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), E_ok, "a contract without an ETag, where policy lets it");
    check_that(r->c, call_is(r, 2, "PUT", "If-Match", "\"v9\""), "takes the one that was read");
    edit(r->w.certificate_json, "contract.preconditions.etag", before);
    free(before);
    document_free(&d);
}

static void honest_reads(struct room *r)
{
    static const char read_claims[] =
        "{\"use\":\"read\",\"htm\":\"GET\",\"hth\":\"docs.example\",\"htu\":\"/pages/index\",\"sha256\":\"" EMPTY_HEX "\"}";
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_read(r, &d);
    unsigned checkpoints = r->checkpoints;
    uint64_t index = room_append_entry(r, &e);
    check_code(r->c, fail(room_mint(r, index, &d.jws, (struct span){ NULL, 0 })), E_ok, "a read for drift");
    check_that(r->c, call_is(r, 1, "GET", "", "") && !r->call.m.body.n && r->checkpoints == checkpoints,
        "is one GET, and waits for no signature");
    check_credential(r, &e, read_claims);
    check_code(r->c, fail(room_mint(r, index, &d.jws, (struct span){ NULL, 0 })), E_already_minted, "the same read twice");
    document_free(&d);
    d = certificate_of(r, &(struct play){ .shift_s = -600 });
    e = room_read(r, &d);
    e.read.purpose = READ_RECONCILE;
    e.read.decision = 0;
    index = room_append_entry(r, &e);
    check_code(r->c, fail(room_mint(r, index, &d.jws, (struct span){ NULL, 0 })), E_ok,
        "a read for reconciling, when the certificate's window is over");
    check_credential(r, &e, read_claims);
    document_free(&d);
}

static enum seb_code mint_for(struct room *r, const struct document *d)
{
    struct entry e = room_decision(r, d);
    uint64_t index = room_append_entry(r, &e);
    room_sign(r);
    return room_mint(r, index, &d->jws, ROOM_BODY);
}

/* The keeper remembers what it verified, and not that there once was a good signature over the same payload. */
static void verified_before(struct room *r)
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    uint8_t *signature = (uint8_t *)(uintptr_t)d.jws.sig[0].signature.p;
    struct entry read = room_read(r, &d);
    enum seb_code code = room_mint(r, room_append_entry(r, &read), &d.jws, (struct span){ NULL, 0 });
    check_code(r->c, fail(code), E_ok, "a certificate's read");
    signature[7] ^= 1;
    check_code(r->c, fail(mint_for(r, &d)), E_certificate_forged, "then its mutation, with a bit of the signature changed");
    signature[7] ^= 1;
    d.jws.sig[0].kid.b[0] ^= 1;
    check_code(r->c, fail(mint_for(r, &d)), E_authority_unknown, "with a bit of the signer's name changed");
    d.jws.sig[0].kid.b[0] ^= 1;
    check_code(r->c, fail(mint_for(r, &d)), E_ok, "as it was");
    document_free(&d);
}

/* A statement: the policy or epoch with a member changed, signed by somebody. */
static enum seb_code load_changed(struct room *r, enum message_type type, struct testkey *key, const char *path, const char *value)
{
    bool policy = type == MESSAGE_POLICY;
    AUTO_JSON *o = json_deep_copy(policy ? r->w.policy_json : r->w.epoch_json);
    struct document d;
    edit(o, path, value);
    document_sign(&d, key, policy ? TYP_POLICY : TYP_EPOCH, o);
    enum seb_code code = room_load(r, type, &d.jws);
    document_free(&d);
    return code;
}

static enum seb_code mint_honestly(struct room *r)
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d);
    uint64_t index = room_append_entry(r, &e);
    room_sign(r);
    enum seb_code code = room_mint(r, index, &d.jws, ROOM_BODY);
    document_free(&d);
    return code;
}

static void statements(struct room *r)
{
    struct checks *c = r->c;
    check_code(c, fail(load_changed(r, MESSAGE_POLICY, r->w.stranger, "policy_epoch", "8")), E_bad_header,
        "a policy that the pinned key didn't sign");
    check_code(c, fail(load_changed(r, MESSAGE_POLICY, r->revocation_key, "policy_epoch", "8")), E_bad_header,
        "a policy that the revocation key signed");
    check_code(c, fail(load_changed(r, MESSAGE_POLICY, r->policy_key, "policy_epoch", "6")), E_not_newer, "an older policy");
    check_code(c, fail(load_changed(r, MESSAGE_POLICY, r->policy_key, "policy_epoch", "7")), E_not_newer, "the same policy again");
    check_code(c, fail(load_changed(r, MESSAGE_POLICY, r->policy_key, "domain", "\"other.example\"")), E_domain_mismatch,
        "another domain's policy");
    check_code(c, fail(load_changed(r, MESSAGE_EPOCH, r->policy_key, "epoch", "4")), E_bad_header,
        "an epoch that the pinned key didn't sign");
    check_code(c, fail(load_changed(r, MESSAGE_EPOCH, r->revocation_key, "epoch", "2")), E_not_newer, "an older epoch");
    check_code(c, fail(load_changed(r, MESSAGE_EPOCH, r->revocation_key, "domain", "\"other.example\"")), E_domain_mismatch,
        "another domain's epoch");
    check_code(c, fail(mint_honestly(r)), E_ok, "what was refused changed nothing");
}

/* Between decision and mint the epoch moves, then the policy. */
static void moved_meanwhile(struct room *r)
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d), e2 = room_decision(r, &d);
    uint64_t index = room_append_entry(r, &e), index2 = room_append_entry(r, &e2);
    room_sign(r);
    check_code(r->c, fail(load_changed(r, MESSAGE_EPOCH, r->revocation_key, "epoch", "4")), E_ok, "the epoch moves on");
    check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), E_epoch_mismatch, "a decision of the epoch before");
    check_code(r->c, fail(load_changed(r, MESSAGE_POLICY, r->policy_key, "policy_epoch", "8")), E_ok, "the policy moves on");
    check_code(r->c, fail(room_mint(r, index2, &d.jws, ROOM_BODY)), E_policy_epoch_mismatch, "a decision under the policy before");
    document_free(&d);
}

/* Without a policy no verifier is known, so nothing can be signed either. */
static enum seb_code mint_unsigned(struct room *r)
{
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d);
    uint64_t index = room_append_entry(r, &e);
    enum seb_code code = room_mint(r, index, &d.jws, ROOM_BODY);
    document_free(&d);
    return code;
}

static void before_the_policy(struct room *r)
{
    room_start(r, r->tpm);
    check_code(r->c, fail(room_resume(r, &r->frontier, buf_span(&r->note))), E_ok, "the log goes on after a restart");
    check_code(r->c, fail(mint_unsigned(r)), E_no_policy, "mint before a policy is loaded");
    check_code(r->c, fail(room_load(r, MESSAGE_POLICY, &r->policy.jws)), E_ok, "policy");
    check_that(r->c, r->resumed_bits & RESUMED_UNCLEAN, "the last run's stop wasn't signed: the start is unclean");
    check_code(r->c, fail(mint_unsigned(r)), E_certificate_before_restart, "a certificate from before an unclean start");
    check_code(r->c, fail(room_acknowledge(r, r->policy_key, "unclean")), E_ok, "an operator acknowledges it");
    check_code(r->c, fail(mint_unsigned(r)), E_no_epoch, "mint before an epoch is loaded");
    room_stop(r);
}

static void hsm_not_approved(struct room *r)
{
    static const char other[] = "{\"manufacturer\":\"SoftHSM project\",\"model\":\"SoftHSM v2\",\"serial\":\"0000000000000000\"}";
    room_start(r, r->tpm);
    room_load_all(r);
    check_code(r->c, fail(load_changed(r, MESSAGE_POLICY, r->policy_key, "policy_epoch", "7")), E_not_newer, "the same policy");
    edit(r->w.policy_json, "policy_epoch", "8");
    check_code(r->c, fail(load_changed(r, MESSAGE_POLICY, r->policy_key, "hsm", other)), E_hsm_not_approved,
        "a policy that names another HSM");
    check_code(r->c, fail(mint_honestly(r)), E_hsm_not_approved, "nothing is minted from then on");
    check_code(r->c, fail(load_changed(r, MESSAGE_POLICY, r->policy_key, "hsm", "null")), E_hsm_not_approved,
        "a policy that names none, with SoftHSM in use");
    check_code(r->c, fail(mint_honestly(r)), E_hsm_not_approved, "nothing is minted");
    edit(r->w.policy_json, "policy_epoch", "7");
    room_stop(r);
}

/* An earlier run's signed and permitting decision, never minted for. */
static void earlier_run(struct room *r)
{
    room_start(r, r->tpm);
    room_load_all(r);
    struct document d = certificate_of(r, &(struct play){ .want = E_ok });
    struct entry e = room_decision(r, &d);
    uint64_t index = room_append_entry(r, &e);
    room_sign(r);
    room_stop(r);
    room_start(r, r->tpm);
    room_load_all(r);
    check_code(r->c, fail(room_mint(r, index, &d.jws, ROOM_BODY)), E_no_decision, "after a restart, a decision of the run before");
    uint64_t again = room_append_entry(r, &e);
    room_sign(r);
    check_code(r->c, fail(room_mint(r, again, &d.jws, ROOM_BODY)), E_no_decision, "nor where it is appended once more");
    document_free(&d);
    room_stop(r);
}

static void refused_log(struct room *r, const char *name, const struct frontier *f, struct span note)
{
    room_start(r, r->tpm);
    unsigned checkpoints = r->checkpoints, quotes = r->quotes;
    check_code(r->c, fail(room_resume(r, f, note)), E_frontier_mismatch, name);
    check_code(r->c, fail(room_resume(r, &r->frontier, buf_span(&r->note))), E_frontier_mismatch,
        "in this run, not even the right one is taken then");
    room_pump(r, clock_mono_ms() + 600);
    check_that(r->c, r->checkpoints == checkpoints && r->quotes == quotes, "and nothing was signed");
    room_stop(r);
}

static void other_logs(struct room *r)
{
    struct frontier f = r->frontier, none = { .size = 0 };
    struct span note = buf_span(&r->note);
    f.hash[f.n - 1].b[5] ^= 1;
    refused_log(r, "a frontier that doesn't fit the last note", &f, note);
    f = r->frontier;
    struct digest leaf = merkle_leaf(span_text("another"));
    frontier_append(&f, &leaf, NULL, NULL);
    refused_log(r, "a frontier that goes beyond the last note", &f, note);
    refused_log(r, "entries without a note", &r->frontier, (struct span){ NULL, 0 });
    refused_log(r, "an empty log with a note of a longer one", &none, note);
    f = r->frontier;
    f.size++;
    refused_log(r, "a frontier that is none", &f, note);
    must((r->frontier.size & (r->frontier.size - 1)) != 0, "a size of several subtrees");
    f = (struct frontier){ .size = r->frontier.size, .n = 1, .hash = { r->root[r->frontier.size] } };
    refused_log(r, "the right root in the place of a frontier", &f, note);

    /* The same text under another key, in the record key's name. */
    AUTO_BUF text = BUF(NOTE_MAX), forged = BUF(NOTE_MAX), swapped = BUF(NOTE_MAX);
    struct checkpoint cp;
    uint8_t raw[SIGNATURE_SIZE];
    must_ok(checkpoint_open(note, r->instance.key[ROLE_RECORD], &cp, &(struct span){ 0 }), "note");
    must_ok(checkpoint_text(&cp, &text), "text");
    testkey_sign(r->w.stranger, buf_span(&text), raw);
    must_ok(checkpoint_note(&cp, testkey_public(r->w.stranger), raw, &forged), "note");
    refused_log(r, "a note of another key", &r->frontier, buf_span(&forged));
    must_ok(checkpoint_note(&cp, r->instance.key[ROLE_RECORD], raw, &swapped), "note");
    refused_log(r, "a note of another key under the record key's id", &r->frontier, buf_span(&swapped));
}

/* What isn't legal, or not of the agreed form, ends the keeper. */
struct garbage {
    const char *name, *bytes;
    size_t n;
    bool starting;
};
#define GARBAGE(name_, bytes_)                                      \
    {                                                               \
        .name = (name_), .bytes = (bytes_), .n = sizeof(bytes_) - 1 \
    }
#define SLOT "\0\0\0\0\0\0\0\1"
static const struct garbage garbage[] = {
    GARBAGE("an empty-headed packet", "x"),
    GARBAGE("a length that lies", "\0\0\0\x0a\x09" SLOT),
    GARBAGE("an unknown type", "\0\0\0\x09\xff" SLOT),
    GARBAGE("a message of another link", "\0\0\0\x09\x01" SLOT),
    GARBAGE("the keeper's own message", "\0\0\0\x0b\x0e" SLOT "\0\0"),
    GARBAGE("SIGN with a tail", "\0\0\0\x0a\x09" SLOT "x"),
    GARBAGE("a MINT that is cut", "\0\0\0\x0d\x0a" SLOT "\0\0\0\0"),
    GARBAGE("RESUME once more", "\0\0\0\x16\x05" SLOT "\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    { .name = "MINT before the log is there",
        .bytes = "\0\0\0\x1e\x0a" SLOT "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        .n = 34,
        .starting = true },
};

static void garbled(struct room *r)
{
    for (unsigned i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        const struct garbage *g = &garbage[i];
        room_start(r, r->tpm);
        bool works = r->ready && (g->starting || room_resume(r, &r->frontier, buf_span(&r->note)) == E_ok);
        unsigned calls = r->calls;
        room_send_raw(r, (struct span){ (const uint8_t *)g->bytes, g->n });
        check_that(r->c, works && room_wait_end(r) == CHILD_EXIT_ABORT && r->calls == calls, g->name);
    }
}

static void wrong_append(struct room *r, uint64_t first, const char *entry, const char *name)
{
    AUTO_BUF fields = BUF(LINK_PACKET_MAX);
    room_start(r, r->tpm);
    enum seb_code code = room_resume(r, &r->frontier, buf_span(&r->note));
    must_ok(append_begin(&fields, first), "APPEND");
    must_ok(append_add(&fields, span_text(entry)), "APPEND");
    room_send(r, MESSAGE_APPEND, 0, &fields);
    check_that(r->c, code == E_ok && room_wait_end(r) == CHILD_EXIT_ABORT, name);
}

static void wrong_appends(struct room *r)
{
    static const char noise[] = "{\"counts\":{},\"from\":0,\"time\":1,\"type\":\"noise\",\"until\":1,\"v\":1}";
    uint64_t next = r->frontier.size;
    wrong_append(r, next, "{\"time\": 1,\"type\":\"noise\"}", "an entry that isn't one ends the keeper");
    wrong_append(r, next + 1, noise, "so does one after a gap");
    wrong_append(r, next - 1, noise, "and one in the place of another");
    wrong_append(r, UINT64_MAX, noise, "and one at the end of numbers");
    room_start(r, r->tpm);
    room_load_all(r);
    room_append(r, span_text(noise));
    room_sign(r);
    room_stop(r);
}

int main(int argc, char **argv)
{
    struct checks c = { 0 };
    struct room r;
    must(argc == 3, "usage: test_keeper_fallen_core WORK KEEPER");
    room_make(&r, &c, argv[1], argv[2], true);
    room_start(&r, r.tpm);
    check_that(&c, r.has_run && r.ready, "the keeper starts, and tells its keys");
    room_load_all(&r);
    ROOM_WAIT(&r, ROOM_WAIT_MS, r.checkpoints);
    check_that(&c, r.checkpoints == 1 && r.signed_size == 0, "the first checkpoint has size 0");
    honest_mutation(&r);
    twice_at_once(&r);
    etag_from_state(&r);
    honest_reads(&r);
    verified_before(&r);
    plays_run(&r);
    objects_run(&r);
    statements(&r);
    moved_meanwhile(&r);
    room_stop(&r);
    before_the_policy(&r);
    hsm_not_approved(&r);
    earlier_run(&r);
    other_logs(&r);
    garbled(&r);
    wrong_appends(&r);
    check_that(&c, r.wrong == 0, "the keeper sent nothing that was wrong");
    room_free(&r);
    return checks_end(&c);
}
