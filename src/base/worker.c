#include "config.h"

#include "base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS_MAX 16

struct queue {
    struct job *first, *last;
};

struct thread {
    struct worker *worker;
    void *context;
    pthread_t id;
};

struct worker {
    pthread_mutex_t lock; /* over all below but threads */
    pthread_cond_t wanted;
    struct queue in, out;
    bool ending;
    int done_fd; /* counts 1 while `out` holds jobs, else 0 */
    unsigned n;
    struct thread threads[THREADS_MAX];
};

static void push(struct queue *q, struct job *j)
{
    j->next = NULL;
    if (q->last)
        q->last->next = j;
    else
        q->first = j;
    q->last = j;
}

static struct job *pop(struct queue *q)
{
    struct job *j = q->first;
    if (!j)
        return NULL;
    q->first = j->next;
    if (!q->first)
        q->last = NULL;
    j->next = NULL;
    return j;
}

/* The next job; NULL once the worker ends and nothing is left. */
static struct job *next_job(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->in.first && !w->ending)
        pthread_cond_wait(&w->wanted, &w->lock);
    struct job *j = pop(&w->in);
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void finish(struct worker *w, struct job *j)
{
    pthread_mutex_lock(&w->lock);
    bool was_empty = !w->out.first;
    push(&w->out, j);
    /* Inside the lock, or a take between the two would leave the descriptor readable over an empty queue. The counter is 0, so the
     * write can neither block nor fail. */
    if (was_empty)
        eventfd_write(w->done_fd, 1);
    pthread_mutex_unlock(&w->lock);
}

static void *thread_main(void *argument)
{
    struct thread *t = argument;
    for (struct job *j; (j = next_job(t->worker));) {
        j->run(j, t->context);
        finish(t->worker, j);
    }
    return NULL;
}

static result start_threads(struct worker *w, void *const *context, unsigned n)
{
    sigset_t all, before;
    int error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the threads */
    for (; w->n < n && !error; w->n += !error) {
        w->threads[w->n] = (struct thread){ .worker = w, .context = context[w->n] };
        error = pthread_create(&w->threads[w->n].id, NULL, thread_main, &w->threads[w->n]);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? fail_foreign(E_no_memory, FOREIGN_ERRNO, (uint32_t)error) : OK;
}

result worker_start(void *const *thread, unsigned n, struct worker **ret)
{
    if (n < 1 || n > THREADS_MAX)
        return fail(E_bad_value);
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return fail(E_no_memory);
    w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->done_fd < 0) {
        free(w);
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wanted, NULL);
    result r = start_threads(w, thread, n);
    if (!is_ok(r)) {
        worker_stop(w);
        return r;
    }
    *ret = w;
    return OK;
}

void worker_stop(struct worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->wanted);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->n; i++)
        pthread_join(w->threads[i].id, NULL);
    pthread_cond_destroy(&w->wanted);
    pthread_mutex_destroy(&w->lock);
    close(w->done_fd);
    free(w);
}

void worker_post(struct worker *w, struct job *j)
{
    pthread_mutex_lock(&w->lock);
    push(&w->in, j);
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
}

int worker_fd(const struct worker *w)
{
    return w->done_fd;
}

struct job *worker_take(struct worker *w)
{
    eventfd_t ignored;
    pthread_mutex_lock(&w->lock);
    struct job *j = pop(&w->out);
    if (j && !w->out.first)
        eventfd_read(w->done_fd, &ignored);
    pthread_mutex_unlock(&w->lock);
    return j;
}
