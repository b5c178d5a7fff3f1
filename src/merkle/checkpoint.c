#include "config.h"

#include "merkle/checkpoint.h"

#include <inttypes.h>

#include "base/json.h"

#define KEY_ID_SIZE 4
#define SIGNATURE_MAX 80 /* ASN.1 DER ECDSA P-256 takes 72 at most */
#define DASH "\xe2\x80\x94 " /* C2SP signed-note, "Format": em dash and space begin a signature line */

/* C2SP signed-note, "Format": a key's name is not empty and holds neither space nor plus. Ours is printable ASCII. */
static bool is_origin(struct span s)
{
    if (s.n == 0 || s.n > ORIGIN_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '+')
            return false;
    return true;
}

result checkpoint_text(const struct checkpoint *c, struct buf *out)
{
    if (!is_origin(span_text(c->origin)) || c->size > JSON_INT_MAX)
        return fail(E_bad_value);
    TRY(buf_printf(out, "%s\n%" PRIu64 "\n", c->origin, c->size));
    TRY(b64_put(out, digest_span(&c->root)));
    return buf_text(out, "\n");
}

/* C2SP signed-note, "Signature types", 0x02: the first four bytes of the SHA-256 of the key's SubjectPublicKeyInfo. */
static result key_id_of(const struct pubkey *key, uint8_t ret[KEY_ID_SIZE])
{
    AUTO_BUF spki = BUF(512);
    if (pubkey_alg(key) != ALG_ES256)
        return fail(E_bad_key);
    TRY(pubkey_spki(key, &spki));
    struct digest d = sha256(buf_span(&spki));
    return span_copy(span_part(digest_span(&d), 0, KEY_ID_SIZE), ret, KEY_ID_SIZE);
}

result checkpoint_note(const struct checkpoint *c, const struct pubkey *key, const uint8_t raw[SIGNATURE_SIZE], struct buf *out)
{
    uint8_t id[KEY_ID_SIZE];
    AUTO_BUF signature = BUF(KEY_ID_SIZE + SIGNATURE_MAX), note = BUF(NOTE_MAX);
    TRY(key_id_of(key, id));
    TRY(buf_put(&signature, SPAN(id)));
    TRY(ecdsa_to_der((struct span){ raw, SIGNATURE_SIZE }, &signature));
    TRY(checkpoint_text(c, &note));
    TRY(buf_printf(&note, "\n" DASH "%s ", c->origin));
    TRY(b64_put(&note, buf_span(&signature)));
    TRY(buf_text(&note, "\n"));
    return buf_put(out, buf_span(&note));
}

/* The bytes before the next newline, which is skipped. */
static result next_line(struct reader *r, struct span *ret)
{
    size_t end = span_find(r->s, r->at, '\n');
    if (end == r->s.n)
        return fail(E_bad_note);
    *ret = span_part(r->s, r->at, end - r->at);
    r->at = end + 1;
    return OK;
}

static result size_of(struct span text, uint64_t *ret)
{
    uint64_t v = 0;
    if (text.n == 0 || text.n > 16)
        return fail(E_bad_note);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return fail(E_bad_note);
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    *ret = v;
    return OK;
}

static result digest_of(struct span text, struct digest *ret)
{
    AUTO_BUF bytes = BUF(DIGEST_SIZE);
    if (!is_ok(b64_read(text, &bytes)) || !is_ok(span_copy(buf_span(&bytes), ret->b, DIGEST_SIZE)))
        return fail(E_bad_note);
    return OK;
}

/* Key id and signature, put into *ret. The line's name must be the origin: the log signs its own notes. */
static result signature_of(struct span line, const char *origin, struct buf *ret)
{
    AUTO_BUF start = BUF(ORIGIN_MAX + 8);
    TRY(buf_printf(&start, DASH "%s ", origin));
    if (!span_equal(span_part(line, 0, start.n), buf_span(&start)))
        return fail(E_bad_note);
    if (!is_ok(b64_read(span_part(line, start.n, line.n), ret)) || ret->n <= KEY_ID_SIZE)
        return fail(E_bad_note);
    return OK;
}

/* Whether these are the bytes that we would write: one note, one form (no leading zeros, canonical base64). */
static bool is_canonical(struct span note, const struct checkpoint *c, struct span signature)
{
    AUTO_BUF again = BUF(NOTE_MAX);
    return is_ok(checkpoint_text(c, &again)) && is_ok(buf_printf(&again, "\n" DASH "%s ", c->origin)) &&
           is_ok(b64_put(&again, signature)) && is_ok(buf_text(&again, "\n")) && span_equal(note, buf_span(&again));
}

static result parse(struct span note, struct checkpoint *ret, struct span *ret_text, struct buf *signature)
{
    struct checkpoint c = { 0 };
    struct reader r = reader_of(note);
    struct span origin, size, root, text, empty, line;
    if (note.n > NOTE_MAX)
        return fail(E_bad_note);
    TRY(next_line(&r, &origin));
    TRY(next_line(&r, &size));
    TRY(next_line(&r, &root));
    text = span_part(note, 0, r.at);
    TRY(next_line(&r, &empty));
    TRY(next_line(&r, &line));
    if (empty.n != 0 || r.at != note.n || !is_origin(origin))
        return fail(E_bad_note);
    TRY(span_copy(origin, c.origin, origin.n));
    TRY(size_of(size, &c.size));
    TRY(digest_of(root, &c.root));
    TRY(signature_of(line, c.origin, signature));
    if (!is_canonical(note, &c, buf_span(signature)))
        return fail(E_bad_note);
    *ret = c;
    *ret_text = text;
    return OK;
}

result checkpoint_parse(struct span note, struct checkpoint *ret, struct span *ret_text)
{
    AUTO_BUF signature = BUF(KEY_ID_SIZE + SIGNATURE_MAX);
    return parse(note, ret, ret_text, &signature);
}

result checkpoint_open(struct span note, const struct pubkey *key, struct checkpoint *ret, struct span *ret_text)
{
    AUTO_BUF signature = BUF(KEY_ID_SIZE + SIGNATURE_MAX);
    struct checkpoint c;
    struct span text;
    uint8_t id[KEY_ID_SIZE];
    TRY(parse(note, &c, &text, &signature));
    TRY(key_id_of(key, id));
    struct span bytes = buf_span(&signature);
    if (!span_equal(span_part(bytes, 0, KEY_ID_SIZE), SPAN(id)))
        return fail(E_bad_signature);
    TRY(pubkey_verify_der(key, text, span_part(bytes, KEY_ID_SIZE, bytes.n)));
    *ret = c;
    *ret_text = text;
    return OK;
}
