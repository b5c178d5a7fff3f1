/* Members of one JSON object of the configuration, read by a table into one struct. For this folder, and the programs that have a
 * configuration of their own. */
#ifndef SEB_CONFIG_MEMBER_H
#define SEB_CONFIG_MEMBER_H

#include "base/json.h"

enum member_type {
    MEMBER_ELSEWHERE, /* known, and read by other code */
    MEMBER_NAME, /* A-Z a-z 0-9 . _ - and the characters of `also` */
    MEMBER_PRINT, /* printable ASCII */
    MEMBER_PATH, /* absolute and plain: no empty, "." or ".." part, no '/' at its end */
    MEMBER_INT, /* min to max, into an int64_t */
    MEMBER_HANDLE, /* "0x81…": a persistent handle of the TPM's owner, into a uint32_t */
    MEMBER_NV, /* "0x01…": an NV index that isn't the TCG's own, into a uint32_t */
};
struct member {
    const char *name;
    enum member_type type;
    bool required; /* else `text` or `number` stands for it */
    size_t at, room; /* of the field in the struct; a text's room holds its NUL */
    const char *also;
    const char *text; /* NULL: stays as it is */
    int64_t number, min, max;
    const char *where; /* "tpm.path: what is wanted" */
};
#define FIELD(type, field) .at = offsetof(type, field), .room = sizeof(((type *)0)->field)
#define MEMBERS(table) (table), sizeof(table) / sizeof *(table)

/* no_config with *ret_where where the object has a member that the table doesn't know (`unknown` is said then), lacks one that it
 * requires, or holds one otherwise than wanted. */
MUST_USE result members_read(
    const json_t *o, const struct member *table, unsigned n, void *to, const char *unknown, const char **ret_where);
MUST_USE result no_config(const char *where, const char **ret_where);
bool is_name(struct span s, const char *also);
bool is_plain_path(struct span s);
/* A name, an IPv4 address, an IPv6 address in brackets, or "*"; then a port. */
bool is_host_port(struct span s, bool port_required);

#endif
