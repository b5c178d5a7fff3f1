#include "config.h"

#include "base/clock.h"
#include "policy/documents.h"
#include "sab/sab.h"

static result sign_and_print(struct sab_args *a, const char *typ, struct span payload)
{
    AUTO_SIGNER *s = NULL;
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    TRY(sab_key_open(a, &s));
    TRY(signer_sign(s, typ, payload, &text));
    return sab_print(buf_span(&text));
}

result sab_policy_sign(struct sab_args *a)
{
    struct policy *policy = NULL;
    AUTO_JSON *v = NULL;
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX);
    TRY(sab_read_json(a, a->operand, &v));
    TRY(json_canonical(v, &payload));
    TRY(policy_parse(buf_span(&payload), &policy));
    policy_free(policy);
    return sign_and_print(a, TYP_POLICY, buf_span(&payload));
}

result sab_epoch_sign(struct sab_args *a)
{
    int64_t now = clock_utc_ms() / 1000, epoch, valid_s;
    struct epoch_statement checked;
    AUTO_JSON *v = json_object();
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX);
    if (!v)
        return fail(E_no_memory);
    TRY(sab_number(a, OPT_EPOCH, 0, JSON_INT_MAX, 0, &epoch));
    TRY(sab_number(a, OPT_VALID_S, 1, INT64_C(10) * 366 * 86400, 0, &valid_s));
    TRY(json_put_text(v, "domain", a->value[OPT_DOMAIN]));
    TRY(json_put_int(v, "epoch", epoch));
    TRY(json_put_int(v, "iat", now));
    TRY(json_put_int(v, "exp", now + valid_s));
    TRY(json_canonical(v, &payload));
    TRY(epoch_parse(buf_span(&payload), &checked));
    return sign_and_print(a, TYP_EPOCH, buf_span(&payload));
}

/* What an operator was told of the log is in the statement, and the broker compares it with what it finds: a statement serves for
 * one finding alone. */
result sab_acknowledge(struct sab_args *a)
{
    int64_t size;
    struct digest root;
    struct acknowledge checked;
    AUTO_JSON *v = json_object();
    AUTO_BUF payload = BUF(JWS_PAYLOAD_MAX);
    if (!v)
        return fail(E_no_memory);
    TRY(sab_number(a, OPT_SIZE, 0, JSON_INT_MAX, 0, &size));
    a->about = "--root";
    TRY(digest_read(span_text(a->value[OPT_ROOT]), &root));
    a->about = NULL;
    TRY(json_put_text(v, "domain", a->value[OPT_DOMAIN]));
    TRY(json_put_text(v, "instance", a->value[OPT_INSTANCE]));
    TRY(json_put_int(v, "iat", clock_utc_ms() / 1000));
    TRY(json_put_digest(v, "root", &root));
    TRY(json_put_int(v, "size", size));
    TRY(json_put_text(v, "what", a->value[OPT_WHAT]));
    TRY(json_canonical(v, &payload));
    TRY(acknowledge_parse(buf_span(&payload), &checked));
    return sign_and_print(a, TYP_ACKNOWLEDGE, buf_span(&payload));
}
