#include "config.h"

#include "policy/terms.h"
#include "policy/verify.h"

/* The authority whose key this is; authorities_n where it is nobody's. */
static unsigned authority_by_kid(const struct policy *p, const struct digest *kid)
{
    unsigned i = 0;
    while (i < p->authorities_n && !digest_equal(pubkey_thumbprint(p->authorities[i].key), kid))
        i++;
    return i;
}

/* The kid only finds the key: jws_verify builds the header for the pinned key and compares it. Signatures are malleable, so what is
 * counted is authorities, never signatures. */
struct signers verify_certificate(const struct policy *p, const struct jws *certificate)
{
    struct signers s = { .code = E_authority_unknown };
    if (certificate->n < 1 || certificate->n > JWS_SIGNATURES_MAX)
        return (struct signers){ .code = E_bad_jws };
    for (unsigned i = 0; i < certificate->n; i++) {
        const struct jws_signature *signature = &certificate->sig[i];
        unsigned a = authority_by_kid(p, &signature->kid);
        if (a == p->authorities_n)
            continue;
        result r = jws_verify(p->authorities[a].key, TYP_CERTIFICATE, certificate->payload, signature);
        if (!is_ok(r))
            return (struct signers){ .code = code_of(r) == E_bad_signature ? E_certificate_forged : code_of(r) };
        if (!(s.authorities >> a & 1)) {
            s.authorities |= UINT32_C(1) << a;
            s.distinct++;
        }
        s.code = E_ok;
    }
    return s;
}

result verify_request(const struct certificate *c, const struct jws *request)
{
    /* Another key's request is named so, rather than as a header that isn't the agent's. */
    if (request->n != 1 || !digest_equal(&request->sig[0].kid, pubkey_thumbprint(c->agent)))
        return fail(E_request_forged);
    result r = jws_verify(c->agent, TYP_REQUEST, request->payload, &request->sig[0]);
    return code_of(r) == E_bad_signature ? fail(E_request_forged) : r;
}

result verify_statement(const struct pubkey *pinned, const char *typ, const struct jws *statement)
{
    if (statement->n != 1)
        return fail(E_bad_jws);
    return jws_verify(pinned, typ, statement->payload, &statement->sig[0]);
}

result verify_by_verifier(const struct policy *p, const char *typ, const struct jws *j, unsigned *ret_verifier)
{
    if (j->n != 1)
        return fail(E_bad_jws);
    for (unsigned i = 0; i < p->verifiers_n; i++)
        if (digest_equal(pubkey_thumbprint(p->verifiers[i].key), &j->sig[0].kid)) {
            TRY(jws_verify(p->verifiers[i].key, typ, j->payload, &j->sig[0]));
            *ret_verifier = i;
            return OK;
        }
    return fail(E_verifier_unknown);
}
