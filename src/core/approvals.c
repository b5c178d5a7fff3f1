/* The approvals that were loaded, newest last. The keeper holds no file, so it gets them all again at each start: which of them
 * fits what was measured and the epoch's counter, the chip says. A rolling upgrade needs several at a time: the new state at this
 * epoch and at the next. */
#include "config.h"

#include "core/core.h"

#define APPROVALS_MAX STORE_BLOB_MAX
#define APPROVALS_KEPT 16

result approvals_load(struct core *c)
{
    c->approvals = BUF(APPROVALS_MAX);
    result r = store_read_state(c->reader, STATE_APPROVALS, &c->approvals);
    return code_of(r) == E_not_found ? OK : r;
}

static result next(struct reader *r, struct span *ret)
{
    return read_blob32(r, APPROVALS_MAX, ret);
}

result approvals_each(struct core *c, result (*each)(struct core *c, struct span file))
{
    struct reader r = reader_of(buf_span(&c->approvals));
    struct span file;
    while (r.at < r.s.n) {
        TRY(next(&r, &file));
        TRY(each(c, file));
    }
    return OK;
}

static unsigned count(const struct core *c, struct span but)
{
    struct reader r = reader_of(buf_span(&c->approvals));
    struct span file;
    unsigned n = 0;
    while (r.at < r.s.n && is_ok(next(&r, &file)))
        n += !span_equal(file, but);
    return n;
}

/* The same file again moves to the end. The oldest make room. */
static result keep(struct core *c, struct span added, unsigned drop, struct buf *out)
{
    struct reader r = reader_of(buf_span(&c->approvals));
    struct span file;
    while (r.at < r.s.n) {
        TRY(next(&r, &file));
        if (span_equal(file, added))
            continue;
        if (drop > 0)
            drop--;
        else
            TRY(buf_blob32(out, file));
    }
    return buf_blob32(out, added);
}

result approvals_add(struct core *c, struct span file)
{
    unsigned n = count(c, file), drop = n >= APPROVALS_KEPT ? n + 1 - APPROVALS_KEPT : 0;
    for (; drop <= n; drop++) {
        AUTO_BUF out = BUF(APPROVALS_MAX);
        result r = keep(c, file, drop, &out);
        if (code_of(r) == E_too_long)
            continue;
        TRY(r);
        buf_free(&c->approvals);
        c->approvals = out;
        out = BUF(0); /* given away */
        return OK;
    }
    return fail(E_too_long);
}
