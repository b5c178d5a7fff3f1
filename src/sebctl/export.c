#include "config.h"

#include "sebctl/sebctl.h"

#include <stdio.h>

#include "store/export.h"

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
    a->about = a->operand;
    TRY(store_export(reader, a->operand, &options, &size));
    return print_done(a, size);
}
