/* Results, files, secrets, clocks, the worker: base's dealings with the process and its machine. */
#include "config.h"

#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void results(struct checks *c)
{
    char text[300];
    result r = fail_foreign(E_io, FOREIGN_ERRNO, ENOENT);
    check_that(c, code_of(r) == E_io && foreign_of(r) == FOREIGN_ERRNO && foreign_code(r) == ENOENT, "a result keeps three codes");
    check_that(
        c, strstr(result_text(r, text, sizeof text), "io: ") == text && strstr(text, "(errno 0x2, No such file"), "errno in words");
    r = fail_foreign(E_tpm_refused, FOREIGN_TSS2, 0x902);
    check_that(c, strstr(result_text(r, text, sizeof text), "(tss2 0x902)") != NULL, "a TPM's code in hex");
    check_that(c, strlen(result_text(r, text, 8)) == 7 && strlen(result_text(r, text, 1)) == 0, "result_text is cut to its room");
    check_that(c, span_is(span_text(code_name(E_CODES)), "unknown"), "a code of another build has a name too");
    check_that(c, span_is(span_text(code_name((enum seb_code)0xffff)), "unknown"), "whatever it is");
    bool all = true;
    for (unsigned i = 0; i < E_CODES; i++)
        all = all && code_named(code_name((enum seb_code)i)) == (enum seb_code)i && *code_words((enum seb_code)i);
    check_that(c, all, "names lead back to codes");
    check_that(c, code_named("no such") == E_CODES && code_named(NULL) == E_CODES, "other names don't");
}

static void quotes(struct checks *c)
{
    char text[32];
    check_that(c, span_is(span_text(log_quote(span_text("a b"), text, sizeof text)), "\"a b\""), "a peer's text is quoted");
    check_that(c, span_is(span_text(log_quote(span_text("a\n\"\x1b"), text, sizeof text)), "\"a\\x0a\\x22\\x1b\""), "and escaped");
    log_quote(span_text("0123456789012345678901234567890123456789"), text, sizeof text);
    check_that(c, strlen(text) < sizeof text && strstr(text, "...\""), "and cut");
    check_that(c, *log_quote(span_text("abc"), text, 3) == 0, "into next to no room goes nothing");
}

static void files(struct checks *c, const char *folder)
{
    char path[128], none[128];
    struct stat st;
    AUTO_BUF b = BUF(64);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(none, sizeof none, "%s/no/file", folder);
    check_code(c, file_read(path, 64, &b), E_io, "a file that isn't there is io");
    check_that(c, foreign_code(file_read(path, 64, &b)) == ENOENT, "with errno beside it");
    check_code(c, file_write(path, span_text("content"), 0640, false), E_ok, "a file is written");
    check_that(c, stat(path, &st) == 0 && (st.st_mode & 07777) == 0640, "with its mode");
    check_code(c, file_write(path, span_text("other"), 0600, false), E_exists, "it is never overwritten");
    check_code(c, file_read(path, 7, &b), E_ok, "it is read");
    check_that(c, span_is(buf_span(&b), "content"), "as it was first written");
    check_code(c, file_read(path, 6, &b), E_too_long, "beyond max it is refused");
    check_that(c, b.n == 7, "and the buffer left as it was");
    check_code(c, file_write(path, span_text("new"), 0600, true), E_ok, "it is replaced where asked");
    buf_clear(&b);
    check_that(c, is_ok(file_read(path, 64, &b)) && span_is(buf_span(&b), "new"), "at once");
    check_code(c, file_write(none, span_text("x"), 0600, true), E_io, "a folder that isn't there is io");
    unlink(path);
    check_that(c, rmdir(folder) == 0, "nothing is left beside the file");
}

static enum seb_code measured(const char *path, struct digest *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    result r = digest_program(fd, ret);
    if (fd >= 0)
        close(fd);
    return code_of(r);
}

static void programs(struct checks *c)
{
    char path[] = "/tmp/seb-test-program.XXXXXX";
    const struct digest want = sha256(span_text("content"));
    struct digest d = { { 0 } };
    int fd = mkstemp(path);
    check_that(c, fd >= 0 && measured(path, &d) == E_io, "an empty file is no program");
    check_that(c, write(fd, "content", 7) == 7 && measured(path, &d) == E_ok && digest_equal(&d, &want), "a program is measured");
    check_that(c, measured("/tmp", &d) == E_io && measured("/dev/null", &d) == E_io, "a folder and a device are none");
    check_that(c, measured("/tmp/seb-test-program", &d) == E_io, "nor is what can't be opened");
    close(fd);
    unlink(path);
}

static void secrets(struct checks *c)
{
    char path[] = "/tmp/seb-secret-XXXXXX";
    int fd = mkstemp(path);
    AUTO_SECRET *s = NULL;
    AUTO_SECRET *made = NULL;
    check_that(c, fd >= 0 && write(fd, "1234\n\n", 6) == 6, "a PIN file");
    check_code(c, secret_from_file(path, &s), E_ok, "is read");
    check_that(c, s && secret_equal(s, span_text("1234\n")), "without one newline");
    check_that(c, s && !secret_equal(s, span_text("1234")) && !secret_equal(s, span_text("1235\n")), "and no other is equal");
    check_that(c, ftruncate(fd, SECRET_FILE_MAX) == 0, "a file that is too long");
    secret_free_pointer(&s);
    check_code(c, secret_from_file(path, &s), E_too_long, "is refused");
    check_that(c, s == NULL, "and gives nothing");
    close(fd);
    unlink(path);
    check_code(c, secret_from_file(path, &s), E_io, "a file that isn't there is io");
    check_code(c, secret_new(SECRET_MAX + 1, &made), E_too_long, "a secret has a bound");
    check_code(c, secret_new(32, &made), E_ok, "room for a secret");
    uint8_t zero[32] = { 0 };
    check_that(c, made && secret_equal(made, SPAN(zero)), "is zeroed");
    check_that(c, is_ok(random_bytes(secret_bytes(made), 32)) && !secret_equal(made, SPAN(zero)), "and filled at random");
    secret_shrink(made, 16);
    check_that(c, secret_size(made) == 16 && secret_bytes(made)[16] == 0, "shrinking wipes the rest");
    secret_shrink(made, 20);
    check_that(c, secret_size(made) == 16, "and never grows");
    secret_free(NULL);
}

static void hardening(struct checks *c)
{
    struct rlimit core;
    check_code(c, process_harden(), E_ok, "the process is hardened");
    check_that(c, prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "not dumpable, no new privileges");
    check_that(c, getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0, "no cores");
}

struct addition {
    struct job job;
    unsigned number;
};

static void add(struct job *j, void *thread)
{
    *(unsigned *)thread += ((struct addition *)j)->number;
}

static bool is_readable(const struct worker *w, int timeout_ms)
{
    struct pollfd p = { .fd = worker_fd(w), .events = POLLIN };
    return poll(&p, 1, timeout_ms) == 1;
}

static void workers(struct checks *c, unsigned threads)
{
    enum { JOBS = 1000 };
    static struct addition jobs[JOBS];
    unsigned sums[4] = { 0 }, taken = 0, sum = 0;
    void *const contexts[4] = { &sums[0], &sums[1], &sums[2], &sums[3] };
    struct worker *w = NULL;
    bool in_order = true;
    check_code(c, worker_start(contexts, threads, &w), E_ok, "a worker starts");
    check_that(c, w && !is_readable(w, 0) && worker_take(w) == NULL, "with nothing done");
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (struct addition){ .job.run = add, .number = i };
        worker_post(w, &jobs[i].job);
    }
    while (taken < JOBS && is_readable(w, 5000))
        for (struct job *j; (j = worker_take(w)); taken++)
            in_order = in_order && ((struct addition *)j)->number == taken;
    check_that(c, taken == JOBS, "all jobs come out");
    check_that(c, threads > 1 || in_order, "of one thread in order");
    check_that(c, !is_readable(w, 0), "then its descriptor is quiet");
    worker_stop(w);
    for (unsigned i = 0; i < 4; i++)
        sum += sums[i];
    check_that(c, sum == JOBS * (JOBS - 1) / 2, "each job ran once");
}

int main(void)
{
    struct checks c = { 0 };
    struct worker *w = NULL;
    char folder[] = "/tmp/seb-base-XXXXXX";
    results(&c);
    quotes(&c);
    programs(&c);
    check_that(&c, mkdtemp(folder) != NULL, "a folder for files");
    files(&c, folder);
    secrets(&c);
    workers(&c, 1);
    workers(&c, 4);
    check_code(&c, worker_start(NULL, 17, &w), E_bad_value, "threads are bounded");
    worker_stop(NULL);
    int64_t before = clock_mono_us();
    check_that(&c, clock_mono_us() >= before && clock_mono_ms() >= before / 1000, "the monotonic clock doesn't go back");
    check_that(&c, clock_utc_ms() > INT64_C(1700000000000), "milliseconds since the epoch");
    hardening(&c);
    return checks_end(&c);
}
