/* A certificate that is taken keeps what the rules lean on, and says the same in canonical form. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "policy/fields.h"

#include <stdlib.h>

/* Pointers are there, each once; a value or absent, or a digest where that is allowed. */
static bool are_sound(const struct fields *f, bool digests)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct field *one = &f->field[i];
        if (!one->pointer || one->pointer[0] != '/' || (one->absent && one->value) || (!digests && !one->absent && !one->value))
            return false;
    }
    return f->n <= FIELDS_MAX && (f->n > 0) == (f->field != NULL);
}

static bool is_sound(const struct certificate *c)
{
    const struct precondition *pre = &c->contract.pre;
    const struct contract *k = &c->contract;
    return c->agent && c->nbf < c->exp && c->risk < RISK_LEVELS && c->risk == k->risk && k->credential_s > 0 && *c->cid &&
           *c->aud && !(pre->absent && (pre->has_etag || pre->has_sha256 || pre->has_uid || pre->has_version || pre->fields.n)) &&
           are_sound(&k->fields, false) && are_sound(&pre->fields, true) && are_sound(&k->post, true) &&
           (k->dry_run || !k->post.n) && k->grace_s >= GRACE_NONE && (!pre->has_etag || etag_is_strong(span_text(pre->etag))) &&
           k->mutation.body.length >= 0 && k->mutation.body.length <= BODY_BYTES_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct certificate c = { 0 }, again = { 0 };
    AUTO_JSON *v = NULL;
    AUTO_BUF form = BUF(1 << 20);
    struct span input = { data, size };
    if (!is_ok(certificate_parse(input, NULL, &c)))
        return 0;
    if (!is_sound(&c) || !is_ok(json_strict(input, size, &v)) || !is_ok(json_canonical(v, &form)))
        abort();
    if (!is_ok(certificate_parse(buf_span(&form), NULL, &again)) || !pubkey_equal(c.agent, again.agent))
        abort();
    certificate_free(&c);
    certificate_free(&again);
    return 0;
}
