/* An instance's keys and what they are bound to, as init and rekey make them, while no broker runs. */
#ifndef SEB_SEBCTL_SETUP_H
#define SEB_SEBCTL_SETUP_H

#include "hsm/pkcs11.h"
#include "hsm/tpm_guard.h"
#include "sebctl/sebctl.h"

enum { ATTESTATION, RECORD, MINT, KEYS };

struct setup {
    struct sebctl_args *args;
    const struct config *config;
    bool known; /* instance.json is there */
    struct instance recorded; /* what it holds */
    struct tpm *tpm;
    struct tpm_guard *guard; /* of this TPM and instance, once the attestation key is open */
    struct p11_token *token;
    struct hsm_key *key[KEYS];
    bool made[KEYS]; /* now */
};
/* Runs it with the instance's lock and folders, and closes what it opened. */
MUST_USE result setup_run(struct sebctl_args *a, result (*run)(struct setup *s));

/* known and recorded. */
MUST_USE result setup_look(struct setup *s);
MUST_USE result setup_open_tpm(struct setup *s);
/* state_dir/keys/NAME, with NUL. */
MUST_USE result setup_pem(const struct setup *s, const char *name, struct buf *out);
uint32_t setup_handle(const struct config *c, unsigned which);
/* The key at the role's handle: the attestation key, and with it the guard; or another, bound to the guard's policy. */
MUST_USE result setup_open_key(struct setup *s, unsigned which, uint32_t handle);
/* The mint key on the token: the newest epoch's where one is recorded, else that of the configured label, made where `make`. */
MUST_USE result setup_hsm_key(struct setup *s, bool make);
/* The revocation epoch's counter and the log's anchor, where they aren't. */
MUST_USE result setup_counter(struct setup *s, bool *ret_made);
MUST_USE result setup_anchor(struct setup *s, bool *ret_made);
/* The HSM's PIN under the key policy: where it isn't, or anew. */
MUST_USE result setup_pin(struct setup *s, bool again, bool *ret_made);
/* What is there now, to standard output; `what` is the line's end. */
MUST_USE result setup_print(const struct setup *s, bool changed, const char *what);

#endif
