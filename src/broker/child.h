/* What every process of the broker but the supervisor does first, and the descriptors that the supervisor gives it. */
#ifndef SEB_BROKER_CHILD_H
#define SEB_BROKER_CHILD_H

#include "config/config.h"
#include "link/link.h"

enum child_role { CHILD_FRONT, CHILD_CORE, CHILD_KEEPER, CHILD_RUNNER, CHILDREN };
/* Descriptors of a child, by role. The configuration is a sealed memfd. */
enum child_fd {
    FD_CONFIG = 3,
    FD_CONTROL = 4,
    FD_FRONT_CORE = 5,                                             /* front */
    FD_CORE_FRONT = 5, FD_CORE_KEEPER = 6, FD_CORE_RUNNER = 7,     /* core */
    FD_KEEPER_CORE = 5, FD_KEEPER_RUNNER = 6, FD_KEEPER_TPM = 7,   /* keeper; the TPM's is open when it starts, or missing */
    FD_RUNNER_KEEPER = 5, FD_RUNNER_CORE = 6,                      /* runner */
};
struct child {
    struct config *config;
    struct link *control;
};
/* Hardens the process (no dumps, dies with the supervisor), reads the configuration, opens the control link. Ends the process with a
 * message and exit code 70 on failure. Sandboxing (seccomp, Landlock, own uid) belongs in child_confine, called when a role holds what
 * it needs. */
struct child child_begin(enum child_role role);
/* Says READY: from here the supervisor counts on it. */
MUST_USE result child_ready(struct child *c);
void child_end(struct child *c);
/* Logs and ends the process: a broken invariant. The supervisor then stops the whole broker. */
void child_abort(const char *what, result r) __attribute__((noreturn));

#endif
