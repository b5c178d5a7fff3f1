#include "config.h"

#include "sebctl/sebctl.h"

#include <poll.h>
#include <stdio.h>

#include "store/export.h"

#define SETTLE_MOST_MS 2000
#define SETTLE_STEP_MS 20

/* The sizes that the newest note and quote cover; 0 where there is none. */
static result covered(struct store_reader *r, uint64_t *ret_signed, uint64_t *ret_quoted)
{
    AUTO_BUF note = BUF(4096);
    *ret_signed = *ret_quoted = 0;
    result got = store_read_newest_checkpoint(r, ret_signed, &note);
    if (code_of(got) != E_not_found)
        TRY(got);
    got = store_read_newest_quote_size(r, ret_quoted);
    return code_of(got) == E_not_found ? OK : got;
}

/* Notes and quotes are stored a moment after the entries that they cover: what was there when the export was asked for is to be in
 * it, and proved. Nobody tells when they come, and where the broker is down they don't: so it looks again for a while. */
static result settle(struct store_reader *r)
{
    uint64_t size, signed_, quoted;
    TRY(store_read_size(r, &size));
    for (int waited = 0; waited < SETTLE_MOST_MS; waited += SETTLE_STEP_MS) {
        TRY(covered(r, &signed_, &quoted));
        if (signed_ >= size && quoted >= size)
            break;
        poll(NULL, 0, SETTLE_STEP_MS);
    }
    return OK;
}

static result print_done(const struct sebctl_args *a, uint64_t size)
{
    AUTO_BUF line = BUF(8192);
    AUTO_JSON *o = json_object();
    if (!a->value[OPT_JSON]) {
        TRY(buf_printf(&line, "exported %llu entries to %s\n", (unsigned long long)size, a->operand));
        return sebctl_print(buf_span(&line));
    }
    TRY(json_put_text(o, "folder", a->operand));
    TRY(json_put_int(o, "size", (int64_t)size));
    return sebctl_print_json(o);
}

result sebctl_export(struct sebctl_args *a)
{
    const struct export_options options = {
        .without_bodies = a->value[OPT_WITHOUT_BODIES],
        .without_requests = a->value[OPT_WITHOUT_REQUESTS],
    };
    AUTO_BUF path = BUF(4096);
    AUTO_STORE_READER *reader = NULL;
    uint64_t size = 0;
    a->about = "the database";
    TRY(config_state_path(a->config, STATE_DATABASE, &path));
    TRY(store_reader_open((const char *)path.p, &reader));
    TRY(settle(reader));
    a->about = a->operand;
    TRY(store_export(reader, a->operand, &options, &size));
    return print_done(a, size);
}
