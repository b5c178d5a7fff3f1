#include "config.h"

#include "hsm/ossl_shared_ctx.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <pthread.h>

/* The one place in seb with state of the process: the functions that it stands in for have no argument to carry it. Never freed,
 * because libraries may hold it until the process ends. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *shared;
static void (*real_free)(OSSL_LIB_CTX *);

static void make(void)
{
    /* POSIX wants dlsym's object pointer to hold a function's address; a union says so without a cast that ISO C forbids. */
    union {
        void *object;
        OSSL_LIB_CTX *(*make)(void);
        void (*free)(OSSL_LIB_CTX *);
    } f;
    f.object = dlsym(RTLD_NEXT, "OSSL_LIB_CTX_free");
    real_free = f.free;
    f.object = dlsym(RTLD_NEXT, "OSSL_LIB_CTX_new");
    if (f.object && real_free)
        shared = f.make();
}

result ossl_shared_ctx_ready(void)
{
    if (pthread_once(&once, make) != 0 || !shared)
        return fail(E_crypto);
    return OK;
}

OSSL_LIB_CTX *OSSL_LIB_CTX_new(void)
{
    return is_ok(ossl_shared_ctx_ready()) ? shared : NULL;
}

void OSSL_LIB_CTX_free(OSSL_LIB_CTX *ctx)
{
    /* Others are made by functions of other names, such as OSSL_LIB_CTX_new_child. */
    if (ctx && ctx != shared && is_ok(ossl_shared_ctx_ready()))
        real_free(ctx);
}
