/* What the log's permits allowed at the target: kept as the pass goes by. */
#include "config.h"

#include <stdlib.h>

#include "mint/mint.h"
#include "audit/cover.h"

#define KIND "kubernetes"

static result grow(struct cover *c)
{
    const size_t room = c->room ? c->room * 2 : 256;
    struct covered *list = reallocarray(c->list, room, sizeof *list);
    if (!list)
        return fail(E_no_memory);
    c->list = list;
    c->room = room;
    return OK;
}

/* The digest of its words. A permit whose claims can't be computed is a finding of the decisions' check, or its certificate is
 * missing: then its events are held against the object alone. */
static result keep_words(struct audit *a, const struct record *r, const struct certificate *certificate, struct covered *k)
{
    AUTO_BUF claims = BUF(CREDENTIAL_TEXT_MAX);
    struct words words;
    const char *wrong;
    const struct claims_ground g = { .trust = &a->trust, .certificate = certificate, .record = r, .kind = KIND };
    result got = claims_from(&g, &claims, &wrong);
    if (is_ok(got))
        got = words_of_claims(buf_span(&claims), &r->e.decision.mint_key, &words);
    if (!is_ok(got))
        return is_exports_fault(got) ? OK : got;
    k->words = words_digest(&words);
    k->has_words = true;
    words_free(&words);
    return OK;
}

static result keep_permit(struct audit *a, const struct record *r)
{
    struct cover *c = a->cover;
    const struct certified *certified;
    uint64_t *before;
    if (!span_is(span_text(r->e.decision.target_kind), KIND))
        return OK;
    TRY(document_certificate(a, &r->e.decision.signed_, r->index, &certified));
    if (!certified || !span_is(span_text(certified->certificate.contract.mutation.target), c->options->target))
        return OK;
    if (c->n == c->room)
        TRY(grow(c));
    struct covered *k = &c->list[c->n];
    *k = (struct covered){
        .index = r->index, .time = r->e.time, .mint_key = r->e.decision.mint_key, .dry_run = certified->certificate.contract.dry_run
    };
    TRY(keep_words(a, r, &certified->certificate, k));
    TRY(table_put(&c->places, key_of_digest(&r->leaf), c->n, &before));
    TRY(table_put(&c->indices, key_of_number(r->index), c->n, &before));
    c->n++;
    return OK;
}

static void keep_outcome(struct cover *c, const struct outcome_entry *o)
{
    const uint64_t *place = table_find(&c->indices, key_of_number(o->decision));
    if (!place)
        return;
    c->list[*place].result = o->result;
    if (o->http_status)
        c->list[*place].status = o->http_status;
}

static result cover_record(struct audit *a, const struct record *r)
{
    struct cover *c = a->cover;
    uint64_t *before;
    c->last_ms = r->e.time;
    if (r->e.type == ENTRY_DECISION && r->e.decision.permitted)
        return keep_permit(a, r);
    if (r->e.type == ENTRY_OUTCOME)
        keep_outcome(c, &r->e.outcome);
    if (r->e.type == ENTRY_READ && span_is(span_text(r->e.read.target), c->options->target))
        return table_put(&c->places, key_of_digest(&r->leaf), COVER_READ | r->index, &before);
    return OK;
}

const struct audit_check check_cover = { .name = "cover", .judges = true, .record = cover_record };

struct covered *cover_find(const struct cover *c, const char *decision, bool *ret_read)
{
    struct digest leaf;
    *ret_read = false;
    if (!is_ok(digest_read(span_text(decision), &leaf)))
        return NULL;
    const uint64_t *place = table_find(&c->places, key_of_digest(&leaf));
    *ret_read = place && (*place & COVER_READ);
    return place && !*ret_read ? &c->list[*place] : NULL;
}

result cover_words(struct audit *a, const struct covered *c, struct words *ret)
{
    AUTO_BUF claims = BUF(CREDENTIAL_TEXT_MAX);
    const char *wrong;
    TRY(claims_of(&a->trust, &a->export, a->size, c->index, NULL, &claims, &wrong));
    return words_of_claims(buf_span(&claims), &c->mint_key, ret);
}
