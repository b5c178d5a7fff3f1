/* Numbers by digest or by number: what an audit remembers of each decision in a few bytes. Owned by one thread. */
#ifndef SEB_AUDIT_TABLE_H
#define SEB_AUDIT_TABLE_H

#include "base/digest.h"

struct table_row;
struct table { /* zeroed is empty */
    struct table_row *rows;
    size_t n, room;
};
void table_free(struct table *t);
/* Keys of a digest are its first 16 bytes: that two differ only behind them, nobody can arrange. */
struct table_key {
    uint64_t a, b;
};
struct table_key key_of_digest(const struct digest *d);
struct table_key key_of_number(uint64_t n);
/* The value's place, valid until the next put; NULL where there is none. */
uint64_t *table_find(const struct table *t, struct table_key key);
/* Puts value where the key isn't there yet; *ret_old: the place of what is there, NULL where it is new. */
MUST_USE result table_put(struct table *t, struct table_key key, uint64_t value, uint64_t **ret_old);

#endif
