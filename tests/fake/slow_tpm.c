/* slow_tpm LISTEN TPM MS [LOG [COMMANDS]]: a TPM at the socket LISTEN that takes MS milliseconds longer over each command than the
 * one at TPM. One user at a time, as with swtpm. It ends with its parent. Each command's code (TPM 2.0 Part 2, TPM_CC) is a line of
 * LOG. After so many COMMANDS of a user it hangs up, each time. With SLOW_TPM_EXTENDS=N in the environment PCR 10 is extended
 * before each Nth command on an average, by no rhythm, as IMA's extends come. */
#include "config.h"

#include "base/bytes.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
#define HEADER_SIZE 10 /* TPM 2.0 Part 1, section 18: tag, size, code */

static int socket_at(const char *path, bool listens)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || !is_ok(span_copy_text(span_text(path), a.sun_path, sizeof a.sun_path)))
        return -1;
    const struct sockaddr *to = (const struct sockaddr *)&a;
    bool done = listens ? bind(fd, to, sizeof a) == 0 && listen(fd, 4) == 0 : connect(fd, to, sizeof a) == 0;
    if (!done) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool read_all(int fd, uint8_t *to, size_t n)
{
    while (n) {
        ssize_t got = read(fd, to, n);
        if (got <= 0)
            return false;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

/* One whole command or response. */
static bool pass(int from, int to, FILE *log)
{
    uint8_t bytes[MESSAGE_MAX];
    struct reader r = reader_of(SPAN(bytes));
    uint16_t tag;
    uint32_t size, code;
    if (!read_all(from, bytes, HEADER_SIZE) || !is_ok(read_u16(&r, &tag)) || !is_ok(read_u32(&r, &size)) || size < HEADER_SIZE ||
        size > sizeof bytes || !read_all(from, bytes + HEADER_SIZE, size - HEADER_SIZE))
        return false;
    if (log && is_ok(read_u32(&r, &code))) {
        fprintf(log, "%08x\n", (unsigned)code);
        fflush(log);
    }
    return send(to, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* TPM2_PCR_Extend (Part 3) of PCR 10 by the empty password: what IMA does behind everybody's back. */
static bool extend(int tpm)
{
    static const uint8_t command[] = { 0x80, 0x02, 0, 0, 0, 65, 0, 0, 0x01, 0x82, 0, 0, 0, 10, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1,
        0, 0, 0, 0, 0, 1, 0, 0x0b, [64] = 1 };
    uint8_t answer[MESSAGE_MAX];
    uint16_t tag;
    uint32_t size, code;
    struct reader r = reader_of(SPAN(answer));
    return send(tpm, command, sizeof command, MSG_NOSIGNAL) == (ssize_t)sizeof command && read_all(tpm, answer, HEADER_SIZE) &&
           is_ok(read_u16(&r, &tag)) && is_ok(read_u32(&r, &size)) && is_ok(read_u32(&r, &code)) && size >= HEADER_SIZE &&
           size <= sizeof answer && read_all(tpm, answer + HEADER_SIZE, size - HEADER_SIZE) && code == 0;
}

/* The same sequence each time. */
static bool is_hit(unsigned in)
{
    static uint32_t x = 1;
    x = x * 1664525 + 1013904223;
    return in && (x >> 16) % in == 0;
}

int main(int argc, char **argv)
{
    const char *extends = getenv("SLOW_TPM_EXTENDS");
    const unsigned in = extends ? (unsigned)atoi(extends) : 0;
    if (argc < 4 || argc > 6)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int listener = socket_at(argv[1], true), ms = atoi(argv[3]);
    FILE *log = argc > 4 ? fopen(argv[4], "a") : NULL;
    if (listener < 0 || (argc > 4 && !log))
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        int user = accept(listener, NULL, NULL), tpm = socket_at(argv[2], false);
        int left = argc == 6 ? atoi(argv[5]) : -1;
        while (left && user >= 0 && tpm >= 0 && (!is_hit(in) || extend(tpm)) && pass(user, tpm, log)) {
            poll(NULL, 0, ms);
            if (!pass(tpm, user, NULL))
                break;
            left -= left > 0;
        }
        if (user >= 0)
            close(user);
        if (tpm >= 0)
            close(tpm);
    }
}
