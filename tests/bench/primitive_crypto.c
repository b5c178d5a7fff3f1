#include "config.h"

#include "tests/bench/primitives.h"

#include "hsm/pkcs11.h"
#include "tests/unit/testkey.h"

/* As long as a certificate's signing input. */
#define MESSAGE 1400

struct verifying {
    struct pubkey *key;
    uint8_t message[MESSAGE], raw[SIGNATURE_SIZE];
};

static void verify_once(void *context)
{
    struct verifying *v = context;
    must(pubkey_verify(v->key, SPAN(v->message), SPAN(v->raw)), "verify");
}

void primitive_verify(const struct primitive_args *a)
{
    struct testkey *key = testkey_new(ALG_ES256);
    struct verifying v = { .key = testkey_public(key) };
    testkey_sign(key, SPAN(v.message), v.raw);
    measure(&(struct measure){ .name = "verify", .rounds = a->rounds * 4, .once = verify_once, .context = &v });
    testkey_free(key);
}

static void sign_once(void *context)
{
    uint8_t raw[SIGNATURE_SIZE];
    struct digest d = sha256(span_text("bench"));
    must(hsm_sign(context, &d, raw), "sign");
}

void primitive_hsm(const struct primitive_args *a)
{
    const struct config *c = a->config;
    struct p11_token *token;
    struct hsm_key *key;
    must(p11_open(&(struct p11_args){ .module = c->module, .token = c->token, .pin_file = c->pin_file }, &token), "the HSM");
    must(p11_key(token, c->mint_label, &key), "mint key");
    measure(&(struct measure){ .name = "hsm_sign", .rounds = a->rounds, .once = sign_once, .context = key });
    hsm_close(key);
    p11_close(token);
}
