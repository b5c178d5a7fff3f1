#include "config.h"

#include "verifier/memory.h"

#define MEMORY_VERSION 2
#define MEMORY_WITHOUT_NOTED_BY 1 /* all else the same */

static result put(const struct memory *m, struct buf *out)
{
    const struct appraisal_known *k = &m->known;
    TRY(buf_u8(out, MEMORY_VERSION));
    TRY(buf_put(out, digest_span(&m->ak)));
    TRY(buf_u64(out, m->policy_epoch));
    TRY(buf_u8(out, k->has_quote));
    TRY(buf_u64(out, k->clock.clock_ms));
    TRY(buf_u32(out, k->clock.reset_count));
    TRY(buf_u32(out, k->clock.restart_count));
    TRY(buf_u8(out, k->clock.safe));
    TRY(buf_u64(out, k->firmware));
    TRY(buf_put(out, SPAN(k->run)));
    TRY(buf_u64(out, k->log.size));
    TRY(buf_put(out, digest_span(&k->log.root)));
    TRY(buf_put(out, digest_span(&k->ima.pcr)));
    TRY(buf_u64(out, k->ima.offset));
    TRY(buf_u64(out, k->ima.entries));
    TRY(buf_u64(out, k->ima.violations));
    return buf_put(out, digest_span(&k->noted_by));
}

static result read_flag(struct reader *r, bool *ret)
{
    uint8_t v;
    TRY(read_u8(r, &v));
    *ret = v != 0;
    return v <= 1 ? OK : fail(E_bad_value);
}

static result get(struct reader *r, struct memory *m)
{
    uint8_t version;
    struct appraisal_known *k = &m->known;
    TRY(read_u8(r, &version));
    if (version != MEMORY_VERSION && version != MEMORY_WITHOUT_NOTED_BY)
        return fail(E_unsupported);
    TRY(read_copy(r, m->ak.b, DIGEST_SIZE));
    TRY(read_u64(r, &m->policy_epoch));
    TRY(read_flag(r, &k->has_quote));
    TRY(read_u64(r, &k->clock.clock_ms));
    TRY(read_u32(r, &k->clock.reset_count));
    TRY(read_u32(r, &k->clock.restart_count));
    TRY(read_flag(r, &k->clock.safe));
    TRY(read_u64(r, &k->firmware));
    TRY(read_copy(r, k->run, RUN_ID_SIZE));
    TRY(read_u64(r, &k->log.size));
    TRY(read_copy(r, k->log.root.b, DIGEST_SIZE));
    TRY(read_copy(r, k->ima.pcr.b, DIGEST_SIZE));
    TRY(read_u64(r, &k->ima.offset));
    TRY(read_u64(r, &k->ima.entries));
    TRY(read_u64(r, &k->ima.violations));
    if (version != MEMORY_WITHOUT_NOTED_BY)
        TRY(read_copy(r, k->noted_by.b, DIGEST_SIZE));
    return read_end(r);
}

result memory_read(struct state *s, const char *name, const struct digest *ak, struct memory *ret)
{
    AUTO_BUF data = BUF(STATE_KNOWN_MAX);
    struct memory m = { .known = { .log = log_state_empty() } };
    TRY(state_known(s, name, &data));
    struct reader r = reader_of(buf_span(&data));
    if (data.n)
        TRY(get(&r, &m));
    if (!digest_equal(&m.ak, ak))
        m.known = (struct appraisal_known){ .log = m.known.log, .noted_by = m.known.noted_by };
    m.ak = *ak;
    *ret = m;
    return OK;
}

result memory_write(struct state *s, const char *name, const struct memory *m)
{
    AUTO_BUF data = BUF(STATE_KNOWN_MAX);
    TRY(put(m, &data));
    return state_know(s, name, buf_span(&data));
}
