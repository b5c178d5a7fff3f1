#include <config.h>

#include "config/config.h"
#include "config/member.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* Through a descriptor, so that what was looked at is what is there: nobody but its owner can then put anything else under the
 * name's last part, and the parts before it are the operator's. */
static result make_folder(const char *path, mode_t mode, mode_t refused, const char *where, const char **ret_where)
{
    struct stat st;
    bool made = mkdir(path, mode) == 0;
    *ret_where = where;
    if (!made && errno != EEXIST)
        return fail_errno();
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail_errno();
    /* mkdir(2) applied the umask, which may have taken away what agents need. */
    result r = fstat(fd, &st) != 0 || (made && fchmod(fd, mode) != 0) ? fail_errno() : OK;
    close(fd);
    TRY(r);
    if (st.st_uid != geteuid() || (!made && st.st_mode & refused))
        return no_config(where, ret_where);
    return OK;
}

result place_make(const struct config *c, const char **ret_where)
{
    TRY(make_folder(
        c->run_dir, 0755, S_IWGRP | S_IWOTH, "run_dir: a folder of the broker's user, writable by nobody else", ret_where));
    return make_folder(c->state_dir, 0700, S_IRWXG | S_IRWXO, "state_dir: a folder of the broker's user, of mode 0700", ret_where);
}

result place_lock(const struct config *c, unsigned wait_ms, int *ret_fd)
{
    AUTO_BUF path = BUF(512);
    TRY(buf_printf(&path, "%s/lock", c->run_dir));
    TRY(buf_u8(&path, 0));
    int fd = open((const char *)path.p, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno();
    const int64_t until = clock_mono_ms() + wait_ms;
    /* flock(2) has no time limit of its own. */
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || clock_mono_ms() >= until) {
            result r = errno == EWOULDBLOCK ? fail(E_locked) : fail_errno();
            close(fd);
            return r;
        }
        poll(NULL, 0, 20);
    }
    *ret_fd = fd;
    return OK;
}
