/* TSS2 PRIVATE KEY (draft-bottomley-tpm2-keys): a TPM's public and wrapped private blob in ASN.1 and PEM, as other tools read it.
 * The private part is encrypted by its parent in the TPM that made it, and is of no use elsewhere. */
#ifndef SEB_HSM_TSS2_PEM_H
#define SEB_HSM_TSS2_PEM_H

#include <tss2/tss2_tpm2_types.h>

#include "base/bytes.h"

#define TSS2_PEM_MAX 8192

struct tss2_key {
    uint32_t parent; /* a hierarchy: its parent is the primary that the draft's template gives in it */
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private;
};
MUST_USE result tss2_pem_write(const struct tss2_key *k, struct buf *out);
/* bad_key unless it is one loadable key of empty auth and without a policy, and nothing else. */
MUST_USE result tss2_pem_read(struct span pem, struct tss2_key *ret);
#endif
