/* Who signs: one record key and one attestation key at a time. The trust file pins one of each, the first or the newest or any
 * between; where keys were replaced (sebctl rekey), the log's rekey entries lead from each to the next. What leads to a pinned key
 * is under its signature. What follows a pinned key isn't, and needs a verifier that the signed policy names, whose result names
 * the new keys. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "attest/quote.h"
#include "audit/audit.h"

/* So many records behind a rekey entry its run's start must have come. */
#define START_WITHIN 16
#define SIGNERS (ROLE_RECORD + 1) /* of the roles, the attestation key and the record key */

struct identity {
    struct pubkey *key[SIGNERS]; /* owned */
    bool was_pinned[SIGNERS]; /* the pinned one was in use by now */
    bool vouched; /* pinned, led to a pinned one, or named by a verifier */
    uint64_t since; /* the rekey entry's index, NO_INDEX before any */
    bool has_name;
    uint8_t name[TPM_NAME_SIZE];
};

static const struct pubkey *pin_of(const struct audit *a, enum key_role role)
{
    return role == ROLE_RECORD ? a->trust.record : a->trust.attestation;
}

const struct pubkey *key_now(const struct audit *a, enum key_role role)
{
    return a->identity->key[role];
}

bool ak_name_now(const struct audit *a, uint8_t ret_name[TPM_NAME_SIZE])
{
    const struct identity *d = a->identity;
    return d->has_name && is_ok(span_copy(SPAN(d->name), ret_name, TPM_NAME_SIZE));
}

void ak_name_set(struct audit *a, const uint8_t name[TPM_NAME_SIZE])
{
    struct identity *d = a->identity;
    d->has_name = is_ok(span_copy((struct span){ name, TPM_NAME_SIZE }, d->name, TPM_NAME_SIZE));
}

uint64_t rekeyed_at(const struct audit *a)
{
    return a->identity->since;
}

void identity_vouched(struct audit *a, const struct digest *attestation, const struct digest *record)
{
    struct identity *d = a->identity;
    d->vouched |= digest_equal(attestation, pubkey_thumbprint(d->key[ROLE_ATTESTATION])) &&
                  digest_equal(record, pubkey_thumbprint(d->key[ROLE_RECORD]));
}

/* The key in a TPM's evidence, which is verified when its start is judged. */
static result evidence_key(const struct export_dir *x, const struct key_identity *k, struct pubkey **ret)
{
    AUTO_BUF text = BUF(BLOB_MAX), public = BUF(4096);
    AUTO_JSON *o = NULL;
    AUTO_PUBKEY *key = NULL;
    struct digest name;
    uint32_t attributes;
    TRY(export_raw(x, &k->evidence, &text));
    TRY(json_strict(buf_span(&text), text.max, &o));
    TRY(json_bytes_at(o, "public", public.max, &public));
    TRY(tpm_public_read(buf_span(&public), &name, &key, &attributes));
    if (!digest_equal(pubkey_thumbprint(key), &k->kid))
        return fail(E_key_mismatch);
    *ret = pubkey_hold(key);
    return OK;
}

/* The first start at or behind `from`. */
static result find_start(const struct audit *a, uint64_t from, struct record *ret)
{
    AUTO_BUF bundle = BUF((size_t)256 * (2 + ENTRY_MAX));
    for (uint64_t i = from; i < a->size && i - from < START_WITHIN; i++) {
        TRY(log_record(&a->export, a->size, i, &bundle, ret));
        if (ret->e.type == ENTRY_START)
            return OK;
    }
    return fail(E_not_found);
}

/* The keys of this start, both or none, into the identity. */
static result take_keys(struct audit *a, const struct start_entry *s)
{
    struct identity *d = a->identity;
    struct pubkey *key[SIGNERS] = { 0 };
    result r = evidence_key(&a->export, &s->key[ROLE_ATTESTATION], &key[ROLE_ATTESTATION]);
    if (is_ok(r))
        r = evidence_key(&a->export, &s->key[ROLE_RECORD], &key[ROLE_RECORD]);
    for (unsigned role = 0; role < SIGNERS; role++) {
        if (is_ok(r))
            pubkey_free(d->key[role]);
        else
            pubkey_free(key[role]);
        d->key[role] = is_ok(r) ? key[role] : d->key[role];
        d->was_pinned[role] |= pubkey_equal(d->key[role], pin_of(a, role));
    }
    d->has_name &= !is_ok(r);
    return r;
}

static bool is_pinned_now(const struct audit *a)
{
    const struct identity *d = a->identity;
    return pubkey_equal(d->key[ROLE_ATTESTATION], a->trust.attestation) && pubkey_equal(d->key[ROLE_RECORD], a->trust.record);
}

/* A look ahead: whether the rekey entries lead from these keys to the pinned ones. The pass goes the same way again, over records
 * that checkpoints cover. */
struct lead {
    struct digest kid[SIGNERS];
    const struct trust *trust;
    bool arrived;
};

static bool has_arrived(const struct lead *l)
{
    return digest_equal(&l->kid[ROLE_ATTESTATION], pubkey_thumbprint(l->trust->attestation)) &&
           digest_equal(&l->kid[ROLE_RECORD], pubkey_thumbprint(l->trust->record));
}

static result follow(void *ctx, uint64_t index, struct span text)
{
    struct lead *l = ctx;
    struct entry e;
    if (!log_is_type(text, "rekey") || !is_ok(entry_read(text, &e)))
        return OK;
    for (unsigned role = 0; role < SIGNERS; role++)
        if (digest_equal(&l->kid[role], &e.rekey.old_kid[role]))
            l->kid[role] = e.rekey.new_kid[role];
    l->arrived |= has_arrived(l);
    return OK;
}

static result identity_begin(struct audit *a)
{
    struct record start;
    struct identity *d = calloc(1, sizeof *d);
    if (!d)
        return fail(E_no_memory);
    a->identity = d;
    d->since = NO_INDEX;
    for (unsigned role = 0; role < SIGNERS; role++)
        d->key[role] = pubkey_hold(role == ROLE_RECORD ? a->trust.record : a->trust.attestation);
    d->was_pinned[ROLE_ATTESTATION] = d->was_pinned[ROLE_RECORD] = d->vouched = true;
    if (!is_ok(find_start(a, 0, &start)))
        return OK;
    struct lead l = { .trust = &a->trust };
    for (unsigned role = 0; role < SIGNERS; role++)
        l.kid[role] = start.e.start.key[role].kid;
    if (has_arrived(&l))
        return OK;
    result r = log_each(&a->export, a->size, follow, &l);
    if (!is_ok(r) && !is_exports_fault(r))
        return r;
    if (!l.arrived)
        return OK; /* another's log: its signatures are by keys that nothing leads to, and each says so */
    d->was_pinned[ROLE_ATTESTATION] = d->was_pinned[ROLE_RECORD] = false;
    r = take_keys(a, &start.e.start);
    return is_exports_fault(r) ? OK : r;
}

static void identity_free(struct audit *a)
{
    if (!a->identity)
        return;
    for (unsigned role = 0; role < SIGNERS; role++)
        pubkey_free(a->identity->key[role]);
    free(a->identity);
    a->identity = NULL;
}

static void report_unproved(struct audit *a)
{
    const struct identity *d = a->identity;
    if (d->since != NO_INDEX && !d->vouched)
        report_found(&a->report, FOUND_rekey_unproved, at_record(d->since), "%s", "");
}

static bool follows_on(const struct audit *a, const struct rekey_entry *e)
{
    const struct identity *d = a->identity;
    return digest_equal(&e->old_kid[ROLE_ATTESTATION], pubkey_thumbprint(d->key[ROLE_ATTESTATION])) &&
           digest_equal(&e->old_kid[ROLE_RECORD], pubkey_thumbprint(d->key[ROLE_RECORD]));
}

/* docs/attestation.md, "Rekey statement". */
static bool names_keys(const json_t *o, const char *member, const struct digest kid[ROLES])
{
    static const char *const names[ROLES + 1] = {
        [ROLE_ATTESTATION] = "attestation", [ROLE_RECORD] = "record", [ROLE_MINT] = "mint"
    };
    const json_t *keys, *jwk;
    if (!is_ok(json_object_at(o, member, &keys)) || !is_ok(json_closed(keys, names)))
        return false;
    for (enum key_role role = 0; role < ROLES; role++) {
        AUTO_PUBKEY *key = NULL;
        if (!is_ok(json_object_at(keys, names[role], &jwk)) || !is_ok(pubkey_from_jwk(jwk, &key)) ||
            !digest_equal(pubkey_thumbprint(key), &kid[role]))
            return false;
    }
    return true;
}

/* Before the first start: the log never saw the keys of before, and begins with the new ones. */
static bool begins(const struct audit *a, const struct rekey_entry *e)
{
    const struct identity *d = a->identity;
    return !run_now(a) && digest_equal(&e->new_kid[ROLE_ATTESTATION], pubkey_thumbprint(d->key[ROLE_ATTESTATION])) &&
           digest_equal(&e->new_kid[ROLE_RECORD], pubkey_thumbprint(d->key[ROLE_RECORD]));
}

static bool says(const json_t *o, const char *member, const char *want)
{
    const char *text;
    return is_ok(json_text(o, member, 128, &text)) && span_is(span_text(text), want);
}

static bool says_so(const struct audit *a, struct span payload, const struct rekey_entry *e)
{
    static const char *const names[] = { "domain", "instance", "new", "old", "use", NULL };
    AUTO_JSON *o = NULL;
    bool whole =
        is_ok(json_strict(payload, JWS_PAYLOAD_MAX, &o)) && is_ok(json_closed(o, names)) && is_ok(json_is_canonical(o, payload));
    return whole && says(o, "domain", a->trust.domain) && says(o, "instance", a->trust.instance) && says(o, "use", "rekey") &&
           names_keys(o, "old", e->old_kid) && names_keys(o, "new", e->new_kid);
}

/* By the record key that was in use. *ret_stated: it says just what the entry does. */
static result check_stated(struct audit *a, const struct record *r, bool *ret_stated)
{
    AUTO_BUF text = BUF(BLOB_MAX), arena = BUF(BLOB_MAX);
    struct jws j;
    bool there;
    *ret_stated = false;
    if (!r->e.rekey.has_statement)
        return OK;
    TRY(document_raw(a, DOCUMENT_NEEDED, &r->e.rekey.statement, r->index, &text, &there));
    if (!there || begins(a, &r->e.rekey)) /* the old record key isn't known then, nor is it needed */
        return OK;
    const char *wrong = NULL;
    if (!is_ok(jws_parse_text(buf_span(&text), &arena, &j)))
        wrong = "not a JWS";
    else if (j.n != 1 || !is_ok(jws_verify(key_now(a, ROLE_RECORD), TYP_KEY_STATEMENT, j.payload, &j.sig[0])))
        wrong = "not by the old record key";
    else if (!says_so(a, j.payload, &r->e.rekey))
        wrong = "of other keys";
    if (wrong)
        report_found(&a->report, FOUND_rekey_statement, at_record(r->index), "%s", wrong);
    *ret_stated = !wrong;
    return OK;
}

static bool names_keys_of(const struct rekey_entry *e, const struct start_entry *s)
{
    for (unsigned role = 0; role < ROLES; role++)
        if (!digest_equal(&e->new_kid[role], &s->key[role].kid))
            return false;
    return true;
}

/* The new keys are in the evidence of the start that follows. */
static result find_new_keys(struct audit *a, const struct record *r)
{
    struct record start;
    TRY(find_start(a, r->index + 1, &start));
    return names_keys_of(&r->e.rekey, &start.e.start) ? take_keys(a, &start.e.start) : fail(E_key_mismatch);
}

static result identity_record(struct audit *a, const struct record *r)
{
    struct identity *d = a->identity;
    char was[DIGEST_TEXT + 1], is[DIGEST_TEXT + 1];
    bool stated;
    if (r->e.type != ENTRY_REKEY)
        return OK;
    a->summary.rekeys++;
    report_unproved(a);
    if (!follows_on(a, &r->e.rekey) && !begins(a, &r->e.rekey))
        report_found(&a->report, FOUND_rekey_mismatch, at_record(r->index), "the keys in use are others");
    TRY(check_stated(a, r, &stated));
    result found = find_new_keys(a, r);
    if (!is_ok(found) && !is_exports_fault(found))
        return found;
    if (!is_ok(found))
        report_found(&a->report, FOUND_rekey_mismatch, at_record(r->index), "the start behind it: %s", code_name(code_of(found)));
    else
        report_remark(&a->report, REMARK_rekeyed, at_record(r->index), "record key %.10s to %.10s",
            digest_text(&r->e.rekey.old_kid[ROLE_RECORD], was), digest_text(&r->e.rekey.new_kid[ROLE_RECORD], is));
    d->since = r->index;
    /* A key that was vouched for says which follow it. */
    d->vouched = is_pinned_now(a) || !d->was_pinned[ROLE_RECORD] || (d->vouched && stated);
    return OK;
}

/* That the keys before a pinned one are its predecessors is under its signature. */
static result identity_end(struct audit *a)
{
    report_unproved(a);
    return OK;
}

const struct audit_check check_identity = {
    .name = "identity", .begin = identity_begin, .record = identity_record, .end = identity_end, .free = identity_free
};
