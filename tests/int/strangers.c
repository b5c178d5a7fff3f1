#include "config.h"

#include "tests/int/strangers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

int stranger(const char *from, unsigned port)
{
    struct sockaddr_in own = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, from, &own.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void *strangers_half_open(void *strangers)
{
    static const uint8_t begun[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 }; /* the head of a ClientHello of 512 bytes */
    enum { N = 300 };
    struct strangers *f = strangers;
    int fd[N];
    for (unsigned i = 0; i < N; i++)
        fd[i] = -1;
    for (unsigned i = 0; !atomic_load(&f->stop); i = (i + 1) % N) {
        if (fd[i] >= 0)
            close(fd[i]);
        fd[i] = stranger(f->from, f->port);
        if (fd[i] >= 0 && i % 3)
            (void)!send(fd[i], i % 3 == 1 ? begun : (const uint8_t *)f->from, i % 3 == 1 ? sizeof begun : 5, MSG_NOSIGNAL);
        atomic_fetch_add(&f->made, fd[i] >= 0);
        poll(NULL, 0, i % 4 == 0);
    }
    for (unsigned i = 0; i < N; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    return NULL;
}
