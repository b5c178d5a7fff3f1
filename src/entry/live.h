/* Parts of entries that say what a target told: live state in a decision, causes in an outcome. For entry.c alone. */
#ifndef SEB_ENTRY_LIVE_H
#define SEB_ENTRY_LIVE_H

#include "entry/entry.h"

MUST_USE result live_put(json_t *o, const struct live_state *live); /* the member live */
MUST_USE result live_get(const json_t *o, struct live_state *ret);
MUST_USE result causes_put(json_t *o, const char *causes); /* the member causes */
MUST_USE result causes_get(const json_t *o, char ret[CAUSES_MAX + 1]);

#endif
