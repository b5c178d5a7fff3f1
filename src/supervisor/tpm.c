#include "config.h"

#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define DELAY_FIRST_MS 100
#define DELAY_MOST_MS 5000
#define CALM_MS 10000 /* a descriptor that lasted so long wasn't bad */

/* hsm's tpm_connect would do the same, with the whole TPM library in a process that must never speak to the TPM. */
static result unavailable(int fd)
{
    result r = fail_foreign(E_tpm_unavailable, FOREIGN_ERRNO, (uint32_t)errno);
    if (fd >= 0)
        close(fd);
    return r;
}

/* Connected without blocking: a swtpm that somebody else holds takes a few connections into its queue, and then no more. */
static result connect_socket(const char *path, int *ret_fd)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct span name = span_text(path);
    if (name.n >= sizeof to.sun_path || !is_ok(span_copy(name, to.sun_path, name.n)))
        return fail_foreign(E_tpm_unavailable, FOREIGN_ERRNO, ENAMETOOLONG);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0 || fcntl(fd, F_SETFL, 0) != 0)
        return unavailable(fd);
    *ret_fd = fd;
    return OK;
}

result tpm_line_open(const char *path, int *ret_fd)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return unavailable(-1);
    if (S_ISSOCK(st.st_mode))
        return connect_socket(path, ret_fd);
    if (!S_ISCHR(st.st_mode))
        return fail_foreign(E_tpm_unavailable, FOREIGN_ERRNO, ENOTTY);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return unavailable(-1);
    *ret_fd = fd;
    return OK;
}

void tpm_line_want(struct tpm_line *t, int64_t now_ms)
{
    if (t->wanted)
        return;
    t->wanted = true;
    bool calm = !t->delay_ms || now_ms - t->given_ms >= CALM_MS;
    if (calm)
        t->delay_ms = DELAY_FIRST_MS;
    t->at_ms = calm ? now_ms : now_ms + t->delay_ms;
}

static result give(const char *path, struct link *keeper)
{
    int fd;
    TRY(tpm_line_open(path, &fd));
    result r = link_send_fd(keeper, MESSAGE_TPM, 0, (struct span){ 0 }, fd);
    close(fd);
    return r;
}

result tpm_line_turn(struct tpm_line *t, const char *path, struct link *keeper, int64_t now_ms)
{
    if (!t->wanted || now_ms < t->at_ms)
        return OK;
    result r = give(path, keeper);
    bool later = code_of(r) == E_tpm_unavailable || code_of(r) == E_busy;
    if (!is_ok(r) && !later)
        return r;
    if (later && t->delay_ms == DELAY_FIRST_MS)
        log_result(LOG_WARNING, "TPM, tried again until it is there", r);
    if (!later)
        log_line(LOG_NOTE, "TPM: opened again for the keeper");
    t->wanted = later;
    t->given_ms = now_ms;
    t->at_ms = now_ms + t->delay_ms;
    t->delay_ms = t->delay_ms * 2 < DELAY_MOST_MS ? t->delay_ms * 2 : DELAY_MOST_MS;
    return OK;
}
