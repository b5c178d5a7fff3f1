#include <config.h>

#include "fence/runtime.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 5

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

static void close_pointer(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_pointer))) int

static result send_all(int fd, struct span s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno();
        s = span_part(s, (size_t)n, s.n);
    }
    return OK;
}

static result receive_all(int fd, struct buf *out)
{
    uint8_t chunk[4096];
    for (;;) {
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno();
        if (n == 0)
            return OK;
        TRY(buf_put(out, (struct span){ chunk, (size_t)n }));
    }
}

result runtime_ask(const char *socket_path, struct span command, struct buf *out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct timeval limit = { .tv_sec = ANSWER_S };
    struct span path = span_text(socket_path);
    if (path.n >= sizeof address.sun_path)
        return fail(E_too_long);
    TRY(span_copy(path, address.sun_path, path.n));
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) || connect(fd, (struct sockaddr *)&address, sizeof address))
        return fail_errno();
    TRY(send_all(fd, command));
    TRY(send_all(fd, span_text("\n")));
    return receive_all(fd, out);
}
