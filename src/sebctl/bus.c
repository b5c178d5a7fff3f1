#include "config.h"

#include "sebctl/sebctl.h"

#include <errno.h>
#include <stdio.h>

#include "base/jws.h"
#include "bus/bus.h"

#define PATIENCE_MS 30000 /* a statement waits for the TPM, and for what is signed before it */

result sebctl_print(struct span text)
{
    if (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout))
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    return OK;
}

result sebctl_print_json(const json_t *v)
{
    AUTO_BUF text = BUF(1024 * 1024);
    TRY(json_canonical(v, &text));
    TRY(buf_u8(&text, '\n'));
    return sebctl_print(buf_span(&text));
}

/* Another build may say what this one has no name for. */
static enum seb_code code_said(const json_t *reply)
{
    const char *name;
    enum seb_code code = is_ok(json_text(reply, "code", 64, &name)) ? code_named(name) : E_CODES;
    return code < E_CODES && code != E_ok ? code : E_unavailable;
}

result sebctl_ask(struct sebctl_args *a, const json_t *question, json_t **ret_reply)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX), frame = BUF(BUS_FRAME_MAX), answer = BUF(BUS_FRAME_MAX);
    AUTO_JSON *reply = NULL;
    struct bus_frame read;
    const char *status;
    TRY(json_canonical(question, &json));
    TRY(bus_frame_put(&frame, &(struct bus_frame){ .json = buf_span(&json) }));
    a->about = a->config->admin_socket;
    TRY(bus_call(a->config->admin_socket, buf_span(&frame), PATIENCE_MS, &answer));
    TRY(bus_frame_read(buf_span(&answer), &read));
    TRY(json_strict(read.json, BUS_FRAME_MAX, &reply));
    TRY(json_text(reply, "status", 32, &status));
    if (!span_is(span_text(status), "ok")) {
        a->about = "the broker says";
        return fail(code_said(reply));
    }
    *ret_reply = reply;
    reply = NULL;
    return OK;
}

result sebctl_read_json(struct sebctl_args *a, const char *path, json_t **ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    bool standard_input = span_is(span_text(path), "-");
    a->about = path;
    TRY(file_read(standard_input ? "/dev/stdin" : path, JWS_TEXT_MAX, &text));
    return json_strict(buf_span(&text), JWS_TEXT_MAX, ret);
}

static result load(struct sebctl_args *a, const char *op, const char *done)
{
    AUTO_JSON *statement = NULL, *question = json_object(), *reply = NULL;
    TRY(sebctl_read_json(a, a->operand, &statement));
    TRY(json_put_text(question, "op", op));
    TRY(json_put_new(question, "statement", json_incref(statement)));
    TRY(sebctl_ask(a, question, &reply));
    return a->value[OPT_JSON] ? sebctl_print_json(reply) : sebctl_print(span_text(done));
}

result sebctl_policy_load(struct sebctl_args *a)
{
    return load(a, "policy_load", "policy loaded\n");
}

result sebctl_epoch_advance(struct sebctl_args *a)
{
    return load(a, "epoch_load", "revocation epoch loaded\n");
}

result sebctl_acknowledge(struct sebctl_args *a)
{
    return load(a, "acknowledge", "acknowledged\n");
}
