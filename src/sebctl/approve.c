/* What is to be approved: the running broker's state as it says itself, or the state after its next start, foreseen from the event
 * log that it left. Nothing here is believed by anybody: whoever approves compares the measurements, and the chip the PCR. */
#include "config.h"

#include "sebctl/sebctl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "attest/plan.h"

#define EVENT_LOG "events.cel" /* in state_dir */
#define ATTESTATION 0 /* instance_roles */

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* As the supervisor measures it when it starts. */
static result measure_file(struct sebctl_args *a, const char *path, const char *name, struct cel_state *s)
{
    struct digest d;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    result r = fd < 0 ? fail_errno() : digest_program(fd, &d);
    if (fd >= 0)
        close(fd);
    if (!is_ok(r)) {
        a->about = name;
        return r;
    }
    return cel_put(s, name, &d);
}

static result measure_programs(struct sebctl_args *a, struct cel_state *s)
{
    if (a->value[OPT_SEBD])
        TRY(measure_file(a, a->value[OPT_SEBD], cel_executable(0), s));
    for (unsigned i = 1; a->value[OPT_LIBEXEC] && i < CEL_EXECUTABLES; i++) {
        AUTO_BUF path = BUF(4096);
        TRY(buf_printf(&path, "%s/%s", a->value[OPT_LIBEXEC], cel_executable(i)));
        TRY(buf_u8(&path, 0));
        TRY(measure_file(a, (const char *)path.p, cel_executable(i), s));
    }
    return OK;
}

/* The log as far as the PCR has it: what a crash left behind that is cut off at the next start. */
static result log_read(struct sebctl_args *a, const struct approval *plan, struct buf *log)
{
    AUTO_BUF path = BUF(512);
    size_t n;
    TRY(config_state_path(a->config, EVENT_LOG, &path));
    a->about = EVENT_LOG;
    TRY(file_read((const char *)path.p, CEL_LOG_MAX, log));
    TRY(cel_prefix(buf_span(log), plan->pcr, &plan->pcr_value, &n));
    log->n = n;
    return OK;
}

/* The broker at its next start appends what differs; a reboot begins a new log, since the PCR is zero then. */
static result foresee(struct sebctl_args *a, struct approval *plan, struct buf *log)
{
    struct digest events[CEL_NAMES_MAX];
    struct cel_state foreseen;
    unsigned n;
    a->about = "tpm.measured_pcr";
    if ((unsigned)a->config->measured_pcr != plan->pcr)
        return fail(E_plan_inconsistent); /* its log begins anew, in another PCR: which value that has nobody knows here */
    TRY(measure_programs(a, &plan->measured));
    TRY(cel_put(&plan->measured, CEL_CONFIGURATION, &a->config->digest));
    TRY(cel_put(&plan->measured, CEL_POLICY_AUTHORITY, pubkey_thumbprint(a->config->policy_key)));
    a->about = EVENT_LOG;
    if (a->value[OPT_REBOOTED])
        buf_clear(log);
    TRY(cel_advance(log, plan->pcr, &plan->measured, events, &n));
    return cel_replay(buf_span(log), plan->pcr, &plan->pcr_value, &foreseen);
}

static bool is_coming(const struct sebctl_args *a)
{
    return a->value[OPT_COMING] || a->value[OPT_REBOOTED] || a->value[OPT_LIBEXEC] || a->value[OPT_SEBD];
}

static result print(struct sebctl_args *a, const struct approval *plan, struct span log)
{
    struct instance instance;
    AUTO_BUF text = BUF(PLAN_FILE_MAX);
    a->about = "instance.json";
    TRY(instance_load(a->config, &instance));
    a->about = "approve";
    result r = plan_file_write(plan, log, instance.key[ATTESTATION], &text);
    instance_free(&instance);
    TRY(r);
    TRY(buf_u8(&text, '\n'));
    return sebctl_print(buf_span(&text));
}

static result plan_finish(struct sebctl_args *a, struct approval *plan)
{
    AUTO_BUF log = BUF(CEL_LOG_MAX);
    TRY(log_read(a, plan, &log));
    if (is_coming(a))
        TRY(foresee(a, plan, &log));
    return print(a, plan, buf_span(&log));
}

static result plan_ask(struct sebctl_args *a, struct approval *ret)
{
    AUTO_JSON *question = json_object(), *reply = NULL;
    AUTO_BUF text = BUF(JWS_PAYLOAD_MAX);
    const json_t *plan;
    TRY(json_put_text(question, "op", "plan"));
    TRY(sebctl_ask(a, question, &reply));
    TRY(json_object_at(reply, "plan", &plan));
    TRY(json_canonical(plan, &text));
    return approval_plan_parse(buf_span(&text), ret);
}

static result plan(struct sebctl_args *a)
{
    struct approval asked = { 0 };
    TRY(plan_ask(a, &asked));
    result r = plan_finish(a, &asked);
    approval_free(&asked);
    return r;
}

static result load(struct sebctl_args *a)
{
    AUTO_JSON *file = NULL, *question = json_object(), *reply = NULL;
    TRY(sebctl_read_json(a, a->value[OPT_LOAD], &file));
    TRY(json_put_text(question, "op", "approval"));
    TRY(json_put_new(question, "file", json_incref(file)));
    TRY(sebctl_ask(a, question, &reply));
    return a->value[OPT_JSON] ? sebctl_print_json(reply) : sebctl_print(span_text("approval loaded\n"));
}

result sebctl_approve(struct sebctl_args *a)
{
    bool planned = a->value[OPT_PLAN], loaded = a->value[OPT_LOAD];
    a->about = "approve: --plan, or --load FILE alone";
    if (planned == loaded || (loaded && is_coming(a)))
        return fail(E_usage);
    a->about = "approve";
    return loaded ? load(a) : plan(a);
}
