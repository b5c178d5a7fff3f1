#include "config.h"

#include "base/jws.h"

result jws_header(const struct pubkey *k, const char *typ, struct buf *out)
{
    char kid[DIGEST_TEXT + 1];
    return buf_printf(out, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"%s\"}", alg_name(pubkey_alg(k)),
        digest_text(pubkey_thumbprint(k), kid), typ);
}

static result put_signing_input(struct span header, struct span payload, struct buf *out)
{
    /* RFC 7515 section 5.1, step 5 */
    TRY(b64url_put(out, header));
    TRY(buf_u8(out, '.'));
    return b64url_put(out, payload);
}

result jws_signing_input(const struct pubkey *k, const char *typ, struct span payload, struct buf *out)
{
    AUTO_BUF header = BUF(JWS_HEADER_MAX);
    TRY(jws_header(k, typ, &header));
    size_t before = out->n;
    result r = put_signing_input(buf_span(&header), payload, out);
    if (!is_ok(r))
        out->n = before;
    return r;
}

result jws_verify(const struct pubkey *k, const char *typ, struct span payload, const struct jws_signature *s)
{
    AUTO_BUF header = BUF(JWS_HEADER_MAX);
    AUTO_BUF input = BUF(B64URL_LEN(JWS_HEADER_MAX) + 1 + B64URL_LEN(JWS_PAYLOAD_MAX));
    TRY(jws_header(k, typ, &header));
    if (!span_equal(s->protected_, buf_span(&header)))
        return fail(E_bad_header);
    TRY(put_signing_input(buf_span(&header), payload, &input));
    return pubkey_verify(k, buf_span(&input), s->signature);
}

#define ES256_HEAD "{\"alg\":\"ES256\",\"kid\":\""
#define EDDSA_HEAD "{\"alg\":\"EdDSA\",\"kid\":\""
#define TYP_HEAD "\",\"typ\":\""

/* The kid of a header in the one form that jws_header writes; no JSON parser sees bytes that nobody has verified. */
static result read_kid(struct span header, struct digest *ret_kid)
{
    struct reader r = reader_of(header);
    struct span before, kid, between;
    struct digest found;
    if (!is_ok(read_bytes(&r, span_text(ES256_HEAD).n, &before)) || !is_ok(read_bytes(&r, DIGEST_TEXT, &kid)) ||
        !is_ok(read_bytes(&r, span_text(TYP_HEAD).n, &between)))
        return fail(E_bad_header);
    if (!span_is(before, ES256_HEAD) && !span_is(before, EDDSA_HEAD))
        return fail(E_bad_header);
    if (!is_ok(digest_read(kid, &found)) || !span_is(between, TYP_HEAD))
        return fail(E_bad_header);
    struct span rest = span_part(header, r.at, header.n);
    if (rest.n < 3 || !span_is(span_part(rest, rest.n - 2, 2), "\"}"))
        return fail(E_bad_header);
    for (size_t i = 0; i < rest.n - 2; i++)
        if (rest.p[i] < 0x20 || rest.p[i] > 0x7e || rest.p[i] == '"' || rest.p[i] == '\\')
            return fail(E_bad_header);
    *ret_kid = found;
    return OK;
}

/* Where decoded bytes lie in the arena: it may move while it grows, so views are made at the end. */
struct place {
    size_t from, n;
};

static result decode(const json_t *o, const char *name, size_t max, struct buf *arena, struct place *ret)
{
    size_t from = arena->n;
    TRY(json_bytes_at(o, name, max, arena));
    *ret = (struct place){ from, arena->n - from };
    return OK;
}

struct places {
    struct place payload, header[JWS_SIGNATURES_MAX], signature[JWS_SIGNATURES_MAX];
    unsigned n;
};

static result decode_signature(const json_t *o, struct buf *arena, struct places *p)
{
    AUTO_BUF signature = BUF(SIGNATURE_SIZE);
    TRY(decode(o, "protected", JWS_HEADER_MAX, arena, &p->header[p->n]));
    result r = json_bytes_at(o, "signature", SIGNATURE_SIZE, &signature);
    if (code_of(r) == E_too_long || (is_ok(r) && signature.n != SIGNATURE_SIZE))
        return fail(E_bad_signature);
    TRY(r);
    p->signature[p->n++] = (struct place){ arena->n, signature.n };
    return buf_put(arena, buf_span(&signature));
}

static result decode_general(const json_t *v, struct buf *arena, struct places *p)
{
    const json_t *signatures, *one;
    size_t i;
    TRY(json_closed(v, (const char *const[]){ "payload", "signatures", NULL }));
    TRY(json_array_at(v, "signatures", 0, SIZE_MAX, &signatures));
    size_t n = json_array_size(signatures);
    if (n < 1 || n > JWS_SIGNATURES_MAX)
        return fail(E_bad_jws);
    json_array_foreach (signatures, i, one) {
        TRY(json_closed(one, (const char *const[]){ "protected", "signature", NULL }));
        TRY(decode_signature(one, arena, p));
    }
    return OK;
}

static result decode_all(const json_t *v, struct buf *arena, struct places *p)
{
    if (!json_is_object(v))
        return fail(E_bad_jws);
    TRY(decode(v, "payload", JWS_PAYLOAD_MAX, arena, &p->payload));
    if (json_has(v, "signatures"))
        return decode_general(v, arena, p);
    TRY(json_closed(v, (const char *const[]){ "payload", "protected", "signature", NULL }));
    return decode_signature(v, arena, p);
}

static struct span view(const struct buf *arena, struct place at)
{
    return span_part(buf_span(arena), at.from, at.n);
}

static result views_of(const struct places *p, const struct buf *arena, struct jws *ret)
{
    struct jws jws = { .payload = view(arena, p->payload), .n = p->n };
    for (unsigned i = 0; i < jws.n; i++) {
        struct jws_signature *s = &jws.sig[i];
        s->protected_ = view(arena, p->header[i]);
        s->signature = view(arena, p->signature[i]);
        TRY(read_kid(s->protected_, &s->kid));
    }
    *ret = jws;
    return OK;
}

static result parse_into(const json_t *v, struct buf *arena, struct jws *ret)
{
    struct places places = { 0 };
    TRY(decode_all(v, arena, &places));
    return views_of(&places, arena, ret);
}

result jws_parse(const json_t *v, struct buf *arena, struct jws *ret)
{
    size_t before = arena->n;
    result r = parse_into(v, arena, ret);
    if (!is_ok(r))
        arena->n = before;
    return r;
}

result jws_parse_text(struct span text, struct buf *arena, struct jws *ret)
{
    AUTO_JSON *v = NULL;
    TRY(json_strict(text, JWS_TEXT_MAX, &v));
    return jws_parse(v, arena, ret);
}

static result put_b64url_member(struct buf *out, const char *before, struct span s)
{
    TRY(buf_text(out, before));
    TRY(b64url_put(out, s));
    return buf_u8(out, '"');
}

static result write_all(const struct jws *j, struct buf *out)
{
    TRY(put_b64url_member(out, "{\"payload\":\"", j->payload));
    TRY(buf_text(out, ",\"signatures\":["));
    for (unsigned i = 0; i < j->n; i++) {
        TRY(put_b64url_member(out, i ? ",{\"protected\":\"" : "{\"protected\":\"", j->sig[i].protected_));
        TRY(put_b64url_member(out, ",\"signature\":\"", j->sig[i].signature));
        TRY(buf_u8(out, '}'));
    }
    return buf_text(out, "]}");
}

result jws_write(const struct jws *j, struct buf *out)
{
    size_t before = out->n;
    result r = j->n >= 1 && j->n <= JWS_SIGNATURES_MAX ? write_all(j, out) : fail(E_bad_jws);
    if (!is_ok(r))
        out->n = before;
    return r;
}

static result compact_all(const struct jws *j, struct buf *out)
{
    TRY(b64url_put(out, j->sig[0].protected_));
    TRY(buf_u8(out, '.'));
    TRY(b64url_put(out, j->payload));
    TRY(buf_u8(out, '.'));
    return b64url_put(out, j->sig[0].signature);
}

result jws_compact(const struct jws *j, struct buf *out)
{
    size_t before = out->n;
    result r = j->n == 1 ? compact_all(j, out) : fail(E_bad_jws);
    if (!is_ok(r))
        out->n = before;
    return r;
}

/* The text up to the next dot, decoded; more than max bytes are too_long. */
static result decode_part(struct span text, size_t from, size_t to, size_t max, struct buf *arena, struct place *ret)
{
    size_t at = arena->n;
    struct span part = span_part(text, from, to - from);
    if (part.n > B64URL_LEN(max))
        return fail(E_too_long);
    TRY(b64url_read(part, arena));
    *ret = (struct place){ at, arena->n - at };
    return OK;
}

static result decode_compact(struct span text, struct buf *arena, struct places *p)
{
    size_t first = span_find(text, 0, '.');
    size_t second = first < text.n ? span_find(text, first + 1, '.') : text.n;
    if (second == text.n || span_find(text, second + 1, '.') != text.n)
        return fail(E_bad_jws);
    TRY(decode_part(text, 0, first, JWS_HEADER_MAX, arena, &p->header[0]));
    TRY(decode_part(text, first + 1, second, JWS_PAYLOAD_MAX, arena, &p->payload));
    if (text.n - second - 1 != B64URL_LEN(SIGNATURE_SIZE))
        return fail(E_bad_signature);
    TRY(decode_part(text, second + 1, text.n, SIGNATURE_SIZE, arena, &p->signature[0]));
    p->n = 1;
    return OK;
}

result jws_parse_compact(struct span text, struct buf *arena, struct jws *ret)
{
    struct places places = { 0 };
    size_t before = arena->n;
    result r = decode_compact(text, arena, &places);
    if (is_ok(r))
        r = views_of(&places, arena, ret);
    if (!is_ok(r))
        arena->n = before;
    return r;
}

result jws_digest(const struct jws *j, struct digest *ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    TRY(jws_write(j, &text));
    *ret = sha256(buf_span(&text));
    return OK;
}

result jws_json(const struct jws *j, json_t **ret)
{
    AUTO_BUF text = BUF(JWS_TEXT_MAX);
    TRY(jws_write(j, &text));
    return json_strict(buf_span(&text), JWS_TEXT_MAX, ret);
}
