#include "config.h"

#include "audit/table.h"

#include <stdlib.h>

#define ROOM_FIRST 256

struct table_row {
    struct table_key key;
    uint64_t value;
    bool used;
};

void table_free(struct table *t)
{
    free(t->rows);
    *t = (struct table){ 0 };
}

struct table_key key_of_digest(const struct digest *d)
{
    struct reader r = reader_of(digest_span(d));
    struct table_key k = { 0 };
    if (!is_ok(read_u64(&r, &k.a)) || !is_ok(read_u64(&r, &k.b)))
        return (struct table_key){ 0 };
    return k;
}

struct table_key key_of_number(uint64_t n)
{
    /* Neighbours far apart: multiplied by 2^64 divided by the golden ratio. */
    return (struct table_key){ n * UINT64_C(0x9e3779b97f4a7c15), n };
}

static size_t place_of(const struct table *t, struct table_key key)
{
    size_t at = (size_t)(key.a >> 7) & (t->room - 1);
    while (t->rows[at].used && (t->rows[at].key.a != key.a || t->rows[at].key.b != key.b))
        at = (at + 1) & (t->room - 1);
    return at;
}

uint64_t *table_find(const struct table *t, struct table_key key)
{
    if (!t->room)
        return NULL;
    struct table_row *row = &t->rows[place_of(t, key)];
    return row->used ? &row->value : NULL;
}

static result grow(struct table *t)
{
    struct table wider = { .n = t->n, .room = t->room ? t->room * 2 : ROOM_FIRST };
    wider.rows = calloc(wider.room, sizeof *wider.rows);
    if (!wider.rows)
        return fail(E_no_memory);
    for (size_t i = 0; i < t->room; i++)
        if (t->rows[i].used)
            wider.rows[place_of(&wider, t->rows[i].key)] = t->rows[i];
    free(t->rows);
    *t = wider;
    return OK;
}

result table_put(struct table *t, struct table_key key, uint64_t value, uint64_t **ret_old)
{
    if (t->n >= t->room / 4 * 3)
        TRY(grow(t));
    struct table_row *row = &t->rows[place_of(t, key)];
    *ret_old = row->used ? &row->value : NULL;
    if (row->used)
        return OK;
    *row = (struct table_row){ .key = key, .value = value, .used = true };
    t->n++;
    return OK;
}
