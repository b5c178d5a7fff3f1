/* The agent's own identity key: a PEM file of the agent's, or a key on a PKCS#11 token. It proves who asks and opens nothing: no
 * target knows it. The broker's and the authority's keys have no such form. */
#ifndef SEB_TOOLS_AGENT_KEY_H
#define SEB_TOOLS_AGENT_KEY_H

#include "base/pubkey.h"

struct agent_key; /* opaque */
struct agent_key_args {
    const char *key; /* path of the PEM file, or label where module is set */
    const char *module; /* NULL: a file */
    const char *token, *pin_file;
};
/* EC P-256 or Ed25519, without a passphrase. A file that group or others may touch is refused with bad_value; bad_key, io; the
 * codes of hsm/pkcs11.h. */
MUST_USE result agent_key_open(const struct agent_key_args *args, struct agent_key **ret);
void agent_key_free(struct agent_key *k); /* accepts NULL */
void agent_key_free_pointer(struct agent_key **k);
#define AUTO_AGENT_KEY __attribute__((cleanup(agent_key_free_pointer))) struct agent_key
struct pubkey *agent_key_public(const struct agent_key *k); /* lives as long as the key */
MUST_USE result agent_key_sign(const struct agent_key *k, struct span message, uint8_t ret_raw[SIGNATURE_SIZE]);
/* Writes a new key to a new file with mode 0600. exists where there is a file. */
MUST_USE result agent_key_make(enum alg alg, const char *path);

#endif
