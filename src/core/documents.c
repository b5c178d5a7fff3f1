#include "config.h"

#include "core/core.h"

static bool is_log(const struct challenge *asked, enum log_document *ret)
{
    if (asked->op != CHALLENGE_DOCUMENT || (asked->document != DOCUMENT_CEL && asked->document != DOCUMENT_FIRMWARE))
        return false;
    *ret = asked->document == DOCUMENT_CEL ? LOG_CEL : LOG_FIRMWARE;
    return true;
}

static result take(struct collected *d, uint64_t offset, const json_t *piece)
{
    AUTO_BUF data = BUF(DOCUMENT_PIECE_MAX);
    int64_t total, at;
    TRY(json_int(piece, "total", 0, STORE_BLOB_MAX, &total));
    TRY(json_int(piece, "offset", 0, STORE_BLOB_MAX, &at));
    TRY(json_bytes_at(piece, "data", DOCUMENT_PIECE_MAX, &data));
    if ((uint64_t)at != offset)
        return fail(E_bad_value);
    if (offset == 0) { /* read anew */
        buf_clear(&d->data);
        d->whole = d->stored = false;
    }
    if (d->whole || offset != d->data.n) /* a piece of another reading */
        return OK;
    TRY(buf_put(&d->data, buf_span(&data)));
    d->whole = d->data.n == (uint64_t)total;
    if (d->whole)
        d->digest = sha256(buf_span(&d->data));
    return OK;
}

/* What doesn't fit together, or is larger than the log takes, isn't kept: the verifier judges it, whatever becomes of our copy. */
void documents_take(struct core *c, const struct challenge *asked, const json_t *piece)
{
    enum log_document which;
    if (!is_log(asked, &which))
        return;
    struct collected *d = &c->attest.document[which];
    if (!is_ok(take(d, asked->offset, piece))) {
        buf_clear(&d->data);
        d->whole = false;
    }
}

struct collected *documents_wanted(struct core *c, enum log_document which, const struct digest *d)
{
    struct collected *have = &c->attest.document[which];
    return have->whole && !have->stored && digest_equal(&have->digest, d) ? have : NULL;
}
