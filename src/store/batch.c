#include "config.h"

#include "store/batch.h"

#include <stdlib.h>

#include "merkle/checkpoint.h"

#define QUOTE_PART_MAX 4096
#define HEAD 5 /* u8 operation, u32 length */

result store_batch_new(uint64_t first, struct store_batch **ret)
{
    struct store_batch *b = malloc(sizeof(*b));
    if (!b)
        return fail(E_no_memory);
    *b = (struct store_batch){ .first = first, .bytes = BUF(STORE_BATCH_BYTES) };
    *ret = b;
    return OK;
}

void store_batch_free(struct store_batch *b)
{
    if (!b)
        return;
    buf_free(&b->bytes);
    free(b);
}

void store_batch_free_pointer(struct store_batch **b)
{
    store_batch_free(*b);
    *b = NULL;
}

struct store_mark store_batch_mark(const struct store_batch *b)
{
    return (struct store_mark){ .bytes = b->bytes.n, .entries = b->entries };
}

void store_batch_rewind(struct store_batch *b, struct store_mark m)
{
    b->bytes.n = m.bytes;
    b->entries = m.entries;
}

bool store_batch_empty(const struct store_batch *b)
{
    return b->bytes.n == 0;
}

uint64_t store_batch_first(const struct store_batch *b)
{
    return b->first;
}

uint64_t store_batch_end(const struct store_batch *b)
{
    return b->first + b->entries;
}

unsigned store_batch_entries(const struct store_batch *b)
{
    return b->entries;
}

bool batch_next(const struct store_batch *b, size_t *at, enum batch_operation *ret_op, struct span *ret_fields)
{
    struct reader r = { buf_span(&b->bytes), *at };
    uint8_t op;
    if (!is_ok(read_u8(&r, &op)) || !is_ok(read_blob32(&r, STORE_BATCH_BYTES, ret_fields)))
        return false;
    *at = r.at;
    *ret_op = (enum batch_operation)op;
    return true;
}

bool store_batch_next_entry(const struct store_batch *b, size_t *at, struct span *ret_entry)
{
    enum batch_operation op;
    while (batch_next(b, at, &op, ret_entry))
        if (op == BATCH_ENTRY)
            return true;
    return false;
}

/* An operation's head, whose length end() fills in. */
static result begin(struct store_batch *b, enum batch_operation op)
{
    TRY(buf_u8(&b->bytes, (uint8_t)op));
    return buf_u32(&b->bytes, 0);
}

/* The whole operation, or none of it and `busy`: then the batch is full. */
static result end(struct store_batch *b, size_t start, result r)
{
    if (!is_ok(r)) {
        b->bytes.n = start;
        return code_of(r) == E_too_long ? fail(E_busy) : r;
    }
    size_t n = b->bytes.n - start - HEAD;
    for (unsigned i = 0; i < 4; i++)
        b->bytes.p[start + 1 + i] = (uint8_t)(n >> 8 * (3 - i));
    return OK;
}

static result put_digest(struct store_batch *b, const struct digest *d)
{
    return buf_put(&b->bytes, digest_span(d));
}

static result put_entry(struct store_batch *b, struct span entry)
{
    TRY(begin(b, BATCH_ENTRY));
    return buf_put(&b->bytes, entry);
}

result store_batch_entry(struct store_batch *b, struct span entry, uint64_t *ret_index)
{
    if (entry.n == 0 || entry.n > ENTRY_MAX)
        return fail(E_bad_entry);
    size_t start = b->bytes.n;
    TRY(end(b, start, put_entry(b, entry)));
    *ret_index = b->first + b->entries++;
    return OK;
}

static result put_blob(struct store_batch *b, enum blob_kind kind, const struct digest *d, struct span data)
{
    TRY(begin(b, BATCH_BLOB));
    TRY(buf_u8(&b->bytes, (uint8_t)kind));
    TRY(put_digest(b, d));
    return buf_put(&b->bytes, data);
}

result store_batch_blob(struct store_batch *b, enum blob_kind kind, const struct digest *d, struct span data)
{
    if (data.n > STORE_BLOB_MAX)
        return fail(E_too_long);
    size_t start = b->bytes.n;
    return end(b, start, put_blob(b, kind, d, data));
}

static result put_use(struct store_batch *b, const char *cid, const struct digest *certificate, uint64_t decision)
{
    TRY(begin(b, BATCH_USE));
    TRY(put_digest(b, certificate));
    TRY(buf_u64(&b->bytes, decision));
    return buf_text(&b->bytes, cid);
}

result store_batch_use(struct store_batch *b, const char *cid, const struct digest *certificate, uint64_t decision)
{
    size_t start = b->bytes.n;
    return end(b, start, put_use(b, cid, certificate, decision));
}

static result put_request(struct store_batch *b, const struct stored_request *r)
{
    TRY(begin(b, BATCH_REQUEST));
    TRY(put_digest(b, &r->agent));
    TRY(put_digest(b, &r->core));
    TRY(put_digest(b, &r->certificate));
    TRY(buf_u64(&b->bytes, r->decision));
    return buf_text(&b->bytes, r->id);
}

result store_batch_request(struct store_batch *b, const struct stored_request *r)
{
    size_t start = b->bytes.n;
    return end(b, start, put_request(b, r));
}

static result put_permit(struct store_batch *b, const struct open_decision *d)
{
    TRY(begin(b, BATCH_PERMIT));
    TRY(buf_u64(&b->bytes, d->decision));
    TRY(put_digest(b, &d->certificate));
    TRY(put_digest(b, &d->core));
    TRY(buf_u64(&b->bytes, (uint64_t)d->horizon_ms));
    TRY(buf_blob16(&b->bytes, span_text(d->target)));
    return buf_blob16(&b->bytes, span_text(d->resource));
}

result store_batch_permit(struct store_batch *b, const struct open_decision *d)
{
    size_t start = b->bytes.n;
    if (d->horizon_ms < 0)
        return fail(E_bad_value);
    return end(b, start, put_permit(b, d));
}

static result put_outcome(struct store_batch *b, uint64_t decision, uint64_t outcome, bool final)
{
    TRY(begin(b, BATCH_OUTCOME));
    TRY(buf_u64(&b->bytes, decision));
    TRY(buf_u64(&b->bytes, outcome));
    return buf_u8(&b->bytes, final);
}

result store_batch_outcome(struct store_batch *b, uint64_t decision, uint64_t outcome, bool final)
{
    size_t start = b->bytes.n;
    return end(b, start, put_outcome(b, decision, outcome, final));
}

static result put_checkpoint(struct store_batch *b, uint64_t size, struct span note)
{
    TRY(begin(b, BATCH_CHECKPOINT));
    TRY(buf_u64(&b->bytes, size));
    return buf_put(&b->bytes, note);
}

result store_batch_checkpoint(struct store_batch *b, struct span note)
{
    struct checkpoint c;
    struct span text;
    size_t start = b->bytes.n;
    TRY(checkpoint_parse(note, &c, &text));
    return end(b, start, put_checkpoint(b, c.size, note));
}

static result put_quote(struct store_batch *b, const struct stored_quote *q)
{
    TRY(begin(b, BATCH_QUOTE));
    TRY(buf_u64(&b->bytes, q->size));
    TRY(buf_blob16(&b->bytes, q->attest));
    TRY(buf_blob16(&b->bytes, q->signature));
    return buf_blob16(&b->bytes, q->preimage);
}

result store_batch_quote(struct store_batch *b, const struct stored_quote *q)
{
    size_t start = b->bytes.n;
    if (q->attest.n > QUOTE_PART_MAX || q->signature.n > QUOTE_PART_MAX || q->preimage.n > QUOTE_PART_MAX)
        return fail(E_too_long);
    return end(b, start, put_quote(b, q));
}

static result put_state(struct store_batch *b, enum state_kind kind, struct span text)
{
    TRY(begin(b, BATCH_STATE));
    TRY(buf_u8(&b->bytes, (uint8_t)kind));
    return buf_put(&b->bytes, text);
}

result store_batch_state(struct store_batch *b, enum state_kind kind, struct span text)
{
    size_t start = b->bytes.n;
    if (text.n > STORE_BLOB_MAX)
        return fail(E_too_long);
    return end(b, start, put_state(b, kind, text));
}
