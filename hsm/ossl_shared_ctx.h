/* tpm2-tss 3.2.1 makes and frees an OSSL_LIB_CTX, with all of its providers, for every hash and HMAC: 1.5 ms of our CPU for one
 * command under an HMAC session. Its crypto can't be replaced before 4.0. So libhsm.a defines OSSL_LIB_CTX_new and
 * OSSL_LIB_CTX_free, and an executable that links it answers with one private context, never the default one. libcrypto itself
 * binds its own symbols
 * (-Bsymbolic), so only other libraries' calls come here. */
#ifndef SEB_HSM_OSSL_SHARED_CTX_H
#define SEB_HSM_OSSL_SHARED_CTX_H

#include "base/result.h"

/* Makes the context, or finds it made: crypto. tpm_open calls it, which also brings the definitions into the executable. */
MUST_USE result ossl_shared_ctx_ready(void);
#endif
