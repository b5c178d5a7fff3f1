/* What comes over the TPM's descriptor is no more trusted than what comes from anybody: answers in pieces are put together; cut,
 * too long, too many or senseless ones are tpm_unavailable, and the connection is dead from then on. */
#include "config.h"

#include "hsm/tpm.h"
#include "tests/unit/check.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A chip that answers each command with the same bytes, in pieces of one size, and hangs up after as many answers. */
struct chip {
    pthread_t thread;
    int fd;
    struct span answer;
    size_t piece;
    unsigned answers;
};

static void *serve(void *argument)
{
    struct chip *c = argument;
    uint8_t command[4096];
    for (unsigned i = 0; i < c->answers && read(c->fd, command, sizeof command) > 0; i++)
        for (size_t at = 0; at < c->answer.n; at += c->piece) {
            struct span s = span_part(c->answer, at, c->piece);
            if (send(c->fd, s.p, s.n, MSG_NOSIGNAL) < 0)
                break;
        }
    close(c->fd);
    return NULL;
}

static result open_on(struct span answer, size_t piece, unsigned answers)
{
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        abort();
    struct chip c = { .fd = fd[1], .answer = answer, .piece = piece, .answers = answers };
    if (pthread_create(&c.thread, NULL, serve, &c) != 0)
        abort();
    struct tpm *t = NULL;
    result r = tpm_open(fd[0], TPM_SOCKET, &t);
    tpm_close(t);
    pthread_join(c.thread, NULL);
    return r;
}

/* TPM2_GetCapability's answer (TPM 2.0 Part 3): no more data, TPM_CAP_HANDLES, none. */
static const uint8_t no_handles[] = { 0x80, 0x01, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 };

static void sweeps(struct checks *c)
{
    unsigned refused = 0, sane = 0;
    for (size_t n = 0; n < sizeof no_handles; n++)
        refused += code_of(open_on(span_part(SPAN(no_handles), 0, n), 64, n == 0 ? 0 : 1)) == E_tpm_unavailable;
    check_that(c, refused == sizeof no_handles, "each cut answer is tpm_unavailable");
    for (size_t i = 0; i < sizeof no_handles * 8; i++) {
        uint8_t flipped[sizeof no_handles];
        if (!is_ok(span_copy(SPAN(no_handles), flipped, sizeof flipped)))
            abort();
        flipped[i / 8] ^= (uint8_t)(1 << i % 8);
        enum seb_code code = code_of(open_on(SPAN(flipped), 64, 1));
        sane += code == E_tpm_unavailable || code == E_tpm_refused;
    }
    check_that(c, sane == sizeof no_handles * 8, "each flipped bit is a named error");
}

int main(void)
{
    struct checks c = { 0 };
    static const uint8_t too_short[] = { 0x80, 0x01, 0, 0, 0, 9, 0, 0, 0, 0 };
    static const uint8_t too_long[] = { 0x80, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t failure_mode[] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01 };
    static const uint8_t refused[] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0xc4 };
    uint8_t two_answers[2 * sizeof no_handles];
    if (setenv("TSS2_LOG", "all+NONE", 1) != 0 || !is_ok(span_copy(SPAN(no_handles), two_answers, sizeof no_handles)) ||
        !is_ok(span_copy(SPAN(no_handles), two_answers + sizeof no_handles, sizeof no_handles)))
        abort();
    check_code(&c, open_on(SPAN(no_handles), 64, 3), E_ok, "whole answers");
    check_code(&c, open_on(SPAN(no_handles), 1, 3), E_ok, "answers a byte at a time");
    check_code(&c, open_on(SPAN(no_handles), 64, 2), E_tpm_unavailable, "hung up before the third answer");
    check_code(&c, open_on(SPAN(no_handles), 64, 0), E_tpm_unavailable, "hung up at once");
    check_code(&c, open_on(SPAN(two_answers), 64, 1), E_tpm_unavailable, "more than one answer");
    check_code(&c, open_on(SPAN(too_short), 64, 1), E_tpm_unavailable, "a size below the header's");
    check_code(&c, open_on(SPAN(too_long), 64, 1), E_tpm_unavailable, "a size beyond the largest answer");
    check_code(&c, open_on(SPAN(failure_mode), 64, 1), E_tpm_unavailable, "a TPM in failure mode");
    check_code(&c, open_on(SPAN(refused), 64, 1), E_tpm_refused, "a refusal is the TPM's");
    sweeps(&c);
    return checks_end(&c);
}
