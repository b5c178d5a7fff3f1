/* Fields of an object, as a contract names them: JSON pointers (RFC 6901) with a value, a value's digest, or nothing
 * (docs/formats.md, "Fields"). Pure. */
#ifndef SEB_BASE_FIELD_H
#define SEB_BASE_FIELD_H

#include "base/json.h"

#define FIELDS_MAX 32 /* of one list */
#define POINTER_MAX 256 /* bytes */
#define FIELD_VALUE_MAX 1024 /* bytes in RFC 8785 form */
struct field {
    char *pointer; /* owned */
    char *value; /* RFC 8785 form, owned; NULL where the digest alone is given, and where absent */
    bool absent; /* nothing is to be there */
    struct digest sha256; /* of the value's RFC 8785 form, where not absent */
};
struct fields {
    unsigned n;
    struct field *field; /* owned; NULL where n is 0 */
};
/* What was found of one field: nothing, or a value with this digest of its RFC 8785 form. */
struct live_field {
    bool exists;
    struct digest sha256;
};
#define LIVE_FIELDS_MAX (2 * FIELDS_MAX) /* a contract's preconditions.fields, then its parameters.fields */

/* A list of 1 to FIELDS_MAX fields: bad_type, bad_value (a pointer that is none, or twice), too_long, missing_member,
 * unknown_member. *ret is untouched on failure; the caller frees with fields_free. */
MUST_USE result fields_read(const json_t *list, struct fields *ret);
void fields_free(struct fields *f); /* and zeroes; accepts zeroed */
/* Whether what was found is what the field says. */
bool field_holds(const struct field *f, const struct live_field *live);
/* The same of n fields and as many findings. */
bool fields_hold(const struct fields *f, const struct live_field *live);

/* What the pointer leads to (RFC 6901 section 4); NULL: nothing is there, or it is no pointer. "" is o itself. Views o. */
const json_t *json_pointer(const json_t *o, const char *pointer);

#endif
