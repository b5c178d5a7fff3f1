/* What every process of the broker but the supervisor does first, and the descriptors that the supervisor gives it.
 *
 * The control link's end is the order to stop: a role then finishes what it must, and its main returns 0. It is the same whether
 * the supervisor stops the broker or is gone, but for the core, which writes into the log that it stops: it is told STOP before the
 * end, and without that writes nothing, since the kernel is about to kill it. At an orderly stop the front goes first, then the
 * core, then keeper and runner; 5 seconds (the core: 15) after its order a role is killed. SIGTERM comes with the order, and is
 * ignored unless a role wants it, so that a signal to the whole group (systemd, a terminal) doesn't change that order. The end of
 * any other link means that the peer is dead or was stopped: the core goes on without the front; everybody else calls child_abort
 * with that result, which the supervisor doesn't take for a cause. */
#ifndef SEB_CHILD_CHILD_H
#define SEB_CHILD_CHILD_H

#include "config/config.h"
#include "link/link.h"

enum child_role { CHILD_FRONT, CHILD_CORE, CHILD_KEEPER, CHILD_RUNNER, CHILDREN };
/* "front", "core", "keeper", "runner". */
const char *child_name(enum child_role role);
/* The program's name: "seb-front", …; CHILDREN: "sebd", who starts them. So the supervisor's measurements are named too. */
const char *child_program(unsigned role);
/* Descriptors of a child, by role. The configuration and the measurements are sealed memfds. */
enum child_fd {
    FD_CONFIG = 3,
    FD_CONTROL = 4,
    FD_FRONT_CORE = 5, /* front */
    FD_CORE_FRONT = 5,
    FD_CORE_KEEPER = 6,
    FD_CORE_RUNNER = 7, /* core */
    FD_KEEPER_CORE = 5,
    FD_KEEPER_RUNNER = 6,
    FD_KEEPER_TPM = 7, /* keeper; the TPM's is open when it starts, or missing */
    FD_RUNNER_KEEPER = 5,
    FD_RUNNER_CORE = 6, /* runner */
    FD_LOCK = 8, /* every child: only held open, so that the instance stays locked until the last one is gone */
    FD_KEEPER_MEASURED = 9, /* keeper: {program: SHA-256 of its file, …}, RFC 8785 form, of all programs (child_program) */
};
#define CHILD_FDS (FD_KEEPER_MEASURED + 1)
#define CHILD_MEASURED_TEXT_MAX 1024
/* Exit codes of child_abort. */
enum child_exit { CHILD_EXIT_ABORT = 70, CHILD_EXIT_PEER_GONE = 71 };

struct child {
    struct config *config;
    struct link *control;
    int tpm; /* of the keeper: FD_KEEPER_TPM, or -1 where it was missing at the start */
    struct digest measured[CHILDREN + 1]; /* of the keeper: the programs' files, by role; last sebd's own */
};
/* Hardens the process (no dumps, dies with the supervisor), reads the configuration, opens the control link. Ends the process with
 * a message and exit code 70 on failure. Call it before the first thread and the first descriptor. Sandboxing (seccomp, Landlock,
 * own uid) belongs in child_confine, called when a role holds what it needs. */
struct child child_begin(enum child_role role);
/* Says READY: from here the supervisor counts on it. */
MUST_USE result child_ready(struct child *c);
void child_end(struct child *c);
/* Logs and ends the process: a broken invariant (70), or a dead peer (71). The supervisor then stops the whole broker. */
void child_abort(const char *what, result r) __attribute__((noreturn));

#endif
