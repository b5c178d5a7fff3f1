#include "base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS_MAX 16

struct queue {
    struct job *first, **last;
};

struct worker {
    pthread_mutex_t lock;
    pthread_cond_t todo;
    struct queue in, out;
    int done_fd;
    bool stopping;
    unsigned n;
    pthread_t thread[THREADS_MAX];
};

struct thread_start {
    struct worker *worker;
    void *context;
};

static void queue_init(struct queue *q)
{
    q->first = NULL;
    q->last = &q->first;
}

static void queue_put(struct queue *q, struct job *j)
{
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

static struct job *queue_take(struct queue *q)
{
    struct job *j = q->first;
    if (!j)
        return NULL;
    q->first = j->next;
    if (!q->first)
        q->last = &q->first;
    return j;
}

static struct job *next_job(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->in.first && !w->stopping)
        pthread_cond_wait(&w->todo, &w->lock);
    struct job *j = queue_take(&w->in);
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void *work(void *argument)
{
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    struct worker *w = start.worker;
    for (struct job *j; (j = next_job(w));) {
        j->run(j, start.context);
        pthread_mutex_lock(&w->lock);
        queue_put(&w->out, j);
        pthread_mutex_unlock(&w->lock);
        /* The counter can't overflow: it is reset at each take. */
        while (eventfd_write(w->done_fd, 1) && errno == EINTR)
            ;
    }
    return NULL;
}

static result start_thread(struct worker *w, void *context)
{
    struct thread_start *start = calloc(1, sizeof *start);
    if (!start)
        return fail(E_no_memory);
    *start = (struct thread_start){ .worker = w, .context = context };
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread[w->n], NULL, work, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        free(start);
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)rc);
    }
    w->n++;
    return OK;
}

result worker_start(void *const *thread, unsigned n, struct worker **ret)
{
    if (!n || n > THREADS_MAX)
        return fail(E_bad_value);
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return fail(E_no_memory);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->todo, NULL);
    queue_init(&w->in);
    queue_init(&w->out);
    w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    result r = w->done_fd < 0 ? fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno) : OK;
    for (unsigned i = 0; i < n && is_ok(r); i++)
        r = start_thread(w, thread[i]);
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
    w->stopping = true;
    pthread_cond_broadcast(&w->todo);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->n; i++)
        pthread_join(w->thread[i], NULL);
    if (w->done_fd >= 0)
        close(w->done_fd);
    pthread_cond_destroy(&w->todo);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void worker_post(struct worker *w, struct job *j)
{
    pthread_mutex_lock(&w->lock);
    queue_put(&w->in, j);
    pthread_cond_signal(&w->todo);
    pthread_mutex_unlock(&w->lock);
}

int worker_fd(const struct worker *w)
{
    return w->done_fd;
}

struct job *worker_take(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct job *j = queue_take(&w->out);
    if (!j) { /* under the lock, so that a job put meanwhile isn't lost to the reset */
        eventfd_t count;
        (void)!eventfd_read(w->done_fd, &count);
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}
