#include "config.h"

#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static result fail_errno(void)
{
    return fail_foreign(errno == EEXIST ? E_exists : E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* "out/" is the folder "out". */
static struct span without_slashes(const char *path)
{
    struct span s = span_text(path);
    while (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

static result begin(struct folder *f, const char *path)
{
    struct stat st;
    TRY(buf_put(&f->path, without_slashes(path)));
    TRY(buf_put(&f->beside, buf_span(&f->path)));
    TRY(buf_u8(&f->path, 0));
    if (lstat((char *)f->path.p, &st) == 0)
        return fail(E_exists);
    if (errno != ENOENT)
        return fail_errno();
    TRY(buf_text(&f->beside, ".XXXXXX"));
    TRY(buf_u8(&f->beside, 0));
    if (!mkdtemp((char *)f->beside.p))
        return fail_errno();
    f->made = true;
    f->fd = open((char *)f->beside.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->fd >= 0 ? OK : fail_errno();
}

result folder_begin(const char *path, struct folder *ret)
{
    struct folder f = { .path = BUF(4096), .beside = BUF(4096), .fd = -1 };
    result r = begin(&f, path);
    if (!is_ok(r)) {
        folder_end(&f);
        return r;
    }
    *ret = f;
    return OK;
}

result folder_finish(struct folder *f)
{
    if (syncfs(f->fd) != 0)
        return fail_errno();
    if (renameat2(AT_FDCWD, (char *)f->beside.p, AT_FDCWD, (char *)f->path.p, RENAME_NOREPLACE) != 0)
        return fail_errno();
    f->made = false;
    return syncfs(f->fd) == 0 ? OK : fail_errno();
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)remove(path); /* what can't be removed stays, under a name that nobody takes for an export */
    return 0;
}

void folder_end(struct folder *f)
{
    if (f->made)
        nftw((char *)f->beside.p, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (f->path.p)
        fd_close(&f->fd);
    buf_free(&f->path);
    buf_free(&f->beside);
}

static result make_parents(const struct folder *f, const char *name)
{
    struct span s = span_text(name);
    for (size_t at = span_find(s, 0, '/'); at < s.n; at = span_find(s, at + 1, '/')) {
        AUTO_FREE char *parent = NULL;
        TRY(span_dup_text(span_part(s, 0, at), &parent));
        if (mkdirat(f->fd, parent, 0755) != 0 && errno != EEXIST)
            return fail_errno();
    }
    return OK;
}

result folder_file(const struct folder *f, const char *name, int *ret_fd)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    int fd = openat(f->fd, name, flags, 0644);
    if (fd < 0 && errno == ENOENT) {
        TRY(make_parents(f, name));
        fd = openat(f->fd, name, flags, 0644);
    }
    if (fd < 0)
        return fail_errno();
    *ret_fd = fd;
    return OK;
}

result fd_write(int fd, struct span content)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno != EINTR)
            return fail_errno();
        if (n > 0)
            content = span_part(content, (size_t)n, content.n);
    }
    return OK;
}

result folder_write(const struct folder *f, const char *name, struct span content)
{
    AUTO_FD fd = -1;
    TRY(folder_file(f, name, &fd));
    return fd_write(fd, content);
}
