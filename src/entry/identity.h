/* Entries that say which keys and which measured state an instance has: start, keys, rekey. For entry.c alone. */
#ifndef SEB_ENTRY_IDENTITY_H
#define SEB_ENTRY_IDENTITY_H

#include "entry/entry.h"

MUST_USE result start_put(json_t *o, const struct start_entry *e);
MUST_USE result start_get(const json_t *o, struct start_entry *ret);
MUST_USE result keys_put(json_t *o, const struct keys_entry *e);
MUST_USE result keys_get(const json_t *o, struct keys_entry *ret);
MUST_USE result rekey_put(json_t *o, const struct rekey_entry *e);
MUST_USE result rekey_get(const json_t *o, struct rekey_entry *ret);

#endif
