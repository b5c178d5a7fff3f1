#include "config.h"

#include "verifier/wire.h"

#include <stdatomic.h>
#include <stdlib.h>

#define THREADS 16 /* of one worker */
#define WORKERS 16
#define SILENT_WORKERS 2 /* behind the others */

struct wire {
    const struct bus_tls *tls;
    int timeout_ms;
    atomic_bool ending;
    unsigned workers, next, next_silent; /* those of the silent lane are the last */
    struct worker *worker[WORKERS + SILENT_WORKERS];
};

static result start(struct wire *w, unsigned threads)
{
    void *context[THREADS] = { NULL };
    TRY(worker_start(context, threads, &w->worker[w->workers]));
    w->workers++;
    return OK;
}

static result start_all(struct wire *w, unsigned connections)
{
    for (unsigned left = connections; left > 0;) {
        unsigned n = left < THREADS ? left : THREADS;
        TRY(start(w, n));
        left -= n;
    }
    for (unsigned i = 0; i < SILENT_WORKERS; i++)
        TRY(start(w, THREADS));
    return OK;
}

result wire_new(const struct wire_args *args, struct wire **ret)
{
    if (args->connections < 1 || args->connections > WORKERS * THREADS)
        return fail(E_bad_value);
    struct wire *w = calloc(1, sizeof *w);
    if (!w)
        return fail(E_no_memory);
    w->tls = args->tls;
    w->timeout_ms = args->timeout_ms;
    result r = start_all(w, args->connections);
    if (is_ok(r))
        *ret = w;
    else
        wire_free(w);
    return r;
}

void wire_free(struct wire *w)
{
    if (!w)
        return;
    atomic_store(&w->ending, true);
    for (unsigned i = 0; i < w->workers; i++)
        worker_stop(w->worker[i]);
    free(w);
}

result wire_line_new(struct wire *w, const char *address, struct wire_line **ret)
{
    struct wire_line *l = calloc(1, sizeof *l);
    if (!l)
        return fail(E_no_memory);
    l->wire = w;
    l->request = l->reply = BUF(BUS_FRAME_MAX);
    result r = span_copy_text(span_text(address), l->address, sizeof l->address);
    if (is_ok(r))
        *ret = l;
    else
        wire_line_free(l);
    return r;
}

void wire_line_free(struct wire_line *l)
{
    if (!l)
        return;
    bus_client_free(l->client);
    buf_free(&l->request);
    buf_free(&l->reply);
    free(l);
}

static result exchange(struct wire_line *l)
{
    if (atomic_load(&l->wire->ending))
        return fail(E_unavailable);
    if (!l->client)
        TRY(bus_connect_tls(l->wire->tls, l->address, &l->client));
    return bus_ask(l->client, buf_span(&l->request), l->wire->timeout_ms, &l->reply);
}

/* On a worker's thread. A line whose exchange failed begins anew: what comes late must not pass for the next answer. */
static void run(struct job *j, void *thread)
{
    struct wire_line *l = (struct wire_line *)(void *)j;
    buf_clear(&l->reply);
    l->done = exchange(l);
    l->silent = !is_ok(l->done);
    if (l->silent) {
        bus_client_free(l->client);
        l->client = NULL;
    }
}

static struct worker *lane_of(struct wire_line *l)
{
    struct wire *w = l->wire;
    unsigned usual = w->workers - SILENT_WORKERS;
    return l->silent ? w->worker[usual + w->next_silent++ % SILENT_WORKERS] : w->worker[w->next++ % usual];
}

result wire_post(struct wire_line *l, const json_t *question)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX);
    TRY(json_canonical(question, &json));
    buf_clear(&l->request);
    TRY(bus_frame_put(&l->request, &(struct bus_frame){ .json = buf_span(&json) }));
    l->job = (struct job){ .run = run };
    worker_post(lane_of(l), &l->job);
    return OK;
}

unsigned wire_fds(const struct wire *w, int *ret, unsigned max)
{
    unsigned n = 0;
    for (; n < w->workers && n < max; n++)
        ret[n] = worker_fd(w->worker[n]);
    return n;
}

struct wire_line *wire_take(struct wire *w)
{
    for (unsigned i = 0; i < w->workers; i++) {
        struct job *j = worker_take(w->worker[i]);
        if (j)
            return (struct wire_line *)(void *)j;
    }
    return NULL;
}

result wire_ask(struct wire_line *l, const json_t *question)
{
    AUTO_BUF json = BUF(BUS_FRAME_MAX);
    TRY(json_canonical(question, &json));
    buf_clear(&l->request);
    TRY(bus_frame_put(&l->request, &(struct bus_frame){ .json = buf_span(&json) }));
    run(&l->job, NULL);
    return l->done;
}

/* Another build may say what this one has no name for. */
static enum seb_code code_said(const json_t *reply)
{
    const char *name;
    enum seb_code code = is_ok(json_text(reply, "code", 64, &name)) ? code_named(name) : E_CODES;
    return code < E_CODES && code != E_ok ? code : E_unavailable;
}

result wire_reply(const struct wire_line *l, json_t **ret)
{
    struct bus_frame frame;
    AUTO_JSON *reply = NULL;
    const char *status;
    TRY(l->done);
    TRY(bus_frame_read(buf_span(&l->reply), &frame));
    TRY(json_strict(frame.json, BUS_FRAME_MAX, &reply));
    TRY(json_text(reply, "status", 32, &status));
    if (!span_is(span_text(status), "ok"))
        return fail(code_said(reply));
    *ret = reply;
    reply = NULL;
    return OK;
}
