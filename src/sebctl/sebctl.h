/* The commands of sebctl. */
#ifndef SEB_SEBCTL_SEBCTL_H
#define SEB_SEBCTL_SEBCTL_H

#include "base/json.h"
#include "config/config.h"

#define SEBCTL_OK 0
#define SEBCTL_FAILED 1 /* refused or failed; the reason is on stderr */
#define SEBCTL_USAGE 2

enum sebctl_option {
    OPT_CONFIG,
    OPT_JSON,
    OPT_PEM,
    OPT_TRUST,
    OPT_WITHOUT_BODIES,
    OPT_WITHOUT_REQUESTS,
    OPT_PLAN,
    OPT_LOAD,
    OPT_COMING,
    OPT_REBOOTED,
    OPT_LIBEXEC,
    OPT_SEBD,
    SEBCTL_OPTIONS
};
struct sebctl_args {
    const char *value[SEBCTL_OPTIONS]; /* NULL where it wasn't given; "" for a flag */
    const char *operand;
    const struct config *config;
    const char *about; /* what an error is about, for its message */
};
/* Each prints to stdout only when it has the whole of it. */
MUST_USE result sebctl_init(struct sebctl_args *a);
MUST_USE result sebctl_rekey(struct sebctl_args *a);
MUST_USE result sebctl_status(struct sebctl_args *a);
MUST_USE result sebctl_policy_load(struct sebctl_args *a);
MUST_USE result sebctl_epoch_advance(struct sebctl_args *a);
MUST_USE result sebctl_approve(struct sebctl_args *a);
MUST_USE result sebctl_acknowledge(struct sebctl_args *a);
MUST_USE result sebctl_pubkeys(struct sebctl_args *a);
MUST_USE result sebctl_export(struct sebctl_args *a);
/* Takes its own argv (argv[0] is "fence") and returns the exit code. */
int sebctl_fence(int argc, char **argv);
int sebctl_fence_check(int argc, char **argv); /* of "fence kubernetes --check" */
int sebctl_target(int argc, char **argv); /* argv[0] is "target" */

/* bus.c: asks the broker over the administration socket. ok where its status is "ok": the whole reply, which the caller
 * owns. Else the code that it said. */
MUST_USE result sebctl_ask(struct sebctl_args *a, const json_t *question, json_t **ret_reply);
/* One JSON value in a file, or in standard input for "-". */
MUST_USE result sebctl_read_json(struct sebctl_args *a, const char *path, json_t **ret);
/* The text, flushed. */
MUST_USE result sebctl_print(struct span text);
MUST_USE result sebctl_print_json(const json_t *v); /* RFC 8785 form and a newline */

#endif
