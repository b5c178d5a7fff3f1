/* Replies: codes, and stored answers with their proofs from the log. */
#include "config.h"

#include "base/log.h"
#include "core/core.h"
#include "merkle/merkle.h"

void reply_json(struct core *c, uint64_t slot, json_t *reply)
{
    AUTO_JSON *owned = reply;
    AUTO_BUF text = BUF(LINK_PACKET_MAX - 128);
    AUTO_BUF fields = BUF(LINK_PACKET_MAX - 64);
    result r = owned ? json_canonical(owned, &text) : fail(E_no_memory);
    if (is_ok(r))
        r = text_put(&fields, buf_span(&text));
    if (is_ok(r) && !c->front_gone)
        r = link_send(c->front, MESSAGE_REPLY, slot, buf_span(&fields));
    if (code_of(r) == E_peer_gone)
        c->front_gone = true;
    else if (!is_ok(r))
        child_abort("a reply can't be sent", r);
}

static json_t *code_reply(const char *status, const char *rule, enum seb_code code)
{
    json_t *reply = json_object();
    if (!reply)
        return NULL;
    result r = json_put_text(reply, "status", status);
    if (is_ok(r) && code != E_ok)
        r = json_put_text(reply, "code", code_name(code));
    if (is_ok(r) && code != E_ok)
        r = json_put_text(reply, "words", code_words(code));
    if (is_ok(r) && rule)
        r = json_put_text(reply, "rule", rule);
    if (!is_ok(r)) {
        json_decref(reply);
        return NULL;
    }
    return reply;
}

void reply_code(struct core *c, uint64_t slot, const char *status, const char *rule, enum seb_code code)
{
    reply_json(c, slot, code_reply(status, rule, code));
}

void reply_value(struct core *c, uint64_t slot, const char *member, json_t *value)
{
    AUTO_JSON *owned = value;
    json_t *reply = code_reply("ok", NULL, E_ok);
    result r = reply ? json_put_new(reply, member, json_incref(owned)) : fail(E_no_memory);
    if (is_ok(r)) {
        reply_json(c, slot, reply);
        return;
    }
    json_decref(reply);
    refuse(c, slot, r);
}

void reply_to_all(struct core *c, struct work *w, const char *status, const char *rule, enum seb_code code)
{
    for (struct waiter *one = w->waiters; one; one = one->next)
        reply_code(c, one->slot, status, rule, code);
}

/* {"index", "entry", "proof"}; the proof only where a checkpoint covers the entry. The entry's own text is in `text`. */
static result record_json(struct core *c, uint64_t index, json_t *reply, const char *name, struct buf *text)
{
    uint64_t size = journal_signed_size(c->journal);
    buf_clear(text);
    TRY(store_read_entry(c->reader, index, text));
    json_t *record = json_object();
    TRY(json_put_new(reply, name, record));
    TRY(json_put_int(record, "index", (int64_t)index));
    TRY(json_put_span(record, "entry", buf_span(text)));
    if (index >= size)
        return OK;
    struct merkle_source source = store_source(c->reader);
    struct merkle_proof proof;
    TRY(merkle_inclusion(&source, index, size, &proof));
    json_t *hashes = json_array();
    TRY(json_put_new(record, "proof", hashes));
    for (unsigned i = 0; i < proof.n; i++) {
        char hash[DIGEST_TEXT + 1];
        if (json_array_append_new(hashes, json_string(digest_text(&proof.hash[i], hash))))
            return fail(E_no_memory);
    }
    return OK;
}

static result known_json(struct core *c, const struct known_request *known, json_t *reply)
{
    uint64_t size = journal_signed_size(c->journal);
    AUTO_BUF text = BUF(ENTRY_MAX);
    TRY(record_json(c, known->decision, reply, "decision", &text));
    const char *status = "done";
    enum seb_code code = E_ok;
    if (!known->permitted) {
        struct entry e;
        TRY(entry_read(buf_span(&text), &e));
        status = known->decision < size ? "refused" : "unproved";
        code = code_named(e.decision.code);
        TRY(json_put_text(reply, "rule", e.decision.rule));
    } else if (known->outcome == NO_INDEX || known->outcome >= size) {
        status = "pending";
        code = E_pending;
    } else {
        TRY(record_json(c, known->outcome, reply, "outcome", &text));
    }
    TRY(json_put_text(reply, "status", status));
    if (code != E_ok) {
        TRY(json_put_text(reply, "code", code_name(code)));
        TRY(json_put_text(reply, "words", code_words(code)));
    }
    return json_put_span(reply, "checkpoint", journal_note(c->journal));
}

void reply_known(struct core *c, uint64_t slot, const struct known_request *known)
{
    json_t *reply = json_object();
    result r = reply ? known_json(c, known, reply) : fail(E_no_memory);
    if (is_ok(r)) {
        reply_json(c, slot, reply);
        return;
    }
    json_decref(reply);
    log_result(LOG_ERROR, "a stored answer can't be read", r);
    reply_code(c, slot, "unavailable", NULL, code_of(r));
}
