/* The supervisor: starts the broker's processes with just the descriptors that each needs, hands the keeper its TPM, and stops all
 * when one dies. It holds no key, parses no message of an agent, and links neither the TPM's, the HSM's nor the bus's library.
 *
 *   supervisor.c         main: options, lock, start
 *   spawn.c   descriptors, environment, fork and exec
 *   run.c     the event loop, and the order of stopping
 *   tpm.c     the TPM's descriptor, at the start and after it was lost
 *   notify.c  systemd's readiness protocol */
#ifndef SEB_SUPERVISOR_SUPERVISOR_H
#define SEB_SUPERVISOR_SUPERVISOR_H

#include "child/child.h"

struct process {
    int program; /* descriptor of the file that was measured and is executed */
    struct digest measured;
    pid_t pid;
    int pidfd;
    struct link *control; /* NULL after its end, which orders the child to stop */
    bool ready, ordered, killed, gone;
    int status; /* waitpid(2)'s, when gone */
};
struct tpm_line { /* tpm.c */
    bool wanted;
    int64_t at_ms, given_ms; /* monotonic: when to try; when a descriptor was given last */
    int64_t delay_ms;
};
enum supervisor_state { SUPERVISOR_STARTING, SUPERVISOR_SERVING, SUPERVISOR_STOPPING, SUPERVISOR_FAILING };
struct stop_step;
struct supervisor {
    struct config *config;
    struct buf config_text; /* RFC 8785 form */
    struct digest measured; /* sebd's own */
    int lock, signals; /* descriptors */
    struct process process[CHILDREN];
    enum supervisor_state state;
    const struct stop_step *step, *step_end;
    int64_t deadline_ms; /* of the step, or for telling who isn't ready yet */
    struct tpm_line tpm;
};

/* spawn.c. spawn_measure opens and measures the programs in libexec; spawn_all starts all four, then, wired; the keeper gets what
 * was measured, to extend a PCR by. */
MUST_USE result spawn_measure(struct supervisor *s, const char *libexec);
MUST_USE result spawn_all(struct supervisor *s);

/* run.c: until all processes are gone. *ret_orderly: they were asked to stop, and none failed. */
MUST_USE result supervisor_run(struct supervisor *s, bool *ret_orderly);

/* tpm.c. tpm_unavailable. */
MUST_USE result tpm_line_open(const char *path, int *ret_fd);
void tpm_line_want(struct tpm_line *t, int64_t now_ms);
MUST_USE result tpm_line_turn(struct tpm_line *t, const char *path, struct link *keeper, int64_t now_ms);

/* notify.c: sd_notify(3)'s protocol where $NOTIFY_SOCKET is set; else nothing. */
void notify(const char *state);

#endif
