#include "config.h"

#include "supervisor/supervisor.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

/* sd_notify(3), "Notes": one datagram to the socket's path; a leading '@' stands for the abstract name space's NUL. */
void notify(const char *state)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct span path = span_text(getenv("NOTIFY_SOCKET")), text = span_text(state);
    if (!path.n)
        return;
    if (path.n >= sizeof to.sun_path || !is_ok(span_copy(path, to.sun_path, path.n))) {
        log_line(LOG_WARNING, "$NOTIFY_SOCKET is too long");
        return;
    }
    if (to.sun_path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n);
    if (fd < 0 || sendto(fd, text.p, text.n, MSG_NOSIGNAL, (const struct sockaddr *)&to, size) < 0)
        log_line(LOG_WARNING, "$NOTIFY_SOCKET can't be told: %s", state);
    if (fd >= 0)
        close(fd);
}
