#include "config.h"

#include "store/tidy.h"

#include <stdlib.h>

#include "base/worker.h"

#define PAGES_TIDY 1000 /* SQLite's own threshold */
#define PAGES_MUCH 8000

struct tidy {
    struct sql sql;
    struct worker *worker;
    struct job job;
    bool posted;
};

/* A failure isn't lost: the log keeps what could not be moved, and commits fail when they have no room. */
static void move_pages(struct job *j, void *thread)
{
    struct sql *s = thread;
    (void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static result start(struct tidy *t, const char *path)
{
    TRY(sql_open(&t->sql, path, true));
    return worker_start((void *const[]){ &t->sql }, 1, &t->worker);
}

result tidy_start(const char *path, struct tidy **ret)
{
    struct tidy *t = calloc(1, sizeof(*t));
    if (!t)
        return fail(E_no_memory);
    t->job.run = move_pages;
    result r = start(t, path);
    if (!is_ok(r)) {
        tidy_stop(t);
        return r;
    }
    *ret = t;
    return OK;
}

void tidy_stop(struct tidy *t)
{
    if (!t)
        return;
    worker_stop(t->worker);
    sql_close(&t->sql);
    free(t);
}

void tidy_after(struct tidy *t, struct sql *writer, int pages)
{
    /* SQLite begins the log anew when all of it was moved. Beside a writer that never rests the thread stays a group behind for
     * ever: the writer moves that rest itself. */
    if (pages >= PAGES_MUCH)
        (void)sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (pages < PAGES_TIDY || (t->posted && !worker_take(t->worker)))
        return;
    t->posted = true;
    worker_post(t->worker, &t->job);
}
