#include "config.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/crypto.h>

struct secret {
    uint8_t *p;
    size_t n;
    size_t mapped; /* bytes mapped and locked, of which n are in use */
};

static result fail_errno(enum seb_code code)
{
    return fail_foreign(code, FOREIGN_ERRNO, (uint32_t)errno);
}

void wipe(void *p, size_t n)
{
    if (n)
        OPENSSL_cleanse(p, n); /* a memset would be optimised away before a free */
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    if (s->p) {
        wipe(s->p, s->mapped);
        munmap(s->p, s->mapped); /* unlocks */
    }
    free(s);
}

void secret_free_pointer(struct secret **s)
{
    secret_free(*s);
    *s = NULL;
}

result secret_new(size_t n, struct secret **ret)
{
    if (n > SECRET_MAX)
        return fail(E_too_long);
    AUTO_SECRET *s = calloc(1, sizeof *s);
    if (!s)
        return fail(E_no_memory);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped = (n / page + 1) * page;
    void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return fail_errno(E_no_memory);
    s->p = p;
    s->n = n;
    s->mapped = mapped;
    if (mlock(p, mapped) != 0 || madvise(p, mapped, MADV_DONTDUMP) != 0)
        return fail_errno(E_no_memory);
    *ret = s;
    s = NULL;
    return OK;
}

uint8_t *secret_bytes(struct secret *s)
{
    return s->p;
}

size_t secret_size(const struct secret *s)
{
    return s->n;
}

void secret_shrink(struct secret *s, size_t n)
{
    if (n >= s->n)
        return;
    wipe(s->p + n, s->n - n);
    s->n = n;
}

bool secret_equal(const struct secret *a, struct span b)
{
    return a->n == b.n && (b.n == 0 || CRYPTO_memcmp(a->p, b.p, b.n) == 0);
}

/* Straight into the locked pages: a buffer on the way would keep a copy. */
static result read_into(int fd, struct secret *s)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, s->p + n, s->n - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(E_io);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    if (n == s->n) /* full: there may be more */
        return fail(E_too_long);
    if (n && s->p[n - 1] == '\n')
        n--;
    secret_shrink(s, n);
    return OK;
}

result secret_from_file(const char *path, struct secret **ret)
{
    AUTO_SECRET *s = NULL;
    TRY(secret_new(SECRET_FILE_MAX, &s));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(E_io);
    result r = read_into(fd, s);
    close(fd);
    TRY(r);
    *ret = s;
    s = NULL;
    return OK;
}

result process_harden(void)
{
    const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return fail_errno(E_io);
    /* Besides cores it closes /proc/self/mem and ptrace to the same uid. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail_errno(E_io);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_errno(E_io);
    return OK;
}
