/* Strict JSON over Jansson: no duplicate members, no reals, integers within ±(2^53 - 1), no NUL, valid UTF-8, bounded depth,
 * strings and size, nothing after the value. Canonical form is RFC 8785's. */
#ifndef SEB_BASE_JSON_H
#define SEB_BASE_JSON_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/digest.h"

#define JSON_DEPTH_MAX 16
#define JSON_FOREIGN_DEPTH_MAX 128
#define JSON_INT_MAX INT64_C(9007199254740991)

void json_free_pointer(json_t **v);
#define AUTO_JSON __attribute__((cleanup(json_free_pointer))) json_t

/* Parses the whole text: object or array at the top, at most max bytes. Errors: too_long, too_deep, bad_json, bad_utf8,
 * duplicate_member, not_integer, trailing_bytes. The caller owns *ret. */
MUST_USE result json_strict(struct span text, size_t max, json_t **ret);
/* What others wrote in a format of their own: as json_strict, but any number goes, each read as an IEEE 754 double (RFC 8785
 * section 3.2.2.3; not_integer beyond its range), a string may hold NUL, and JSON_FOREIGN_DEPTH_MAX levels nest. */
MUST_USE result json_foreign(struct span text, size_t max, json_t **ret);
/* SHA-256 over RFC 8785 form of a value out of json_foreign, or of one that this form can be given: bad_value with a NUL in it. */
MUST_USE result json_foreign_digest(const json_t *v, struct digest *ret);
/* Appends RFC 8785 form (members sorted by UTF-16 code units, section 3.2.3). */
MUST_USE result json_canonical(const json_t *v, struct buf *out);
/* SHA-256 over RFC 8785 form. */
MUST_USE result json_digest(const json_t *v, struct digest *ret);
/* bad_value unless text is the canonical form of v. */
MUST_USE result json_is_canonical(const json_t *v, struct span text);

/* An object with no other members than those named (NULL-terminated), else unknown_member; not an object: bad_type. */
MUST_USE result json_closed(const json_t *v, const char *const *names);
/* A member: missing_member where it isn't there, bad_type, bad_value or too_long where it isn't as wanted. Returned pointers
 * live as long as the object. */
MUST_USE result json_text(const json_t *o, const char *name, size_t max, const char **ret); /* 1..max bytes */
MUST_USE result json_int(const json_t *o, const char *name, int64_t min, int64_t max, int64_t *ret);
MUST_USE result json_flag(const json_t *o, const char *name, bool *ret);
MUST_USE result json_object_at(const json_t *o, const char *name, const json_t **ret);
MUST_USE result json_array_at(const json_t *o, const char *name, size_t min, size_t max, const json_t **ret);
MUST_USE result json_digest_at(const json_t *o, const char *name, struct digest *ret); /* base64url of 32 bytes */
MUST_USE result json_bytes_at(const json_t *o, const char *name, size_t max, struct buf *out); /* base64url, appended */
bool json_has(const json_t *o, const char *name);
/* Sets a member in an object that is being built; o owns it. no_memory on failure. */
MUST_USE result json_put_text(json_t *o, const char *name, const char *text);
MUST_USE result json_put_span(json_t *o, const char *name, struct span utf8);
MUST_USE result json_put_int(json_t *o, const char *name, int64_t v);
MUST_USE result json_put_flag(json_t *o, const char *name, bool v);
MUST_USE result json_put_digest(json_t *o, const char *name, const struct digest *d);
MUST_USE result json_put_b64url(json_t *o, const char *name, struct span s);
MUST_USE result json_put_new(json_t *o, const char *name, json_t *v); /* steals v, also when it fails */

#endif
