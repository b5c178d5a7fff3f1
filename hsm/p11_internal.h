/* Inside hsm/ only: PKCS#11 3.0 through p11-kit. */
#ifndef SEB_HSM_P11_INTERNAL_H
#define SEB_HSM_P11_INTERNAL_H

/* The names of the PKCS#11 specification, not p11-kit's own. */
#define CRYPTOKI_COMPAT 1
#include <p11-kit/pkcs11.h>

#include <pthread.h>

#include "hsm/key.h"
#include "hsm/pkcs11.h"

#define LABEL_MAX 32 /* CK_TOKEN_INFO's label, and what we allow a key's */

struct p11_token {
    CK_FUNCTION_LIST *module;
    bool initialized;
    pthread_mutex_t lock; /* over slot, pin_refused and logging in; keys live in several threads */
    char *label;
    struct secret *pin;
    bool pin_refused; /* a refused PIN is never offered again: the token counts, and locks */
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session; /* keeps the login while no key is open */
    bool known; /* identity, from the first session on */
    struct p11_identity identity;
};

MUST_USE result p11_result(CK_RV rv);
/* Whether a session opened anew may help. */
bool p11_session_lost(result r);
/* Opens a session on the token of that label, logged in. The slot is looked for anew: a token may come back in another one. */
MUST_USE result p11_session(struct p11_token *t, bool writable, CK_SESSION_HANDLE *ret);

/* The one object of class and label; key_missing, and key_mismatch where there are several. */
MUST_USE result p11_find(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret);
/* An attribute's value, appended. */
MUST_USE result p11_attribute(
    struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, struct buf *out);

/* A session that is closed by scope. */
struct p11_scope {
    struct p11_token *token;
    CK_SESSION_HANDLE session; /* CK_INVALID_HANDLE: none */
};
void p11_scope_close(struct p11_scope *s);
#define AUTO_SESSION __attribute__((cleanup(p11_scope_close))) struct p11_scope
#endif
