/* A thread for work that blocks (a commit, a TPM command, a signature in an HSM): jobs go in, and come out in order on a queue
 * whose descriptor an event loop polls. */
#ifndef SEB_BASE_WORKER_H
#define SEB_BASE_WORKER_H

#include "base/result.h"

struct job {
    struct job *next; /* the queues' own */
    void (*run)(struct job *j, void *thread); /* on the worker's thread, with its context */
};
struct worker; /* opaque */
/* n threads over one queue, each with its context thread[i] (n of them, 1 to 16; borrowed). With n > 1 jobs may come out in another
 * order. Signals are blocked in the threads. */
MUST_USE result worker_start(void *const *thread, unsigned n, struct worker **ret);
/* Ends after the jobs that are in; what isn't taken out is lost to the caller, who knows of it. Accepts NULL. */
void worker_stop(struct worker *w);
void worker_post(struct worker *w, struct job *j);
int worker_fd(const struct worker *w); /* readable while jobs are done (eventfd) */
struct job *worker_take(struct worker *w); /* a done job, or NULL */

#endif
