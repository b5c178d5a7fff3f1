/* The authority's key: on a PKCS#11 token or in a TPM, by sab's options; there is no other. */
#ifndef SEB_TOOLS_SAB_SIGNER_H
#define SEB_TOOLS_SAB_SIGNER_H

#include "base/jws.h"
#include "hsm/hsm.h"
#include "tools/sab.h"

struct sab_signer; /* opaque */
void sab_signer_close(struct sab_signer *s); /* accepts NULL */
void sab_signer_close_pointer(struct sab_signer **s);
#define AUTO_SIGNER __attribute__((cleanup(sab_signer_close_pointer))) struct sab_signer
/* usage where the options name no key, or two. */
MUST_USE result sab_signer_open(struct sab_args *a, struct sab_signer **ret);
/* Makes the key where there is none; *ret_made says so. */
MUST_USE result sab_signer_provision(struct sab_args *a, bool *ret_made);
struct pubkey *sab_signer_public(const struct sab_signer *s);
const char *sab_signer_backend(const struct sab_signer *s);
/* The JWS of the key over payload, appended as JSON text. */
MUST_USE result sab_sign(struct sab_signer *s, const char *typ, struct span payload, struct buf *ret_text);
/* The same beside the signatures that are there. exists where the key's is among them, bad_jws where there are 8. */
MUST_USE result sab_sign_too(struct sab_signer *s, const char *typ, const struct jws *j, struct buf *ret_text);

#endif
