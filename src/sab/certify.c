#include "config.h"

#include "base/clock.h"
#include "base/random.h"
#include "policy/documents.h"
#include "sab/sab.h"

#define EVIDENCE_MAX (64u << 20)
#define RANDOM_SIZE 16

static result put_agent(struct sab_args *a, json_t *certificate)
{
    AUTO_JSON *jwk = NULL, *cnf = json_object();
    if (!cnf)
        return fail(E_no_memory);
    TRY(sab_read_json(a, a->value[OPT_AGENT], &jwk));
    TRY(json_put_new(cnf, "jwk", json_incref(jwk)));
    return json_put_new(certificate, "cnf", json_incref(cnf));
}

static result put_contract(struct sab_args *a, json_t *certificate)
{
    AUTO_JSON *contract = NULL;
    struct digest state;
    const char *risk;
    TRY(sab_read_json(a, a->value[OPT_CONTRACT], &contract));
    TRY(contract_state(contract, &state));
    TRY(json_text(contract, "risk", 2, &risk));
    TRY(json_put_text(certificate, "risk", risk));
    TRY(json_put_digest(certificate, "state", &state));
    return json_put_new(certificate, "contract", json_incref(contract));
}

static result put_evidence(struct sab_args *a, json_t *certificate)
{
    AUTO_BUF evidence = BUF(EVIDENCE_MAX);
    TRY(sab_read(a, a->value[OPT_EVIDENCE], EVIDENCE_MAX, &evidence));
    struct digest d = sha256(buf_span(&evidence));
    return json_put_digest(certificate, "evidence", &d);
}

static result put_names(struct sab_args *a, json_t *certificate)
{
    uint8_t nonce[RANDOM_SIZE], name[RANDOM_SIZE];
    TRY(random_bytes(nonce, sizeof nonce));
    TRY(random_bytes(name, sizeof name));
    TRY(json_put_b64url(certificate, "nonce", SPAN(nonce)));
    TRY(json_put_text(certificate, "aud", a->value[OPT_DOMAIN]));
    return a->value[OPT_CID] ? json_put_text(certificate, "cid", a->value[OPT_CID])
                             : json_put_b64url(certificate, "cid", SPAN(name));
}

static result put_window(struct sab_args *a, json_t *certificate)
{
    int64_t now = clock_utc_ms() / 1000, nbf, valid_s, epoch, policy_epoch;
    TRY(sab_number(a, OPT_NOT_BEFORE, 0, JSON_INT_MAX / 2, now, &nbf));
    TRY(sab_number(a, OPT_VALID_S, 1, 86400, 0, &valid_s));
    TRY(sab_number(a, OPT_EPOCH, 0, JSON_INT_MAX, 0, &epoch));
    TRY(sab_number(a, OPT_POLICY_EPOCH, 1, JSON_INT_MAX, 0, &policy_epoch));
    TRY(json_put_int(certificate, "iat", now));
    TRY(json_put_int(certificate, "nbf", nbf));
    TRY(json_put_int(certificate, "exp", nbf + valid_s));
    TRY(json_put_int(certificate, "epoch", epoch));
    return json_put_int(certificate, "policy_epoch", policy_epoch);
}

/* What isn't well-formed is never signed. */
static result check(struct span payload)
{
    struct certificate c = { 0 };
    TRY(certificate_parse(payload, NULL, &c));
    certificate_free(&c);
    return OK;
}

result sab_certify(struct sab_args *a)
{
    AUTO_SIGNER *s = NULL;
    AUTO_JSON *certificate = json_object();
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX), text = BUF(JWS_TEXT_MAX);
    if (!certificate)
        return fail(E_no_memory);
    TRY(put_names(a, certificate));
    TRY(put_window(a, certificate));
    TRY(put_agent(a, certificate));
    TRY(put_contract(a, certificate));
    TRY(put_evidence(a, certificate));
    TRY(json_canonical(certificate, &payload));
    TRY(check(buf_span(&payload)));
    TRY(sab_key_open(a, &s));
    TRY(signer_sign(s, TYP_CERTIFICATE, buf_span(&payload), &text));
    return sab_print(buf_span(&text));
}

/* Whoever countersigns may say which contract it means to admit. */
static result contract_compare(struct sab_args *a, struct span payload)
{
    AUTO_JSON *certificate = NULL, *wanted = NULL;
    if (!a->value[OPT_CONTRACT])
        return OK;
    TRY(json_strict(payload, JWS_PAYLOAD_MAX, &certificate));
    TRY(sab_read_json(a, a->value[OPT_CONTRACT], &wanted));
    if (json_equal(json_object_get(certificate, "contract"), wanted))
        return OK;
    a->about = "the certificate's contract isn't the one given";
    return fail(E_bad_value);
}

result sab_countersign(struct sab_args *a)
{
    struct jws j;
    AUTO_SIGNER *s = NULL;
    AUTO_BUF in = BUF(JWS_TEXT_MAX), arena = BUF(JWS_TEXT_MAX), text = BUF(JWS_TEXT_MAX);
    TRY(sab_read(a, a->operand, JWS_TEXT_MAX, &in));
    TRY(jws_parse_text(buf_span(&in), &arena, &j));
    TRY(check(j.payload));
    TRY(contract_compare(a, j.payload));
    TRY(sab_key_open(a, &s));
    TRY(signer_sign_too(s, TYP_CERTIFICATE, &j, &text));
    return sab_print(buf_span(&text));
}
