/* What a kind of target brings: one file, one row in target.c. For the files of src/target alone. */
#ifndef SEB_TARGET_KIND_H
#define SEB_TARGET_KIND_H

#include "target/target.h"

struct target_kind {
    const char *name;
    enum seb_code (*scope)(const char *prefix, const struct target_mutation *m);
    enum seb_code (*resource)(const char *prefix, const char *resource);
    result (*plan)(enum call_use use, const struct target_mutation *m, struct call_plan *ret);
    result (*claims)(enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims);
    enum call_meaning (*meaning)(uint32_t status);
    result (*read_meaning)(uint32_t status, bool *ret_exists);
};
extern const struct target_kind target_http;

#endif
