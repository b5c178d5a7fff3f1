#include "config.h"

#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_MAX (1024L * 1024 * 1024)

static void close_pointer(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_pointer))) int

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

static result read_all(int fd, size_t max, struct buf *out)
{
    uint8_t chunk[4096];
    size_t total = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno();
        if (got == 0)
            return OK;
        if ((size_t)got > max - total)
            return fail(E_too_long);
        total += (size_t)got;
        TRY(buf_put(out, (struct span){ chunk, (size_t)got }));
    }
}

result file_read(const char *path, size_t max, struct buf *out)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno();
    size_t before = out->n;
    result r = read_all(fd, max, out);
    if (!is_ok(r))
        out->n = before;
    return r;
}

result digest_program(int fd, struct digest *ret)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno();
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > PROGRAM_MAX)
        return fail_foreign(E_io, FOREIGN_ERRNO, ENOEXEC);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return fail_errno();
    *ret = sha256((struct span){ p, (size_t)st.st_size });
    munmap(p, (size_t)st.st_size);
    return OK;
}

static result write_all(int fd, struct span s)
{
    size_t at = 0;
    while (at < s.n) {
        ssize_t put = write(fd, s.p + at, s.n - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_errno();
        at += (size_t)put;
    }
    return OK;
}

static result sync_folder_of(const char *path)
{
    AUTO_FREE char *copy = NULL;
    TRY(span_dup_text(span_text(path), &copy));
    AUTO_FD fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? OK : fail_errno();
}

/* The whole content under its final mode before any name that counts leads to it. */
static result write_beside(int fd, struct span content, unsigned mode)
{
    TRY(write_all(fd, content));
    return fchmod(fd, (mode_t)mode) == 0 && fsync(fd) == 0 ? OK : fail_errno();
}

static result give_name(const char *beside, const char *path, bool replace)
{
    if (replace)
        return rename(beside, path) == 0 ? OK : fail_errno();
    /* link(2) refuses a name that is taken, whoever else makes it at this moment; rename(2) would replace it. */
    if (link(beside, path) != 0)
        return errno == EEXIST ? fail_foreign(E_exists, FOREIGN_ERRNO, EEXIST) : fail_errno();
    return unlink(beside) == 0 ? OK : fail_errno();
}

result file_write(const char *path, struct span content, unsigned mode, bool replace)
{
    AUTO_BUF name = BUF(4096);
    TRY(buf_printf(&name, "%s.XXXXXX", path));
    TRY(buf_u8(&name, 0));
    AUTO_FD fd = mkostemp((char *)name.p, O_CLOEXEC);
    if (fd < 0)
        return fail_errno();
    result r = write_beside(fd, content, mode);
    if (is_ok(r))
        r = give_name((char *)name.p, path, replace);
    if (!is_ok(r)) {
        unlink((char *)name.p);
        return r;
    }
    return sync_folder_of(path);
}
