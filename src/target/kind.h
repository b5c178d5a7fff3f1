/* What a kind of target brings: its files, one row in target.c. For the files of src/target alone. */
#ifndef SEB_TARGET_KIND_H
#define SEB_TARGET_KIND_H

#include "target/target.h"

/* target.h says of each what it promises. */
struct target_kind {
    const char *name;
    enum seb_code (*scope)(const char *prefix, const struct target_mutation *m);
    enum seb_code (*resource)(const char *prefix, const char *resource);
    enum seb_code (*url)(const char *prefix, const char *method, const char *url);
    result (*plan)(const char *prefix, enum call_use use, const struct target_mutation *m, struct call_plan *ret);
    result (*claims)(enum call_use use, const struct target_mutation *m, const struct call_plan *plan, json_t *claims);
    enum call_meaning (*meaning)(uint32_t status);
    result (*read_meaning)(uint32_t status, bool *ret_exists);
    bool (*removes)(const struct target_mutation *m);
    enum seb_code (*rejection)(uint32_t status, const json_t *causes); /* NULL: nothing more is known */
    /* Of a kind that keeps bodies; else NULL, and false or 0. */
    bool keeps_body, audited; /* audited: the target keeps an audit log, in which a call is known by an id of ours */
    int64_t cache_s;
    int64_t least_s; /* of every kind */
    bool (*secret)(const struct target_mutation *m);
    result (*rehearsal)(const char *url, char ret[TARGET_URL_MAX + 1]);
    result (*details)(enum call_use use, const struct target_mutation *m, struct buf *out);
    result (*compose)(const json_t *details, bool rehearsal, struct span body, struct buf *out);
    result (*answer)(enum call_use use, const json_t *details, uint32_t status, struct span body, struct target_answer *ret);
};
extern const struct target_kind target_http, target_kubernetes;

#endif
