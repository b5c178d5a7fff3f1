/* SQLite, wrapped for the writer and the readers: one connection, its statements prepared once, errors as results. */
#ifndef SEB_STORE_SQL_H
#define SEB_STORE_SQL_H

#include <sqlite3.h>

#include "base/digest.h"

#define SQL_STATEMENTS 24
struct sql {
    sqlite3 *db;
    sqlite3_stmt *statement[SQL_STATEMENTS];
};
struct sql_value {
    enum { SQL_NULL, SQL_NUMBER, SQL_TEXT, SQL_BYTES } kind;
    uint64_t number;
    struct span bytes;
};
static inline struct sql_value sql_number(uint64_t v)
{
    return (struct sql_value){ .kind = SQL_NUMBER, .number = v };
}
static inline struct sql_value sql_bytes(struct span s)
{
    return (struct sql_value){ .kind = SQL_BYTES, .bytes = s };
}
static inline struct sql_value sql_digest(const struct digest *d)
{
    return sql_bytes(digest_span(d));
}
static inline struct sql_value sql_text(struct span s)
{
    return (struct sql_value){ .kind = SQL_TEXT, .bytes = s };
}
#define SQL_VALUES(...) \
    (const struct sql_value[]){ __VA_ARGS__ }, sizeof((const struct sql_value[]){ __VA_ARGS__ }) / sizeof(struct sql_value)
#define SQL_NOTHING NULL, 0

/* Opens the file. A writer creates it and brings its schema up to date; see store_open and store_reader_open. */
MUST_USE result sql_open(struct sql *s, const char *path, bool writes);
MUST_USE result sql_prepare(struct sql *s, const char *const *texts, unsigned n);
void sql_close(struct sql *s); /* accepts a zeroed one */
MUST_USE result sql_exec(struct sql *s, const char *text);
/* The result of a call that returned rc on this connection. */
result sql_result(struct sql *s, int rc);
/* One number that a statement without parameters gives. */
MUST_USE result sql_ask(struct sql *s, const char *text, int64_t *ret);

/* Runs statement `which`, which gives no rows; *ret_changed (may be NULL): how many rows it wrote. */
MUST_USE result sql_run(struct sql *s, unsigned which, const struct sql_value *v, unsigned n, int *ret_changed);
/* Begins statement `which` and takes its first row; sql_next the following ones. Columns are valid until then; sql_done ends it. */
MUST_USE result sql_first(struct sql *s, unsigned which, const struct sql_value *v, unsigned n, bool *ret_row);
MUST_USE result sql_next(struct sql *s, unsigned which, bool *ret_row);
void sql_done(struct sql *s, unsigned which);
uint64_t sql_column_number(const struct sql *s, unsigned which, int column);
bool sql_column_is_null(const struct sql *s, unsigned which, int column);
MUST_USE result sql_column_bytes(struct sql *s, unsigned which, int column, struct span *ret);
MUST_USE result sql_column_digest(struct sql *s, unsigned which, int column, struct digest *ret);

/* A node's place in its table: by the last leaf under it, then by level, so that an append writes neighbours. Trees have fewer than
 * 2^53 leaves. */
static inline struct sql_value sql_node(unsigned level, uint64_t index)
{
    return sql_number((((index + 1) << level) - 1) << 6 | level);
}

/* The schema's version is known, and the file is ours; a writer creates it or brings it up to date. `unsupported`. */
MUST_USE result schema_check(struct sql *s, bool writes);

#endif
