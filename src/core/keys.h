/* What the keeper's KEYS says (docs/formats.md, "Messages between the processes"). */
#ifndef SEB_CORE_KEYS_H
#define SEB_CORE_KEYS_H

#include "base/bytes.h"
#include "entry/entry.h"

struct core;
struct keys_told {
    uint8_t run[RUN_SIZE];
    struct key_identity key[ROLES];
    struct buf evidence[ROLES];
    int64_t counter;
    bool has_anchor;
    uint64_t anchor_size;
    unsigned measured_n;
    struct measured measured[MEASURED_MAX];
};
MUST_USE result keys_told_new(struct keys_told **ret);
void keys_told_free(struct keys_told *k); /* accepts NULL */
void keys_told_free_pointer(struct keys_told **k);
#define AUTO_KEYS_TOLD __attribute__((cleanup(keys_told_free_pointer))) struct keys_told
MUST_USE result keys_told_read(struct span json, struct keys_told *ret);
/* While serving: another mint key is recorded, and decisions name it from then on. */
MUST_USE result keys_changed(struct core *c, struct span json);
const char *key_role_name(enum key_role role);

#endif
