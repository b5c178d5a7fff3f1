/* An audit log's lines, one at a time, whatever the file's size. */
#include "config.h"

#include "audit/cover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK 262144

struct log_lines {
    int fd;
    uint8_t block[BLOCK];
    size_t at, n; /* of the block: what wasn't taken yet */
    bool ended;
    struct buf line;
    uint64_t number;
};

result log_lines_open(const char *path, struct log_lines **ret)
{
    struct log_lines *l = calloc(1, sizeof *l);
    if (!l)
        return fail(E_no_memory);
    l->line = BUF(EVENT_LINE_MAX);
    l->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) {
        result r = fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
        free(l);
        return r;
    }
    *ret = l;
    return OK;
}

void log_lines_close(struct log_lines *l)
{
    if (!l)
        return;
    close(l->fd);
    buf_free(&l->line);
    free(l);
}

static result refill(struct log_lines *l)
{
    ssize_t n;
    do
        n = read(l->fd, l->block, sizeof l->block);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    l->at = 0;
    l->n = (size_t)n;
    l->ended = n == 0;
    return OK;
}

result log_lines_next(struct log_lines *l, struct span *ret, uint64_t *ret_number, bool *ret_there)
{
    bool long_ = false, whole = false, any = false;
    buf_clear(&l->line);
    while (!whole) {
        if (l->at == l->n)
            TRY(refill(l));
        if (l->ended)
            break;
        struct span rest = { l->block + l->at, l->n - l->at };
        size_t end = span_find(rest, 0, '\n');
        struct span part = span_part(rest, 0, end);
        any = true;
        whole = end < rest.n;
        l->at += whole ? end + 1 : end;
        /* The rest of a line that is too long is passed over, and never kept. */
        result r = long_ ? OK : buf_put(&l->line, part);
        long_ = long_ || code_of(r) == E_too_long;
        if (!is_ok(r) && code_of(r) != E_too_long)
            return r;
    }
    *ret_there = any;
    *ret = buf_span(&l->line);
    *ret_number = l->number += any;
    if (long_)
        return fail(E_too_long);
    /* The API server ends each event with a newline: what has none was cut. */
    return any && !whole ? fail(E_truncated) : OK;
}
