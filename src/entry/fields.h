/* The members of a JSON object and where they lie in a struct, as a table that serves writing and reading. */
#ifndef SEB_ENTRY_FIELDS_H
#define SEB_ENTRY_FIELDS_H

#include "base/json.h"

enum field_kind {
    FIELD_BYTES, /* size bytes, as base64url */
    FIELD_NAME, /* char[size]: docs/formats.md, "Names" */
    FIELD_WORD, /* char[size]: a name of ours, in lower case, digits and _ */
    FIELD_TEXT, /* char[size]: any text but the empty one */
    FIELD_NUMBER, /* int64_t, not negative */
    FIELD_INDEX, /* uint64_t */
    FIELD_FLAG, /* bool */
    FIELD_CHOICE, /* an enum from 1 on, by its name */
};
struct member {
    const char *name;
    enum field_kind kind;
    size_t at, size;
    const char *const *names; /* FIELD_CHOICE: of 1, 2, …; NULL-terminated */
};
#define FIELD(kind_, type, member) FIELD_AS(#member, kind_, type, member)
#define FIELD_AS(name_, kind_, type, member)                                                                      \
    {                                                                                                             \
        .name = (name_), .kind = FIELD_##kind_, .at = offsetof(type, member), .size = sizeof(((type *)0)->member) \
    }
#define FIELD_CHOSEN(type, member, names_)                                                                        \
    {                                                                                                             \
        .name = #member, .kind = FIELD_CHOICE, .at = offsetof(type, member), .size = sizeof(((type *)0)->member), \
        .names = (names_)                                                                                         \
    }
#define FIELDS(array) (array), sizeof(array) / sizeof((array)[0])

/* Values that the format doesn't allow are bad_value, both ways. Reading leaves members alone that the table doesn't name. */
MUST_USE result fields_put(json_t *o, const struct member *f, size_t n, const void *from);
MUST_USE result fields_get(const json_t *o, const struct member *f, size_t n, void *to);
bool is_word(const char *text);
bool is_a_name(const char *text);

#endif
