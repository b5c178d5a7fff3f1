/* Fields of JSON objects by JSON pointer (RFC 6901), as contracts name them. */
#ifndef SEB_BASE_FIELD_H
#define SEB_BASE_FIELD_H

#include "base/digest.h"
#include "base/json.h"

#define FIELDS_MAX 32
#define POINTER_MAX 256
#define FIELD_VALUE_MAX 1024
struct field { /* owned; value: RFC 8785 form, or NULL; sha256 over it, where not absent */
    char *pointer, *value;
    bool absent;
    struct digest sha256;
};
struct fields { /* owned */
    unsigned n;
    struct field *field;
};
struct live_field {
    bool exists;
    struct digest sha256; /* over the value's RFC 8785 form */
};
MUST_USE result fields_read(const json_t *list, struct fields *ret);
void fields_free(struct fields *f);
const json_t *json_pointer(const json_t *o, const char *pointer); /* RFC 6901; NULL: nothing is there */

#endif
