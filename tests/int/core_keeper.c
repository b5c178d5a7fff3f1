#include "config.h"

#include "tests/int/core_room.h"

static const char *const role_names[ROLES] = { [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint" };

void core_send_keeper(struct core_room *r, enum message_type type, uint64_t slot, const struct buf *fields)
{
    must_ok(link_send(r->keeper, type, slot, buf_span(fields)), "the keeper sends");
}

static void send_code(struct core_room *r, enum message_type type, uint64_t slot, const struct code_message *m)
{
    AUTO_BUF fields = BUF(64);
    must_ok(code_put(&fields, m), "code");
    core_send_keeper(r, type, slot, &fields);
}

void core_tell_health(struct core_room *r, enum seb_code code)
{
    send_code(r, MESSAGE_HEALTH, 0, &(struct code_message){ .code = code });
}

static void put_key(json_t *keys, const char *name, const struct testkey *k)
{
    json_t *o = json_object();
    must_ok(json_put_text(o, "backend", "tpm"), "key");
    must_ok(json_put_b64url(o, "evidence", span_text(name)), "key");
    must_ok(json_put_digest(o, "kid", pubkey_thumbprint(testkey_public(k))), "key");
    must_ok(json_put_new(keys, name, o), "key");
}

void core_tell_keys(struct core_room *r, const struct testkey *mint)
{
    AUTO_JSON *all = json_object();
    AUTO_BUF text = BUF(65536), fields = BUF(65536);
    json_t *keys = json_object(), *measured = json_object();
    for (unsigned i = 0; i < ROLES; i++)
        put_key(keys, role_names[i], i == ROLE_MINT ? mint : r->keys[i]);
    must_ok(json_put_new(all, "keys", keys), "keys");
    must_ok(json_put_b64url(all, "run", SPAN(r->run)), "run");
    must_ok(json_put_int(all, "counter", 7), "counter");
    must_ok(json_put_digest(measured, "sebd", &(struct digest){ { 5 } }), "measured");
    must_ok(json_put_new(all, "measured", measured), "measured");
    json_t *anchor = r->has_anchor ? json_pack("{s:b,s:i,s:i,s:I}", "clean", 0, "epoch", 3, "policy_epoch", 7, "size",
                                         (json_int_t)r->anchor_size)
                                   : json_null();
    if (r->has_anchor)
        must_ok(json_put_digest(anchor, "root", &r->root[r->anchor_size]), "anchor");
    must_ok(json_put_new(all, "anchor", anchor), "anchor");
    must_ok(json_canonical(all, &text), "KEYS");
    must_ok(text_put(&fields, buf_span(&text)), "KEYS");
    core_send_keeper(r, MESSAGE_KEYS, 0, &fields);
}

static void make_note(struct core_room *r, uint64_t size)
{
    AUTO_BUF text = BUF(NOTE_MAX);
    struct checkpoint c = { .origin = "prod.example/b1", .size = size, .root = r->root[size] };
    uint8_t raw[SIGNATURE_SIZE];
    must_ok(checkpoint_text(&c, &text), "note");
    testkey_sign(r->keys[ROLE_RECORD], buf_span(&text), raw);
    buf_clear(&r->note);
    must_ok(checkpoint_note(&c, testkey_public(r->keys[ROLE_RECORD]), raw, &r->note), "note");
    r->signed_size = size;
}

void core_sign(struct core_room *r)
{
    AUTO_BUF checkpoint = BUF(8192), quote = BUF(8192);
    make_note(r, r->frontier.size);
    must_ok(
        checkpoint_put(&checkpoint, &(struct checkpoint_message){ .size = r->signed_size, .note = buf_span(&r->note) }), "note");
    core_send_keeper(r, MESSAGE_CHECKPOINT, 0, &checkpoint);
    must_ok(quote_put(&quote,
                &(struct quote_message){
                    .size = r->signed_size, .attest = span_text("a"), .signature = span_text("s"), .preimage = span_text("p") }),
        "quote");
    core_send_keeper(r, MESSAGE_QUOTE, 0, &quote);
}

static void got_resume(struct core_room *r, const struct message *m)
{
    struct resume_message resume;
    must_ok(resume_read(m->fields, &resume), "RESUME");
    r->frontier = (struct frontier){ .size = resume.size, .n = resume.n };
    for (unsigned i = 0; i < resume.n; i++)
        r->frontier.hash[i] = resume.hash[i];
    r->resume_size = resume.size;
    r->resume_proof = resume.proof_n;
    r->signed_size = resume.size;
    r->root[resume.size] = frontier_root(&r->frontier);
    r->first = resume.size;
    r->entries = 0;
    r->resumes++;
    r->resumed = true;
    send_code(r, MESSAGE_RESUMED, m->slot, &(struct code_message){ .what = LOADED_RESUME, .foreign = r->resumed_bits });
    link_phase_set(r->keeper, PHASE_SERVING);
    core_tell_health(r, r->signs ? E_ok : E_lease_missing);
}

static void got_append(struct core_room *r, const struct message *m)
{
    struct append_reader a;
    must_ok(append_open(m->fields, &a), "APPEND");
    while (a.left) {
        struct span text;
        must_ok(append_next(&a, &text), "APPEND");
        must(a.index == r->frontier.size && r->entries < ROOM_ENTRIES, "entries follow each other");
        struct entry e;
        must_ok(entry_read(text, &e), "an entry");
        must(e.time >= r->newest_ms, "times never go back");
        r->newest_ms = e.time;
        struct digest leaf = merkle_leaf(text);
        frontier_append(&r->frontier, &leaf, NULL, NULL);
        r->root[r->frontier.size] = frontier_root(&r->frontier);
        struct buf *entry = &r->entry[r->entries++];
        buf_free(entry);
        *entry = BUF(ENTRY_MAX);
        must_ok(buf_put(entry, text), "entry");
    }
}

static void loaded(struct core_room *r, uint64_t slot, enum loaded_what what)
{
    send_code(r, MESSAGE_LOADED, slot, &(struct code_message){ .code = r->loaded_code, .what = what });
}

/* Evidence of nothing: the core looks at its note alone. */
static void send_evidence(struct core_room *r, uint64_t slot)
{
    AUTO_EVIDENCE *e = NULL;
    AUTO_BUF part = BUF(EVIDENCE_TEXT_MAX), fields = BUF(EVIDENCE_TEXT_MAX + 64);
    must_ok(evidence_new(&e), "evidence");
    must_ok(buf_text(&e->attest, "attest"), "evidence");
    must_ok(buf_text(&e->signature, "signature"), "evidence");
    must_ok(buf_text(&e->preimage, "preimage"), "evidence");
    must_ok(buf_put(&e->note, buf_span(&r->note)), "evidence");
    e->cel = sha256(span_text("event log"));
    e->pcr_mask = 1;
    for (unsigned i = 0; i < EVIDENCE_ROLES; i++) {
        must_ok(span_copy_text(span_text("tpm"), e->key[i].backend, sizeof e->key[i].backend), "evidence");
        must_ok(buf_text(&e->key[i].evidence, "{}"), "evidence");
        e->key[i].kid = *pubkey_thumbprint(testkey_public(r->keys[i]));
    }
    must_ok(evidence_write_part(e, &part), "evidence");
    must_ok(evidence_put(&fields, &(struct evidence_message){ .json = buf_span(&part) }), "EVIDENCE");
    core_send_keeper(r, MESSAGE_EVIDENCE, slot, &fields);
}

static void send_json(struct core_room *r, uint64_t slot, const char *json)
{
    AUTO_BUF fields = BUF(1024);
    must_ok(evidence_put(&fields, &(struct evidence_message){ .json = span_text(json) }), "EVIDENCE");
    core_send_keeper(r, MESSAGE_EVIDENCE, slot, &fields);
}

static void got_challenge(struct core_room *r, const struct message *m)
{
    struct jws j;
    struct challenge c;
    must_ok(statement_read(m->fields, &j), "CHALLENGE");
    must_ok(challenge_parse(j.payload, &c), "CHALLENGE");
    r->challenges++;
    r->challenge_slot = m->slot;
    if (c.op == CHALLENGE_DOCUMENT) /* the event log, in one piece */
        send_json(r, m->slot, "{\"data\":\"ZXZlbnQgbG9n\",\"offset\":0,\"total\":9}");
    else if (r->answers)
        send_evidence(r, m->slot);
}

static void got_result(struct core_room *r, const struct message *m)
{
    static uint8_t kept[LEASE_SIGNATURE_SIZE];
    struct result_message result_;
    must_ok(result_read(m->fields, &result_), "RESULT");
    r->results++;
    r->lease = result_.lease;
    if (r->lease.seconds) {
        must_ok(span_copy(r->lease.signature, kept, sizeof kept), "lease");
        r->lease.signature = SPAN(kept);
    }
    loaded(r, m->slot, LOADED_RESULT);
}

/* A read's or a mutation's call, as the target would answer it. */
static void got_mint(struct core_room *r, const struct message *m)
{
    AUTO_BUF fields = BUF(16384);
    struct mint_message mint;
    must_ok(mint_read(m->fields, &mint), "MINT");
    struct entry e;
    must_ok(entry_read(buf_span(&r->entry[mint.index - r->first]), &e), "the entry that is minted for");
    struct answer_message a = { .phase = ANSWER_WHOLE, .http_status = 204 };
    if (e.type == ENTRY_READ)
        a = (struct answer_message){ .phase = ANSWER_WHOLE,
            .http_status = 200,
            .has_etag = true,
            .etag = span_text("\"v1\""),
            .has_body = true,
            .body_sha256 = sha256(span_text("old")),
            .body_length = 3 };
    if (r->calls && !r->calls(&e, &a))
        return;
    must_ok(answer_put(&fields, &a), "ANSWER");
    must_ok(link_send(r->runner, MESSAGE_ANSWER, m->slot, buf_span(&fields)), "ANSWER");
}

void core_keeper_takes(struct core_room *r, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_RESUME:
        got_resume(r, m);
        break;
    case MESSAGE_APPEND:
        got_append(r, m);
        break;
    case MESSAGE_SIGN:
        if (r->signs)
            core_sign(r);
        break;
    case MESSAGE_POLICY:
        loaded(r, m->slot, LOADED_POLICY);
        break;
    case MESSAGE_EPOCH:
        loaded(r, m->slot, LOADED_EPOCH);
        break;
    case MESSAGE_APPROVAL:
        r->approvals++;
        loaded(r, m->slot, LOADED_APPROVAL);
        break;
    case MESSAGE_ACKNOWLEDGE:
        r->acknowledges++;
        loaded(r, m->slot, LOADED_ACKNOWLEDGE);
        break;
    case MESSAGE_CHALLENGE:
        got_challenge(r, m);
        break;
    case MESSAGE_RESULT:
        got_result(r, m);
        break;
    case MESSAGE_PLAN:
        r->plans++;
        send_json(r, m->slot, "{\"counter\":7}");
        break;
    default:
        got_mint(r, m);
    }
}
