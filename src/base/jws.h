/* JWS in JSON serialization (RFC 7515 section 7.2), with one closed form of the protected header: RFC 8785 form of alg, kid (the
 * RFC 7638 thumbprint of the signing key) and typ, nothing else. Whoever verifies builds the header for the key that it expects
 * and compares it byte for byte; nothing of a peer's header is believed. */
#ifndef SEB_BASE_JWS_H
#define SEB_BASE_JWS_H

#include "base/pubkey.h"

#define JWS_SIGNATURES_MAX 8
#define JWS_HEADER_MAX 160
#define JWS_PAYLOAD_MAX 32768
#define JWS_TEXT_MAX 65536

/* typ values (docs/formats.md). */
#define TYP_CERTIFICATE "seb-certificate+jws"
#define TYP_REQUEST "seb-request+jws"
#define TYP_POLICY "seb-policy+jws"
#define TYP_EPOCH "seb-epoch+jws"
#define TYP_CHALLENGE "seb-challenge+jws"
#define TYP_APPROVAL "seb-approval+jws"
#define TYP_REFERENCE "seb-reference+jws"
#define TYP_ENROLMENT "seb-enrolment+jws"
#define TYP_KEY_STATEMENT "seb-key+jws"
#define TYP_ACKNOWLEDGE "seb-acknowledge+jws"
#define TYP_RESULT "eat+jwt" /* RFC 9711 section 6.8.4 */
#define TYP_CREDENTIAL "JWT"
#define TYP_CHALLENGE "seb-challenge+jws"
#define TYP_APPROVAL "seb-approval+jws"
#define TYP_REFERENCE "seb-reference+jws"
#define TYP_ENROLMENT "seb-enrolment+jws"
#define TYP_KEY_STATEMENT "seb-key+jws"
#define TYP_ACKNOWLEDGE "seb-acknowledge+jws"
#define TYP_RESULT "eat+jwt"

struct jws_signature {
    struct digest kid; /* as the header claims it; for finding the key only */
    struct span protected_; /* decoded header bytes */
    struct span signature; /* decoded */
};
/* A JWS taken apart: decoded bytes, all views. */
struct jws {
    struct span payload;
    unsigned n;
    struct jws_signature sig[JWS_SIGNATURES_MAX];
};

/* Takes apart a general or flattened JSON serialization. No unprotected header, no other member. Decoded bytes are put into
 * arena, which must outlive *ret and not be put to again. Opinion only: verifies nothing. */
MUST_USE result jws_parse(const json_t *v, struct buf *arena, struct jws *ret);
/* json_strict and jws_parse. */
MUST_USE result jws_parse_text(struct span text, struct buf *arena, struct jws *ret);

/* The header for this key and type. */
MUST_USE result jws_header(const struct pubkey *k, const char *typ, struct buf *out);
/* What is signed: base64url(header) "." base64url(payload). */
MUST_USE result jws_signing_input(const struct pubkey *k, const char *typ, struct span payload, struct buf *out);
/* bad_header where the header isn't the one for key and type, bad_signature where it doesn't verify. */
MUST_USE result jws_verify(const struct pubkey *k, const char *typ, struct span payload, const struct jws_signature *s);
/* General serialization as JSON text, in RFC 8785 form: {"payload":…,"signatures":[{"protected":…,"signature":…},…]}. */
MUST_USE result jws_write(const struct jws *j, struct buf *out);
/* SHA-256 of what jws_write writes: the payload with exactly these signatures, in this order. */
MUST_USE result jws_digest(const struct jws *j, struct digest *ret);
/* Compact serialization (RFC 7515 section 7.1), in which JWTs travel: header "." payload "." signature. bad_jws unless there is
 * exactly one signature. */
MUST_USE result jws_compact(const struct jws *j, struct buf *out);
/* Takes apart a compact serialization; arena and *ret as in jws_parse. Opinion only: verifies nothing. */
MUST_USE result jws_parse_compact(struct span text, struct buf *arena, struct jws *ret);
/* The same as a JSON value that the caller owns. */
MUST_USE result jws_json(const struct jws *j, json_t **ret);

#endif
