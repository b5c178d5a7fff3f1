/* Inside hsm/ only: what a backend gives hsm.c. A backend's key starts with a struct hsm_key. */
#ifndef SEB_HSM_KEY_H
#define SEB_HSM_KEY_H

#include "hsm/hsm.h"

enum hsm_kind { HSM_TPM, HSM_PKCS11 };

struct hsm_key {
    enum hsm_kind kind;
    struct pubkey *public; /* owned; freed by hsm_close */
};

result tpm_key_sign(struct hsm_key *k, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE]);
result tpm_key_evidence(struct hsm_key *k, struct buf *out);
void tpm_key_close(struct hsm_key *k);

result p11_key_sign(struct hsm_key *k, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE]);
result p11_key_evidence(struct hsm_key *k, struct buf *out);
void p11_key_close(struct hsm_key *k);

/* The r and s that hardware gives as integers of up to 32 bytes, as 64 bytes; bad_signature where one is longer. */
MUST_USE result raw_signature(struct span r, struct span s, uint8_t ret_raw[SIGNATURE_SIZE]);
#endif
