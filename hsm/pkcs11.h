/* PKCS#11 through p11-kit: one module by path, one token by label. Handles are found once and cached; a session that the token
 * lost is opened again, once a call, with a new login and the key proved to be the same. A PIN that was refused is never offered
 * again: after that p11_close and p11_open. The PIN's file must be for its owner alone. */
#ifndef SEB_HSM_PKCS11_H
#define SEB_HSM_PKCS11_H

#include "hsm/hsm.h"

struct p11_token; /* opaque */
struct p11_args {
    const char *module; /* absolute path */
    const char *token; /* label */
    const char *pin_file; /* path, or "credential:NAME" for $CREDENTIALS_DIRECTORY/NAME; used where pin is NULL */
    struct secret *pin; /* borrowed: p11_open keeps a copy on locked pages of its own */
};
/* The PIN from where pin_file says: pin_unreadable. For sealing it. */
MUST_USE result p11_pin_read(const char *from, struct secret **ret);
MUST_USE result p11_open(const struct p11_args *args, struct p11_token **ret);
void p11_close(struct p11_token *t); /* accepts NULL */
/* For a token or service that went away: some modules see it again only after C_Finalize and C_Initialize. All keys are closed, and
 * no other thread is in the module. Another token under the label is hsm_unavailable, and a refused PIN stays refused. */
MUST_USE result p11_restart(struct p11_token *t);
struct p11_identity {
    char manufacturer[33], model[17], serial[17];
};
void p11_identity_of(const struct p11_token *t, struct p11_identity *ret);
/* Opens a private key by label and proves its attributes: SENSITIVE, not EXTRACTABLE, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE, LOCAL,
 * and that reading CKA_VALUE fails. key_missing, key_not_in_hardware; key_mismatch where the label is of several keys, or the
 * public key beside it isn't this one's. Each opened key has a session of its own, so that one key opened n times serves n
 * threads; the token is closed after its keys. */
MUST_USE result p11_key(struct p11_token *t, const char *label, struct hsm_key **ret);
/* Makes a P-256 pair of that label on the token where there is none. */
MUST_USE result p11_provision(struct p11_token *t, const char *label, bool *ret_made);
#endif
