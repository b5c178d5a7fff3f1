#include <config.h>

#include "runner/wiping.h"

#ifndef __SANITIZE_ADDRESS__

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/secret.h"

/* Both are found before libc's by every library, because an executable comes first, and the linker exports what a library that it
 * links refers to. malloc and its like stay glibc's, whose own free has this name too. */
void __libc_free(void *p);

void free(void *p)
{
    if (p)
        wipe(p, malloc_usable_size(p));
    __libc_free(p);
}

/* Where it moves, what was there is wiped; what shrinks stays where it is. */
void *realloc(void *p, size_t n)
{
    size_t had = p ? malloc_usable_size(p) : 0;
    if (!p)
        return malloc(n);
    if (n == 0) {
        free(p);
        return NULL;
    }
    if (n <= had)
        return p;
    void *to = malloc(n);
    if (!to || !is_ok(span_copy((struct span){ p, had }, to, had)))
        return NULL;
    free(p);
    return to;
}

result wiping_check(void)
{
    bool in_place = (uintptr_t)dlsym(RTLD_DEFAULT, "free") == (uintptr_t)free &&
                    (uintptr_t)dlsym(RTLD_DEFAULT, "realloc") == (uintptr_t)realloc;
    return in_place ? OK : fail(E_invariant);
}

#else

result wiping_check(void)
{
    return OK;
}

#endif
