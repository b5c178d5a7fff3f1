#include "config.h"

#include "audit/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_ROOM 1024
#define DEPTH_MAX 8 /* tile/<level>/x…/x…/x….p/<w> */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

static result fail_errno(void)
{
    /* O_NOFOLLOW answers ELOOP for a link. */
    enum seb_code code = errno == ENOENT || errno == ENOTDIR ? E_not_found : errno == ELOOP ? E_bad_value : E_io;
    return fail_foreign(code, FOREIGN_ERRNO, (uint32_t)errno);
}

bool is_exports_fault(result r)
{
    enum seb_code code = code_of(r);
    return !is_ok(r) && code != E_io && code != E_no_memory && code != E_crypto;
}

result export_open(const char *path, struct export_dir *ret)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    ret->fd = fd;
    return OK;
}

void export_close(struct export_dir *x)
{
    close_fd(&x->fd);
    x->fd = -1;
}

/* O_NONBLOCK: a FIFO must not hold us up before fstat(2) says what it is. */
static result open_regular(const struct export_dir *x, const char *name, int *ret_fd)
{
    struct stat st;
    AUTO_FD fd = openat(x->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail_errno();
    if (!S_ISREG(st.st_mode))
        return fail(E_bad_value);
    *ret_fd = fd;
    fd = -1;
    return OK;
}

static result read_some(int fd, void *to, size_t room, size_t *ret_n)
{
    for (;;) {
        ssize_t n = read(fd, to, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno();
        *ret_n = (size_t)n;
        return OK;
    }
}

result export_read(const struct export_dir *x, const char *name, size_t max, struct buf *out)
{
    uint8_t chunk[16384];
    size_t total = 0, n;
    AUTO_FD fd = -1;
    TRY(open_regular(x, name, &fd));
    for (;;) {
        TRY(read_some(fd, chunk, sizeof chunk, &n));
        if (n == 0)
            return OK;
        if (n > max - total)
            return fail(E_too_long);
        total += n;
        TRY(buf_put(out, (struct span){ chunk, n }));
    }
}

result export_blob(const struct export_dir *x, const struct digest *d, const char *end, struct buf *out)
{
    char text[DIGEST_TEXT + 1], name[DIGEST_TEXT + 16];
    snprintf(name, sizeof name, "blobs/%s.%s", digest_text(d, text), end);
    return export_read(x, name, BLOB_MAX, out);
}

result export_raw(const struct export_dir *x, const struct digest *d, struct buf *out)
{
    const size_t from = out->n;
    TRY(export_blob(x, d, "raw", out));
    struct digest came = sha256(span_part(buf_span(out), from, out->n - from));
    return digest_equal(&came, d) ? OK : fail(E_bad_value);
}

struct lines {
    FILE *file;
    struct buf line;
};

result lines_open(const struct export_dir *x, const char *name, struct lines **ret)
{
    AUTO_FD fd = -1;
    TRY(open_regular(x, name, &fd));
    struct lines *l = calloc(1, sizeof *l);
    if (!l)
        return fail(E_no_memory);
    l->line = BUF(LINE_MAX_);
    l->file = fdopen(fd, "r");
    if (!l->file) {
        free(l);
        return fail(E_no_memory);
    }
    fd = -1;
    *ret = l;
    return OK;
}

void lines_close(struct lines *l)
{
    if (!l)
        return;
    fclose(l->file);
    buf_free(&l->line);
    free(l);
}

result lines_next(struct lines *l, struct span *ret, bool *ret_there)
{
    bool too_long = false;
    int c;
    buf_clear(&l->line);
    while ((c = getc_unlocked(l->file)) != EOF && c != '\n') {
        too_long |= l->line.n == LINE_MAX_;
        if (!too_long)
            TRY(buf_u8(&l->line, (uint8_t)c));
    }
    if (ferror(l->file))
        return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
    *ret_there = c == '\n' || l->line.n > 0;
    *ret = buf_span(&l->line);
    if (too_long)
        return fail(E_too_long);
    return c == EOF && l->line.n > 0 ? fail(E_truncated) : OK;
}

struct walk {
    result (*each)(void *ctx, const char *name);
    void *ctx;
    char name[NAME_ROOM];
};

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static result walk_folder(struct walk *w, int parent, const char *name, size_t length, unsigned depth);

static result walk_one(struct walk *w, int folder, const char *name, size_t length, unsigned depth)
{
    struct stat st;
    int n = snprintf(w->name + length, sizeof w->name - length, "%s%s", length ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof w->name - length)
        return fail(E_too_long);
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno();
    if (!S_ISDIR(st.st_mode))
        return w->each(w->ctx, w->name);
    return walk_folder(w, folder, name, length + (size_t)n, depth + 1);
}

static result walk_folder(struct walk *w, int parent, const char *name, size_t length, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return fail(E_too_deep);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail_errno();
    __attribute__((cleanup(close_dir))) DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return fail(E_no_memory);
    }
    errno = 0;
    for (struct dirent *e; (e = readdir(d)); errno = 0)
        if (!is_dots(e->d_name))
            TRY(walk_one(w, dirfd(d), e->d_name, length, depth));
    return errno ? fail_errno() : OK;
}

result export_walk(const struct export_dir *x, result (*each)(void *ctx, const char *name), void *ctx)
{
    struct walk w = { .each = each, .ctx = ctx };
    return walk_folder(&w, x->fd, ".", 0, 0);
}
