#include "config.h"

#include "keeper/measure.h"

#include <errno.h>

#define EVENT_LOG "events.cel" /* in state_dir */
#define EVENT_LOG_MODE 0600

static result read_pcr(struct tpm *t, const struct config *c, struct digest *ret)
{
    struct digest pcr[24];
    TRY(tpm_pcr_read(t, UINT32_C(1) << c->measured_pcr, pcr));
    *ret = pcr[c->measured_pcr];
    return OK;
}

static result read_log(const struct config *c, struct buf *log)
{
    AUTO_BUF path = BUF(512);
    TRY(config_state_path(c, EVENT_LOG, &path));
    buf_clear(log);
    result r = file_read((const char *)path.p, CEL_LOG_MAX, log);
    return foreign_of(r) == FOREIGN_ERRNO && foreign_code(r) == ENOENT ? OK : r;
}

/* How much of the log the PCR has. A damaged log is no obstacle where the PCR has nothing yet. */
static result explained(struct span log, unsigned pcr, const struct digest *value, size_t *ret_n)
{
    result r = cel_prefix(log, pcr, value, ret_n);
    if (is_ok(r) || !digest_is_zero(value))
        return r;
    *ret_n = 0;
    return OK;
}

static result extend(
    struct tpm *t, const struct config *c, struct span log, const struct digest *event, unsigned n, struct digest *ret_value)
{
    AUTO_BUF path = BUF(512);
    struct digest wanted, has;
    struct cel_state state;
    TRY(config_state_path(c, EVENT_LOG, &path));
    TRY(file_write((const char *)path.p, log, EVENT_LOG_MODE, true));
    for (unsigned i = 0; i < n; i++)
        TRY(tpm_pcr_extend(t, (unsigned)c->measured_pcr, &event[i]));
    TRY(cel_replay(log, (unsigned)c->measured_pcr, &wanted, &state));
    TRY(read_pcr(t, c, &has));
    *ret_value = has;
    return digest_equal(&wanted, &has) ? OK : fail(E_event_log_mismatch);
}

result measure(struct tpm *t, const struct config *c, const struct cel_state *present, struct buf *log, struct digest *ret_value)
{
    const unsigned pcr = (unsigned)c->measured_pcr;
    struct digest value, event[CEL_NAMES_MAX];
    unsigned events;
    size_t n;
    TRY(read_pcr(t, c, &value));
    *ret_value = value;
    TRY(read_log(c, log));
    TRY(explained(buf_span(log), pcr, &value, &n));
    log->n = n; /* what is behind was written and never extended */
    TRY(cel_advance(log, pcr, present, event, &events));
    return events ? extend(t, c, buf_span(log), event, events, ret_value) : OK;
}
