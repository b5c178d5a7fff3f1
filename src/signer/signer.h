/* A tool's private key: on a PKCS#11 token or in a TPM; there is no other. Of sab, for an authority's, and seb-submit, for an
 * agent's. */
#ifndef SEB_SIGNER_SIGNER_H
#define SEB_SIGNER_SIGNER_H

#include "base/jws.h"

/* Where the key is, as the command line says it: module to key, or tpm to folder. NULL where it says nothing. */
struct signer_place {
    const char *module, *token, *pin_file, *key; /* all four */
    const char *tpm, *handle;
    const char *attestation; /* 0x81000a01 where missing */
    const char *folder; /* where blobs of keys that are made go */
    const char *blob; /* what the blob's name begins with; not the command line's */
};
/* NULL, or what is wrong with it: it must name one key, and a folder where one is to be made in a TPM. */
const char *signer_place_wrong(const struct signer_place *p, bool make);

struct signer; /* opaque */
void signer_close(struct signer *s); /* accepts NULL */
void signer_close_pointer(struct signer **s);
#define AUTO_SIGNER __attribute__((cleanup(signer_close_pointer))) struct signer
/* usage where the place is wrong; the codes of hsm/. */
MUST_USE result signer_open(const struct signer_place *p, struct signer **ret);
/* A second key in the TPM that `host` has open and keeps open for longer: a TPM behind one connection serves one user. */
MUST_USE result signer_open_beside(const struct signer_place *p, const struct signer *host, struct signer **ret);
/* Makes the key where there is none; *ret_made says so. */
MUST_USE result signer_provision(const struct signer_place *p, bool *ret_made);
struct pubkey *signer_public(const struct signer *s); /* lives as long as the signer */
/* The JWS of the key over payload, appended as JSON text. */
MUST_USE result signer_sign(struct signer *s, const char *typ, struct span payload, struct buf *ret_text);
/* The same beside the signatures that are there. exists where the key's is among them, bad_jws where there are 8. */
MUST_USE result signer_sign_too(struct signer *s, const char *typ, const struct jws *j, struct buf *ret_text);
/* Raw, over what was hashed elsewhere: for a verifier that isn't a JOSE library, as a TPM is. */
MUST_USE result signer_sign_digest(struct signer *s, const struct digest *d, uint8_t ret_raw[SIGNATURE_SIZE]);

/* What `key new` and `key show` print, without a last newline. made: NULL where nothing was to be made. */
enum signer_form { SIGNER_TEXT, SIGNER_JSON, SIGNER_JWK, SIGNER_PEM };
MUST_USE result signer_describe(const struct signer *s, enum signer_form form, const bool *made, struct buf *out);

#endif
